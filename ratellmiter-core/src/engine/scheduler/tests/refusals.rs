//! Effects of a refusal: the pause, the canary, and the order of the queue.

use super::*;

/// Returns a scheduler with three queued calls, its `calls` calls in flight, and the time.
fn backlogged(limits: Limits, calls: usize) -> (Scheduler<()>, Vec<Grant>, Duration) {
    let mut scheduler = scheduler(limits);
    (0..calls + 3).for_each(|_| _ = scheduler.enqueue_plain(Duration::ZERO));
    let mut in_flight = Vec::new();
    let mut now = Duration::ZERO;
    while in_flight.len() < calls {
        now = scheduler.deadline().unwrap();
        in_flight.extend(advance(&mut scheduler, now));
    }
    (scheduler, in_flight, now)
}

fn paused_until(scheduler: &Scheduler<()>) -> Duration {
    match scheduler.congestion.phase() {
        Phase::Paused { until } => until,
        phase => panic!("not paused: {phase:?}"),
    }
}

#[test]
fn refused_calls_follow_the_canary_in_order() {
    let (mut scheduler, in_flight, now) = backlogged(per_minute(300).no_ramp(), 4);
    // Refused in another order than requested.
    for index in [2, 0, 1] {
        scheduler.requeue(now, in_flight[index], &refused(Some(seconds(5))), NO_PAYLOAD);
    }
    scheduler.finish_plain(now, in_flight[3], false);
    let until = paused_until(&scheduler);
    assert!(until > now + seconds(5) && until <= now + millis(5500), "hint plus a small jitter: {until:?}");
    assert_eq!(scheduler.deadline(), Some(until));
    assert!(advance(&mut scheduler, until - millis(1)).is_empty(), "no call is sent");
    let canary = advance(&mut scheduler, until);
    assert_eq!(canary.iter().map(|grant| grant.id).collect::<Vec<_>>(), [in_flight[0].id], "the oldest is sent alone");
    assert!(advance(&mut scheduler, until + millis(900)).is_empty());
    scheduler.finish_plain(until + millis(900), canary[0], false);
    let mut order = Vec::new();
    run(&mut scheduler, Duration::MAX, || Duration::ZERO, |_, _, grant| order.push(grant.id));
    assert_eq!(order, [2, 3, 5, 6, 7]);
}

#[test]
fn refusals_of_earlier_calls_belong_to_the_episode() {
    let (mut scheduler, in_flight, now) = backlogged(per_minute(300).no_ramp(), 4);
    scheduler.requeue(now, in_flight[0], &refused(None), NO_PAYLOAD);
    let first = paused_until(&scheduler);
    scheduler.requeue(now + millis(100), in_flight[1], &refused(None), NO_PAYLOAD);
    assert_eq!(paused_until(&scheduler), first, "no change without a hint");
    scheduler.requeue(now + millis(200), in_flight[2], &refused(Some(seconds(30))), NO_PAYLOAD);
    assert_eq!(paused_until(&scheduler), now + millis(200) + seconds(30), "a hint can extend the pause");
    let canary = advance(&mut scheduler, now + millis(30_200));
    scheduler.finish_plain(now + millis(30_300), canary[0], false);
    // The fourth call was sent before the pause and is refused after it.
    scheduler.requeue(now + millis(30_400), in_flight[3], &refused(Some(seconds(9))), NO_PAYLOAD);
    assert_eq!(scheduler.congestion.phase(), Phase::Flowing);
    assert_eq!(scheduler.congestion.unpaced_passage().episode, 1);
}

/// Refuses a call and returns the time until the next call is sent, and its grant.
fn refuse_and_wait(scheduler: &mut Scheduler<()>, at: Duration, sent: Grant) -> (Duration, Grant) {
    scheduler.requeue(at, sent, &refused(None), NO_PAYLOAD);
    for _ in 0..3 {
        let next = scheduler.deadline().unwrap();
        if let Some(grant) = advance(scheduler, next).pop() {
            return (next - at, grant);
        }
    }
    panic!("no call is sent");
}

#[test]
fn refused_canary_lengthens_the_pause() {
    let mut scheduler = scheduler(per_minute(300).no_ramp());
    let mut sent = scheduler.try_request(Duration::ZERO, &Request::PLAIN).unwrap();
    let mut at = Duration::ZERO;
    let mut pauses = Vec::new();
    for _ in 0..5 {
        let (pause, next) = refuse_and_wait(&mut scheduler, at, sent);
        pauses.push(pause.as_millis());
        (at, sent) = (at + pause + millis(50), next);
    }
    for (pause, expected) in pauses.iter().zip([2000, 3000, 4500, 6750, 10_125]) {
        assert!((expected..=expected * 11 / 10).contains(pause), "{pauses:?}");
    }
    scheduler.finish_plain(at, sent, false);
    let next = scheduler.try_request(at + seconds(1), &Request::PLAIN).unwrap();
    let (pause, _) = refuse_and_wait(&mut scheduler, at + seconds(2), next);
    assert!(pause <= millis(2200), "{pause:?}");
}

