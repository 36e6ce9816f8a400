//! Verdicts on a limiter that was closed.

use super::*;

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
