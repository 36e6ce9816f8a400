//! Tests of `budgets`.

use super::*;

fn budget(meter: BudgetKind, limit: u64, taken: u64) -> BudgetStatus {
    BudgetStatus { meter, limit, taken, others: 0, learned: None }
}

fn budgets(rows: &[(u64, &[BudgetStatus])]) -> Budgets {
    let mut all = Budgets::default();
    rows.iter().for_each(|(at, budgets)| all.add(*at, budgets));
    all
}

#[test]
fn summary_has_mean_and_peak_of_each_budget() {
    let output = |taken| budget(BudgetKind::OutputTokensPerMinute, 1000, taken);
    let mut all = budgets(&[(7, &[output(500), budget(BudgetKind::TokensPerMinute, 9000, 90)]), (8, &[output(1000)])]);
    all.append(&budgets(&[(9, &[output(0)]), (10, &[])]));
    let filled = all.summaries();
    assert_eq!(
        filled.iter().map(BudgetSummary::name).collect::<Vec<_>>().join(", "),
        "1000 output tokens per minute, 9000 tokens per minute"
    );
    assert_eq!((filled[0].taken, filled[0].mean, filled[0].peak, filled[0].spent), (1000, 0.5, 1.0, None));
    assert_eq!((filled[1].taken, filled[1].mean), (90, 0.01));
}

#[test]
fn fractions_are_of_the_adapted_limit() {
    let learned = |learned| BudgetStatus { learned: Some(learned), ..budget(BudgetKind::TokensPerMinute, 1000, 300) };
    let filled = budgets(&[(7, &[learned(600.0)])]).summaries();
    assert_eq!((filled[0].limit, filled[0].learned, filled[0].peak), (1000, Some(600.0), 0.5));
    for nothing in [0.0, f64::NAN, 1000.0, 5000.0] {
        assert_eq!(budgets(&[(7, &[learned(nothing)])]).summaries()[0].learned, None, "{nothing}");
    }
    assert_eq!(
        budgets(&[(7, &[budget(BudgetKind::TokensPerMinute, 0, 5), budget(BudgetKind::Other, 5, 5)])]).summaries(),
        []
    );
}

#[test]
fn daily_budget_is_exhausted_when_fully_charged() {
    let day = |taken| budget(BudgetKind::RequestsPerDay, 10, taken);
    let mut all = budgets(&[(7, &[day(9)]), (8, &[day(10)]), (9, &[day(10)])]);
    all.append(&budgets(&[(10, &[day(10)])]));
    assert_eq!(all.summaries()[0].spent, Some(8));
}

#[test]
fn smallest_token_budget_and_fullest_budget_are_found() {
    let all = [
        budget(BudgetKind::InputTokensPerMinute, 400_000, 300_000),
        BudgetStatus { learned: Some(50_000.0), ..budget(BudgetKind::OutputTokensPerMinute, 80_000, 10_000) },
        budget(BudgetKind::RequestsPerDay, 5, 1),
    ];
    assert_eq!(
        (tokens_per_minute(&all), max_charged_fraction(&all)),
        (Some(450_000.0), Some(0.75)),
        "input and output together"
    );
    assert_eq!(tokens_per_minute(&all[1..]), Some(50_000.0));
    assert_eq!((tokens_per_minute(&all[2..]), max_charged_fraction(&[])), (None, None));
}
