//! Processes that join and end.

use super::*;

/// Runs four processes, of which the oldest is replaced every `interval` milliseconds. Returns the number of calls in each ten seconds of
/// two minutes.
fn calls_by_ten_seconds(interval: u64, end: fn(&mut Fleet, usize)) -> Vec<usize> {
    let mut fleet = Fleet::new(per_minute(600, 60_000), 4);
    fleet.call_time = millis(400);
    (0..4).for_each(|process| fleet.start_callers(process, 6, 100, 1000));
    for oldest in 0..120_000 / usize::try_from(interval).unwrap() {
        fleet.run(millis(interval * (oldest as u64 + 1)));
        end(&mut fleet, oldest);
        fleet.start_process();
        fleet.start_callers(oldest + 4, 6, 100, 1000);
    }
    let of = |ten: u64| {
        let inside = |ticket: &&Ticket| (10 * ten..10 * ten + 10).contains(&ticket.at.as_secs());
        fleet.tickets.iter().filter(inside).count()
    };
    (0..12).map(of).collect()
}

#[test]
fn processes_that_leave_do_not_change_the_rate() {
    let calls = calls_by_ten_seconds(1500, Fleet::leave);
    assert!(calls.iter().all(|calls| *calls >= 92), "{calls:?}");
    assert!(calls.iter().sum::<usize>() >= 1170, "{calls:?}");
}

#[test]
fn killed_processes_waste_only_their_slots() {
    let calls = calls_by_ten_seconds(1500, Fleet::kill);
    assert!(calls.iter().all(|calls| *calls >= 82), "{calls:?}");
}

#[test]
fn process_killed_while_waiting_blocks_no_other() {
    let limits = Limits::per_minute(600).no_ramp();
    let mut fleet = Fleet::new(limits.max_in_flight(2), 7);
    fleet.call_time = seconds(8);
    fleet.start_callers(0, 2, 1, 1);
    fleet.run(millis(400));
    fleet.call_time = millis(100);
    // They make a call one after another, and are killed one after another.
    for process in 1..7 {
        fleet.run(millis(1200 * process - 700));
        fleet.start_callers(usize::try_from(process).unwrap(), 1, 1, 1);
    }
    for process in 1..6 {
        fleet.run(millis(7700 + 2500 * (process - 1)));
        fleet.kill(usize::try_from(process).unwrap());
    }
    fleet.run(seconds(30));
    let last = fleet.tickets.iter().find(|ticket| ticket.process == 6).expect("the last process is alive").at;
    assert!(last < millis(9500), "{last:?}");
}

#[test]
fn crashes_take_no_capacity_from_others() {
    let calls = |crashes: bool| {
        let limits = Limits::per_minute(600).no_ramp();
        let mut fleet = Fleet::new(limits.max_in_flight(2), 1);
        fleet.call_time = seconds(2);
        fleet.start_callers(0, 2, 1, 1000);
        for crash in 1..=30 {
            fleet.run(seconds(crash));
            if crashes {
                fleet.start_process();
                let new = fleet.processes.len() - 1;
                fleet.start_callers(new, 1, 1, 1);
                fleet.run(fleet.now + millis(800));
                fleet.kill(new);
            }
        }
        fleet.run(seconds(40));
        fleet.tickets.iter().filter(|ticket| ticket.process == 0).count()
    };
    let [with, without] = [true, false].map(calls);
    eprintln!("{with} calls of {without}");
    assert!(with * 4 >= without * 3, "{with} of {without}");
}
