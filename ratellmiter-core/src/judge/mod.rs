//! From the outcome of a call to a verdict on it.
//!
//! Adapters only collect [`Evidence`]; all rules are in [`judge`].

mod body;
pub(crate) mod clients;
pub(crate) mod dispatch;
mod evidence;
mod rules;
mod text;
mod verdict;

pub(crate) use crate::judge::dispatch::Classification;
pub use crate::judge::dispatch::Classify;
pub(crate) use crate::providers::limit_headers::{LimitReading, LimitUnit, Period};
pub use evidence::Evidence;
pub use rules::judge;
pub use verdict::{LimitKind, Verdict};
