//! Calls that the provider refuses each time, in a fleet.

use rand::{SeedableRng as _, rngs::ChaCha8Rng, seq::SliceRandom as _};

use super::*;

/// Runs calls in `processes` processes, and refuses some of them each time. Returns when the others have been sent.
fn sent_others(processes: usize, calls: u64, is_refused: impl Fn(u64) -> bool) -> Duration {
    let mut fleet = Fleet::new(Limits::per_minute(600), processes);
    fleet.call_time = millis(100);
    fleet.run(millis(10));
    for call in 0..calls {
        let refusals = if is_refused(call) { 100 } else { 0 };
        fleet.start_caller(
            usize::try_from(call).unwrap() % processes,
            Caller { tokens: call, refusals, ..Caller::PLAIN },
        );
    }
    (0..processes).for_each(|process| fleet.advance(process));
    fleet.run(seconds(120));
    let others = fleet.tickets.iter().filter(|ticket| !is_refused(ticket.tokens));
    assert_eq!(others.clone().count(), (0..calls).filter(|call| !is_refused(*call)).count());
    others.map(|ticket| ticket.at).max().unwrap()
}

#[test]
fn one_refused_call_of_60_delays_a_fleet_by_less_than_a_third() {
    for processes in [1, 3] {
        let (with, without) = (sent_others(processes, 60, |call| call == 4), sent_others(processes, 59, |_| false));
        let ratio = with.as_secs_f64() / without.as_secs_f64();
        println!("{processes} processes: {with:?} instead of {without:?}, ratio {ratio:.2}");
        assert!(ratio <= 1.3, "{processes} processes: {with:?} instead of {without:?}");
    }
}

#[test]
fn random_half_refused_delays_a_fleet_less_than_threefold() {
    for processes in [1, 3] {
        let mut ratios = Vec::new();
        for seed in 0..5 {
            let mut half: Vec<bool> = (0..96).map(|call| call % 2 == 1).collect();
            half.shuffle(&mut ChaCha8Rng::seed_from_u64(seed));
            let is_refused = |call: u64| half[usize::try_from(call).unwrap()];
            let (with, without) = (sent_others(processes, 96, is_refused), sent_others(processes, 48, |_| false));
            ratios.push(with.as_secs_f64() / without.as_secs_f64());
        }
        ratios.sort_by(f64::total_cmp);
        println!("{processes} processes: ratios {ratios:.2?}");
        assert!(ratios[2] <= 2.5 && ratios[4] <= 8.0, "{processes} processes: {ratios:?}");
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
