//! Tests of `merge`.

use ratellmiter_core::log::{Bottleneck, BudgetKind, Quantiles, Row};

use super::*;
use crate::summary::Summary;

/// As it is read to be summed.
fn log(rows: &[Row<'static>]) -> Series {
    let mut series = Series::default();
    for row in rows {
        series.add_row(row);
        series.keep(row);
    }
    series
}

fn sum(logs: &[&[Row<'static>]]) -> Series {
    let logs: Vec<_> = logs.iter().map(|rows| log(rows)).collect();
    together(&logs.iter().collect::<Vec<_>>(), logs.len())
}

fn at(at: u64) -> Row<'static> {
    Row { at, rate: 1.0, ..Row::default() }
}

fn named(namespace: Option<&str>) -> Log {
    Log { namespace: namespace.map(Into::into), ..Log::default() }
}

#[test]
fn counts_and_what_each_process_has_of_its_own_add_up_and_what_is_shared_does_not() {
    let one = Row {
        requested: 5,
        issued: 3,
        rate_limited: 1,
        overloaded: 1,
        finished: 1,
        failed: 1,
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
    assert_eq!((second.reserved, second.used, second.rate, second.limit), (200, 20, 3.0, 10.0));
    assert_eq!((second.members, second.is_lost, second.measured, both.logs()), (3, true, true, 2));
}

#[test]
fn medians_are_weighed_and_of_tails_the_largest_counts() {
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
    assert_eq!((both.seconds()[0].waits, both.seconds()[0].calls), ([200, 900, 1000], [10, 20, 30]));
}

#[test]
fn what_most_calls_wait_for_held_and_what_is_not_told_is_not_a_zero() {
    let held = |overflow, held| Row { overflow, held, rate: f64::NAN, ..at(7) };
    let both = sum(&[&[held(2, Some(Bottleneck::Ramp))], &[held(5, Some(Bottleneck::Rate))], &[held(9, None)]]);
    let second = both.seconds()[0];
    assert_eq!((second.held, second.counts[4]), (Some(Bottleneck::Rate), 16));
    assert!(second.rate.is_nan() && second.limit.is_nan() && second.budget.is_nan());
    // Few wait in each of several, and more in one.
    let few = [(4, Bottleneck::Rate), (2, Bottleneck::InputTokensPerMinute), (3, Bottleneck::InputTokensPerMinute)];
    let few = few.map(|(overflow, reason)| [held(overflow, Some(reason))]);
    assert_eq!(sum(&few.each_ref().map(|rows| &rows[..])).seconds()[0].held, Some(Bottleneck::InputTokensPerMinute));
    let alike = sum(&[&[held(2, Some(Bottleneck::Ramp))], &[held(2, Some(Bottleneck::Rate))]]);
    assert_eq!(alike.seconds()[0].held, Some(Bottleneck::Ramp));
    let paused = sum(&[&[Row { rate: 0.0, ..at(7) }], &[Row { rate: 0.0, ..at(7) }, at(8)]]);
    assert_eq!(paused.pauses(), [(7, 7)]);
}

#[test]
fn calls_stay_out_where_a_log_says_nothing_and_are_gone_after_its_end() {
    let out = |second, in_flight| Row { in_flight, requested: 1, overflow: 1, ..at(second) };
    let both = sum(&[&[out(7, 3), out(10, 2)], &[out(8, 1), out(9, 1), out(10, 1), out(11, 1)]]);
    let seen: Vec<_> = both.seconds().iter().map(|second| (second.at, second.in_flight, second.counts[4])).collect();
    assert_eq!(seen, [(7, 3, 1), (8, 4, 1), (9, 4, 1), (10, 3, 2), (11, 1, 1)]);
}

fn budget(meter: BudgetKind, limit: u64, taken: u64, learned: Option<f64>) -> BudgetStatus {
    BudgetStatus { meter, limit, taken, others: 0, learned }
}

#[test]
fn each_takes_its_part_of_a_budget_that_all_share() {
    let row = |limit, taken, learned| Row {
        budgets: vec![budget(BudgetKind::TokensPerMinute, limit, taken, learned)],
        ..at(7)
    };
    let both = sum(&[&[row(6000, 3000, None)], &[row(3000, 1500, Some(5000.0))]]);
    assert!((both.seconds()[0].budget - 5000.0 / 60.0).abs() < 1e-3);
    let filled = &both.budgets().filled()[0];
    assert_eq!((filled.limit, filled.learned, filled.taken, filled.peak), (6000, Some(5000.0), 4500, 0.9));
}

#[test]
fn what_others_took_is_counted_once_whether_there_is_a_log_of_them_or_not() {
    let taken = |both: [(u64, u64); 2]| {
        let [one, other] = both.map(|(taken, others)| {
            let budget = BudgetStatus { others, ..budget(BudgetKind::TokensPerMinute, 1000, taken, None) };
            [Row { budgets: vec![budget], ..at(7) }]
        });
        sum(&[&one, &other]).budgets().filled()[0].taken
    };
    assert_eq!(taken([(300, 200), (200, 300)]), 500);
    assert_eq!(taken([(300, 400), (200, 450)]), 700, "and 200 of a third");
    assert_eq!(taken([(300, 0), (200, 0)]), 500);
}

#[test]
fn what_was_taken_counts_for_its_minute_or_day_whatever_became_of_the_process() {
    let row = |second, minute, day| Row {
        budgets: vec![
            budget(BudgetKind::TokensPerMinute, 1000, minute, None),
            budget(BudgetKind::RequestsPerDay, 10, day, None),
        ],
        ..at(second)
    };
    let of = |later: u64| {
        let both = sum(&[&[row(100, 600, 5)], &[row(100 + later, 500, 5)]]);
        let filled = both.budgets().filled();
        (filled[0].taken, filled[1].spent)
    };
    assert_eq!(of(0), (1100, Some(100)));
    assert_eq!(of(30), (800, Some(130)), "half of a minute's was gone");
    assert_eq!(of(60), (600, Some(160)));
    assert_eq!(of(90_000), (600, None), "another day");
    assert_eq!(left(&budget(BudgetKind::TokensPerMinute, 1000, u64::MAX, None), 1), u64::MAX / 60 * 59 + 14);
}

#[test]
fn models_are_summed_one_by_one_and_a_process_that_did_nothing_adds_nothing() {
    let one = |model: &str, rows: &[Row<'static>]| {
        let mut of_one = named(Some("x"));
        of_one.models.insert(model.to_owned(), log(rows));
        (PathBuf::from(model), of_one)
    };
    let logs = [one("a", &[at(7)]), one("b", &[at(8)]), ("idle".into(), named(Some("x")))];
    assert_eq!(are_shared(&logs), Ok(()));
    let all = super::sum(&logs);
    assert_eq!(all.keys().collect::<Vec<_>>(), ["a", "b"]);
    assert_eq!((all["a"].logs(), all["b"].start()), (3, 8));
}

#[test]
fn a_fleet_is_judged_as_one() {
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
    let all = Summary::of("m", &sum(&[&logs[0], &logs[1], &logs[2], &logs[3]]));
    assert_eq!((all.calls, all.limit, all.line), (80, Some(240.0), 80));
    assert_eq!(
        all.verdict,
        "bound by the configured 240 a minute for 100 % of the time; refusals 0: the limit can be raised; for 5 s the server that the limiter is shared on was out of reach"
    );
    let one = Summary::of("m", &log(&logs[0]));
    assert!(one.verdict.ends_with("; seen by 1 of the 4 processes that share it"), "{}", one.verdict);
}

#[test]
fn logs_of_others_are_not_summed() {
    let of = |namespaces: &[Option<&str>]| {
        let logs: Vec<_> =
            namespaces.iter().zip('a'..).map(|(name, path)| (path.to_string().into(), named(*name))).collect();
        are_shared(&logs).unwrap_err().to_string()
    };
    insta::assert_snapshot!(of(&[Some("x"), Some("x"), Some("y")]), @r#"a is of the namespace "x", and c of "y"; only logs of one namespace are summed"#);
    insta::assert_snapshot!(of(&[None, Some("x")]), @r#"a has no namespace, and b is of "x"; only logs of one namespace are summed"#);
    insta::assert_snapshot!(of(&[None, None]), @"a has no namespace: its process shared no limiter; only logs of one namespace are summed, give it alone");
}
