//! Draws a graph in the cells of a terminal: legend, axes and curves.
//!
//! With colors the curves are lines of Braille dots, eight per cell. Without colors each curve is written in its letter.

mod layout;
mod stack;
mod text;

use ratatui::{
    buffer::Buffer,
    layout::Rect,
    style::{Color as Ink, Style},
    symbols::Marker,
    widgets::{
        Widget as _,
        canvas::{Canvas, Context, Line},
    },
};

pub(crate) use stack::Stack;
pub(crate) use text::{bold, cells, fit, width};

use crate::{
    draw::{
        cells::{
            layout::{Frame, floor, offset},
            text::width_of_more,
        },
        graph::{CLOSED, Curve, Graph, tick},
        time_axis,
    },
    series::{Axis, Color},
};

/// The colors of a terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Paint {
    pub(crate) depth: Depth,
    /// `true` if the background is light.
    pub(crate) light: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Depth {
    None,
    /// 256 colors.
    Indexed,
    /// 24 bits per color.
    True,
}

/// Color of axes and other secondary elements.
const FAINT: Color = Color { light: (140, 140, 148), dark: (128, 130, 140) };
const GRID: Color = Color { light: (214, 214, 218), dark: (58, 60, 70) };
const PAUSE: Color = Color { light: (253, 226, 226), dark: (74, 30, 38) };
/// Background of a closed limiter.
const CLOSED_SHADE: Color = Color { light: (254, 236, 178), dark: (84, 70, 18) };
pub(crate) const ALARM: Color = Color { light: (190, 20, 20), dark: (255, 110, 110) };

impl Paint {
    pub(crate) const fn is_colored(self) -> bool {
        !matches!(self.depth, Depth::None)
    }

    pub(crate) fn ink(self, color: Color) -> Ink {
        let (red, green, blue) = if self.light { color.light } else { color.dark };
        match self.depth {
            Depth::None => Ink::Reset,
            Depth::Indexed => Ink::Indexed(indexed([red, green, blue])),
            Depth::True => Ink::Rgb(red, green, blue),
        }
    }

    /// Returns the style of secondary elements.
    pub(crate) fn faint(self) -> Style {
        if self.is_colored() { Style::new().fg(self.ink(FAINT)) } else { Style::new() }
    }

    fn curve(self, curve: &Curve) -> Ink {
        let pale = |channels: (u8, u8, u8), paper: u16| {
            let mix = |channel: u8| u8::try_from((u16::from(channel) * 2 + paper * 3) / 5).unwrap_or(channel);
            (mix(channels.0), mix(channels.1), mix(channels.2))
        };
        let Color { light, dark } = curve.color;
        self.ink(if curve.is_pale { Color { light: pale(light, 255), dark: pale(dark, 40) } } else { curve.color })
    }
}

/// Returns the index of the nearest of the 6 x 6 x 6 colors and 24 grays of a terminal with 256 colors.
fn indexed(color: [u8; 3]) -> u8 {
    let level = |step: u8| if step == 0 { 0 } else { 55 + 40 * step };
    let nearest = |channel: u8| (0..6).min_by_key(|step| level(*step).abs_diff(channel)).unwrap_or(0);
    let distance = |other: [u8; 3]| -> u32 {
        color.iter().zip(other).map(|(one, other)| u32::from(one.abs_diff(other)).pow(2)).sum()
    };
    let steps = color.map(nearest);
    let cube = (16 + 36 * steps[0] + 6 * steps[1] + steps[2], distance(steps.map(level)));
    let grays = (0..24).map(|gray| (232 + gray, distance([8 + 10 * gray; 3])));
    grays.chain([cube]).min_by_key(|(_, distance)| *distance).map_or(7, |(index, _)| index)
}

/// A section of a graph.
#[derive(Debug)]
pub(crate) struct Plot<'a> {
    pub(crate) graph: &'a Graph,
    /// Offset at the left edge.
    pub(crate) from: u64,
    /// Offset at the right edge.
    pub(crate) to: u64,
    pub(crate) paint: Paint,
    /// Smallest width of the labels on the left, so that plots below each other are aligned.
    pub(crate) labels: u16,
    /// `true` if the time axis has labels.
    pub(crate) timed: bool,
}

/// Largest number of rows of a legend.
const MAX_LEGEND_ROWS: usize = 3;

