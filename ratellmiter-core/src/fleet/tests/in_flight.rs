//! The limit on calls in flight of all processes.

use super::*;

/// Runs `callers` callers in each process, with at most `places` calls in flight. Returns the number of calls of each process, and the
/// used fraction of the limit.
fn usage<const N: usize>(places: u32, call_time: Duration, callers: [usize; N], time: Duration) -> ([usize; N], f64) {
    let limits = Limits::per_minute(6000).no_ramp();
    let mut fleet = Fleet::new(limits.max_in_flight(places), N);
    fleet.call_time = call_time;
    callers.iter().enumerate().for_each(|(process, callers)| fleet.start_callers(process, *callers, 1, 10_000));
    fleet.run(time);
    let got: [usize; N] = fleet.calls_by_process();
    let max = time.as_secs_f64() / call_time.as_secs_f64() * f64::from(places);
    let part = got.iter().sum::<usize>() as f64 / max;
    eprintln!("{places} places, {callers:?} callers of {call_time:?}: {got:?}, {:.0} % used", part * 100.0);
    (got, part)
}

#[test]
fn capacity_is_handed_over_to_the_longest_wait() {
    for places in [1, 3, 4, 5] {
        for call_time in [100, 300, 1000].map(millis) {
            let (got, part) = usage(places, call_time, [4, 4, 4, 4], seconds(60));
            assert!(part >= 0.94, "{part}");
            let fair = got.iter().sum::<usize>() / 4;
            assert!(got.iter().all(|calls| *calls >= fair * 2 / 3), "{got:?}");
        }
    }
}

#[test]
fn capacity_is_divided_by_the_number_of_callers() {
    let (got, part) = usage(3, seconds(1), [40, 4, 4, 4], seconds(120));
    assert!(part >= 0.97, "{part}");
    // 277 and 28 each, of 360.
    assert!(got[0] >= 250 && got[1..].iter().all(|calls| *calls >= 22), "{got:?}");
}

#[test]
fn single_callers_of_all_processes_alternate() {
    for call_time in [100, 1000, 10_000].map(millis) {
        let (got, part) = usage(1, call_time, [1, 1, 1, 1], seconds(120));
        assert!(part >= 0.9, "{part}");
        let fair = got.iter().sum::<usize>() / 4;
        assert!(got.iter().all(|calls| *calls >= fair * 2 / 3), "{got:?}");
    }
}

#[test]
fn calls_without_budget_hold_no_capacity() {
    for places in [1, 2, 3] {
        let limits = per_minute(600, 12_000).max_in_flight(places);
        let mut fleet = Fleet::new(limits, 3);
        fleet.call_time = seconds(1);
        fleet.start_callers(0, 2, 4000, 1000);
        fleet.start_callers(1, 2, 4000, 1000);
        fleet.start_callers(2, 10, 50, 1000);
        fleet.run(seconds(300));
        let [one, other, small] = fleet.calls_by_process();
        eprintln!("{places} places: {one} and {other} large calls, {small} small ones");
        // A large call costs a third of a minute's budget.
        assert!(one >= 4 && other >= 4 && small >= 100, "{one} {other} {small}");
        assert!(fleet.max_tokens_in_a_minute() <= 12_000);
    }
}

#[test]
fn reports_for_capacity_are_limited_by_call_time() {
    for (call_time, max) in [(100, 100), (5000, 20), (30_000, 8)] {
        let mut fleet = Fleet::new(per_minute(6000, 1_000_000).max_in_flight(1), 2);
        fleet.call_time = millis(call_time);
        (0..2).for_each(|process| fleet.start_callers(process, 3, 1, 1000));
        fleet.run(seconds(40));
        let before: u64 = fleet.processes.iter().map(|process| process.step).sum();
        fleet.run(seconds(60));
        let steps = fleet.processes.iter().map(|process| process.step).sum::<u64>() - before;
        // Both processes report four times a second in any case.
        assert!(steps / 20 <= max + 8, "calls of {call_time} ms: {} a second", steps / 20);
    }
}
