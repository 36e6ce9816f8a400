//! Options of a call that acquires a ticket, and the error for a rejected call.

use std::{
    error::Error,
    fmt,
    time::{Duration, Instant, SystemTime},
};

use crate::limits::cost::TokenEstimate;

/// Options for [`Limiter::acquire_with`](crate::Limiter::acquire_with): estimated tokens, priority, and bounds of the wait.
///
/// ```
/// # #[tokio::main(flavor = "current_thread", start_paused = true)] async fn main() {
/// use std::time::Duration;
/// use ratellmiter_core::{AcquireOptions, Limiter, Limits, Priority, RejectReason};
///
/// let limiter = Limiter::new(Limits::per_minute(6));
/// let options = AcquireOptions::new().tokens(1_200, 500).priority(Priority::High).max_wait(Duration::from_secs(5));
/// let ticket = limiter.acquire_with(options).await.expect("the queue is empty");
/// let rejected = limiter.acquire_with(options).await.expect_err("the next ticket is due in ten seconds");
/// assert_eq!(rejected.reason, RejectReason::MaxWait);
/// assert_eq!(rejected.estimated_wait, Duration::from_secs(10));
/// # ticket.finish();
/// # }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct AcquireOptions {
    pub(crate) estimate: TokenEstimate,
    pub(crate) priority: Priority,
    pub(crate) max_wait: Option<Duration>,
    pub(crate) max_queue: Option<u32>,
    pub(crate) deadline: Option<Instant>,
}

impl AcquireOptions {
    /// Creates options with all defaults: no estimate, normal priority, unbounded wait.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the tokens of the call: its input, and at most `max_output` of output, the `max_tokens` of the request.
    #[must_use]
    pub fn tokens(self, input: u64, max_output: u64) -> Self {
        self.estimate(TokenEstimate::new(input, max_output))
    }

    /// Sets the estimated tokens of the call. Without an estimate, the usage of earlier calls is taken.
    #[must_use]
    pub fn estimate(mut self, cost: impl Into<TokenEstimate>) -> Self {
        self.estimate = cost.into();
        self
    }

    /// Sets the priority in the queue.
    #[must_use]
    pub fn priority(mut self, priority: Priority) -> Self {
        self.priority = priority;
        self
    }

    /// Limits the time the call may spend queued, over all its attempts. The limiter's own
    /// [`max_wait`](crate::Limits::max_wait) applies if it is shorter.
    #[must_use]
    pub fn max_wait(mut self, wait: Duration) -> Self {
        self.max_wait = Some(wait);
        self
    }

    /// Rejects the call if `calls` are queued already. With 0, the call is sent at once or rejected. The limiter's own
    /// [`max_queue`](crate::Limits::max_queue) applies if it is smaller.
    #[must_use]
    pub fn max_queue(mut self, calls: u32) -> Self {
        self.max_queue = Some(calls);
        self
    }

    /// Rejects the call if it cannot be sent by `deadline`.
    #[must_use]
    pub fn deadline(mut self, deadline: impl Into<Instant>) -> Self {
        self.deadline = Some(deadline.into());
        self
    }
}

/// The priority of a call among the queued calls of the same limiter.
///
/// Refused calls are sent first, whatever their priority. A call of normal priority is queued as if it had been made a minute
/// later than one of high priority, and a call of low priority as if two minutes later. Thus no call starves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Priority {
    /// Interactive.
    High,
    /// The default.
    #[default]
    Normal,
    /// Background work.
    Low,
}

impl Priority {
    /// Returns the time by which the call is queued later than one of high priority.
    pub(crate) const fn handicap(self) -> Duration {
        match self {
            Self::High => Duration::ZERO,
            Self::Normal => Duration::from_mins(1),
            Self::Low => Duration::from_mins(2),
        }
    }
}

/// The error of a call that was rejected because its wait would exceed a bound, or because the limiter is closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Rejected {
    /// The bound, or the reason for which the limiter is closed.
    pub reason: RejectReason,
    /// The time the call has spent queued, over all its attempts. Zero if it was rejected when it asked for its ticket.
    pub waited: Duration,
    /// The time the call was allowed to spend queued: its maximum wait, or the time until its deadline. `None` if the bound
    /// is the length of the queue, or if the limiter is closed.
    pub allowed_wait: Option<Duration>,
    /// The estimated time from the rejection until the call would have been sent. If the limiter is closed, the time until it
    /// opens, or until the server is tried again.
    pub estimated_wait: Duration,
    /// The time at which a closed limiter opens, as the server named it. `None` if it is not known, or if a bound is the reason.
    pub resumes_at: Option<SystemTime>,
}

/// The start of a rejection's text.
const REJECTED: &str = "rejected: ";

/// The parts of a rejection's text before the estimated wait: by a bound, and by a limiter that is closed until a known time, or
/// until a probe succeeds.
const ESTIMATE: &str = "; estimated further wait ";
const RESUMES: &str = "; it resumes in ";
const TESTED: &str = "; it is tested again in ";

impl Rejected {
    /// Returns `true` if `text` contains the text of a rejection.
    pub(crate) fn is_in_text(text: &str) -> bool {
        let is_followed = |rest: &str| [ESTIMATE, RESUMES, TESTED].iter().any(|part| rest.contains(part));
        text.split_once(REJECTED).is_some_and(|(_, rest)| is_followed(rest))
    }
}

impl fmt::Display for Rejected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let wait = Rounded(self.estimated_wait);
        write!(f, "{REJECTED}{}", self.reason)?;
        if self.reason.is_closed() {
            return write!(f, "{}{wait}", if self.resumes_at.is_some() { RESUMES } else { TESTED });
        }
        if let Some(allowed) = self.allowed_wait {
            write!(f, "; waited {} of {}", Rounded(self.waited), Rounded(allowed))?;
        }
        write!(f, "{ESTIMATE}{wait}")
    }
}

impl Error for Rejected {}

/// The reason for a rejection: the bound that the wait of a call would have exceeded, or the closed state of the limiter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RejectReason {
    /// The maximum wait.
    MaxWait,
    /// The maximum length of the queue.
    MaxQueue,
    /// The deadline.
    Deadline,
    /// A quota is spent, or the server asked for a wait of more than ten minutes.
    QuotaExhausted,
    /// The server accepted no call for [`give_up_after`](crate::Limits::give_up_after).
    Unavailable,
}

impl RejectReason {
    /// Returns `true` if the reason is the closed state of the limiter.
    fn is_closed(self) -> bool {
        matches!(self, Self::QuotaExhausted | Self::Unavailable)
    }
}

impl fmt::Display for RejectReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::MaxWait => "the wait would exceed the maximum",
            Self::MaxQueue => "the queue is full",
            Self::Deadline => "the deadline would be missed",
            Self::QuotaExhausted => "the quota is exhausted",
            Self::Unavailable => "the server has not accepted a call for a long time",
        })
    }
}

/// A duration in seconds, with one decimal below ten.
struct Rounded(Duration);

impl fmt::Display for Rounded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(time) = self;
        if time.as_secs() < 10 { write!(f, "{:.1} s", time.as_secs_f64()) } else { write!(f, "{} s", time.as_secs()) }
    }
}

#[cfg(test)]
mod tests;
