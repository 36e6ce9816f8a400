//! The gates of the league: what must hold of the scheduler against providers whose limits are wrong, move or are shared.
//! In virtual time, with fixed seeds that nothing was tuned with; the whole league is `cargo bench --bench league`.

#[allow(dead_code)]
#[path = "../../benches/league/rivals.rs"]
mod rivals;
#[allow(dead_code)]
#[path = "../../benches/league/scenarios.rs"]
mod scenarios;
#[allow(dead_code)]
#[path = "../../benches/league/strategies.rs"]
mod strategies;

use ratellmiter_core::sim::Report;
use strategies::Strategy;

const SEEDS: std::ops::Range<u64> = 3000..3060;

fn play(strategy: Strategy, name: &str, seeds: usize) -> Vec<Report> {
    let scenario = scenarios::named(name);
    SEEDS.take(seeds).map(|seed| strategy.play(&scenario, seed)).collect()
}

fn median(reports: &[Report], of: impl Fn(&Report) -> f64) -> f64 {
    let mut values: Vec<_> = reports.iter().map(of).collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2].midpoint(values[(values.len() - 1) / 2])
}

fn last(report: &Report) -> f64 {
    report.last_finish().as_secs_f64()
}

/// The medians of the last call and of the refusals are within the gate, none is lost, and nearly all refusals of full
/// jitter are saved.
fn gate(name: &str, most: f64, of: impl Fn(&Report) -> f64, refusals: f64) {
    let reports = play(Strategy::Ours, name, 60);
    let (reached, refused) = (median(&reports, of), median(&reports, Report::refusals_per_call));
    println!("{name}: {reached:.1} of {most}, {refused:.4} refusals a call of {refusals}");
    assert!(reached <= most, "{name}: {reached:.1}, and no more than {most} is allowed");
    assert!(refused <= refusals, "{name}: {refused:.4} refusals a call, and no more than {refusals} are allowed");
    assert_eq!(reports.iter().map(Report::lost).sum::<usize>(), 0, "{name}: nothing is lost");
    let jitter = median(&play(Strategy::FullJitter, name, 5), Report::refusals_per_call);
    assert!(refused <= 0.027 * jitter, "{name}: {refused:.4} refusals a call, full jitter has {jitter:.2}");
}

#[test]
fn a_limit_that_is_right_is_used_in_full() {
    gate("A", 110.0, last, 0.0);
}

#[test]
fn a_minutes_budget_may_go_at_once() {
    gate("C", 50.0, last, 0.0);
}

#[test]
fn half_of_what_was_believed() {
    gate("E", 118.0, last, 0.02);
}

#[test]
fn a_limit_that_halves() {
    gate("F", 192.0, last, 0.03);
}

#[test]
fn four_processes_that_know_nothing_of_each_other() {
    gate("G", 140.0, last, 0.10);
}

#[test]
fn clumps_wait_little() {
    gate("H", 20.0, |report| report.wait(0.99).as_secs_f64(), 0.0);
}

#[test]
fn refusals_that_cost_are_not_had() {
    gate("I", 110.0, last, 0.0);
}

#[test]
fn a_ban_is_not_walked_into() {
    gate("K", 142.0, last, 0.04);
}

#[test]
fn an_outage_with_a_hint() {
    gate("L", 86.0, last, 0.02);
}

#[test]
fn an_outage_without_a_hint() {
    gate("M", 90.0, last, 0.03);
}

#[test]
fn a_limit_that_doubles_below_what_was_believed() {
    gate("N", 92.0, last, 0.03);
}

#[test]
fn a_limit_on_growth() {
    gate("O", 76.0, last, 0.02);
}

/// The league plays the scheduler; this plays the limiter that users have, and finds the same.
#[test]
fn on_tokio_it_is_the_same() {
    for name in ["A", "C", "E", "F", "K", "L", "N"] {
        let (simulated, real) = (play(Strategy::Ours, name, 5), play(Strategy::OursOnTokio, name, 5));
        let (one, other) = (median(&simulated, last), median(&real, last));
        assert!((one - other).abs() / one < 0.03, "{name}: {one:.1} s simulated, {other:.1} s on tokio");
        let difference = median(&simulated, Report::refusals_per_call) - median(&real, Report::refusals_per_call);
        assert!(difference.abs() < 0.01, "{name}: {difference}");
    }
}

/// Rivals that play worse than they do would make anybody look good. The bounds are those of earlier comparisons.
#[test]
fn the_rivals_play_as_well_as_they_do_elsewhere() {
    for (strategy, name, most) in [
        (Strategy::Static, "A", 108.0),
        (Strategy::Governor, "A", 108.0),
        (Strategy::LeakyBucket, "A", 109.0),
        (Strategy::FullJitter, "A", 142.0),
        (Strategy::Aws, "A", 116.0),
        (Strategy::RetryAfter, "A", 118.0),
        (Strategy::Original, "A", 111.0),
        (Strategy::Original, "E", 464.0),
        (Strategy::Static, "E", 121.0),
        (Strategy::Aws, "F", 200.0),
    ] {
        let reached = median(&play(strategy, name, 20), last);
        println!("{} in {name}: {reached:.1}", strategy.name());
        assert!(reached <= most, "{} in {name}: {reached:.1} s, and {most} s elsewhere", strategy.name());
    }
}
