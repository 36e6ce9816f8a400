//! The future usage of a sliding window, for estimates.

use std::{
    collections::{VecDeque, vec_deque},
    iter::Peekable,
};

use super::sliding_window::WindowEntry;

/// Calls of the forecast are taken together as long as a window needs at least this number of such steps to fill up.
const MIN_STEPS: u64 = 8;

/// A sliding window that is run ahead of time.
///
/// Times are nanoseconds since the limiter was created.
#[derive(Debug)]
pub(crate) struct WindowForecast<'a> {
    limit: u64,
    width: u64,
    total: u64,
    /// Entries of the window that have not expired yet.
    entries: Peekable<vec_deque::Iter<'a, WindowEntry>>,
    /// Later entries, in the order of their expiry.
    later: VecDeque<WindowEntry>,
    /// Parts of charges that are refunded when the calls end, in the order of those ends.
    refunds: VecDeque<WindowEntry>,
    /// Expiry of the last discarded entry.
    freed_at: u64,
}

impl<'a> WindowForecast<'a> {
    /// Creates a window without entries.
    pub(crate) fn new(width: u64, limit: u64) -> Self {
        Self::of_entries(width, limit, 0, vec_deque::Iter::default())
    }

    pub(super) fn of_entries(width: u64, limit: u64, total: u64, entries: vec_deque::Iter<'a, WindowEntry>) -> Self {
        Self {
            limit,
            width,
            total,
            entries: entries.peekable(),
            later: VecDeque::new(),
            refunds: VecDeque::new(),
            freed_at: 0,
        }
    }

    /// Adds an amount that expires at `expires_at`, not before the expiry of any other.
    pub(crate) fn add(&mut self, expires_at: u64, amount: u64) {
        self.total = self.total.saturating_add(amount);
        self.later.push_back(WindowEntry { expires_at, amount });
    }

    /// Charges a call that is sent at `at`. When it ends after `latency`, its charge is reduced to `kept`.
    pub(crate) fn charge(&mut self, at: u64, amount: u64, kept: u64, latency: u64) {
        let refunded = amount.saturating_sub(kept);
        self.add(at + self.width, amount - refunded);
        if refunded > 0 {
            self.total = self.total.saturating_add(refunded);
            self.refunds.push_back(WindowEntry { expires_at: at + latency.min(self.width), amount: refunded });
        }
    }

    /// Returns when `cost` fits, and discards the entries that expire until then. A cost above the limit fits an empty window.
    pub(crate) fn due(&mut self, cost: u64) -> u64 {
        while self.total > 0 && self.total.saturating_add(cost) > self.limit && self.discard_next(u64::MAX) {}
        self.freed_at
    }

    /// Returns the number of calls of this cost that fit at `now`.
    pub(crate) fn room(&mut self, now: u64, cost: u64) -> u64 {
        while self.discard_next(now) {}
        self.limit.saturating_sub(self.total).checked_div(cost).unwrap_or(u64::MAX)
    }

    /// Returns the largest number of calls of this cost that may be taken together.
    pub(crate) fn calls_per_step(&self, cost: u64) -> u64 {
        self.limit.checked_div(cost.saturating_mul(MIN_STEPS)).unwrap_or(u64::MAX)
    }

    /// Returns the time in which the window admits a call of this cost in the long run, in nanoseconds.
    #[allow(clippy::cast_precision_loss)] // An estimate.
    pub(crate) fn time_of(&self, cost: u64) -> f64 {
        self.limit.checked_div(cost).map_or(0.0, |calls| self.width as f64 / calls.max(1) as f64)
    }

    /// Discards the entry that expires next, if it has expired at `now`. Returns `false` if it has not.
    fn discard_next(&mut self, now: u64) -> bool {
        // Earlier entries expire before later ones.
        let entry = self.entries.peek().copied().or_else(|| self.later.front());
        let refund = self.refunds.front();
        let is_refund = refund.is_some_and(|refund| entry.is_none_or(|entry| refund.expires_at < entry.expires_at));
        let Some(&next) = (if is_refund { refund } else { entry }) else { return false };
        if next.expires_at > now {
            return false;
        }
        if is_refund {
            self.refunds.pop_front();
        } else if self.entries.next().is_none() {
            self.later.pop_front();
        }
        self.total = self.total.saturating_sub(next.amount);
        self.freed_at = self.freed_at.max(next.expires_at);
        true
    }
}

#[cfg(test)]
mod tests;
