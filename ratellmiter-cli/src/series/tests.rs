//! Tests of `series`.

use ratellmiter_core::log::{Bottleneck, BudgetKind, BudgetStatus};

use super::*;

fn series(rows: &[(u64, Counts)]) -> Series {
    rows.iter().map(|(at, counts)| Second::from_counts(*at, *counts)).collect()
}

fn row(at: u64, rate: f64, bottleneck: Option<Bottleneck>) -> Second {
    Second::from_row(&Row { at, rate, held: bottleneck, issued: 1, in_flight: 4, ..Row::default() })
}

fn counts(series: &Series) -> Vec<(u64, Counts)> {
    series.seconds().iter().map(|second| (second.at, second.counts)).collect()
}

#[test]
fn rows_of_one_second_are_summed_in_any_order() {
    let sum = series(&[(7, [1, 0, 0, 0, 0]), (9, [1; 5]), (7, [1, 2, 3, 4, 5]), (8, [6; 5]), (9, [u64::MAX; 5])]);
    assert_eq!(counts(&sum), [(7, [2, 2, 3, 4, 5]), (8, [6; 5]), (9, [u64::MAX; 5])]);
    let (mut one, other) = (row(7, 5.0, None), row(7, 0.0, Some(Bottleneck::Pause)));
    one.wait_ms = [1, 9, 9];
    let both: Series = [one, Second { wait_ms: [2, 3, 4], ..other }].into_iter().collect();
    let second = both.seconds()[0];
    assert_eq!((second.wait_ms, second.bottleneck, second.issued()), ([2, 9, 9], Some(Bottleneck::Pause), 2));
}

#[test]
fn gaps_are_zero_with_two_corners() {
    let series = series(&[(10, [1; 5]), (11, [2; 5]), (13, [3; 5]), (100, [4; 5])]);
    let corners: Vec<_> = series.corners('r').collect();
    let expected = [(10, 1.0), (11, 2.0), (12, 0.0), (12, 0.0), (13, 3.0), (14, 0.0), (99, 0.0), (100, 4.0)];
    assert_eq!(corners, expected);
    assert_eq!((series.start(), series.length()), (10, 91));
    assert_eq!(series.corners('a').count() + series.corners('w').count(), 0, "not in such a log");
}

#[test]
fn gaps_keep_calls_in_flight_and_have_no_rate() {
    let series: Series = [row(10, 5.0, None), row(20, 2.5, None)].into_iter().collect();
    assert_eq!(series.corners('n').collect::<Vec<_>>(), [(10, 4.0), (11, 4.0), (19, 4.0), (20, 4.0)]);
    assert_eq!(series.corners('a').collect::<Vec<_>>(), [(10, 5.0), (20, 2.5)]);
    assert_eq!(series.corners('l').count(), 0, "no call finished");
}

#[test]
fn tokens_are_zero_in_gaps_and_unknown_without_tokens() {
    let budget = |meter, limit| BudgetStatus { meter, limit, taken: 0, others: 0, learned: None };
    let budgets = vec![budget(BudgetKind::TokensPerMinute, 60_000), budget(BudgetKind::OutputTokensPerMinute, 6000)];
    let row = |at, used_tokens| Row { at, used_tokens, reserved_tokens: 9, budgets: budgets.clone(), ..Row::default() };
    let mut series: Series = [row(10, 4), row(10, 1)].into_iter().collect();
    series.append([row(20, 7)].into_iter().collect());
    assert_eq!(series.corners('u').collect::<Vec<_>>(), [(10, 5.0), (11, 0.0), (19, 0.0), (20, 7.0)]);
    assert_eq!(series.corners('t').next(), Some((10, 18.0)));
    assert_eq!(series.corners('b').collect::<Vec<_>>(), [(10, 100.0), (20, 100.0)]);
    assert_eq!(series.budgets().summaries().len(), 2);
    let quiet: Series = [Row { at: 1, ..Row::default() }, Row { at: 5, ..Row::default() }].into_iter().collect();
    assert_eq!(['t', 'u', 'b'].map(|letter| quiet.corners(letter).count()), [0; 3]);
}

#[test]
fn refusals_are_derived_from_refused_queued_calls() {
    let level = |waiting: &[u64]| series(&(0..).zip(waiting).map(|(at, e)| (at, [1, 1, *e, 1, 0])).collect::<Vec<_>>());
    assert_eq!(level(&[0, 5, 5, 5, 4, 2, 0, 3, 3]).refusals(), 8);
    let counted = |at| Second::from_row(&Row { at, rate_limited: 2, ..Row::default() });
    assert_eq!((0..3).map(counted).collect::<Series>().refusals(), 6);
}

#[test]
fn pauses_are_ranges_of_seconds() {
    let rows = [(7, 0.0), (8, 0.0), (9, 5.0), (11, 0.0), (12, f64::NAN)];
    let series: Series = rows.map(|(at, rate)| row(at, rate, None)).into_iter().collect();
    assert_eq!(series.pauses(), [(7, 8), (11, 11)]);
    let series: Series = [row(7, 5.0, Some(Bottleneck::Pause))].into_iter().collect();
    assert_eq!(series.pauses(), [(7, 7)]);
}
