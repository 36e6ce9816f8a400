//! Paces calls to LLM APIs from inside a program: evenly, ramped up when demand jumps, and as one body after a 429.
//!
//! Put [`#[ratellmiter]`](ratellmiter) on the functions that call a model, start the [`monitor`], and look at the log it
//! leaves with the `ratellmiter` command:
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
//! Without the macro: [`Limiter::acquire`] gives a [`Ticket`].
//!
//! # What holds
//!
//! For a limit of R calls a minute at most R tickets are issued in any 60 seconds, and at most R/60, rounded up, and one
//! more in any second. They are spaced evenly. With a line waiting and no refusals the rate is used to at least
//! 99.5 % once the ramp is over. Calls get their tickets in the order in which they asked. After a refusal nobody goes
//! until the server's hint has passed, then one refused call goes alone, and when it is accepted the other refused calls
//! go first. What the server really takes is learned from its refusals, and is never more than what you set
//! ([`Limits::adaptive`]). Tokens a minute and requests or tokens a day are budgets beside the rate: what a call may be
//! charged is held when it goes and settled when it ends, as the provider's [`Provider`] says. Futures that are dropped give their places back. The log never breaks a call, and holds no
//! prompt, answer, header, key, or text of an error.
//!
//! # Architecture
//!
//! From the top down, each knowing only those below: [`call`] (what the attribute expands to), `stream` and [`Monitor`];
//! `limiter` (the public face) over `driver` (the lock, the waiters, the timer); `scheduler`, a pure state machine that is
//! told the time; its parts `meter` (the rate), `learn` (what refusals teach), `ramp`, `window` (what really went out),
//! `budgets` (tokens and days: each `budget` a meter and a `ledger`), `served` (what headers show), `recovery` (pauses),
//! `lease` (a process's part of a limiter that is shared, for which `fleet` asks a server), `details` (what calls said) and
//! `tally` (the second's counts); `contract`, `cost`, `estimate` and `usage`, from what a
//! call is thought to cost to what it was charged; [`config`], [`log`], [`log`], `learned` and `days` (what is kept for
//! the next start), `limits`, `ask`; and `judge`, from the outcome of a call to a [`Verdict`] and from headers to readings,
//! helped by `facts` and `transport`, what was seen on the way. Beside them `sim` plays the scheduler against simulated
//! providers.

// Without it nobody asks for what a limiter tells those who share it.
#![cfg_attr(not(feature = "redis"), allow(dead_code))]

pub mod call;
pub mod config;
mod engine;
#[cfg(feature = "redis")]
mod fleet;
mod judge;
mod limiter;
mod limits;
pub mod log;
mod macro_support;
mod monitor;
#[cfg(any(feature = "reqwest", feature = "reqwest-012", feature = "tower"))]
pub mod observe;
mod providers;
#[cfg(feature = "sim")]
pub mod sim;

pub use call::context::{observe, observe_headers};
pub use call::stream::{TicketStream, hold};
pub use call::stream_item::StreamItem;
#[cfg(feature = "redis")]
pub use config::sharing::OnDisconnect;
pub use config::{Config, ConfigError};
pub use engine::lease::FleetStatus;
#[cfg(feature = "redis")]
pub use fleet::{FleetConfig, FleetError, InvalidFleetUrl};
#[cfg(any(feature = "reqwest", feature = "reqwest-012"))]
pub use judge::clients::ResponseError;
pub use judge::{Classify, Evidence, LimitKind, Verdict, judge};
pub use limiter::{Acquire, Limiter, Snapshot, Ticket, TryAcquire};
pub use limits::cost::{IntoTokens, TokenEstimate};
pub use limits::request::{AcquireOptions, Priority, RejectReason, Rejected};
pub use limits::{InvalidRamp, Limits, Ramp};
pub use monitor::{Monitor, StartError, StopError, monitor};
#[cfg(any(feature = "reqwest", feature = "reqwest-012"))]
pub use observe::LlmResponseExt;
pub use providers::provider::{Provider, Refund, TokenCharge, UnknownProvider};
#[cfg(feature = "tiktoken")]
pub use providers::tokens::count_tokens;
pub use providers::tokens::estimate_tokens;
pub use providers::usage::{HasUsage, Usage};
pub use ratellmiter_macros::ratellmiter;

/// The items that the attribute expands to. No part of the public API.
#[doc(hidden)]
pub mod __private {
    pub use crate::macro_support::*;
}

/// The examples of the README are run as they stand there.
#[cfg(all(doctest, feature = "reqwest"))]
#[doc = include_str!("../../README.md")]
pub struct Readme;
