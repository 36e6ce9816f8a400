//! Charts of a run: the graph, and its rendering as a picture, a page or terminal cells.

#[cfg(feature = "terminal")]
pub(crate) mod cells;
pub(crate) mod chart;
pub(crate) mod course;
pub(crate) mod graph;
pub(crate) mod html;
pub(crate) mod png;
#[cfg(feature = "terminal")]
pub(crate) mod terminal;
pub(crate) mod theme;
pub(crate) mod time_axis;
