//! Draws a graph as pixels or SVG, with plotters.
//!
//! Pixels are drawn at twice their size and then averaged, which smooths lines and text. All measures are in pixels of a picture
//! of 2000 x 800 and scale with the picture.

mod layout;

use std::{error::Error, sync::OnceLock};

use plotters::{
    backend::{BitMapBackend, DrawingBackend, SVGBackend},
    coord::Shift,
    drawing::{DrawingArea, IntoDrawingArea as _},
    element::{Circle, PathElement, Rectangle, Text},
    style::{
        Color as _, FontStyle, FontTransform, IntoFont as _, RGBColor, TextStyle, register_font,
        text_anchor::{HPos, Pos, VPos},
    },
};

use crate::{
    draw::{
        chart::layout::{Frame, RIGHT_AXIS, RIGHT_TITLE, Scale},
        graph::{CLOSED, Curve, Graph, abbreviated, step, tick},
        png::Picture,
        theme::{Size, Theme},
    },
    series::Axis,
};

/// Factor by which pixels are drawn larger.
const SCALE: u32 = 2;

/// Height of a row of the legend.
const LEGEND_ROW: i32 = 46;
/// Length of the stroke before a name in the legend.
const SAMPLE: i32 = 56;
/// Height of a shade before its name in the legend.
const SHADE: i32 = 26;
/// Gap between stroke and name.
const SAMPLE_GAP: i32 = 14;
/// Gap between two entries of the legend.
const ENTRY_GAP: i32 = 48;
/// Fraction of its size by which plotters places text too high in pixels.
const TEXT_LIFT: f64 = 0.1;
/// Draws a graph as pixels.
pub(crate) fn pixels(graph: &Graph, size: Size, theme: Theme) -> Result<Picture, String> {
    fonts()?;
    let (width, height) = (size.width * SCALE, size.height * SCALE);
    let mut large = vec![0; 3 * width as usize * height as usize];
    let canvas = BitMapBackend::with_buffer(&mut large, (width, height)).into_drawing_area();
    Drawing::new(&canvas, graph, size, theme, SCALE).draw().map_err(|error| error.to_string())?;
    canvas.present().map_err(|error| error.to_string())?;
    drop(canvas);
    Ok(Picture { width: size.width, height: size.height, pixels: downscale(&large, width as usize) })
}

/// Draws a graph as SVG.
pub(crate) fn svg(graph: &Graph, size: Size, theme: Theme) -> Result<String, String> {
    fonts()?;
    let mut text = String::new();
    let canvas = SVGBackend::with_string(&mut text, (size.width, size.height)).into_drawing_area();
    Drawing::new(&canvas, graph, size, theme, 1).draw().map_err(|error| error.to_string())?;
    canvas.present().map_err(|error| error.to_string())?;
    drop(canvas);
    Ok(text)
}

/// Registers the embedded fonts. Fonts of the system are not used.
fn fonts() -> Result<(), String> {
    static REGISTERED: OnceLock<bool> = OnceLock::new();
    let registered = REGISTERED.get_or_init(|| {
        register_font("sans-serif", FontStyle::Normal, notosans::REGULAR_TTF).is_ok()
            && register_font("sans-serif", FontStyle::Bold, notosans::BOLD_TTF).is_ok()
    });
    if *registered { Ok(()) } else { Err("the embedded fonts cannot be loaded".into()) }
}

type DrawResult = Result<(), Box<dyn Error>>;

/// A row of the legend.
#[derive(Debug, Default)]
struct LegendRow<'a> {
    /// Curves with their names and widths. `None` is the shade of a closed limiter.
    entries: Vec<(Option<&'a Curve>, String, i32)>,
    /// Total width.
    width: i32,
}

struct Drawing<'a, B: DrawingBackend> {
    canvas: &'a DrawingArea<B, Shift>,
    graph: &'a Graph,
    frame: Frame,
    theme: Theme,
    width: i32,
    height: i32,
    /// Scale of the picture relative to 2000 x 800.
    unit: f64,
    /// Factor by which the canvas is larger than the picture.
    scale: i32,
}

