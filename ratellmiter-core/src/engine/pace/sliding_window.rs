//! What was taken in the last second, minute or day, so that no stretch of that length ever holds more than its limit.
//!
//! A meter spreads; a ledger only says no. It sees the times at which calls really went and what they took, and holds the
//! few that would be too much. What a call did not use after all can be taken out of its entry again.

use std::{collections::VecDeque, time::Duration};

use crate::engine::pace::gcra::nanos;

/// Amounts taken within any half-open stretch of time `width` long.
///
/// What is taken within one grain is kept as one entry, at the time of the last: a busy limiter's memory is bounded by the
/// grains of its width, and the error is on the safe side.
#[derive(Debug)]
pub(crate) struct SlidingWindow {
    /// All times in nanoseconds since the limiter's zero.
    width: u64,
    resolution: u64,
    /// Oldest first.
    entries: VecDeque<WindowEntry>,
    total: u64,
}

#[derive(Debug)]
struct WindowEntry {
    /// When it counts no longer.
    expires_at: u64,
    amount: u64,
}

impl SlidingWindow {
    pub(crate) fn new(width: Duration, grain: Duration) -> Self {
        Self { width: nanos(width), resolution: nanos(grain), entries: VecDeque::new(), total: 0 }
    }

    /// What counts at `now`.
    pub(crate) fn total(&mut self, now: Duration) -> u64 {
        self.advance_to(nanos(now));
        self.total
    }

    /// What counted when this was last looked at, or a little more than counts now.
    pub(crate) fn last_total(&self) -> u64 {
        self.total
    }

    /// When there is room for `cost` within `limit`. What is more than the limit goes when there is nothing else.
    pub(crate) fn due(&self, cost: u64, limit: u64) -> Duration {
        let fits = |left: u64| left == 0 || left.saturating_add(cost) <= limit;
        if fits(self.total) {
            return Duration::ZERO;
        }
        let mut left = self.total;
        let frees = self.entries.iter().find(|entry| {
            left -= entry.amount;
            fits(left)
        });
        Duration::from_nanos(frees.map_or(0, |entry| entry.expires_at))
    }

    /// Counts what is taken now.
    pub(crate) fn charge(&mut self, now: Duration, amount: u64) {
        self.advance_to(nanos(now));
        let amount = amount.min(u64::MAX - self.total);
        if amount == 0 {
            return;
        }
        self.total += amount;
        let leaves = nanos(now) + self.width;
        match self.entries.back_mut() {
            Some(last) if last.expires_at / self.resolution == leaves / self.resolution => {
                last.expires_at = leaves;
                last.amount += amount;
            }
            _ => self.entries.push_back(WindowEntry { expires_at: leaves, amount }),
        }
    }

    /// Takes out a part of what was taken at `at`. What has left already cannot be taken out.
    pub(crate) fn refund(&mut self, at: Duration, amount: u64) {
        let leaves = nanos(at) + self.width;
        let (begin, end) = (leaves - leaves % self.resolution, leaves - leaves % self.resolution + self.resolution);
        // Most calls are short: it is often the last.
        let index = match self.entries.back() {
            Some(last) if last.expires_at >= begin && last.expires_at < end => self.entries.len() - 1,
            _ => self.entries.partition_point(|entry| entry.expires_at < begin),
        };
        let Some(entry) = self.entries.get_mut(index).filter(|entry| entry.expires_at < end) else {
            return;
        };
        let amount = amount.min(entry.amount);
        entry.amount -= amount;
        self.total -= amount;
        if entry.amount == 0 {
            self.entries.remove(index);
        }
    }

    /// What was taken after `at`.
    pub(crate) fn taken_since(&self, at: Duration) -> u64 {
        let leaves = nanos(at) + self.width;
        self.entries.iter().rev().take_while(|entry| entry.expires_at > leaves).map(|entry| entry.amount).sum()
    }

    /// What counts at `now` by its age, oldest first.
    pub(crate) fn ages(&mut self, now: Duration) -> impl Iterator<Item = (Duration, u64)> {
        let now = nanos(now);
        self.advance_to(now);
        let left = now + self.width;
        self.entries.iter().map(move |entry| (Duration::from_nanos(left - entry.expires_at), entry.amount))
    }

    /// Counts what somebody took that long ago, also before the limiter's zero.
    pub(crate) fn restore(&mut self, now: Duration, age: Duration, amount: u64) {
        let amount = amount.min(u64::MAX - self.total);
        let Some(leaves) = (nanos(now) + self.width).checked_sub(nanos(age)).filter(|leaves| *leaves > nanos(now))
        else {
            return;
        };
        let index = self.entries.partition_point(|entry| entry.expires_at <= leaves);
        self.entries.insert(index, WindowEntry { expires_at: leaves, amount });
        self.total += amount;
    }

    /// Since when the oldest of what counts has counted, or since the limiter's zero.
    pub(crate) fn since(&self) -> Option<Duration> {
        self.entries.front().map(|entry| Duration::from_nanos(entry.expires_at.saturating_sub(self.width)))
    }

    /// Lets go of what has left.
    fn advance_to(&mut self, now: u64) {
        while let Some(oldest) = self.entries.front()
            && oldest.expires_at <= now
        {
            self.total -= oldest.amount;
            self.entries.pop_front();
        }
    }
}

#[cfg(test)]
mod tests;
