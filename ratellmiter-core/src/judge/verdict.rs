//! What one outcome means for the limiter.

use std::time::{Duration, SystemTime};

/// What the outcome of one call means.
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
    /// The call did what it should.
    Success,
    /// The server refused it because of a limit of ours: pause, and try again.
    RateLimited {
        /// How long the server asked us to wait.
        retry_after: Option<Duration>,
        /// Which limit it was.
        scope: LimitKind,
    },
    /// The server is busy for everybody: pause and try again, but our rate is not at fault.
    Overloaded {
        /// How long the server asked us to wait.
        retry_after: Option<Duration>,
    },
    /// The quota is spent; waiting seconds does not help. The error goes back to the caller at once, nobody is paused.
    QuotaExhausted {
        /// When the quota is filled again, if the server said so.
        resumes_at: Option<SystemTime>,
        /// Which quota it was.
        scope: LimitKind,
    },
    /// It went wrong for a reason that is not a limit; the error goes back to the caller at once.
    Failed,
}

impl Verdict {
    /// A refusal of which nothing more is known.
    pub const RATE_LIMITED: Self = Self::RateLimited { retry_after: None, scope: LimitKind::Unknown };

    /// Whether the call waits and goes again.
    #[must_use]
    pub fn is_retryable(self) -> bool {
        matches!(self, Self::RateLimited { .. } | Self::Overloaded { .. })
    }

    /// How long the server asked us to wait, if it is a refusal that says so.
    #[must_use]
    pub fn retry_after(self) -> Option<Duration> {
        match self {
            Self::RateLimited { retry_after, .. } | Self::Overloaded { retry_after } => retry_after,
            _ => None,
        }
    }
}

/// Which limit a refusal is about.
///
/// ```
/// assert_eq!(ratellmiter_core::LimitKind::default(), ratellmiter_core::LimitKind::Unknown);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum LimitKind {
    /// The server did not say.
    #[default]
    Unknown,
    /// Requests a second or minute.
    Requests,
    /// Tokens a minute, in and out together.
    Tokens,
    /// Input tokens a minute.
    InputTokens,
    /// Output tokens a minute.
    OutputTokens,
    /// A day's requests or tokens.
    Daily,
    /// Calls in flight.
    Concurrency,
    /// How fast the demand grew.
    Growth,
    /// Money.
    Billing,
}
