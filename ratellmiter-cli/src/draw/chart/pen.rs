//! Draws lines and text on a canvas, in the pixels of the picture.

use std::error::Error;

use plotters::{
    backend::DrawingBackend,
    coord::Shift,
    drawing::DrawingArea,
    element::{Circle, PathElement, Text},
    style::{
        Color as _, FontStyle, FontTransform, IntoFont as _, RGBColor, TextStyle,
        text_anchor::{HPos, Pos, VPos},
    },
};

use crate::draw::theme::{Size, Theme};

pub(super) type DrawResult = Result<(), Box<dyn Error>>;

/// Fraction of its size by which plotters places text too high in pixels.
const TEXT_LIFT: f64 = 0.1;

pub(super) struct Pen<'a, B: DrawingBackend> {
    pub(super) canvas: &'a DrawingArea<B, Shift>,
    pub(super) theme: Theme,
    pub(super) width: i32,
    pub(super) height: i32,
    /// Scale of the picture relative to 2000 x 800.
    pub(super) unit: f64,
    /// Factor by which the canvas is larger than the picture.
    pub(super) scale: i32,
}

impl<'a, B: DrawingBackend> Pen<'a, B>
where
    B::ErrorType: 'static,
{
    pub(super) fn new(canvas: &'a DrawingArea<B, Shift>, size: Size, theme: Theme, scale: u32) -> Self {
        let by = |part: u32, whole: u32| f64::from(part) / f64::from(whole);
        let unit = by(size.width, Size::DEFAULT.width).min(by(size.height, Size::DEFAULT.height)).max(0.3);
        let (width, height) = (size.width.cast_signed(), size.height.cast_signed());
        Self { canvas, theme, width, height, unit, scale: scale.cast_signed() }
    }

    /// Returns `true` for SVG, in which paths have round joins.
    pub(super) fn is_vector(&self) -> bool {
        self.scale == 1
    }

    pub(super) fn rule(&self, from: (i32, i32), to: (i32, i32), color: RGBColor) -> DrawResult {
        let stroke = color.stroke_width(self.scale.unsigned_abs());
        Ok(self.canvas.draw(&PathElement::new(vec![self.scaled(from), self.scaled(to)], stroke))?)
    }

    #[allow(clippy::cast_possible_truncation)] // A few pixels.
    pub(super) fn write(&self, text: &str, at: (i32, i32), style: &TextStyle<'_>) -> DrawResult {
        // plotters draws text in pixels slightly above its box.
        let lift = if self.scale == 1 { 0 } else { (style.font.get_size() * TEXT_LIFT).round() as i32 };
        let (x, y) = self.scaled(at);
        let at = match style.font.get_transform() {
            FontTransform::Rotate270 => (x + lift, y),
            _ => (x, y + lift),
        };
        Ok(self.canvas.draw(&Text::new(text, at, style.clone()))?)
    }

    pub(super) fn text_style(&self, size: i32) -> TextStyle<'static> {
        let size = (self.measure(size) * self.scale).max(8 * self.scale);
        ("sans-serif", size).into_font().color(&self.theme.foreground()).pos(Pos::new(HPos::Center, VPos::Center))
    }

    pub(super) fn title_style(&self) -> TextStyle<'static> {
        let font = ("sans-serif", self.measure(46) * self.scale, FontStyle::Bold).into_font();
        font.color(&self.theme.foreground()).pos(Pos::new(HPos::Center, VPos::Center))
    }

    /// Shortens a text to a width of `room`. The middle is removed, because names often differ at their ends.
    pub(super) fn shortened(&self, text: &str, room: i32, style: &TextStyle<'_>) -> Result<String, Box<dyn Error>> {
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

    pub(super) fn width_of(&self, text: &str, style: &TextStyle<'_>) -> Result<i32, Box<dyn Error>> {
        let (width, _) = self.canvas.estimate_text_size(text, style)?;
        Ok(i32::try_from(width)? / self.scale)
    }

    /// Converts pixels of a picture of 2000 x 800 to pixels of this one.
    #[allow(clippy::cast_possible_truncation)]
    pub(super) fn measure(&self, pixels: i32) -> i32 {
        (f64::from(pixels) * self.unit).round() as i32
    }

    /// Converts a stroke width to pixels of the canvas, at least one pixel of the picture.
    #[allow(clippy::cast_possible_truncation)]
    pub(super) fn stroke(&self, pixels: u32) -> i32 {
        ((f64::from(pixels) * self.unit * f64::from(self.scale)).round() as i32).max(self.scale)
    }

    pub(super) fn scaled(&self, (x, y): (i32, i32)) -> (i32, i32) {
        (x * self.scale, y * self.scale)
    }

    /// Draws a path with round joins.
    pub(super) fn path(&self, corners: &[(i32, i32)], color: RGBColor, width: i32) -> DrawResult {
        let stroke = color.stroke_width(width.unsigned_abs());
        if self.is_vector() {
            if corners.len() > 1 {
                self.canvas.draw(&PathElement::new(corners, stroke))?;
            }
            return Ok(());
        }
        // Each segment is drawn separately with round joints, because plotters draws spikes at the sharp corners of a path.
        for ends in corners.windows(2) {
            self.canvas.draw(&PathElement::new(ends, stroke))?;
            self.canvas.draw(&Circle::new(ends[1], width / 2, color.filled()))?;
        }
        Ok(())
    }

    /// Draws a path in dashes.
    #[allow(clippy::cast_possible_truncation)] // Pixels of a picture.
    pub(super) fn dashes(&self, corners: &[(i32, i32)], color: RGBColor, width: i32) -> DrawResult {
        let length = f64::from(self.stroke(12).max(3 * width));
        let gap = f64::from(self.stroke(7).max(width * 2));
        let mut dash: Vec<(i32, i32)> = Vec::new();
        // Length left of the current dash or gap.
        let (mut is_drawn, mut left) = (true, length);
        dash.extend(corners.first());
        for ends in corners.windows(2) {
            let [from, to] = [ends[0], ends[1]].map(|(x, y)| (f64::from(x), f64::from(y)));
            let whole = (to.0 - from.0).hypot(to.1 - from.1);
            let mut passed = 0.0;
            while whole - passed > left {
                passed += left;
                let part = passed / whole;
                let at = (from.0 + (to.0 - from.0) * part, from.1 + (to.1 - from.1) * part);
                let at = (at.0.round() as i32, at.1.round() as i32);
                dash.push(at);
                if is_drawn {
                    self.path(&dash, color, width)?;
                }
                dash.clear();
                dash.push(at);
                is_drawn = !is_drawn;
                left = if is_drawn { length } else { gap };
            }
            left -= whole - passed;
            dash.push(ends[1]);
        }
        if is_drawn { self.path(&dash, color, width) } else { Ok(()) }
    }
}
