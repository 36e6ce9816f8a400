//! A server that goes away and comes back empty: what was taken stays taken.

use super::*;

fn away(fleet: &mut Fleet, time: Duration, policy: OnDisconnect) {
    let all = fleet.processes.len();
    (0..all).for_each(|process| fleet.loses(process, policy));
    fleet.run(fleet.now + time);
    fleet.forgets();
    for process in 0..all {
        fleet.rejoins(process);
        // Each looks by its own clock.
        fleet.run(fleet.now + millis(137));
    }
}

/// Of what is configured its own part, all, or nothing.
const POLICIES: [OnDisconnect; 3] = [OnDisconnect::Degrade, OnDisconnect::FullLimits, OnDisconnect::Wait];

#[test]
fn a_day_is_not_exceeded() {
    for policy in POLICIES {
        // Before half of it is gone, and when all is.
        for at in [8, 30] {
            let limits = Limits::per_minute(1200).no_ramp();
            let mut fleet = Fleet::new(limits.requests_per_day(300), 3);
            (0..3).for_each(|process| fleet.calls(process, 4, 1, 1000));
            fleet.run(seconds(at));
            let before = fleet.tickets.len();
            away(&mut fleet, seconds(5), policy);
            let meanwhile = fleet.tickets.len() - before;
            fleet.run(seconds(80));
            let all = fleet.tickets.len();
            eprintln!("{before} before, {meanwhile} while it was away, {all} in all");
            // Each may take its part of what is left, or, where the policy is open, all of that.
            let left = 300 - before;
            let most = match policy {
                OnDisconnect::Degrade => left,
                OnDisconnect::FullLimits => 3 * left,
                OnDisconnect::Wait => 0,
            };
            assert!(meanwhile <= most && meanwhile >= most / 2, "{meanwhile} of {most}");
            assert_eq!(all, 300.max(before + meanwhile));
        }
    }
}

#[test]
fn a_day_is_not_exceeded_by_many_outages_that_each_sees_when_it_asks() {
    for [at, apart] in [[3, 1], [3, 110], [3, 230], [5, 170]] {
        let limits = Limits::per_minute(1200).no_ramp();
        let mut fleet = Fleet::new(limits.requests_per_day(300), 3);
        (0..3).for_each(|process| fleet.calls(process, 4, 1, 1000));
        for _ in 0..4 {
            fleet.run(fleet.now + seconds(at));
            for process in 0..3 {
                // Until then it uses what it has.
                fleet.hears_nothing(process);
                fleet.run(fleet.now + millis(apart));
            }
            for process in 0..3 {
                fleet.loses(process, OnDisconnect::Degrade);
            }
            fleet.forgets();
            fleet.run(fleet.now + seconds(1));
            for process in 0..3 {
                fleet.rejoins(process);
                fleet.run(fleet.now + millis(137));
            }
        }
        fleet.run(seconds(80));
        assert_eq!(fleet.tickets.len(), 300, "after {at} s, {apart} ms apart");
    }
}

#[test]
fn what_went_meanwhile_is_no_debt_to_the_pace() {
    let mut fleet = Fleet::new(per_minute(600, 60_000), 4);
    (0..4).for_each(|process| fleet.calls(process, 6, 50, 10_000));
    fleet.run(seconds(8));
    // It hangs, and has forgotten nothing.
    (0..4).for_each(|process| fleet.loses(process, OnDisconnect::Degrade));
    fleet.run(seconds(33));
    (0..4).for_each(|process| fleet.rejoins(process));
    fleet.run(seconds(43));
    let went = fleet.tickets.iter().filter(|ticket| ticket.at >= seconds(33)).count();
    assert!((95..=105).contains(&went), "{went} of 100");
}

#[test]
fn a_part_is_a_part_also_of_who_was_heard_last() {
    let mut fleet = Fleet::new(per_minute(600, 1_000_000), 4);
    (0..4).for_each(|process| fleet.calls(process, 6, 50, 10_000));
    fleet.run(seconds(8));
    (0..3).for_each(|process| fleet.hears_nothing(process));
    fleet.run(millis(9300));
    (0..4).for_each(|process| fleet.loses(process, OnDisconnect::Degrade));
    fleet.run(seconds(20));
    let went = fleet.tickets.iter().filter(|ticket| ticket.at >= seconds(10)).count();
    assert!((90..=105).contains(&went), "{went} of 100");
}

#[test]
fn no_more_calls_are_out_when_it_is_back() {
    for policy in [OnDisconnect::Degrade, OnDisconnect::Wait] {
        let limits = Limits::per_minute(6000).no_ramp();
        let mut fleet = Fleet::new(limits.max_in_flight(12), 4);
        fleet.call_time = seconds(3);
        (0..4).for_each(|process| fleet.calls(process, 10, 1, 1000));
        fleet.run(seconds(40));
        away(&mut fleet, millis(2500), policy);
        let back = seconds(43);
        fleet.run(seconds(60));
        let late = fleet.tickets.iter().filter(|ticket| ticket.at >= seconds(50)).count();
        // Whose part was larger a moment ago has one or two more out than its part, until they end.
        let (most, after) = (fleet.most_out(Duration::ZERO), fleet.most_out(back));
        eprintln!("{most} out at most, {after} when it is back; {late} of 40 calls at the end");
        assert!(most <= 14 && after <= 12, "{most} {after}");
        assert!(late >= 34, "{late}");
    }
}
