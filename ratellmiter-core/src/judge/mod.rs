//! From the outcome of a call to a verdict on it.
//!
//! Adapters only collect [`Evidence`]; all rules are in [`judge`].

mod body;
pub(crate) mod clients;
mod evidence;
mod headers;
pub(crate) mod ladder;
mod readings;
mod rules;
mod text;
mod verdict;

pub use evidence::Evidence;
pub use ladder::Classify;
pub(crate) use ladder::Opinion;
pub(crate) use readings::{Per, Reading, Unit, readings};
pub use rules::judge;
pub use verdict::{Scope, Verdict};
