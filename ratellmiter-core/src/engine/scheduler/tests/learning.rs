//! What refusals teach.

use super::*;

/// What is allowed, in calls a minute.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // It is whole.
fn allowed(scheduler: &Scheduler<()>) -> u32 {
    scheduler.congestion.expected_pace() as u32
}

/// At full rate for ten seconds, with a long line.
fn flowing(limits: Limits) -> (Scheduler<()>, Vec<Grant>) {
    let mut scheduler = scheduler(limits);
    (0..10_000).for_each(|_| _ = scheduler.joins(Duration::ZERO));
    let mut out = Vec::new();
    run(&mut scheduler, seconds(10), || Duration::ZERO, |_, _, grant| out.push(grant));
    assert_eq!(out.len(), 100);
    (scheduler, out)
}

fn busy() -> (Scheduler<()>, Vec<Grant>) {
    flowing(per_minute(600).no_ramp())
}

#[test]
fn one_cut_an_episode_from_what_went_through_and_none_by_a_canary() {
    let (mut scheduler, out) = busy();
    scheduler.requeue(seconds(10), out[99], &refused(Some(seconds(1))), NOBODY);
    let cut = allowed(&scheduler);
    assert!((490..=520).contains(&cut), "0.85 of about 600: {cut}");
    scheduler.requeue(seconds(10), out[98], &refused(Some(seconds(1))), NOBODY);
    assert_eq!(allowed(&scheduler), cut, "the same episode");
    let canary = advance(&mut scheduler, seconds(12))[0];
    scheduler.requeue(seconds(12) + millis(50), canary, &refused(Some(seconds(1))), NOBODY);
    assert_eq!(allowed(&scheduler), cut, "a refused canary makes the pause longer and nothing else");
    let canary = advance(&mut scheduler, seconds(30))[0];
    scheduler.ends(seconds(31), canary, false);
    // Sent before the cut, refused after it.
    scheduler.requeue(seconds(31), out[97], &refused(None), NOBODY);
    assert!(allowed(&scheduler) >= cut && scheduler.congestion.phase() == Phase::Flowing);
}

#[test]
fn an_overloaded_server_pauses_and_teaches_nothing() {
    let (mut scheduler, out) = busy();
    scheduler.requeue(seconds(10), out[99], &Verdict::Overloaded { retry_after: None }, NOBODY);
    assert!(matches!(scheduler.congestion.phase(), Phase::Paused { .. }));
    assert_eq!(allowed(&scheduler), 600);
    for scope in [LimitKind::Daily, LimitKind::Growth] {
        let (mut scheduler, out) = busy();
        scheduler.requeue(seconds(10), out[99], &Verdict::RateLimited { retry_after: None, limit: scope }, NOBODY);
        assert_eq!(allowed(&scheduler), 600, "{scope:?}");
    }
}

#[test]
fn too_many_at_once_lower_the_calls_in_flight_and_not_the_rate() {
    let (mut scheduler, out) = busy();
    let verdict = Verdict::RateLimited { retry_after: Some(seconds(1)), limit: LimitKind::Concurrency };
    scheduler.requeue(seconds(10), out[99], &verdict, NOBODY);
    assert_eq!(allowed(&scheduler), 600);
    assert_eq!(scheduler.gauges(Duration::ZERO).learned_in_flight, Some(84.0), "0.85 of the 99 that were not refused");
    assert!(advance(&mut scheduler, seconds(60)).is_empty(), "99 are out");
    out[..20].iter().for_each(|grant| scheduler.ends(seconds(60), *grant, false));
    assert_eq!(advance(&mut scheduler, seconds(60)).len(), 1, "the canary");
}

#[test]
fn it_grows_only_while_calls_wait_for_the_rate() {
    let (mut scheduler, out) = flowing(per_minute(600).no_ramp());
    scheduler.requeue(seconds(10), out[99], &refused(Some(seconds(1))), NOBODY);
    let canary = advance(&mut scheduler, seconds(12))[0];
    scheduler.ends(seconds(13), canary, false);
    let cut = allowed(&scheduler);
    let mut idle = Vec::new();
    // Everybody leaves.
    while let Some((&place, _)) = scheduler.queue.first_key_value() {
        idle.push(scheduler.leave(seconds(13), place));
    }
    scheduler.advance_to(seconds(100));
    assert_eq!(allowed(&scheduler), cut, "nobody waited");
    (0..10_000).for_each(|_| _ = scheduler.joins(seconds(100)));
    let mut at = seconds(100);
    while at < seconds(104) {
        at = at.max(scheduler.deadline().unwrap());
        advance(&mut scheduler, at);
    }
    assert!(allowed(&scheduler) > cut, "{} after {cut}", allowed(&scheduler));
}

#[test]
fn a_refusal_right_after_a_pause_is_an_accident_once() {
    let (mut scheduler, out) = busy();
    scheduler.requeue(seconds(10), out[99], &refused(Some(seconds(1))), NOBODY);
    let cut = allowed(&scheduler);
    let mut now = seconds(12);
    for expected_cut in [false, true] {
        let canary = advance(&mut scheduler, now)[0];
        scheduler.ends(now + millis(100), canary, false);
        let next = loop {
            now = now.max(scheduler.deadline().unwrap());
            if let Some(grant) = advance(&mut scheduler, now).first() {
                break *grant;
            }
        };
        scheduler.requeue(now + millis(50), next, &refused(Some(seconds(1))), NOBODY);
        assert_eq!(allowed(&scheduler) < cut, expected_cut);
        now += seconds(2);
    }
}

#[test]
fn switched_off_it_is_exact_and_static() {
    let (mut scheduler, out) = flowing(per_minute(600).no_ramp().adaptive(false));
    scheduler.requeue(seconds(10), out[99], &refused(Some(seconds(1))), NOBODY);
    scheduler.restore(seconds(10), Some(60.0), Some(1.0));
    assert_eq!((allowed(&scheduler), scheduler.ceilings()), (600, (None, None)));
    let (mut scheduler, out) = busy();
    scheduler.requeue(seconds(10), out[99], &refused(Some(seconds(1))), NOBODY);
    scheduler.set_limits(seconds(10), per_minute(600).no_ramp().adaptive(false));
    assert_eq!(allowed(&scheduler), 600, "switched off in mid-run");
}

#[test]
fn what_an_earlier_run_learned_is_where_it_starts() {
    let mut scheduler = scheduler(per_minute(600));
    scheduler.restore(Duration::ZERO, Some(200.0), Some(10.0));
    assert_eq!(allowed(&scheduler), 170);
    assert_eq!(scheduler.ceilings(), (Some(200.0), Some(10.0)));
    assert_eq!(scheduler.gauges(Duration::ZERO).learned_in_flight, Some(9.0));
}
