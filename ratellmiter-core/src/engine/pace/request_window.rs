//! How many calls went out in the last second and minute, so that lateness made up never puts more into either than
//! the limit.
//!
//! The meter counts from its schedule, not from when a timer happened to fire, so nothing is lost to late timers. But a
//! call sent late and the next sent in time stand closer together than the limit allows. The window sees the times at
//! which calls really went, and holds the few that would be one too many.

use std::{num::NonZeroU32, time::Duration};

use crate::engine::pace::sliding_window::SlidingWindow;

/// Calls that are closer together are counted as one entry.
const RESOLUTION: Duration = Duration::from_millis(1);

/// At most the limit in any minute, and at most the next whole number of calls, and one, in any second.
#[derive(Debug)]
pub(crate) struct RequestWindow {
    second: SlidingWindow,
    minute: SlidingWindow,
    per_second: u64,
    per_minute: u64,
}

impl RequestWindow {
    pub(crate) fn new(per_minute: NonZeroU32, burst: Duration) -> Self {
        let ledger = |seconds| SlidingWindow::new(Duration::from_secs(seconds), RESOLUTION);
        let mut window = Self { second: ledger(1), minute: ledger(60), per_second: 1, per_minute: 1 };
        window.set(per_minute, burst);
        window
    }

    /// What was saved up for `burst` may come on top.
    pub(crate) fn set(&mut self, per_minute: NonZeroU32, burst: Duration) {
        let per_minute = u64::from(per_minute.get());
        let burst = u64::try_from(burst.as_nanos() * u128::from(per_minute) / 60_000_000_000).unwrap_or(per_minute);
        self.per_second = per_minute.div_ceil(60) + burst + 1;
        self.per_minute = per_minute + burst;
    }

    /// When one more call is not too many.
    pub(crate) fn due(&self) -> Duration {
        self.second.due(1, self.per_second).max(self.minute.due(1, self.per_minute))
    }

    /// Calls of the last minute that went after `at`.
    pub(crate) fn sent_since(&self, at: Duration) -> u64 {
        self.minute.taken_since(at)
    }

    /// Counts a call that goes now.
    pub(crate) fn admit(&mut self, now: Duration) {
        self.second.charge(now, 1);
        self.minute.charge(now, 1);
    }

    /// Forgets a call counted at `at` that was never made.
    pub(crate) fn cancel(&mut self, at: Duration) {
        self.second.refund(at, 1);
        self.minute.refund(at, 1);
    }
}

#[cfg(test)]
mod tests;
