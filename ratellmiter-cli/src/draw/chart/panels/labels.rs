//! Draws the limits, the numbers of spikes that are cut off, and the labels of pauses.

use plotters::{
    backend::DrawingBackend,
    element::Rectangle,
    style::{
        Color as _, FontTransform, RGBColor, TextStyle,
        text_anchor::{HPos, Pos, VPos},
    },
};

use crate::{
    draw::{
        chart::{
            layout::Frame,
            pen::{DrawResult, Pen},
        },
        course::{Course, Level, Panel, Span},
        graph::abbreviated,
    },
    series::Axis,
};

/// Width of the line of a limit.
pub(super) const LIMIT: u32 = 2;

/// Width of the values of the limits on the right.
const MARGIN: i32 = 160;

/// Width of the names of models on the right.
const NAMES: i32 = 240;

/// Height of a label on the right.
const LABEL: i32 = 26;

/// Returns the width that the values of the limits need beside the panels.
pub(super) fn margin(course: &Course) -> i32 {
    let has_levels = course.panels.iter().any(|panel| !panel.limit.is_empty() || !panel.adapted.is_empty());
    let has_names = course.panels.iter().any(|panel| !panel.names.is_empty());
    match (has_names, has_levels) {
        (true, _) => NAMES,
        (false, true) => MARGIN,
        (false, false) => 0,
    }
}

/// Returns `true` if a level is inside the panel.
pub(super) fn is_drawn(levels: &[Level], panel: &Panel) -> bool {
    levels.iter().any(|level| level.value <= panel.top)
}

/// Draws the configured limit as a dashed line.
pub(super) fn draw_limit<B: DrawingBackend>(panel: &Panel, frame: &Frame, pen: &Pen<'_, B>) -> DrawResult
where
    B::ErrorType: 'static,
{
    let dash = |ends: [(i32, i32); 2]| pen.dashes(&ends, pen.theme.foreground(), pen.stroke(LIMIT));
    ends(&panel.limit, panel, frame, pen).into_iter().try_for_each(dash)
}

/// Draws the adapted limit as a thin line, with steps between levels that touch.
pub(super) fn draw_adapted<B: DrawingBackend>(panel: &Panel, frame: &Frame, pen: &Pen<'_, B>) -> DrawResult
where
    B::ErrorType: 'static,
{
    let is_inside = |level: &Level| level.value <= panel.top;
    let touch = |one: &Level, next: &Level| {
        is_inside(one) && is_inside(next) && next.from.saturating_sub(one.to.max(one.from)) <= 1
    };
    for run in panel.adapted.chunk_by(touch) {
        let corners: Vec<_> = ends(run, panel, frame, pen).into_iter().flatten().collect();
        pen.path(&corners, pen.theme.foreground(), pen.stroke(LIMIT))?;
    }
    Ok(())
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

/// Writes the names of models and the values of the limits: names and the last values beside the panel if there is no axis, other
/// values of the configured limit above their lines where there is room.
pub(super) fn label_levels<B: DrawingBackend>(panel: &Panel, frame: &Frame, pen: &Pen<'_, B>) -> DrawResult
where
    B::ErrorType: 'static,
{
    let style = pen.text_style(24);
    let text = |name: &str, level: &Level| {
        let above = if level.value <= panel.top { "" } else { " (above)" };
        format!("{name} {}{above}", value_text(level.value))
    };
    let mut beside: Vec<(i32, String, RGBColor)> = Vec::new();
    let room = pen.measure(NAMES - 20);
    for ((name, color), row) in panel.names.iter().zip(0..) {
        let y = frame.top + pen.measure(LABEL / 2 + LABEL * row);
        // Names without room are in the legend alone.
        if y + pen.measure(LABEL / 2) <= frame.bottom || row == 0 {
            beside.push((y, pen.shortened(name, room, &style)?, pen.theme.color(*color)));
        }
    }
    for (levels, name) in [(&panel.limit, "limit"), (&panel.adapted, "adapted")] {
        let mut free = i32::MAX;
        for (index, level) in levels.iter().rev().enumerate() {
            let (left, right) = frame.columns(level.from, level.to);
            let is_inside = level.value <= panel.top;
            let y = frame.y(Axis::Calls, level.value.min(panel.top)).max(frame.top);
            let is_last = right > frame.right - frame.inset - pen.measure(40);
            if index == 0 && is_inside && is_last && frame.axes.len() == 1 {
                beside.push((y, text(name, level), pen.theme.foreground()));
                free = right;
                continue;
            }
            if name == "adapted" {
                // It follows the data, which a label would cover.
                break;
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
    beside.sort_by_key(|(y, ..)| *y);
    let style = style.pos(Pos::new(HPos::Left, VPos::Center));
    let mut free = i32::MIN;
    for (y, text, color) in beside {
        let y = y.max(free);
        pen.write(&text, (frame.right + pen.measure(10), y), &style.color(&color))?;
        free = y + pen.measure(LABEL);
    }
    Ok(())
}

/// Writes a text from `at` to the right, on a background that covers the lines below it.
pub(super) fn write_on_paper<B: DrawingBackend>(
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
pub(super) fn value_text(value: f64) -> String {
    if value >= 1e6 { abbreviated(value, 1.0) } else { ((value * 100.0).round() / 100.0).to_string() }
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
        let (left, right) = frame.columns_of(span.ends());
        let (room, center) = (right - left - pen.measure(8), i32::midpoint(left, right));
        if room <= 0 {
            continue;
        }
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
