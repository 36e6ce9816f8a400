//! Tests of `verdict`.

mod bottlenecks;
mod budgets;
mod cases;
mod closing;
mod ends;
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
fn log_of_counts_alone_has_a_verdict() {
    let counted: Series = (0..30).map(|at| Second::from_counts(at, [5, 5, 1, 5, 40])).collect();
    let summary = Summary::from_series("m", &counted);
    assert_eq!(summary.verdict, "the log does not contain the limit; 1 refusal");
    assert_eq!((summary.failed, summary.wait_p99, summary.limit, summary.given_up), (None, None, None, 0));
    let quiet: Series = (0..30).map(|at| Second::from_counts(at, [5, 5, 0, 5, 1])).collect();
    assert_eq!(Summary::from_series("m", &quiet).verdict, "the log does not contain the limit; 0 refusals");
}
