//! How a call may ask for its ticket: what it costs, how urgent it is, how long it waits at most.

use std::{
    error::Error,
    fmt,
    time::{Duration, Instant},
};

use crate::limits::cost::TokenEstimate;

/// How a call asks for its ticket: what it costs, how urgent it is, and how long it waits at most. Without anything it waits
/// like any other, for as long as it takes.
///
/// ```
/// # #[tokio::main(flavor = "current_thread", start_paused = true)] async fn main() {
/// use std::time::Duration;
/// use ratellmiter_core::{AcquireOptions, Limiter, Limits, Priority, RejectReason};
///
/// let limiter = Limiter::new(Limits::per_minute(6));
/// let ask = AcquireOptions::new().tokens(1_200, 500).priority(Priority::High).max_wait(Duration::from_secs(5));
/// let ticket = limiter.acquire_with(ask).await.expect("nobody waits");
/// let rejected = limiter.acquire_with(ask).await.expect_err("the next goes in ten seconds");
/// assert_eq!(rejected.reason, RejectReason::MaxWait);
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
    /// Nothing special.
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

    /// How urgent it is.
    #[must_use]
    pub fn priority(mut self, priority: Priority) -> Self {
        self.priority = priority;
        self
    }

    /// It waits no longer than this, all its tickets taken together; the time in which it is out does not count. The limiter's own `max_wait` holds where it is shorter.
    #[must_use]
    pub fn max_wait(mut self, wait: Duration) -> Self {
        self.max_wait = Some(wait);
        self
    }

    /// It does not join a line of so many: with 0 it goes at once or not at all. The limiter's own `max_queue` holds where it
    /// is shorter.
    #[must_use]
    pub fn max_queue(mut self, calls: u32) -> Self {
        self.max_queue = Some(calls);
        self
    }

    /// It has its last ticket by then, or none.
    #[must_use]
    pub fn deadline(mut self, deadline: impl Into<Instant>) -> Self {
        self.deadline = Some(deadline.into());
        self
    }
}

/// How urgent a call is, compared with others of the same limiter.
///
/// Refused calls go first, whatever their class. Among the others a call of a class below stands in the line as if it had
/// asked a minute later. So urgent calls pass at once, and none waits for ever: a low call goes before a high
/// one that asked two minutes after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Priority {
    /// Somebody waits for it.
    High,
    /// What is not said to be anything else.
    #[default]
    Normal,
    /// It can wait.
    Low,
}

impl Priority {
    /// How much later than it did the call counts as having asked.
    pub(crate) const fn handicap(self) -> Duration {
        match self {
            Self::High => Duration::ZERO,
            Self::Normal => Duration::from_mins(1),
            Self::Low => Duration::from_mins(2),
        }
    }
}

/// A call was turned away instead of waiting for longer than it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Rejected {
    /// Which bound it was.
    pub reason: RejectReason,
    /// How long it would have waited yet, about.
    pub estimated_wait: Duration,
}

impl fmt::Display for Rejected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no ticket: {}; the wait would be about {}", self.reason, Rounded(self.estimated_wait))
    }
}

impl Error for Rejected {}

/// Which bound a call would have exceeded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RejectReason {
    /// The longest wait.
    MaxWait,
    /// The longest line.
    MaxLine,
    /// The deadline.
    Deadline,
}

impl fmt::Display for RejectReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::MaxWait => "the call may not wait so long",
            Self::MaxLine => "the line is as long as it may be",
            Self::Deadline => "the deadline would pass before",
        })
    }
}

/// As people say it.
struct Rounded(Duration);

impl fmt::Display for Rounded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(time) = self;
        if time.as_secs() < 10 { write!(f, "{:.1} s", time.as_secs_f64()) } else { write!(f, "{} s", time.as_secs()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rejection_is_one_line_that_says_why_and_how_long() {
        let rejected = |reason, millis| {
            let estimated_wait = Duration::from_millis(millis);
            Rejected { reason, estimated_wait }.to_string()
        };
        assert_eq!(
            rejected(RejectReason::MaxWait, 1_234),
            "no ticket: the call may not wait so long; the wait would be about 1.2 s"
        );
        assert_eq!(
            rejected(RejectReason::MaxLine, 61_900),
            "no ticket: the line is as long as it may be; the wait would be about 61 s"
        );
    }
}
