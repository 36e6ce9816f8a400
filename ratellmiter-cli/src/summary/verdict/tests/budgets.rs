//! Verdicts on budgets.

use super::*;

#[test]
fn limiting_budget_is_named_with_advice() {
    let output = |change: fn(&mut Row<'static>)| {
        let summary = run(100, move |row| {
            limited(93, Bottleneck::Budget(BudgetKind::OutputTokensPerMinute))(row);
            (row.reserved_tokens, row.used_tokens) = (5 * 4096, 5 * 400);
            row.budgets = vec![budget(BudgetKind::OutputTokensPerMinute, 80_000, 79_000)];
            change(row);
        });
        summary.verdict
    };
    let bound = "limited by the budget of 80000 output tokens per minute for 93 % of the waiting time";
    assert_eq!(
        output(|_| {}),
        format!("{bound}; calls reserved 4096 tokens on average and reported 400 as used: lower max_tokens")
    );
    assert_eq!(output(|row| row.used_tokens = 5 * 2048), format!("{bound}; no refusals"));
    assert_eq!(output(|row| row.used_tokens = 0), format!("{bound}; no refusals"));
    assert_eq!(
        output(|row| (row.used_tokens, row.rate_limited) = (5 * 4000, u64::from(row.at == 110))),
        format!("{bound}; 1 refusal: find the cause before raising it")
    );
    assert_eq!(
        output(|row| (row.used_tokens, row.rate_limited, row.overloaded) = (0, 1, 1)),
        format!("{bound}; all refusals were overloads")
    );
    assert_eq!(
        output(|row| (row.used_tokens, row.budgets[0].learned) = (0, Some(60_000.4))),
        "limited by the adapted budget of 60000 output tokens per minute, below the configured 80000, for 93 % of the waiting time"
    );
    // A program that sends one call after another queues one; and the log may lack the budget and the limit.
    assert_eq!(
        output(|row| (row.overflow, row.limit, row.used_tokens, row.budgets) = (1, None, 0, Vec::new())),
        "limited by the budget of output tokens per minute for 93 % of the waiting time; no refusals"
    );
    // Shorter answers do not reduce input tokens.
    let input = run(100, |row| {
        limited(50, Bottleneck::Budget(BudgetKind::InputTokensPerMinute))(row);
        (row.reserved_tokens, row.used_tokens) = (5 * 4096, 5 * 400);
        row.budgets = vec![budget(BudgetKind::InputTokensPerMinute, 400_000, 400_000)];
    });
    assert_eq!(
        input.verdict,
        "limited by the budget of 400000 input tokens per minute for 50 % of the waiting time; no refusals"
    );
}

#[test]
fn rarely_limiting_budget_is_not_named() {
    let summary = run(100, |row| {
        limited(60, Bottleneck::Rate)(row);
        if row.at >= 160 {
            row.held = Some(Bottleneck::Budget(BudgetKind::TokensPerMinute));
        }
        row.budgets = vec![budget(BudgetKind::TokensPerMinute, 80_000, 80_000)];
    });
    let verdict = "limited by the configured 300 calls per minute for 60 % of the waiting time; no refusals: the server's limit is not lower";
    assert_eq!(summary.verdict, verdict);
    let soon_gone = run(100, |row| {
        if row.at < 104 {
            limited(4, Bottleneck::Budget(BudgetKind::TokensPerMinute))(row);
            row.overflow = 20;
        }
    });
    assert_eq!(
        soon_gone.verdict,
        "at most 20 calls were queued, and less than 5 % of the calls waited: the limit is rarely the bottleneck"
    );
}

#[test]
fn exhausted_daily_budget_is_named_with_its_time() {
    let day = |start: u64, taken: fn(u64) -> u64, waits: bool| {
        let row = |at| Row {
            at: start + at,
            requested: 5,
            overflow: if waits { 50 } else { 0 },
            limit: Some(5.0),
            held: (waits && at >= 50).then_some(Bottleneck::Budget(BudgetKind::RequestsPerDay)),
            budgets: vec![budget(BudgetKind::RequestsPerDay, 1000, taken(at))],
            ..Row::default()
        };
        Summary::from_series("m", &(0..100).map(row).collect()).verdict
    };
    let noon = 1_795_564_800 + 2 * 3600 + 150;
    let spent = |at| if at < 50 { 950 + at } else { 1000 };
    assert_eq!(
        day(noon, spent, true),
        "the daily budget of 1000 requests was exhausted at 02:03 UTC, and calls waited for it for 50 % of the waiting time"
    );
    assert_eq!(
        day(noon, |_| 1000, true),
        "the daily budget of 1000 requests was exhausted in the first second, and calls waited for it for 50 % of the waiting time"
    );
    // On the next day.
    assert!(
        day(1_795_564_800 - 20, spent, true)
            .starts_with("the daily budget of 1000 requests was exhausted at 2026-11-25 00:00:30 UTC")
    );
    // A budget may be too small for the next call without being exhausted.
    assert_eq!(
        day(noon, |_| 997, true),
        "limited by the budget of 1000 requests per day for 50 % of the waiting time; no refusals"
    );
    assert_eq!(
        day(noon, spent, false),
        "no call was queued: the limit is not the bottleneck; the daily budget of 1000 requests was exhausted at 02:03 UTC"
    );
}

#[test]
fn usage_of_few_calls_advises_no_other_maximum() {
    let with_usage_in = |rows: u64| {
        let summary = run(100, move |row| {
            limited(100, Bottleneck::Budget(BudgetKind::TokensPerMinute))(row);
            row.reserved_tokens = 5 * 4096;
            row.used_tokens = if row.at - 100 < rows { 5 * 400 } else { 0 };
        });
        summary.verdict.contains("lower max_tokens")
    };
    assert_eq!([1, 50, 51, 100].map(with_usage_in), [false, false, true, true]);
}
