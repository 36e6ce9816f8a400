//! Transient failures: the retries of their calls, and the pause if every call fails.

use super::*;
use crate::{
    engine::congestion::transient::{FAILED_CALLS, FIRST_WAIT},
    providers::provider::Provider,
};

/// Fails a call in flight. Returns its position if it is queued again.
fn fail(scheduler: &mut Scheduler<()>, now: Duration, grant: Grant) -> Option<QueuePosition> {
    scheduler.retry_transient(now, grant, CallEnd::Failed, None, 2, NO_PAYLOAD)
}

/// Sends a call at `now`, when the limiter allows it.
fn send(scheduler: &mut Scheduler<()>, now: Duration) -> Grant {
    scheduler.try_plain(now).expect("it is sent at once")
}

/// Returns a scheduler whose calls are sent at once.
fn fast() -> Scheduler<()> {
    scheduler(per_minute(600_000).no_ramp())
}

/// Returns the upper bound of a wait with its jitter.
fn with_jitter(wait: Duration) -> Duration {
    wait + (wait / 20).clamp(millis(10), millis(500))
}

#[test]
fn failed_call_is_sent_again_after_half_a_second() {
    let mut scheduler = fast();
    let mut grant = send(&mut scheduler, Duration::ZERO);
    let mut now = millis(200);
    for wait in [FIRST_WAIT, FIRST_WAIT * 2] {
        assert!(fail(&mut scheduler, now, grant).is_some());
        assert_eq!((scheduler.in_flight, scheduler.queue_length()), (0, 1), "it waits without a place in flight");
        assert_eq!(scheduler.congestion.phase(), Phase::Flowing);
        let at = scheduler.deadline().unwrap();
        assert!(at > now + wait && at <= now + with_jitter(wait), "{:?}", at - now);
        assert!(advance(&mut scheduler, at - millis(1)).is_empty());
        let again = advance(&mut scheduler, at);
        assert_eq!(again.iter().map(|again| again.id).collect::<Vec<_>>(), [grant.id]);
        (grant, now) = (again[0], at + millis(200));
    }
    assert_eq!(fail(&mut scheduler, now, grant), None, "two retries");
    assert_eq!((scheduler.in_flight, scheduler.queue_length(), scheduler.deadline()), (0, 0, None));
    assert!(scheduler.calls.is_empty());
}

#[test]
fn log_counts_retried_failures_apart() {
    let mut scheduler = fast();
    scheduler.record(Duration::ZERO, true);
    let grants = [1, 2, 3].map(|at| send(&mut scheduler, millis(at)));
    assert!(scheduler.retry_transient(millis(100), grants[0], CallEnd::Failed, None, 1, NO_PAYLOAD).is_some());
    assert!(scheduler.retry_transient(millis(100), grants[1], CallEnd::Failed, None, 0, NO_PAYLOAD).is_none());
    scheduler.finish_plain(millis(100), grants[2], false);
    let row = scheduler.seconds(millis(200), true)[0].row("m");
    assert_eq!((row.transient, row.finished, row.failed, row.rate_limited), (1, 2, 1, 0));
    assert_eq!((row.overflow, row.in_flight, row.paused_for), (1, 0, None));
}

#[test]
fn hint_of_a_failure_is_followed() {
    let mut scheduler = fast();
    let grant = send(&mut scheduler, Duration::ZERO);
    scheduler.retry_transient(Duration::ZERO, grant, CallEnd::Failed, Some(seconds(3)), 2, NO_PAYLOAD).unwrap();
    let at = scheduler.deadline().unwrap();
    assert!(at > seconds(3) && at <= with_jitter(seconds(3)), "{at:?}");
    let grant = send(&mut scheduler, seconds(1));
    assert_eq!(scheduler.retry_transient(seconds(1), grant, CallEnd::Failed, Some(seconds(601)), 2, NO_PAYLOAD), None);
}

#[test]
fn failure_delays_no_other_call_and_adapts_nothing() {
    let mut scheduler = scheduler(per_minute(60).no_ramp());
    let first = send(&mut scheduler, Duration::ZERO);
    (0..3).for_each(|_| _ = scheduler.enqueue_plain(Duration::ZERO));
    fail(&mut scheduler, millis(100), first).unwrap();
    assert_eq!(scheduler.ceilings(), (None, None));
    let mut sent = Vec::new();
    run(
        &mut scheduler,
        Duration::MAX,
        || Duration::ZERO,
        |scheduler, now, grant| {
            sent.push((now.as_secs(), grant.id));
            scheduler.finish_plain(now, grant, false);
        },
    );
    assert_eq!(sent, [(1, 1), (2, 2), (3, 3), (4, 4)], "the failed call keeps its rank, and counts in the rate");
    assert_eq!(scheduler.congestion.adapted_rate(), None);
    assert_eq!(scheduler.congestion.unpaced_passage().episode, 0);
}

