use super::*;

/// Returns the calls that each second carries while calls are always queued.
fn carried_while_backlogged(ramp: &mut RampState, seconds: u64) -> Vec<u64> {
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
    RampState::new(Some(Ramp::DEFAULT), NonZeroU32::new(per_minute).unwrap(), true)
}

#[test]
fn default_ramp_starts_at_a_quarter_from_idle() {
    assert_eq!(carried_while_backlogged(&mut ramp(6000), 10), [25, 35, 45, 55, 65, 75, 85, 95, 100, 100]);
    assert_eq!(carried_while_backlogged(&mut ramp(300), 10), [1, 2, 2, 3, 3, 4, 4, 5, 5, 5]);
}

#[test]
fn default_ramp_costs_3200_milliseconds() {
    let missing: u64 = carried_while_backlogged(&mut ramp(60_000), 12).iter().map(|calls| 1000 - calls).sum();
    assert_eq!(missing, 3200);
}

#[test]
fn one_call_a_second_is_not_ramped() {
    assert_eq!(carried_while_backlogged(&mut ramp(60), 4), [1, 1, 1, 1]);
    assert_eq!(carried_while_backlogged(&mut ramp(5), 25).iter().sum::<u64>(), 3);
}

#[test]
fn ramped_calls_are_spread_over_the_second() {
    let mut ramp = ramp(6000);
    for call in 0..25 {
        assert_eq!(ramp.due(), Duration::from_millis(40 * call));
        ramp.count(ramp.due());
    }
    assert_eq!(ramp.due(), SECOND);
}

#[test]
fn step_is_added_to_the_used_rate() {
    let mut ramp = ramp(6000);
    carried_while_backlogged(&mut ramp, 10);
    assert_eq!(ramp.due(), Duration::ZERO, "at the full rate");
    // The current second has carried 100 calls. The next one has 30 calls and an empty queue.
    ramp.advance_to(Duration::from_secs(10), true);
    (0..30).for_each(|_| ramp.count(Duration::from_secs(10)));
    ramp.advance_to(Duration::from_secs(11), false);
    assert!((ramp.rate() - 40.0).abs() < 1e-9, "{}", ramp.rate());
    ramp.advance_to(Duration::from_secs(13), false);
    assert!((ramp.rate() - 25.0).abs() < 1e-9, "idle: {}", ramp.rate());
}

#[test]
fn resumed_ramp_is_steeper_and_counts_the_canary() {
    let mut ramp = ramp(6000);
    ramp.resume(Duration::ZERO);
    assert_eq!(carried_while_backlogged(&mut ramp, 4), [74, 95, 100, 100], "beside the canary");
    // From the full rate, the next start from idle is the usual one.
    ramp.advance_to(Duration::from_secs(10), false);
    assert_eq!(ramp.level, 250);
}

#[test]
fn burst_limits_the_ramp_to_pauses() {
    let mut ramp = RampState::new(Some(Ramp::DEFAULT), NonZeroU32::new(6000).unwrap(), false);
    assert_eq!(ramp.due(), Duration::ZERO);
    ramp.advance_to(Duration::from_secs(100), false);
    assert_eq!(ramp.level, FULL_RATE, "even after idle time");
    ramp.resume(Duration::from_secs(100));
    assert_eq!(ramp.level, 750);
    ramp.advance_to(Duration::from_secs(103), false);
    assert_eq!(ramp.level, FULL_RATE);
}

#[test]
fn raised_limit_is_ramped_and_lowered_is_not() {
    let mut ramp = ramp(300);
    carried_while_backlogged(&mut ramp, 10);
    let at = Duration::from_secs(10);
    ramp.set(at, Some(Ramp::DEFAULT), NonZeroU32::new(600).unwrap(), true);
    assert!((ramp.rate() - 5.0).abs() < 1e-9, "{}", ramp.rate());
    ramp.set(at, Some(Ramp::DEFAULT), NonZeroU32::new(60).unwrap(), true);
    assert!((ramp.rate() - 1.0).abs() < 1e-9, "{}", ramp.rate());
}

#[test]
fn limit_raised_and_lowered_at_once_is_still_ramped() {
    let mut ramp = ramp(300);
    for per_minute in [6000, 1200] {
        ramp.set(Duration::ZERO, Some(Ramp::DEFAULT), NonZeroU32::new(per_minute).unwrap(), true);
    }
    assert!((ramp.rate() - 5.0).abs() < 1e-9, "{}", ramp.rate());
}

#[test]
fn skipped_time_leaves_the_state_of_stepped_time() {
    for per_minute in [1, 60, 300, 6000] {
        for from_idle in [true, false] {
            let mut stepped = RampState::new(Some(Ramp::DEFAULT), NonZeroU32::new(per_minute).unwrap(), from_idle);
            stepped.resume(Duration::ZERO);
            (0..4).for_each(|_| stepped.count(Duration::ZERO));
            let mut skipped = stepped.clone();
            let end = Duration::from_millis(1_000_300);
            stepped.advance_to(end, true);
            skipped.skip_to(end);
            assert_eq!((stepped.level, stepped.second), (skipped.level, skipped.second), "{per_minute} {from_idle}");
            assert!(stepped.allowed.abs_diff(skipped.allowed) <= 1, "{per_minute} {from_idle}");
        }
    }
}
