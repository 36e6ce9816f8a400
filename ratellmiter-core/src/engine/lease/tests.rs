//! What a lease allows, tells, and asks for, without a server.

use super::*;

fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// Slots: after so many milliseconds, so far apart, so many.
fn answer(spans: &[[u32; 3]]) -> LeaseGrant {
    let spans = spans.iter().map(|[at, gap, count]| [f64::from(*at) * 1e3, f64::from(*gap) * 1e3, f64::from(*count)]);
    LeaseGrant { epoch: "1".into(), slot_runs: spans.collect(), processes: 2.0, share: 0.5, ..LeaseGrant::default() }
}

/// One that was asked for at zero, and answered at once.
fn lease(answer: &LeaseGrant) -> Lease {
    let mut lease = Lease::new(ByLimit::new(), None);
    lease.report(Duration::ZERO, 1);
    lease.renew(Duration::ZERO, answer);
    lease
}

fn refusal() -> RefusalMessage {
    RefusalMessage { episode: Some(0), ..RefusalMessage::default() }
}

#[test]
fn slots_are_at_their_times_and_one_after_another() {
    let mut lease = lease(&answer(&[[10, 100, 2], [500, 0, 1]]));
    let mut times = Vec::new();
    while let Some(due) = lease.due() {
        times.push(due);
        assert!(!lease.use_slot(Duration::ZERO, 7), "no canary");
    }
    assert_eq!(times, [millis(10), millis(110), millis(500)]);
}

#[test]
fn a_slot_is_of_no_use_a_second_after_its_time_and_is_told_as_unused() {
    let mut lease = lease(&answer(&[[0, 400, 4]]));
    lease.drop_expired(millis(1401));
    assert_eq!(lease.due(), Some(millis(800)), "two of four are too old");
    let report = lease.report(millis(1401), 5);
    assert_eq!((report.unused, report.wanted, report.held_slots), (2, 3, 2));
    // A process that was stopped for long has none left.
    lease.drop_expired(millis(31_000));
    assert_eq!(lease.due(), None);
    assert_eq!(lease.report(millis(31_000), 5).unused, 2);
}

#[test]
fn what_is_not_needed_goes_back_and_what_was_never_used_goes_again() {
    let mut lease = lease(&answer(&[[0, 10, 8]]));
    let report = lease.report(millis(5), 3);
    assert_eq!((report.unused, report.wanted, report.held_slots), (5, 0, 3));
    lease.use_slot(Duration::ZERO, 1);
    assert_eq!(lease.due(), Some(millis(10)));
    lease.cancel(millis(6), 1);
    assert_eq!(lease.due(), Some(millis(6)));
}

#[test]
fn demand_is_leased_ahead_and_forgotten_when_it_ends() {
    let mut lease = Lease::new(ByLimit::new(), None);
    for period in 1..=8 {
        (0..25).for_each(|_| lease.on_requested());
        lease.report(PERIOD * period, 0);
        lease.renew(PERIOD * period, &answer(&[]));
    }
    let ahead = lease.report(PERIOD * 9, 0);
    // No call asked since: half of a hundred a second is left, for a period and a quarter of it.
    assert_eq!((ahead.wanted, ahead.arriving), (16, 12));
    for second in 3..13 {
        lease.report(Duration::from_secs(second), 0);
    }
    assert_eq!(lease.report(Duration::from_secs(13), 0).wanted, 0);
}

#[test]
fn a_refusal_stops_all_and_is_told_at_once_unless_it_is_of_an_earlier_pause() {
    let mut lease = lease(&answer(&[[0, 10, 8]]));
    lease.on_refusal(Some(1), RefusalMessage { episode: Some(7), ..refusal() });
    assert_eq!(lease.due(), Some(Duration::ZERO), "not of this time");
    lease.report(millis(1), 9);
    assert_eq!(lease.asks_at(9, false), millis(1) + PERIOD);
    lease.on_refusal(Some(1), refusal());
    assert_eq!(lease.due(), None);
    assert_eq!(lease.asks_at(9, false), millis(1), "at once");
    let report = lease.report(millis(2), 9);
    assert_eq!((report.unused, report.refusals.len()), (8, 1));
    assert_eq!(lease.report(millis(3), 9).refusals, [], "told once");
}

