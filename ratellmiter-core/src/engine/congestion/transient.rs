//! Transient failures: the calls that are sent again, and the evidence that the server fails every call.
//!
//! A transient failure concerns its call alone, which is sent again after a wait. A budget bounds these retries, so that they
//! do not multiply the load of a server that is already failing. Failures in a row without a success show that no call
//! succeeds; the limiter then pauses as for an overloaded server.

use std::time::Duration;

use crate::engine::{call_id::CallId, congestion::backoff::MAX_HINT, pace::sliding_window::SlidingWindow};

/// Wait before the first retry of a call without a hint from the server. It doubles with each retry.
pub(crate) const FIRST_WAIT: Duration = Duration::from_millis(500);
/// The longest wait without a hint.
pub(crate) const MAX_WAIT: Duration = Duration::from_secs(8);
/// Calls of the last minute that allow one retry.
pub(crate) const CALLS_PER_RETRY: u64 = 5;
/// Retries in a minute that need no calls.
pub(crate) const FREE_RETRIES: u64 = 10;
/// Calls that fail without a success before the server counts as failing, if fewer calls are in flight.
pub(crate) const FAILED_CALLS: usize = 5;
/// The same, however many calls are in flight.
pub(crate) const MAX_FAILED_CALLS: usize = 64;

const MINUTE: Duration = Duration::from_mins(1);
/// Retries within this time are one entry.
const RESOLUTION: Duration = Duration::from_millis(1);

/// A transient failure of a call.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Failure {
    pub(crate) call: CallId,
    /// The wait that the server asks for.
    pub(crate) hint: Option<Duration>,
    /// Number of times that the call was already sent again after such a failure.
    pub(crate) retries: u32,
    /// Maximum of `retries`.
    pub(crate) max_retries: u32,
    /// Time by which the call is to be sent again, if there is one.
    pub(crate) deadline: Option<Duration>,
}

#[derive(Debug)]
pub(crate) struct TransientFailures {
    /// Retries that were granted in the last minute.
    granted: SlidingWindow,
    /// Retries that were sent in the last minute.
    sent: SlidingWindow,
    /// The calls that have failed since the last success, without duplicates.
    failed: Vec<CallId>,
}

impl Default for TransientFailures {
    fn default() -> Self {
        let window = || SlidingWindow::new(MINUTE, RESOLUTION);
        Self { granted: window(), sent: window(), failed: Vec::new() }
    }
}

impl TransientFailures {
    /// Records a failure and decides about its call. `sent` calls were sent in the last minute, retries included. Returns the
    /// wait until the call is sent again, without jitter, or `None` if its error is to be returned.
    pub(crate) fn on_failure(&mut self, now: Duration, failure: &Failure, sent: u64) -> Option<Duration> {
        if self.failed.len() < MAX_FAILED_CALLS && !self.failed.contains(&failure.call) {
            self.failed.push(failure.call);
        }
        let calls = sent.saturating_sub(self.sent.total(now));
        let wait = match failure.hint {
            Some(hint) if !hint.is_zero() => hint,
            _ => FIRST_WAIT.saturating_mul(1 << failure.retries.min(8)).min(MAX_WAIT),
        };
        let is_allowed = failure.retries < failure.max_retries
            && wait <= MAX_HINT
            && failure.deadline.is_none_or(|deadline| now + wait <= deadline)
            && self.granted.total(now) < calls / CALLS_PER_RETRY + FREE_RETRIES;
        if !is_allowed {
            return None;
        }
        self.granted.charge(now, 1);
        Some(wait)
    }

    /// Returns `true` if the server fails every call, as far as is known with `in_flight` calls in flight.
    pub(crate) fn is_failing(&self, in_flight: u64) -> bool {
        // Calls in flight may still succeed, and show so only at their end.
        let in_flight = usize::try_from(in_flight).unwrap_or(usize::MAX);
        self.failed.len() >= in_flight.clamp(FAILED_CALLS, MAX_FAILED_CALLS)
    }

    /// Records that a call succeeded.
    pub(crate) fn on_success(&mut self) {
        self.failed.clear();
    }

    /// Records that a call is sent again.
    pub(crate) fn on_retry_sent(&mut self, now: Duration) {
        self.sent.charge(now, 1);
    }

    /// Records that a retry that was granted at `at` was not sent.
    pub(crate) fn on_retry_cancelled(&mut self, at: Duration) {
        self.sent.refund(at, 1);
    }
}

#[cfg(test)]
mod tests;
