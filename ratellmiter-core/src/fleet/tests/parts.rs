//! The parts of the rate that processes get.

use super::*;

/// Returns Jain's fairness index: 1 if all values are equal.
pub(super) fn fairness(got: &[usize]) -> f64 {
    let (sum, squares) =
        got.iter().fold((0.0, 0.0), |(sum, squares), got| (sum + *got as f64, squares + (*got as f64).powi(2)));
    sum * sum / (got.len() as f64 * squares)
}

#[test]
fn equal_processes_get_equal_parts_of_the_rate() {
    // Calls a minute, callers of each process, and latency in milliseconds.
    for (rate, callers, call_time) in
        [(60_000, 60, 20), (60_000, 200, 100), (12_000, 60, 20), (60_000, 40, 50), (60_000, 4, 10), (600, 10, 300)]
    {
        let mut fleet = Fleet::new(Limits::per_minute(rate), 8);
        (0..8).for_each(|process| fleet.start_callers(process, callers, 1, 100_000));
        fleet.call_time = millis(call_time);
        fleet.run(seconds(15));
        fleet.tickets.clear();
        fleet.run(seconds(35));
        let got: [usize; 8] = fleet.calls_by_process();
        let all = got.iter().sum::<usize>() as f64 / (f64::from(rate) / 3.0);
        eprintln!("{callers} callers of {call_time} ms, {rate} a minute: {:.4}, {all:.3} of it", fairness(&got));
        assert!(fairness(&got) >= 0.99, "{got:?}");
        assert!(all >= 0.98, "{all}");
    }
}

/// Returns the number of calls that a process sent from second `begin` to second `end`.
fn got(fleet: &Fleet, process: usize, begin: u64, end: u64) -> usize {
    let within = |ticket: &&Ticket| ticket.at >= seconds(begin) && ticket.at < seconds(end);
    fleet.tickets.iter().filter(|ticket| ticket.process == process).filter(within).count()
}

#[test]
fn urgent_calls_of_any_process_are_sent_first() {
    // Five a second.
    let mut fleet = Fleet::new(Limits::per_minute(300).no_ramp(), 3);
    let calls = |fleet: &mut Fleet, process, callers, priority| {
        (0..callers).for_each(|_| fleet.start_caller(process, Caller { calls: 1000, priority, ..Caller::PLAIN }));
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
    // By then the others have waited long enough to be as urgent.
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
fn processes_that_only_try_get_equal_parts() {
    let mut fleet = Fleet::new(Limits::per_minute(300).no_ramp(), 3);
    for step in 0..800 {
        fleet.run(millis(50 * step));
        for process in 0..3 {
            (0..3).for_each(|_| fleet.try_acquire(process, 1));
        }
    }
    let got: [usize; 3] = fleet.calls_by_process();
    eprintln!("{got:?}");
    assert!(fairness(&got) >= 0.95 && got.iter().sum::<usize>() >= 150, "{got:?}");
}

#[test]
fn equal_queues_end_at_the_same_time() {
    let mut fleet = Fleet::new(Limits::per_minute(6000).no_ramp(), 4);
    fleet.run(seconds(3));
    (0..4).for_each(|process| fleet.start_callers(process, 100, 1, 1));
    fleet.run(seconds(10));
    for process in 0..4 {
        let last = fleet.tickets.iter().filter(|ticket| ticket.process == process).map(|ticket| ticket.at).max();
        let time = last.unwrap() - seconds(3);
        assert!(time >= millis(3600) && time <= millis(4100), "{process}: {time:?}");
    }
}
