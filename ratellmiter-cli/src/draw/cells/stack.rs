//! Graphs below each other in the cells of a terminal.

use ratatui::{buffer::Buffer, layout::Rect};

use crate::{
    draw::{
        cells::{Paint, Plot, cells},
        graph::{Graph, tick},
    },
    series::Axis,
};

/// Rows of a graph below which fewer graphs are drawn.
const MIN_ROWS: u16 = 7;

/// A section of graphs on one time axis.
#[derive(Debug)]
pub(crate) struct Stack<'a> {
    /// The graphs with their shares of the height.
    pub(crate) graphs: &'a [(Graph, f64)],
    /// Offset at the left edge.
    pub(crate) from: u64,
    /// Offset at the right edge.
    pub(crate) to: u64,
    pub(crate) paint: Paint,
}

impl Stack<'_> {
    /// Draws the graphs below each other, aligned at the left; if there are too few rows for all of them, only the first ones.
    pub(crate) fn draw(&self, area: Rect, buffer: &mut Buffer) {
        let shown = self.graphs.len().min(usize::from(area.height / MIN_ROWS).max(1));
        let graphs = &self.graphs[..shown];
        let weights: f64 = graphs.iter().map(|(_, weight)| weight).sum();
        let labels = graphs.iter().map(|(graph, _)| label_width(graph)).max().unwrap_or(0);
        let mut y = area.y;
        for (index, (graph, weight)) in graphs.iter().enumerate() {
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
            let share = ((f64::from(area.height) * weight / weights) as u16).max(MIN_ROWS);
            let after = MIN_ROWS * (cells(shown) - cells(index) - 1);
            let left = area.bottom() - y;
            // The last graph takes the rows that are left.
            let height = if index + 1 == shown { left } else { share.min(left.saturating_sub(after)) };
            let timed = index + 1 == shown;
            let plot = Plot { graph, from: self.from, to: self.to, paint: self.paint, labels, timed };
            plot.draw(Rect { y, height, ..area }, buffer);
            y += height;
        }
    }
}

/// Returns the width of the longest label on the left axis of a graph, and a cell for the axis.
fn label_width(graph: &Graph) -> u16 {
    let largest = graph.largest(Axis::Calls).unwrap_or(0.0);
    cells(tick(Axis::Calls, largest.max(1.0), 1.0).len()) + 1
}
