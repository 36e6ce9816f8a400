//! Draws the panels of a course.

mod labels;
mod traces;

use plotters::{
    backend::DrawingBackend,
    element::Rectangle,
    style::{Color as _, FontTransform, RGBColor},
};

use crate::{
    draw::{
        chart::{
            layout::{Frame, INSET, LEFT, RIGHT, RIGHT_AXIS, Scale},
            legend::{Entry, Legend, Sample},
            marks::Shape,
            pen::{DrawResult, Pen},
        },
        course::{Course, Form, Mark, Panel, Span, Trace},
        theme::Theme,
        time_axis,
    },
    series::Axis,
};

/// Distance of the first panel from the upper edge, with one row of legend.
const TOP: i32 = 166;
const BOTTOM: i32 = 110;
/// Height of the strip of events below the first panel.
const EVENTS: i32 = 58;
/// Distance between two other panels.
const GAP: i32 = 22;
/// Half the size of a mark.
const MARK: i32 = 11;

pub(super) fn draw<B: DrawingBackend>(course: &Course, pen: &Pen<'_, B>) -> DrawResult
where
    B::ErrorType: 'static,
{
    let legend = Legend::of(entries(course, pen.theme), pen.height - pen.measure(TOP + BOTTOM), pen)?;
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
        labels::draw_limit(panel, frame, pen)?;
        for trace in &panel.traces {
            traces::draw_line(trace, frame, pen)?;
        }
        labels::draw_adapted(panel, frame, pen)?;
        labels::draw_spikes(panel, frame, pen)?;
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
            last: course.last,
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
    match (course.events.is_empty(), course.panels.len()) {
        (false, _) => pen.measure(EVENTS),
        (true, 1) => 0,
        (true, _) => pen.measure(GAP),
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
        Some((axis, Scale::to(panel.largest(axis)?, ticks, least)))
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
    for span in spans {
        let (left, right) = frame.columns(span.from, span.to);
        let corners = [pen.scaled((left, frame.top)), pen.scaled((right, frame.bottom))];
        pen.canvas.draw(&Rectangle::new(corners, color.filled()))?;
    }
    Ok(())
}

/// Draws the marks of events below the first panel: refusals above, canaries and closed time below. Marks of one kind that would
/// overlap are one mark.
#[allow(clippy::cast_precision_loss)]
fn draw_events<B: DrawingBackend>(course: &Course, frame: &Frame, pen: &Pen<'_, B>) -> DrawResult
where
    B::ErrorType: 'static,
{
    let half = pen.measure(MARK).max(3);
    for mark in Mark::ALL {
        let row = if matches!(mark, Mark::Refusal | Mark::Overload) { 16 } else { 42 };
        let y = frame.bottom + pen.measure(row);
        let mut free = i32::MIN;
        for event in course.events.iter().filter(|event| event.mark == mark) {
            let x = frame.x(event.at as f64);
            if x >= free {
                Shape::of(mark).draw((x, y), half, mark_color(mark, pen.theme), pen)?;
                free = x + 2 * half;
            }
        }
    }
    Ok(())
}

fn mark_color(mark: Mark, theme: Theme) -> RGBColor {
    match mark {
        Mark::Refusal | Mark::Overload => theme.color(crate::series::color_of('e')),
        Mark::Canary => theme.foreground(),
        Mark::Closed => theme.closed_mark(),
    }
}

/// Returns the entries of the legend: shades, traces and marks.
fn entries(course: &Course, theme: Theme) -> Vec<Entry> {
    let shade = |spans: &[Span], name: &str, color| {
        (!spans.is_empty()).then(|| Entry { name: name.into(), sample: Sample::Shade, color })
    };
    let trace = |trace: &Trace| Entry {
        name: trace.name.clone(),
        sample: match trace.form {
            Form::Dashed => Sample::Dashes(trace.width),
            Form::Solid | Form::Area => Sample::Stroke(trace.width),
        },
        color: traces::color(trace, theme),
    };
    let mark = |mark: Mark| {
        let count = course.events.iter().filter(|event| event.mark == mark).map(|event| event.count);
        let count = count.fold(0, u64::saturating_add);
        let name = if mark == Mark::Closed { mark.name(count).into() } else { format!("{count} {}", mark.name(count)) };
        (count > 0).then(|| Entry { name, sample: Sample::Mark(Shape::of(mark)), color: mark_color(mark, theme) })
    };
    let pauses = shade(&course.pauses, "pause", theme.pause());
    let closed = shade(&course.closed, crate::draw::graph::CLOSED, theme.closed());
    let traces = course.panels.iter().flat_map(|panel| &panel.traces).map(trace);
    let marks = Mark::ALL.into_iter().filter(|other| *other != Mark::Closed).filter_map(mark);
    closed.into_iter().chain(traces).chain(pauses).chain(marks).collect()
}

#[cfg(test)]
mod tests;
