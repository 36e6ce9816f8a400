//! Each limit in isolation.

use super::*;
use crate::sim::Size;

/// Returns the charge of a call with `tokens` input tokens.
fn call(tokens: u64) -> Charge {
    TokenCharging::Reserved.at_arrival(Size::new(tokens, 0, 0), false)
}

impl Rule {
    fn wait_for(&mut self, now: Duration, factor: f64, tokens: u64) -> Duration {
        self.wait(now, factor, &call(tokens), TokenCharging::Reserved)
    }

    fn charge_call(&mut self, now: Duration, tokens: u64) {
        self.take(now, 1.0, &call(tokens));
    }
}

fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// Returns how many of 10 simultaneous calls are admitted at each of `times`, in milliseconds.
fn admitted(mut rule: Rule, times: &[u64]) -> Vec<usize> {
    let admit = |rule: &mut Rule, now| {
        let mut count = 0;
        while count < 10 && rule.wait_for(now, 1.0, 1).is_zero() {
            rule.charge_call(now, 1);
            count += 1;
        }
        count
    };
    times.iter().map(|&time| admit(&mut rule, millis(time))).collect()
}

#[test]
fn bucket_refills_evenly_up_to_its_horizon() {
    let bucket = || Rule::Bucket(Bucket::new(Unit::Requests, 300.0, Duration::from_secs(1)));
    assert_eq!(admitted(bucket(), &[0, 199, 200, 1000, 60_000]), [5, 0, 1, 4, 5]);
    let mut empty = bucket();
    (0..5).for_each(|_| empty.charge_call(Duration::ZERO, 1));
    assert_eq!(empty.wait_for(millis(50), 1.0, 1), millis(150));
    assert_eq!(empty.wait_for(millis(50), 0.5, 1), millis(300), "at half the rate");
    empty.charge_refusal(millis(50), 0.2);
    assert_eq!(empty.wait_for(millis(50), 1.0, 1), millis(190), "a fifth of a request was charged");
}

#[test]
fn windows_slide_or_start_on_the_clock() {
    let window = |slides| Rule::Window(Window::new(Unit::Requests, 5.0, Duration::from_secs(1), slides));
    assert_eq!(admitted(window(true), &[600, 1000, 1599, 1600]), [5, 0, 0, 5]);
    assert_eq!(admitted(window(false), &[600, 999, 1000, 1600]), [5, 0, 5, 0]);
    let mut sliding = window(true);
    assert!(sliding.wait_for(millis(600), 1.0, 1).is_zero());
    (0..5).for_each(|_| sliding.charge_call(millis(600), 1));
    assert_eq!(sliding.wait_for(millis(700), 1.0, 1), millis(900));
}

#[test]
fn call_larger_than_the_bucket_needs_it_full() {
    let mut bucket = Rule::Bucket(Bucket::new(Unit::Tokens, 6000.0, Duration::from_secs(10)));
    assert!(bucket.wait_for(Duration::ZERO, 1.0, 5000).is_zero(), "larger than the bucket, which is full");
    bucket.charge_call(Duration::ZERO, 900);
    assert_eq!(bucket.wait_for(Duration::ZERO, 1.0, 200), Duration::from_secs(1));
    let mut window = Rule::Window(Window::new(Unit::Tokens, 1000.0, Duration::from_secs(10), true));
    window.charge_call(Duration::ZERO, 900);
    window.charge_call(millis(500), 50);
    assert_eq!(window.wait_for(Duration::from_secs(1), 1.0, 100), Duration::from_secs(9));
}

#[test]
fn slope_limits_growth_over_five_seconds() {
    let slope = Rule::Slope(Slope::new(1.5, 2.0));
    // 2; 1.5 x 2/5 + 2 = 2.6; 1.5 x 4/5 + 2 = 3.2; 1.5 x 7/5 + 2 = 4.1; then five idle seconds.
    assert_eq!(admitted(slope, &[0, 1000, 2000, 3000, 9500]), [2, 2, 3, 4, 2]);
}
