//! Draws the limits, the numbers of spikes that are cut off, and the labels of pauses.

use plotters::{
    backend::DrawingBackend,
    element::Rectangle,
    style::{
        Color as _, FontTransform, TextStyle,
        text_anchor::{HPos, Pos, VPos},
    },
};

use crate::{
    draw::{
        chart::{
            layout::Frame,
            pen::{DrawResult, Pen},
        },
        course::{Course, Level, Panel, Span, Step, Trace},
        graph::abbreviated,
    },
    series::Axis,
};

/// Width of the line of a limit.
const LIMIT: u32 = 2;

/// Width of the values of the limits on the right.
const MARGIN: i32 = 160;

/// Returns the width that the values of the limits need beside the panels.
pub(super) fn margin(course: &Course) -> i32 {
    let has_levels = course.panels.iter().any(|panel| !panel.limit.is_empty() || !panel.adapted.is_empty());
    if has_levels { MARGIN } else { 0 }
}

/// Draws the configured limit as a dashed line.
pub(super) fn draw_limit<B: DrawingBackend>(panel: &Panel, frame: &Frame, pen: &Pen<'_, B>) -> DrawResult
where
    B::ErrorType: 'static,
{
    let dash = |ends: [(i32, i32); 2]| pen.dashes(&ends, pen.theme.foreground(), pen.stroke(LIMIT));
    ends(&panel.limit, panel, frame, pen).into_iter().try_for_each(dash)
}

/// Draws the adapted limit as a thin line.
pub(super) fn draw_adapted<B: DrawingBackend>(panel: &Panel, frame: &Frame, pen: &Pen<'_, B>) -> DrawResult
where
    B::ErrorType: 'static,
{
    let line = |ends: [(i32, i32); 2]| pen.path(&ends, pen.theme.foreground(), pen.stroke(LIMIT));
    ends(&panel.adapted, panel, frame, pen).into_iter().try_for_each(line)
}

/// Returns the ends of the levels inside the panel, in pixels of the canvas.
fn ends<B: DrawingBackend>(levels: &[Level], panel: &Panel, frame: &Frame, pen: &Pen<'_, B>) -> Vec<[(i32, i32); 2]>
where
    B::ErrorType: 'static,
{
    let ends = |level: &Level| {
        let (left, right) = frame.columns(level.from, level.to);
        [left, right].map(|x| pen.scaled((x, frame.y(Axis::Calls, level.value))))
    };
    levels.iter().filter(|level| level.value <= panel.top).map(ends).collect()
}

/// Writes the values of the limits: the last ones beside the panel if there is no axis, the others above their lines where there
/// is room.
pub(super) fn label_levels<B: DrawingBackend>(panel: &Panel, frame: &Frame, pen: &Pen<'_, B>) -> DrawResult
where
    B::ErrorType: 'static,
{
    let style = pen.text_style(24);
    let text = |name: &str, level: &Level| {
        let above = if level.value <= panel.top { "" } else { " (above)" };
        format!("{name} {}{above}", value_text(level.value))
    };
    let mut beside: Vec<(i32, String)> = Vec::new();
    for (levels, name) in [(&panel.limit, "limit"), (&panel.adapted, "adapted")] {
        let mut free = i32::MAX;
        for (index, level) in levels.iter().rev().enumerate() {
            let (left, right) = frame.columns(level.from, level.to);
            let is_inside = level.value <= panel.top;
            let y = frame.y(Axis::Calls, level.value.min(panel.top)).max(frame.top);
            let is_last = right > frame.right - frame.inset - pen.measure(40);
            if index == 0 && is_inside && is_last && frame.axes.len() == 1 {
                beside.push((y, text(name, level)));
                free = right;
                continue;
            }
            let text = text(name, level);
            let width = pen.width_of(&text, &style)?;
            let right = right.min(frame.right - pen.measure(8)).min(free);
            if right - width > left || free == i32::MAX {
                let below = if is_inside { -pen.measure(15) } else { pen.measure(15) };
                let at =
                    ((right - width).max(frame.left + pen.measure(8)), (y + below).max(frame.top + pen.measure(16)));
                write_on_paper(&text, at, &style, pen)?;
                free = right - width - pen.measure(16);
            }
        }
    }
    beside.sort_by_key(|(y, _)| *y);
    let style = style.pos(Pos::new(HPos::Left, VPos::Center));
    let mut free = i32::MIN;
    for (y, text) in beside {
        let y = y.max(free);
        pen.write(&text, (frame.right + pen.measure(10), y), &style)?;
        free = y + pen.measure(26);
    }
    Ok(())
}

/// Writes a text from `at` to the right, on a background that covers the lines below it.
fn write_on_paper<B: DrawingBackend>(
    text: &str,
    (left, y): (i32, i32),
    style: &TextStyle<'_>,
    pen: &Pen<'_, B>,
) -> DrawResult
where
    B::ErrorType: 'static,
{
    let (margin, half) = (pen.measure(5), pen.measure(15));
    let right = left + pen.width_of(text, style)? + margin;
    let corners = [pen.scaled((left - margin, y - half)), pen.scaled((right, y + half))];
    pen.canvas.draw(&Rectangle::new(corners, pen.theme.background().mix(0.75).filled()))?;
    pen.write(text, (left, y), &style.clone().pos(Pos::new(HPos::Left, VPos::Center)))
}

/// Formats a value with at most two decimals.
fn value_text(value: f64) -> String {
    if value >= 1e6 { abbreviated(value, 1.0) } else { ((value * 100.0).round() / 100.0).to_string() }
}

/// Writes the largest values of spikes that are cut off at the upper edge.
pub(super) fn draw_spikes<B: DrawingBackend>(panel: &Panel, frame: &Frame, pen: &Pen<'_, B>) -> DrawResult
where
    B::ErrorType: 'static,
{
    let highest = |steps: &mut dyn Iterator<Item = &'_ Step>| {
        steps.copied().max_by(|one, other| one.most.total_cmp(&other.most).then(other.from.cmp(&one.from)))
    };
    let mut spikes: Vec<(Step, &Trace)> = Vec::new();
    for trace in panel.traces.iter().filter(|trace| trace.axis == Axis::Calls) {
        let is_cut = |step: &Step| step.mean > panel.top;
        for steps in trace.steps.chunk_by(|one, next| is_cut(one) == is_cut(next)) {
            spikes.extend(highest(&mut steps.iter().filter(|step| is_cut(step))).map(|step| (step, trace)));
        }
        // A band that is cut off has one number.
        let mut band = trace.steps.iter().filter(|step| trace.has_band && !is_cut(step) && step.most > panel.top);
        spikes.extend(highest(&mut band).map(|step| (step, trace)));
    }
    // The largest are written first, and others where there is room.
    spikes.sort_by(|one, other| other.0.most.total_cmp(&one.0.most));
    let mut taken: Vec<(i32, i32)> = Vec::new();
    for (step, trace) in spikes.into_iter().take(200) {
        let (start, end) = frame.columns(step.from, step.to);
        let color = pen.theme.color(trace.color);
        let style = pen.text_style(24).color(&color);
        let up_to = if step.mean > panel.top { "" } else { "up to " };
        let text = format!("{up_to}{} {}", value_text(trace.most(&step)), trace.name);
        let (gap, width) = (pen.measure(10), pen.width_of(&text, &style)?);
        let right = (end + gap, end + gap + width);
        let place = if right.1 > frame.right { (start - gap - width, start - gap) } else { right };
        if taken.iter().all(|(from, to)| place.1 + gap < *from || place.0 > *to + gap) {
            write_on_paper(&text, (place.0, frame.top + pen.measure(16)), &style, pen)?;
            taken.push(place);
        }
    }
    Ok(())
}

/// Writes cause and length of pauses and of closed time where there is room: in a row, else upright, else the length alone.
pub(super) fn draw_spans<B: DrawingBackend>(course: &Course, frames: &[Frame], pen: &Pen<'_, B>) -> DrawResult
where
    B::ErrorType: 'static,
{
    // In the lowest panel, where no label of a limit or a spike is.
    let Some(frame) = frames.last() else { return Ok(()) };
    let style = pen.text_style(24);
    let line = pen.measure(28);
    for span in course.pauses.iter().chain(&course.closed) {
        let (left, right) = frame.columns(span.from, span.to);
        let (room, center) = (right - left - pen.measure(8), i32::midpoint(left, right));
        let y = frame.top + pen.measure(18);
        let whole = label(span);
        let upright = |text: &str, style: &TextStyle<'_>| -> DrawResult {
            let style = style.clone().transform(FontTransform::Rotate270).pos(Pos::new(HPos::Right, VPos::Center));
            pen.write(text, (center, frame.top + pen.measure(8)), &style)
        };
        if pen.width_of(&whole, &style)? <= room {
            pen.write(&whole, (center, y), &style)?;
        } else if line <= room && pen.width_of(&whole, &style)? < frame.bottom - frame.top - pen.measure(16) {
            upright(&whole, &style)?;
        } else if pen.width_of(&span.length(), &style)? <= room {
            pen.write(&span.length(), (center, y), &style)?;
        }
    }
    Ok(())
}

fn label(span: &Span) -> String {
    format!("{} {}", span.cause, span.length())
}
