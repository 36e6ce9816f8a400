//! The gates of the league: bounds on the scheduler's results against providers whose limits are wrong, change or are shared.
//! They run in virtual time with fixed seeds that were not used for tuning. `cargo bench --bench league` runs the whole league.

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

fn median(reports: &[Report], metric: impl Fn(&Report) -> f64) -> f64 {
    let mut values: Vec<_> = reports.iter().map(metric).collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2].midpoint(values[(values.len() - 1) / 2])
}

fn last(report: &Report) -> f64 {
    report.last_finish().as_secs_f64()
}

/// Asserts for a scenario that the median of `metric` is at most `max_seconds` seconds and the median of the refusals per call
/// at most `max_refusals` and 2.7 % of those of full jitter, and that no call is lost.
fn gate(name: &str, max_seconds: f64, metric: impl Fn(&Report) -> f64, max_refusals: f64) {
    let reports = play(Strategy::Ours, name, 60);
    let (value, refused) = (median(&reports, metric), median(&reports, Report::refusals_per_call));
    println!("{name}: {value:.1} of {max_seconds} s, {refused:.4} of {max_refusals} refusals per call");
    assert!(value <= max_seconds, "{name}: {value:.1} s exceeds {max_seconds} s");
    assert!(refused <= max_refusals, "{name}: {refused:.4} refusals per call exceed {max_refusals}");
    assert_eq!(reports.iter().map(Report::lost).sum::<usize>(), 0, "{name}: no call is lost");
    let jitter = median(&play(Strategy::FullJitter, name, 5), Report::refusals_per_call);
    assert!(refused <= 0.027 * jitter, "{name}: {refused:.4} refusals per call, full jitter has {jitter:.2}");
}

#[test]
fn correct_limit_is_used_in_full() {
    gate("A", 110.0, last, 0.0);
}

#[test]
fn minute_window_allows_a_full_burst() {
    gate("C", 50.0, last, 0.0);
}

#[test]
fn limit_half_of_configured_is_learned() {
    gate("E", 118.0, last, 0.02);
}

#[test]
fn limit_halving_midway_is_learned() {
    gate("F", 192.0, last, 0.03);
}

#[test]
fn four_uncoordinated_processes_share_the_limit() {
    gate("G", 140.0, last, 0.10);
}

#[test]
fn bursty_arrivals_wait_at_most_20_seconds() {
    gate("H", 20.0, |report| report.wait(0.99).as_secs_f64(), 0.0);
}

#[test]
fn penalized_refusals_are_avoided() {
    gate("I", 110.0, last, 0.0);
}

#[test]
fn ban_after_ten_refusals_is_avoided() {
    gate("K", 142.0, last, 0.04);
}

#[test]
fn outage_with_retry_after_ends_in_time() {
    gate("L", 86.0, last, 0.02);
}

#[test]
fn outage_without_retry_after_ends_in_time() {
    gate("M", 90.0, last, 0.03);
}

#[test]
fn limit_doubling_midway_is_used() {
    gate("N", 92.0, last, 0.03);
}

#[test]
fn growth_limit_is_met_with_few_refusals() {
    gate("O", 76.0, last, 0.02);
}

#[test]
fn single_failures_are_sent_again_without_a_pause() {
    let reports = play(Strategy::Ours, "502s", 60);
    let lost: usize = reports.iter().map(Report::lost).sum();
    let failures: u64 = reports.iter().map(Report::failures).sum();
    println!("502s: {:.1} s, {failures} failures, {lost} lost", median(&reports, last));
    // 500 calls and 26 retries at five a second, and the ramp.
    assert!(median(&reports, last) <= 115.0);
    assert_eq!(reports.iter().map(Report::refusals).sum::<u64>(), 0);
    assert!(failures > 1000 && lost <= 15, "{lost} of 30,000 calls are lost");
}

#[test]
fn calls_refused_each_time_do_not_delay_the_others() {
    let (reports, without) = (play(Strategy::Ours, "refused calls", 60), play(Strategy::Ours, "A", 60));
    let (value, alone) = (median(&reports, last), median(&without, last));
    println!("refused calls: {value:.1} s, {alone:.1} s without them");
    assert!(value <= 1.05 * alone, "{value:.1} s, {alone:.1} s without them");
    assert!(reports.iter().all(|report| report.lost() == 5), "the refused calls alone are lost");
}

#[test]
fn limit_of_a_fiftieth_is_learned_after_low_demand() {
    let reports = play(Strategy::Ours, "low demand", 60);
    let (value, refused) = (median(&reports, last), median(&reports, Report::refusals_per_call));
    println!("low demand: {value:.1} s, {refused:.4} refusals per call");
    assert!(value <= 20.0 + 1.18 * 500.0, "{value:.1} s exceeds 1.18 times the physical limit");
    assert!(refused <= 0.04, "{refused:.4} refusals per call");
    assert_eq!(reports.iter().map(Report::lost).sum::<usize>(), 0, "no call is lost");
}

/// The league simulates the scheduler alone. Here the real limiter on tokio gives the same results.
#[test]
fn limiter_on_tokio_matches_the_simulation() {
    for name in ["A", "C", "E", "F", "K", "L", "N", "502s"] {
        let (simulated, real) = (play(Strategy::Ours, name, 5), play(Strategy::OursOnTokio, name, 5));
        let (one, other) = (median(&simulated, last), median(&real, last));
        assert!((one - other).abs() / one < 0.03, "{name}: {one:.1} s simulated, {other:.1} s on tokio");
        let difference = median(&simulated, Report::refusals_per_call) - median(&real, Report::refusals_per_call);
        assert!(difference.abs() < 0.01, "{name}: {difference}");
    }
}

/// The rivals' implementations are as good as the originals, so that the comparison is fair. The bounds are the results of
/// earlier comparisons.
#[test]
fn rivals_match_their_earlier_results() {
    for (strategy, name, max_seconds) in [
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
        let seconds = median(&play(strategy, name, 20), last);
        println!("{} in {name}: {seconds:.1} s", strategy.name());
        assert!(seconds <= max_seconds, "{} in {name}: {seconds:.1} s exceeds {max_seconds} s", strategy.name());
    }
}
