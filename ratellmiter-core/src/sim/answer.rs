//! What a provider answers.

use std::time::Duration;

use crate::{
    judge::{LimitKind, Verdict},
    providers::usage::Usage,
};

/// What a provider answers to a call, and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// It is the answer that was asked for.
    Finished {
        /// So long after the call was sent.
        after: Duration,
        /// The tokens it took.
        usage: Usage,
    },
    /// The call was refused.
    Refused {
        /// So long after the call was sent.
        after: Duration,
        /// 429, or what an outage answers.
        status: u16,
        /// Which limit refused it, where the provider tells.
        limit: LimitKind,
        /// How long to wait, where the provider tells.
        hint: Option<Duration>,
    },
}

impl Answer {
    /// How long after the call was sent it comes.
    #[must_use]
    pub fn after(&self) -> Duration {
        match self {
            Self::Finished { after, .. } | Self::Refused { after, .. } => *after,
        }
    }

    /// What a refusal means to a limiter; `None` if it is none.
    #[must_use]
    pub fn verdict(&self) -> Option<Verdict> {
        match *self {
            Self::Finished { .. } => None,
            Self::Refused { status: 503 | 529, hint, .. } => Some(Verdict::Overloaded { retry_after: hint }),
            Self::Refused { hint, limit, .. } => Some(Verdict::RateLimited { retry_after: hint, limit }),
        }
    }
}

/// What a provider tells of the time to wait.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum Hint {
    /// The time until the call would be taken, to the nanosecond.
    Exact,
    /// The same in whole seconds, rounded up: what `Retry-After` can say.
    Seconds,
    /// The same, times a factor: 0.2 has clients come back far too early.
    Times(f64),
    /// Nothing.
    Missing,
}

impl Hint {
    /// What is told of this wait.
    pub(super) fn told(self, wait: Duration) -> Option<Duration> {
        match self {
            Self::Exact => Some(wait),
            Self::Seconds => Some(Duration::from_secs(wait.as_secs() + u64::from(wait.subsec_nanos() > 0))),
            Self::Times(factor) => Some(wait.mul_f64(factor)),
            Self::Missing => None,
        }
    }
}
