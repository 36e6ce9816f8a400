//! What one outcome means for the limiter.

use std::time::{Duration, SystemTime};

use super::{Evidence, judge};

/// The meaning of a call's outcome for the limiter.
///
/// ```
/// use std::time::Duration;
/// use ratellmiter_core::{LimitKind, Verdict};
///
/// let refused = Verdict::rate_limited().with_retry_after(Duration::from_secs(3)).with_limit(LimitKind::Requests);
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
        limit: LimitKind,
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
        limit: LimitKind,
    },
    /// It went wrong for a reason that is not a limit; the error goes back to the caller at once.
    Failed,
}

impl Verdict {
    /// A refusal without a hint, of an unknown limit.
    pub const RATE_LIMITED: Self = Self::RateLimited { retry_after: None, limit: LimitKind::Unknown };

    /// Returns a refusal without a hint, of an unknown limit.
    #[must_use]
    pub const fn rate_limited() -> Self {
        Self::RATE_LIMITED
    }

    /// Returns an overload of the server without a hint.
    #[must_use]
    pub const fn overloaded() -> Self {
        Self::Overloaded { retry_after: None }
    }

    /// Sets the server's hint of a refusal or an overload. Other verdicts stay as they are.
    #[must_use]
    pub const fn with_retry_after(self, hint: Duration) -> Self {
        match self {
            Self::RateLimited { limit, .. } => Self::RateLimited { retry_after: Some(hint), limit },
            Self::Overloaded { .. } => Self::Overloaded { retry_after: Some(hint) },
            other => other,
        }
    }

    /// Sets the limit of a refusal or of an exhausted quota. Other verdicts stay as they are.
    #[must_use]
    pub const fn with_limit(self, limit: LimitKind) -> Self {
        match self {
            Self::RateLimited { retry_after, .. } => Self::RateLimited { retry_after, limit },
            Self::QuotaExhausted { resumes_at, .. } => Self::QuotaExhausted { resumes_at, limit },
            other => other,
        }
    }

    /// Returns the verdict on a response, by the rules of [`judge`](crate::classify::judge()).
    ///
    /// ```
    /// use ratellmiter_core::{LimitKind, Verdict};
    ///
    /// let body = r#"{"error": {"type": "insufficient_quota"}}"#;
    /// let verdict = Verdict::from_response(429, &http::HeaderMap::new(), body);
    /// assert!(matches!(verdict, Verdict::QuotaExhausted { .. }));
    /// ```
    #[must_use]
    pub fn from_response(status: u16, headers: &http::HeaderMap, body: &str) -> Self {
        judge(&Evidence::new().status(status).headers(headers).body(body), SystemTime::now())
    }

    /// Returns `true` for a refusal or an overload: the call is queued again.
    #[must_use]
    pub fn is_retryable(self) -> bool {
        matches!(self, Self::RateLimited { .. } | Self::Overloaded { .. })
    }

    /// Returns the server's hint, if there is one.
    #[must_use]
    pub fn retry_after(self) -> Option<Duration> {
        match self {
            Self::RateLimited { retry_after, .. } | Self::Overloaded { retry_after } => retry_after,
            _ => None,
        }
    }
}

/// The limit that a refusal is about.
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
