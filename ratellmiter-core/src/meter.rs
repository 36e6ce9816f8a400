//! GCRA arithmetic of one limit: when may a cost go, take it, change the rate.
//!
//! A meter is one number, the theoretical arrival time: when the budget is whole again. It is kept in whole nanoseconds and
//! a fraction over the rate, so nothing is ever rounded: 7 calls a minute are exactly 7.

use std::{num::NonZeroU32, time::Duration};

const MINUTE: u64 = 60_000_000_000;

#[derive(Debug)]
pub(crate) struct Meter {
    per_minute: u64,
    /// The theoretical arrival time: nanoseconds, and so many `per_minute`ths of one.
    nanos: u64,
    part: u64,
    /// How far ahead of its budget it may be: unused budget that may go at once.
    burst: u64,
}

impl Meter {
    pub(crate) fn new(per_minute: NonZeroU32) -> Self {
        Self { per_minute: per_minute.get().into(), nanos: 0, part: 0, burst: 0 }
    }

    /// How much unused budget may go at once: what the rate brings in this time, and at least one call.
    pub(crate) fn set_burst(&mut self, horizon: Duration) {
        self.burst = nanos(horizon);
    }

    /// When the next call may go, rounded up to the nanosecond.
    pub(crate) fn due(&self) -> Duration {
        Duration::from_nanos(self.whole().saturating_sub(self.tolerance()))
    }

    /// When the budget is whole again, rounded up to the nanosecond.
    fn whole(&self) -> u64 {
        self.nanos + u64::from(self.part > 0)
    }

    /// The first call of a burst needs no tolerance.
    fn tolerance(&self) -> u64 {
        self.burst.saturating_sub(MINUTE.div_ceil(self.per_minute))
    }

    /// The server has no more than it shows: what was saved up is gone.
    pub(crate) fn forget_saved(&mut self, now: Duration) {
        let empty = nanos(now) + self.tolerance();
        if self.nanos < empty {
            (self.nanos, self.part) = (empty, 0);
        }
    }

    /// Charges one call that went at `slot`, which is not before [`due`](Self::due).
    pub(crate) fn take(&mut self, slot: Duration) {
        // `whole` is rounded up: a call that goes just then goes on the exact schedule.
        if nanos(slot) > self.whole() {
            (self.nanos, self.part) = (nanos(slot), 0);
        }
        self.nanos += MINUTE / self.per_minute;
        self.part += MINUTE % self.per_minute;
        if self.part >= self.per_minute {
            self.part -= self.per_minute;
            self.nanos += 1;
        }
    }

    /// Takes back the charge for one call that was never made.
    pub(crate) fn give_back(&mut self) {
        let lent = u64::from(self.part < MINUTE % self.per_minute);
        self.part = self.part + lent * self.per_minute - MINUTE % self.per_minute;
        self.nanos = self.nanos.saturating_sub(MINUTE / self.per_minute + lent);
    }

    /// Changes the rate from `now` on; what is owed stays the same number of calls.
    pub(crate) fn set_rate(&mut self, now: Duration, per_minute: NonZeroU32) {
        let now = nanos(now);
        let owed = match self.nanos.checked_sub(now) {
            Some(left) => u128::from(left) * u128::from(self.per_minute) + u128::from(self.part),
            None => 0,
        };
        self.per_minute = per_minute.get().into();
        // At most a minute's worth for each call that may be owed: far from the end of time.
        let whole = owed / u128::from(self.per_minute);
        self.nanos = now.saturating_add(u64::try_from(whole).unwrap_or(u64::MAX));
        self.part = u64::try_from(owed % u128::from(self.per_minute)).unwrap_or(0);
    }
}

/// Since the limiter's zero: enough for five centuries.
fn nanos(at: Duration) -> u64 {
    at.as_secs() * 1_000_000_000 + u64::from(at.subsec_nanos())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn meter(per_minute: u32) -> Meter {
        Meter::new(NonZeroU32::new(per_minute).unwrap())
    }

    #[test]
    fn fractions_of_a_second_are_exact() {
        for (per_minute, calls, seconds) in [(5, 1, 12), (90, 3, 2), (7, 7, 60), (1, 1, 60), (119, 119, 60)] {
            let mut meter = meter(per_minute);
            for _ in 0..calls {
                meter.take(meter.due());
            }
            assert_eq!(meter.due(), Duration::from_secs(seconds), "{per_minute} a minute");
        }
    }

    #[test]
    fn an_idle_meter_saves_nothing_up() {
        let mut meter = meter(60);
        meter.take(Duration::from_secs(100));
        assert_eq!(meter.due(), Duration::from_secs(101));
    }

    #[test]
    fn a_new_rate_holds_from_the_next_call_on() {
        let mut meter = meter(5);
        meter.take(Duration::ZERO);
        meter.set_rate(Duration::from_secs(6), NonZeroU32::new(60).unwrap());
        // Half of the call was still owed.
        assert_eq!(meter.due(), Duration::from_millis(6500));
        meter.set_rate(Duration::from_secs(6), NonZeroU32::new(1).unwrap());
        assert_eq!(meter.due(), Duration::from_secs(36));
    }

    #[test]
    fn what_is_given_back_leaves_no_trace() {
        let mut meter = meter(7);
        (0..3).for_each(|_| meter.take(meter.due()));
        let before = (meter.nanos, meter.part);
        (0..10).for_each(|_| meter.take(meter.due()));
        (0..10).for_each(|_| meter.give_back());
        assert_eq!((meter.nanos, meter.part), before);
    }

    #[test]
    fn what_is_given_back_is_due_again() {
        let mut meter = meter(60);
        meter.take(Duration::from_secs(3));
        meter.give_back();
        assert_eq!(meter.due(), Duration::from_secs(3));
    }

    proptest! {
        #[test]
        fn any_rate_is_spent_to_the_nanosecond(per_minute in 1_u32.., calls in 1_u32..5000) {
            let mut meter = meter(per_minute);
            for _ in 0..calls {
                meter.take(meter.due());
            }
            let exact = u128::from(calls) * u128::from(MINUTE);
            let due = meter.due().as_nanos();
            prop_assert!(due * u128::from(per_minute) >= exact, "never early");
            prop_assert!((due - 1) * u128::from(per_minute) < exact, "nor a nanosecond late");
        }
    }
}
