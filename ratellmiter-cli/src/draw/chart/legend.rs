//! The legend, in rows between title and frame.

use std::error::Error;

use plotters::{
    backend::DrawingBackend,
    element::{PathElement, Rectangle},
    style::{
        Color as _, RGBColor, TextStyle,
        text_anchor::{HPos, Pos, VPos},
    },
};

use crate::draw::chart::pen::{DrawResult, Pen};

/// Height of a row of the legend.
pub(super) const LEGEND_ROW: i32 = 46;
/// Length of the stroke before a name in the legend.
const SAMPLE: i32 = 56;
/// Height of a shade before its name in the legend.
const SHADE: i32 = 26;
/// Gap between stroke and name.
const SAMPLE_GAP: i32 = 14;
/// Gap between two entries of the legend.
const ENTRY_GAP: i32 = 48;

/// An entry of a legend.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) name: String,
    pub(super) sample: Sample,
    pub(super) color: RGBColor,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sample {
    /// Stroke of a width.
    Stroke(u32),
    /// Stroke of a width, in dashes.
    Dashes(u32),
    Shade,
    /// Mark of an event.
    Mark(super::marks::Shape),
}

/// The entries that fit, in rows.
#[derive(Debug)]
pub(super) struct Legend {
    pub(super) rows: Vec<Row>,
    /// Number of entries that do not fit.
    left_out: usize,
}

#[derive(Debug, Default)]
pub(super) struct Row {
    /// Entries with their widths.
    entries: Vec<(Entry, i32)>,
    /// Total width.
    width: i32,
}

impl Legend {
    /// Arranges entries in rows, which are at most half as high as `height`.
    pub(super) fn of<B: DrawingBackend>(
        entries: Vec<Entry>,
        height: i32,
        pen: &Pen<'_, B>,
    ) -> Result<Self, Box<dyn Error>>
    where
        B::ErrorType: 'static,
    {
        let room = pen.width - pen.measure(60);
        let style = style(pen);
        let mut sized = Vec::with_capacity(entries.len());
        for entry in entries {
            let name = pen.shortened(&entry.name, room / 3, &style)?;
            let sample = if matches!(entry.sample, Sample::Mark(_)) { SHADE } else { SAMPLE };
            let width = pen.measure(sample + SAMPLE_GAP) + pen.width_of(&name, &style)?;
            sized.push((Entry { name, ..entry }, width));
        }
        let gap = pen.measure(ENTRY_GAP);
        let widths: Vec<_> = sized.iter().map(|(_, width)| *width).collect();
        let max_rows = usize::try_from(height / (2 * pen.measure(LEGEND_ROW)).max(1))?.saturating_add(1);
        let mut rows = wrapped(&widths, room, gap);
        let left_out = rows.iter().skip(max_rows).sum();
        if rows.len() > max_rows {
            rows.truncate(max_rows);
        } else {
            rows = balanced(&widths, room, gap, rows);
        }
        let mut sized = sized.into_iter();
        let row = |count: usize| {
            let entries: Vec<_> = sized.by_ref().take(count).collect();
            let gaps = gap * i32::try_from(count.saturating_sub(1)).unwrap_or(0);
            Row { width: entries.iter().map(|(_, width)| width).sum::<i32>() + gaps, entries }
        };
        Ok(Self { rows: rows.into_iter().map(row).collect(), left_out })
    }

