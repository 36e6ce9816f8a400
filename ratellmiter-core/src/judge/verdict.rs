//! The verdict on one outcome.

use std::time::{Duration, SystemTime};

use super::{Evidence, judge};

/// The meaning of the outcome of one call for the limiter.
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
    /// The call succeeded.
    Success,
    /// The server refused the call because a limit was reached. The limiter pauses, and the call is retried.
    RateLimited {
        /// The time that the server asked to wait, if any.
        retry_after: Option<Duration>,
        /// The limit that was reached.
        limit: LimitKind,
    },
    /// The server is overloaded, for all its clients. The limiter pauses, and the call is retried, but its rate is not
    /// reduced.
    Overloaded {
        /// The time that the server asked to wait, if any.
        retry_after: Option<Duration>,
    },
    /// The quota is exhausted, and a wait of seconds does not help. The error is returned at once, unless calls
    /// [wait](crate::OnExhausted::Wait) for the quota, and the limiter [closes](crate::Closed).
    QuotaExhausted {
        /// The time at which the quota is refilled, if the server reported it.
        resumes_at: Option<SystemTime>,
        /// The quota that is exhausted.
        limit: LimitKind,
    },
    /// The server or the connection failed, and the same call may succeed a little later: status 408, 409, 500, 502, 504,
    /// 520 to 523 and 525 to 530, and connections that failed before a response began. The call is sent again up to
    /// [`transient_attempts`](crate::Limits::transient_attempts) times, and no other call is affected. If every call fails, the
    /// limiter pauses as for an overloaded server.
    Transient {
        /// The time that the server asked to wait, if any.
        retry_after: Option<Duration>,
    },
    /// The call failed for another reason. The error is returned at once.
    Failed,
}

impl Verdict {
    /// A refusal without a hint, for an unknown limit.
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

    /// Returns a transient failure without a hint.
    #[must_use]
    pub const fn transient() -> Self {
        Self::Transient { retry_after: None }
    }

    /// Sets the server's hint of a refusal, an overload or a transient failure. Other verdicts stay as they are.
    #[must_use]
    pub const fn with_retry_after(self, hint: Duration) -> Self {
        match self {
            Self::RateLimited { limit, .. } => Self::RateLimited { retry_after: Some(hint), limit },
            Self::Overloaded { .. } => Self::Overloaded { retry_after: Some(hint) },
            Self::Transient { .. } => Self::Transient { retry_after: Some(hint) },
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

    /// Returns `true` if the call was refused: it is queued again and retried.
    #[must_use]
    pub fn is_retryable(self) -> bool {
        matches!(self, Self::RateLimited { .. } | Self::Overloaded { .. })
    }

    /// Returns the time that the server asked to wait. `None` if there is no hint, or if this is neither a refusal nor a
    /// transient failure.
    #[must_use]
    pub fn retry_after(self) -> Option<Duration> {
        match self {
            Self::RateLimited { retry_after, .. }
            | Self::Overloaded { retry_after }
            | Self::Transient { retry_after } => retry_after,
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
