//! Tests of `closed`.

use ratellmiter_core::log::{Bottleneck, Row};

use super::*;
use crate::series::Series;

fn row(at: u64, closed: Option<ClosedReason>, closed_for: Option<f64>) -> Row<'static> {
    Row { at, closed, closed_for, rejected: 3, rate: if closed.is_some() { 0.0 } else { 5.0 }, ..Row::default() }
}

fn quota(at: u64, left: f64) -> Row<'static> {
    row(at, Some(ClosedReason::Quota), Some(left))
}

fn open(at: u64) -> Row<'static> {
    row(at, None, None)
}

fn of(rows: impl IntoIterator<Item = Row<'static>>) -> Vec<(u64, u64, Option<u64>, u64)> {
    let series: Series = rows.into_iter().collect();
    series.closed_spans().iter().map(|span| (span.from, span.to, span.opens_at, span.rejected)).collect()
}

#[test]
fn consecutive_closed_seconds_are_one_span() {
    assert_eq!(of([open(9), quota(10, 899.0), quota(11, 898.2), quota(12, 897.0)]), [(10, 12, Some(910), 9)]);
    assert_eq!(of([quota(10, 1.0), quota(11, 0.0), open(12), open(13)]), [(10, 11, Some(12), 6)]);
    assert_eq!(of([open(9)]), []);
}

#[test]
fn gap_is_closed_until_the_limiter_opens() {
    assert_eq!(of([quota(10, 89.0), quota(50, 49.0), open(200)]), [(10, 99, Some(100), 6)]);
    // Opened earlier than expected, or at an unknown time.
    assert_eq!(of([quota(10, 89.0), open(60)]), [(10, 59, Some(60), 3)]);
    let unknown = || row(10, Some(ClosedReason::Unavailable), None);
    assert_eq!(of([unknown(), open(60)]), [(10, 59, Some(60), 3)]);
    assert_eq!(of([unknown()]), [(10, 10, None, 3)]);
}

#[test]
fn closed_second_after_the_opening_is_a_new_span() {
    assert_eq!(of([quota(10, 9.0), quota(30, 9.0)]), [(10, 19, Some(20), 3), (30, 30, Some(40), 3)]);
    assert_eq!(of([quota(10, 9.0), quota(20, 9.0)]), [(10, 20, Some(30), 6)], "closed again as it opened");
}

#[test]
fn other_reason_is_a_new_span() {
    let series: Series = [row(10, Some(ClosedReason::Unavailable), Some(89.0)), quota(12, 7.0)].into_iter().collect();
    let spans = series.closed_spans();
    assert_eq!(
        spans.iter().map(|span| span.reason).collect::<Vec<_>>(),
        [ClosedReason::Unavailable, ClosedReason::Quota]
    );
    assert_eq!((spans[0].to, spans[0].opens_at, spans[0].length()), (11, None, 2));
}

#[test]
fn closed_seconds_are_not_pauses() {
    let paused = Row { held: Some(Bottleneck::Pause), ..open(9) };
    let series: Series = [paused, quota(10, 5.0), open(11)].into_iter().collect();
    assert_eq!(series.pauses(), [(9, 9)]);
}

#[test]
fn extreme_times_are_accepted() {
    let rows = [0, 5, u64::MAX - 1, u64::MAX].map(|at| quota(at, f64::MAX));
    assert_eq!(of(rows), [(0, u64::MAX, Some(u64::MAX), 12)]);
    assert_eq!(of([quota(7, f64::NAN), quota(8, -5.0)]), [(7, 8, Some(9), 6)]);
}
