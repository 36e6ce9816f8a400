//! Limits that adapt to refusals.

use super::*;

/// Returns the rate in force, in calls a minute.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // It is a whole number.
fn allowed(scheduler: &Scheduler<()>) -> u32 {
    scheduler.congestion.expected_pace() as u32
}

/// Returns a scheduler with a long queue after ten seconds at the full rate, and the calls in flight.
fn flowing(limits: Limits) -> (Scheduler<()>, Vec<Grant>) {
    let mut scheduler = scheduler(limits);
    (0..10_000).for_each(|_| _ = scheduler.enqueue_plain(Duration::ZERO));
    let mut in_flight = Vec::new();
    run(&mut scheduler, seconds(10), || Duration::ZERO, |_, _, grant| in_flight.push(grant));
    assert_eq!(in_flight.len(), 100);
    (scheduler, in_flight)
}

fn backlogged() -> (Scheduler<()>, Vec<Grant>) {
    flowing(per_minute(600).no_ramp())
}

#[test]
fn rate_is_adapted_once_an_episode() {
    let (mut scheduler, in_flight) = backlogged();
    scheduler.requeue(seconds(10), in_flight[99], &refused(Some(seconds(1))), NO_PAYLOAD);
    let adapted = allowed(&scheduler);
    assert!((490..=520).contains(&adapted), "0.85 of about 600: {adapted}");
    scheduler.requeue(seconds(10), in_flight[98], &refused(Some(seconds(1))), NO_PAYLOAD);
    assert_eq!(allowed(&scheduler), adapted, "the same episode");
    let canary = advance(&mut scheduler, seconds(12))[0];
    scheduler.requeue(seconds(12) + millis(50), canary, &refused(Some(seconds(1))), NO_PAYLOAD);
    assert_eq!(allowed(&scheduler), adapted, "a refused canary only lengthens the pause");
    let canary = advance(&mut scheduler, seconds(30))[0];
    scheduler.finish_plain(seconds(31), canary, false);
    // Sent before the refusal, refused after the pause.
    scheduler.requeue(seconds(31), in_flight[97], &refused(None), NO_PAYLOAD);
    assert!(allowed(&scheduler) >= adapted && scheduler.congestion.phase() == Phase::Flowing);
}

#[test]
fn overload_pauses_without_adapting_the_rate() {
    let (mut scheduler, in_flight) = backlogged();
    scheduler.requeue(seconds(10), in_flight[99], &Verdict::Overloaded { retry_after: None }, NO_PAYLOAD);
    assert!(matches!(scheduler.congestion.phase(), Phase::Paused { .. }));
    assert_eq!(allowed(&scheduler), 600);
    for limit in [LimitKind::Daily, LimitKind::Growth] {
        let (mut scheduler, in_flight) = backlogged();
        scheduler.requeue(seconds(10), in_flight[99], &Verdict::RateLimited { retry_after: None, limit }, NO_PAYLOAD);
        assert_eq!(allowed(&scheduler), 600, "{limit:?}");
    }
}

#[test]
fn concurrency_refusal_lowers_the_in_flight_limit() {
    let (mut scheduler, in_flight) = backlogged();
    let verdict = Verdict::RateLimited { retry_after: Some(seconds(1)), limit: LimitKind::Concurrency };
    scheduler.requeue(seconds(10), in_flight[99], &verdict, NO_PAYLOAD);
    assert_eq!(allowed(&scheduler), 600);
    assert_eq!(scheduler.gauges(Duration::ZERO).learned_in_flight, Some(84.0), "0.85 of the 99 other calls");
    assert!(advance(&mut scheduler, seconds(60)).is_empty(), "99 calls are in flight");
    in_flight[..20].iter().for_each(|grant| scheduler.finish_plain(seconds(60), *grant, false));
    assert_eq!(advance(&mut scheduler, seconds(60)).len(), 1, "the canary");
}

#[test]
fn adapted_rate_grows_only_while_backlogged() {
    let (mut scheduler, in_flight) = flowing(per_minute(600).no_ramp());
    scheduler.requeue(seconds(10), in_flight[99], &refused(Some(seconds(1))), NO_PAYLOAD);
    let canary = advance(&mut scheduler, seconds(12))[0];
    scheduler.finish_plain(seconds(13), canary, false);
    let adapted = allowed(&scheduler);
    let mut left = Vec::new();
    // The queue is emptied.
    while let Some((position, _)) = scheduler.queue.next(false) {
        left.push(scheduler.leave(seconds(13), position));
    }
    scheduler.advance_to(seconds(100));
    assert_eq!(allowed(&scheduler), adapted, "the queue was empty");
    (0..10_000).for_each(|_| _ = scheduler.enqueue_plain(seconds(100)));
    let mut at = seconds(100);
    while at < seconds(104) {
        at = at.max(scheduler.deadline().unwrap());
        advance(&mut scheduler, at);
    }
    assert!(allowed(&scheduler) > adapted, "{} after {adapted}", allowed(&scheduler));
}

#[test]
fn early_refusal_after_a_pause_is_ignored_once() {
    let (mut scheduler, in_flight) = backlogged();
    scheduler.requeue(seconds(10), in_flight[99], &refused(Some(seconds(1))), NO_PAYLOAD);
    let adapted = allowed(&scheduler);
    let mut now = seconds(12);
    for is_adapted in [false, true] {
        let canary = advance(&mut scheduler, now)[0];
        scheduler.finish_plain(now + millis(100), canary, false);
        let next = loop {
            now = now.max(scheduler.deadline().unwrap());
            if let Some(grant) = advance(&mut scheduler, now).first() {
                break *grant;
            }
        };
        scheduler.requeue(now + millis(50), next, &refused(Some(seconds(1))), NO_PAYLOAD);
        assert_eq!(allowed(&scheduler) < adapted, is_adapted);
        now += seconds(2);
    }
}

#[test]
fn without_adaptation_the_rate_is_constant() {
    let (mut scheduler, in_flight) = flowing(per_minute(600).no_ramp().adaptive(false));
    scheduler.requeue(seconds(10), in_flight[99], &refused(Some(seconds(1))), NO_PAYLOAD);
    scheduler.restore(seconds(10), Some(60.0), Some(1.0));
    assert_eq!((allowed(&scheduler), scheduler.ceilings()), (600, (None, None)));
    let (mut scheduler, in_flight) = backlogged();
    scheduler.requeue(seconds(10), in_flight[99], &refused(Some(seconds(1))), NO_PAYLOAD);
    scheduler.set_limits(seconds(10), per_minute(600).no_ramp().adaptive(false));
    assert_eq!(allowed(&scheduler), 600, "switched off later");
}

#[test]
fn restored_ceilings_lower_the_limits() {
    let mut scheduler = scheduler(per_minute(600));
    scheduler.restore(Duration::ZERO, Some(200.0), Some(10.0));
    assert_eq!(allowed(&scheduler), 170);
    assert_eq!(scheduler.ceilings(), (Some(200.0), Some(10.0)));
    assert_eq!(scheduler.gauges(Duration::ZERO).learned_in_flight, Some(9.0));
}
