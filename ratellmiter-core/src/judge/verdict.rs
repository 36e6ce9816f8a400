//! The verdict on one outcome.

use std::time::{Duration, SystemTime};

/// The meaning of the outcome of one call for the limiter.
///
/// ```
/// use std::time::Duration;
/// use ratellmiter_core::{LimitKind, Verdict};
///
/// let refused = Verdict::RateLimited { retry_after: Some(Duration::from_secs(3)), scope: LimitKind::Requests };
/// assert!(refused.is_retryable());
/// assert!(!Verdict::Failed.is_retryable());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Verdict {
    /// The call succeeded.
    Success,
    /// The server refused the call because a limit was reached. The limiter pauses, and the call is retried.
    RateLimited {
        /// The time that the server asked to wait, if any.
        retry_after: Option<Duration>,
        /// The limit that was reached.
        scope: LimitKind,
    },
    /// The server is overloaded, for all its clients. The limiter pauses, and the call is retried, but its rate is not
    /// reduced.
    Overloaded {
        /// The time that the server asked to wait, if any.
        retry_after: Option<Duration>,
    },
    /// The quota is exhausted, and a wait of seconds does not help. The error is returned at once, and the limiter does not
    /// pause.
    QuotaExhausted {
        /// The time at which the quota is refilled, if the server reported it.
        resumes_at: Option<SystemTime>,
        /// The quota that is exhausted.
        scope: LimitKind,
    },
    /// The call failed for another reason. The error is returned at once.
    Failed,
}

impl Verdict {
    /// A refusal without a hint, for an unknown limit.
    pub const RATE_LIMITED: Self = Self::RateLimited { retry_after: None, scope: LimitKind::Unknown };

    /// Returns `true` if the call is queued again and retried.
    #[must_use]
    pub fn is_retryable(self) -> bool {
        matches!(self, Self::RateLimited { .. } | Self::Overloaded { .. })
    }

    /// Returns the time that the server asked to wait. `None` if there is no hint, or if this is not a refusal.
    #[must_use]
    pub fn retry_after(self) -> Option<Duration> {
        match self {
            Self::RateLimited { retry_after, .. } | Self::Overloaded { retry_after } => retry_after,
            _ => None,
        }
    }
}

/// The kind of limit that a refusal is about.
///
/// ```
/// assert_eq!(ratellmiter_core::LimitKind::default(), ratellmiter_core::LimitKind::Unknown);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum LimitKind {
    /// Not reported by the server.
    #[default]
    Unknown,
    /// Requests a second or minute.
    Requests,
    /// Input and output tokens a minute, together.
    Tokens,
    /// Input tokens a minute.
    InputTokens,
    /// Output tokens a minute.
    OutputTokens,
    /// Requests or tokens a day.
    Daily,
    /// Calls in flight.
    Concurrency,
    /// The growth of the demand.
    Growth,
    /// Credit, or a limit on spending.
    Billing,
}
