//! Tests of `verdict`.

mod cases;
mod simulated;

use ratellmiter_core::log::{ClosedReason, Row};

use super::*;
use crate::{
    series::Series,
    summary::figures::tests::{budget, run},
};

/// Returns a change that queues 50 calls in each row, of which the first `seconds` have the `bottleneck`.
fn limited(seconds: u64, bottleneck: Bottleneck) -> impl Fn(&mut Row<'static>) {
    move |row| {
        row.overflow = 50;
        row.held = (row.at - 100 < seconds).then_some(bottleneck);
    }
}

#[test]
fn short_run_has_too_little_data() {
    assert_eq!(run(1, |_| {}).verdict, "too little data: 5 calls in 1 second");
    assert_eq!(run(4, |_| {}).verdict, "too little data: 20 calls in 4 seconds");
    assert_eq!(Summary::from_series("m", &Series::default()).verdict, "too little data: 0 calls in 0 seconds");
    let sparse = run(100, |row| (row.requested, row.issued) = (u64::from(row.at == 100), 0));
    assert_eq!(sparse.verdict, "too little data: 1 call in 1:40");
}

#[test]
fn limiting_rate_is_reported_with_refusals() {
    let verdict = "limited by the configured 300 calls per minute for 71 % of the waiting time; no refusals: the server's limit is not lower";
    assert_eq!(run(100, limited(71, Bottleneck::Rate)).verdict, verdict);
    let summary = run(100, |row| {
        limited(60, Bottleneck::Rate)(row);
        (row.rate_limited, row.overloaded) = (u64::from(row.at == 150), u64::from(row.at == 150));
    });
    assert_eq!(
        summary.verdict,
        "limited by the configured 300 calls per minute for 60 % of the waiting time; all refusals were overloads"
    );
    let summary = run(100, |row| {
        limited(60, Bottleneck::Rate)(row);
        row.rate_limited = u64::from(row.at == 190);
    });
    assert_eq!(
        summary.verdict,
        "limited by the configured 300 calls per minute for 60 % of the waiting time; 1 refusal: find the cause before raising the limit"
    );
}

#[test]
fn refused_rate_suggests_a_limit() {
    let summary = run(60, |row| {
        (row.requested, row.limit, row.overflow) = (10, Some(10.0), 99);
        row.rate_limited = u64::from([120, 140].contains(&row.at));
        (row.issued, row.held) =
            if row.at <= 120 { (6, Some(Bottleneck::Ramp)) } else { (4, Some(Bottleneck::Learned)) };
    });
    assert_eq!(summary.verdict, "the server refused calls at 3.9 per second: set 230 per minute");
    // Slow refusals arrive during the pause.
    let summary = run(60, |row| {
        (row.requested, row.limit, row.overflow) = (10, Some(10.0), 99);
        row.rate_limited = if [140, 141].contains(&row.at) { 3 } else { 0 };
        row.rate = if (140..144).contains(&row.at) { 0.0 } else { 6.0 };
        (row.issued, row.held) = match row.at {
            ..140 => (6, Some(Bottleneck::Rate)),
            140..144 => (0, Some(Bottleneck::Pause)),
            _ => (4, Some(Bottleneck::Learned)),
        };
    });
    assert_eq!(summary.verdict, "the server refused calls at 6.0 per second: set 360 per minute");
    // The refusal of a canary does not count.
    let summary = run(60, |row| {
        (row.requested, row.limit, row.overflow) = (10, Some(10.0), 99);
        row.rate_limited = u64::from([140, 143, 146].contains(&row.at));
        row.rate = if (140..149).contains(&row.at) { 0.0 } else { 6.0 };
        (row.issued, row.held) = match row.at {
            ..140 => (6, Some(Bottleneck::Rate)),
            140 => (5, Some(Bottleneck::Pause)),
            143 | 146 => (1, Some(Bottleneck::Pause)),
            141..149 => (0, Some(Bottleneck::Pause)),
            _ => (4, Some(Bottleneck::Learned)),
        };
    });
    assert_eq!(summary.verdict, "the server refused calls at 5.9 per second: set 350 per minute");
}

