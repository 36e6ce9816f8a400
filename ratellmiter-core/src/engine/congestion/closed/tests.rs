use super::*;
use crate::engine::call_id::Passage;

const fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn limits() -> Limits {
    Limits::per_minute(300)
}

fn grant(id: CallId, at: Duration) -> Grant {
    Grant::new(id, at, Passage { episode: 0, is_canary: false })
}

/// Returns the state of a limiter that was closed at `now` by a quota that is back at `opens_at`.
fn exhausted(now: Duration, opens_at: Option<Duration>) -> Closing {
    let mut closing = Closing::default();
    assert!(closing.on_exhausted(now, now, opens_at));
    closing
}

#[test]
fn spent_quota_closes_until_its_end() {
    let closing = exhausted(seconds(10), Some(seconds(7210)));
    let closed = closing.closed().expect("closed");
    assert_eq!((closed.reason, closed.time_left(seconds(10))), (ClosedReason::Quota, seconds(7200)));
    assert_eq!(closing.opens_at(), Some(seconds(7210)));
    assert_eq!(closed.due(true), Some(seconds(610)), "a probe after ten minutes, since the end may be wrong");
    assert_eq!(closed.due(false), Some(seconds(11)), "a call that cannot fail after a second");
}

#[test]
fn end_in_the_past_is_not_known() {
    let closing = exhausted(seconds(10), Some(seconds(9)));
    assert_eq!(closing.opens_at(), None);
    assert_eq!(closing.closed().and_then(|closed| closed.due(true)), Some(seconds(70)));
}

#[test]
fn only_hints_of_more_than_ten_minutes_close() {
    for (hint, closes) in [(600, false), (601, true)] {
        let mut closing = Closing::default();
        closing.on_refused(seconds(1), seconds(0), Some(seconds(hint)), &limits());
        let opens_at = closing.closed().map(|closed| closed.opens_at);
        assert_eq!(opens_at, closes.then_some(Some(seconds(1 + hint))), "{hint} s");
    }
}

#[test]
fn refusals_for_two_minutes_close_a_new_limiter() {
    let mut closing = Closing::default();
    for at in [0, 50, 119] {
        closing.on_refused(seconds(at), seconds(at), None, &limits());
    }
    assert_eq!((closing.closed(), closing.gives_up_at(&limits())), (None, Some(seconds(120))));
    closing.on_refused(seconds(121), seconds(121), None, &limits());
    assert_eq!(
        closing.closed().map(|closed| (closed.reason, closed.opens_at)),
        Some((ClosedReason::Unavailable, None))
    );
}

#[test]
fn accepted_call_extends_it_to_fifteen_minutes() {
    let mut closing = Closing::default();
    closing.on_refused(seconds(0), seconds(0), None, &limits());
    assert!(!closing.on_accepted(seconds(5), &grant(1, seconds(4)), false));
    assert_eq!(closing.gives_up_at(&limits()), None);
    for at in (10..900).step_by(60) {
        closing.on_refused(seconds(at), seconds(at), None, &limits());
    }
    assert_eq!(closing.gives_up_at(&limits()), Some(seconds(910)));
}

#[test]
fn time_without_an_accepted_call_is_configurable() {
    let mut closing = Closing::default();
    closing.on_refused(seconds(10), seconds(10), None, &limits());
    assert_eq!(closing.gives_up_at(&limits().give_up_after(seconds(150))), Some(seconds(160)));
    closing.on_accepted(seconds(20), &grant(1, seconds(20)), false);
    closing.on_refused(seconds(30), seconds(30), None, &limits());
    assert_eq!(closing.gives_up_at(&limits().give_up_after(seconds(150))), Some(seconds(180)));
}

#[test]
fn hint_is_waited_for_before_giving_up() {
    let mut closing = Closing::default();
    closing.on_refused(seconds(0), seconds(0), Some(seconds(300)), &limits());
    assert_eq!(closing.gives_up_at(&limits()), None);
    closing.on_refused(seconds(301), seconds(300), None, &limits());
    assert!(closing.closed().is_some(), "refused after the hint");
}

#[test]
fn single_refusals_with_gaps_do_not_close() {
    let mut closing = Closing::default();
    for at in (0..100_000).step_by(200) {
        closing.on_refused(seconds(at), seconds(at), None, &limits());
        assert_eq!(closing.closed(), None, "{at} s");
    }
}

