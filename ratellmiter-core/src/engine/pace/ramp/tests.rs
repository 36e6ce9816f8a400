use super::*;

/// What each second carries when calls wait all the time.
fn under_pressure(ramp: &mut RampState, seconds: u64) -> Vec<u64> {
    let mut carried = vec![0; usize::try_from(seconds).unwrap()];
    let mut now = Duration::ZERO;
    let interval = Duration::from_nanos(60_000_000_000_u64.div_ceil(ramp.per_minute));
    let mut meter = Duration::ZERO;
    loop {
        now = ramp.due().max(meter).max(now);
        if now >= Duration::from_secs(seconds) {
            return carried;
        }
        ramp.advance_to(now, true);
        if ramp.due().max(meter) > now {
            continue;
        }
        ramp.count(now);
        meter = meter.max(now) + interval;
        carried[usize::try_from(now.as_secs()).unwrap()] += 1;
    }
}

fn ramp(per_minute: u32) -> RampState {
    RampState::new(Some(limits::Ramp::DEFAULT), NonZeroU32::new(per_minute).unwrap(), true)
}

#[test]
fn from_idle_a_quarter_then_a_tenth_more_each_second() {
    assert_eq!(under_pressure(&mut ramp(6000), 10), [25, 35, 45, 55, 65, 75, 85, 95, 100, 100]);
    assert_eq!(under_pressure(&mut ramp(300), 10), [1, 2, 2, 3, 3, 4, 4, 5, 5, 5]);
}

#[test]
fn the_whole_ramp_costs_three_seconds_and_a_fifth() {
    let missing: u64 = under_pressure(&mut ramp(60_000), 12).iter().map(|calls| 1000 - calls).sum();
    assert_eq!(missing, 3200);
}

#[test]
fn a_limit_of_one_a_second_has_nothing_to_ramp() {
    assert_eq!(under_pressure(&mut ramp(60), 4), [1, 1, 1, 1]);
    assert_eq!(under_pressure(&mut ramp(5), 25).iter().sum::<u64>(), 3);
}

#[test]
fn calls_of_a_ramping_second_are_spread_over_it() {
    let mut ramp = ramp(6000);
    for call in 0..25 {
        assert_eq!(ramp.due(), Duration::from_millis(40 * call));
        ramp.count(ramp.due());
    }
    assert_eq!(ramp.due(), SECOND);
}

#[test]
fn a_second_adds_to_what_the_last_one_used_not_to_what_it_might_have() {
    let mut ramp = ramp(6000);
    under_pressure(&mut ramp, 10);
    assert_eq!(ramp.due(), Duration::ZERO, "full");
    // The second under way carried 100; then one with 30 calls and nobody waiting.
    ramp.advance_to(Duration::from_secs(10), true);
    (0..30).for_each(|_| ramp.count(Duration::from_secs(10)));
    ramp.advance_to(Duration::from_secs(11), false);
    assert!((ramp.rate() - 40.0).abs() < 1e-9, "{}", ramp.rate());
    ramp.advance_to(Duration::from_secs(13), false);
    assert!((ramp.rate() - 25.0).abs() < 1e-9, "idle: {}", ramp.rate());
}

#[test]
fn after_a_pause_it_starts_at_three_quarters_with_the_canary_and_is_twice_as_steep() {
    let mut ramp = ramp(6000);
    ramp.resume(Duration::ZERO);
    assert_eq!(under_pressure(&mut ramp, 4), [74, 95, 100, 100], "and the canary");
    // Once it is full, the next start from idle is as ever.
    ramp.advance_to(Duration::from_secs(10), false);
    assert_eq!(ramp.level, 250);
}

#[test]
fn with_a_burst_only_pauses_are_followed_by_a_ramp() {
    let mut ramp = RampState::new(Some(limits::Ramp::DEFAULT), NonZeroU32::new(6000).unwrap(), false);
    assert_eq!(ramp.due(), Duration::ZERO);
    ramp.advance_to(Duration::from_secs(100), false);
    assert_eq!(ramp.level, FULL_RATE, "idle or not");
    ramp.resume(Duration::from_secs(100));
    assert_eq!(ramp.level, 750);
    ramp.advance_to(Duration::from_secs(103), false);
    assert_eq!(ramp.level, FULL_RATE);
}

#[test]
fn a_raised_limit_is_a_jump_and_a_lowered_one_is_not() {
    let mut ramp = ramp(300);
    under_pressure(&mut ramp, 10);
    let at = Duration::from_secs(10);
    ramp.set(at, Some(limits::Ramp::DEFAULT), NonZeroU32::new(600).unwrap(), true);
    assert!((ramp.rate() - 5.0).abs() < 1e-9, "{}", ramp.rate());
    ramp.set(at, Some(limits::Ramp::DEFAULT), NonZeroU32::new(60).unwrap(), true);
    assert!((ramp.rate() - 1.0).abs() < 1e-9, "{}", ramp.rate());
}

#[test]
fn limit_raised_and_lowered_at_once_is_still_ramped() {
    let mut ramp = ramp(300);
    for per_minute in [6000, 1200] {
        ramp.set(Duration::ZERO, Some(limits::Ramp::DEFAULT), NonZeroU32::new(per_minute).unwrap(), true);
    }
    assert!((ramp.rate() - 5.0).abs() < 1e-9, "{}", ramp.rate());
}

#[test]
fn the_time_for_a_line_counts_the_ramp() {
    // 16 calls of the ramp's first 3.2 seconds' worth are missing at 5 a second: 24 in eight seconds, then 5 each.
    assert_eq!(ramp(300).time_for(24), Duration::from_secs(8));
    assert_eq!(ramp(300).time_for(34), Duration::from_secs(10));
    assert_eq!(RampState::new(None, NonZeroU32::new(300).unwrap(), true).time_for(10), Duration::from_secs(2));
}
