//! What part of the rate each process gets.

use super::*;

/// Jain's index: 1 if all have the same.
pub(super) fn fairness(got: &[usize]) -> f64 {
    let (sum, squares) =
        got.iter().fold((0.0, 0.0), |(sum, squares), got| (sum + *got as f64, squares + (*got as f64).powi(2)));
    sum * sum / (got.len() as f64 * squares)
}

#[test]
fn equal_processes_have_equal_parts_however_long_calls_are_and_however_many_wait() {
    // Calls a minute, and callers that are always there.
    for (rate, callers, call_time) in
        [(60_000, 60, 20), (60_000, 200, 100), (12_000, 60, 20), (60_000, 40, 50), (60_000, 4, 10), (600, 10, 300)]
    {
        let mut fleet = Fleet::new(Limits::per_minute(rate), 8);
        (0..8).for_each(|process| fleet.calls(process, callers, 1, 100_000));
        fleet.call_time = millis(call_time);
        fleet.run(seconds(15));
        fleet.tickets.clear();
        fleet.run(seconds(35));
        let got: [usize; 8] = fleet.calls_of_each();
        let all = got.iter().sum::<usize>() as f64 / (f64::from(rate) / 3.0);
        eprintln!("{callers} callers of {call_time} ms, {rate} a minute: {:.4}, {all:.3} of it", fairness(&got));
        assert!(fairness(&got) >= 0.99, "{got:?}");
        assert!(all >= 0.98, "{all}");
    }
}

/// How many calls a process got in these seconds.
fn got(fleet: &Fleet, process: usize, begin: u64, end: u64) -> usize {
    let within = |ticket: &&Ticket| ticket.at >= seconds(begin) && ticket.at < seconds(end);
    fleet.tickets.iter().filter(|ticket| ticket.process == process).filter(within).count()
}

#[test]
fn the_urgent_go_first_in_whichever_process_they_are_and_the_others_in_the_end() {
    // Five a second.
    let mut fleet = Fleet::new(Limits::per_minute(300).no_ramp(), 3);
    let calls = |fleet: &mut Fleet, process, callers, priority| {
        (0..callers).for_each(|_| fleet.asks(process, Caller { calls: 1000, priority, ..Caller::PLAIN }));
    };
    calls(&mut fleet, 1, 10, Priority::Normal);
    calls(&mut fleet, 2, 20, Priority::Low);
    fleet.run(seconds(20));
    calls(&mut fleet, 0, 3, Priority::High);
    fleet.run(seconds(50));
    assert_eq!((got(&fleet, 1, 0, 20), got(&fleet, 2, 0, 20)), (100, 0));
    assert!(
        got(&fleet, 0, 20, 50) >= 100,
        "three callers, whose calls take a fifth of a second, get {}",
        got(&fleet, 0, 20, 50)
    );
    // They have waited for so long by then that they are no less urgent.
    fleet.run(seconds(140));
    assert!(
        got(&fleet, 1, 50, 140) >= 20 && got(&fleet, 2, 50, 140) >= 20,
        "{} {}",
        got(&fleet, 1, 50, 140),
        got(&fleet, 2, 50, 140)
    );
    assert!(fleet.tickets.len() >= 690, "{}", fleet.tickets.len());
}

#[test]
fn who_does_not_wait_has_a_part_too() {
    let mut fleet = Fleet::new(Limits::per_minute(300).no_ramp(), 3);
    for step in 0..800 {
        fleet.run(millis(50 * step));
        for process in 0..3 {
            (0..3).for_each(|_| fleet.tries(process, 1));
        }
    }
    let got: [usize; 3] = fleet.calls_of_each();
    eprintln!("{got:?}");
    assert!(fairness(&got) >= 0.95 && got.iter().sum::<usize>() >= 150, "{got:?}");
}

#[test]
fn equal_lines_end_at_the_same_time() {
    let mut fleet = Fleet::new(Limits::per_minute(6000).no_ramp(), 4);
    fleet.run(seconds(3));
    (0..4).for_each(|process| fleet.calls(process, 100, 1, 1));
    fleet.run(seconds(10));
    for process in 0..4 {
        let last = fleet.tickets.iter().filter(|ticket| ticket.process == process).map(|ticket| ticket.at).max();
        let time = last.unwrap() - seconds(3);
        assert!(time >= millis(3600) && time <= millis(4100), "{process}: {time:?}");
    }
}
