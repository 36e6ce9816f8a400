//! Rate, ramp, budgets and calls in flight of a fleet. `tests/process` asserts the same figures for real processes.

use super::*;

fn calls_per_minute(calls: u32) -> Limits {
    Limits::per_minute(calls)
}

/// Starts a fleet of `processes` that is idle for 2.5 seconds; then each process makes `calls` calls of `tokens` tokens at once.
fn burst(limits: Limits, call_time: Duration, processes: usize, calls: usize, tokens: u64) -> Fleet {
    let mut fleet = Fleet::new(limits, processes);
    fleet.call_time = call_time;
    fleet.run(millis(2500));
    (0..processes).for_each(|process| fleet.start_callers(process, calls, tokens, 1));
    fleet
}

fn span(tickets: &[Ticket]) -> Duration {
    tickets.last().unwrap().at - tickets[0].at
}

/// Returns the mean rate of tickets, per second.
fn speed(tickets: &[Ticket]) -> f64 {
    (tickets.len() - 1) as f64 / span(tickets).as_secs_f64()
}

/// Returns the maximum number of tickets in any interval of length `width`.
pub(super) fn max_within(width: Duration, tickets: &[Ticket]) -> usize {
    let (mut most, mut first) = (0, 0);
    for (index, ticket) in tickets.iter().enumerate() {
        while ticket.at >= tickets[first].at + width {
            first += 1;
        }
        most = most.max(index + 1 - first);
    }
    most
}

fn steps(fleet: &Fleet) -> u64 {
    fleet.processes.iter().map(|process| process.step).sum()
}

#[test]
fn four_processes_share_one_even_rate() {
    let mut fleet = burst(calls_per_minute(6000).no_ramp(), Duration::ZERO, 4, 250, 1);
    fleet.run(seconds(30));
    let (tickets, most) = (&fleet.tickets, max_within(seconds(1), &fleet.tickets));
    eprintln!("{:.2} of 100 a second, {most} at most", speed(tickets));
    assert_eq!(tickets.len(), 1000);
    assert!(speed(tickets) >= 98.0 && most <= 103, "{} {most}", speed(tickets));
}

#[test]
fn eight_processes_get_fair_parts_with_few_steps() {
    let mut fleet = burst(calls_per_minute(60_000).no_ramp(), Duration::ZERO, 8, 1000, 1);
    let before = steps(&fleet);
    fleet.run(fleet.now + seconds(9));
    let tickets = &fleet.tickets;
    assert_eq!(tickets.len(), 8000);
    let steps_per_second = (steps(&fleet) - before) as f64 / 9.0;
    // While all processes have queued calls.
    let of = |process: usize| tickets.iter().filter(move |ticket| ticket.process == process);
    let begin = (0..8).map(|process| of(process).next().unwrap().at).max().unwrap();
    let end = (0..8).map(|process| of(process).next_back().unwrap().at).min().unwrap();
    let parts: Vec<_> =
        (0..8).map(|process| of(process).filter(|ticket| (begin..end).contains(&ticket.at)).count()).collect();
    let (most, fairness) = (max_within(seconds(1), tickets), parts::fairness(&parts));
    eprintln!(
        "{:.1} of 1000 a second, {most} at most; {steps_per_second:.1} steps a second; Jain {fairness:.4}",
        speed(tickets)
    );
    assert!(steps_per_second < 50.0, "{steps_per_second}");
    assert!(fairness >= 0.98, "{parts:?}");
    assert!(speed(tickets) >= 970.0 && most <= 1050, "{} {most}", speed(tickets));
}

#[test]
fn first_ticket_of_an_idle_fleet_takes_one_step() {
    for processes in [1, 4] {
        let mut fleet = Fleet::new(calls_per_minute(6000).no_ramp(), processes);
        fleet.run(millis(2600));
        let before = fleet.processes[0].step;
        fleet.start_callers(0, 1, 1, 1);
        fleet.run(fleet.now + fleet.lag);
        assert_eq!((fleet.tickets.len(), fleet.processes[0].step - before), (1, 1), "{processes}");
    }
}

#[test]
fn slow_rate_is_shared_by_four_processes() {
    let mut fleet = Fleet::new(calls_per_minute(60).no_ramp(), 4);
    (0..4).for_each(|process| fleet.start_callers(process, 3, 1, 1));
    fleet.run(seconds(30));
    let tickets = &fleet.tickets;
    eprintln!("{:.3} of 1 a second", speed(tickets));
    assert_eq!(tickets.len(), 12);
    assert!(max_within(seconds(1), tickets) <= 2 && max_within(seconds(4), tickets) <= 5);
    assert!(speed(tickets) >= 0.93, "{}", speed(tickets));
}

#[test]
fn single_process_uses_its_whole_rate() {
    for rate in [300, 470, 900] {
        let mut fleet = burst(calls_per_minute(rate).no_ramp(), Duration::ZERO, 1, rate as usize * 9 / 60, 1);
        fleet.run(seconds(20));
        let part = speed(&fleet.tickets) * 60.0 / f64::from(rate);
        eprintln!("{part:.3} of {rate} a minute");
        assert_eq!(fleet.tickets.len(), rate as usize * 9 / 60);
        assert!(part >= 0.98, "{part} of {rate}");
    }
}

