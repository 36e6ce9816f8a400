use super::*;
use crate::judge::LimitUnit;

const CONFIGURED: Configured = Configured { limit: 1000, rounded: 1 };

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn reading(limit: u64, remaining: u64, reset: u64) -> LimitReading {
    LimitReading {
        unit: LimitUnit::Tokens,
        per: Period::Minute,
        limit: Some(limit),
        remaining: Some(remaining),
        reset: Some(seconds(reset)),
    }
}

fn apply(limit: &mut ServerLimit, now: u64, reading: &LimitReading) -> bool {
    limit.apply_header(seconds(now), seconds(now), reading, CONFIGURED, 0)
}

#[test]
fn reported_limit_never_exceeds_the_configured_one() {
    let mut limit = ServerLimit::default();
    assert!(apply(&mut limit, 1, &reading(400, 400, 0)));
    assert_eq!((limit.limit(1000), limit.pace(seconds(1), 1000)), (400, 400));
    assert!(apply(&mut limit, 2, &reading(700, 700, 0)));
    assert_eq!(limit.limit(1000), 700);
    assert!(apply(&mut limit, 3, &reading(5000, 5000, 0)));
    assert_eq!(limit.limit(1000), 1000);
}

#[test]
fn low_remainder_is_paced_until_the_reset() {
    let mut limit = ServerLimit::default();
    assert!(apply(&mut limit, 10, &reading(1000, 100, 30)));
    assert_eq!(limit.pace(seconds(10), 1000), 1000, "a tenth is enough");
    assert!(apply(&mut limit, 10, &reading(1000, 90, 30)));
    assert_eq!((limit.pace(seconds(10), 1000), limit.rises_at()), (180, Some(seconds(40))));
    assert_eq!(limit.limit(1000), 1000);
    assert!(!limit.advance_to(seconds(39)));
    assert!(limit.advance_to(seconds(40)));
    assert_eq!(limit.pace(seconds(40), 1000), 1000);
}

#[test]
fn later_calls_and_rounding_lower_the_remainder() {
    let mut limit = ServerLimit::default();
    assert!(apply(&mut limit, 1, &reading(1000, 90, 1)));
    assert_eq!(limit.rises_at(), None, "the reset is close");
    limit.apply_header(seconds(1), seconds(1), &reading(1000, 90, 10), CONFIGURED, 60);
    assert_eq!(limit.pace(seconds(1), 1000), 180, "30 in 10 seconds");
    let rounded = Configured { limit: 80_000, rounded: 1000 };
    limit.apply_header(seconds(2), seconds(2), &reading(80_000, 7000, 30), rounded, 0);
    assert_eq!(limit.pace(seconds(2), 80_000), 13_000);
}

#[test]
fn implausible_limit_is_ignored_and_long_reset_shortened() {
    let mut limit = ServerLimit::default();
    assert!(!apply(&mut limit, 1, &reading(0, 0, 86_400)));
    assert!(!apply(&mut limit, 1, &reading(9, 9, 1)));
    assert_eq!(limit.pace(seconds(1), 1000), 1000);
    assert!(apply(&mut limit, 1, &reading(1000, 0, 86_400)));
    assert_eq!((limit.pace(seconds(1), 1000), limit.rises_at()), (100, Some(seconds(61))));
}

#[test]
fn reading_of_unknown_period_lowers_only_the_rate() {
    let mut limit = ServerLimit::default();
    let fireworks = LimitReading { per: Period::Unknown, reset: None, ..reading(60, 3, 0) };
    assert!(apply(&mut limit, 1, &fireworks));
    assert_eq!(limit.limit(1000), 1000);
    assert_eq!((limit.pace(seconds(1), 1000), limit.rises_at()), (300, Some(seconds(11))), "50 in 10 seconds");
}

#[test]
fn headers_of_an_earlier_call_are_ignored() {
    let mut limit = ServerLimit::default();
    limit.apply_header(seconds(9), seconds(5), &reading(400, 400, 0), CONFIGURED, 0);
    limit.apply_header(seconds(10), seconds(4), &reading(1000, 1000, 0), CONFIGURED, 0);
    assert_eq!(limit.limit(1000), 400);
}
