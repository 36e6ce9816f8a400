//! From the outcome of a call to a verdict on it.
//!
//! The adapters in [`clients`] only collect [`Evidence`]; all rules are in [`judge`].

mod body;
pub(crate) mod classification;
pub(crate) mod classify;
pub(crate) mod clients;
mod debug_form;
pub(crate) mod dispatch;
pub(crate) mod error_chain;
mod evidence;
mod fields;
mod grpc;
pub(crate) mod known_values;
pub(crate) mod rules;
mod text;
mod times_in_text;
mod transport;
mod truncated;
mod verdict;

pub(crate) use crate::providers::limit_reading::{LimitReading, LimitUnit, Period};
pub(crate) use classification::{Basis, Classification, Judged};
pub use classify::Classify;
pub use error_chain::judge_error;
pub use evidence::Evidence;
pub(crate) use grpc::status as grpc_status;
pub use rules::judge;
pub use verdict::{LimitKind, Verdict};
