//! Layout of a picture. All measures are in pixels of a picture of 2000 x 800.

use crate::{
    draw::{
        graph::{Graph, step},
        theme::Size,
    },
    series::Axis,
};

const LEFT: i32 = 150;
const RIGHT: i32 = 40;
/// Width of an axis on the right.
pub(super) const RIGHT_AXIS: i32 = 130;
/// Distance of the middle of its title from its outer edge.
pub(super) const RIGHT_TITLE: i32 = 28;
const TOP: i32 = 140;
const BOTTOM: i32 = 120;
/// Distance of the first and last second from the frame.
const INSET: i32 = 24;

/// Layout of a picture, in its pixels.
#[derive(Debug)]
pub(super) struct Frame {
    pub(super) left: i32,
    pub(super) right: i32,
    pub(super) top: i32,
    pub(super) bottom: i32,
    pub(super) inset: i32,
    pub(super) last: u64,
    /// Axes with curves, the left one first.
    pub(super) axes: Vec<(Axis, Scale)>,
}

/// The value at the upper edge, and the distance of the ticks.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scale {
    pub(super) top: f64,
    pub(super) step: f64,
}

impl Scale {
    pub(super) fn of(largest: f64, ticks: u32, least_step: f64) -> Self {
        let largest = largest.max(least_step);
        // Some space above the largest value.
        let top = if largest > least_step { largest * 1.05 } else { largest };
        Self { top, step: step(largest, ticks).max(least_step) }
    }

    pub(super) fn ticks(self) -> impl Iterator<Item = f64> {
        (0_u8..=50).map(move |tick| f64::from(tick) * self.step).take_while(move |tick| *tick <= self.top)
    }
}

impl Frame {
    #[allow(clippy::cast_possible_truncation)] // A few thousand pixels.
    pub(super) fn of(graph: &Graph, size: Size, unit: f64) -> Self {
        let measure = |pixels: i32| (f64::from(pixels) * unit).round() as i32;
        let scale = |axis: Axis| Some((axis, Scale::of(graph.largest(axis)?, 7, axis.min_step())));
        let mut axes: Vec<_> = [Axis::Calls].into_iter().chain(Axis::RIGHT).filter_map(scale).collect();
        if axes.is_empty() {
            axes.push((Axis::Calls, Scale::of(0.0, 7, 1.0)));
        }
        let right = i32::try_from(axes.len() - 1).unwrap_or(0) * RIGHT_AXIS;
        Self {
            left: measure(LEFT),
            right: size.width.cast_signed() - measure(right.max(RIGHT)),
            top: measure(TOP),
            bottom: size.height.cast_signed() - measure(BOTTOM),
            inset: measure(INSET),
            last: graph.last,
            axes,
        }
    }

    #[allow(clippy::cast_possible_truncation, clippy::cast_precision_loss)]
    pub(super) fn x(&self, offset: f64) -> i32 {
        let width = f64::from(self.right - self.left - 2 * self.inset);
        self.left + self.inset + (offset / (self.last.max(1) as f64) * width).round() as i32
    }

    #[allow(clippy::cast_possible_truncation)]
    pub(super) fn y(&self, axis: Axis, height: f64) -> i32 {
        let (_, scale) = self.axes.iter().find(|(other, _)| *other == axis).unwrap_or(&self.axes[0]);
        self.bottom - (height / scale.top * f64::from(self.bottom - self.top)).round() as i32
    }
}
