//! Where a fleet's ramp stands: after the server was away, and when a limit is raised.

use super::*;

fn calls_a_second(fleet: &Fleet, from: u64, to: u64) -> Vec<usize> {
    let within = |second: u64| {
        let (begin, end) = (seconds(second), seconds(second + 1));
        fleet.tickets.iter().filter(|ticket| ticket.at >= begin && ticket.at < end).count()
    };
    (from..to).map(within).collect()
}

#[test]
fn all_go_on_at_the_same_rate_without_the_server_and_when_it_is_back() {
    let mut fleet = Fleet::new(Limits::per_minute(1200), 4);
    (0..4).for_each(|process| fleet.calls(process, 20, 1, 10_000));
    fleet.run(seconds(30));
    (0..4).for_each(|process| fleet.loses(process, OnDisconnect::Degrade));
    fleet.run(seconds(40));
    fleet.forgets();
    (0..4).for_each(|process| fleet.rejoins(process));
    fleet.run(seconds(60));
    let all = calls_a_second(&fleet, 20, 60);
    eprintln!("{all:?}");
    // Each begins a schedule of its own, and then they come back one by one.
    assert!(all.iter().all(|calls| (18..=22).contains(calls)), "{all:?}");
}

#[test]
fn demand_that_began_while_the_server_was_away_is_a_jump_to_all() {
    let mut fleet = Fleet::new(Limits::per_minute(1200), 4);
    fleet.run(seconds(30));
    (0..4).for_each(|process| fleet.loses(process, OnDisconnect::Degrade));
    fleet.run(seconds(40));
    fleet.forgets();
    (0..4).for_each(|process| fleet.rejoins(process));
    (0..4).for_each(|process| fleet.calls(process, 20, 1, 10_000));
    fleet.run(seconds(60));
    assert_eq!(calls_a_second(&fleet, 40, 50), [5, 7, 9, 11, 13, 15, 17, 19, 20, 20]);
}

#[test]
fn a_higher_limit_is_a_jump() {
    let mut fleet = Fleet::new(Limits::per_minute(600), 1);
    fleet.calls(0, 40, 1, 10_000);
    fleet.run(seconds(20));
    let higher = Limits::per_minute(2400);
    fleet.processes[0].scheduler.set_limits(fleet.now, higher);
    fleet.run(seconds(40));
    let all = calls_a_second(&fleet, 18, 32);
    // As in one limiter: the second of the change has one call of the old rate.
    assert!(all[..2] == [10, 10] && (10..=11).contains(&all[2]) && all[13] == 40, "{all:?}");
    // A tenth of the rate more each second.
    assert!(all.windows(2).all(|two| (0..=5).contains(&(two[1].cast_signed() - two[0].cast_signed()))), "{all:?}");
}
