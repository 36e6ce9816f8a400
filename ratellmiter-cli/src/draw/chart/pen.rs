//! Draws lines and text on a canvas, in the pixels of the picture.

use std::error::Error;

use plotters::{
    backend::DrawingBackend,
    coord::Shift,
    drawing::DrawingArea,
    element::{Circle, PathElement, Text},
    style::{
        Color as _, FontDesc, FontFamily, FontStyle, FontTransform, IntoFont as _, RGBColor, TextStyle,
        text_anchor::{HPos, Pos, VPos},
    },
};

use crate::draw::{
    chart::fonts::{self, EMBEDDED, Lookup, Run},
    theme::{Size, Theme},
};

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
    /// Finds fonts for letters that the embedded one lacks.
    lookup: Lookup,
}

impl<'a, B: DrawingBackend> Pen<'a, B>
where
    B::ErrorType: 'static,
{
    pub(super) fn new(canvas: &'a DrawingArea<B, Shift>, size: Size, theme: Theme, scale: u32, lookup: Lookup) -> Self {
        let by = |part: u32, whole: u32| f64::from(part) / f64::from(whole);
        let unit = by(size.width, Size::DEFAULT.width).min(by(size.height, Size::DEFAULT.height)).max(0.3);
        let (width, height) = (size.width.cast_signed(), size.height.cast_signed());
        Self { canvas, theme, width, height, unit, scale: scale.cast_signed(), lookup }
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
        if matches!(style.font.get_transform(), FontTransform::Rotate270) {
            return Ok(self.canvas.draw(&Text::new(text, (x + lift, y), style.clone()))?);
        }
        let y = y + lift;
        let runs = self.runs(text);
        if let [Run { family: EMBEDDED, text }] = &runs[..] {
            return Ok(self.canvas.draw(&Text::new(text.as_str(), (x, y), style.clone()))?);
        }
        let widths = runs.iter().map(|run| self.run_width(run, style)).collect::<Result<Vec<_>, _>>()?;
        let whole: i32 = widths.iter().sum();
        let mut x = match style.pos.h_pos {
            HPos::Left => x,
            HPos::Center => x - whole / 2,
            HPos::Right => x - whole,
        };
        for (run, width) in runs.iter().zip(widths) {
            let style = in_family(style, run.family).pos(Pos::new(HPos::Left, style.pos.v_pos));
            self.canvas.draw(&Text::new(run.text.as_str(), (x, y), style))?;
            x += width;
        }
        Ok(())
    }

    /// Divides a text by font. In SVG the viewer does so.
    fn runs(&self, text: &str) -> Vec<Run> {
        if self.is_vector() {
            return vec![Run { family: EMBEDDED, text: text.to_owned() }];
        }
        fonts::runs(text, self.lookup)
    }

    /// Returns the width of a run in pixels of the canvas. A letter that the viewer finds a font for is as wide as high.
    #[allow(clippy::cast_possible_truncation)] // A few thousand pixels.
    fn run_width(&self, run: &Run, style: &TextStyle<'_>) -> Result<i32, Box<dyn Error>> {
        let is_measured = |letter: &char| run.family != EMBEDDED || fonts::is_embedded(*letter);
        let measured: String = run.text.chars().filter(is_measured).collect();
        let others = run.text.chars().filter(|letter| !is_measured(letter)).count();
        let (width, _) = self.canvas.estimate_text_size(&measured, &in_family(style, run.family))?;
        Ok(i32::try_from(width)? + style.font.get_size().round() as i32 * i32::try_from(others)?)
    }

    pub(super) fn text_style(&self, size: i32) -> TextStyle<'static> {
        let size = (self.measure(size) * self.scale).max(8 * self.scale);
        (EMBEDDED, size).into_font().color(&self.theme.foreground()).pos(Pos::new(HPos::Center, VPos::Center))
    }

    pub(super) fn title_style(&self) -> TextStyle<'static> {
        let font = (EMBEDDED, self.measure(46) * self.scale, FontStyle::Bold).into_font();
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
        let runs = self.runs(text);
        let widths = runs.iter().map(|run| self.run_width(run, style)).collect::<Result<Vec<_>, _>>()?;
        Ok(widths.iter().sum::<i32>() / self.scale)
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

/// Returns a style in another family of fonts, and of the same size.
fn in_family<'a>(style: &TextStyle<'a>, family: &'static str) -> TextStyle<'a> {
    if family == EMBEDDED {
        return style.clone();
    }
    TextStyle {
        font: FontDesc::new(FontFamily::Name(family), style.font.get_size(), FontStyle::Normal),
        ..style.clone()
    }
}
