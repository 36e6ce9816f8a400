//! Verdicts on the bottleneck that most of the waiting time is due to.

use super::*;

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
        "paused for 60 % of the waiting time; 1 refusal, although the server accepted 5.0 per second for 20 s after it"
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

#[test]
fn adapted_limit_on_calls_in_flight_is_not_the_configured_one() {
    let flight = |adapted_rows: u64, refused: &'static [u64]| {
        let summary = run(50, move |row| {
            limited(40, Bottleneck::InFlight)(row);
            row.in_flight = 8;
            row.learned_in_flight = (row.at - 100 < adapted_rows).then_some(8.0);
            row.rate_limited = u64::from(refused.contains(&row.at));
        });
        summary.verdict
    };
    let adapted = "limited by 8 calls in flight, a limit adapted after earlier refusals, for 80 % of the waiting time";
    assert_eq!(flight(50, &[]), adapted);
    assert_eq!(flight(30, &[]), adapted, "it grew back");
    assert_eq!(
        flight(50, &[101, 120]),
        format!("{adapted}; 2 refusals, although the server accepted 5.0 per second for 29 s after the first of them")
    );
    let configured = "limited by 8 calls in flight for 80 % of the waiting time; no refusals: shorter answers, or more calls in flight if the server accepts them, shorten the wait";
    assert_eq!([flight(0, &[]), flight(10, &[])], [configured, configured]);
    // A row of the log and a sum of logs keep the mark.
    let row = Row { at: 7, learned_in_flight: Some(3.0), ..Row::default() };
    assert_eq!(Second::from_row(&row).adapted_in_flight.to_string(), "3");
    assert!(Second::from_row(&Row { learned_in_flight: None, ..row }).adapted_in_flight.is_nan());
}

#[test]
fn summed_logs_with_different_limits_are_named() {
    let with_conflict = |change: fn(&mut Row<'static>)| {
        let rows = (0..30).map(|at| {
            let mut row =
                Row { at: 100 + at, requested: 5, issued: 5, finished: 5, limit: Some(5.0), ..Row::default() };
            change(&mut row);
            row
        });
        let mut series: Series = rows.collect();
        series.set_limit_conflict(Some([5.0, 10.0]));
        Summary::from_series("m", &series).verdict
    };
    let conflict = "the logs have different limits, from 300 to 600 calls per minute: they do not share one limit";
    assert_eq!(
        with_conflict(|row| (row.overflow, row.held) = (50, Some(Bottleneck::Rate))),
        format!("{conflict}; 0 refusals")
    );
    assert_eq!(with_conflict(|_| {}), format!("no call was queued: the limit is not the bottleneck; {conflict}"));
    let budget = with_conflict(|row| {
        (row.overflow, row.held) = (50, Some(Bottleneck::Budget(BudgetKind::TokensPerMinute)));
    });
    assert_eq!(
        budget,
        format!("limited by the budget of tokens per minute for 100 % of the waiting time; no refusals; {conflict}")
    );
}

#[test]
fn pause_of_a_failing_server_is_not_blamed_on_refusals() {
    let paused = |members: Option<u64>| {
        let summary = run(60, move |row| {
            limited(60, Bottleneck::Pause)(row);
            (row.transient, row.failed, row.members) = (u64::from(row.at % 20 == 0), u64::from(row.at == 130), members);
        });
        summary.verdict
    };
    assert_eq!(paused(None), "paused for 100 % of the waiting time after 4 failed attempts");
    assert!(paused(Some(1)).starts_with("paused for 100 % of the waiting time by refusals that are not in this log"));
}