    /// Returns the height of the rows after the first.
    pub(super) fn extra_height<B: DrawingBackend>(&self, pen: &Pen<'_, B>) -> i32
    where
        B::ErrorType: 'static,
    {
        i32::try_from(self.rows.len() - 1).unwrap_or(0) * pen.measure(LEGEND_ROW)
    }

    /// Draws the rows above `top`, centered at `center`, and the number of entries that were left out.
    pub(super) fn draw<B: DrawingBackend>(&self, center: i32, top: i32, pen: &Pen<'_, B>) -> DrawResult
    where
        B::ErrorType: 'static,
    {
        let style = style(pen);
        let margin = pen.measure(30);
        let mut y = top - pen.measure(34) - self.extra_height(pen);
        if self.left_out > 0 {
            let more = pen.text_style(22).pos(Pos::new(HPos::Right, VPos::Center));
            let at = (pen.width - pen.measure(20), y - pen.measure(34));
            pen.write(&format!("and {} more", self.left_out), at, &more)?;
        }
        for row in &self.rows {
            let mut x = (center - row.width / 2).min(pen.width - margin - row.width).max(margin);
            for (entry, width) in &row.entries {
                let sample = draw_sample(entry, (x, y), pen)?;
                pen.write(&entry.name, (x + sample + pen.measure(SAMPLE_GAP), y), &style)?;
                x += width + pen.measure(ENTRY_GAP);
            }
            y += pen.measure(LEGEND_ROW);
        }
        Ok(())
    }
}

/// Returns the number of entries in each row of a width of at most `room`; at least one row.
fn wrapped(widths: &[i32], room: i32, gap: i32) -> Vec<usize> {
    let mut rows = vec![0];
    let mut used = 0;
    for width in widths {
        match rows.last_mut() {
            Some(count) if *count == 0 || used + gap + width <= room => {
                used += width + if *count == 0 { 0 } else { gap };
                *count += 1;
            }
            _ => {
                rows.push(1);
                used = *width;
            }
        }
    }
    rows
}

/// Returns as many rows as `rows` of nearly equal widths.
fn balanced(widths: &[i32], room: i32, gap: i32, mut rows: Vec<usize>) -> Vec<usize> {
    let step = (room / 50).max(1);
    for room in (1..50).map(|steps| room - steps * step) {
        let narrower = wrapped(widths, room, gap);
        if narrower.len() > rows.len() {
            break;
        }
        rows = narrower;
    }
    rows
}

/// Draws the sample of an entry and returns its width.
fn draw_sample<B: DrawingBackend>(entry: &Entry, (x, y): (i32, i32), pen: &Pen<'_, B>) -> Result<i32, Box<dyn Error>>
where
    B::ErrorType: 'static,
{
    let sample = pen.measure(SAMPLE);
    match entry.sample {
        Sample::Stroke(width) => {
            let corners = vec![pen.scaled((x, y)), pen.scaled((x + sample, y))];
            let stroke = entry.color.stroke_width(pen.stroke(width + 1).unsigned_abs());
            pen.canvas.draw(&PathElement::new(corners, stroke))?;
        }
        Sample::Dashes(width) => {
            let ends = [pen.scaled((x, y)), pen.scaled((x + sample, y))];
            pen.dashes(&ends, entry.color, pen.stroke(width + 1))?;
        }
        Sample::Shade => {
            let half = pen.measure(SHADE / 2);
            let corners = [pen.scaled((x, y - half)), pen.scaled((x + sample, y + half))];
            pen.canvas.draw(&Rectangle::new(corners, entry.color.filled()))?;
        }
        Sample::Mark(shape) => {
            let half = pen.measure(SHADE / 2);
            shape.draw((x + half, y), half * 4 / 5, entry.color, pen)?;
            return Ok(2 * half);
        }
    }
    Ok(sample)
}

fn style<B: DrawingBackend>(pen: &Pen<'_, B>) -> TextStyle<'static>
where
    B::ErrorType: 'static,
{
    pen.text_style(28).pos(Pos::new(HPos::Left, VPos::Center))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_as_few_as_possible_and_nearly_equal() {
        let widths = [100; 10];
        assert_eq!(wrapped(&widths, 950, 10), [8, 2]);
        assert_eq!(balanced(&widths, 950, 10, vec![8, 2]), [5, 5]);
        assert_eq!(balanced(&widths, 2000, 10, vec![10]), [10]);
        assert_eq!(wrapped(&[500, 100], 300, 10), [1, 1], "a wide entry has a row of its own");
        assert_eq!((wrapped(&[], 300, 10), balanced(&[], 300, 10, vec![0])), (vec![0], vec![0]));
    }
}
