//! Each rule by itself.

use super::*;
use crate::sim::Size;

/// A call of so many tokens, as the rules see it.
fn call(tokens: u64) -> Charge {
    Charging::Reserved.arrival(Size::new(tokens, 0, 0), false)
}

impl Rule {
    fn waits(&mut self, now: Duration, factor: f64, tokens: u64) -> Duration {
        self.wait(now, factor, &call(tokens), Charging::Reserved)
    }

    fn takes(&mut self, now: Duration, tokens: u64) {
        self.take(now, 1.0, &call(tokens));
    }
}

fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// How many of 10 calls at once are taken at each of `times`.
fn taken(mut rule: Rule, times: &[u64]) -> Vec<usize> {
    let at = |rule: &mut Rule, now| {
        let mut taken = 0;
        while taken < 10 && rule.waits(now, 1.0, 1).is_zero() {
            rule.takes(now, 1);
            taken += 1;
        }
        taken
    };
    times.iter().map(|&time| at(&mut rule, millis(time))).collect()
}

#[test]
fn a_bucket_refills_evenly_up_to_its_horizon() {
    let bucket = || Rule::Bucket(Bucket::new(Unit::Requests, 300.0, Duration::from_secs(1)));
    assert_eq!(taken(bucket(), &[0, 199, 200, 1000, 60_000]), [5, 0, 1, 4, 5]);
    let mut empty = bucket();
    (0..5).for_each(|_| empty.takes(Duration::ZERO, 1));
    assert_eq!(empty.waits(millis(50), 1.0, 1), millis(150));
    assert_eq!(empty.waits(millis(50), 0.5, 1), millis(300), "at half the rate");
    empty.penalise(millis(50), 0.2);
    assert_eq!(empty.waits(millis(50), 1.0, 1), millis(190), "a fifth of a request more");
}

#[test]
fn windows_slide_or_begin_anew() {
    let window = |slides| Rule::Window(Window::new(Unit::Requests, 5.0, Duration::from_secs(1), slides));
    assert_eq!(taken(window(true), &[600, 1000, 1599, 1600]), [5, 0, 0, 5]);
    assert_eq!(taken(window(false), &[600, 999, 1000, 1600]), [5, 0, 5, 0]);
    let mut sliding = window(true);
    assert!(sliding.waits(millis(600), 1.0, 1).is_zero());
    (0..5).for_each(|_| sliding.takes(millis(600), 1));
    assert_eq!(sliding.waits(millis(700), 1.0, 1), millis(900));
}

#[test]
fn tokens_are_counted_by_the_call_and_what_is_too_large_goes_alone() {
    let mut bucket = Rule::Bucket(Bucket::new(Unit::Tokens, 6000.0, Duration::from_secs(10)));
    assert!(bucket.waits(Duration::ZERO, 1.0, 5000).is_zero(), "larger than the bucket, and the bucket is full");
    bucket.takes(Duration::ZERO, 900);
    assert_eq!(bucket.waits(Duration::ZERO, 1.0, 200), Duration::from_secs(1));
    let mut window = Rule::Window(Window::new(Unit::Tokens, 1000.0, Duration::from_secs(10), true));
    window.takes(Duration::ZERO, 900);
    window.takes(millis(500), 50);
    assert_eq!(window.waits(Duration::from_secs(1), 1.0, 100), Duration::from_secs(9));
}

#[test]
fn a_slope_is_measured_against_the_five_seconds_before() {
    let slope = Rule::Slope(Slope::new(1.5, 2.0));
    // 2; 1.5 x 2/5 + 2 = 2.6; 1.5 x 4/5 + 2 = 3.2; 1.5 x 7/5 + 2 = 4.1; then five idle seconds.
    assert_eq!(taken(slope, &[0, 1000, 2000, 3000, 9500]), [2, 2, 3, 4, 2]);
}
