//! GCRA arithmetic of one limit: when may a cost go, take it, change the rate.
//!
//! A meter is one number, the theoretical arrival time: when the budget is whole again. It is kept in whole nanoseconds and
//! a fraction over the rate, so nothing is ever rounded: 7 calls a minute are exactly 7.

use std::{num::NonZeroU64, time::Duration};

const MINUTE: u64 = 60_000_000_000;

#[derive(Debug)]
pub(crate) struct Gcra {
    per_minute: u64,
    /// The theoretical arrival time: nanoseconds, and so many `per_minute`ths of one.
    nanos: u64,
    part: u64,
    /// How far ahead of its budget it may be: unused budget that may go at once.
    burst: u64,
}

impl Gcra {
    pub(crate) fn new(per_minute: NonZeroU64) -> Self {
        Self { per_minute: per_minute.get(), nanos: 0, part: 0, burst: 0 }
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
        self.nanos.saturating_add(u64::from(self.part > 0))
    }

    /// The first call of a burst needs no tolerance.
    fn tolerance(&self) -> u64 {
        self.burst.saturating_sub(MINUTE.div_ceil(self.per_minute))
    }

    /// The server has no more than it shows: what was saved up is gone.
    pub(crate) fn drop_burst(&mut self, now: Duration) {
        let empty = nanos(now) + self.tolerance();
        if self.nanos < empty {
            (self.nanos, self.part) = (empty, 0);
        }
    }

    /// Charges a cost to a call that went at `slot`, which is not before [`due`](Self::due).
    pub(crate) fn admit(&mut self, slot: Duration, cost: u64) {
        // `whole` is rounded up: a call that goes just then goes on the exact schedule.
        if nanos(slot) > self.tat() {
            (self.nanos, self.part) = (nanos(slot), 0);
        }
        self.charge(cost);
    }

    /// Charges a call that went long ago for more than was thought: those that come wait for it.
    pub(crate) fn charge(&mut self, cost: u64) {
        let (nanos, part) = self.time_of(cost);
        let carried = self.part >= self.per_minute - part;
        self.part = if carried { self.part - (self.per_minute - part) } else { self.part + part };
        self.nanos = self.nanos.saturating_add(nanos).saturating_add(u64::from(carried));
    }

    /// Takes back what was charged to a call, or a part of it.
    pub(crate) fn refund(&mut self, cost: u64) {
        let (nanos, part) = self.time_of(cost);
        let lent = self.part < part;
        self.part = if lent { self.part + (self.per_minute - part) } else { self.part - part };
        self.nanos = self.nanos.saturating_sub(nanos).saturating_sub(u64::from(lent));
    }

    /// What has been brought since the budget was whole.
    pub(crate) fn unused(&self, now: Duration) -> u64 {
        let brought = u128::from(nanos(now).saturating_sub(self.tat())) * u128::from(self.per_minute);
        u64::try_from(brought / u128::from(MINUTE)).unwrap_or(u64::MAX)
    }

    /// How long the rate needs for it: nanoseconds, and so many `per_minute`ths of one.
    fn time_of(&self, cost: u64) -> (u64, u64) {
        if let Some(exact) = MINUTE.checked_mul(cost) {
            return (exact / self.per_minute, exact % self.per_minute);
        }
        let (exact, per_minute) = (u128::from(MINUTE) * u128::from(cost), u128::from(self.per_minute));
        let part = u64::try_from(exact % per_minute).unwrap_or_default();
        (u64::try_from(exact / per_minute).unwrap_or(u64::MAX), part)
    }

    /// Changes the rate from `now` on; what is owed stays the same cost.
    pub(crate) fn set_rate(&mut self, now: Duration, per_minute: NonZeroU64) {
        if per_minute.get() == self.per_minute {
            return;
        }
        let now = nanos(now);
        let owed = match self.nanos.checked_sub(now) {
            Some(left) => u128::from(left) * u128::from(self.per_minute) + u128::from(self.part),
            None => 0,
        };
        self.per_minute = per_minute.get();
        // At most a minute's worth for each call that may be owed: far from the end of time.
        let whole = owed / u128::from(self.per_minute);
        self.nanos = now.saturating_add(u64::try_from(whole).unwrap_or(u64::MAX));
        self.part = u64::try_from(owed % u128::from(self.per_minute)).unwrap_or(0);
    }
}

