//! Tests of `closed`.

use ratellmiter_core::log::Row;

use super::*;

const NOON: u64 = 1_795_564_800 + 12 * 3600;

/// Returns the summary of a run of 100 seconds from noon, closed in the seconds `from..to` for `reason` until `opens_at`.
fn run(spans: &[(u64, u64, ClosedReason, Option<u64>)]) -> Summary {
    let row = |offset: u64| {
        let span = spans.iter().find(|(from, to, ..)| (*from..*to).contains(&offset));
        let mut row = Row { at: NOON + offset, requested: 5, issued: 5, finished: 5, rate: 5.0, ..Row::default() };
        if let Some((_, _, reason, opens_at)) = span {
            (row.rejected, row.issued, row.finished, row.rate) = (5, 0, 0, 0.0);
            row.closed = Some(*reason);
            row.closed_for = opens_at.map(|at| f64::from(u32::try_from(at - row.at - 1).unwrap()));
        }
        row
    };
    Summary::from_series("m", &(0..100).map(row).collect())
}

#[test]
fn span_has_cause_calls_and_opening() {
    let quota = run(&[(95, 100, ClosedReason::Quota, Some(NOON + 12 * 3600))]);
    assert_eq!(lines(&quota), ["quota spent at 12:01:35 UTC, 25 calls not sent, available again at 00:00 UTC"]);
    let later = run(&[(95, 100, ClosedReason::Quota, Some(NOON + 48 * 3600 + 7))]);
    assert!(lines(&later)[0].ends_with(", available again at 2026-11-27 12:00:07 UTC"), "{:?}", lines(&later));
    // Such a clock time would be before that of the cause.
    let tomorrow = run(&[(95, 100, ClosedReason::Quota, Some(NOON + 24 * 3600 + 30))]);
    assert!(lines(&tomorrow)[0].ends_with(", available again at 2026-11-26 12:00:30 UTC"), "{:?}", lines(&tomorrow));
    let unknown = run(&[(60, 100, ClosedReason::Unavailable, None)]);
    assert_eq!(lines(&unknown), ["the server accepted no call at 12:01 UTC, 200 calls not sent"]);
    // The log contains the actual opening.
    let over = run(&[(40, 60, ClosedReason::Unavailable, Some(NOON + 600))]);
    assert!(lines(&over)[0].ends_with(", available again at 12:01 UTC"), "{:?}", lines(&over));
    assert_eq!(lines(&run(&[])), [""; 0]);
}

#[test]
fn span_without_rejected_calls_has_no_count() {
    let span =
        ClosedSpan { from: 90_000, to: 90_001, reason: ClosedReason::Other, opens_at: Some(90_002), rejected: 0 };
    assert_eq!(
        description(&span, 0),
        "a reason that this version does not know at 1970-01-02 01:00 UTC, available again at 01:00:02 UTC"
    );
    assert_eq!(clock(u64::MAX, true), u64::MAX.to_string());
}

#[test]
fn many_spans_are_counted() {
    let spans: Vec<_> = (0..7).map(|index| (10 * index + 5, 10 * index + 7, ClosedReason::Quota, None)).collect();
    let run = run(&spans);
    assert_eq!((lines(&run).len(), lines(&run)[5].as_str()), (6, "and 2 more"));
    assert_eq!((run.exhausted, run.closed, run.closed_spans.len()), (7, 14, 7));
    assert_eq!(sentence(&run, 5.0).unwrap(), "closed 7 times, for 14 % of the time: quota spent, 70 calls not sent");
}

#[test]
fn exhausted_counts_quotas_alone() {
    let run = run(&[(10, 12, ClosedReason::Unavailable, None), (20, 23, ClosedReason::Quota, None)]);
    assert_eq!((run.exhausted, run.closed, run.rejected, run.given_up), (1, 5, 25, 0));
    assert_eq!(
        sentence(&run, 5.0).unwrap(),
        "closed 2 times, for 5 % of the time: quota spent, the server accepted no call, 25 calls not sent"
    );
}

#[test]
fn brief_closing_has_a_sentence_if_calls_were_rejected() {
    let run = run(&[(99, 100, ClosedReason::Quota, None)]);
    assert_eq!(sentence(&run, 5.0).unwrap(), "closed for 1 s: quota spent at 12:01:39 UTC, 5 calls not sent");
    let quiet = ClosedSpan { rejected: 0, ..run.closed_spans[0] };
    assert_eq!(sentence(&Summary { closed_spans: vec![quiet], ..run.clone() }, 5.0), None);
    assert!(sentence(&Summary { closed_spans: vec![quiet], closed: 5, ..run }, 5.0).is_some());
}
