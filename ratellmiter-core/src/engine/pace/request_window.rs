//! Calls sent in the last second and in the last minute.
//!
//! The meter counts from its schedule and not from the time at which a timer fired, so late timers do not lower the rate. A call
//! sent late and the next one sent in time are then closer together than the limit allows. The window counts by the times at
//! which calls were sent, and delays the calls that would exceed the limit.

use std::{num::NonZeroU32, time::Duration};

use crate::engine::pace::{sliding_window::SlidingWindow, window_forecast::WindowForecast};

/// Calls that are sent within this time are one entry.
const RESOLUTION: Duration = Duration::from_millis(1);

/// Allows at most the limit in any minute, and at most 1 / 60 of it, rounded up, plus one call in any second.
#[derive(Debug)]
pub(crate) struct RequestWindow {
    second: SlidingWindow,
    minute: SlidingWindow,
    per_second: u64,
    per_minute: u64,
}

impl RequestWindow {
    pub(crate) fn new(per_minute: NonZeroU32, burst: Duration) -> Self {
        let window = |seconds| SlidingWindow::new(Duration::from_secs(seconds), RESOLUTION);
        let mut window = Self { second: window(1), minute: window(60), per_second: 1, per_minute: 1 };
        window.set(per_minute, burst);
        window
    }

    /// Changes the limits. The calls of a `burst` may be sent in addition.
    pub(crate) fn set(&mut self, per_minute: NonZeroU32, burst: Duration) {
        let per_minute = u64::from(per_minute.get());
        let burst = u64::try_from(burst.as_nanos() * u128::from(per_minute) / 60_000_000_000).unwrap_or(per_minute);
        self.per_second = per_minute.div_ceil(60) + burst + 1;
        self.per_minute = per_minute + burst;
    }

    /// Returns when the next call is within both limits.
    pub(crate) fn due(&self) -> Duration {
        self.second.due(1, self.per_second).max(self.minute.due(1, self.per_minute))
    }

    /// Returns a view of the minute that is run ahead of time. The limit of a second only delays calls after late timers.
    pub(crate) fn forecast(&self) -> WindowForecast<'_> {
        self.minute.forecast(self.per_minute)
    }

    /// Returns the ages of the last `calls` calls of the last minute, newest first, with the number of calls of that age.
    pub(crate) fn newest(&self, now: Duration, calls: u64) -> impl Iterator<Item = (Duration, u64)> {
        self.minute.newest(now, calls)
    }

    /// Returns the number of calls of the last minute that were sent after `at`.
    pub(crate) fn sent_since(&self, at: Duration) -> u64 {
        self.minute.taken_since(at)
    }

    /// Returns the number of calls sent in the last minute.
    pub(crate) fn sent_in_last_minute(&mut self, now: Duration) -> u64 {
        self.minute.total(now)
    }

    /// Counts a call that is sent now.
    pub(crate) fn admit(&mut self, now: Duration) {
        self.second.charge(now, 1);
        self.minute.charge(now, 1);
    }

    /// Uncounts a call that was granted at `at` but not sent.
    pub(crate) fn cancel(&mut self, at: Duration) {
        self.second.refund(at, 1);
        self.minute.refund(at, 1);
    }
}

#[cfg(test)]
mod tests;