#[test]
fn failed_call_keeps_its_priority() {
    let mut scheduler = scheduler(per_minute(60).no_ramp());
    let low = Request { priority: Priority::Low, ..Request::PLAIN };
    let grant = scheduler.try_request(Duration::ZERO, &low).unwrap();
    fail(&mut scheduler, Duration::ZERO, grant).unwrap();
    scheduler.enqueue_plain(millis(100));
    assert_eq!(advance(&mut scheduler, seconds(1))[0].id, 2);
    assert_eq!(advance(&mut scheduler, seconds(2))[0].id, 1);
}

#[test]
fn wait_after_a_failure_is_no_time_in_the_queue() {
    let mut scheduler = scheduler(per_minute(60).no_ramp());
    let request = Request { max_wait: Some(millis(100)), ..Request::PLAIN };
    let grant = scheduler.try_request(Duration::ZERO, &request).unwrap();
    fail(&mut scheduler, millis(700), grant).unwrap();
    scheduler.expire(seconds(1), |_, _, ()| panic!("the wait is not over"));
    let at = scheduler.deadline().unwrap();
    let again = advance(&mut scheduler, at);
    assert_eq!(again.len(), 1);
    assert_eq!(scheduler.calls.get(again[0].id).waited, Duration::ZERO);
}

#[test]
fn deadline_before_the_retry_ends_the_call() {
    let mut scheduler = fast();
    let request = Request { deadline: Some(millis(900)), ..Request::PLAIN };
    let [first, second] = [1, 2].map(|at| scheduler.try_request(millis(at), &request).unwrap());
    assert!(fail(&mut scheduler, millis(300), first).is_some());
    assert!(fail(&mut scheduler, millis(500), second).is_none());
}

#[test]
fn failed_call_leaves_during_its_wait() {
    let mut scheduler = fast();
    let grant = send(&mut scheduler, Duration::ZERO);
    let position = fail(&mut scheduler, Duration::ZERO, grant).unwrap();
    assert!(scheduler.leave(millis(100), position));
    assert_eq!((scheduler.queue_length(), scheduler.deadline()), (0, None));
    assert!(scheduler.calls.is_empty());
}

#[test]
fn reserved_tokens_of_a_failed_call_are_refunded() {
    let limits = per_minute(600).no_ramp().provider(Provider::Gemini).tokens_per_minute(10_000);
    let mut scheduler = scheduler(limits);
    let request = Request { cost: TokenEstimate::new(1000, 0), ..Request::PLAIN };
    let grant = scheduler.try_request(Duration::ZERO, &request).unwrap();
    let taken =
        |scheduler: &mut Scheduler<()>, now| scheduler.gauges(now).budgets.iter().flatten().next().unwrap().taken;
    assert_eq!(taken(&mut scheduler, Duration::ZERO), 1000);
    fail(&mut scheduler, millis(100), grant).unwrap();
    assert_eq!(taken(&mut scheduler, millis(100)), 0);
    let at = scheduler.deadline().unwrap();
    assert_eq!(advance(&mut scheduler, at).len(), 1);
    assert_eq!(taken(&mut scheduler, at), 1000);
}

#[test]
fn retries_of_failing_calls_are_within_the_budget() {
    let mut scheduler = fast();
    let mut grants: Vec<_> = (0..100).map(|index| send(&mut scheduler, millis(index))).collect();
    // The server fails every call, and would be paused for.
    scheduler.limits.transient_attempts = 0;
    let mut retries = 0;
    let mut now = millis(200);
    while let Some(grant) = grants.pop() {
        retries += usize::from(fail(&mut scheduler, now, grant).is_some());
        if grants.is_empty()
            && let Some(deadline) = scheduler.deadline()
        {
            now = deadline;
            grants = advance(&mut scheduler, now);
        }
    }
    assert_eq!(retries, 30, "a fifth of the calls of the last minute, and ten");
    assert_eq!(scheduler.in_flight, 0);
}

/// Fails one call after the other until the limiter pauses. Returns the time, and the number of failed calls.
fn fail_until_paused(scheduler: &mut Scheduler<()>) -> (Duration, usize) {
    for failed in 1..100 {
        let now = millis(failed as u64 * 10);
        let grant = send(scheduler, now);
        fail(scheduler, now, grant).unwrap();
        if !scheduler.congestion.is_flowing(now) {
            return (now, failed);
        }
    }
    panic!("not paused");
}