#[test]
fn the_canary_is_the_first_to_go_and_its_end_is_told() {
    let canary = || LeaseGrant { is_canary: true, episode: 1, paused: Some(9e5), ..answer(&[[0, 0, 1]]) };
    let mut accepted = lease(&canary());
    assert_eq!(accepted.report(millis(1), 1).canary, Some(Outcome::Kept), "it has not gone");
    assert!(accepted.use_slot(Duration::ZERO, 5));
    assert_eq!(accepted.report(millis(2), 0).canary, None, "it is out");
    accepted.end(4, Outcome::Accepted);
    assert_eq!(accepted.report(millis(3), 0).canary, None, "that was another");
    accepted.end(5, Outcome::Accepted);
    assert_eq!(accepted.report(millis(4), 0).canary, Some(Outcome::Accepted));

    let mut dropped = lease(&canary());
    dropped.use_slot(Duration::ZERO, 5);
    dropped.end(5, Outcome::Lost);
    assert_eq!(dropped.report(millis(1), 0).canary, Some(Outcome::Lost));

    let mut refused = lease(&canary());
    refused.use_slot(Duration::ZERO, 5);
    refused.on_refusal(Some(5), RefusalMessage { episode: Some(1), ..refusal() });
    let report = refused.report(millis(1), 1);
    assert!(report.refusals[0].is_canary && report.canary.is_none());

    let mut left = lease(&canary());
    let report = left.report(millis(1), 0);
    assert_eq!((report.canary, left.due()), (Some(Outcome::Lost), None), "all left before it went");
}

#[test]
fn a_probe_goes_in_place_of_the_canary() {
    let canary = LeaseGrant { is_canary: true, episode: 1, paused: Some(9e5), ..answer(&[[0, 0, 1]]) };
    for (blocked, expected) in [(true, None), (false, Some(Outcome::Accepted))] {
        let mut lease = lease(&canary);
        assert!(lease.probe() && !lease.probe(), "once");
        assert_eq!(lease.due(), None, "nobody goes");
        lease.probed(blocked);
        let report = lease.report(millis(1), 1);
        assert_eq!((report.canary, report.refusals.len()), (expected, usize::from(blocked)));
    }
}

#[test]
fn a_pause_takes_what_was_leased_and_a_server_that_forgot_takes_it_without_thanks() {
    let mut paused = lease(&answer(&[[0, 10, 8]]));
    paused.renew(millis(1), &LeaseGrant { episode: 1, paused: Some(2e6), ..answer(&[]) });
    assert_eq!((paused.due(), paused.paused_for(millis(501))), (None, Some(millis(1500))));
    assert_eq!(paused.report(millis(2), 1).unused, 8);
    let mut forgotten = lease(&answer(&[[0, 10, 8]]));
    forgotten.renew(millis(1), &LeaseGrant { epoch: "2".into(), ..answer(&[]) });
    assert_eq!((forgotten.due(), forgotten.report(millis(2), 1).unused), (None, 0));
}

#[test]
fn a_process_asks_by_the_period_when_busy_by_the_second_when_idle_and_earlier_for_want_of_slots() {
    let mut lease = lease(&answer(&[]));
    assert_eq!(lease.asks_at(0, false), KEEPALIVE, "idle");
    assert_eq!(lease.asks_at(1, false), MIN_POLL_INTERVAL, "the server told of nothing to wait for");
    lease.renew(Duration::ZERO, &LeaseGrant { poll_in: 1e5, ..answer(&[]) });
    assert_eq!(lease.asks_at(1, false), millis(100));
    lease.renew(Duration::ZERO, &LeaseGrant { poll_in: 1e7, ..answer(&[]) });
    assert_eq!(lease.asks_at(1, false), PERIOD);
    lease.renew(Duration::ZERO, &answer(&[[0, 0, 1]]));
    assert_eq!(lease.asks_at(1, false), PERIOD, "it has slots");
    assert_eq!(lease.asks_at(1, true), MIN_POLL_INTERVAL, "and no room");
    assert_eq!(Lease::new(ByLimit::new(), None).asks_at(0, false), Duration::ZERO, "never asked");
}

#[test]
fn what_an_earlier_run_has_learned_is_told_to_the_others() {
    let mut lease = Lease::new(ByLimit::from([("requests".to_owned(), 120.5)]), None);
    let told = lease.report(Duration::ZERO, 0).ceilings;
    assert_eq!(told, ByLimit::from([("requests".to_owned(), 120.5)]));
    assert_eq!((lease.grant.ceilings.get("requests"), lease.grant.adapted.get("requests")), (Some(&120.5), None));
}

#[test]
fn where_they_are_many_each_asks_less_often_and_leases_for_longer() {
    let mut lease = lease(&LeaseGrant { period: 500e3, ..answer(&[[0, 0, 9]]) });
    assert_eq!(lease.asks_at(1, false), millis(500));
    // A hundred a second.
    (0..50).for_each(|_| lease.on_requested());
    let report = lease.report(millis(500), 0);
    assert_eq!((report.wanted + report.held_slots, report.arriving), (63, 50));
    lease.renew(millis(500), &answer(&[]));
    assert_eq!(lease.asks_at(1, false), millis(750), "as often as a few");
}