#[test]
fn refused_canary_is_not_the_next_canary() {
    let (mut scheduler, in_flight, now) = backlogged(per_minute(300).no_ramp(), 1);
    let (pause, canary) = refuse_and_wait(&mut scheduler, now, in_flight[0]);
    assert_eq!(canary.id, in_flight[0].id);
    let (test, other) = refuse_and_wait(&mut scheduler, now + pause, canary);
    assert!(other.id != canary.id && test < millis(250), "another call at once, {test:?}");
    let at = now + pause + test;
    // The limit is refused to this call, too: the pauses grow, and further calls are the canaries.
    let (second, third) = refuse_and_wait(&mut scheduler, at, other);
    assert!(third.id != canary.id && third.id != other.id && second >= seconds(3), "{second:?}");
}

#[test]
fn refused_canary_of_an_overloaded_server_is_followed_by_no_test() {
    let (mut scheduler, in_flight, now) = backlogged(per_minute(300).no_ramp(), 1);
    let mut refuse = |at, grant| {
        scheduler.requeue(at, grant, &Verdict::overloaded(), NO_PAYLOAD);
        let mut sent = Vec::new();
        while sent.is_empty() {
            let next = scheduler.deadline().unwrap();
            sent.extend(advance(&mut scheduler, next).into_iter().map(|grant| (next - at, grant)));
        }
        sent[0]
    };
    let (pause, canary) = refuse(now, in_flight[0]);
    let (second, other) = refuse(now + pause, canary);
    assert!(second >= seconds(3), "one request in a pause: {second:?}");
    assert!(other.id != canary.id);
}

#[test]
fn accepted_test_after_refused_canary_restores_limits_and_ramp() {
    let (mut scheduler, in_flight, now) = backlogged(per_minute(6000), 80);
    (0..400).for_each(|_| _ = scheduler.enqueue_plain(now));
    let adapted = scheduler.congestion.adapted_rate();
    in_flight[1..].iter().for_each(|grant| scheduler.finish_plain(now, *grant, false));
    let (pause, canary) = refuse_and_wait(&mut scheduler, now, in_flight[0]);
    let (test, other) = refuse_and_wait(&mut scheduler, now + pause, canary);
    let at = now + pause + test + millis(100);
    scheduler.finish_plain(at, other, false);
    assert_eq!(scheduler.congestion.phase(), Phase::Flowing);
    assert_eq!(scheduler.congestion.adapted_rate(), adapted);
    assert!(
        (scheduler.rate() - 75.0).abs() < 1e-9,
        "as after any pause, since the ramp was lower before: {}",
        scheduler.rate()
    );
    // The responsible call is retried once its own pause is over, and pauses no other call.
    let mut retries = Vec::new();
    run(
        &mut scheduler,
        at + seconds(4),
        || Duration::ZERO,
        |_, at, grant| {
            if grant.id == canary.id {
                retries.push((at, grant));
            }
        },
    );
    assert_eq!(retries.len(), 1);
}

#[test]
fn slow_canary_counts_as_accepted() {
    let (mut scheduler, in_flight, now) = backlogged(per_minute(300).no_ramp(), 1);
    // This refusal took 600 ms.
    scheduler.requeue(now + millis(600), in_flight[0], &refused(Some(seconds(1))), NO_PAYLOAD);
    let sent = paused_until(&scheduler);
    let canary = advance(&mut scheduler, sent)[0];
    assert_eq!(scheduler.deadline(), Some(sent + millis(1800)), "three times the slowest refusal");
    assert_eq!(advance(&mut scheduler, sent + millis(1800)).len(), 1, "accepted, though still in flight");
    // Its refusal after that starts a new episode.
    scheduler.requeue(sent + seconds(3), canary, &refused(None), NO_PAYLOAD);
    assert_eq!(scheduler.congestion.unpaced_passage().episode, 2);
}

