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
    spikes.sort_by_key(|(step, _)| step.from);
    let style = pen.text_style(28);
    let spike = |(step, trace): (Step, &Trace)| -> Result<Spike, Box<dyn std::error::Error>> {
        let is_cut = step.mean > panel.top;
        let edges = frame.columns(step.from, step.to);
        if is_cut {
            draw_break(edges, traces::color(trace, pen.theme), trace.width, frame, pen)?;
        }
        let up_to = if is_cut { "" } else { "up to " };
        let most = trace.most(&step);
        Ok(Spike { edges, most, text: format!("{up_to}{} {}", value_text(most), trace.name), is_cut })
    };
    let (cut, bands): (Vec<_>, Vec<_>) =
        spikes.into_iter().map(spike).collect::<Result<Vec<_>, _>>()?.into_iter().partition(|spike| spike.is_cut);
    let breaks: Vec<_> =
        cut.iter().map(|spike| (spike.edges.0 - pen.measure(12), spike.edges.1 + pen.measure(12))).collect();
    let room = Room { left: frame.left, right: frame.right, gap: pen.measure(18) };
    let (upper, lower) = (frame.top + pen.measure(20), frame.top + pen.measure(58));
    let mut taken = breaks.clone();
    for (text, place) in labels(&cut, &breaks, &room, |text| pen.width_of(text, &style))? {
        // Beside the breaks, or below them if there is no room.
        write_on_paper(&text, (place.start, if place.is_beside { upper } else { lower }), &style, pen)?;
        taken.push((place.start, place.end));
    }
    for Spike { edges, text, .. } in bands {
        let width = pen.width_of(&text, &style)?;
        let is_free =
            |(start, end): &(i32, i32)| taken.iter().all(|(from, to)| end + room.gap < *from || *start > to + room.gap);
        if let Some(place) = room.beside(edges, width).into_iter().find(is_free) {
            write_on_paper(&text, (place.0, upper), &style, pen)?;
            taken.push(place);
        }
    }
    Ok(())
}

/// A value above the upper edge.
struct Spike {
    edges: (i32, i32),
    most: f64,
    text: String,
    /// `true` if the line is cut off, `false` for a band alone.
    is_cut: bool,
}

/// Edges of the frame, and the distance of a label from its spike.
struct Room {
    left: i32,
    right: i32,
    gap: i32,
}

impl Room {
    /// Returns the places to the right and to the left of edges that are inside the frame.
    fn beside(&self, (start, end): (i32, i32), width: i32) -> Vec<(i32, i32)> {
        let places = [(end + self.gap, end + self.gap + width), (start - self.gap - width, start - self.gap)];
        places.into_iter().filter(|(from, to)| *from >= self.left && *to <= self.right).collect()
    }
}

/// Place of a label.
struct Place {
    start: i32,
    end: i32,
    /// `false` for the row below the breaks.
    is_beside: bool,
}

/// Successive spikes with one label: indices of the first and the last spike, and of the largest.
struct Group {
    first: usize,
    last: usize,
    largest: usize,
}

/// Returns labels of spikes, in the order of their starts, that overlap neither each other nor the breaks of spikes. Successive
/// spikes without room for a label each have one with the largest value and their number.
fn labels<Error>(
    spikes: &[Spike],
    breaks: &[(i32, i32)],
    room: &Room,
    width: impl Fn(&str) -> Result<i32, Error>,
) -> Result<Vec<(String, Place)>, Error> {
    let mut done: Vec<(Group, String, Place)> = Vec::new();
    let mut next = 0;
    while next < spikes.len() {
        let mut group = Group { first: next, last: next, largest: next };
        loop {
            let count = group.last - group.first + 1;
            let name = &spikes[group.largest].text;
            let text = if count > 1 { format!("{name} ×{count}") } else { name.clone() };
            let width = width(&text)?;
            let before =
                breaks[..group.first].iter().map(|(_, end)| *end).chain(done.iter().map(|(.., place)| place.end)).max();
            let after = breaks.get(group.last + 1).map(|(start, _)| *start);
            let end = spikes[group.first..=group.last].iter().map(|spike| spike.edges.1).max().unwrap_or(0);
            let edges = (spikes[group.first].edges.0, end);
            let is_free = |(from, to): &(i32, i32)| {
                before.is_none_or(|before| before + room.gap / 2 <= *from)
                    && after.is_none_or(|after| to + room.gap / 2 <= after)
            };
            let place = room.beside(edges, width).into_iter().find(is_free);
            if let Some((start, end)) = place {
                next = group.last + 1;
                done.push((group, text, Place { start, end, is_beside: true }));
                break;
            }
            let larger = |one: usize, other: usize| if spikes[other].most > spikes[one].most { other } else { one };
            if group.last + 1 < spikes.len() {
                group.last += 1;
                group.largest = larger(group.largest, group.last);
            } else if let Some((earlier, ..)) = done.pop() {
                group.first = earlier.first;
                group.largest = larger(earlier.largest, group.largest);
            } else {
                let start =
                    (spikes[group.largest].edges.1 + room.gap).min(room.right - room.gap - width).max(room.left);
                return Ok(vec![(text, Place { start, end: start + width, is_beside: false })]);
            }
        }
    }
    Ok(done.into_iter().map(|(_, text, place)| (text, place)).collect())
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

#[cfg(test)]
mod tests;
