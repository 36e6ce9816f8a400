//! Calls that the provider refuses each time, while it accepts all others.

use std::time::Duration;

use rand::{SeedableRng as _, rngs::ChaCha8Rng, seq::SliceRandom as _};
use ratellmiter_core::{
    Limits,
    sim::{Provider, SchedulerClient, Workload, run},
};

/// Without a hint, and with one of a second.
const HINTS: [Option<Duration>; 2] = [None, Some(Duration::from_secs(1))];

/// The course of a workload.
#[derive(Debug)]
struct Course {
    /// Time of the end of the last accepted call.
    end: Duration,
    accepted: usize,
    /// Adapted calls a second after the last accepted call.
    adapted: Option<f64>,
}

/// Sends calls at 600 a minute. The provider refuses those for whose index `is_refused` returns `true`.
fn play(calls: usize, seed: u64, hint: Option<Duration>, is_refused: impl Fn(usize) -> bool) -> Course {
    let mut provider =
        Provider::new(seed).latency(Duration::from_millis(500), 0.2, 0.0).refusal_of_single_calls(429, hint);
    let mut client = SchedulerClient::new(Limits::per_minute(600), seed).recording();
    let report = run(&mut provider, &Workload::burst(calls).refused(is_refused), &mut [&mut client]);
    let rows = client.rows(Duration::from_hours(3), "m");
    let last = rows.iter().rfind(|row| row.finished > 0).expect("calls are accepted");
    Course { end: report.last_finish(), accepted: calls - report.lost(), adapted: last.learned_rate }
}

/// Returns for each seed the time in which the calls that are not refused are accepted, as a multiple of the time that they need
/// alone, in order. All of them are accepted. `check` compares the two courses.
fn ratios(
    calls: usize,
    seeds: u64,
    hint: Option<Duration>,
    is_refused: impl Fn(usize, u64) -> bool,
    check: impl Fn(&Course, &Course),
) -> Vec<f64> {
    let mut ratios = Vec::new();
    for seed in 0..seeds {
        let course = play(calls, seed, hint, |call| is_refused(call, seed));
        let others = (0..calls).filter(|call| !is_refused(*call, seed)).count();
        assert_eq!(course.accepted, others, "seed {seed}");
        let alone = play(others, seed, hint, |_| false);
        check(&course, &alone);
        ratios.push(course.end.as_secs_f64() / alone.end.as_secs_f64());
    }
    ratios.sort_by(f64::total_cmp);
    println!("{calls} calls, hint {hint:?}: {ratios:.2?}");
    ratios
}

/// Asserts that all calls that are not refused are accepted, and that the last one ends within `factor` times the time that they
/// need alone. The rate adapts to no refusal.
fn check(calls: usize, factor: f64, is_refused: impl Fn(usize) -> bool) {
    for hint in HINTS {
        let adapts_alike = |course: &Course, alone: &Course| assert_eq!(course.adapted, alone.adapted, "hint {hint:?}");
        let ratios = ratios(calls, 7, hint, |call, _| is_refused(call), adapts_alike);
        assert!(ratios[3] <= factor, "{} exceeds {factor}: {ratios:?}", ratios[3]);
    }
}

#[test]
fn one_refused_call_of_60_delays_the_others_by_less_than_a_third() {
    check(60, 1.3, |call| call == 4);
}

#[test]
fn five_refused_calls_of_200_delay_the_others_by_less_than_half() {
    check(200, 1.5, |call| call % 40 == 4);
}

#[test]
fn every_second_call_refused_delays_the_others_less_than_threefold() {
    check(60, 3.0, |call| call % 2 == 1);
}

/// Chooses half of the calls at random.
fn random_half(calls: usize, seed: u64) -> Vec<bool> {
    let mut refused: Vec<bool> = (0..calls).map(|call| call % 2 == 1).collect();
    refused.shuffle(&mut ChaCha8Rng::seed_from_u64(seed));
    refused
}

/// A random half may begin with several refused calls. Until a call is accepted, they look like a limit.
#[test]
fn random_half_refused_delays_the_others_less_than_threefold() {
    for hint in HINTS {
        for (calls, seeds, max_median, max_upper_quarter) in [(60, 31, 2.0, 5.0), (300, 15, 2.5, 3.0)] {
            let halves: Vec<_> = (0..seeds).map(|seed| random_half(calls, seed)).collect();
            let is_refused = |call: usize, seed| halves[usize::try_from(seed).unwrap()][call];
            let ratios = ratios(calls, seeds, hint, is_refused, |_, _| {});
            let (median, upper_quarter) = (ratios[ratios.len() / 2], ratios[ratios.len() * 3 / 4]);
            assert!(median <= max_median && upper_quarter <= max_upper_quarter, "{ratios:?}");
            assert!(ratios.last().is_some_and(|worst| *worst < 12.0), "{ratios:?}");
        }
    }
}
