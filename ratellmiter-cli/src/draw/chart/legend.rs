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
        let count = entries.len();
        let mut rows = vec![Row::default()];
        for (index, entry) in entries.into_iter().enumerate() {
            let name = pen.shortened(&entry.name, room / 3, &style)?;
            let sample = if matches!(entry.sample, Sample::Mark(_)) { SHADE } else { SAMPLE };
            let width = pen.measure(sample + SAMPLE_GAP) + pen.width_of(&name, &style)?;
            let last = rows.last().map_or(0, |row| row.width);
            if last > 0 && last + pen.measure(ENTRY_GAP) + width > room {
                if 2 * i32::try_from(rows.len())? * pen.measure(LEGEND_ROW) >= height {
                    return Ok(Self { rows, left_out: count - index });
                }
                rows.push(Row::default());
            }
            if let Some(row) = rows.last_mut() {
                row.width += width + if row.entries.is_empty() { 0 } else { pen.measure(ENTRY_GAP) };
                row.entries.push((Entry { name, ..entry }, width));
            }
        }
        Ok(Self { rows, left_out: 0 })
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
