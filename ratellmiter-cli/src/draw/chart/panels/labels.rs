//! Draws the limits, the numbers of spikes that are cut off, and the labels of pauses.

use plotters::{
    backend::DrawingBackend,
    element::Rectangle,
    style::{
        Color as _, FontTransform, TextStyle,
        text_anchor::{HPos, Pos, VPos},
    },
};

use super::traces;
use crate::{
    draw::{
        chart::{
            layout::Frame,
            pen::{DrawResult, Pen},
        },
        course::{Course, Panel, Span, Step, Trace},
        graph::abbreviated,
    },
    series::Axis,
};

/// Width of the line of a limit.
const LIMIT: u32 = 2;

/// Draws the configured limit as a dashed line with its value, and the adapted limit as a solid one.
pub(super) fn draw_levels<B: DrawingBackend>(panel: &Panel, frame: &Frame, pen: &Pen<'_, B>) -> DrawResult
where
    B::ErrorType: 'static,
{
    let ink = pen.theme.foreground();
    let style = pen.text_style(24);
    for (levels, name) in [(&panel.limit, "limit"), (&panel.adapted, "adapted")] {
        let mut free = i32::MAX;
        for level in levels.iter().rev() {
            let (left, right) = frame.columns(level.from, level.to);
            let is_inside = level.value <= panel.top;
            let y = frame.y(Axis::Calls, level.value.min(panel.top)).max(frame.top);
            let ends = [pen.scaled((left, y)), pen.scaled((right, y))];
            match name {
                "limit" if is_inside => pen.dashes(&ends, ink, pen.stroke(LIMIT))?,
                _ if is_inside => pen.path(&ends, ink, pen.stroke(LIMIT))?,
                _ => {}
            }
            let above = if is_inside { "" } else { " (above)" };
            let text = format!("{name} {}{above}", value_text(level.value));
            let width = pen.width_of(&text, &style)?;
            let right = right.min(frame.right - pen.measure(8)).min(free);
            if right - width > left || free == i32::MAX {
                let below = if is_inside { -pen.measure(15) } else { pen.measure(15) };
                let style = style.clone().pos(Pos::new(HPos::Right, VPos::Center));
                pen.write(&text, (right, (y + below).max(frame.top + pen.measure(13))), &style)?;
                free = right - width - pen.measure(16);
            }
        }
    }
    Ok(())
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
    let mut spikes: Vec<(&Step, &Trace)> = Vec::new();
    for trace in panel.traces.iter().filter(|trace| trace.axis == Axis::Calls) {
        for steps in trace.steps.chunk_by(|one, next| (one.most > panel.top) == (next.most > panel.top)) {
            let highest = steps
                .iter()
                .filter(|step| step.most > panel.top)
                .max_by(|one, other| one.most.total_cmp(&other.most).then(other.from.cmp(&one.from)));
            spikes.extend(highest.map(|step| (step, trace)));
        }
    }
    // The largest are written first, and others where there is room.
    spikes.sort_by(|one, other| other.0.most.total_cmp(&one.0.most));
    let mut taken: Vec<(i32, i32)> = Vec::new();
    for (step, trace) in spikes.into_iter().take(200) {
        let (start, end) = frame.columns(step.from, step.to);
        let color = traces::color(trace, pen.theme);
        let style = pen.text_style(24).color(&color);
        let text = format!("{} {}", value_text(step.most), trace.name);
        let (gap, width) = (pen.measure(10), pen.width_of(&text, &style)?);
        let right = (end + gap, end + gap + width);
        let place = if right.1 > frame.right { (start - gap - width, start - gap) } else { right };
        if taken.iter().all(|(from, to)| place.1 + gap < *from || place.0 > *to + gap) {
            let style = style.pos(Pos::new(HPos::Left, VPos::Center));
            let corners = [(place.0 - gap / 2, frame.top + 1), (place.1 + gap / 2, frame.top + pen.measure(31))];
            let paper = pen.theme.background().mix(0.75).filled();
            pen.canvas.draw(&Rectangle::new(corners.map(|corner| pen.scaled(corner)), paper))?;
            pen.write(&text, (place.0, frame.top + pen.measure(16)), &style)?;
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
