//! Leases without a server: slots, reports, and the times of reports.

use super::*;
use crate::engine::lease::{KEEPALIVE, MIN_POLL_INTERVAL, PERIOD};

fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// Returns a grant of runs of slots: [offset of the first in milliseconds, distance in milliseconds, number].
fn grant(runs: &[[u32; 3]]) -> LeaseGrant {
    let runs = runs.iter().map(|[at, gap, count]| [f64::from(*at) * 1e3, f64::from(*gap) * 1e3, f64::from(*count)]);
    LeaseGrant { epoch: "1".into(), slot_runs: runs.collect(), processes: 2.0, share: 0.5, ..LeaseGrant::default() }
}

/// Returns a lease that was requested and granted at zero.
fn lease(grant: &LeaseGrant) -> Lease {
    let mut lease = Lease::new(ByLimit::new(), None);
    lease.report(Duration::ZERO, 1);
    lease.renew(Duration::ZERO, grant);
    lease
}

fn refusal() -> RefusalMessage {
    RefusalMessage { episode: Some(0), ..RefusalMessage::default() }
}

#[test]
fn slots_are_used_in_the_order_of_their_times() {
    let mut lease = lease(&grant(&[[10, 100, 2], [500, 0, 1]]));
    let mut times = Vec::new();
    while let Some(due) = lease.due() {
        times.push(due);
        assert!(!lease.use_slot(Duration::ZERO, 7), "no canary");
    }
    assert_eq!(times, [millis(10), millis(110), millis(500)]);
}

#[test]
fn expired_slots_are_reported_as_unused() {
    let mut lease = lease(&grant(&[[0, 400, 4]]));
    lease.drop_expired(millis(1401));
    assert_eq!(lease.due(), Some(millis(800)), "two of four have expired");
    let report = lease.report(millis(1401), 5);
    assert_eq!((report.unused, report.wanted, report.held_slots), (2, 3, 2));
    // After a long stop, none is left.
    lease.drop_expired(millis(31_000));
    assert_eq!(lease.due(), None);
    assert_eq!(lease.report(millis(31_000), 5).unused, 2);
}

#[test]
fn surplus_slots_are_returned_and_cancelled_ones_reused() {
    let mut lease = lease(&grant(&[[0, 10, 8]]));
    let report = lease.report(millis(5), 3);
    assert_eq!((report.unused, report.wanted, report.held_slots), (5, 0, 3));
    lease.use_slot(Duration::ZERO, 1);
    assert_eq!(lease.due(), Some(millis(10)));
    lease.cancel(millis(6), 1);
    assert_eq!(lease.due(), Some(millis(6)));
}

#[test]
fn slots_are_leased_ahead_for_recent_demand() {
    let mut lease = Lease::new(ByLimit::new(), None);
    for period in 1..=8 {
        (0..25).for_each(|_| lease.on_requested());
        lease.report(PERIOD * period, 0);
        lease.renew(PERIOD * period, &grant(&[]));
    }
    let ahead = lease.report(PERIOD * 9, 0);
    // Without new calls, half of a demand of 100 a second is left, for a period and a margin of a quarter.
    assert_eq!((ahead.wanted, ahead.arriving), (16, 12));
    for second in 3..13 {
        lease.report(Duration::from_secs(second), 0);
    }
    assert_eq!(lease.report(Duration::from_secs(13), 0).wanted, 0);
}

#[test]
fn refusal_drops_all_slots_and_is_reported_at_once() {
    let mut lease = lease(&grant(&[[0, 10, 8]]));
    lease.on_refusal(Some(1), RefusalMessage { episode: Some(7), ..refusal() });
    assert_eq!(lease.due(), Some(Duration::ZERO), "a refusal of an earlier episode");
    lease.report(millis(1), 9);
    assert_eq!(lease.asks_at(9, false), millis(1) + PERIOD);
    lease.on_refusal(Some(1), refusal());
    assert_eq!(lease.due(), None);
    assert_eq!(lease.asks_at(9, false), millis(1), "at once");
    let report = lease.report(millis(2), 9);
    assert_eq!((report.unused, report.refusals.len()), (8, 1));
    assert_eq!(lease.report(millis(3), 9).refusals, [], "reported once");
}

