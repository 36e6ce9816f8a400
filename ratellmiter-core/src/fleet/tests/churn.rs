//! Processes that come and go.

use super::*;

/// Four processes, of which one is replaced every so many milliseconds; how many calls went in each ten seconds of two minutes.
fn calls_while(replaced: u64, ends: fn(&mut Fleet, usize)) -> Vec<usize> {
    let mut fleet = Fleet::new(per_minute(600, 60_000), 4);
    fleet.call_time = millis(400);
    (0..4).for_each(|process| fleet.calls(process, 6, 100, 1000));
    for oldest in 0..120_000 / usize::try_from(replaced).unwrap() {
        fleet.run(millis(replaced * (oldest as u64 + 1)));
        ends(&mut fleet, oldest);
        fleet.starts();
        fleet.calls(oldest + 4, 6, 100, 1000);
    }
    let of = |ten: u64| {
        let inside = |ticket: &&Ticket| (10 * ten..10 * ten + 10).contains(&ticket.at.as_secs());
        fleet.tickets.iter().filter(inside).count()
    };
    (0..12).map(of).collect()
}

#[test]
fn who_comes_and_says_that_it_goes_leaves_the_others_their_rate() {
    let calls = calls_while(1500, Fleet::leaves);
    assert!(calls.iter().all(|calls| *calls >= 92), "{calls:?}");
    assert!(calls.iter().sum::<usize>() >= 1170, "{calls:?}");
}

#[test]
fn who_ends_without_a_word_takes_no_more_with_it_than_its_slots() {
    let calls = calls_while(1500, Fleet::ends);
    assert!(calls.iter().all(|calls| *calls >= 82), "{calls:?}");
}

#[test]
fn who_died_waiting_for_a_place_keeps_nobody_from_it() {
    let limits = Limits::per_minute(600).no_ramp();
    let mut fleet = Fleet::new(limits.max_in_flight(2), 7);
    fleet.call_time = seconds(8);
    fleet.calls(0, 2, 1, 1);
    fleet.run(millis(400));
    fleet.call_time = millis(100);
    // They ask one after another, and die one after another.
    for process in 1..7 {
        fleet.run(millis(1200 * process - 700));
        fleet.calls(usize::try_from(process).unwrap(), 1, 1, 1);
    }
    for process in 1..6 {
        fleet.run(millis(7700 + 2500 * (process - 1)));
        fleet.ends(usize::try_from(process).unwrap());
    }
    fleet.run(seconds(30));
    let last = fleet.tickets.iter().find(|ticket| ticket.process == 6).expect("it lives").at;
    assert!(last < millis(9500), "{last:?}");
}

#[test]
fn crashes_take_no_places_from_who_lives() {
    let calls = |crashes: bool| {
        let limits = Limits::per_minute(600).no_ramp();
        let mut fleet = Fleet::new(limits.max_in_flight(2), 1);
        fleet.call_time = seconds(2);
        fleet.calls(0, 2, 1, 1000);
        for crash in 1..=30 {
            fleet.run(seconds(crash));
            if crashes {
                fleet.starts();
                let new = fleet.processes.len() - 1;
                fleet.calls(new, 1, 1, 1);
                fleet.run(fleet.now + millis(800));
                fleet.ends(new);
            }
        }
        fleet.run(seconds(40));
        fleet.tickets.iter().filter(|ticket| ticket.process == 0).count()
    };
    let [with, without] = [true, false].map(calls);
    eprintln!("{with} calls of {without}");
    assert!(with * 4 >= without * 3, "{with} of {without}");
}
