//! Spacing of calls: rate, ramp, changed limits, calls in flight.

use super::*;

#[test]
fn calls_are_spaced_evenly_and_exactly() {
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
fn late_timers_neither_lower_nor_exceed_the_rate() {
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
fn long_suspension_is_not_made_up_for() {
    let mut slept = false;
    let times = times(per_minute(600).no_ramp(), 40, || {
        if slept {
            return Duration::ZERO;
        }
        slept = true;
        seconds(3600)
    });
    assert!(max_within(&times, seconds(1)) <= 11, "{times:?}");
}

#[test]
fn queue_from_idle_is_ramped() {
    let times = times(per_minute(300), 60, || Duration::ZERO);
    let mut carried = [0; 12];
    times.iter().for_each(|time| carried[usize::try_from(time.as_secs()).unwrap().min(11)] += 1);
    assert_eq!(carried, [1, 2, 2, 3, 3, 4, 4, 5, 5, 5, 5, 21]);
    assert_eq!(times[0], Duration::ZERO, "the first is sent at once");
    // Calls are spread over the second: three are sent at 0, 1/3 and 2/3.
    let fourth: Vec<_> = times.iter().filter(|time| time.as_secs() == 3).map(Duration::subsec_millis).collect();
    assert!(fourth.windows(2).all(|pair| pair[1] - pair[0] >= 200), "{fourth:?}");
}

#[test]
fn changed_limit_keeps_the_order_of_the_queue() {
    let mut scheduler = scheduler(per_minute(60).no_ramp());
    let positions: Vec<_> = (0..8).map(|_| scheduler.enqueue_plain(Duration::ZERO)).collect();
    let mut sent = Vec::new();
    run(
        &mut scheduler,
        Duration::MAX,
        || Duration::ZERO,
        |scheduler, now, grant| {
            sent.push((grant.id, now));
            match sent.len() {
                3 => scheduler.set_limits(now, per_minute(6000).no_ramp()),
                5 => scheduler.set_limits(now, per_minute(6).no_ramp()),
                _ => {}
            }
        },
    );
    assert_eq!(
        sent.iter().map(|(_, at)| at.as_millis()).collect::<Vec<_>>(),
        [0, 1000, 2000, 2010, 2020, 12_020, 60_000, 70_000],
        "the first six use up a minute of the lowered limit"
    );
    assert!(sent.iter().map(|(id, _)| *id).eq(positions.iter().map(|position| position.id)));
}

#[test]
fn ended_call_makes_room_in_flight() {
    let mut scheduler = scheduler(per_minute(6000).no_ramp().max_in_flight(2));
    (0..4).for_each(|_| _ = scheduler.enqueue_plain(Duration::ZERO));
    let mut in_flight = advance(&mut scheduler, Duration::ZERO);
    in_flight.extend(advance(&mut scheduler, millis(10)));
    assert_eq!(in_flight.len(), 2);
    assert_eq!(scheduler.deadline(), None, "no call is sent before one ends");
    assert!(advance(&mut scheduler, seconds(5)).is_empty());
    scheduler.finish_plain(seconds(6), in_flight[0], false);
    assert_eq!(advance(&mut scheduler, seconds(6)).len(), 1);
    scheduler.abandon(seconds(7), in_flight[1]);
    assert_eq!(advance(&mut scheduler, seconds(7)).len(), 1);
}

#[test]
fn disabled_limiter_grants_every_call() {
    let mut scheduler = scheduler(per_minute(1));
    (0..5).for_each(|_| _ = scheduler.enqueue_plain(Duration::ZERO));
    assert_eq!(advance(&mut scheduler, Duration::ZERO).len(), 1);
    scheduler.set_limits(Duration::ZERO, per_minute(1).enabled(false));
    assert_eq!(advance(&mut scheduler, Duration::ZERO).len(), 4);
    assert!(scheduler.try_plain(Duration::ZERO).is_some());
}

#[test]
fn immediate_grant_does_not_overtake_the_queue() {
    let mut scheduler = scheduler(per_minute(60).no_ramp());
    assert!(scheduler.try_plain(Duration::ZERO).is_some());
    assert!(scheduler.try_plain(millis(999)).is_none());
    let position = scheduler.enqueue_plain(millis(999));
    assert!(scheduler.try_plain(seconds(1)).is_none(), "a call is queued");
    assert!(scheduler.leave(seconds(1), position));
    assert!(scheduler.try_plain(seconds(1)).is_some());
}
