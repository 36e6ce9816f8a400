//! Verdicts on calls that did not finish.

use super::*;

#[test]
fn calls_that_did_not_finish_are_named() {
    let idle = "no call was queued: the limit is not the bottleneck";
    let in_flight = run(60, |row| (row.finished, row.in_flight) = (0, 5 * (row.at - 99)));
    assert_eq!(in_flight.verdict, format!("{idle}; 300 of 300 calls still in flight at the end"));
    let dropped = run(60, |row| row.finished = 0);
    assert_eq!(dropped.verdict, format!("{idle}; 300 of 300 calls given up or dropped"));
    assert_eq!(run(60, |row| row.finished = 3).verdict, idle, "most finished");
}

#[test]
fn rejected_calls_are_named_beside_a_bottleneck() {
    let summary = run(60, |row| {
        limited(60, Bottleneck::Rate)(row);
        (row.requested, row.rejected, row.overflow) = (20, 15, 3);
    });
    assert_eq!(
        summary.verdict,
        "limited by the configured 300 calls per minute for 100 % of the waiting time; no refusals: the server's limit is not lower; 900 of 1200 calls rejected by max_wait, max_queue or a deadline"
    );
}

#[test]
fn calls_requested_before_the_first_row_add_up() {
    // The log starts while 540 calls are queued.
    let summary = run(60, |row| {
        (row.requested, row.issued, row.finished) = (1, 9, 9);
        (row.overflow, row.held) = (8 * (159 - row.at), (row.at < 159).then_some(Bottleneck::Rate));
    });
    let Summary { calls, finished, given_up, waiting, earlier, .. } = summary;
    assert_eq!((calls, finished, given_up, waiting, earlier), (60, 540, 0, 0, 480));
    assert_eq!(summary.verdict.split("; ").count(), 2, "{}", summary.verdict);
    let json = serde_json::to_value(&summary).unwrap();
    assert_eq!(json["earlier"], 480);
    assert!(serde_json::to_value(run(60, |_| {})).unwrap().get("earlier").is_none());
}

#[test]
fn limit_that_is_not_positive_is_not_in_the_log() {
    for limit in [0.0, -5.0, f64::NAN, f64::NEG_INFINITY] {
        let summary = run(60, |row| {
            limited(60, Bottleneck::Rate)(row);
            row.limit = Some(limit);
        });
        assert_eq!((summary.limit, summary.physical), (None, None));
        assert_eq!(summary.verdict, "the log does not contain the limit; 0 refusals");
    }
}

#[test]
fn bottleneck_beside_the_rate_needs_no_limit() {
    let without_limit = |bottleneck| {
        let summary = run(60, move |row| {
            limited(60, bottleneck)(row);
            (row.limit, row.in_flight) = (None, 3);
        });
        summary.verdict
    };
    let flight = without_limit(Bottleneck::InFlight);
    assert!(flight.starts_with("limited by 3 calls in flight for 100 % of the waiting time; no refusals"), "{flight}");
    let ramp = without_limit(Bottleneck::Ramp);
    assert!(ramp.starts_with("limited by the ramp for 100 % of the waiting time; no refusals"), "{ramp}");
    assert_eq!(without_limit(Bottleneck::Learned), "the log does not contain the limit; 0 refusals");
}

#[test]
fn parts_are_not_larger_than_the_whole() {
    let summary = run(60, |row| (row.failed, row.rate_limited, row.overloaded) = (9, 1, 3));
    assert_eq!((summary.failed, summary.refusals, summary.overloaded), (Some(300), 60, Some(60)));
}

#[test]
fn calls_in_flight_of_other_processes_are_no_zero_limit() {
    let summary = run(60, limited(60, Bottleneck::InFlight));
    assert!(summary.verdict.starts_with("limited by the calls in flight for 100 %"), "{}", summary.verdict);
}

#[test]
fn calls_that_wait_within_a_second_were_queued() {
    let with_waits = |waits: &'static [(u64, u64)]| {
        let summary = run(60, move |row| {
            row.wait_buckets = waits.iter().copied().collect();
            row.wait_ms.max = waits.iter().map(|(millis, _)| *millis).max().unwrap_or(0);
            row.call_buckets = [(400, 5)].into_iter().collect();
            row.call_ms = ratellmiter_core::log::Quantiles { p50: 400, p99: 400, max: 400 };
            row.wait_total_ms = waits.iter().map(|(millis, calls)| millis * calls).sum();
        });
        summary.verdict
    };
    assert_eq!(with_waits(&[(0, 5)]), "no call was queued: the limit is not the bottleneck");
    assert_eq!(with_waits(&[(5, 5)]), "no call was queued: the limit is not the bottleneck", "the pace alone");
    assert_eq!(
        with_waits(&[(0, 1), (200, 4)]),
        "80 % of the calls waited, none of them at the end of a second, for a reason not in the log; 0 refusals"
    );
    let rare = run(60, |row| {
        let slow = u64::from(row.at % 10 == 0);
        row.wait_buckets = [(0, 5 - slow), (900, slow)].into_iter().collect();
        (row.wait_ms.max, row.wait_total_ms) = (900 * slow, 900 * slow);
    });
    assert_eq!(
        rare.verdict,
        "no call was queued at the end of a second, and less than 5 % of the calls waited: the limit is rarely the bottleneck"
    );
}

#[test]
fn overloads_without_a_queue_are_named() {
    let summary = run(60, |row| (row.rate_limited, row.overloaded) = (1, 1));
    assert_eq!(summary.verdict, "60 overloads in 300 calls, although no call was queued");
}
