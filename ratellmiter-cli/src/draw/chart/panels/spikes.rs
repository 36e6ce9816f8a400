//! Draws the numbers of spikes that are cut off at the upper edge, and breaks in their lines.

use plotters::{
    backend::DrawingBackend,
    element::Polygon,
    style::{Color as _, RGBColor},
};

use crate::{
    draw::{
        chart::{
            layout::Frame,
            panels::{
                labels::{value_text, write_on_paper},
                traces,
            },
            pen::{DrawResult, Pen},
        },
        course::{Panel, Step, Trace},
    },
    series::Axis,
};

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
        let style = pen.text_style(28);
        let up_to = if step.mean > panel.top { "" } else { "up to " };
        let text = format!("{up_to}{} {}", value_text(trace.most(&step)), trace.name);
        let (gap, width) = (pen.measure(18), pen.width_of(&text, &style)?);
        let right = (end + gap, end + gap + width);
        if step.mean > panel.top {
            draw_break((start, end), traces::color(trace, pen.theme), trace.width, frame, pen)?;
        }
        let place = if right.1 > frame.right { (start - gap - width, start - gap) } else { right };
        if taken.iter().all(|(from, to)| place.1 + gap < *from || place.0 > *to + gap) {
            write_on_paper(&text, (place.0, frame.top + pen.measure(20)), &style, pen)?;
            taken.push(place);
        }
    }
    Ok(())
}

/// Draws a break in the edges of a spike from `start` to `end`: a slanted gap between two strokes.
fn draw_break<B: DrawingBackend>(
    (start, end): (i32, i32),
    color: RGBColor,
    width: u32,
    frame: &Frame,
    pen: &Pen<'_, B>,
) -> DrawResult
where
    B::ErrorType: 'static,
{
    let (half, slope, gap) = (pen.measure(11), pen.measure(5), pen.measure(4));
    let y = frame.top + pen.measure(26);
    let is_wide = end - start > 3 * half;
    // The edges of a narrow spike have one break, and an edge at the frame has none.
    let edges = if is_wide { vec![start, end] } else { vec![i32::midpoint(start, end)] };
    let half = if is_wide { half } else { half.max((end - start) / 2 + pen.measure(6)) };
    let inside = |x: &i32| !is_wide || (x - half > frame.left && x + half < frame.right);
    for x in edges.into_iter().filter(inside) {
        let corner = |right: i32, down: i32| pen.scaled((x + right, y + down));
        let paper = vec![
            corner(-half, slope - gap),
            corner(half, -slope - gap),
            corner(half, gap - slope),
            corner(-half, slope + gap),
        ];
        pen.canvas.draw(&Polygon::new(paper, pen.theme.background().filled()))?;
        for side in [-gap, gap] {
            pen.path(&[corner(-half, slope + side), corner(half, side - slope)], color, pen.stroke(width))?;
        }
    }
    Ok(())
}