/// Since the limiter's zero: enough for five centuries.
pub(crate) fn nanos(at: Duration) -> u64 {
    at.as_secs() * 1_000_000_000 + u64::from(at.subsec_nanos())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn meter(per_minute: u64) -> Gcra {
        Gcra::new(NonZeroU64::new(per_minute).unwrap())
    }

    #[test]
    fn fractions_of_a_second_are_exact() {
        for (per_minute, calls, seconds) in [(5, 1, 12), (90, 3, 2), (7, 7, 60), (1, 1, 60), (119, 119, 60)] {
            let mut meter = meter(per_minute);
            for _ in 0..calls {
                meter.admit(meter.due(), 1);
            }
            assert_eq!(meter.due(), Duration::from_secs(seconds), "{per_minute} a minute");
        }
    }

    #[test]
    fn an_idle_meter_saves_nothing_up() {
        let mut meter = meter(60);
        meter.admit(Duration::from_secs(100), 1);
        assert_eq!(meter.due(), Duration::from_secs(101));
    }

    #[test]
    fn a_new_rate_holds_from_the_next_call_on() {
        let mut meter = meter(5);
        meter.admit(Duration::ZERO, 1);
        meter.set_rate(Duration::from_secs(6), NonZeroU64::new(60).unwrap());
        // Half of the call was still owed.
        assert_eq!(meter.due(), Duration::from_millis(6500));
        meter.set_rate(Duration::from_secs(6), NonZeroU64::new(1).unwrap());
        assert_eq!(meter.due(), Duration::from_secs(36));
    }

    #[test]
    fn what_is_given_back_leaves_no_trace() {
        let mut meter = meter(7);
        (0..3).for_each(|_| meter.admit(meter.due(), 1));
        let before = (meter.nanos, meter.part);
        (0..10).for_each(|_| meter.admit(meter.due(), 1));
        (0..10).for_each(|_| meter.refund(1));
        assert_eq!((meter.nanos, meter.part), before);
    }

    #[test]
    fn what_is_given_back_is_due_again() {
        let mut meter = meter(60);
        meter.admit(Duration::from_secs(3), 1);
        meter.refund(1);
        assert_eq!(meter.due(), Duration::from_secs(3));
    }

    #[test]
    fn a_cost_is_so_many_calls_at_once() {
        let (mut calls, mut tokens) = (meter(7), meter(7));
        (0..5).for_each(|_| calls.admit(Duration::ZERO, 1));
        tokens.admit(Duration::ZERO, 5);
        assert_eq!((tokens.nanos, tokens.part), (calls.nanos, calls.part));
        assert_eq!((tokens.unused(Duration::from_secs(42)), tokens.unused(Duration::from_secs(60))), (0, 1));
        tokens.charge(3);
        tokens.refund(3);
        assert_eq!((tokens.nanos, tokens.part), (calls.nanos, calls.part));
        assert_eq!(tokens.due(), Duration::from_nanos(42_857_142_858), "what was charged delays the next");
    }

    #[test]
    fn no_cost_ends_time() {
        let mut meter = meter(1);
        meter.admit(Duration::ZERO, u64::MAX);
        meter.charge(u64::MAX);
        meter.refund(u64::MAX);
        let _ = meter.due();
    }

    proptest! {
        #[test]
        fn giving_back_is_exact(per_minute in 1_u64..1 << 48, costs in prop::collection::vec(0_u64..1 << 40, 1..40)) {
            let mut meter = meter(per_minute);
            meter.admit(Duration::from_secs(1), 3);
            let before = (meter.nanos, meter.part);
            costs.iter().for_each(|&cost| meter.charge(cost));
            prop_assume!(meter.nanos < u64::MAX);
            costs.iter().rev().for_each(|&cost| meter.refund(cost));
            prop_assert_eq!((meter.nanos, meter.part), before);
        }

        #[test]
        fn any_rate_is_spent_to_the_nanosecond(per_minute in 1_u64..1 << 48, calls in 1_u32..5000) {
            let mut meter = meter(per_minute);
            for _ in 0..calls {
                meter.admit(meter.due(), 1);
            }
            let exact = u128::from(calls) * u128::from(MINUTE);
            let due = meter.due().as_nanos();
            prop_assert!(due * u128::from(per_minute) >= exact, "never early");
            prop_assert!((due - 1) * u128::from(per_minute) < exact, "nor a nanosecond late");
        }
    }
}
