//! Draws the panels of a course.

mod labels;
mod legend;
mod spikes;
mod traces;

use plotters::{
    backend::DrawingBackend,
    element::Rectangle,
    style::{
        Color as _, FontTransform, RGBColor,
        text_anchor::{HPos, Pos, VPos},
    },
};

use crate::{
    draw::{
        chart::{
            layout::{Frame, LEFT, RIGHT, RIGHT_AXIS, Scale},
            legend::Legend,
            marks::{Shape, joined},
            pen::{DrawResult, Pen},
        },
        course::{Course, Mark, Panel, Span},
        time_axis,
    },
    series::Axis,
};

/// Distance of the first panel from the upper edge, with one row of legend.
const TOP: i32 = 166;
const BOTTOM: i32 = 110;
/// Height of the marks of one kind below the first panel, and of the distances around them.
const MARKS: i32 = 25;
const AROUND_MARKS: i32 = 10;
/// Distance of the first and last second from the frame, and of the value zero from its lower edge.
const INSET: i32 = 8;
const FOOT: i32 = 7;
/// Distance of the uppermost tick from the upper edge.
const HEAD: i32 = 14;
/// Distance between two other panels.
const GAP: i32 = 22;
/// Half the size of a mark.
const MARK: i32 = 11;

pub(super) fn draw<B: DrawingBackend>(course: &Course, pen: &Pen<'_, B>) -> DrawResult
where
    B::ErrorType: 'static,
{
    let legend = Legend::of(legend::entries(course, pen.theme), pen.height - pen.measure(TOP + BOTTOM), pen)?;
    let frames = frames(course, pen, legend.extra_height(pen));
    pen.canvas.fill(&pen.theme.background())?;
    for (panel, frame) in course.panels.iter().zip(&frames) {
        shade(frame, &course.pauses, pen.theme.pause(), pen)?;
        shade(frame, &course.closed, pen.theme.closed(), pen)?;
        frame.draw_values(pen)?;
        frame.draw_times(pen)?;
        for trace in &panel.traces {
            traces::draw_fill(trace, frame, pen)?;
        }
        for trace in &panel.traces {
            traces::draw_line(trace, frame, pen)?;
        }
        labels::draw_adapted(panel, frame, pen)?;
        labels::draw_limit(panel, frame, pen)?;
        spikes::draw_spikes(panel, frame, pen)?;
        labels::label_levels(panel, frame, pen)?;
        frame.draw_border(pen)?;
        let style = pen.text_style(30).transform(FontTransform::Rotate270);
        frame.draw_titles(&panel.unit, &style, pen)?;
    }
    let Some((first, last)) = frames.first().zip(frames.last()) else { return Ok(()) };
    labels::draw_spans(course, &frames, pen)?;
    draw_events(course, first, pen)?;
    // The marks of a single panel are between it and the labels.
    last.draw_time_labels(if frames.len() == 1 { strip(course, pen) } else { 0 }, pen)?;
    legend.draw(first.center(), first.top, pen)?;
    let room = pen.width - pen.measure(100);
    let title = pen.shortened(&course.title, room, &pen.title_style())?;
    pen.write(&title, (pen.width / 2, pen.measure(40)), &pen.title_style())?;
    let style = pen.text_style(28);
    pen.write(&pen.shortened(&course.subtitle, room, &style)?, (pen.width / 2, pen.measure(86)), &style)?;
    let caption = time_axis::caption(course.start);
    pen.write(&caption, (last.center(), pen.height - pen.measure(28)), &pen.text_style(28))
}

/// Returns the frames of the panels. All have the same left and right edge.
fn frames<B: DrawingBackend>(course: &Course, pen: &Pen<'_, B>, legend: i32) -> Vec<Frame>
where
    B::ErrorType: 'static,
{
    let count = i32::try_from(course.panels.len()).unwrap_or(0);
    let top = pen.measure(TOP) + legend;
    let gaps = strip(course, pen) + (count - 2).max(0) * pen.measure(GAP);
    let room = (pen.height - top - pen.measure(BOTTOM) - gaps).max(count * 12);
    let weights: f64 = course.panels.iter().map(|panel| panel.weight).sum();
    let axes: Vec<_> =
        course.panels.iter().map(|panel| axes(panel, share(room, panel.weight / weights), pen)).collect();
    let right = axes.iter().map(Vec::len).max().unwrap_or(1).saturating_sub(1);
    let right = (i32::try_from(right).unwrap_or(0) * RIGHT_AXIS).max(RIGHT);
    let mut next = top;
    let frame = |((index, panel), axes): ((usize, &Panel), Vec<(Axis, Scale)>)| {
        let height = share(room, panel.weight / weights);
        let frame = Frame {
            left: pen.measure(LEFT),
            right: pen.width - pen.measure(right.max(labels::margin(course))),
            top: next,
            bottom: next + height,
            inset: pen.measure(INSET),
            foot: pen.measure(FOOT),
            end: course.last.saturating_add(1),
            lead: 0.0,
            axes,
        };
        next = frame.bottom + if index == 0 { strip(course, pen) } else { pen.measure(GAP) };
        frame
    };
    course.panels.iter().enumerate().zip(axes).map(frame).collect()
}

/// Returns the distance below the first panel: the height of the marks, a gap, or nothing.
fn strip<B: DrawingBackend>(course: &Course, pen: &Pen<'_, B>) -> i32
where
    B::ErrorType: 'static,
{
    match (kinds(course).count(), course.panels.len()) {
        (kinds @ 1.., _) => pen.measure(AROUND_MARKS + MARKS * i32::try_from(kinds).unwrap_or(0)),
        (0, 1) => 0,
        (0, _) => pen.measure(GAP),
    }
}

#[allow(clippy::cast_possible_truncation)] // Pixels of a picture.
fn share(room: i32, part: f64) -> i32 {
    (f64::from(room) * part) as i32
}

fn axes<B: DrawingBackend>(panel: &Panel, height: i32, pen: &Pen<'_, B>) -> Vec<(Axis, Scale)>
where
    B::ErrorType: 'static,
{
    let ticks = (height / pen.measure(42).max(1)).clamp(1, 6).unsigned_abs();
    let scale = |axis: Axis| {
        let least = if axis == Axis::Calls { 1e-3 } else { axis.min_step() };
        let scale = Scale::to(panel.largest(axis)?, ticks, least);
        Some((axis, scale.below_edge(f64::from(pen.measure(HEAD)) / f64::from(height.max(1)))))
    };
    let mut axes: Vec<_> = [Axis::Calls].into_iter().chain(Axis::RIGHT).filter_map(scale).collect();
    if axes.is_empty() {
        axes.push((Axis::Calls, Scale::to(1.0, ticks, 1.0)));
    }
    axes
}

fn shade<B: DrawingBackend>(frame: &Frame, spans: &[Span], color: RGBColor, pen: &Pen<'_, B>) -> DrawResult
where
    B::ErrorType: 'static,
{
    // Spans without a pixel between them are one.
    let mut joined: Vec<(i32, i32)> = Vec::new();
    for (left, right) in spans.iter().map(|span| frame.columns_of(span.ends())) {
        match joined.last_mut() {
            Some((_, end)) if left <= *end => *end = right.max(*end),
            _ => joined.push((left, right)),
        }
    }
    for (left, right) in joined {
        let corners = [pen.scaled((left, frame.top)), pen.scaled((right, frame.bottom))];
        pen.canvas.draw(&Rectangle::new(corners, color.filled()))?;
    }
    Ok(())
}

/// Returns the kinds of events that occur.
fn kinds(course: &Course) -> impl Iterator<Item = Mark> {
    Mark::ALL.into_iter().filter(|mark| course.events.iter().any(|event| event.mark == *mark))
}

/// Draws the marks of events below the first panel, each kind in a row. Marks that would overlap are one mark with the
/// number of its events.
#[allow(clippy::cast_precision_loss)]
fn draw_events<B: DrawingBackend>(course: &Course, frame: &Frame, pen: &Pen<'_, B>) -> DrawResult
where
    B::ErrorType: 'static,
{
    let half = pen.measure(MARK).max(3);
    let gap = pen.measure(4);
    let style = pen.text_style(24).pos(Pos::new(HPos::Left, VPos::Center));
    let number = |count: u64| format!("×{count}");
    for (mark, row) in kinds(course).zip(0..) {
        let y = frame.bottom + pen.measure(AROUND_MARKS / 2 + MARKS / 2 + MARKS * row);
        let events = course.events.iter().filter(|event| event.mark == mark);
        let places = events.map(|event| (frame.x(event.at as f64 + 0.5), event.count));
        let width = |count: u64| match count {
            0 | 1 => Ok(2 * half + 1),
            _ => pen.width_of(&number(count), &style).map(|width| 2 * half + width + 3 * gap),
        };
        for (x, count) in joined(places, width)? {
            Shape::of(mark).draw((x, y), half, legend::mark_color(mark, pen.theme), pen)?;
            if count > 1 {
                pen.write(&number(count), (x + half + gap, y), &style)?;
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
