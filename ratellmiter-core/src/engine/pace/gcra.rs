//! The generic cell rate algorithm (GCRA): when the next cost may be charged at a constant rate.
//!
//! The state is the theoretical arrival time (TAT), at which all charges are paid off. It is kept in whole nanoseconds and a
//! fraction with the rate as denominator, so nothing is rounded: 7 calls a minute are exactly 7.

use std::{num::NonZeroU64, time::Duration};

use crate::engine::pace::pacer_forecast::PacerForecast;

const MINUTE_NANOS: u64 = 60_000_000_000;

#[derive(Debug)]
pub(crate) struct Gcra {
    per_minute: u64,
    /// The theoretical arrival time, in nanoseconds and `1 / per_minute` nanoseconds.
    tat_nanos: u64,
    tat_fraction: u64,
    /// Time, in nanoseconds, whose unused budget may be charged at once.
    burst: u64,
}

impl Gcra {
    pub(crate) fn new(per_minute: NonZeroU64) -> Self {
        Self { per_minute: per_minute.get(), tat_nanos: 0, tat_fraction: 0, burst: 0 }
    }

    /// Sets the time whose unused budget may be charged at once. One call may always be sent.
    pub(crate) fn set_burst(&mut self, horizon: Duration) {
        self.burst = nanos(horizon);
    }

    /// Returns when the next cost may be charged, whatever its amount, rounded up to the nanosecond.
    pub(crate) fn due(&self) -> Duration {
        Duration::from_nanos(self.tat().saturating_sub(self.tolerance()))
    }

    /// Returns a copy that is run ahead of time, for estimates.
    #[allow(clippy::cast_precision_loss)] // An estimate.
    pub(crate) fn forecast(&self) -> PacerForecast {
        PacerForecast::of_meter(self.tat() as f64, MINUTE_NANOS as f64 / self.per_minute as f64, self.burst as f64)
    }

    /// Returns the theoretical arrival time in nanoseconds, rounded up.
    fn tat(&self) -> u64 {
        self.tat_nanos.saturating_add(u64::from(self.tat_fraction > 0))
    }

    /// Returns how far the theoretical arrival time may be ahead of a charge. The first call of a burst needs no tolerance.
    fn tolerance(&self) -> u64 {
        self.burst.saturating_sub(MINUTE_NANOS.div_ceil(self.per_minute))
    }

    /// Discards unused budget, because a refusal shows that the server has none.
    pub(crate) fn drop_burst(&mut self, now: Duration) {
        let empty = nanos(now) + self.tolerance();
        if self.tat_nanos < empty {
            (self.tat_nanos, self.tat_fraction) = (empty, 0);
        }
    }

    /// Charges a call that was scheduled for `slot`, which is not before [`due`](Self::due).
    pub(crate) fn admit(&mut self, slot: Duration, cost: u64) {
        // `tat` is rounded up: a call that is scheduled for it stays on the exact schedule.
        if nanos(slot) > self.tat() {
            (self.tat_nanos, self.tat_fraction) = (nanos(slot), 0);
        }
        self.charge(cost);
    }

    /// Charges `cost` for earlier calls. It delays later ones.
    pub(crate) fn charge(&mut self, cost: u64) {
        let (nanos, fraction) = self.time_of(cost);
        let has_carry = self.tat_fraction >= self.per_minute - fraction;
        self.tat_fraction =
            if has_carry { self.tat_fraction - (self.per_minute - fraction) } else { self.tat_fraction + fraction };
        self.tat_nanos = self.tat_nanos.saturating_add(nanos).saturating_add(u64::from(has_carry));
    }

    /// Refunds a charge, or a fraction of it.
    pub(crate) fn refund(&mut self, cost: u64) {
        let (nanos, fraction) = self.time_of(cost);
        let has_borrow = self.tat_fraction < fraction;
        self.tat_fraction =
            if has_borrow { self.tat_fraction + (self.per_minute - fraction) } else { self.tat_fraction - fraction };
        self.tat_nanos = self.tat_nanos.saturating_sub(nanos).saturating_sub(u64::from(has_borrow));
    }

    /// Returns the cost that could have been charged from the theoretical arrival time to `now`.
    pub(crate) fn unused(&self, now: Duration) -> u64 {
        let accrued = u128::from(nanos(now).saturating_sub(self.tat())) * u128::from(self.per_minute);
        u64::try_from(accrued / u128::from(MINUTE_NANOS)).unwrap_or(u64::MAX)
    }

    /// Returns the time in which the rate pays off `cost`, in nanoseconds and `1 / per_minute` nanoseconds.
    fn time_of(&self, cost: u64) -> (u64, u64) {
        if let Some(exact) = MINUTE_NANOS.checked_mul(cost) {
            return (exact / self.per_minute, exact % self.per_minute);
        }
        let (exact, per_minute) = (u128::from(MINUTE_NANOS) * u128::from(cost), u128::from(self.per_minute));
        let fraction = u64::try_from(exact % per_minute).unwrap_or_default();
        (u64::try_from(exact / per_minute).unwrap_or(u64::MAX), fraction)
    }

    /// Changes the rate from `now` on. Outstanding charges keep their amount.
    pub(crate) fn set_rate(&mut self, now: Duration, per_minute: NonZeroU64) {
        if per_minute.get() == self.per_minute {
            return;
        }
        let now = nanos(now);
        let outstanding = match self.tat_nanos.checked_sub(now) {
            Some(left) => u128::from(left) * u128::from(self.per_minute) + u128::from(self.tat_fraction),
            None => 0,
        };
        self.per_minute = per_minute.get();
        // An outstanding call takes at most a minute, so this saturates only for absurd costs.
        let whole = outstanding / u128::from(self.per_minute);
        self.tat_nanos = now.saturating_add(u64::try_from(whole).unwrap_or(u64::MAX));
        self.tat_fraction = u64::try_from(outstanding % u128::from(self.per_minute)).unwrap_or(0);
    }
}

/// Returns a time since the limiter was created in nanoseconds, which suffice for five centuries.
pub(crate) fn nanos(at: Duration) -> u64 {
    at.as_secs() * 1_000_000_000 + u64::from(at.subsec_nanos())
}

#[cfg(test)]
mod tests;
