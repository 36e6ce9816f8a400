//! GCRA arithmetic of one limit: when may a cost go, take it, change the rate.
//!
//! A meter is one number, the theoretical arrival time: when the budget is whole again. It is kept in whole nanoseconds and
//! a fraction over the rate, so nothing is ever rounded: 7 calls a minute are exactly 7.

use std::{num::NonZeroU64, time::Duration};

const MINUTE_NANOS: u64 = 60_000_000_000;

#[derive(Debug)]
pub(crate) struct Gcra {
    per_minute: u64,
    /// The theoretical arrival time: nanoseconds, and so many `per_minute`ths of one.
    tat_nanos: u64,
    tat_fraction: u64,
    /// How far ahead of its budget it may be: unused budget that may go at once.
    burst: u64,
}

impl Gcra {
    pub(crate) fn new(per_minute: NonZeroU64) -> Self {
        Self { per_minute: per_minute.get(), tat_nanos: 0, tat_fraction: 0, burst: 0 }
    }

    /// How much unused budget may go at once: what the rate brings in this time, and at least one call.
    pub(crate) fn set_burst(&mut self, horizon: Duration) {
        self.burst = nanos(horizon);
    }

    /// When the next call may go, rounded up to the nanosecond. What it costs delays those after it.
    pub(crate) fn due(&self) -> Duration {
        Duration::from_nanos(self.tat().saturating_sub(self.tolerance()))
    }

    /// When the budget is whole again, rounded up to the nanosecond.
    fn tat(&self) -> u64 {
        self.tat_nanos.saturating_add(u64::from(self.tat_fraction > 0))
    }

    /// The first call of a burst needs no tolerance.
    fn tolerance(&self) -> u64 {
        self.burst.saturating_sub(MINUTE_NANOS.div_ceil(self.per_minute))
    }

    /// The server has no more than it shows: what was saved up is gone.
    pub(crate) fn drop_burst(&mut self, now: Duration) {
        let empty = nanos(now) + self.tolerance();
        if self.tat_nanos < empty {
            (self.tat_nanos, self.tat_fraction) = (empty, 0);
        }
    }

    /// Charges a cost to a call that went at `slot`, which is not before [`due`](Self::due).
    pub(crate) fn admit(&mut self, slot: Duration, cost: u64) {
        // `whole` is rounded up: a call that goes just then goes on the exact schedule.
        if nanos(slot) > self.tat() {
            (self.tat_nanos, self.tat_fraction) = (nanos(slot), 0);
        }
        self.charge(cost);
    }

    /// Charges a call that went long ago for more than was thought: those that come wait for it.
    pub(crate) fn charge(&mut self, cost: u64) {
        let (nanos, part) = self.time_of(cost);
        let carried = self.tat_fraction >= self.per_minute - part;
        self.tat_fraction =
            if carried { self.tat_fraction - (self.per_minute - part) } else { self.tat_fraction + part };
        self.tat_nanos = self.tat_nanos.saturating_add(nanos).saturating_add(u64::from(carried));
    }

    /// Takes back what was charged to a call, or a part of it.
    pub(crate) fn refund(&mut self, cost: u64) {
        let (nanos, part) = self.time_of(cost);
        let lent = self.tat_fraction < part;
        self.tat_fraction = if lent { self.tat_fraction + (self.per_minute - part) } else { self.tat_fraction - part };
        self.tat_nanos = self.tat_nanos.saturating_sub(nanos).saturating_sub(u64::from(lent));
    }

    /// What has been brought since the budget was whole.
    pub(crate) fn unused(&self, now: Duration) -> u64 {
        let brought = u128::from(nanos(now).saturating_sub(self.tat())) * u128::from(self.per_minute);
        u64::try_from(brought / u128::from(MINUTE_NANOS)).unwrap_or(u64::MAX)
    }

    /// How long the rate needs for it: nanoseconds, and so many `per_minute`ths of one.
    fn time_of(&self, cost: u64) -> (u64, u64) {
        if let Some(exact) = MINUTE_NANOS.checked_mul(cost) {
            return (exact / self.per_minute, exact % self.per_minute);
        }
        let (exact, per_minute) = (u128::from(MINUTE_NANOS) * u128::from(cost), u128::from(self.per_minute));
        let part = u64::try_from(exact % per_minute).unwrap_or_default();
        (u64::try_from(exact / per_minute).unwrap_or(u64::MAX), part)
    }

    /// Changes the rate from `now` on; what is owed stays the same cost.
    pub(crate) fn set_rate(&mut self, now: Duration, per_minute: NonZeroU64) {
        if per_minute.get() == self.per_minute {
            return;
        }
        let now = nanos(now);
        let owed = match self.tat_nanos.checked_sub(now) {
            Some(left) => u128::from(left) * u128::from(self.per_minute) + u128::from(self.tat_fraction),
            None => 0,
        };
        self.per_minute = per_minute.get();
        // At most a minute's worth for each call that may be owed: far from the end of time.
        let whole = owed / u128::from(self.per_minute);
        self.tat_nanos = now.saturating_add(u64::try_from(whole).unwrap_or(u64::MAX));
        self.tat_fraction = u64::try_from(owed % u128::from(self.per_minute)).unwrap_or(0);
    }
}

/// Since the limiter's zero: enough for five centuries.
pub(crate) fn nanos(at: Duration) -> u64 {
    at.as_secs() * 1_000_000_000 + u64::from(at.subsec_nanos())
}

#[cfg(test)]
mod tests;