#[test]
fn one_call_is_in_flight_at_a_time() {
    let mut closing = exhausted(seconds(0), None);
    closing.on_sent(seconds(60), 7);
    let due = |closing: &Closing| closing.closed().map(|closed| (closed.due(true), closed.due(false)));
    assert_eq!(due(&closing), Some((None, None)));
    closing.on_ended(8);
    assert_eq!(due(&closing), Some((None, None)), "another call");
    closing.on_ended(7);
    assert_eq!(due(&closing), Some((Some(seconds(120)), Some(seconds(61)))));
    closing.on_sent(seconds(120), 9);
    closing.on_canceled(seconds(121), 9);
    assert_eq!(due(&closing), Some((Some(seconds(121)), Some(seconds(121)))), "it was not sent");
}

#[test]
fn accepted_probe_opens() {
    let mut closing = exhausted(seconds(0), None);
    assert!(!closing.on_accepted(seconds(1), &grant(6, seconds(0)), false), "sent before the limiter closed");
    closing.on_sent(seconds(60), 7);
    assert!(closing.on_accepted(seconds(61), &grant(7, seconds(60)), false));
    assert_eq!(closing.closed(), None);
    assert!(!closing.on_exhausted(seconds(62), seconds(50), None), "a refusal of a call that was sent before");
    assert_eq!(closing.closed(), None);
}

#[test]
fn call_sent_before_giving_up_opens_as_well() {
    let mut closing = Closing::default();
    closing.on_refused(seconds(0), seconds(0), None, &limits());
    closing.give_up(seconds(120));
    assert!(closing.on_accepted(seconds(121), &grant(7, seconds(119)), false));
    assert_eq!(closing.closed(), None);
}

#[test]
fn failed_probe_does_not_open() {
    let mut closing = exhausted(seconds(0), None);
    closing.on_sent(seconds(60), 7);
    assert!(!closing.on_accepted(seconds(61), &grant(7, seconds(60)), true));
    assert!(closing.closed().is_some_and(|closed| closed.due(true) == Some(seconds(120))));
}

#[test]
fn probe_without_answer_opens_after_half_a_minute() {
    let mut closing = exhausted(seconds(0), None);
    closing.on_sent(seconds(60), 7);
    assert_eq!(closing.opens_at(), Some(seconds(90)));
}

#[test]
fn waiting_is_limited_by_the_configuration() {
    let wait = limits().on_exhausted(OnExhausted::Wait);
    let closed = *exhausted(seconds(10), Some(seconds(7210))).closed().expect("closed");
    assert!(!closed.waits(seconds(10), &limits()));
    assert!(closed.waits(seconds(7000), &wait));
    assert!(!closed.waits(seconds(10), &wait.wait_at_most(seconds(7199))), "the quota is back too late");
    assert!(closed.waits(seconds(10), &wait.wait_at_most(seconds(7200))));
    let unknown = *exhausted(seconds(10), None).closed().expect("closed");
    assert!(unknown.waits(seconds(39), &wait.wait_at_most(seconds(30))));
    assert!(!unknown.waits(seconds(40), &wait.wait_at_most(seconds(30))));
    assert!(!Closed { reason: ClosedReason::Unavailable, ..unknown }.waits(seconds(10), &wait));
}

#[test]
fn end_is_at_most_a_year_away() {
    let closing = exhausted(seconds(0), Some(Duration::MAX));
    assert_eq!(closing.opens_at(), Some(MAX_CLOSED));
    let mut closing = Closing::default();
    closing.on_refused(seconds(0), seconds(0), Some(Duration::MAX), &limits().give_up_after(Duration::MAX));
    assert_eq!(closing.opens_at(), Some(MAX_CLOSED));
}

#[test]
fn only_a_longer_wait_or_an_earlier_end_moves_the_end() {
    let opens_at = |waits: &[(u64, u64)]| {
        let mut closing = Closing::default();
        for (at, wait) in waits.iter().map(|(at, wait)| (seconds(*at), seconds(*wait))) {
            closing.on_refused(at, at, Some(wait), &limits());
        }
        closing.opens_at()
    };
    assert_eq!(opens_at(&[(0, 900), (1, 900), (100, 901), (600, 900)]), Some(seconds(900)));
    assert_eq!(opens_at(&[(0, 900), (100, 700)]), Some(seconds(800)), "an earlier end");
    assert_eq!(opens_at(&[(0, 900), (100, 3600), (200, 3600)]), Some(seconds(3700)));
}
