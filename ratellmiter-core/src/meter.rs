//! GCRA arithmetic of one limit: when may a cost go, take it, change the rate.
//!
//! A meter is one number, the theoretical arrival time: when the budget is whole again. It is kept multiplied by the
//! rate, so one call is always a minute's worth of nanoseconds and no fraction is ever rounded: 7 calls a minute are
//! exactly 7.

use std::{num::NonZeroU32, time::Duration};

/// One call, in nanoseconds times calls a minute.
const UNIT: u128 = 60_000_000_000;

#[derive(Debug)]
pub(crate) struct Meter {
    per_minute: u128,
    /// The theoretical arrival time, in nanoseconds times calls a minute.
    arrival: u128,
}

impl Meter {
    pub(crate) fn new(per_minute: NonZeroU32) -> Self {
        Self { per_minute: per_minute.get().into(), arrival: 0 }
    }

    /// When the next call may go, rounded up to the nanosecond.
    pub(crate) fn due(&self) -> Duration {
        let nanos = self.arrival.div_ceil(self.per_minute);
        Duration::from_nanos(nanos.try_into().unwrap_or(u64::MAX))
    }

    /// Charges one call that went at `slot`, which is not before [`due`](Self::due).
    pub(crate) fn take(&mut self, slot: Duration) {
        // `due` is rounded up: a call that goes just then goes on the exact schedule.
        if slot > self.due() {
            self.arrival = self.scaled(slot);
        }
        self.arrival += UNIT;
    }

    /// Takes back the charge for one call that was never made.
    pub(crate) fn give_back(&mut self) {
        self.arrival = self.arrival.saturating_sub(UNIT);
    }

    /// Changes the rate from `now` on; what is owed stays the same number of calls.
    pub(crate) fn set_rate(&mut self, now: Duration, per_minute: NonZeroU32) {
        let owed = self.arrival.saturating_sub(self.scaled(now));
        self.per_minute = per_minute.get().into();
        self.arrival = self.scaled(now) + owed;
    }

    fn scaled(&self, at: Duration) -> u128 {
        at.as_nanos() * self.per_minute
    }
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
            let exact = u128::from(calls) * UNIT;
            let due = meter.due().as_nanos();
            prop_assert!(due * u128::from(per_minute) >= exact, "never early");
            prop_assert!((due - 1) * u128::from(per_minute) < exact, "nor a nanosecond late");
        }
    }
}
