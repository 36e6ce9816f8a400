//! Tests of the figures and their measures.

use ratellmiter_core::log::{BudgetStatus, Quantiles, Row};

use super::*;

/// Returns the summary of `seconds` rows with 5 calls each, changed by `change`.
pub(in crate::summary) fn run(seconds: u64, change: impl Fn(&mut Row<'static>)) -> Summary {
    let rows = (0..seconds).map(|at| {
        let mut row =
            Row { at: 100 + at, requested: 5, issued: 5, finished: 5, rate: 5.0, limit: Some(5.0), ..Row::default() };
        change(&mut row);
        row
    });
    Summary::from_series("m", &rows.collect())
}

pub(in crate::summary) fn budget(meter: BudgetKind, limit: u64, taken: u64) -> BudgetStatus {
    BudgetStatus { meter, limit, taken, others: 0, learned: None }
}

#[test]
fn figures_are_computed() {
    let summary = run(20, |row| {
        row.overflow = 10;
        (row.wait_ms, row.call_ms) =
            (Quantiles { p50: 1000, p99: 2000, max: 2000 }, Quantiles { p50: 1, p99: 700, max: 800 });
        match row.at {
            105 => (row.rate_limited, row.rate) = (2, 0.0),
            106 => row.rate = 0.0,
            110 => (row.failed, row.transient) = (3, 2),
            111 => row.transient = 1,
            119 => (row.in_flight, row.finished, row.overflow) = (2, 1, 1),
            _ => {}
        }
    });
    assert_eq!((summary.calls, summary.finished, summary.failed, summary.given_up), (100, 96, Some(3), 1));
    assert_eq!((summary.refusals, summary.pauses, summary.paused, summary.line), (2, 1, 2, 10));
    assert_eq!(summary.transient, 3);
    assert_eq!((summary.started, summary.duration, summary.limit), (100, 20, Some(300.0)));
    assert!((summary.wait_mean.unwrap() - 1.91).abs() < 1e-9 && (summary.refusals_per_call - 0.02).abs() < 1e-9);
    assert!((summary.physical.unwrap() - 19.8).abs() < 1e-6);
    assert!((summary.wait_p99.unwrap() - 2.0).abs() < 0.01 && (summary.call_p99.unwrap() - 0.8).abs() < 0.01);
}

#[test]
fn figures_of_tokens_budgets_and_calls_in_flight() {
    let summary = run(120, |row| {
        (row.reserved_tokens, row.used_tokens) = (500, if row.at < 200 { 0 } else { 100 });
        (row.in_flight, row.failed) = (if row.at < 160 { 2 } else { 8 }, 1);
        row.budgets = vec![
            budget(BudgetKind::TokensPerMinute, 60_000, 6000),
            budget(BudgetKind::OutputTokensPerMinute, 1000, row.at - 100),
        ];
    });
    assert_eq!((summary.in_flight_mean, summary.in_flight_most), (Some(5.0), Some(8)));
    assert_eq!((summary.reserved_tokens, summary.used_tokens), (Some(60_000), Some(2000)));
    // Averages are over seconds with tokens, and usage over calls that did not fail.
    assert_eq!((summary.reserved_per_call, summary.used_per_call), (Some(100.0), Some(25.0)));
    assert!((summary.used_share.unwrap() - 1.0 / 60.0).abs() < 1e-9, "{:?}", summary.used_share);
    assert!((summary.budget_mean.unwrap() - 0.1).abs() < 1e-9 && (summary.budget_peak.unwrap() - 0.119).abs() < 1e-9);
    // Calls stay in flight in gaps, and figures that the log does not contain are `None`.
    let gap = [0, 9].map(|at| Row { at, in_flight: 3 - at / 3, ..Row::default() });
    let summary = Summary::from_series("m", &gap.into_iter().collect());
    assert_eq!((summary.in_flight_mean, summary.used_tokens, summary.budget_mean), (Some(2.7), None, None));
    let counted = Summary::from_series("m", &(0..9).map(|at| Second::from_counts(at, [1; 5])).collect());
    assert_eq!((counted.in_flight_mean, counted.in_flight_most, counted.reserved_per_call), (None, None, None));
}

#[test]
fn p99_is_estimated_over_all_calls() {
    let close = |rows: &[(u64, [u32; 3])], expected: f64| {
        let found = p99(rows.iter().copied()).unwrap();
        assert!((found - expected).abs() <= expected / 500.0, "{found} {expected}");
    };
    close(&[(1, [33_000, 33_000, 33_000])], 33.0);
    close(&[(1, [u32::MAX; 3])], f64::from(u32::MAX) / 1000.0);
    // A single slow second does not dominate.
    close(&[(999, [1000, 1000, 1000]), (1, [60_000; 3])], 1.0);
    // One of 100 calls per second took the maximum.
    let even = [(100, [1000, 2000, 9000]), (100, [1000, 2000, 9000])];
    close(&even, 2.0);
    assert_eq!(p99([(0, [7; 3])].into_iter()), None);
}
