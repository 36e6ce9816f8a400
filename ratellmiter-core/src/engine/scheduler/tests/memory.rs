//! The time for which an idle limiter remembers its calls.

use super::*;

const MINUTE: Duration = Duration::from_mins(1);

/// Returns a scheduler that has sent one call at time zero.
fn with_call(limits: Limits) -> (Scheduler<()>, Grant) {
    let mut scheduler = scheduler(limits);
    let grant = scheduler.try_request(Duration::ZERO, &Request::PLAIN).expect("a free limiter");
    (scheduler, grant)
}

/// Asserts that the scheduler remembers its calls until `end`, and not later.
fn assert_forgets_after(scheduler: &mut Scheduler<()>, end: Duration) {
    assert!(scheduler.remembers(end) && !scheduler.remembers(end + millis(1)));
}

#[test]
fn successes_are_forgotten_after_two_minutes() {
    let (mut scheduler, grant) = with_call(per_minute(60));
    assert!(scheduler.remembers(seconds(1_000_000)), "in flight");
    scheduler.finish(seconds(9), grant, CallEnd::Succeeded, None);
    assert_forgets_after(&mut scheduler, seconds(9) + 2 * MINUTE);
    let mut unused = super::scheduler(per_minute(60));
    assert_forgets_after(&mut unused, 2 * MINUTE);
}

#[test]
fn queued_calls_are_remembered() {
    let (mut scheduler, grant) = with_call(per_minute(1));
    let position = scheduler.enqueue(Duration::ZERO, &Request::PLAIN, NO_PAYLOAD).expect("unbounded");
    scheduler.finish(seconds(1), grant, CallEnd::Succeeded, None);
    assert!(scheduler.remembers(seconds(1_000_000)));
    scheduler.leave(seconds(5), position);
    assert!(!scheduler.remembers(10 * MINUTE));
}

#[test]
fn failures_and_refusals_are_remembered_for_a_quarter_of_an_hour_or_longer() {
    let (mut failed, grant) = with_call(per_minute(60));
    failed.finish(seconds(9), grant, CallEnd::Failed, None);
    assert_forgets_after(&mut failed, seconds(9) + 15 * MINUTE);
    // An adapted limit is kept.
    let (mut refused, grant) = with_call(per_minute(60));
    refused.finish_refused(seconds(1), grant, &super::refused(Some(seconds(5))));
    let is_adapted = refused.ceilings() != (None, None);
    assert_eq!(refused.remembers(20 * MINUTE), is_adapted);
    // So is a pause that another program has reported.
    let mut paused = scheduler(per_minute(60).adaptive(false));
    paused.on_unattributed_refusal(Duration::ZERO, &super::refused(Some(9 * MINUTE)));
    assert!(paused.remembers(9 * MINUTE));
    let mut closed = scheduler(per_minute(60));
    closed.on_unattributed_exhaustion(Duration::ZERO, Some(60 * MINUTE));
    assert!(closed.remembers(59 * MINUTE));
}

#[test]
fn usage_of_a_day_is_remembered_for_a_day() {
    let (mut scheduler, grant) = with_call(per_minute(60).requests_per_day(10));
    scheduler.finish(seconds(1), grant, CallEnd::Succeeded, None);
    let day = Duration::from_hours(24);
    assert!(scheduler.remembers(day - MINUTE) && !scheduler.remembers(day + 2 * MINUTE));
    // A dropped call stays charged.
    let (mut dropped, grant) = with_call(per_minute(60).requests_per_day(10));
    dropped.abandon(seconds(1), grant);
    assert!(dropped.remembers(day - MINUTE));
}

#[test]
fn counts_that_are_not_written_are_remembered() {
    let mut scheduler = scheduler(per_minute(60));
    scheduler.record(Duration::ZERO, true);
    let grant = scheduler.try_request(Duration::ZERO, &Request::PLAIN).expect("a free limiter");
    scheduler.finish(seconds(1), grant, CallEnd::Succeeded, None);
    assert!(scheduler.remembers(10 * MINUTE));
    assert!(!scheduler.seconds(10 * MINUTE, false).is_empty());
    assert!(!scheduler.remembers(10 * MINUTE));
}