#[test]
fn queue_without_a_known_bottleneck_is_reported() {
    assert_eq!(
        run(30, |row| row.overflow = 3).verdict,
        "60 % of the calls waited, up to 3 at once, for a reason not in the log; 0 refusals"
    );
    let summary = run(30, |row| row.rate_limited = u64::from(row.at == 110));
    assert_eq!(summary.verdict, "1 refusal in 150 calls, although no call was queued");
}

#[test]
fn rejected_calls_without_a_queue_are_named() {
    let summary = run(30, |row| (row.requested, row.rejected) = (10, 4));
    assert_eq!(summary.verdict, "120 of 300 calls were rejected by max_wait, max_queue or a deadline");
}

/// Returns a change that closes the limiter from a second on, after a refusal.
fn closed_from(from: u64) -> impl Fn(&mut Row<'static>) {
    move |row| {
        if row.at >= from {
            (row.issued, row.finished, row.rejected, row.rate) = (0, 0, 5, 0.0);
            (row.closed, row.closed_for) =
                (Some(ClosedReason::Quota), Some(f64::from(u32::try_from(1200 - row.at - 1).unwrap())));
        }
        row.rate_limited = u64::from(row.at == from);
    }
}

#[test]
fn closed_limiter_is_the_verdict_without_a_bottleneck() {
    let spent = "quota spent at 00:02:30 UTC, 250 calls not sent, available again at 00:20 UTC";
    assert_eq!(run(100, closed_from(150)).verdict, format!("closed for 50 % of the time: {spent}"));
    let ramped = run(100, |row| {
        limited(20, Bottleneck::Ramp)(row);
        closed_from(150)(row);
    });
    assert_eq!(ramped.verdict, format!("closed for 50 % of the time: {spent}"));
    // Calls that wait are not sent either.
    let waiting = run(100, |row| {
        closed_from(150)(row);
        (row.overflow, row.held) = (9, row.closed.map(|_| Bottleneck::Closed));
    });
    assert_eq!(waiting.verdict, format!("closed for 50 % of the time: {spent}"));
    assert_eq!(
        run(100, limited(40, Bottleneck::Closed)).verdict,
        "calls waited for the closed limiter for 40 % of the waiting time"
    );
}

#[test]
fn closed_limiter_is_mentioned_beside_a_bottleneck() {
    let spent = "closed for 2 s: quota spent at 00:03:18 UTC, 10 calls not sent, available again at 00:20 UTC";
    let limited_run = run(100, |row| {
        limited(98, Bottleneck::Rate)(row);
        closed_from(198)(row);
    });
    assert_eq!(
        limited_run.verdict,
        format!(
            "limited by the configured 300 calls per minute for 98 % of the waiting time; 1 refusal: find the cause before raising the limit; {spent}"
        )
    );
    // The refused rate is more useful.
    let adapted = run(100, |row| {
        limited(20, Bottleneck::Learned)(row);
        closed_from(150)(row);
        row.limit = Some(10.0);
        row.rate_limited = u64::from([110, 145, 150].contains(&row.at));
    });
    assert!(adapted.verdict.starts_with("the server refused calls at "), "{}", adapted.verdict);
    assert!(adapted.verdict.contains("; closed for 50 % of the time: quota spent"), "{}", adapted.verdict);
    let brief = run(3, closed_from(102));
    assert_eq!(
        brief.verdict,
        "too little data: 15 calls in 3 seconds; closed for 33 % of the time: quota spent at 00:01:42 UTC, 5 calls not sent, available again at 00:20 UTC"
    );
}

#[test]
fn calls_rejected_while_closed_do_not_blame_the_wait_limit() {
    let summary = run(100, |row| {
        closed_from(199)(row);
        row.rate_limited = 0;
        row.rejected += u64::from(row.at == 110);
    });
    assert_eq!(
        summary.verdict,
        "closed for 1 s: quota spent at 00:03:19 UTC, 5 calls not sent, available again at 00:20 UTC"
    );
    assert_eq!((summary.rejected, closed::rejected(&summary)), (6, 5));
}

#[test]
fn brief_queue_and_unknown_bottleneck_are_named() {
    let verdict =
        "at most 20 calls were queued, and less than 5 % of the calls waited: the limit is rarely the bottleneck";
    let soon_gone = run(100, |row| {
        if row.at < 104 {
            limited(4, Bottleneck::Rate)(row);
            row.overflow = 20;
        }
    });
    assert_eq!(soon_gone.verdict, verdict);
    assert_eq!(
        run(100, limited(30, Bottleneck::Other)).verdict,
        "limited for 30 % of the waiting time by a bottleneck that this version does not know"
    );
    assert_eq!(Summary::from_series("m", &Series::default()).wait_mean, None);
}

