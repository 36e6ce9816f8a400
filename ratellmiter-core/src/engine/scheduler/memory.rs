//! The time for which an idle limiter remembers its calls.

use std::time::Duration;

use super::Scheduler;

/// Time without a call after which nothing of calls that all succeeded counts: more than the window of a minute, a burst of a minute
/// and the ramp.
const OF_SUCCESSES: Duration = Duration::from_mins(2);

/// The same after refusals, failures, limits in headers or usage: more than the memory of refused calls and of failed tests.
const OF_EVENTS: Duration = Duration::from_mins(15);

/// The use of a limiter, as far as its memory depends on it.
#[derive(Debug, Default)]
pub(super) struct Memory {
    /// Time at which a call was last requested or ended.
    pub(super) used_at: Duration,
    /// Something else than a success has happened: a refusal, a failure, limits in headers, a usage, or what an earlier run has
    /// saved.
    pub(super) is_eventful: bool,
    /// A caller has changed the limits, which only this limiter knows.
    is_configured: bool,
}

impl<W> Scheduler<W> {
    /// Keeps the limiter, since a caller has changed its limits.
    pub(crate) fn keep(&mut self) {
        self.memory.is_configured = true;
    }

    /// Returns `true` if a new limiter would behave differently: calls are queued or in flight, a pause, a window, an adapted limit, a
    /// day or a fleet counts, or rows are to be written. Learned estimates of usage count for a quarter of an hour.
    pub(crate) fn remembers(&mut self, now: Duration) -> bool {
        let has_calls = self.in_flight > 0 || self.queue.total() > 0;
        if has_calls
            || self.memory.is_configured
            || self.has_probe
            || self.fleet.is_some()
            || self.reduced.is_some()
            || self.stats.has_rows()
        {
            return true;
        }
        // Budgets count the usage of calls, and their charges stay if a call was dropped.
        let is_eventful = self.memory.is_eventful || !self.budgets.is_empty();
        let memory = if is_eventful { OF_EVENTS } else { OF_SUCCESSES };
        if now.saturating_sub(self.memory.used_at) <= memory {
            return true;
        }
        is_eventful
            && (self.closed().is_some()
                || self.paused_for(now).is_some_and(|left| !left.is_zero())
                || self.ceilings() != (None, None)
                || self.budgets.day_usage(now).iter().any(|(_, ages)| !ages.is_empty()))
    }
}
