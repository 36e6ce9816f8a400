//! Tests of `check`.

use ratellmiter_core::log::{BudgetKind, BudgetStatus, ClosedReason, Quantiles, Row};

use super::*;
use crate::series::{Second, Series};

fn run() -> Summary {
    let row = |at| Row {
        at,
        requested: 5,
        issued: 5,
        finished: 5,
        rate_limited: u64::from(at == 3),
        rate: 5.0,
        limit: Some(5.0),
        ..Row::default()
    };
    Summary::from_series("m", &(0..20).map(|at| Second::from_row(&row(at))).collect::<Series>())
}

fn broken(text: &str) -> Vec<String> {
    text.parse::<Conditions>().unwrap().broken_by(&run())
}

#[test]
fn broken_conditions_are_returned_with_figures() {
    assert!(broken("refusals<=1, finished>=100,wait_p99<=5s,pauses==0,calls>99,line<1,duration<=1m").is_empty());
    assert_eq!(broken("refusals<=0,finished>=100,calls<100"), ["refusals<=0: it is 1", "calls<100: it is 100"]);
    assert_eq!(broken("duration<200ms"), ["duration<0.2s: it is 20s"]);
    assert_eq!(broken("slowdown<=1"), ["slowdown<=1: it is 1.01"]);
}

#[test]
fn missing_figure_breaks_a_condition() {
    let counted = Summary::from_series("m", &(0..20).map(|at| Second::from_counts(at, [1; 5])).collect());
    let conditions: Conditions = "wait_p99<=5s".parse().unwrap();
    assert_eq!(conditions.broken_by(&counted), ["wait_p99<=5s: the log does not contain it"]);
}

#[test]
fn tokens_budgets_and_calls_in_flight_are_checked() {
    let row = |at| Row {
        at,
        requested: 5,
        in_flight: at,
        used_tokens: 10,
        reserved_tokens: 50,
        budgets: vec![BudgetStatus {
            meter: BudgetKind::TokensPerMinute,
            limit: 1000,
            taken: 50 * at,
            others: 0,
            learned: None,
        }],
        ..Row::default()
    };
    let run = Summary::from_series("m", &(0..20).map(row).collect());
    let broken_by = |text: &str| text.parse::<Conditions>().unwrap().broken_by(&run);
    assert!(
        broken_by("in_flight<=19,used_tokens==200,reserved_tokens==1000,budget_mean<0.5,budget_peak<=0.95").is_empty()
    );
    assert_eq!(broken_by("budget_peak<=0.9,in_flight<8"), ["budget_peak<=0.9: it is 0.95", "in_flight<8: it is 19"]);
    assert_eq!(broken("budget_peak<=1"), ["budget_peak<=1: the log does not contain it"]);
}

#[test]
fn closed_time_and_rejected_calls_are_checked() {
    let row = |at| Row {
        at,
        requested: 5,
        rejected: if at < 15 { 0 } else { 5 },
        transient: u64::from(at == 3),
        closed: (at >= 15).then_some(ClosedReason::Quota),
        ..Row::default()
    };
    let run = Summary::from_series("m", &(0..20).map(row).collect());
    let broken_by = |text: &str| text.parse::<Conditions>().unwrap().broken_by(&run);
    assert!(broken_by("exhausted<=1,closed<=5s,rejected<=25,transient==1").is_empty());
    assert_eq!(
        broken_by("exhausted==0,closed<2s,rejected==0"),
        ["exhausted==0: it is 1", "closed<2s: it is 5s", "rejected==0: it is 25"]
    );
    assert!(broken("exhausted==0,closed==0s,rejected==0,transient==0").is_empty());
}

#[test]
fn invalid_condition_error_names_the_grammar() {
    for (text, start) in [
        ("", "\"\" is not a condition"),
        ("refusals", "\"refusals\" is not a condition"),
        ("refusals<=2,", "\"\" is not a condition"),
        ("refusal<=2", "unknown figure \"refusal\""),
        ("refusals<=two", "\"two\" is not a number"),
        ("refusals<=-1", "\"-1\" is not a number"),
        ("wait_p99<=5", "\"5\" is not a duration such as 5s, 200ms or 2m"),
        ("wait_p99<=NaNs", "\"NaNs\" is not a duration"),
    ] {
        let error = text.parse::<Conditions>().unwrap_err();
        assert!(error.starts_with(start), "{error}");
        assert!(
            error.contains("; allowed are conditions like FIGURE<=VALUE") && error.contains("refusals_per_call"),
            "{error}"
        );
    }
}

