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

fn read(served: &mut ServerLimit, now: u64, reading: &LimitReading) -> bool {
    served.apply_header(seconds(now), seconds(now), reading, CONFIGURED, 0)
}

#[test]
fn a_lower_limit_holds_until_a_higher_one_is_shown_which_never_exceeds_the_configured() {
    let mut served = ServerLimit::default();
    assert!(read(&mut served, 1, &reading(400, 400, 0)));
    assert_eq!((served.limit(1000), served.pace(seconds(1), 1000)), (400, 400));
    assert!(read(&mut served, 2, &reading(700, 700, 0)));
    assert_eq!(served.limit(1000), 700);
    assert!(read(&mut served, 3, &reading(5000, 5000, 0)));
    assert_eq!(served.limit(1000), 1000);
}

#[test]
fn what_is_left_is_spread_until_it_is_whole_again() {
    let mut served = ServerLimit::default();
    assert!(read(&mut served, 10, &reading(1000, 100, 30)));
    assert_eq!(served.pace(seconds(10), 1000), 1000, "a tenth is not little");
    assert!(read(&mut served, 10, &reading(1000, 90, 30)));
    assert_eq!((served.pace(seconds(10), 1000), served.rises_at()), (180, Some(seconds(40))));
    assert_eq!(served.limit(1000), 1000);
    assert!(!served.advance_to(seconds(39)));
    assert!(served.advance_to(seconds(40)));
    assert_eq!(served.pace(seconds(40), 1000), 1000);
}

#[test]
fn our_own_calls_and_rounding_are_taken_off() {
    let mut served = ServerLimit::default();
    assert!(read(&mut served, 1, &reading(1000, 90, 1)));
    assert_eq!(served.rises_at(), None, "in a second it is whole again");
    served.apply_header(seconds(1), seconds(1), &reading(1000, 90, 10), CONFIGURED, 60);
    assert_eq!(served.pace(seconds(1), 1000), 180, "30 in 10 seconds");
    let rounded = Configured { limit: 80_000, rounded: 1000 };
    served.apply_header(seconds(2), seconds(2), &reading(80_000, 7000, 30), rounded, 0);
    assert_eq!(served.pace(seconds(2), 80_000), 13_000);
}

#[test]
fn lies_are_not_believed_and_hold_nobody_up_for_long() {
    let mut served = ServerLimit::default();
    assert!(!read(&mut served, 1, &reading(0, 0, 86_400)));
    assert!(!read(&mut served, 1, &reading(9, 9, 1)));
    assert_eq!(served.pace(seconds(1), 1000), 1000);
    assert!(read(&mut served, 1, &reading(1000, 0, 86_400)));
    assert_eq!((served.pace(seconds(1), 1000), served.rises_at()), (100, Some(seconds(61))));
}

#[test]
fn of_an_unknown_unit_only_the_part_counts() {
    let mut served = ServerLimit::default();
    let fireworks = LimitReading { per: Period::Unknown, reset: None, ..reading(60, 3, 0) };
    assert!(read(&mut served, 1, &fireworks));
    assert_eq!(served.limit(1000), 1000);
    assert_eq!((served.pace(seconds(1), 1000), served.rises_at()), (300, Some(seconds(11))), "50 in 10 seconds");
}

#[test]
fn the_answer_to_an_earlier_call_says_nothing_new() {
    let mut served = ServerLimit::default();
    served.apply_header(seconds(9), seconds(5), &reading(400, 400, 0), CONFIGURED, 0);
    served.apply_header(seconds(10), seconds(4), &reading(1000, 1000, 0), CONFIGURED, 0);
    assert_eq!(served.limit(1000), 400);
}
