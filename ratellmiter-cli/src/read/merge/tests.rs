//! Tests of `merge`.

use ratellmiter_core::log::{Bottleneck, BudgetKind, ClosedReason, Quantiles, Row};

use super::*;
use crate::summary::Summary;

/// Returns the series of a log that was read to be summed.
fn log(rows: &[Row<'static>]) -> Series {
    let mut series = Series::default();
    for row in rows {
        series.add_row(row);
        series.keep_budgets(row);
    }
    series
}

fn sum(logs: &[&[Row<'static>]]) -> Series {
    let logs: Vec<_> = logs.iter().map(|rows| log(rows)).collect();
    sum_of_model(&logs.iter().collect::<Vec<_>>(), logs.len())
}

fn at(at: u64) -> Row<'static> {
    Row { at, rate: 1.0, ..Row::default() }
}

fn named(namespace: Option<&str>) -> Log {
    Log { namespace: namespace.map(Into::into), ..Log::default() }
}

#[test]
fn counts_are_summed_and_shared_limits_are_not() {
    let one = Row {
        requested: 5,
        issued: 3,
        rate_limited: 1,
        overloaded: 1,
        finished: 1,
        failed: 1,
        transient: 1,
        overflow: 2,
        rate: 1.5,
        limit: Some(10.0),
        in_flight: 4,
        rejected: 1,
        reserved_tokens: 100,
        used_tokens: 10,
        members: Some(2),
        ..at(7)
    };
    let both =
        sum(&[std::slice::from_ref(&one), &[Row { limit: Some(8.0), members: Some(3), is_lost: true, ..one.clone() }]]);
    let [second] = both.seconds() else { panic!("{both:?}") };
    assert_eq!((second.at, second.counts), (7, [10, 6, 2, 2, 4]));
    assert_eq!((second.failed, second.overloaded, second.rejected, second.in_flight), (2, 2, 2, 8));
    assert_eq!(second.transient, 2);
    assert_eq!((second.reserved_tokens, second.used_tokens, second.rate, second.limit), (200, 20, 3.0, 10.0));
    assert_eq!((second.processes, second.is_disconnected, second.has_details, both.logs()), (3, true, true, 2));
}

#[test]
fn medians_are_weighted_and_tails_are_maxima() {
    let one = Row {
        issued: 3,
        finished: 1,
        wait_ms: Quantiles { p50: 100, p99: 900, max: 900 },
        call_ms: Quantiles { p50: 10, p99: 20, max: 30 },
        ..at(7)
    };
    let other = Row {
        issued: 1,
        wait_ms: Quantiles { p50: 500, p99: 600, max: 1000 },
        call_ms: Quantiles { p50: 0, p99: 0, max: 0 },
        ..at(7)
    };
    let both = sum(&[&[one], &[other]]);
    assert_eq!((both.seconds()[0].wait_ms, both.seconds()[0].latency_ms), ([200, 900, 1000], [10, 20, 30]));
}

#[test]
fn bottleneck_of_most_queued_calls_wins() {
    let row = |overflow, held| Row { overflow, held, rate: f64::NAN, ..at(7) };
    let both = sum(&[&[row(2, Some(Bottleneck::Ramp))], &[row(5, Some(Bottleneck::Rate))], &[row(9, None)]]);
    let second = both.seconds()[0];
    assert_eq!((second.bottleneck, second.queued()), (Some(Bottleneck::Rate), 16));
    assert!(second.rate.is_nan() && second.limit.is_nan() && second.token_budget.is_nan());
    // Two short queues with the same bottleneck outweigh a longer one.
    let few = [
        (4, Bottleneck::Rate),
        (2, Bottleneck::Budget(BudgetKind::InputTokensPerMinute)),
        (3, Bottleneck::Budget(BudgetKind::InputTokensPerMinute)),
    ];
    let few = few.map(|(overflow, reason)| [row(overflow, Some(reason))]);
    assert_eq!(
        sum(&few.each_ref().map(|rows| &rows[..])).seconds()[0].bottleneck,
        Some(Bottleneck::Budget(BudgetKind::InputTokensPerMinute))
    );
    let equal = sum(&[&[row(2, Some(Bottleneck::Ramp))], &[row(2, Some(Bottleneck::Rate))]]);
    assert_eq!(equal.seconds()[0].bottleneck, Some(Bottleneck::Ramp));
    let paused = sum(&[&[Row { rate: 0.0, ..at(7) }], &[Row { rate: 0.0, ..at(7) }, at(8)]]);
    assert_eq!(paused.pauses(), [(7, 7)]);
}

#[test]
fn second_is_closed_if_any_process_is() {
    let closed = |second, left| Row {
        closed: Some(ClosedReason::Quota),
        closed_for: Some(left),
        rejected: 2,
        rate: 0.0,
        ..at(second)
    };
    let spans = |logs: &[&[Row<'static>]]| {
        let spans = sum(logs).closed_spans();
        spans.iter().map(|span| (span.from, span.to, span.opens_at, span.rejected)).collect::<Vec<_>>()
    };
    // In the gap of the first log the second one is open.
    let open: Vec<_> = (5..20).map(at).collect();
    assert_eq!(spans(&[&[closed(7, 4.0), at(20)], &open]), [(7, 11, Some(12), 2)]);
    assert_eq!(spans(&[&[closed(7, 4.0), at(9), at(20)], &open]), [(7, 8, Some(9), 2)]);
    assert_eq!(spans(&[&[closed(7, 4.0)], &open]), [(7, 7, Some(8), 2)], "the first log has ended");
    // The limiter that opens last counts.
    assert_eq!(spans(&[&[closed(7, 4.0)], &[closed(7, 9.0)]]), [(7, 7, Some(17), 4)]);
}

#[test]
fn calls_stay_in_flight_in_gaps_until_the_log_ends() {
    let row = |second, in_flight| Row { in_flight, requested: 1, overflow: 1, ..at(second) };
    let both = sum(&[&[row(7, 3), row(10, 2)], &[row(8, 1), row(9, 1), row(10, 1), row(11, 1)]]);
    let seen: Vec<_> = both.seconds().iter().map(|second| (second.at, second.in_flight, second.queued())).collect();
    assert_eq!(seen, [(7, 3, 1), (8, 4, 1), (9, 4, 1), (10, 3, 2), (11, 1, 1)]);
}

fn budget(meter: BudgetKind, limit: u64, taken: u64, learned: Option<f64>) -> BudgetStatus {
    BudgetStatus { meter, limit, taken, others: 0, learned }
}

#[test]
fn charges_to_a_shared_budget_are_summed() {
    let row = |limit, taken, learned| Row {
        budgets: vec![budget(BudgetKind::TokensPerMinute, limit, taken, learned)],
        ..at(7)
    };
    let both = sum(&[&[row(6000, 3000, None)], &[row(3000, 1500, Some(5000.0))]]);
    assert!((both.seconds()[0].token_budget - 5000.0 / 60.0).abs() < 1e-3);
    let filled = &both.budgets().summaries()[0];
    assert_eq!((filled.limit, filled.learned, filled.taken, filled.peak), (6000, Some(5000.0), 4500, 0.9));
}

#[test]
fn charges_of_other_processes_are_counted_once() {
    let taken = |both: [(u64, u64); 2]| {
        let [one, other] = both.map(|(taken, others)| {
            let budget = BudgetStatus { others, ..budget(BudgetKind::TokensPerMinute, 1000, taken, None) };
            [Row { budgets: vec![budget], ..at(7) }]
        });
        sum(&[&one, &other]).budgets().summaries()[0].taken
    };
    assert_eq!(taken([(300, 200), (200, 300)]), 500);
    assert_eq!(taken([(300, 400), (200, 450)]), 700, "200 of a third process");
    assert_eq!(taken([(300, 0), (200, 0)]), 500);
}

#[test]
fn charges_count_for_their_period_after_the_log_ends() {
    let row = |second, minute, day| Row {
        budgets: vec![
            budget(BudgetKind::TokensPerMinute, 1000, minute, None),
            budget(BudgetKind::RequestsPerDay, 10, day, None),
        ],
        ..at(second)
    };
    let of = |later: u64| {
        let both = sum(&[&[row(100, 600, 5)], &[row(100 + later, 500, 5)]]);
        let filled = both.budgets().summaries();
        (filled[0].taken, filled[1].spent)
    };
    assert_eq!(of(0), (1100, Some(100)));
    assert_eq!(of(30), (800, Some(130)), "half of the charge per minute has expired");
    assert_eq!(of(60), (600, Some(160)));
    assert_eq!(of(90_000), (600, None), "another day");
    assert_eq!(still_charged(&budget(BudgetKind::TokensPerMinute, 1000, u64::MAX, None), 1), u64::MAX / 60 * 59 + 14);
}

#[test]
fn models_are_summed_separately_and_empty_logs_count() {
    let one = |model: &str, rows: &[Row<'static>]| {
        let mut of_one = named(Some("x"));
        of_one.models.insert(model.to_owned(), log(rows));
        (PathBuf::from(model), of_one)
    };
    let logs = [one("a", &[at(7)]), one("b", &[at(8)]), ("idle".into(), named(Some("x")))];
    assert_eq!(check_namespace(&logs), Ok(()));
    let all = super::sum(&logs);
    assert_eq!(all.keys().collect::<Vec<_>>(), ["a", "b"]);
    assert_eq!((all["a"].logs(), all["b"].start()), (3, 8));
}

#[test]
fn verdict_on_a_fleet_is_on_the_sum() {
    let rows = |lost: u64| -> Vec<Row<'static>> {
        let row = |second| Row {
            requested: 1,
            issued: 1,
            overflow: 20,
            limit: Some(4.0),
            members: Some(4),
            is_lost: second < 100 + lost,
            held: Some(Bottleneck::Rate),
            ..at(second)
        };
        (100..120).map(row).collect()
    };
    let logs = [rows(0), rows(3), rows(5), rows(0)];
    let all = Summary::from_series("m", &sum(&[&logs[0], &logs[1], &logs[2], &logs[3]]));
    assert_eq!((all.calls, all.limit, all.line), (80, Some(240.0), 80));
    assert_eq!(
        all.verdict,
        "limited by the configured 240 calls per minute for 100 % of the waiting time; no refusals; 80 of 80 calls still queued at the end; Redis was unreachable for 5 s"
    );
    let one = Summary::from_series("m", &log(&logs[0]));
    assert!(one.verdict.ends_with("; covers 1 of the 4 processes that share the limiter"), "{}", one.verdict);
}

#[test]
fn logs_of_different_namespaces_are_not_summed() {
    let of = |namespaces: &[Option<&str>]| {
        let logs: Vec<_> =
            namespaces.iter().zip('a'..).map(|(name, path)| (path.to_string().into(), named(*name))).collect();
        check_namespace(&logs).unwrap_err().to_string()
    };
    insta::assert_snapshot!(of(&[Some("x"), Some("x"), Some("y")]), @r#"a has the namespace "x" and c has "y"; only logs of one namespace can be summed"#);
    insta::assert_snapshot!(of(&[None, Some("x")]), @r#"a has no namespace and b has the namespace "x"; only logs of one namespace can be summed"#);
    insta::assert_snapshot!(of(&[None, None]), @"a has no namespace, since its process did not share its limiters; only logs of one namespace can be summed");
}

#[test]
fn percentiles_of_summed_processes_are_those_of_all_calls() {
    let log = |slow: u64| {
        (0..10)
            .map(|second| Row {
                issued: 200,
                finished: 200,
                call_ms: Quantiles { p50: 500, p99: if slow > 1 { 30_000 } else { 500 }, max: 30_000 },
                call_buckets: [(500, 200 - slow), (30_000, slow)].into_iter().collect(),
                wait_buckets: [(1000, 200)].into_iter().collect(),
                wait_ms: Quantiles { p50: 1000, p99: 1000, max: 1000 },
                wait_total_ms: 200_000,
                ..at(second)
            })
            .collect::<Vec<_>>()
    };
    // In the first process 1.5 % of the calls are slow, in both together 0.75 %.
    let both = sum(&[&log(3), &log(0)]);
    assert!(both.seconds().iter().all(|second| second.latency_ms[1] < 510), "{:?}", both.seconds()[0].latency_ms);
    let run = Summary::from_series("m", &both);
    assert!((run.call_p99.unwrap() - 0.5).abs() < 0.01 && (run.wait_mean.unwrap() - 1.0).abs() < 1e-9, "{run:?}");
}

#[test]
fn different_limits_are_a_conflict() {
    let log = |limits: &[f64]| {
        let row = |(second, limit): (u64, &f64)| Row { issued: 1, limit: Some(*limit), ..at(second) };
        (100..).zip(limits).map(row).collect::<Vec<_>>()
    };
    let run = Summary::from_series("m", &sum(&[&log(&[5.0; 20]), &log(&[10.0; 20])]));
    assert_eq!((run.limit, run.limit_conflict, run.physical), (None, Some([300.0, 600.0]), None));
    // A limit that changed during the run is none, nor are rounded limits.
    let changed: Vec<_> = (0..20).map(|second| if second < 10 { 1.0 } else { 10.0 }).collect();
    let rounded: Vec<_> = changed.iter().map(|limit| limit * 1.00001).collect();
    let run = Summary::from_series("m", &sum(&[&log(&changed), &log(&changed[..5]), &log(&rounded)]));
    assert_eq!((run.limit, run.limit_conflict), (Some(600.0), None));
}

#[test]
fn logs_of_different_runs_are_not_summed() {
    let on = |start: u64| {
        let mut of_one = named(Some("x"));
        of_one.models.insert("m".into(), log(&[at(start), at(start + 60)]));
        (PathBuf::from(format!("{start}.jsonl")), of_one)
    };
    assert_eq!(check_one_run(&[on(1000), on(1030), on(1300)]), Ok(()));
    let error = check_one_run(&[on(86_400), on(0)]).unwrap_err().to_string();
    insta::assert_snapshot!(error, @"0.jsonl ends at 1970-01-01 00:01:00 UTC and 86400.jsonl starts at 1970-01-02 00:00:00 UTC, with no log between them; only logs of one run can be summed");
    // The end of the longest log counts, and a log without rows does not matter.
    let mut long = on(0);
    long.1.models.insert("n".into(), log(&[at(0), at(90_000)]));
    assert_eq!(check_one_run(&[long, on(10), on(86_400), ("idle".into(), named(Some("x")))]), Ok(()));
}

#[test]
fn calls_at_the_ends_of_all_logs_add_up() {
    let log = |end: u64| {
        (0..end)
            .map(|second| Row {
                requested: 2,
                issued: 1,
                finished: u64::from(second > 0),
                overflow: second + 1,
                in_flight: 1,
                ..at(second)
            })
            .collect::<Vec<_>>()
    };
    let run = Summary::from_series("m", &sum(&[&log(5), &log(9)]));
    assert_eq!((run.calls, run.finished, run.waiting, run.in_flight, run.given_up), (28, 12, 14, 2, 0));
}
