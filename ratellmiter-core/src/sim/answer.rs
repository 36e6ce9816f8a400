//! The answers of a simulated provider.

use std::time::Duration;

use crate::{
    judge::{LimitKind, Verdict},
    providers::usage::Usage,
};

/// Answer of a provider to a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// The call succeeded.
    Finished {
        /// Time from sending the call to its answer.
        after: Duration,
        /// Tokens used.
        usage: Usage,
    },
    /// The call was refused.
    Refused {
        /// Time from sending the call to its refusal.
        after: Duration,
        /// HTTP status: 429, or the status of an outage.
        status: u16,
        /// Limit that refused the call, or [`LimitKind::Unknown`] if the provider does not report it.
        limit: LimitKind,
        /// Time to wait, or `None` if the provider does not report it.
        retry_after: Option<Duration>,
    },
    /// The call failed for a reason that concerns no other call.
    Failed {
        /// Time from sending the call to its failure.
        after: Duration,
        /// HTTP status, as 502.
        status: u16,
    },
}

impl Answer {
    /// Returns the time from sending the call to its answer.
    #[must_use]
    pub fn after(&self) -> Duration {
        match self {
            Self::Finished { after, .. } | Self::Refused { after, .. } | Self::Failed { after, .. } => *after,
        }
    }

    /// Returns the verdict on a refusal or a failure, or `None` if the call succeeded.
    #[must_use]
    pub fn verdict(&self) -> Option<Verdict> {
        match *self {
            Self::Finished { .. } => None,
            Self::Failed { .. } => Some(Verdict::transient()),
            Self::Refused { status: 503 | 529, retry_after, .. } => Some(Verdict::Overloaded { retry_after }),
            Self::Refused { retry_after, limit, .. } => Some(Verdict::RateLimited { retry_after, limit }),
        }
    }
}

/// Form in which a provider reports the time to wait.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum RetryAfter {
    /// The exact time until the call would be admitted.
    Exact,
    /// The time in whole seconds, rounded up, as in the header `Retry-After`.
    Seconds,
    /// The time multiplied by a factor. With 0.2, for example, clients retry far too early.
    Scaled(f64),
    /// The same time each time, for example "try again after 1 seconds" with a limit of three calls a minute.
    Always(Duration),
    /// No time is reported.
    Missing,
}

impl RetryAfter {
    /// Returns the time that is reported for `wait`.
    pub(super) fn applied_to(self, wait: Duration) -> Option<Duration> {
        match self {
            Self::Exact => Some(wait),
            Self::Seconds => Some(Duration::from_secs(wait.as_secs() + u64::from(wait.subsec_nanos() > 0))),
            Self::Scaled(factor) => Some(wait.mul_f64(factor)),
            Self::Always(time) => Some(time),
            Self::Missing => None,
        }
    }
}