#[test]
fn server_that_fails_every_call_pauses_like_an_overload() {
    let mut scheduler = fast();
    let (now, failed) = fail_until_paused(&mut scheduler);
    assert_eq!(failed, FAILED_CALLS);
    let pause = scheduler.paused_for(now).unwrap();
    assert!(pause > seconds(2) && pause <= with_jitter(seconds(2)), "{pause:?}");
    assert_eq!(scheduler.congestion.unpaced_passage().episode, 1);
    assert_eq!(scheduler.congestion.adapted_rate(), None);
    assert_eq!(scheduler.stats.counts.rate_limited, 0);
    // A failed call is the canary, since no other one is queued.
    let at = scheduler.deadline().unwrap();
    let at = if at < now + pause {
        advance(&mut scheduler, at);
        scheduler.deadline().unwrap()
    } else {
        at
    };
    assert_eq!(at, now + pause);
    let canary = advance(&mut scheduler, at);
    assert_eq!(canary.len(), 1, "alone");
    fail(&mut scheduler, at + millis(10), canary[0]).unwrap();
    let pause = scheduler.paused_for(at + millis(10)).unwrap();
    assert!(pause > seconds(3) && pause <= with_jitter(seconds(3)), "the pause grows: {pause:?}");
    // The next canary succeeds, and the other calls are sent.
    let at = at + millis(10) + pause;
    let canary = advance(&mut scheduler, at);
    scheduler.finish_plain(at + millis(10), canary[0], false);
    assert_eq!(scheduler.congestion.phase(), Phase::Flowing);
    let mut sent = 0;
    run(&mut scheduler, Duration::MAX, || Duration::ZERO, |_, _, _| sent += 1);
    assert_eq!((sent, scheduler.queue_length()), (4, 0));
}

#[test]
fn success_between_failures_prevents_the_pause() {
    let mut scheduler = fast();
    for failed in 1..50 {
        let now = millis(failed * 2000);
        let grant = send(&mut scheduler, now);
        fail(&mut scheduler, now, grant);
        if failed % 4 == 0 {
            let grant = send(&mut scheduler, now + millis(1));
            scheduler.finish_plain(now + millis(1), grant, false);
        }
        while let Some(at) = scheduler.deadline().filter(|at| *at < now + seconds(2)) {
            for grant in advance(&mut scheduler, at) {
                scheduler.finish(at, grant, CallEnd::Failed, None);
            }
        }
        assert!(scheduler.congestion.is_flowing(now));
    }
}

#[test]
fn repeated_failures_of_one_call_do_not_pause() {
    let mut scheduler = fast();
    let mut grant = send(&mut scheduler, Duration::ZERO);
    for _ in 0..9 {
        scheduler.retry_transient(grant.at, grant, CallEnd::Failed, None, 20, NO_PAYLOAD).unwrap();
        let at = scheduler.deadline().unwrap();
        grant = advance(&mut scheduler, at)[0];
    }
    assert_eq!(scheduler.congestion.phase(), Phase::Flowing);
}

#[test]
fn single_failure_of_a_canary_leaves_the_pause_to_the_next_call() {
    let mut scheduler = fast();
    let first = send(&mut scheduler, Duration::ZERO);
    scheduler.requeue(Duration::ZERO, first, &refused(None), NO_PAYLOAD);
    scheduler.enqueue_plain(Duration::ZERO);
    let at = scheduler.deadline().unwrap();
    let canary = advance(&mut scheduler, at)[0];
    fail(&mut scheduler, at + millis(10), canary).unwrap();
    let next = advance(&mut scheduler, at + millis(10));
    assert_eq!(next.iter().map(|grant| grant.id).collect::<Vec<_>>(), [2]);
    assert!(matches!(scheduler.congestion.phase(), Phase::Canary { .. }));
    scheduler.finish_plain(at + millis(20), next[0], false);
    assert_eq!(scheduler.congestion.phase(), Phase::Flowing);
}

#[test]
fn disabled_limiter_retries_nothing() {
    let mut scheduler = scheduler(per_minute(60).enabled(false));
    for _ in 0..9 {
        let grant = send(&mut scheduler, Duration::ZERO);
        assert_eq!(fail(&mut scheduler, Duration::ZERO, grant), None);
    }
    assert_eq!((scheduler.in_flight, scheduler.stats.counts.failed), (0, 9));
    assert!(scheduler.congestion.is_flowing(Duration::ZERO));
}
