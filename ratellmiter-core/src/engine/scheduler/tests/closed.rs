//! The closed limiter, in virtual time.

use super::*;
use crate::limits::on_exhausted::OnExhausted;

const CAN_FAIL: Request = Request { can_fail: true, ..Request::PLAIN };
const HOUR: Duration = seconds_const(3600);

const fn seconds_const(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// Returns a scheduler with `queued` calls, of which the first was refused at 100 ms because its quota is spent until `opens_at`.
fn exhausted(limits: Limits, queued: usize, request: Request, opens_at: Option<Duration>) -> Scheduler<()> {
    let mut scheduler = scheduler(limits);
    for _ in 0..queued {
        scheduler.enqueue(Duration::ZERO, &request, NO_PAYLOAD).expect("open");
    }
    let grants = advance(&mut scheduler, Duration::ZERO);
    assert_eq!(grants.len(), 1);
    scheduler.exhaust(millis(100), grants[0], opens_at, NO_PAYLOAD);
    scheduler
}

/// Returns the rejections at `now`.
fn rejected(scheduler: &mut Scheduler<()>, now: Duration) -> Vec<Rejected> {
    let mut rejected = Vec::new();
    scheduler.expire(now, |_, rejection, ()| rejected.push(rejection));
    rejected
}

#[test]
fn spent_quota_rejects_queued_and_new_calls() {
    let mut scheduler = exhausted(per_minute(300), 100, CAN_FAIL, Some(HOUR));
    let rejections = rejected(&mut scheduler, millis(100));
    assert_eq!(rejections.len(), 99);
    let Rejected { reason, estimated_wait, resumes_at, .. } = rejections[98];
    assert_eq!((reason, estimated_wait), (RejectReason::QuotaExhausted, HOUR - millis(100)));
    assert_eq!(resumes_at, Some(std::time::SystemTime::UNIX_EPOCH + HOUR));
    assert_eq!(scheduler.try_request(seconds(1), &CAN_FAIL), None);
    assert_eq!(scheduler.enqueue(seconds(1), &CAN_FAIL, NO_PAYLOAD).map_err(|rejected| rejected.reason), Err(reason));
    assert_eq!((scheduler.queue_length(), scheduler.rate(), scheduler.deadline()), (0, 0.0, None));
}

#[test]
fn opened_limiter_sends_one_call_first() {
    let mut scheduler = exhausted(per_minute(300), 1, CAN_FAIL, Some(seconds(60)));
    assert!(scheduler.enqueue(millis(59_999), &CAN_FAIL, NO_PAYLOAD).is_err());
    for _ in 0..9 {
        scheduler.enqueue(seconds(60), &CAN_FAIL, NO_PAYLOAD).expect("open");
    }
    let canary = advance(&mut scheduler, seconds(60));
    assert_eq!(canary.len(), 1);
    assert!(advance(&mut scheduler, seconds(61) - millis(1)).is_empty(), "the canary is alone");
    scheduler.finish_plain(seconds(61) - millis(1), canary[0], false);
    assert_eq!(advance(&mut scheduler, seconds(61)).len(), 1);
}

#[test]
fn call_after_a_minute_is_the_probe() {
    for (opens_at, probe_at) in [(None, seconds(60)), (Some(2 * HOUR), seconds(600))] {
        let mut scheduler = exhausted(per_minute(300), 1, CAN_FAIL, opens_at);
        let due = millis(100) + probe_at;
        assert_eq!(scheduler.try_request(due - millis(1), &CAN_FAIL), None);
        let probe = scheduler.try_request(due, &CAN_FAIL).expect("the probe");
        assert_eq!(scheduler.try_request(due, &CAN_FAIL), None, "never more than one in flight");
        assert!(scheduler.enqueue(due, &CAN_FAIL, NO_PAYLOAD).is_err());
        assert_eq!(scheduler.retry(due + seconds(1), probe, &refused(None), NO_PAYLOAD), None, "it has failed");
        assert_eq!(scheduler.try_request(due + probe_at - millis(1), &CAN_FAIL), None);
        let probe = scheduler.try_request(due + probe_at, &CAN_FAIL).expect("the next probe");
        scheduler.finish_plain(due + probe_at + millis(100), probe, false);
        assert!(scheduler.closed().is_none());
        assert!(scheduler.try_request(due + probe_at + millis(200), &CAN_FAIL).is_some(), "the canary");
    }
}

#[test]
fn calls_that_cannot_fail_are_sent_one_a_second() {
    let mut scheduler = exhausted(per_minute(300), 6, Request::PLAIN, Some(HOUR));
    let mut times = Vec::new();
    assert!(rejected(&mut scheduler, millis(100)).is_empty());
    run(
        &mut scheduler,
        seconds(3600),
        || Duration::ZERO,
        |scheduler, now, grant| {
            times.push(now);
            assert_eq!(
                scheduler.exhaust(now + millis(300), grant, Some(HOUR), NO_PAYLOAD),
                None,
                "its refusal is final"
            );
        },
    );
    assert_eq!(times, (1..6).map(|second| seconds(second) + millis(100)).collect::<Vec<_>>());
    assert_eq!(scheduler.queue_length(), 0);
}

#[test]
fn slow_call_that_cannot_fail_delays_the_next() {
    let mut scheduler = exhausted(per_minute(300), 3, Request::PLAIN, None);
    let first = advance(&mut scheduler, millis(1100));
    assert_eq!(first.len(), 1);
    assert!(advance(&mut scheduler, seconds(20)).is_empty());
    assert_eq!(scheduler.retry(seconds(20), first[0], &refused(None), NO_PAYLOAD), None);
    assert_eq!(advance(&mut scheduler, seconds(20)).len(), 1);
}

#[test]
fn waiting_calls_continue_when_the_quota_is_back() {
    let limits = per_minute(300).on_exhausted(OnExhausted::Wait);
    let mut scheduler = exhausted(limits, 5, CAN_FAIL, Some(seconds(5)));
    assert!(rejected(&mut scheduler, millis(100)).is_empty());
    assert_eq!((scheduler.queue_length(), scheduler.deadline()), (5, Some(seconds(5))), "the refused call waits, too");
    assert_eq!(advance(&mut scheduler, seconds(5)).len(), 1);
}

#[test]
fn waiting_calls_probe_once_a_minute_without_a_known_end() {
    let limits = per_minute(300).on_exhausted(OnExhausted::Wait);
    let mut scheduler = exhausted(limits, 5, Request::PLAIN, None);
    let mut times = Vec::new();
    run(
        &mut scheduler,
        seconds(200),
        || Duration::ZERO,
        |scheduler, now, grant| {
            times.push(now);
            assert!(scheduler.exhaust(now + millis(100), grant, None, NO_PAYLOAD).is_some());
        },
    );
    assert_eq!(times, [60, 120, 180].map(|second| seconds(second) + millis(100)));
}

#[test]
fn wait_longer_than_allowed_rejects() {
    let limits = per_minute(300).on_exhausted(OnExhausted::Wait);
    let mut scheduler = exhausted(limits.wait_at_most(seconds(30)), 5, CAN_FAIL, None);
    assert!(rejected(&mut scheduler, seconds(30)).is_empty());
    let end = seconds(30) + millis(100);
    assert_eq!(scheduler.deadline(), Some(end));
    assert!(advance(&mut scheduler, end).is_empty());
    assert_eq!(rejected(&mut scheduler, end).len(), 5);
}

#[test]
fn calls_in_flight_when_it_closes_neither_open_nor_extend_it() {
    let mut scheduler = scheduler(per_minute(6000).no_ramp());
    let grants: Vec<_> = (0..3).map(|index| scheduler.try_plain(millis(10 * index)).expect("due")).collect();
    scheduler.exhaust(millis(100), grants[0], Some(HOUR), NO_PAYLOAD);
    scheduler.finish_plain(millis(200), grants[1], false);
    assert!(scheduler.closed().is_some());
    scheduler.exhaust(millis(300), grants[2], None, NO_PAYLOAD);
    assert_eq!(scheduler.closed().and_then(|closed| closed.opens_at), Some(HOUR));
    assert_eq!(scheduler.in_flight, 0);
}

#[test]
fn idle_limiter_does_not_close() {
    let mut scheduler = scheduler(per_minute(300));
    let grant = scheduler.try_request(Duration::ZERO, &CAN_FAIL).expect("due");
    scheduler.finish_refused(millis(100), grant, &refused(None));
    for second in [119, 121, 1000, 5000] {
        let grant = scheduler.try_request(seconds(second), &CAN_FAIL);
        assert!(scheduler.closed().is_none(), "{second} s");
        scheduler.abandon(seconds(second), grant.expect("due"));
    }
}

#[test]
fn refused_server_closes_while_calls_are_queued() {
    let mut scheduler = scheduler(per_minute(300));
    for _ in 0..3 {
        scheduler.enqueue(Duration::ZERO, &CAN_FAIL, NO_PAYLOAD).expect("open");
    }
    let mut last = Duration::ZERO;
    run(
        &mut scheduler,
        seconds(130),
        || Duration::ZERO,
        |scheduler, now, grant| {
            last = now;
            scheduler.requeue(now + millis(50), grant, &refused(None), NO_PAYLOAD);
        },
    );
    let mut now = millis(50);
    assert!(last < now + seconds(120));
    now += seconds(120);
    let rejections = rejected(&mut scheduler, now);
    assert_eq!(rejections.len(), 3);
    assert_eq!((rejections[0].reason, rejections[0].resumes_at), (RejectReason::Unavailable, None));
}

#[test]
fn disabled_limiter_never_closes() {
    let mut scheduler = scheduler(per_minute(300).enabled(false));
    let grant = scheduler.try_request(Duration::ZERO, &CAN_FAIL).expect("at once");
    assert_eq!(scheduler.exhaust(millis(100), grant, Some(HOUR), NO_PAYLOAD), None);
    let grant = scheduler.try_request(seconds(1), &CAN_FAIL).expect("at once");
    scheduler.finish_refused(seconds(1), grant, &refused(Some(HOUR)));
    assert!(scheduler.closed().is_none());
    assert!(scheduler.try_request(seconds(2), &CAN_FAIL).is_some());
}

#[test]
fn rows_show_cause_and_end() {
    let mut scheduler = scheduler(per_minute(300));
    scheduler.record(Duration::ZERO, true);
    for _ in 0..3 {
        scheduler.enqueue_plain(Duration::ZERO);
    }
    let grant = advance(&mut scheduler, Duration::ZERO)[0];
    scheduler.exhaust(millis(100), grant, Some(seconds(100)), NO_PAYLOAD);
    let rows = scheduler.seconds(seconds(1), true);
    let row = rows[0].row("m");
    assert_eq!((row.closed, row.closed_for), (Some(crate::log::row::ClosedReason::Quota), Some(99.0)));
    assert_eq!((row.held, row.rate), (Some(Bottleneck::Closed), 0.0));
    let text = serde_json::to_string(&row).expect("a row");
    assert!(text.contains(r#""closed":"quota","closed_for":99.0"#), "{text}");
}

#[test]
fn bounds_and_estimates_include_the_closed_state() {
    let waiting = per_minute(300).on_exhausted(OnExhausted::Wait);
    let mut scheduler = exhausted(waiting, 1, CAN_FAIL, Some(HOUR));
    let hasty = Request { max_wait: Some(seconds(10)), ..CAN_FAIL };
    let rejected = scheduler.enqueue(seconds(1), &hasty, NO_PAYLOAD).unwrap_err();
    assert_eq!(rejected.reason, RejectReason::MaxWait);
    assert!(rejected.estimated_wait >= HOUR - seconds(1), "{:?}", rejected.estimated_wait);
    assert!(scheduler.time_left(seconds(1)) >= HOUR - seconds(1));
}

#[test]
fn queued_call_is_rejected_when_its_quota_outlasts_its_bound() {
    let mut scheduler = scheduler(per_minute(300).on_exhausted(OnExhausted::Wait));
    let hasty = Request { max_wait: Some(seconds(10)), ..CAN_FAIL };
    for request in [CAN_FAIL, hasty, CAN_FAIL] {
        scheduler.enqueue(Duration::ZERO, &request, NO_PAYLOAD).unwrap();
    }
    let grants = advance(&mut scheduler, Duration::ZERO);
    assert!(scheduler.exhaust(millis(100), grants[0], Some(HOUR), NO_PAYLOAD).is_some());
    let rejections = rejected(&mut scheduler, millis(100));
    assert_eq!(rejections.iter().map(|rejected| rejected.reason).collect::<Vec<_>>(), [RejectReason::MaxWait]);
    assert_eq!(scheduler.queue_length(), 2);
}

#[test]
fn calls_that_cannot_fail_are_estimated_one_a_second() {
    let mut scheduler = exhausted(per_minute(300), 1, Request::PLAIN, Some(HOUR));
    for _ in 0..5 {
        scheduler.enqueue(millis(100), &Request::PLAIN, NO_PAYLOAD).unwrap();
    }
    assert_eq!(scheduler.time_left(millis(100)), seconds(5));
}

/// Returns the rows of 100 calls in an outage of 200 seconds. Each refusal arrives after 300 milliseconds and names the `hint`, and
/// the rows are written ten milliseconds after each second.
fn rows_of_outage(limits: Limits, request: &Request, hint: Option<Duration>) -> Vec<crate::log::row::Row<'static>> {
    let mut scheduler = scheduler(limits);
    scheduler.record(Duration::ZERO, true);
    (0..100).for_each(|_| _ = scheduler.enqueue(Duration::ZERO, request, NO_PAYLOAD).expect("open"));
    let (mut rows, mut in_flight) = (Vec::new(), BTreeMap::new());
    let (mut now, mut tick) = (Duration::ZERO, millis(1010));
    while now < seconds(200) {
        for grant in advance(&mut scheduler, now) {
            in_flight.insert((now + millis(300), grant.id), grant);
        }
        let end = in_flight.first_key_value().map(|((at, _), _)| *at);
        now = now.max(scheduler.deadline().into_iter().chain(end).chain([tick]).min().expect("a tick"));
        rejected(&mut scheduler, now);
        while let Some(entry) = in_flight.first_entry().filter(|entry| entry.key().0 <= now) {
            scheduler.retry(now, entry.remove(), &refused(hint), NO_PAYLOAD);
        }
        if now >= tick {
            rows.extend(scheduler.seconds(now, false).iter().map(|second| second.row("m")));
            tick += seconds(1);
        }
    }
    rows
}

#[test]
fn time_until_it_opens_falls_in_each_row() {
    // One call a second is sent, and the server names the same wait each time.
    let rows = rows_of_outage(per_minute(60), &Request::PLAIN, Some(seconds(900)));
    assert_eq!(rows.len(), 100, "until all calls were sent");
    for (row, pair) in rows.iter().skip(1).zip(rows.windows(2)) {
        assert_eq!((row.issued, row.closed_for), (1, row.paused_for));
        let [before, after] = [&pair[0], &pair[1]].map(|row| row.closed_for.expect("a known end"));
        assert!((before - after - 1.0).abs() < 0.0015, "{pair:?}");
    }
}

#[test]
fn time_until_the_next_call_is_shown_without_a_known_end() {
    let rows = rows_of_outage(per_minute(60).give_up_after(seconds(20)), &Request::PLAIN, None);
    let closed: Vec<_> = rows.iter().filter(|row| row.closed.is_some() && row.overflow > 0).collect();
    assert!(closed.len() > 90, "{}", closed.len());
    for row in &closed[1..] {
        let next = row.paused_for.expect("a call is queued");
        assert!(row.closed_for.is_none() && row.issued == 1 && next < 1.0, "{row:?}");
    }
}

#[test]
fn remaining_times_fall_in_rows_without_an_event() {
    let limits = || per_minute(60).give_up_after(seconds(60));
    let all = [
        limits(),
        limits().on_exhausted(OnExhausted::Wait),
        limits().burst_window(seconds(60)),
        limits().adaptive(false).max_in_flight(3),
    ];
    for (limits, request) in all.into_iter().flat_map(|limits| [(limits, Request::PLAIN), (limits, CAN_FAIL)]) {
        for hint in [None, Some(5), Some(100), Some(700)] {
            let rows = rows_of_outage(limits, &request, hint.map(seconds));
            let is_quiet =
                |row: &crate::log::row::Row<'_>| row.issued == 0 && row.rate_limited == 0 && row.in_flight == 0;
            for pair in rows.windows(2).filter(|pair| is_quiet(&pair[1]) && pair[0].at + 1 == pair[1].at) {
                for left in
                    [[0, 1].map(|row: usize| pair[row].closed_for), [0, 1].map(|row: usize| pair[row].paused_for)]
                {
                    if let [Some(before), Some(after)] = left
                        && pair[0].closed == pair[1].closed
                        && pair[0].held == pair[1].held
                    {
                        assert!((before - after - 1.0).abs() < 0.0015, "{hint:?} {limits:?} {pair:?}");
                    }
                }
            }
        }
    }
}
