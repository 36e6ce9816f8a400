//! How calls are spaced: the rate, the ramp, changed limits, calls in flight.

use super::*;

#[test]
fn calls_are_spaced_evenly_and_fractions_are_exact() {
    assert_eq!(times(per_minute(5), 3, || Duration::ZERO), [seconds(0), seconds(12), seconds(24)]);
    let ninety = times(per_minute(90).no_ramp(), 7, || Duration::ZERO);
    assert_eq!([ninety[0], ninety[3], ninety[6]], [seconds(0), seconds(2), seconds(4)]);
    let hundred = times(per_minute(6000).no_ramp(), 101, || Duration::ZERO);
    assert!(hundred.windows(2).all(|pair| pair[1] - pair[0] == millis(10)), "{hundred:?}");
}

#[test]
fn the_long_run_rate_is_the_limit() {
    for rate in [1, 7, 60, 90, 119, 300, 6000, 60_000] {
        let calls = (rate as usize * 3).max(400);
        let times = times(per_minute(rate).no_ramp(), calls, || Duration::ZERO);
        let exact = Duration::from_secs(60) * u32::try_from(calls - 1).unwrap() / rate;
        let last = *times.last().unwrap();
        assert!(last >= exact && last - exact <= Duration::from_micros(2), "{rate} a minute: {last:?}, not {exact:?}");
        assert_within_limits(&times, rate);
    }
}

#[test]
fn late_timers_cost_nothing_and_break_no_limit() {
    for rate in [1, 5, 90, 300, 6000, 60_000] {
        let pattern: &[u64] = if rate > 6000 { &[0, 2, 1, 1, 3, 0, 1] } else { &[0, 3, 1, 17, 2, 2, 80, 0, 1, 1, 5] };
        let mut late = pattern.iter().copied().cycle().map(millis);
        let calls = (rate as usize * 5).min(100_000);
        let times = times(per_minute(rate).no_ramp(), calls, || late.next().unwrap());
        assert_within_limits(&times, rate);
        let exact = seconds(60).as_secs_f64() * (calls as f64 - 1.0) / f64::from(rate);
        let took = times.last().unwrap().as_secs_f64();
        assert!(took * 0.995 <= exact, "{rate} a minute: {took} s instead of {exact} s");
    }
}

#[test]
fn a_machine_that_slept_makes_up_for_nothing() {
    let mut slept = false;
    let times = times(per_minute(600).no_ramp(), 40, || {
        if slept {
            return Duration::ZERO;
        }
        slept = true;
        seconds(3600)
    });
    assert!(most_within(&times, seconds(1)) <= 11, "{times:?}");
}

#[test]
fn the_ramp_and_then_the_whole_rate() {
    let times = times(per_minute(300), 60, || Duration::ZERO);
    let mut carried = [0; 12];
    times.iter().for_each(|time| carried[usize::try_from(time.as_secs()).unwrap().min(11)] += 1);
    assert_eq!(carried, [1, 2, 2, 3, 3, 4, 4, 5, 5, 5, 5, 21]);
    assert_eq!(times[0], Duration::ZERO, "the first goes at once");
    // Inside a second they are spread: 3 go at 0, a third and two thirds.
    let fourth: Vec<_> = times.iter().filter(|time| time.as_secs() == 3).map(Duration::subsec_millis).collect();
    assert!(fourth.windows(2).all(|pair| pair[1] - pair[0] >= 200), "{fourth:?}");
}

#[test]
fn a_new_limit_holds_from_the_next_ticket_on_and_the_line_keeps_its_order() {
    let mut scheduler = scheduler(per_minute(60).no_ramp());
    let places: Vec<_> = (0..8).map(|_| scheduler.joins(Duration::ZERO)).collect();
    let mut went = Vec::new();
    run(
        &mut scheduler,
        Duration::MAX,
        || Duration::ZERO,
        |scheduler, now, grant| {
            went.push((grant.id, now));
            match went.len() {
                3 => scheduler.set_limits(now, per_minute(6000).no_ramp()),
                5 => scheduler.set_limits(now, per_minute(6).no_ramp()),
                _ => {}
            }
        },
    );
    assert_eq!(
        went.iter().map(|(_, at)| at.as_millis()).collect::<Vec<_>>(),
        [0, 1000, 2000, 2010, 2020, 12_020, 60_000, 70_000],
        "at the end the first six are a minute's worth of the lowered limit"
    );
    assert!(went.iter().map(|(id, _)| *id).eq(places.iter().map(|place| place.id)));
}

#[test]
fn calls_in_flight_are_capped_and_the_next_goes_when_one_ends() {
    let mut scheduler = scheduler(per_minute(6000).no_ramp().max_in_flight(2));
    (0..4).for_each(|_| _ = scheduler.joins(Duration::ZERO));
    let mut out = advance(&mut scheduler, Duration::ZERO);
    out.extend(advance(&mut scheduler, millis(10)));
    assert_eq!(out.len(), 2);
    assert_eq!(scheduler.deadline(), None, "nothing but an end helps");
    assert!(advance(&mut scheduler, seconds(5)).is_empty());
    scheduler.ends(seconds(6), out[0], false);
    assert_eq!(advance(&mut scheduler, seconds(6)).len(), 1);
    scheduler.abandon(seconds(7), out[1]);
    assert_eq!(advance(&mut scheduler, seconds(7)).len(), 1);
}

#[test]
fn disabled_lets_everything_through() {
    let mut scheduler = scheduler(per_minute(1));
    (0..5).for_each(|_| _ = scheduler.joins(Duration::ZERO));
    assert_eq!(advance(&mut scheduler, Duration::ZERO).len(), 1);
    scheduler.set_limits(Duration::ZERO, per_minute(1).enabled(false));
    assert_eq!(advance(&mut scheduler, Duration::ZERO).len(), 4);
    assert!(scheduler.tries(Duration::ZERO).is_some());
}

#[test]
fn an_immediate_ticket_overtakes_nobody() {
    let mut scheduler = scheduler(per_minute(60).no_ramp());
    assert!(scheduler.tries(Duration::ZERO).is_some());
    assert!(scheduler.tries(millis(999)).is_none());
    let place = scheduler.joins(millis(999));
    assert!(scheduler.tries(seconds(1)).is_none(), "somebody waits");
    assert!(scheduler.leave(seconds(1), place));
    assert!(scheduler.tries(seconds(1)).is_some());
}