#[test]
fn no_advice_without_evidence() {
    // Calls are queued all the time, and the log contains no bottleneck.
    let verdict = run(120, |row| row.overflow = 300).verdict;
    assert_eq!(
        verdict,
        "100 % of the calls waited, up to 300 at once, for a reason not in the log; 0 refusals; 300 of 600 calls still queued at the end"
    );
    let refused = |reason| {
        run(100, move |row| {
            limited(100, reason)(row);
            (row.rate_limited, row.in_flight) = (1, 8);
        })
        .verdict
    };
    assert_eq!(
        refused(Bottleneck::Ramp),
        "limited by the ramp for 100 % of the waiting time; 100 refusals: find the cause before making it steeper"
    );
    assert_eq!(
        refused(Bottleneck::InFlight),
        "limited by 8 calls in flight for 100 % of the waiting time; 100 refusals: find the cause before allowing more"
    );
    // The log contains no overload.
    assert_eq!(
        run(120, limited(120, Bottleneck::Pause)).verdict,
        "paused for 100 % of the waiting time by refusals that are not in this log"
    );
}

#[test]
fn verdicts_on_concurrency_ramp_pause_and_adapted_rate() {
    let flight = run(50, |row| {
        limited(40, Bottleneck::InFlight)(row);
        row.in_flight = 8;
    });
    assert_eq!(
        flight.verdict,
        "limited by 8 calls in flight for 80 % of the waiting time; no refusals: shorter answers, or more calls in flight if the server accepts them, shorten the wait"
    );
    assert_eq!(
        run(50, limited(20, Bottleneck::Ramp)).verdict,
        "limited by the ramp for 40 % of the waiting time; no refusals: a steeper ramp or burst_window shortens the wait if the server accepts bursts"
    );
    let paused = run(50, |row| {
        limited(30, Bottleneck::Pause)(row);
        row.rate_limited = u64::from(row.at == 100);
    });
    assert_eq!(
        paused.verdict,
        "paused for 60 % of the waiting time; 1 refusal at 4.0 per second, although the server accepted 5.0 per second for 20 s after it"
    );
    let busy = run(50, |row| {
        limited(30, Bottleneck::Pause)(row);
        (row.rate_limited, row.overloaded) = (u64::from(row.at == 100), u64::from(row.at == 100));
    });
    assert_eq!(busy.verdict, "paused for 60 % of the waiting time while the server was overloaded");
    assert_eq!(
        run(50, limited(45, Bottleneck::Learned)).verdict,
        "limited by the rate adapted after earlier refusals for 90 % of the waiting time, below the configured 300 calls per minute"
    );
}

#[test]
fn log_of_counts_alone_has_a_verdict() {
    let counted: Series = (0..30).map(|at| Second::from_counts(at, [5, 5, 1, 5, 40])).collect();
    let summary = Summary::from_series("m", &counted);
    assert_eq!(summary.verdict, "the log does not contain the limit; 1 refusal");
    assert_eq!((summary.failed, summary.wait_p99, summary.limit, summary.given_up), (None, None, None, 0));
    let quiet: Series = (0..30).map(|at| Second::from_counts(at, [5, 5, 0, 5, 1])).collect();
    assert_eq!(Summary::from_series("m", &quiet).verdict, "the log does not contain the limit; 0 refusals");
}

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
fn server_headers_are_named() {
    assert_eq!(
        run(50, limited(20, Bottleneck::Server)).verdict,
        "limited by the server's rate-limit headers for 40 % of the waiting time: they left less than the configured limits"
    );
}

#[test]
fn ramp_verdict_without_overload_counts() {
    let ramped = |at| Second {
        rate: 2.0,
        limit: 5.0,
        bottleneck: Some(Bottleneck::Ramp),
        ..Second::from_counts(at, [5, 2, 0, 2, 40])
    };
    assert_eq!(
        Summary::from_series("m", &(0..30).map(ramped).collect()).verdict,
        "limited by the ramp for 100 % of the waiting time; no refusals: a steeper ramp or burst_window shortens the wait if the server accepts bursts"
    );
}
