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
fn idle_meter_without_burst_saves_nothing() {
    let mut meter = meter(60);
    meter.admit(Duration::from_secs(100), 1);
    assert_eq!(meter.due(), Duration::from_secs(101));
}

#[test]
fn changed_rate_keeps_outstanding_charges() {
    let mut meter = meter(5);
    meter.admit(Duration::ZERO, 1);
    meter.set_rate(Duration::from_secs(6), NonZeroU64::new(60).unwrap());
    // Half of the call is outstanding.
    assert_eq!(meter.due(), Duration::from_millis(6500));
    meter.set_rate(Duration::from_secs(6), NonZeroU64::new(1).unwrap());
    assert_eq!(meter.due(), Duration::from_secs(36));
}

#[test]
fn refunded_calls_leave_no_trace() {
    let mut meter = meter(7);
    (0..3).for_each(|_| meter.admit(meter.due(), 1));
    let before = (meter.tat_nanos, meter.tat_fraction);
    (0..10).for_each(|_| meter.admit(meter.due(), 1));
    (0..10).for_each(|_| meter.refund(1));
    assert_eq!((meter.tat_nanos, meter.tat_fraction), before);
}

#[test]
fn refunded_call_is_due_again() {
    let mut meter = meter(60);
    meter.admit(Duration::from_secs(3), 1);
    meter.refund(1);
    assert_eq!(meter.due(), Duration::from_secs(3));
}

#[test]
fn cost_equals_that_number_of_calls() {
    let (mut calls, mut tokens) = (meter(7), meter(7));
    (0..5).for_each(|_| calls.admit(Duration::ZERO, 1));
    tokens.admit(Duration::ZERO, 5);
    assert_eq!((tokens.tat_nanos, tokens.tat_fraction), (calls.tat_nanos, calls.tat_fraction));
    assert_eq!((tokens.unused(Duration::from_secs(42)), tokens.unused(Duration::from_secs(60))), (0, 1));
    tokens.charge(3);
    tokens.refund(3);
    assert_eq!((tokens.tat_nanos, tokens.tat_fraction), (calls.tat_nanos, calls.tat_fraction));
    assert_eq!(tokens.due(), Duration::from_nanos(42_857_142_858), "the charge delays the next call");
}

#[test]
fn huge_costs_do_not_overflow() {
    let mut meter = meter(1);
    meter.admit(Duration::ZERO, u64::MAX);
    meter.charge(u64::MAX);
    meter.refund(u64::MAX);
    let _ = meter.due();
}

proptest! {
    #[test]
    fn refund_is_exact(per_minute in 1_u64..1 << 48, costs in prop::collection::vec(0_u64..1 << 40, 1..40)) {
        let mut meter = meter(per_minute);
        meter.admit(Duration::from_secs(1), 3);
        let before = (meter.tat_nanos, meter.tat_fraction);
        costs.iter().for_each(|&cost| meter.charge(cost));
        prop_assume!(meter.tat_nanos < u64::MAX);
        costs.iter().rev().for_each(|&cost| meter.refund(cost));
        prop_assert_eq!((meter.tat_nanos, meter.tat_fraction), before);
    }

    #[test]
    fn any_rate_is_exact_to_the_nanosecond(per_minute in 1_u64..1 << 48, calls in 1_u32..5000) {
        let mut meter = meter(per_minute);
        for _ in 0..calls {
            meter.admit(meter.due(), 1);
        }
        let exact = u128::from(calls) * u128::from(MINUTE_NANOS);
        let due = meter.due().as_nanos();
        prop_assert!(due * u128::from(per_minute) >= exact, "never early");
        prop_assert!((due - 1) * u128::from(per_minute) < exact, "not a nanosecond late");
    }
}