#[test]
fn ramp_is_steeper_after_a_pause() {
    let (mut scheduler, in_flight, now) = backlogged(per_minute(6000).adaptive(false), 400);
    (0..400).for_each(|_| _ = scheduler.enqueue_plain(now));
    assert!((scheduler.rate() - 75.0).abs() > 1e-9, "past the start of the ramp");
    scheduler.requeue(now, in_flight[0], &refused(Some(seconds(1))), NO_PAYLOAD);
    assert!(scheduler.rate().abs() < 1e-9, "no call is sent");
    let sent = paused_until(&scheduler);
    let canary = advance(&mut scheduler, sent)[0];
    scheduler.finish_plain(sent + millis(300), canary, false);
    // The canary is the first call of its second, which may use three quarters of the rate.
    let mut carried = BTreeMap::from([(0, 1)]);
    run(
        &mut scheduler,
        sent + seconds(3),
        || Duration::ZERO,
        |_, at, _| {
            *carried.entry((at - sent).as_secs()).or_insert(0) += 1;
        },
    );
    assert_eq!(carried.into_values().collect::<Vec<_>>(), [71, 92, 101]);
}

#[test]
fn dropped_canary_is_replaced_at_once() {
    let (mut scheduler, in_flight, now) = backlogged(per_minute(6000).no_ramp(), 2);
    scheduler.requeue(now, in_flight[0], &refused(Some(seconds(1))), NO_PAYLOAD);
    scheduler.requeue(now, in_flight[1], &refused(Some(seconds(1))), NO_PAYLOAD);
    let sent = paused_until(&scheduler);
    let canary = advance(&mut scheduler, sent)[0];
    scheduler.abandon(sent + millis(20), canary);
    let second = advance(&mut scheduler, sent + millis(20));
    assert_eq!(second.iter().map(|grant| grant.id).collect::<Vec<_>>(), [in_flight[1].id]);
    scheduler.cancel(sent + millis(30), second[0]);
    assert_eq!(advance(&mut scheduler, sent + millis(30)).len(), 1, "one that was never refused");
    assert!(matches!(scheduler.congestion.phase(), Phase::Canary { .. }));
}

#[test]
fn new_call_is_canary_if_refused_ones_left() {
    let mut scheduler = scheduler(per_minute(300));
    let grant = scheduler.try_plain(Duration::ZERO).unwrap();
    let position = scheduler.requeue(millis(100), grant, &refused(Some(seconds(1))), NO_PAYLOAD);
    assert!(scheduler.leave(millis(200), position));
    assert!(scheduler.try_plain(millis(500)).is_none(), "paused");
    assert!(scheduler.try_plain(seconds(9)).is_some());
    assert!(matches!(scheduler.congestion.phase(), Phase::Canary { .. }));
    assert!(
        scheduler.try_plain(seconds(9) + millis(250)).is_none(),
        "alone, for three times the latency of the refusal"
    );
}

#[test]
fn probe_replaces_the_canary() {
    let (mut scheduler, in_flight, now) = backlogged(per_minute(300).no_ramp(), 1);
    scheduler.set_probe(true);
    scheduler.requeue(now, in_flight[0], &refused(Some(seconds(1))), NO_PAYLOAD);
    let end = paused_until(&scheduler);
    let no_grant = |_, ()| panic!("no call is sent");
    assert!(scheduler.advance(end, no_grant), "the probe is due");
    assert!(!scheduler.advance(end + seconds(1), no_grant), "once");
    assert_eq!(scheduler.deadline(), scheduler.gives_up_at(), "nothing is due before the limiter would close");
    scheduler.probed(end + seconds(1), true);
    let pause = paused_until(&scheduler) - end - seconds(1);
    assert!(pause >= seconds(2) && pause <= millis(2200), "{pause:?}");
    let end = paused_until(&scheduler);
    assert!(scheduler.advance(end, no_grant));
    scheduler.probed(end, false);
    assert_eq!(advance(&mut scheduler, end)[0].id, in_flight[0].id);
    assert_eq!(scheduler.congestion.phase(), Phase::Flowing);
}

#[test]
fn unattributed_refusal_pauses_once() {
    let (mut scheduler, in_flight, now) = backlogged(per_minute(300).no_ramp(), 2);
    scheduler.on_unattributed_refusal(now, &refused(Some(seconds(4))));
    let end = paused_until(&scheduler);
    assert!(end > now + seconds(4));
    scheduler.on_unattributed_refusal(now, &refused(None));
    scheduler.requeue(now, in_flight[0], &refused(None), NO_PAYLOAD);
    assert_eq!(paused_until(&scheduler), end, "the same episode");
}

#[test]
fn hint_above_ten_minutes_is_ignored() {
    let (mut scheduler, in_flight, now) = backlogged(per_minute(300).no_ramp(), 1);
    scheduler.requeue(now, in_flight[0], &refused(Some(seconds(601))), NO_PAYLOAD);
    assert!(paused_until(&scheduler) <= now + millis(2200));
}
