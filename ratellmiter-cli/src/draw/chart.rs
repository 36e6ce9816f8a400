//! Draws a chart as pixels or SVG, with plotters.
//!
//! Pixels are drawn at twice their size and then averaged, which smooths lines and text. All measures are in pixels of a picture
//! of 2000 x 800 and scale with the picture.

pub(crate) mod fonts;
mod layout;
mod legend;
mod marks;
mod panels;
mod pen;

use plotters::{
    backend::{BitMapBackend, DrawingBackend, SVGBackend},
    drawing::IntoDrawingArea as _,
    element::{Circle, Rectangle},
    style::{Color as _, FontTransform, RGBColor},
};

use crate::draw::{
    chart::{
        fonts::Lookup,
        layout::Frame,
        legend::{Entry, Legend, Sample},
        pen::{DrawResult, Pen},
    },
    course::Course,
    graph::{CLOSED, Curve, Graph},
    png::Picture,
    theme::{Size, Theme},
};

/// Factor by which pixels are drawn larger.
const SCALE: u32 = 2;

/// A chart in one of its layouts.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Chart<'a> {
    /// All lines on one axis of calls.
    Single(&'a Graph),
    /// Panels on one time axis.
    Panels(&'a Course),
}

impl<'a> From<&'a Graph> for Chart<'a> {
    fn from(graph: &'a Graph) -> Self {
        Self::Single(graph)
    }
}

impl<'a> From<&'a Course> for Chart<'a> {
    fn from(course: &'a Course) -> Self {
        Self::Panels(course)
    }
}

/// Draws a chart as pixels. `lookup` finds fonts for letters that the embedded one lacks.
pub(crate) fn pixels<'a>(
    chart: impl Into<Chart<'a>>,
    size: Size,
    theme: Theme,
    lookup: Lookup,
) -> Result<Picture, String> {
    fonts::register()?;
    let (width, height) = (size.width * SCALE, size.height * SCALE);
    let mut large = vec![0; 3 * width as usize * height as usize];
    let canvas = BitMapBackend::with_buffer(&mut large, (width, height)).into_drawing_area();
    draw(chart.into(), &Pen::new(&canvas, size, theme, SCALE, lookup), size).map_err(|error| error.to_string())?;
    canvas.present().map_err(|error| error.to_string())?;
    drop(canvas);
    Ok(Picture { width: size.width, height: size.height, pixels: downscale(&large, width as usize) })
}

/// Draws a chart as SVG.
pub(crate) fn svg<'a>(chart: impl Into<Chart<'a>>, size: Size, theme: Theme) -> Result<String, String> {
    fonts::register()?;
    let mut text = String::new();
    let canvas = SVGBackend::with_string(&mut text, (size.width, size.height)).into_drawing_area();
    // The viewer finds fonts by itself.
    draw(chart.into(), &Pen::new(&canvas, size, theme, 1, fonts::none), size).map_err(|error| error.to_string())?;
    canvas.present().map_err(|error| error.to_string())?;
    drop(canvas);
    // In names, quotes are escaped.
    let family = |families: &str| format!(" font-family=\"{families}\"");
    let text = text.replace(&family(fonts::EMBEDDED), &family(fonts::FAMILIES));
    // Inherited by all paths; plotters has no setting for it.
    Ok(text.replacen("<svg ", "<svg stroke-linejoin=\"round\" ", 1))
}

fn draw<B>(chart: Chart<'_>, pen: &Pen<'_, B>, size: Size) -> DrawResult
where
    B: DrawingBackend,
    B::ErrorType: 'static,
{
    match chart {
        Chart::Single(graph) => Drawing { graph, frame: Frame::of(graph, size, pen.unit), pen }.draw(),
        Chart::Panels(course) => panels::draw(course, pen),
    }
}

struct Drawing<'a, B: DrawingBackend> {
    pen: &'a Pen<'a, B>,
    graph: &'a Graph,
    frame: Frame,
}

impl<B: DrawingBackend> Drawing<'_, B>
where
    B::ErrorType: 'static,
{
    fn draw(mut self) -> DrawResult {
        let pen = self.pen;
        let legend = self.legend()?;
        self.frame.top += legend.extra_height(pen);
        let frame = &self.frame;
        pen.canvas.fill(&pen.theme.background())?;
        self.shade(&self.graph.pauses, pen.theme.pause())?;
        self.shade(&self.graph.closed, pen.theme.closed())?;
        frame.draw_values(pen)?;
        frame.draw_times(pen)?;
        frame.draw_time_labels(0, pen)?;
        for curve in &self.graph.curves {
            self.draw_curve(curve)?;
        }
        frame.draw_border(pen)?;
        legend.draw(frame.center(), frame.top, pen)?;
        let title = pen.shortened(&self.graph.title, pen.width - pen.measure(100), &pen.title_style())?;
        pen.write(&title, (pen.width / 2, pen.measure(44)), &pen.title_style())?;
        let labels = pen.text_style(34);
        pen.write(&self.graph.caption, (frame.center(), pen.height - pen.measure(34)), &labels)?;
        let upright = labels.transform(FontTransform::Rotate270);
        frame.draw_titles(&self.graph.unit, &upright, pen)
    }

    #[allow(clippy::cast_precision_loss)]
    fn shade(&self, spans: &[(u64, u64)], color: RGBColor) -> DrawResult {
        for (from, to) in spans {
            let (left, right) = self.frame.columns(*from, *to);
            let corners = [self.pen.scaled((left, self.frame.top)), self.pen.scaled((right, self.frame.bottom))];
            self.pen.canvas.draw(&Rectangle::new(corners, color.filled()))?;
        }
        Ok(())
    }

    #[allow(clippy::cast_precision_loss)]
    fn draw_curve(&self, curve: &Curve) -> DrawResult {
        let pen = self.pen;
        let color = self.curve_color(curve);
        let corner = |(offset, height): &(u64, f64)| {
            pen.scaled((self.frame.x(*offset as f64), self.frame.y(curve.axis, *height)))
        };
        let corners: Vec<_> = curve.corners.iter().map(corner).collect();
        if let [only] = corners[..] {
            // A single second is drawn as a dot.
            pen.canvas.draw(&Circle::new(only, pen.stroke(2 * curve.width), color.filled()))?;
        }
        pen.path(&corners, color, pen.stroke(curve.width))
    }

    /// Returns the legend. A closed limiter is the first entry.
    fn legend(&self) -> Result<Legend, Box<dyn std::error::Error>> {
        let theme = self.pen.theme;
        let closed = (!self.graph.closed.is_empty()).then(|| Entry {
            name: CLOSED.into(),
            sample: Sample::Shade,
            color: theme.closed(),
        });
        let curves = self.graph.curves.iter().map(|curve| Entry {
            name: curve.name.clone(),
            sample: Sample::Stroke(curve.width),
            color: self.curve_color(curve),
        });
        Legend::of(closed.into_iter().chain(curves).collect(), self.frame.bottom - self.frame.top, self.pen)
    }

    fn curve_color(&self, curve: &Curve) -> RGBColor {
        let color = self.pen.theme.color(curve.color);
        if curve.is_pale { self.pen.theme.pale(color) } else { color }
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
