//! From the outcome of a call to a verdict on it.
//!
//! Adapters only collect [`Evidence`]; all rules are in [`judge`].

mod body;
pub(crate) mod classify;
mod clients;
mod evidence;
mod headers;
mod rules;
mod verdict;

pub use classify::Classify;
pub use evidence::Evidence;
pub use rules::judge;
pub use verdict::{Scope, Verdict};
