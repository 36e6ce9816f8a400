//! The ramp of a fleet after an outage of the server, and after a limit was raised.

use super::*;

/// Returns the number of calls in each second.
fn calls_by_second(fleet: &Fleet, from: u64, to: u64) -> Vec<usize> {
    let within = |second: u64| {
        let (begin, end) = (seconds(second), seconds(second + 1));
        fleet.tickets.iter().filter(|ticket| ticket.at >= begin && ticket.at < end).count()
    };
    (from..to).map(within).collect()
}

#[test]
fn outage_does_not_change_the_rate() {
    let mut fleet = Fleet::new(Limits::per_minute(1200), 4);
    (0..4).for_each(|process| fleet.start_callers(process, 20, 1, 10_000));
    fleet.run(seconds(30));
    (0..4).for_each(|process| fleet.disconnect(process, OnDisconnect::Degrade));
    fleet.run(seconds(40));
    fleet.server.clear();
    (0..4).for_each(|process| fleet.reconnect(process));
    fleet.run(seconds(60));
    let all = calls_by_second(&fleet, 20, 60);
    eprintln!("{all:?}");
    // Each process starts its own schedule, and they reconnect one by one.
    assert!(all.iter().all(|calls| (18..=22).contains(calls)), "{all:?}");
}

#[test]
fn demand_that_starts_during_an_outage_is_ramped() {
    let mut fleet = Fleet::new(Limits::per_minute(1200), 4);
    fleet.run(seconds(30));
    (0..4).for_each(|process| fleet.disconnect(process, OnDisconnect::Degrade));
    fleet.run(seconds(40));
    fleet.server.clear();
    (0..4).for_each(|process| fleet.reconnect(process));
    (0..4).for_each(|process| fleet.start_callers(process, 20, 1, 10_000));
    fleet.run(seconds(60));
    assert_eq!(calls_by_second(&fleet, 40, 50), [5, 7, 9, 11, 13, 15, 17, 19, 20, 20]);
}

#[test]
fn raised_limit_is_ramped() {
    let mut fleet = Fleet::new(Limits::per_minute(600), 1);
    fleet.start_callers(0, 40, 1, 10_000);
    fleet.run(seconds(20));
    let higher = Limits::per_minute(2400);
    fleet.processes[0].scheduler.set_limits(fleet.now, higher);
    fleet.run(seconds(40));
    let all = calls_by_second(&fleet, 18, 32);
    // As in one limiter, the second of the change contains one call at the old rate.
    assert!(all[..2] == [10, 10] && (10..=11).contains(&all[2]) && all[13] == 40, "{all:?}");
    // Each second adds a tenth of the rate.
    assert!(all.windows(2).all(|two| (0..=5).contains(&(two[1].cast_signed() - two[0].cast_signed()))), "{all:?}");
}
