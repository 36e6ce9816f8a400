//! Outages of the server, after which it is empty.

use super::*;

/// Disconnects all processes for `time`, and reconnects them to an empty server.
fn outage(fleet: &mut Fleet, time: Duration, policy: OnDisconnect) {
    let all = fleet.processes.len();
    (0..all).for_each(|process| fleet.disconnect(process, policy));
    fleet.run(fleet.now + time);
    fleet.server.clear();
    for process in 0..all {
        fleet.reconnect(process);
        // They reconnect one after another.
        fleet.run(fleet.now + millis(137));
    }
}

/// All policies.
const POLICIES: [OnDisconnect; 3] = [OnDisconnect::Degrade, OnDisconnect::FullLimits, OnDisconnect::Wait];

#[test]
fn outage_exceeds_no_daily_budget() {
    for policy in POLICIES {
        // Before half of the budget is used, and when all of it is.
        for at in [8, 30] {
            let limits = Limits::per_minute(1200).no_ramp();
            let mut fleet = Fleet::new(limits.requests_per_day(300), 3);
            (0..3).for_each(|process| fleet.start_callers(process, 4, 1, 1000));
            fleet.run(seconds(at));
            let before = fleet.tickets.len();
            outage(&mut fleet, seconds(5), policy);
            let meanwhile = fleet.tickets.len() - before;
            fleet.run(seconds(80));
            let all = fleet.tickets.len();
            eprintln!("{before} before, {meanwhile} during the outage, {all} in total");
            // With full limits, each process may use all of the rest.
            let left = 300 - before;
            let max = match policy {
                OnDisconnect::Degrade => left,
                OnDisconnect::FullLimits => 3 * left,
                OnDisconnect::Wait => 0,
            };
            assert!(meanwhile <= max && meanwhile >= max / 2, "{meanwhile} of {max}");
            assert_eq!(all, 300.max(before + meanwhile));
        }
    }
}

#[test]
fn repeated_outages_exceed_no_daily_budget() {
    for [at, apart] in [[3, 1], [3, 110], [3, 230], [5, 170]] {
        let limits = Limits::per_minute(1200).no_ramp();
        let mut fleet = Fleet::new(limits.requests_per_day(300), 3);
        (0..3).for_each(|process| fleet.start_callers(process, 4, 1, 1000));
        for _ in 0..4 {
            fleet.run(fleet.now + seconds(at));
            for process in 0..3 {
                // Until it notices, it uses its lease.
                fleet.cut_connection(process);
                fleet.run(fleet.now + millis(apart));
            }
            for process in 0..3 {
                fleet.disconnect(process, OnDisconnect::Degrade);
            }
            fleet.server.clear();
            fleet.run(fleet.now + seconds(1));
            for process in 0..3 {
                fleet.reconnect(process);
                fleet.run(fleet.now + millis(137));
            }
        }
        fleet.run(seconds(80));
        assert_eq!(fleet.tickets.len(), 300, "after {at} s, {apart} ms apart");
    }
}

#[test]
fn calls_during_an_outage_are_no_debt() {
    let mut fleet = Fleet::new(per_minute(600, 60_000), 4);
    (0..4).for_each(|process| fleet.start_callers(process, 6, 50, 10_000));
    fleet.run(seconds(8));
    // The server hangs, and keeps its document.
    (0..4).for_each(|process| fleet.disconnect(process, OnDisconnect::Degrade));
    fleet.run(seconds(33));
    (0..4).for_each(|process| fleet.reconnect(process));
    fleet.run(seconds(43));
    let sent = fleet.tickets.iter().filter(|ticket| ticket.at >= seconds(33)).count();
    assert!((95..=105).contains(&sent), "{sent} of 100");
}

#[test]
fn process_that_reported_last_uses_only_its_part() {
    let mut fleet = Fleet::new(per_minute(600, 1_000_000), 4);
    (0..4).for_each(|process| fleet.start_callers(process, 6, 50, 10_000));
    fleet.run(seconds(8));
    (0..3).for_each(|process| fleet.cut_connection(process));
    fleet.run(millis(9300));
    (0..4).for_each(|process| fleet.disconnect(process, OnDisconnect::Degrade));
    fleet.run(seconds(20));
    let sent = fleet.tickets.iter().filter(|ticket| ticket.at >= seconds(10)).count();
    assert!((90..=105).contains(&sent), "{sent} of 100");
}

#[test]
fn reconnected_processes_respect_the_in_flight_limit() {
    for policy in [OnDisconnect::Degrade, OnDisconnect::Wait] {
        let limits = Limits::per_minute(6000).no_ramp();
        let mut fleet = Fleet::new(limits.max_in_flight(12), 4);
        fleet.call_time = seconds(3);
        (0..4).for_each(|process| fleet.start_callers(process, 10, 1, 1000));
        fleet.run(seconds(40));
        outage(&mut fleet, millis(2500), policy);
        let reconnected_at = seconds(43);
        fleet.run(seconds(60));
        let late = fleet.tickets.iter().filter(|ticket| ticket.at >= seconds(50)).count();
        // A process whose part has just shrunk has one or two calls more in flight until they end.
        let [max, after] = [Duration::ZERO, reconnected_at].map(|begin| fleet.max_in_flight_since(begin));
        eprintln!("at most {max} in flight, {after} after reconnecting; {late} of 40 calls at the end");
        assert!(max <= 14 && after <= 12, "{max} {after}");
        assert!(late >= 34, "{late}");
    }
}
