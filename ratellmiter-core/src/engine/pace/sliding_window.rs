//! Amounts charged in the last second, minute or day, so that no stretch of that length exceeds its limit.
//!
//! A meter spreads charges over time, and a window only delays the few that would exceed the limit. It counts by the times at
//! which calls were sent. The unused part of a charge can be refunded.

use std::{collections::VecDeque, time::Duration};

use crate::engine::pace::{gcra::nanos, window_forecast::WindowForecast};

/// Amounts charged in any half-open interval of length `width`.
///
/// Charges within one `resolution` are one entry, at the time of the last, which bounds the memory of a busy limiter. An entry
/// expires late rather than early.
#[derive(Debug)]
pub(crate) struct SlidingWindow {
    /// In nanoseconds, as all times here, which count from the creation of the limiter.
    width: u64,
    resolution: u64,
    /// Ordered by expiry.
    entries: VecDeque<WindowEntry>,
    total: u64,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct WindowEntry {
    pub(super) expires_at: u64,
    pub(super) amount: u64,
}

impl SlidingWindow {
    pub(crate) fn new(width: Duration, resolution: Duration) -> Self {
        Self { width: nanos(width), resolution: nanos(resolution), entries: VecDeque::new(), total: 0 }
    }

    /// Returns the amount that counts at `now`.
    pub(crate) fn total(&mut self, now: Duration) -> u64 {
        self.advance_to(nanos(now));
        self.total
    }

    /// Returns the amount that counted when the window was last advanced. It is at least the present one.
    pub(crate) fn last_total(&self) -> u64 {
        self.total
    }

    /// Returns when `cost` fits the `limit`. A cost above the limit fits an empty window.
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

    /// Charges an amount now.
    pub(crate) fn charge(&mut self, now: Duration, amount: u64) {
        self.advance_to(nanos(now));
        let amount = amount.min(u64::MAX - self.total);
        if amount == 0 {
            return;
        }
        self.total += amount;
        let expires_at = nanos(now) + self.width;
        match self.entries.back_mut() {
            Some(last) if last.expires_at / self.resolution == expires_at / self.resolution => {
                last.expires_at = expires_at;
                last.amount += amount;
            }
            _ => self.entries.push_back(WindowEntry { expires_at, amount }),
        }
    }

    /// Refunds a part of the amount that was charged at `at`, unless it has expired.
    pub(crate) fn refund(&mut self, at: Duration, amount: u64) {
        let expires_at = nanos(at) + self.width;
        let (start, end) =
            (expires_at - expires_at % self.resolution, expires_at - expires_at % self.resolution + self.resolution);
        // Most calls are short, so it is often the last entry.
        let index = match self.entries.back() {
            Some(last) if last.expires_at >= start && last.expires_at < end => self.entries.len() - 1,
            _ => self.entries.partition_point(|entry| entry.expires_at < start),
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

    /// Returns the amount charged after `at`.
    pub(crate) fn taken_since(&self, at: Duration) -> u64 {
        let expires_at = nanos(at) + self.width;
        self.entries.iter().rev().take_while(|entry| entry.expires_at > expires_at).map(|entry| entry.amount).sum()
    }

    /// Returns the amounts that count at `now` by age, oldest first.
    pub(crate) fn ages(&mut self, now: Duration) -> impl Iterator<Item = (Duration, u64)> {
        let now = nanos(now);
        self.advance_to(now);
        let latest_expiry = now + self.width;
        self.entries.iter().map(move |entry| (Duration::from_nanos(latest_expiry - entry.expires_at), entry.amount))
    }

    /// Charges an amount of this age, which may be from before the limiter was created.
    pub(crate) fn restore(&mut self, now: Duration, age: Duration, amount: u64) {
        let amount = amount.min(u64::MAX - self.total);
        let Some(expires_at) =
            (nanos(now) + self.width).checked_sub(nanos(age)).filter(|expires_at| *expires_at > nanos(now))
        else {
            return;
        };
        let index = self.entries.partition_point(|entry| entry.expires_at <= expires_at);
        self.entries.insert(index, WindowEntry { expires_at, amount });
        self.total += amount;
    }

    /// Returns when the oldest entry was charged, at the earliest when the limiter was created. `None` if there are no entries.
    pub(crate) fn since(&self) -> Option<Duration> {
        self.entries.front().map(|entry| Duration::from_nanos(entry.expires_at.saturating_sub(self.width)))
    }

    /// Returns a view of the window that is run ahead of time against this `limit`, for estimates.
    pub(crate) fn forecast(&self, limit: u64) -> WindowForecast<'_> {
        WindowForecast::of_entries(self.width, limit, self.total, self.entries.iter())
    }

    /// Returns the ages of the last `amount`s charged, newest first, with the amounts of that age.
    pub(crate) fn newest(&self, now: Duration, amount: u64) -> impl Iterator<Item = (Duration, u64)> {
        let latest_expiry = nanos(now) + self.width;
        let mut left = amount;
        let entries = self.entries.iter().rev().map_while(move |entry| {
            let part = left.min(entry.amount);
            left -= part;
            (part > 0).then_some((entry.expires_at, part))
        });
        entries.map(move |(expires_at, part)| (Duration::from_nanos(latest_expiry.saturating_sub(expires_at)), part))
    }

    /// Discards expired entries.
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
