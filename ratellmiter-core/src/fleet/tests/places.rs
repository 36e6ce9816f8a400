//! Calls that are out, of which all may have so many together.

use super::*;

/// How many calls each process got, as so many callers each make calls that are out for so long, and what part of the places they
/// used in five minutes at most.
fn used<const N: usize>(places: u32, call_time: Duration, callers: [usize; N], time: Duration) -> ([usize; N], f64) {
    let limits = Limits::per_minute(6000).no_ramp();
    let mut fleet = Fleet::new(limits.max_in_flight(places), N);
    fleet.call_time = call_time;
    callers.iter().enumerate().for_each(|(process, callers)| fleet.calls(process, *callers, 1, 10_000));
    fleet.run(time);
    let got: [usize; N] = fleet.calls_of_each();
    let most = time.as_secs_f64() / call_time.as_secs_f64() * f64::from(places);
    let part = got.iter().sum::<usize>() as f64 / most;
    eprintln!("{places} places, {callers:?} callers of {call_time:?}: {got:?}, {:.0} % used", part * 100.0);
    (got, part)
}

#[test]
fn a_place_is_handed_over_to_who_has_waited_longest() {
    for places in [1, 3, 4, 5] {
        for call_time in [100, 300, 1000].map(millis) {
            let (got, part) = used(places, call_time, [4, 4, 4, 4], seconds(60));
            assert!(part >= 0.94, "{part}");
            let fair = got.iter().sum::<usize>() / 4;
            assert!(got.iter().all(|calls| *calls >= fair * 2 / 3), "{got:?}");
        }
    }
}

#[test]
fn places_go_by_how_many_wait() {
    let (got, part) = used(3, seconds(1), [40, 4, 4, 4], seconds(120));
    assert!(part >= 0.97, "{part}");
    // 277 and 28 each, of 360.
    assert!(got[0] >= 250 && got[1..].iter().all(|calls| *calls >= 22), "{got:?}");
}

#[test]
fn one_caller_in_each_process_has_its_turn() {
    for call_time in [100, 1000, 10_000].map(millis) {
        let (got, part) = used(1, call_time, [1, 1, 1, 1], seconds(120));
        assert!(part >= 0.9, "{part}");
        let fair = got.iter().sum::<usize>() / 4;
        assert!(got.iter().all(|calls| *calls >= fair * 2 / 3), "{got:?}");
    }
}

#[test]
fn nobody_waits_for_a_place_that_is_held_in_vain() {
    for places in [1, 2, 3] {
        let limits = per_minute(600, 12_000).max_in_flight(places);
        let mut fleet = Fleet::new(limits, 3);
        fleet.call_time = seconds(1);
        fleet.calls(0, 2, 4000, 1000);
        fleet.calls(1, 2, 4000, 1000);
        fleet.calls(2, 10, 50, 1000);
        fleet.run(seconds(300));
        let [one, other, small] = fleet.calls_of_each();
        eprintln!("{places} places: {one} and {other} large calls, {small} small ones");
        // A large one takes a third of a minute.
        assert!(one >= 4 && other >= 4 && small >= 100, "{one} {other} {small}");
        assert!(fleet.most_in_a_minute() <= 12_000);
    }
}

#[test]
fn who_waits_for_a_place_looks_a_hundred_times_while_a_call_takes_place_and_no_more() {
    for (call_time, most) in [(100, 100), (5000, 20), (30_000, 8)] {
        let mut fleet = Fleet::new(per_minute(6000, 1_000_000).max_in_flight(1), 2);
        fleet.call_time = millis(call_time);
        (0..2).for_each(|process| fleet.calls(process, 3, 1, 1000));
        fleet.run(seconds(40));
        let before: u64 = fleet.processes.iter().map(|process| process.step).sum();
        fleet.run(seconds(60));
        let asked = fleet.processes.iter().map(|process| process.step).sum::<u64>() - before;
        // Two look four times a second in any case.
        assert!(asked / 20 <= most + 8, "calls of {call_time} ms: {} a second", asked / 20);
    }
}
