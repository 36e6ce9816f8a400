//! Calls that the provider refuses each time, in a fleet.

use super::*;

/// Runs 60 calls in `processes` processes, one of which is refused each time. Returns when the other calls have been sent.
fn sent_others(processes: usize, refused: bool) -> Duration {
    let mut fleet = Fleet::new(Limits::per_minute(600), processes);
    fleet.call_time = millis(100);
    fleet.run(millis(10));
    for call in 0..60 {
        let refusals = if refused && call == 4 { 100 } else { 0 };
        fleet.start_caller(call % processes, Caller { tokens: call as u64, refusals, ..Caller::PLAIN });
    }
    (0..processes).for_each(|process| fleet.advance(process));
    fleet.run(seconds(60));
    let others = fleet.tickets.iter().filter(|ticket| ticket.tokens != 4);
    assert_eq!(others.clone().count(), 59);
    others.map(|ticket| ticket.at).max().unwrap()
}

#[test]
fn one_refused_call_of_60_delays_a_fleet_by_less_than_a_third() {
    for processes in [1, 3] {
        let (with, without) = (sent_others(processes, true), sent_others(processes, false));
        let ratio = with.as_secs_f64() / without.as_secs_f64();
        println!("{processes} processes: {with:?} instead of {without:?}, ratio {ratio:.2}");
        assert!(ratio <= 1.3, "{processes} processes: {with:?} instead of {without:?}");
    }
}

#[test]
fn fleet_adapts_no_limit_to_a_responsible_call() {
    let mut fleet = Fleet::new(Limits::per_minute(600), 2);
    fleet.run(millis(10));
    (0..60).for_each(|call| {
        fleet.start_caller(call % 2, Caller { refusals: u32::from(call == 4) * 100, ..Caller::PLAIN });
    });
    (0..2).for_each(|process| fleet.advance(process));
    fleet.run(seconds(40));
    for process in 0..2 {
        fleet.refresh(process);
        let now = fleet.now;
        assert_eq!(fleet.processes[process].scheduler.gauges(now).learned_rate, None);
    }
}
