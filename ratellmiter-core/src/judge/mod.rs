//! From the outcome of a call to a verdict on it.

pub(crate) mod classify;
mod clients;
mod verdict;

pub use classify::Classify;
pub use verdict::{Scope, Verdict};
