//! Client-side rate limiting of calls to LLM APIs.
//!
//! Calls are sent evenly, a jump in demand is ramped over several seconds, and after a refusal the limiter pauses, tests the
//! server with one refused call, and sends the other refused calls first.
//!
//! Annotate the functions that call a model with [`#[ratellmiter]`](ratellmiter), start the [`monitor`], and draw its log with
//! the command `ratellmiter`:
//!
//! ```
//! use ratellmiter_core::{Config, monitor, ratellmiter};
//!
//! #[ratellmiter(model = "gpt-4o")]
//! async fn answer(prompt: &str) -> Result<String, std::io::Error> {
//!     Ok(format!("the answer to {prompt}")) // the call, as it was
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let directory = tempfile::tempdir()?;
//! # let log_directory = directory.path().to_owned();
//! monitor().start(Config::new().default_rate_limit(300).log_directory(log_directory))?;
//! println!("{}", answer("life").await?);
//! monitor().stop().await?;
//! # Ok(()) }
//! ```
//!
//! Without the attribute, [`Limiter::run`] runs a closure, and [`Limiter::acquire`] returns a [`Ticket`] for one call.
//!
//! The [`guide`] has a page for each subject, with examples.
//!
//! # Guarantees
//!
//! For a limit of R calls a minute:
//!
//! - At most R tickets are issued in any 60 seconds, and at most R/60, rounded up, plus one in any second.
//! - While calls are queued and none is refused, at least 99.5 % of the rate is used once the ramp has ended.
//! - Tickets are issued in the order of the requests, by priority.
//! - After a refusal no call is sent until the server's hint has passed. Then one refused call is sent, and once it is accepted
//!   the other refused calls are sent before all others.
//! - Adapted limits are never above the configured ones ([`Limits::adaptive`]).
//! - Budgets of tokens and of days are reserved when a call is sent and settled when it ends, by the rules of its [`Provider`].
//! - A dropped future leaves the queue and releases its capacity.
//! - Writing the log never fails a call. The log contains no prompt, response, header, key, or text of an error.
//!
//! # Architecture
//!
//! The layers, from the top; each imports only those below it:
//!
//! | layer | contents |
//! |---|---|
//! | `macro_support` | the expansion of the attribute |
//! | `sim` | simulated providers, which drive the same engine in virtual time |
//! | `monitor` | the registry of limiters, the log writer, and what is saved for the next start |
//! | [`config`] | settings from code, file and environment |
//! | `observe` | responses as an HTTP transport sees them |
//! | [`call`] | one call of an annotated function, over its attempts; streams |
//! | `fleet` | one limiter in many processes, over Redis |
//! | `limiter` | the asynchronous shell: one lock, one timer, wakers, the clock |
//! | `engine` | one limiter as a pure state machine, with the time as an argument |
//! | [`log`] | the format of the log, and its files |
//! | `judge` | from an outcome to a [`Verdict`] |
//! | `limits` | limits and options of calls |
//! | `providers` | facts about providers, with source and date |

pub mod call;
pub mod config;
mod engine;
#[cfg(feature = "redis")]
pub mod fleet;
#[cfg(any(doc, doctest))]
pub mod guide;
mod judge;
mod limiter;
mod limits;
pub mod log;
mod macro_support;
mod monitor;
#[cfg(any(
    feature = "aws-bedrock",
    feature = "hyper",
    feature = "reqwest",
    feature = "reqwest-012",
    feature = "tower",
    feature = "ureq"
))]
pub mod observe;
mod providers;
#[cfg(feature = "sim")]
pub mod sim;

pub use config::Config;
pub use judge::{Classify, LimitKind, Verdict};
pub use limiter::{Closed, Limiter, Snapshot, Ticket};
pub use limits::{
    Limits,
    on_exhausted::OnExhausted,
    ramp::Ramp,
    request::{AcquireOptions, Priority, RejectReason, Rejected},
};
pub use monitor::{Monitor, StartError, StopError, monitor};
pub use providers::{provider::Provider, usage::Usage};
pub use ratellmiter_macros::ratellmiter;

/// Limiters that processes share.
#[cfg(not(feature = "redis"))]
pub mod fleet {
    pub use crate::engine::lease::FleetStatus;
}

/// Estimates and usage of tokens.
pub mod tokens {
    #[cfg(feature = "tiktoken")]
    pub use crate::providers::tokens::count_tokens;
    pub use crate::{
        limits::cost::{IntoTokens, TokenEstimate},
        providers::{
            provider::{Refund, TokenCharge, UnknownProvider},
            tokens::estimate_tokens,
            usage::HasUsage,
        },
    };
}

/// Classification of outcomes.
pub mod classify {
    pub use crate::judge::{Evidence, judge, judge_error};
    #[cfg(any(feature = "hyper", feature = "reqwest", feature = "reqwest-012", feature = "ureq"))]
    pub use crate::{judge::clients::ResponseError, observe::LlmResponseExt};
}

/// Streams and iterators that keep the ticket of their call.
pub mod stream {
    pub use crate::call::{
        iterator::TicketIterator, raw_stream::StreamEvents, stream::TicketStream, stream_item::StreamItem,
    };
}

/// The future of a waiting call.
pub mod waiting {
    pub use crate::limiter::{Acquire, AcquireOutput};
}

/// The items that the attribute expands to. No part of the public API.
#[doc(hidden)]
pub mod __private {
    pub use crate::macro_support::*;
}

/// Runs the examples of the README of the repository.
#[cfg(all(doctest, feature = "reqwest"))]
#[doc = include_str!("../../README.md")]
pub struct Readme;

/// Runs the example of the README of the crate.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
pub struct CrateReadme;
