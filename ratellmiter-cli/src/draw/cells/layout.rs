//! Layout of a plot in the cells of a terminal.

use ratatui::layout::Rect;

use crate::{
    draw::{
        cells::{Plot, text::cells},
        graph::{step, tick},
    },
    series::Axis,
};

/// Layout of a plot.
#[derive(Debug)]
pub(super) struct Frame {
    /// Offsets at the left and the right edge.
    span: [u64; 2],
    pub(super) area: Rect,
    pub(super) plot: Rect,
    /// `true` if there is a row for the titles of the axes.
    pub(super) titled: bool,
    /// `true` if there is a row for the caption of the time axis.
    pub(super) captioned: bool,
    /// Axes with curves, the left one first.
    pub(super) axes: Vec<Scaled>,
    /// Columns and rows of dots per cell.
    pub(super) dots: (u16, u16),
}

/// An axis, its scale and its column.
#[derive(Debug)]
pub(super) struct Scaled {
    pub(super) of: Axis,
    pub(super) scale: Scale,
    pub(super) x: u16,
}

/// The value at the upper edge, and the distance of the ticks.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scale {
    pub(super) top: f64,
    pub(super) step: f64,
}

impl Frame {
    /// Returns the layout of a plot; `None` if the area is too small.
    pub(super) fn of(plot: &Plot<'_>, area: Rect) -> Option<Self> {
        let &Plot { graph, timed, labels, .. } = plot;
        let captioned = area.height >= 11 && timed;
        let titled = area.height >= 8;
        let around = 1 + u16::from(timed) + u16::from(captioned) + u16::from(titled);
        let height = area.height.checked_sub(around).filter(|height| *height >= 2)?;
        let ticks = u32::from(height / 2).clamp(1, 7);
        let scale = |of: Axis| {
            let (largest, least_step) = (graph.largest(of)?, of.min_step());
            let (step, top) = (step(largest.max(least_step), ticks).max(least_step), largest.max(least_step));
            Some(Scaled { of, scale: Scale { top, step }, x: 0 })
        };
        let mut axes: Vec<_> = [Axis::Calls].into_iter().chain(Axis::RIGHT).filter_map(scale).collect();
        // The width of the labels, and a cell for the axis.
        let taken = |axis: &Scaled| {
            let labels = axis.scale.ticks().map(|(value, step)| tick(axis.of, value, step).len());
            labels.max().map_or(0, cells) + 1
        };
        let left = axes.first().map_or(1, taken).max(labels) + 1;
        let right = axes.iter().skip(1).map(taken).sum::<u16>().max(1);
        let width = area.width.checked_sub(left + right).filter(|width| *width >= 4)?;
        let rect = Rect { x: area.x + left, y: area.y + u16::from(titled), width, height };
        let mut x = rect.right();
        for (index, axis) in axes.iter_mut().enumerate() {
            (axis.x, x) = if index == 0 { (rect.x - 1, x) } else { (x, x + taken(axis)) };
        }
        let dots = if plot.paint.is_colored() { (2, 4) } else { (1, 1) };
        Some(Self { span: [plot.from, plot.to], area, plot: rect, titled, captioned, axes, dots })
    }

    pub(super) fn scale(&self, axis: Axis) -> Option<Scale> {
        self.axes.iter().find(|scaled| scaled.of == axis).map(|scaled| scaled.scale)
    }

    /// Returns the column of an offset, counted from the left edge of the plot.
    pub(super) fn column(&self, at: f64) -> f64 {
        let [from, to] = self.span.map(offset);
        let span = to - from;
        let dots = f64::from(self.plot.width * self.dots.0 - 1);
        let dot = if span > 0.0 { (at - from) / span * dots } else { 0.0 };
        (dot.round() / f64::from(self.dots.0)).floor()
    }

    /// Returns rows and values of the ticks, rounded like the canvas does.
    pub(super) fn ticks(&self, scale: Scale) -> impl Iterator<Item = (u16, f64)> {
        let dots = f64::from(self.plot.height * self.dots.1 - 1);
        scale.ticks().map(move |(value, _)| {
            let dot = ((1.0 - value / scale.top) * dots).round();
            (self.plot.y + floor(dot / f64::from(self.dots.1)).min(self.plot.height - 1), value)
        })
    }
}

impl Scale {
    pub(super) fn ticks(self) -> impl Iterator<Item = (f64, f64)> {
        let within = move |(tick, _): &(f64, f64)| *tick <= self.top * (1.0 + 1e-9);
        (0_u8..=20).map(move |tick| (f64::from(tick) * self.step, self.step)).take_while(within)
    }
}

#[allow(clippy::cast_precision_loss)] // Precise enough for a chart.
pub(super) fn offset(at: u64) -> f64 {
    at as f64
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // Within a terminal.
pub(super) fn floor(cell: f64) -> u16 {
    cell as u16
}