#[test]
fn first_call_is_the_canary_and_its_outcome_is_reported() {
    let canary = || LeaseGrant { is_canary: true, episode: 1, paused: Some(9e5), ..grant(&[[0, 0, 1]]) };
    let mut accepted = lease(&canary());
    assert_eq!(accepted.report(millis(1), 1).canary, Some(CanaryMessage::Kept), "not sent yet");
    assert!(accepted.use_slot(Duration::ZERO, 5));
    assert_eq!(accepted.report(millis(2), 0).canary, None, "in flight");
    accepted.end(4, Outcome::Accepted);
    assert_eq!(accepted.report(millis(3), 0).canary, None, "the end of another call");
    accepted.end(5, Outcome::Accepted);
    assert_eq!(accepted.report(millis(4), 0).canary, Some(CanaryMessage::Accepted));

    let mut dropped = lease(&canary());
    dropped.use_slot(Duration::ZERO, 5);
    dropped.end(5, Outcome::Lost);
    assert_eq!(dropped.report(millis(1), 0).canary, Some(CanaryMessage::Lost));

    let mut refused = lease(&canary());
    refused.use_slot(Duration::ZERO, 5);
    refused.on_refusal(Some(5), RefusalMessage { episode: Some(1), ..refusal() });
    let report = refused.report(millis(1), 1);
    assert!(report.refusals[0].is_canary && report.canary.is_none());

    let mut unsent = lease(&canary());
    let report = unsent.report(millis(1), 0);
    assert_eq!((report.canary, unsent.due()), (Some(CanaryMessage::Lost), None), "all calls have left the queue");
}

#[test]
fn probe_replaces_the_canary() {
    let canary = LeaseGrant { is_canary: true, episode: 1, paused: Some(9e5), ..grant(&[[0, 0, 1]]) };
    for (blocked, expected) in [(true, None), (false, Some(CanaryMessage::Accepted))] {
        let mut lease = lease(&canary);
        assert!(lease.probe() && !lease.probe(), "once");
        assert_eq!(lease.due(), None, "no call is sent");
        lease.probed(blocked);
        let report = lease.report(millis(1), 1);
        assert_eq!((report.canary, report.refusals.len()), (expected, usize::from(blocked)));
    }
}

#[test]
fn pause_returns_slots_but_a_new_document_drops_them() {
    let mut paused = lease(&grant(&[[0, 10, 8]]));
    paused.renew(millis(1), &LeaseGrant { episode: 1, paused: Some(2e6), ..grant(&[]) });
    assert_eq!((paused.due(), paused.paused_for(millis(501))), (None, Some(millis(1500))));
    assert_eq!(paused.report(millis(2), 1).unused, 8);
    let mut renewed = lease(&grant(&[[0, 10, 8]]));
    renewed.renew(millis(1), &LeaseGrant { epoch: "2".into(), ..grant(&[]) });
    assert_eq!((renewed.due(), renewed.report(millis(2), 1).unused), (None, 0));
}

#[test]
fn reports_are_due_by_period_keepalive_or_lack_of_slots() {
    let mut lease = lease(&grant(&[]));
    assert_eq!(lease.asks_at(0, false), KEEPALIVE, "idle");
    assert_eq!(lease.asks_at(1, false), MIN_POLL_INTERVAL, "the grant sets no time to wait");
    lease.renew(Duration::ZERO, &LeaseGrant { poll_in: 1e5, ..grant(&[]) });
    assert_eq!(lease.asks_at(1, false), millis(100));
    lease.renew(Duration::ZERO, &LeaseGrant { poll_in: 1e7, ..grant(&[]) });
    assert_eq!(lease.asks_at(1, false), PERIOD);
    lease.renew(Duration::ZERO, &grant(&[[0, 0, 1]]));
    assert_eq!(lease.asks_at(1, false), PERIOD, "with slots");
    assert_eq!(lease.asks_at(1, true), MIN_POLL_INTERVAL, "without capacity");
    assert_eq!(Lease::new(ByLimit::new(), None).asks_at(0, false), Duration::ZERO, "before the first report");
}

#[test]
fn canary_in_flight_is_reported_when_it_counts_as_accepted() {
    let canary = LeaseGrant { is_canary: true, episode: 1, paused: Some(1e5), ..grant(&[[0, 0, 1]]) };
    let mut lease = lease(&canary);
    assert!(lease.use_slot(Duration::ZERO, 5));
    assert_eq!(lease.asks_at(1, false), millis(100));
    assert_eq!(lease.asks_at(0, false), PERIOD, "no call is queued");
}

#[test]
fn saved_ceilings_are_in_the_first_report() {
    let mut lease = Lease::new(ByLimit::from([("requests".to_owned(), 120.5)]), None);
    let reported = lease.report(Duration::ZERO, 0).ceilings;
    assert_eq!(reported, ByLimit::from([("requests".to_owned(), 120.5)]));
    assert_eq!((lease.terms.ceilings.get("requests"), lease.terms.adapted.get("requests")), (Some(&120.5), None));
}

#[test]
fn longer_period_leases_slots_for_longer() {
    let mut lease = lease(&LeaseGrant { period: 500e3, ..grant(&[[0, 0, 9]]) });
    assert_eq!(lease.asks_at(1, false), millis(500));
    // 100 calls a second.
    (0..50).for_each(|_| lease.on_requested());
    let report = lease.report(millis(500), 0);
    assert_eq!((report.wanted + report.held_slots, report.arriving), (63, 50));
    lease.renew(millis(500), &grant(&[]));
    assert_eq!(lease.asks_at(1, false), millis(750), "with the minimum period again");
}