impl<'a, B: DrawingBackend> Drawing<'a, B>
where
    B::ErrorType: 'static,
{
    fn new(canvas: &'a DrawingArea<B, Shift>, graph: &'a Graph, size: Size, theme: Theme, scale: u32) -> Self {
        let by = |part: u32, whole: u32| f64::from(part) / f64::from(whole);
        let unit = by(size.width, Size::DEFAULT.width).min(by(size.height, Size::DEFAULT.height)).max(0.3);
        let (width, height) = (size.width.cast_signed(), size.height.cast_signed());
        Self {
            canvas,
            graph,
            frame: Frame::of(graph, size, unit),
            theme,
            width,
            height,
            unit,
            scale: scale.cast_signed(),
        }
    }

    fn draw(mut self) -> DrawResult {
        let (legend, left_out) = self.legend()?;
        self.frame.top += i32::try_from(legend.len() - 1)? * self.measure(LEGEND_ROW);
        self.canvas.fill(&self.theme.background())?;
        self.shade(&self.graph.pauses, self.theme.pause())?;
        self.shade(&self.graph.closed, self.theme.closed())?;
        self.draw_grid()?;
        for curve in &self.graph.curves {
            self.draw_curve(curve)?;
        }
        self.draw_border()?;
        self.draw_legend(&legend, left_out)?;
        let title = self.shortened(&self.graph.title, self.width - self.measure(100), &self.title_style())?;
        self.write(&title, (self.width / 2, self.measure(44)), &self.title_style())?;
        let labels = self.text_style(34);
        let middle = i32::midpoint(self.frame.top, self.frame.bottom);
        self.write("Offset in seconds", (self.center(), self.height - self.measure(34)), &labels)?;
        let upright = labels.clone().transform(FontTransform::Rotate270);
        for (index, (axis, _)) in self.frame.axes.iter().enumerate() {
            let title = if *axis == Axis::Calls { self.graph.unit } else { axis.title() };
            let x = match index {
                0 => self.measure(34),
                _ => self.right_axis(index) + self.measure(RIGHT_AXIS - RIGHT_TITLE),
            };
            self.write(title, (x, middle), &upright)?;
        }
        Ok(())
    }

    #[allow(clippy::cast_precision_loss)]
    fn shade(&self, spans: &[(u64, u64)], color: RGBColor) -> DrawResult {
        for (from, to) in spans {
            // A span extends to the middle between its seconds and the neighboring ones, inside the frame.
            let left = self.frame.x(*from as f64 - 0.5).max(self.frame.left);
            let right = self.frame.x(*to as f64 + 0.5).min(self.frame.right).max(left + 1);
            let corners = [self.scaled((left, self.frame.top)), self.scaled((right, self.frame.bottom))];
            self.canvas.draw(&Rectangle::new(corners, color.filled()))?;
        }
        Ok(())
    }

    fn draw_grid(&self) -> DrawResult {
        let Frame { left, right, top, bottom, .. } = self.frame;
        let (grid, ink) = (self.theme.grid(), self.theme.foreground());
        let (tick_length, gap) = (self.measure(10), self.measure(18));
        for (index, (axis, scale)) in self.frame.axes.iter().enumerate() {
            // The left axis has grid lines; axes beyond the first on the right have a vertical line.
            let at = if index == 0 { left } else { self.right_axis(index) };
            if index > 1 {
                self.rule((at, top), (at, bottom), ink)?;
            }
            let (out, side) = if index == 0 { (-1, HPos::Right) } else { (1, HPos::Left) };
            let style = self.text_style(30).pos(Pos::new(side, VPos::Center));
            for height in scale.ticks() {
                let y = self.frame.y(*axis, height);
                if index == 0 {
                    self.rule((left, y), (right, y), grid)?;
                }
                self.rule((at, y), (at + out * tick_length, y), ink)?;
                self.write(&tick(*axis, height, scale.step), (at + out * gap, y), &style)?;
            }
        }
        #[allow(clippy::cast_precision_loss)]
        let offsets = Scale { top: self.frame.last as f64, step: step(self.frame.last.max(1) as f64, 12).max(1.0) };
        for offset in offsets.ticks() {
            let x = self.frame.x(offset);
            self.rule((x, top), (x, bottom), grid)?;
            self.rule((x, bottom), (x, bottom + tick_length), ink)?;
            self.write(&abbreviated(offset, offsets.step), (x, bottom + self.measure(34)), &self.text_style(30))?;
        }
        Ok(())
    }

    #[allow(clippy::cast_precision_loss)]
    fn draw_curve(&self, curve: &Curve) -> DrawResult {
        let color = self.curve_color(curve);
        let width = self.stroke(curve.width);
        let corner = |(offset, height): &(u64, f64)| {
            self.scaled((self.frame.x(*offset as f64), self.frame.y(curve.axis, *height)))
        };
        let corners: Vec<_> = curve.corners.iter().map(corner).collect();
        if let [only] = corners[..] {
            // A single second is drawn as a dot.
            self.canvas.draw(&Circle::new(only, self.stroke(2 * curve.width), color.filled()))?;
        }
        // Each segment is drawn separately with round joints, because plotters draws spikes at the sharp corners of a path.
        for ends in corners.windows(2) {
            self.canvas.draw(&PathElement::new(ends, color.stroke_width(width.unsigned_abs())))?;
            self.canvas.draw(&Circle::new(ends[1], width / 2, color.filled()))?;
        }
        Ok(())
    }

    fn draw_border(&self) -> DrawResult {
        let Frame { left, right, top, bottom, .. } = self.frame;
        let corners = [self.scaled((left, top)), self.scaled((right, bottom))];
        Ok(self
            .canvas
            .draw(&Rectangle::new(corners, self.theme.foreground().stroke_width(self.stroke(2).unsigned_abs())))?)
    }

    /// Returns the rows of the legend, which is drawn between title and frame, and the number of curves without an entry. A closed
    /// limiter is the first entry.
    fn legend(&self) -> Result<(Vec<LegendRow<'a>>, usize), Box<dyn Error>> {
        let room = self.width - self.measure(60);
        let style = self.legend_style();
        let mut rows: Vec<LegendRow<'a>> = vec![LegendRow::default()];
        let closed = (!self.graph.closed.is_empty()).then_some(None);
        let entries: Vec<_> = closed.into_iter().chain(self.graph.curves.iter().map(Some)).collect();
        for (index, entry) in entries.iter().enumerate() {
            let name = self.shortened(entry.map_or(CLOSED, |curve| &curve.name), room / 3, &style)?;
            let width = self.measure(SAMPLE + SAMPLE_GAP) + self.width_of(&name, &style)?;
            let last = rows.last().map_or(0, |row| row.width);
            if last > 0 && last + self.measure(ENTRY_GAP) + width > room {
                // The legend is at most half as high as the frame.
                let height = i32::try_from(rows.len())? * self.measure(LEGEND_ROW);
                if 2 * height >= self.frame.bottom - self.frame.top {
                    return Ok((rows, entries.len() - index));
                }
                rows.push(LegendRow::default());
            }
            if let Some(row) = rows.last_mut() {
                row.width += width + if row.entries.is_empty() { 0 } else { self.measure(ENTRY_GAP) };
                row.entries.push((*entry, name, width));
            }
        }
        Ok((rows, 0))
    }

    /// Draws the rows of the legend above the frame, and the number of curves without an entry.
    fn draw_legend(&self, rows: &[LegendRow<'a>], left_out: usize) -> DrawResult {
        let style = self.legend_style();
        let (sample, margin) = (self.measure(SAMPLE), self.measure(30));
        let mut y = self.frame.top - self.measure(34) - i32::try_from(rows.len() - 1)? * self.measure(LEGEND_ROW);
        if left_out > 0 {
            let more = self.text_style(22).pos(Pos::new(HPos::Right, VPos::Center));
            self.write(&format!("and {left_out} more"), (self.width - self.measure(20), y - self.measure(34)), &more)?;
        }
        for row in rows {
            let mut x = (self.center() - row.width / 2).min(self.width - margin - row.width).max(margin);
            for (entry, name, width) in &row.entries {
                if let Some(curve) = entry {
                    let corners = vec![self.scaled((x, y)), self.scaled((x + sample, y))];
                    let stroke = self.stroke(curve.width + 1).unsigned_abs();
                    self.canvas.draw(&PathElement::new(corners, self.curve_color(curve).stroke_width(stroke)))?;
                } else {
                    let half = self.measure(SHADE / 2);
                    let corners = [self.scaled((x, y - half)), self.scaled((x + sample, y + half))];
                    self.canvas.draw(&Rectangle::new(corners, self.theme.closed().filled()))?;
                }
                self.write(name, (x + self.measure(SAMPLE + SAMPLE_GAP), y), &style)?;
                x += width + self.measure(ENTRY_GAP);
            }
            y += self.measure(LEGEND_ROW);
        }
        Ok(())
    }

    fn legend_style(&self) -> TextStyle<'static> {
        self.text_style(28).pos(Pos::new(HPos::Left, VPos::Center))
    }

    fn curve_color(&self, curve: &Curve) -> RGBColor {
        let color = self.theme.color(curve.color);
        if curve.is_pale { self.theme.pale(color) } else { color }
    }

    fn rule(&self, from: (i32, i32), to: (i32, i32), color: RGBColor) -> DrawResult {
        let stroke = color.stroke_width(self.scale.unsigned_abs());
        Ok(self.canvas.draw(&PathElement::new(vec![self.scaled(from), self.scaled(to)], stroke))?)
    }

    #[allow(clippy::cast_possible_truncation)] // A few pixels.
    fn write(&self, text: &str, at: (i32, i32), style: &TextStyle<'_>) -> DrawResult {
        // plotters draws text in pixels slightly above its box.
        let lift = if self.scale == 1 { 0 } else { (style.font.get_size() * TEXT_LIFT).round() as i32 };
        let (x, y) = self.scaled(at);
        let at = match style.font.get_transform() {
            FontTransform::Rotate270 => (x + lift, y),
            _ => (x, y + lift),
        };
        Ok(self.canvas.draw(&Text::new(text, at, style.clone()))?)
    }

    fn text_style(&self, size: i32) -> TextStyle<'static> {
        let size = (self.measure(size) * self.scale).max(8 * self.scale);
        ("sans-serif", size).into_font().color(&self.theme.foreground()).pos(Pos::new(HPos::Center, VPos::Center))
    }

    fn title_style(&self) -> TextStyle<'static> {
        let font = ("sans-serif", self.measure(46) * self.scale, FontStyle::Bold).into_font();
        font.color(&self.theme.foreground()).pos(Pos::new(HPos::Center, VPos::Center))
    }

    /// Shortens a text to a width of `room`. The middle is removed, because names often differ at their ends.
    fn shortened(&self, text: &str, room: i32, style: &TextStyle<'_>) -> Result<String, Box<dyn Error>> {
        let letters: Vec<char> = text.chars().collect();
        let mut kept = letters.len().min(200);
        loop {
            let shorter = if kept == letters.len() {
                text.to_owned()
            } else {
                let (start, end) = (kept.div_ceil(2), letters.len() - kept / 2);
                letters[..start].iter().chain(&['…']).chain(&letters[end..]).collect()
            };
            if kept < 6 || self.width_of(&shorter, style)? < room {
                return Ok(shorter);
            }
            kept -= (kept / 10).max(1);
        }
    }

    fn width_of(&self, text: &str, style: &TextStyle<'_>) -> Result<i32, Box<dyn Error>> {
        let (width, _) = self.canvas.estimate_text_size(text, style)?;
        Ok(i32::try_from(width)? / self.scale)
    }

    /// Returns the position of an axis on the right. `index` is 1 for the innermost.
    fn right_axis(&self, index: usize) -> i32 {
        self.frame.right + i32::try_from(index - 1).unwrap_or(0) * self.measure(RIGHT_AXIS)
    }

    fn center(&self) -> i32 {
        i32::midpoint(self.frame.left, self.frame.right)
    }

    /// Converts pixels of a picture of 2000 x 800 to pixels of this one.
    #[allow(clippy::cast_possible_truncation)]
    fn measure(&self, pixels: i32) -> i32 {
        (f64::from(pixels) * self.unit).round() as i32
    }

    /// Converts a stroke width to pixels of the canvas, at least one pixel of the picture.
    #[allow(clippy::cast_possible_truncation)]
    fn stroke(&self, pixels: u32) -> i32 {
        ((f64::from(pixels) * self.unit * f64::from(self.scale)).round() as i32).max(self.scale)
    }

    fn scaled(&self, (x, y): (i32, i32)) -> (i32, i32) {
        (x * self.scale, y * self.scale)
    }
}

/// Averages squares of 2 x 2 pixels. `width` is the width of `large` in pixels.
///
/// Written without iterator adapters over arrays, since it dominates the time of a picture in a build without optimization.
fn downscale(large: &[u8], width: usize) -> Vec<u8> {
    let row = 3 * width;
    let mut small = Vec::with_capacity(large.len() / (SCALE * SCALE) as usize);
    for rows in large.chunks_exact(row * SCALE as usize) {
        let (upper, lower) = rows.split_at(row);
        for (upper, lower) in upper.chunks_exact(6).zip(lower.chunks_exact(6)) {
            for channel in 0..3 {
                let of_row = |row: &[u8]| u16::from(row[channel]) + u16::from(row[channel + 3]);
                let [mean, _] = ((of_row(upper) + of_row(lower) + 2) / 4).to_le_bytes();
                small.push(mean);
            }
        }
    }
    small
}

#[cfg(test)]
mod tests;