impl Plot<'_> {
    /// Draws the legend, the curves, the pauses, the spans of a closed limiter and the axes.
    pub(crate) fn draw(&self, area: Rect, buffer: &mut Buffer) {
        let legend = self.draw_legend(area, buffer);
        let rest = Rect { y: area.y + legend, height: area.height.saturating_sub(legend), ..area };
        let Some(frame) = Frame::of(self, rest) else { return };
        self.draw_curves(&frame, buffer);
        self.shade(&frame, &self.graph.pauses, (PAUSE, "░"), buffer);
        self.shade(&frame, &self.graph.closed, (CLOSED_SHADE, "▒"), buffer);
        self.draw_axes(&frame, buffer);
        self.draw_offsets(&frame, buffer);
    }

    /// Draws the legend and returns the number of rows used.
    fn draw_legend(&self, area: Rect, buffer: &mut Buffer) -> u16 {
        let sample = |curve: &Curve| {
            if self.paint.is_colored() { "━━━".into() } else { curve.letter.to_string().repeat(3) }
        };
        let room = usize::from(area.width);
        let entry = |curve: &Curve| {
            let name = fit(&curve.name, room.saturating_sub(4).min(40));
            vec![(sample(curve), Style::new().fg(self.paint.curve(curve))), (format!(" {name}"), Style::new())]
        };
        let closed = || {
            let (sample, style) = if self.paint.is_colored() {
                ("   ", Style::new().bg(self.paint.ink(CLOSED_SHADE)))
            } else {
                ("▒▒▒", Style::new())
            };
            vec![(sample.into(), style), (format!(" {CLOSED}"), Style::new())]
        };
        // A closed limiter is the first entry, since those at the end may be left out.
        let entries =
            (!self.graph.closed.is_empty()).then(closed).into_iter().chain(self.graph.curves.iter().map(entry));
        let entries: Vec<_> = entries.collect();
        let count = entries.len();
        let mut rows = vec![Vec::new()];
        let mut used = 0;
        for (index, entry) in entries.into_iter().enumerate() {
            let width: usize = entry.iter().map(|(text, _)| width(text)).sum();
            let gap = if used == 0 { 0 } else { 3 };
            // The last row keeps room for the number of entries that do not fit.
            let left = count - index - 1;
            let spared = if rows.len() == MAX_LEGEND_ROWS && left > 0 { width_of_more(left + 1) } else { 0 };
            if used + gap + width + spared <= room || (used == 0 && spared == 0) {
                let row = rows.last_mut().expect("there is a first row");
                row.push((" ".repeat(gap), Style::new()));
                row.extend(entry);
                used += gap + width;
            } else if rows.len() < MAX_LEGEND_ROWS {
                rows.push(entry);
                used = width;
            } else {
                let row = rows.last_mut().expect("there is a first row");
                row.push((format!("   and {} more", left + 1), self.paint.faint()));
                break;
            }
        }
        let max_rows = area.height.saturating_sub(8).max(1);
        let mut y = area.y;
        for row in rows.into_iter().take(max_rows.into()) {
            if y >= area.bottom() {
                break;
            }
            let used: usize = row.iter().map(|(text, _)| width(text)).sum();
            let mut x = area.x + cells(room.saturating_sub(used) / 2);
            for (text, style) in row {
                if x < area.right() {
                    (x, _) = buffer.set_stringn(x, y, text, usize::from(area.right() - x), style);
                }
            }
            y += 1;
        }
        y - area.y
    }

    fn draw_curves(&self, frame: &Frame, buffer: &mut Buffer) {
        let top = |axis| frame.scale(axis).map_or(1.0, |scale| scale.top);
        let span = [self.from, self.to].map(offset);
        let stroke = |context: &mut Context<'_>, curve: &Curve, ink: Ink, zeros: bool| {
            let top = top(curve.axis);
            // A single second is drawn as wide as a cell.
            let only = match curve.corners[..] {
                [(at, height)] => {
                    let half = (span[1] - span[0]) / f64::from(frame.plot.width) / 4.0;
                    Some([(offset(at) - half, height), (offset(at) + half, height)])
                }
                _ => None,
            };
            let ends = curve.corners.windows(2).map(|ends| [0, 1].map(|end| (offset(ends[end].0), ends[end].1)));
            let ends = ends.filter(|[from, to]| !from.1.is_nan() && !to.1.is_nan());
            for [(x1, y1), (x2, y2)] in ends.chain(only).filter(|ends| (ends[0].1.max(ends[1].1) <= 0.0) == zeros) {
                context.draw(&Line::new(x1, y1 / top, x2, y2 / top, ink));
            }
        };
        let canvas = Canvas::default().x_bounds(span).y_bounds([0.0, 1.0]).marker(Marker::Braille);
        let faint = self.paint.ink(FAINT);
        canvas
            .paint(|context| {
                // A cell has one color: curves at zero are drawn first, so that they do not hide others.
                if self.paint.is_colored() {
                    self.graph.curves.iter().for_each(|curve| stroke(context, curve, faint, true));
                    context.layer();
                }
                for curve in &self.graph.curves {
                    if !self.paint.is_colored() {
                        context.marker(Marker::Custom(curve.letter));
                    }
                    stroke(context, curve, self.paint.curve(curve), false);
                }
            })
            .render(frame.plot, buffer);
        // The grid fills empty cells only.
        if self.paint.is_colored() {
            let grid = Style::new().fg(self.paint.ink(GRID));
            let Some(axis) = frame.axes.first() else { return };
            for (row, _) in frame.ticks(axis.scale) {
                for x in frame.plot.left()..frame.plot.right() {
                    let cell = &mut buffer[(x, row)];
                    if cell.symbol() == " " {
                        cell.set_symbol("┈").set_style(grid);
                    }
                }
            }
        }
    }

    /// Shades spans with a color or, without colors, empty cells with a symbol.
    fn shade(&self, frame: &Frame, spans: &[(u64, u64)], (color, symbol): (Color, &str), buffer: &mut Buffer) {
        let Rect { x, width, .. } = frame.plot;
        for (from, to) in spans {
            if *to < self.from || *from > self.to {
                continue;
            }
            // A span extends to the middle between its seconds and the neighboring ones.
            let left = frame.column(offset(*from) - 0.5).clamp(0.0, f64::from(width - 1));
            let right = frame.column(offset(*to) + 0.5).clamp(left, f64::from(width - 1));
            for x in x + floor(left)..=x + floor(right) {
                for y in frame.plot.top()..frame.plot.bottom() {
                    let cell = &mut buffer[(x, y)];
                    if self.paint.is_colored() {
                        cell.bg = self.paint.ink(color);
                    } else if cell.symbol() == " " {
                        cell.set_symbol(symbol);
                    }
                }
            }
        }
    }

    fn draw_axes(&self, frame: &Frame, buffer: &mut Buffer) {
        let plot = frame.plot;
        let faint = self.paint.faint();
        let left = plot.x - 1;
        for y in plot.top()..plot.bottom() {
            buffer.set_stringn(left, y, "│", 1, faint);
            for axis in &frame.axes {
                buffer.set_stringn(axis.x, y, "│", 1, faint);
            }
        }
        let end = if frame.axes.len() > 1 { "┘" } else { "" };
        let line = format!("└{}{end}", "─".repeat(plot.width.into()));
        buffer.set_stringn(left, plot.bottom(), line, usize::from(plot.width) + 2, faint);
        for axis in frame.axes.iter().skip(2) {
            buffer.set_stringn(axis.x, plot.bottom(), "╵", 1, faint);
        }
        // The axes on the right are drawn from the outermost inwards, without overlapping titles.
        let mut free = frame.area.right();
        for axis in frame.axes.iter().rev() {
            let is_left = axis.x == left;
            let title = if axis.of == Axis::Calls { &self.graph.unit } else { axis.of.title() };
            let length = cells(title.len());
            if frame.titled && is_left {
                buffer.set_stringn(frame.area.x, frame.area.y, title, usize::from(free - frame.area.x), faint);
            } else if frame.titled && frame.area.width > 40 {
                let start = (free - length).min(axis.x);
                buffer.set_stringn(start, frame.area.y, title, title.len(), faint);
                free = start - 1;
            }
            for (y, value) in frame.ticks(axis.scale) {
                let label = tick(axis.of, value, axis.scale.step);
                let length = cells(width(&label));
                let start = if is_left { left - length.min(left - frame.area.x) } else { axis.x + 1 };
                let room = usize::from(if is_left { left } else { frame.area.right() } - start);
                buffer.set_stringn(start, y, label, room, Style::new());
                buffer.set_stringn(axis.x, y, if is_left { "┤" } else { "├" }, 1, faint);
            }
        }
    }

    fn draw_offsets(&self, frame: &Frame, buffer: &mut Buffer) {
        let plot = frame.plot;
        let longest = cells(time_axis::label(self.to, self.to).len());
        let max_steps = u32::from(plot.width / (longest + 5)).clamp(1, 12);
        let mut free = frame.area.x;
        for at in time_axis::ticks(self.from, self.to, max_steps) {
            let x = plot.x + floor(frame.column(offset(at)));
            buffer.set_stringn(x, plot.bottom(), "┬", 1, self.paint.faint());
            if !self.timed {
                continue;
            }
            let label = time_axis::label(at, self.to);
            let length = cells(width(&label));
            let start = (x.saturating_sub((length - 1) / 2)).min(frame.area.right().saturating_sub(length));
            if start >= free {
                buffer.set_stringn(start, plot.bottom() + 1, label, length.into(), Style::new());
                free = start + length + 1;
            }
        }
        if frame.captioned {
            let caption = &self.graph.caption;
            let x = plot.x + plot.width.saturating_sub(cells(caption.len())) / 2;
            let room = usize::from(frame.area.right().saturating_sub(x));
            buffer.set_stringn(x, plot.bottom() + 2, fit(caption, room), room, self.paint.faint());
        }
    }
}

#[cfg(test)]
mod tests;
