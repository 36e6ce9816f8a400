//! The user's guide: one page for each subject.
//!
//! The pages can be read in a checkout as well. `links.md` comes first in each rendered page, since the first definition of a link
//! counts; the definitions at the end of a page apply in a checkout.
//!
//! | page | subject |
//! | --- | --- |
//! | [`getting_started`] | installation, the attribute, the monitor, and twelve tasks with their code |
//! | [`guarantees`] | pacing, the ramp, the order of calls, pauses, and limits of the guarantees |
//! | [`configuration`] | `ratellmiter.toml`, environment variables, and their precedence |
//! | [`refusals`] | when a call is refused: causes and reactions, error types, clients, observers, quotas |
//! | [`tokens`] | token budgets, estimates, usage, providers, headers |
//! | [`providers`] | accounting rules and error codes of each provider, with source and date |
//! | [`streams`] | tickets of streamed responses |
//! | [`waiting`] | bounds on waiting, rejections, priorities, cancellation |
//! | [`adaptive_limits`] | limits that are wrong, move or are shared; the league of strategies |
//! | [`fleets`] | one budget for many processes |
//! | [`command`] | pictures, summaries, comparisons, the live view, the log format |
//! | [`ci`] | checks in CI, in this and in other repositories |
//! | [`simulator`] | simulated providers in virtual time and over HTTP |
//! | [`testing`] | paused time, switching pacing off |
//! | [`migrating`] | from governor and backon, and from the Python package |
//! | [`measurements`] | pace, cost and memory beside other limiters |

#[doc = include_str!("links.md")]
#[doc = include_str!("getting_started.md")]
pub mod getting_started {}

#[doc = include_str!("links.md")]
#[doc = include_str!("guarantees.md")]
pub mod guarantees {}

#[doc = include_str!("links.md")]
#[doc = include_str!("configuration.md")]
pub mod configuration {}

#[doc = include_str!("links.md")]
#[doc = include_str!("refusals.md")]
pub mod refusals {}

#[doc = include_str!("links.md")]
#[doc = include_str!("tokens.md")]
pub mod tokens {}

#[doc = include_str!("links.md")]
#[doc = include_str!("providers.md")]
pub mod providers {}

#[doc = include_str!("links.md")]
#[doc = include_str!("streams.md")]
pub mod streams {}

#[doc = include_str!("links.md")]
#[doc = include_str!("waiting.md")]
pub mod waiting {}

#[doc = include_str!("links.md")]
#[doc = include_str!("adaptive_limits.md")]
pub mod adaptive_limits {}

#[doc = include_str!("links.md")]
#[doc = include_str!("fleets.md")]
pub mod fleets {}

#[doc = include_str!("links.md")]
#[doc = include_str!("command.md")]
pub mod command {}

#[doc = include_str!("links.md")]
#[doc = include_str!("ci.md")]
pub mod ci {}

#[doc = include_str!("links.md")]
#[doc = include_str!("simulator.md")]
pub mod simulator {}

#[doc = include_str!("links.md")]
#[doc = include_str!("testing.md")]
pub mod testing {}

#[doc = include_str!("links.md")]
#[doc = include_str!("migrating.md")]
pub mod migrating {}

#[doc = include_str!("links.md")]
#[doc = include_str!("measurements.md")]
pub mod measurements {}