#[test]
fn jump_in_demand_is_ramped_once_for_all_processes() {
    let mut fleet = burst(calls_per_minute(6000), Duration::ZERO, 4, 100, 1);
    fleet.run(seconds(15));
    let first = fleet.tickets[0].at;
    let by_second = (0..5).map(|second| {
        let (begin, end) = (first + seconds(second), first + seconds(second + 1));
        fleet.tickets.iter().filter(|ticket| (begin..end).contains(&ticket.at)).count()
    });
    let by_second: Vec<_> = by_second.collect();
    eprintln!("{by_second:?}");
    for (second, calls) in by_second.iter().enumerate() {
        let allowed = 25 + 10 * second;
        assert!(*calls <= allowed + 3 && *calls + 8 >= allowed, "{by_second:?}");
    }
}

#[test]
fn calls_in_flight_are_bounded_for_all_processes_together() {
    for (places, min_usage) in [(4, 0.6), (1, 0.4)] {
        let limits = calls_per_minute(6000).no_ramp().max_in_flight(places);
        let mut fleet = burst(limits, millis(150), 4, 10, 1);
        let before = steps(&fleet);
        while fleet.tickets.len() < 40 && fleet.now < seconds(30) {
            fleet.run(fleet.now + millis(10));
        }
        let (max, time) =
            (fleet.max_in_flight_since(Duration::ZERO), (span(&fleet.tickets) + millis(150)).as_secs_f64());
        let used = 40.0 * 0.15 / (time * f64::from(places));
        let steps_per_second = (steps(&fleet) - before) as f64 / time;
        eprintln!(
            "at most {max} of {places} in flight, {:.0} % used; {steps_per_second:.0} steps a second",
            used * 100.0
        );
        assert_eq!(fleet.tickets.len(), 40);
        assert!(steps_per_second < 120.0, "{steps_per_second}");
        assert!(max <= places as usize && used >= min_usage, "{max} {used}");
    }
}

#[test]
fn tokens_per_minute_are_one_budget_of_all_processes() {
    let mut fleet = burst(per_minute(6000, 6000), Duration::ZERO, 4, 15, 20);
    fleet.run(seconds(60));
    assert_eq!(fleet.tickets.len(), 60);
    // 100 tokens a second. The tokens of one second may be charged at once, as in one process.
    let tokens = (speed(&fleet.tickets) * 20.0).round();
    eprintln!("{tokens} of 100 tokens a second in {:?}", span(&fleet.tickets));
    assert!((85.0..=112.0).contains(&tokens), "{tokens}");
}

#[test]
fn requests_per_day_are_one_budget_of_all_processes() {
    let limits = calls_per_minute(6000).no_ramp().requests_per_day(30);
    let mut fleet = burst(limits, Duration::ZERO, 4, 20, 1);
    fleet.run(seconds(10));
    assert_eq!(fleet.tickets.len(), 30);
    fleet.run(seconds(20));
    assert_eq!(fleet.tickets.len(), 30);
}

#[test]
fn tokens_are_spread_as_evenly_as_calls() {
    // Each call costs the tokens of a fifth of a second, or of two seconds.
    for (tokens, calls) in [(20, 10), (200, 1)] {
        let mut fleet = burst(per_minute(6000, 6000), Duration::ZERO, 8, calls, tokens);
        fleet.run(seconds(60));
        assert_eq!(fleet.tickets.len(), 8 * calls);
        for width in [1, 2, 10] {
            let most = max_within(seconds(width), &fleet.tickets) as u64 * tokens;
            eprintln!("{tokens} a call: {most} tokens within {width} s at most, in {:?}", span(&fleet.tickets));
            // A call is charged when it is sent, and up to a quarter of a second is made up for.
            assert!(most <= 100 * width + 2 * tokens + 25, "{most} within {width} s");
        }
    }
}

#[test]
fn small_and_large_calls_use_the_whole_budget_together() {
    let mut fleet = Fleet::new(per_minute(1200, 6000), 4);
    fleet.call_time = Duration::ZERO;
    fleet.run(millis(2500));
    for (process, tokens) in [1, 1, 20, 20].into_iter().enumerate() {
        fleet.start_callers(process, 40, tokens, 1);
    }
    fleet.run(seconds(60));
    assert_eq!(fleet.tickets.len(), 160);
    // 1,680 tokens at 100 a second, without the last call.
    eprintln!("{:?} in place of 16.6 s", span(&fleet.tickets));
    assert!(span(&fleet.tickets) <= millis(17_500), "{:?}", span(&fleet.tickets));
}

#[test]
fn stopped_process_leaves_its_part_and_does_not_catch_up() {
    let mut fleet = Fleet::new(calls_per_minute(1200).no_ramp(), 3);
    (0..3).for_each(|process| fleet.start_callers(process, 1000, 1, 1));
    fleet.run(seconds(3));
    // As after SIGSTOP, neither the process nor the server notices.
    fleet.processes[0].has_ended = true;
    fleet.run(seconds(33));
    fleet.processes[0].has_ended = false;
    fleet.run(seconds(36));
    let within = |begin: u64, end: u64| {
        let (begin, end) = (millis(begin), millis(end));
        fleet.tickets.iter().filter(move |ticket| (begin..end).contains(&ticket.at))
    };
    let stopped = |ticket: &&Ticket| ticket.process == 0;
    let others = within(7000, 33_000).count() as f64 / 26.0;
    let (first, most) = (within(33_000, 33_100).filter(stopped).count(), within(33_000, 34_000).count());
    eprintln!("{others:.1} a second meanwhile; then {first} in its first 100 ms, {most} of all in the first second");
    assert!(within(0, 3000).filter(stopped).count() > 10);
    assert_eq!(within(3001, 33_000).filter(stopped).count(), 0);
    assert!(others > 17.0, "{others}");
    assert!(first <= 3 && most <= 24, "{first} {most}");
    assert!(within(34_000, 36_000).filter(stopped).count() > 5, "it sends calls again");
}
