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
    assert_eq!((summary.refusals, summary.pauses, summary.paused_ms, summary.line), (2, 1, 2000, 10));
    assert_eq!(summary.transient, 3);
    assert_eq!((summary.started, summary.duration, summary.limit), (100, 20, Some(300.0)));
    let wait_mean = [summary.wait_mean_least, summary.wait_mean].map(Option::unwrap);
    assert!((wait_mean[0] - 0.8).abs() < 1e-9 && (wait_mean[1] - 1.4).abs() < 1e-9, "{wait_mean:?}");
    assert!((summary.refusals_per_call - 0.02).abs() < 1e-9);
    assert!((summary.physical.unwrap() - 19.4).abs() < 1e-6);
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

fn rows(rows: impl IntoIterator<Item = Row<'static>>) -> Summary {
    Summary::from_series("m", &rows.into_iter().collect())
}

#[test]
fn refusals_do_not_improve_the_slowdown() {
    // 100 calls are served in 60 seconds, with and without two refusals of each.
    let served = |refusals: u64| {
        rows((0..60).map(|at| Row {
            at,
            requested: if at == 0 { 100 } else { 0 },
            issued: if at < 50 { 2 * (1 + refusals) } else { 0 },
            rate_limited: if at < 50 { 2 * refusals } else { 0 },
            finished: if at < 50 { 2 } else { 0 },
            limit: Some(10.0),
            ..Row::default()
        }))
        .physical
        .unwrap()
    };
    assert!((served(0) - 9.9).abs() < 1e-9 && (served(2) - 9.9).abs() < 1e-9, "{} {}", served(0), served(2));
}

#[test]
fn run_is_not_shorter_than_its_least_time() {
    // 60 calls at 60 a minute are sent at once, then one a second.
    let burst = rows((0..20).map(|at| Row {
        at,
        requested: if at == 0 { 79 } else { 0 },
        issued: if at == 0 { 60 } else { 1 },
        finished: if at == 0 { 60 } else { 1 },
        limit: Some(1.0),
        ..Row::default()
    }));
    let least = burst.physical.unwrap();
    assert!((18.0..=20.0).contains(&least), "{least}");
    let at_once = rows([Row { at: 5, requested: 60, issued: 60, finished: 60, limit: Some(1.0), ..Row::default() }]);
    assert!(at_once.physical.unwrap() <= 1.0, "{:?}", at_once.physical);
}

#[test]
fn calls_at_the_end_add_up() {
    let summary = rows((0..10).map(|at| Row {
        at,
        requested: if at == 0 { 1000 } else { 0 },
        issued: 1,
        finished: u64::from(at > 0),
        overflow: 999 - at,
        in_flight: 1,
        ..Row::default()
    }));
    let Summary { calls, finished, rejected, given_up, waiting, in_flight, .. } = summary;
    assert_eq!((calls, finished, waiting, in_flight), (1000, 9, 990, 1));
    assert_eq!(finished + rejected + given_up + waiting + in_flight, calls);
}

#[test]
fn mean_wait_is_that_of_the_calls() {
    // Calls that wait for less than a second are in no queue at the end of a second.
    let wait_ms = Quantiles { p50: 800, p99: 900, max: 900 };
    let summary = run(20, |row| row.wait_ms = wait_ms);
    let mean = summary.wait_mean.unwrap();
    assert!(mean >= 0.8 && mean <= summary.wait_p99.unwrap(), "{mean} {:?}", summary.wait_p99);
    // Calls that are queued at the end have no wait yet.
    let queued = run(20, |row| (row.wait_ms, row.overflow) = (wait_ms, 50 * (row.at - 99)));
    assert_eq!(queued.wait_mean, summary.wait_mean);
}

#[test]
fn p99_of_few_slow_calls_is_that_of_the_others() {
    let slow = |row: &Row<'_>| u64::from(row.at < 104);
    let ten = |row: &mut Row<'static>| (row.requested, row.issued, row.finished) = (10, 10, 10);
    let sketched = run(60, |row| {
        ten(row);
        let p99 = if slow(row) > 0 { 30_000 } else { 500 };
        row.call_ms = Quantiles { p50: 500, p99, max: p99 };
        row.call_buckets = [(500, 10 - slow(row)), (30_000, slow(row))].into_iter().collect();
    });
    assert!((sketched.call_p99.unwrap() - 0.5).abs() < 0.01 && sketched.call_p99_least.is_none());
    let earlier = run(60, |row| {
        ten(row);
        let p99 = if slow(row) > 0 { 30_000 } else { 500 };
        row.call_ms = Quantiles { p50: 500, p99, max: p99 };
    });
    assert_eq!((earlier.call_p99_least, earlier.call_p99), (Some(0.5), Some(30.0)));
}

#[test]
fn changed_limit_gives_no_least_time() {
    let with_limits = |early: f64, late: f64| {
        run(120, |row| {
            (row.requested, row.issued, row.finished) = (4, 4, 4);
            row.limit = Some(if row.at < 120 { early } else { late });
        })
    };
    let changed = with_limits(12.0, 2.0);
    assert_eq!((changed.limit, changed.physical), (Some(120.0), None));
    assert_eq!(with_limits(2.0, 12.0).physical, None);
    assert!(with_limits(12.0, 12.00001).physical.is_some());
    // A second without a limit does not change it.
    assert!(run(120, |row| row.limit = (row.at != 150).then_some(5.0)).physical.is_some());
    let slowdown = "slowdown<=100".parse::<crate::summary::check::Conditions>().unwrap();
    assert_eq!(slowdown.broken_by(&changed), ["slowdown<=100: the log does not contain it"]);
}
