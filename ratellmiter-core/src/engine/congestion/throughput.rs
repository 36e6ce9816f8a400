//! The measured rate of calls that the server accepts.

use std::{collections::VecDeque, time::Duration};

/// Calls that are sent within this time of each other are counted as one entry.
pub(crate) const THROUGHPUT_GRAIN: Duration = Duration::from_millis(250);
/// The rate is measured over this time, or over [`THROUGHPUT_CALLS`] if these take longer.
pub(crate) const THROUGHPUT_SPAN: Duration = Duration::from_secs(5);
pub(crate) const THROUGHPUT_CALLS: u32 = 10;
/// Older calls are discarded.
pub(crate) const MAX_THROUGHPUT_SPAN: Duration = Duration::from_mins(2);
/// Fewer calls, or a shorter time, are not enough for a measurement.
pub(crate) const MIN_THROUGHPUT_CALLS: u32 = 3;
pub(crate) const MIN_THROUGHPUT_SPAN: Duration = Duration::from_secs(1);

/// Calls sent in the last two minutes, without refused ones.
#[derive(Debug, Default)]
pub(crate) struct Throughput {
    /// Entries of the time of the first call and the number of calls, oldest first.
    calls: VecDeque<(Duration, u32)>,
}

impl Throughput {
    /// Counts a call.
    pub(crate) fn on_sent(&mut self, now: Duration) {
        match self.calls.back_mut() {
            Some((at, count)) if now < *at + THROUGHPUT_GRAIN => *count += 1,
            _ => self.calls.push_back((now, 1)),
        }
        while self.calls.front().is_some_and(|(at, _)| *at + MAX_THROUGHPUT_SPAN < now) {
            self.calls.pop_front();
        }
    }

    /// Uncounts a call that was sent at `at` and refused.
    pub(crate) fn on_refusal(&mut self, at: Duration) {
        let entry = self.calls.iter_mut().rev().find(|(first, count)| *first <= at && *count > 0);
        if let Some((_, count)) = entry {
            *count -= 1;
        }
    }

    /// Drains the entries.
    #[cfg(feature = "redis")]
    pub(crate) fn drain(&mut self) -> impl Iterator<Item = (Duration, u32)> + use<> {
        // The last entry stays, empty: calls that follow closely are counted in it.
        let last = self.calls.back().map(|(at, _)| (*at, 0));
        std::mem::replace(&mut self.calls, last.into_iter().collect()).into_iter().filter(|(_, count)| *count > 0)
    }

    /// Restarts the measurement, because few calls are sent during a pause.
    pub(crate) fn clear(&mut self) {
        self.calls.clear();
    }

    /// Returns the rate in calls a second since the first call, over pauses as well. `None` without a call.
    pub(crate) fn rate_with_pauses(&self, now: Duration) -> Option<f64> {
        let (since, _) = self.calls.front()?;
        let count: u32 = self.calls.iter().map(|(_, count)| count).sum();
        let span = now.saturating_sub(*since).max(MIN_THROUGHPUT_SPAN);
        (count > 0).then(|| f64::from(count) / span.as_secs_f64())
    }

    /// Returns the rate in calls a second, or `None` if too few calls were sent.
    pub(crate) fn rate(&self, now: Duration) -> Option<f64> {
        let (mut count, mut since) = (0, now);
        for (at, calls) in self.calls.iter().rev() {
            if count >= THROUGHPUT_CALLS && since + THROUGHPUT_SPAN <= now {
                break;
            }
            (count, since) = (count + calls, *at);
        }
        let span = now.saturating_sub(since).as_secs_f64();
        (count >= MIN_THROUGHPUT_CALLS && span >= MIN_THROUGHPUT_SPAN.as_secs_f64()).then(|| f64::from(count) / span)
    }
}

#[cfg(test)]
mod tests;
