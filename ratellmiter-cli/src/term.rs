//! A graph as characters.

use crate::graph::Graph;

/// Where it is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Screen {
    pub(crate) width: u16,
    pub(crate) height: u16,
    pub(crate) colors: bool,
}

impl Screen {
    pub(crate) fn of_stdout() -> Self {
        Self { width: 80, height: 24, colors: false }
    }

    /// How many columns of dots there are.
    pub(crate) fn columns(self) -> u32 {
        u32::from(self.width) * 2
    }
}

pub(crate) fn draw(graph: &Graph, screen: Screen) -> String {
    format!("{graph:?} {screen:?}")
}
