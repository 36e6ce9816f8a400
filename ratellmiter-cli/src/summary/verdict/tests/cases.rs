//! Advice needs evidence in the rows, and waits are weighed by the calls that wait.

use ratellmiter_core::log::Quantiles;

use super::*;

/// Returns the verdict on rows that `row` fills in for each second. By default, 5 calls per second are requested, sent and
/// finished, and the limit is 300 per minute.
fn verdict_on(seconds: u64, row: impl Fn(u64, &mut Row<'static>)) -> String {
    run(seconds, |filled| row(filled.at - 100, filled)).verdict
}

fn assert_no_advice(verdict: &str) {
    for word in ["set ", "raise", "allow more", "lower ", "other clients"] {
        let is_there = verdict.replace("is not lower", "").contains(word);
        assert!(!is_there, "{word:?} in {verdict:?}");
    }
}

/// Fills in a row of a run whose calls always wait.
fn paced(row: &mut Row<'static>, issued: u64, held: Bottleneck) {
    (row.issued, row.finished, row.overflow, row.held) = (issued, issued, 40, Some(held));
}

/// Refuses calls in the seconds `refused`, each followed by a pause of 2 s and an adapted rate.
fn refused_at(row: &mut Row<'static>, at: u64, refused: &[u64], rate_after: u64) {
    let since = refused.iter().filter(|refused| **refused <= at).max().map(|refused| at - refused);
    match since {
        Some(0) => {
            paced(row, 1, Bottleneck::Pause);
            (row.rate_limited, row.rate) = (1, 0.0);
        }
        Some(1 | 2) => {
            paced(row, 0, Bottleneck::Pause);
            row.rate = 0.0;
        }
        Some(3..10) => paced(row, rate_after, Bottleneck::Learned),
        _ => {}
    }
}

#[test]
fn limit_below_a_rate_accepted_longer_and_later_is_not_suggested() {
    // A neighbour uses the account for 30 s, during which 1 to 2 calls per second are accepted.
    let neighbour = |limit: f64| {
        verdict_on(170, move |at, row| {
            paced(row, 5, Bottleneck::Rate);
            row.limit = Some(limit);
            if (40..70).contains(&at) {
                paced(row, 2, Bottleneck::Learned);
                refused_at(row, at, &[40, 48, 56, 64], 2);
            }
        })
    };
    for limit in [5.0, 10.0, 20.0] {
        let verdict = neighbour(limit);
        assert_no_advice(&verdict);
        assert!(
            verdict.ends_with(
                "; 4 refusals, although the server accepted 5.0 per second for 1:43 after the first of them"
            ),
            "{verdict}"
        );
    }
}

#[test]
fn limit_below_a_rate_accepted_longer_before_is_not_suggested() {
    // The neighbour stays until the end.
    let verdict = verdict_on(70, |at, row| {
        paced(row, 5, Bottleneck::Rate);
        row.limit = Some(10.0);
        if at >= 40 {
            paced(row, 2, Bottleneck::Learned);
            refused_at(row, at, &[40, 48, 56, 64], 2);
        }
    });
    assert_no_advice(&verdict);
    assert!(verdict.contains("4 refusals, although the server accepted 5.0 per second for 40 s before"), "{verdict}");
}

#[test]
fn stray_refusals_suggest_no_limit() {
    for (limit, refused) in [(5.0, &[30][..]), (10.0, &[30]), (5.0, &[30, 50]), (10.0, &[30, 50])] {
        let verdict = verdict_on(190, |at, row| {
            paced(row, 5, Bottleneck::Rate);
            row.limit = Some(limit);
            refused_at(row, at, refused, 5);
        });
        assert_no_advice(&verdict);
        assert!(verdict.contains("although the server accepted 5.0 per second for 2:"), "{verdict}");
    }
    // A single refusal near the end supports nothing either.
    let verdict = verdict_on(60, |at, row| {
        paced(row, 5, Bottleneck::Rate);
        row.limit = Some(10.0);
        refused_at(row, at, &[45], 4);
    });
    assert_eq!(
        verdict,
        "limited by the configured 600 calls per minute for 83 % of the waiting time; 1 refusal: find the cause before raising the limit"
    );
}

#[test]
fn repeated_refusals_suggest_a_limit() {
    let verdict = verdict_on(120, |at, row| {
        paced(row, 4, Bottleneck::Learned);
        row.limit = Some(10.0);
        refused_at(row, at, &[10, 30, 50, 70, 90, 110], 4);
    });
    assert_eq!(verdict, "the server refused calls at 3.7 per second: set 220 per minute");
}

#[test]
fn server_that_accepted_almost_the_configured_rate_may_have_a_lower_limit() {
    let with_gaps = |gap: u64| {
        verdict_on(180, |at, row| {
            paced(row, 5, Bottleneck::Rate);
            if at % gap == 0 {
                (row.issued, row.finished) = (0, 0);
            }
        })
    };
    assert!(!with_gaps(30).contains("is not lower"), "290 calls a minute of 300");
    assert!(with_gaps(1000).contains("is not lower"));
}

#[test]
fn sequential_worker_without_a_queue_at_the_end_of_a_second_waits() {
    // One call a second waits for 0.75 s and takes 0.25 s. Rows of earlier versions have neither sums nor sketches.
    let verdict = verdict_on(60, |_, row| {
        paced(row, 1, Bottleneck::Rate);
        (row.limit, row.overflow, row.held) = (Some(1.0), 0, None);
        row.wait_ms = Quantiles { p50: 750, p99: 750, max: 750 };
        row.call_ms = Quantiles { p50: 250, p99: 250, max: 250 };
    });
    assert!(verdict.contains("of the calls waited") && !verdict.contains("rarely"), "{verdict}");
}

#[test]
fn server_that_counts_by_the_minute_suggests_the_calls_of_a_minute() {
    // 336 calls are accepted in each minute, which are sent in the first 45 seconds.
    let verdict = verdict_on(360, |at, row| {
        paced(row, 8, Bottleneck::Learned);
        row.limit = Some(20.0);
        let into = at % 60;
        match into {
            ..42 => {}
            42 => (row.issued, row.rate_limited) = (1, 1),
            _ => (row.issued, row.finished, row.rate) = (0, 0, 0.0),
        }
    });
    let expected =
        "the server refused calls at 7.6 per second and accepted at most 336 in a minute: set 330 per minute";
    assert_eq!(verdict, expected);
}

#[test]
fn limit_that_is_not_below_the_configured_one_is_not_suggested() {
    for limit in [5.0, 4.0, 3.0] {
        let verdict = verdict_on(120, |at, row| {
            paced(row, 5, Bottleneck::Rate);
            row.limit = Some(limit);
            refused_at(row, at, &[20, 40, 60, 80, 100], 6);
        });
        assert_no_advice(&verdict.replace("before raising", ""));
        assert!(verdict.contains("5 refusals"), "{verdict}");
    }
}

#[test]
fn sequential_workers_are_limited_by_their_bottleneck() {
    for queued in 0..=2 {
        for in_flight in 0..=1 {
            let verdict = verdict_on(100, |_, row| {
                (row.requested, row.issued, row.finished) = (1, 1, 1);
                (row.limit, row.overflow, row.in_flight) = (Some(1.0), queued, in_flight);
                row.held = Some(Bottleneck::Rate);
            });
            assert_eq!(
                verdict,
                "limited by the configured 60 calls per minute for 100 % of the waiting time; no refusals: the server's limit is not lower"
            );
        }
    }
    // At a high rate, few of the calls of a second are queued at its end.
    let fast = verdict_on(100, |_, row| {
        (row.requested, row.issued, row.finished) = (100, 100, 100);
        (row.limit, row.overflow, row.held) = (Some(100.0), 2, Some(Bottleneck::Rate));
        (row.wait_ms, row.call_ms) = (Quantiles { p50: 15, p99: 18, max: 20 }, Quantiles { p50: 5, p99: 6, max: 7 });
    });
    assert!(
        fast.starts_with("limited by the configured 6000 calls per minute for 100 % of the waiting time"),
        "{fast}"
    );
    // The other bottlenecks too.
    let one_in_flight = verdict_on(100, |_, row| {
        (row.overflow, row.in_flight, row.held) = (1, 1, Some(Bottleneck::InFlight));
    });
    assert!(one_in_flight.starts_with("limited by 1 calls in flight for 100 %"), "{one_in_flight}");
}

#[test]
fn idle_hours_do_not_hide_a_busy_one() {
    // 300 calls wait in 5 bursts within an hour, and 13 do not, over 6 hours.
    let mut rows = Vec::new();
    for burst in 0..5 {
        for second in 0..60 {
            rows.push(Row {
                at: 3600 + burst * 700 + second,
                requested: if second == 0 { 60 } else { 0 },
                issued: 1,
                finished: 1,
                overflow: 59 - second,
                limit: Some(1.0),
                rate: 1.0,
                held: (second < 59).then_some(Bottleneck::Rate),
                ..Row::default()
            });
        }
    }
    for idle in 0..13 {
        let at = 8000 + idle * 1100;
        rows.push(Row { at, requested: 1, issued: 1, finished: 1, limit: Some(1.0), rate: 1.0, ..Row::default() });
    }
    let summary = Summary::from_series("m", &rows.into_iter().collect());
    assert_eq!((summary.calls, summary.duration), (313, 17_601));
    assert_eq!(
        summary.verdict,
        "limited by the configured 60 calls per minute for 100 % of the waiting time; no refusals"
    );
}

#[test]
fn bottleneck_of_few_calls_is_not_named() {
    // In each second one of 100 calls waits.
    let verdict = verdict_on(100, |at, row| {
        (row.requested, row.issued, row.finished, row.in_flight) = (100, 100, 100, 100);
        (row.limit, row.overflow) = (Some(200.0), 1);
        row.held = Some(if at % 2 == 0 { Bottleneck::Ramp } else { Bottleneck::Rate });
    });
    assert_eq!(
        verdict,
        "at most 1 call was queued, and less than 5 % of the calls waited: the limit is rarely the bottleneck"
    );
}

#[test]
fn waiting_time_decides_between_ramp_and_rate() {
    let verdict = verdict_on(99, |at, row| {
        (row.overflow, row.held) = if at < 50 { (4, Some(Bottleneck::Ramp)) } else { (480, Some(Bottleneck::Rate)) };
    });
    assert!(
        verdict.starts_with("limited by the configured 300 calls per minute for 99 % of the waiting time; no refusals"),
        "{verdict}"
    );
}

#[test]
fn no_refusals_do_not_advise_a_higher_limit() {
    let rate = "limited by the configured 300 calls per minute for 100 % of the waiting time";
    let with = |change: fn(u64, &mut Row<'static>)| {
        let verdict = verdict_on(100, move |at, row| {
            paced(row, 5, Bottleneck::Rate);
            change(at, row);
        });
        assert_no_advice(&verdict);
        verdict
    };
    assert_eq!(with(|_, _| {}), format!("{rate}; no refusals: the server's limit is not lower"));
    // Failed calls, and rates below the configured one, show nothing about the limit.
    assert_eq!(with(|_, row| row.failed = 5), format!("{rate}; no refusals; all 500 finished calls failed"));
    assert_eq!(with(|_, row| row.failed = 4), format!("{rate}; no refusals; 400 of 500 finished calls failed"));
    assert_eq!(with(|at, row| row.issued = at % 3), format!("{rate}; no refusals: the server's limit is not lower"));
    assert_eq!(with(|at, row| row.finished = at % 3), format!("{rate}; no refusals"));
    // Nor do calls that are still queued.
    let queued = with(|at, row| {
        (row.requested, row.issued, row.finished) =
            (if at == 0 { 1000 } else { 0 }, u64::from(at < 10), u64::from(at < 9));
        row.overflow = 999 - at.min(9);
        row.in_flight = 1;
    });
    assert_eq!(queued, format!("{rate}; no refusals; 990 of 1000 calls still queued at the end"));
    // The same holds for the other bottlenecks.
    for bottleneck in [Bottleneck::Ramp, Bottleneck::InFlight] {
        let failed = verdict_on(100, |_, row| {
            paced(row, 5, bottleneck);
            row.failed = 5;
        });
        assert!(failed.ends_with(" % of the waiting time; no refusals; all 500 finished calls failed"), "{failed}");
    }
}

#[test]
fn rare_refusals_are_not_explained() {
    let verdict = verdict_on(2000, |at, row| row.rate_limited = u64::from([500, 1500].contains(&at)));
    assert_eq!(verdict, "2 refusals in 10000 calls, although no call was queued");
    let brief = verdict_on(2000, |at, row| {
        row.rate_limited = u64::from([500, 1500].contains(&at));
        (row.overflow, row.held) = if at < 10 { (20, Some(Bottleneck::Rate)) } else { (0, None) };
    });
    assert_eq!(
        brief,
        "2 refusals in 10000 calls, although at most 20 calls were queued, and less than 5 % of the calls waited"
    );
    // Neither in a pause.
    let paused = verdict_on(40, |at, row| {
        paced(row, if at < 10 { 5 } else { 0 }, Bottleneck::Pause);
        row.rate_limited = 2 * u64::from(at == 10);
        row.rate = 0.0;
    });
    assert_eq!(paused, "paused for 100 % of the waiting time after 2 refusals");
}

#[test]
fn changed_limit_is_reported_with_each_share() {
    let verdict = verdict_on(100, |at, row| {
        if at < 40 {
            paced(row, 1, Bottleneck::Rate);
            (row.limit, row.overflow) = (Some(1.0), 600 - at);
        } else {
            paced(row, 10, Bottleneck::Rate);
            (row.limit, row.overflow) = (Some(10.0), 560 - 9 * (at - 40).min(60));
        }
    });
    assert_eq!(
        verdict,
        "limited by the configured calls per minute, which changed in the run, for 100 % of the waiting time: 60 for 57 %, 600 for 43 %; no refusals"
    );
    // Calls waited for the first limit only.
    let first = verdict_on(100, |at, row| {
        row.limit = Some(if at < 40 { 1.0 } else { 10.0 });
        if at < 40 {
            paced(row, 1, Bottleneck::Rate);
        }
    });
    assert_eq!(
        first,
        "limited by the configured calls per minute, which changed in the run, for 100 % of the waiting time: 60 for 100 %; no refusals"
    );
}

#[test]
fn little_data_over_hours_is_named_with_a_clock_time() {
    let few = |times: &[u64]| {
        let series =
            times.iter().map(|at| Second::from_row(&Row { at: *at, requested: 1, ..Row::default() })).collect();
        Summary::from_series("m", &series).verdict
    };
    assert_eq!(few(&[100, 7300]), "too little data: 2 calls in 2:00:01");
    assert_eq!(few(&[100, 101]), "too little data: 2 calls in 2 seconds");
}

#[test]
fn rate_that_is_refused_for_most_of_a_minute_is_not_suggested() {
    // The server counts by the minute: it accepts 5 calls per second for 20 s, and refuses calls for the rest of the minute.
    let verdict = verdict_on(360, |at, row| {
        row.limit = Some(5.2);
        match at % 60 {
            0..20 => paced(row, 5, Bottleneck::Learned),
            20 => {
                paced(row, 2, Bottleneck::Pause);
                (row.finished, row.rate_limited, row.rate, row.pauses, row.paused_ms) = (0, 2, 0.0, 1, 900);
            }
            _ => {
                paced(row, 0, Bottleneck::Pause);
                (row.rate, row.paused_ms) = (0.0, 1000);
            }
        }
    });
    assert_no_advice(&verdict);
    assert_eq!(verdict, "paused for 67 % of the waiting time after 12 refusals");
}
