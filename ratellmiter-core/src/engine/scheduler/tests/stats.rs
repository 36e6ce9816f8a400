//! Statistics by second.

use super::*;

#[test]
fn seconds_contain_counts_and_latencies() {
    let mut scheduler = scheduler(per_minute(60).no_ramp());
    scheduler.record(Duration::ZERO, true);
    let first = scheduler.try_plain(Duration::ZERO).unwrap();
    scheduler.enqueue_plain(millis(100));
    scheduler.enqueue_plain(millis(200));
    scheduler.finish_plain(millis(700), first, false);
    let second = advance(&mut scheduler, seconds(1))[0];
    scheduler.requeue(millis(1300), second, &refused(Some(seconds(1))), NO_PAYLOAD);
    let rows = scheduler.seconds(seconds(2), true);
    let counts: Vec<_> = rows
        .iter()
        .map(|row| {
            (
                row.at,
                row.counts.requested,
                row.counts.issued,
                row.counts.rate_limited,
                row.counts.finished,
                row.gauges.overflow,
            )
        })
        .collect();
    assert_eq!(counts, [(0, 3, 1, 0, 1, 2), (1, 0, 1, 1, 0, 2), (2, 0, 0, 0, 0, 2)]);
    assert_eq!((rows[0].calls.max, rows[1].waits.max), (700, 900));
    assert!(rows[0].gauges.rate > 0.9 && rows[1].gauges.rate.abs() < 1e-9, "paused");
}