#[test]
fn values_are_printed_with_enough_digits() {
    assert_eq!(broken("refusals_per_call<=0.0001"), ["refusals_per_call<=0.0001: it is 0.01"]);
    assert_eq!(broken("refusals_per_call<=0.0099999"), ["refusals_per_call<=0.0099999: it is 0.01"]);
    assert_eq!(broken("slowdown<=1.0101"), ["slowdown<=1.0101: it is 1.010101"]);
    let rare = |at| Row { at, requested: 1000, issued: 1000, rate_limited: u64::from(at == 3), ..Row::default() };
    let run = Summary::from_series("m", &(0..100).map(rare).collect());
    let broken_by = |text: &str| text.parse::<Conditions>().unwrap().broken_by(&run);
    assert_eq!(broken_by("refusals_per_call==0"), ["refusals_per_call==0: it is 0.00001"]);
}

#[test]
fn hours_and_percentages_are_units() {
    assert!(broken("duration<=1h,refusals_per_call<=1%").is_empty());
    assert_eq!(broken("duration>0.5h"), ["duration>1800s: it is 20s"]);
    assert_eq!(broken("refusals_per_call<0.5 %"), ["refusals_per_call<0.005: it is 0.01"]);
    for text in ["calls<=90%", "duration<=5%", "budget_peak<=x%"] {
        assert!(text.parse::<Conditions>().is_err(), "{text}");
    }
}

#[test]
fn figure_between_bounds_holds_if_both_do() {
    let row = |at| Row {
        at,
        finished: 10,
        call_ms: Quantiles { p50: 500, p99: if at < 4 { 30_000 } else { 500 }, max: if at < 4 { 30_000 } else { 500 } },
        ..Row::default()
    };
    let run = Summary::from_series("m", &(0..60).map(row).collect());
    let broken_by = |text: &str| text.parse::<Conditions>().unwrap().broken_by(&run);
    assert!(broken_by("call_p99<=30s,call_p99>=0.5s").is_empty());
    assert_eq!(broken_by("call_p99<=1s"), ["call_p99<=1s: it is between 0.5s and 30s, as far as the log contains it"]);
}

#[test]
fn paused_time_is_checked_to_the_millisecond() {
    let paused = |pauses: &[u64]| {
        let row = |(at, paused_ms): (u64, &u64)| Row { at, pauses: 1, paused_ms: *paused_ms, ..Row::default() };
        Summary::from_series("m", &(0..).zip(pauses).map(row).collect())
    };
    let broken_by = |pauses: &[u64], text: &str| text.parse::<Conditions>().unwrap().broken_by(&paused(pauses));
    assert_eq!(broken_by(&[100; 3], "paused<=250ms"), ["paused<=0.25s: it is 0.3s"]);
    assert_eq!(broken_by(&[1000, 350], "paused<=1s"), ["paused<=1s: it is 1.35s"]);
    for millis in 1..1000 {
        assert!(broken_by(&[millis], &format!("paused=={millis}ms")).is_empty(), "{millis}");
    }
    // Rows of earlier versions contain no times, and each paused second counts as a whole.
    let earlier = |at| Row { at, rate: if at < 2 { 0.0 } else { 5.0 }, ..Row::default() };
    let run = Summary::from_series("m", &(0..5).map(earlier).collect());
    assert!("paused==2s".parse::<Conditions>().unwrap().broken_by(&run).is_empty());
}

#[test]
fn mean_wait_of_rows_without_its_sum_is_checked_by_bounds() {
    let wait_ms = Quantiles { p50: 1000, p99: 2000, max: 2000 };
    let with = |change: fn(&mut Row<'static>)| {
        let row = |at| {
            let mut row = Row { at, issued: 5, wait_ms, ..Row::default() };
            change(&mut row);
            row
        };
        Summary::from_series("m", &(0..60).map(row).collect())
    };
    let broken_by = |run: &Summary, text: &str| text.parse::<Conditions>().unwrap().broken_by(run);
    let earlier = with(|_| ());
    assert!(broken_by(&earlier, "wait_mean<=1.41s,wait_mean>=0.79s").is_empty());
    for text in ["wait_mean<=1.3s", "wait_mean>=1.3s"] {
        let expected = format!("{text}: it is between 0.8s and 1.4s, as far as the log contains it");
        assert_eq!(broken_by(&earlier, text), [expected]);
    }
    // Rows with the sum of their waits are exact.
    let summed = with(|row| {
        row.wait_buckets = [(1000, 3), (2000, 2)].into_iter().collect();
        row.wait_total_ms = 7000;
    });
    assert_eq!((summed.wait_mean, summed.wait_mean_least), (Some(1.4), None));
}
