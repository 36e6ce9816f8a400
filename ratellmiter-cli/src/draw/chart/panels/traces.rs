//! Draws the steps of a trace, with the band from least to most.

use plotters::{
    backend::DrawingBackend,
    element::Polygon,
    style::{Color as _, RGBColor},
};

use crate::{
    draw::{
        chart::{
            layout::Frame,
            pen::{DrawResult, Pen},
        },
        course::{Form, Step, Trace},
        theme::Theme,
    },
    series::Axis,
};

/// Opacity of an area and of a band.
const AREA: f64 = 0.30;
const BAND: f64 = 0.11;
/// Distance of lines that are cut off from the upper edge.
const CUT: i32 = 4;

pub(super) fn color(trace: &Trace, theme: Theme) -> RGBColor {
    let color = theme.color(trace.color);
    if trace.is_pale { theme.readable_pale(color) } else { color }
}

/// Draws the area below a trace, and the band from its least to its largest values.
pub(super) fn draw_fill<B: DrawingBackend>(trace: &Trace, frame: &Frame, pen: &Pen<'_, B>) -> DrawResult
where
    B::ErrorType: 'static,
{
    let color = color(trace, pen.theme);
    for run in runs(&trace.steps) {
        let fill = |low: &dyn Fn(&Step) -> f64, high: &dyn Fn(&Step) -> f64, opacity: f64| -> DrawResult {
            let mut corners = path(run, trace.axis, frame, pen, high);
            let mut lower = path(run, trace.axis, frame, pen, low);
            lower.reverse();
            corners.extend(lower);
            Ok(pen.canvas.draw(&Polygon::new(corners, color.mix(opacity).filled()))?)
        };
        if trace.form == Form::Area {
            fill(&|_| 0.0, &|step| step.mean, AREA)?;
        }
        if trace.has_band && run.iter().any(Step::is_spread) {
            fill(&|step| step.least, &|step| step.most, BAND)?;
        }
    }
    Ok(())
}

/// Draws the line of a trace. It is interrupted where the value is unknown.
pub(super) fn draw_line<B: DrawingBackend>(trace: &Trace, frame: &Frame, pen: &Pen<'_, B>) -> DrawResult
where
    B::ErrorType: 'static,
{
    let (color, width) = (color(trace, pen.theme), pen.stroke(trace.width));
    for run in runs(&trace.steps) {
        let corners = path(run, trace.axis, frame, pen, &|step| step.mean);
        if trace.form == Form::Dashed {
            pen.dashes(&corners, color, width)?;
        } else {
            pen.path(&corners, color, width)?;
        }
    }
    Ok(())
}

/// Splits steps where they do not touch.
fn runs(steps: &[Step]) -> impl Iterator<Item = &[Step]> {
    steps.chunk_by(|one, next| one.to.checked_add(1) == Some(next.from))
}

/// Returns the corners of a run in pixels of the canvas. Values above the frame are cut off.
#[allow(clippy::cast_precision_loss)]
fn path<B: DrawingBackend>(
    run: &[Step],
    axis: Axis,
    frame: &Frame,
    pen: &Pen<'_, B>,
    value: &dyn Fn(&Step) -> f64,
) -> Vec<(i32, i32)>
where
    B::ErrorType: 'static,
{
    let mut corners: Vec<(i32, i32)> = Vec::with_capacity(2 * run.len());
    for step in run {
        let y = frame.y(axis, value(step)).max(frame.top + pen.measure(CUT));
        let from = frame.x(step.from as f64 - frame.lead).max(frame.left);
        let to = frame.x(step.to as f64 + 1.0 - frame.lead).min(frame.right).max(from + 1);
        // Equal steps are one.
        let is_same = corners.last().is_some_and(|(_, last)| *last == pen.scaled((0, y)).1) && corners.len() > 1;
        if is_same {
            corners.pop();
        } else {
            corners.push(pen.scaled((from, y)));
        }
        corners.push(pen.scaled((to, y)));
    }
    corners
}
