//! Tests of `summary`.

use ratellmiter_core::log::{BudgetStatus, Quantiles, Row};

use super::*;

/// So many seconds of 5 calls each, changed by `change`.
fn run(seconds: u64, change: impl Fn(&mut Row<'static>)) -> Summary {
    let rows = (0..seconds).map(|at| {
        let mut row =
            Row { at: 100 + at, requested: 5, issued: 5, finished: 5, rate: 5.0, limit: Some(5.0), ..Row::default() };
        change(&mut row);
        row
    });
    Summary::of("m", &rows.collect())
}

/// A budget of which so much is taken.
fn budget(meter: BudgetKind, limit: u64, taken: u64) -> BudgetStatus {
    BudgetStatus { meter, limit, taken, others: 0, learned: None }
}

fn held(share: u64, held: Bottleneck) -> impl Fn(&mut Row<'static>) {
    move |row| {
        row.overflow = 50;
        row.held = (row.at - 100 < share).then_some(held);
    }
}

#[test]
fn the_figures() {
    let summary = run(20, |row| {
        row.overflow = 10;
        (row.wait_ms, row.call_ms) =
            (Quantiles { p50: 1000, p99: 2000, max: 2000 }, Quantiles { p50: 1, p99: 700, max: 800 });
        match row.at {
            105 => (row.rate_limited, row.rate) = (2, 0.0),
            106 => row.rate = 0.0,
            110 => row.failed = 3,
            119 => (row.in_flight, row.finished, row.overflow) = (2, 1, 1),
            _ => {}
        }
    });
    assert_eq!((summary.calls, summary.finished, summary.failed, summary.given_up), (100, 96, Some(3), 1));
    assert_eq!((summary.refusals, summary.pauses, summary.paused, summary.line), (2, 1, 2, 10));
    assert_eq!((summary.started, summary.duration, summary.limit), (100, 20, Some(300.0)));
    assert!((summary.wait_mean.unwrap() - 1.91).abs() < 1e-9 && (summary.refusals_per_call - 0.02).abs() < 1e-9);
    assert!((summary.physical.unwrap() - 19.8).abs() < 1e-6);
    assert!((summary.wait_p99.unwrap() - 2.0).abs() < 0.01 && (summary.call_p99.unwrap() - 0.8).abs() < 0.01);
}

#[test]
fn the_figures_of_tokens_budgets_and_calls_in_flight() {
    let summary = run(120, |row| {
        (row.reserved_tokens, row.used_tokens) = (500, if row.at < 200 { 0 } else { 100 });
        (row.in_flight, row.failed) = (if row.at < 160 { 2 } else { 8 }, 1);
        row.budgets = vec![
            budget(BudgetKind::TokensPerMinute, 60_000, 6000),
            budget(BudgetKind::OutputTokensPerMinute, 1000, row.at - 100),
        ];
    });
    assert_eq!((summary.in_flight_mean, summary.in_flight_most), (Some(5.0), Some(8)));
    assert_eq!((summary.reserved_tokens, summary.used_tokens), (Some(60_000), Some(2000)));
    // Only seconds that tell, and only calls that may have told.
    assert_eq!((summary.reserved_per_call, summary.used_per_call), (Some(100.0), Some(25.0)));
    assert!((summary.used_share.unwrap() - 1.0 / 60.0).abs() < 1e-9, "{:?}", summary.used_share);
    assert!((summary.budget_mean.unwrap() - 0.1).abs() < 1e-9 && (summary.budget_peak.unwrap() - 0.119).abs() < 1e-9);
    // Calls stay out between rows, and of what is not told there is nothing.
    let gap = [0, 9].map(|at| Row { at, in_flight: 3 - at / 3, ..Row::default() });
    let summary = Summary::of("m", &gap.into_iter().collect());
    assert_eq!((summary.in_flight_mean, summary.used_tokens, summary.budget_mean), (Some(2.7), None, None));
    let counted = Summary::of("m", &(0..9).map(|at| Second::counted(at, [1; 5])).collect());
    assert_eq!((counted.in_flight_mean, counted.in_flight_most, counted.reserved_per_call), (None, None, None));
}

#[test]
fn quantiles_are_of_all_calls_however_long_they_took() {
    let close = |rows: &[(u64, [u32; 3])], expected: f64| {
        let found = quantile(rows.iter().copied()).unwrap();
        assert!((found - expected).abs() <= expected / 500.0, "{found} {expected}");
    };
    close(&[(1, [33_000, 33_000, 33_000])], 33.0);
    close(&[(1, [u32::MAX; 3])], f64::from(u32::MAX) / 1000.0);
    // One second's worst is not all seconds' 99th percentile.
    close(&[(999, [1000, 1000, 1000]), (1, [60_000; 3])], 1.0);
    // Of 200 calls, one a second was the longest.
    let even = [(100, [1000, 2000, 9000]), (100, [1000, 2000, 9000])];
    close(&even, 2.0);
    assert_eq!(quantile([(0, [7; 3])].into_iter()), None);
}

#[test]
fn too_little_is_said_to_be_too_little() {
    assert_eq!(run(1, |_| {}).verdict, "too little data: 5 calls in 1 second");
    assert_eq!(run(4, |_| {}).verdict, "too little data: 20 calls in 4 seconds");
    assert_eq!(Summary::of("m", &Series::default()).verdict, "too little data: 0 calls in 0 seconds");
    let sparse = run(100, |row| (row.requested, row.issued) = (u64::from(row.at == 100), 0));
    assert_eq!(sparse.verdict, "too little data: 1 call in 100 seconds");
}

#[test]
fn a_limit_that_binds_without_refusals_can_be_raised() {
    let verdict = "bound by the configured 300 a minute for 71 % of the time; refusals 0: the limit can be raised";
    assert_eq!(run(100, held(71, Bottleneck::Rate)).verdict, verdict);
    let summary = run(100, |row| {
        held(60, Bottleneck::Rate)(row);
        (row.rate_limited, row.overloaded) = (u64::from(row.at == 150), u64::from(row.at == 150));
    });
    assert_eq!(
        summary.verdict,
        "bound by the configured 300 a minute for 60 % of the time; refused only while the server was overloaded: the limit can be raised"
    );
    let summary = run(100, |row| {
        held(60, Bottleneck::Rate)(row);
        row.rate_limited = u64::from(row.at == 150);
    });
    assert_eq!(
        summary.verdict,
        "bound by the configured 300 a minute for 60 % of the time; 1 call came back refused: find out why before raising it"
    );
}

#[test]
fn a_limit_that_is_too_high_is_told_with_the_one_to_set() {
    let summary = run(60, |row| {
        (row.requested, row.limit, row.overflow) = (10, Some(10.0), 99);
        row.rate_limited = u64::from([120, 140].contains(&row.at));
        (row.issued, row.held) =
            if row.at <= 120 { (6, Some(Bottleneck::Ramp)) } else { (4, Some(Bottleneck::Learned)) };
    });
    assert_eq!(summary.verdict, "the server refused from 3.9/s on: set 230 a minute");
    // Refusals that take a second come when nothing goes any more.
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
    assert_eq!(summary.verdict, "the server refused from 6.0/s on: set 360 a minute");
    // A canary that is refused is no measure.
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
    assert_eq!(summary.verdict, "the server refused from 5.9/s on: set 350 a minute");
}

#[test]
fn a_line_that_is_short_is_bound_by_nothing() {
    assert_eq!(run(30, |row| row.overflow = 3).verdict, "the line was never longer than 3: the limit does not bind");
    let summary = run(30, |row| row.rate_limited = u64::from(row.at == 110));
    assert_eq!(
        summary.verdict,
        "1 call refused, though the limit hardly binds and the line was never longer than 0: others use it too"
    );
}

#[test]
fn calls_that_are_turned_away_before_there_is_a_line_are_told_of() {
    let summary = run(30, |row| (row.requested, row.rejected) = (10, 4));
    assert_eq!(
        summary.verdict,
        "120 of 300 calls turned away, which would have waited for longer than they may: raise the limit, or how long they wait"
    );
}

#[test]
fn a_line_that_is_soon_gone_hardly_binds_and_what_is_not_known_is_said_to_be() {
    let verdict = "the line was 50 long at most, and waited for less than 5 % of the time: the limit hardly binds";
    let soon_gone = run(100, |row| {
        if row.at < 104 {
            held(4, Bottleneck::Rate)(row);
        }
    });
    assert_eq!(soon_gone.verdict, verdict);
    assert_eq!(
        run(100, held(30, Bottleneck::Other)).verdict,
        "bound for 30 % of the time by something that this version does not know"
    );
    assert_eq!(Summary::of("m", &Series::default()).wait_mean, None);
}

#[test]
fn no_advice_and_no_reason_is_given_that_the_log_does_not_bear_out() {
    // Calls wait all the time, and the log does not say what for.
    let verdict = run(120, |row| row.overflow = 300).verdict;
    assert_eq!(
        verdict,
        "calls waited for 100 % of the time, 300 at most, and the log does not tell what for; 0 calls came back refused"
    );
    let refused = |reason| {
        run(100, move |row| {
            held(100, reason)(row);
            (row.rate_limited, row.in_flight) = (1, 8);
        })
        .verdict
    };
    assert_eq!(
        refused(Bottleneck::Ramp),
        "bound by the ramp for 100 % of the time; 100 calls came back refused: find out why before making it steeper"
    );
    assert_eq!(
        refused(Bottleneck::InFlight),
        "bound by the 8 calls in flight for 100 % of the time; 100 calls came back refused: find out why before allowing more"
    );
    // Nothing in it says overloaded.
    assert_eq!(
        run(120, held(120, Bottleneck::Pause)).verdict,
        "paused for 100 % of the time by refusals that are not in this log"
    );
}

#[test]
fn calls_in_flight_the_ramp_pauses_and_earlier_lessons() {
    let flight = run(50, |row| {
        held(40, Bottleneck::InFlight)(row);
        row.in_flight = 8;
    });
    assert_eq!(
        flight.verdict,
        "bound by the 8 calls in flight for 80 % of the time: allow more of them, or shorten the answers"
    );
    assert_eq!(
        run(50, held(20, Bottleneck::Ramp)).verdict,
        "bound by the ramp for 40 % of the time: demand comes in bursts; set burst, or a steeper ramp"
    );
    let paused = run(50, |row| {
        held(30, Bottleneck::Pause)(row);
        row.rate_limited = u64::from(row.at == 100);
    });
    assert_eq!(
        paused.verdict,
        "paused for 60 % of the time after 1 refusal: the limit is lower than it seems, or others use it too"
    );
    let busy = run(50, |row| {
        held(30, Bottleneck::Pause)(row);
        (row.rate_limited, row.overloaded) = (u64::from(row.at == 100), u64::from(row.at == 100));
    });
    assert_eq!(busy.verdict, "paused for 60 % of the time, while the server was overloaded");
    assert_eq!(
        run(50, held(45, Bottleneck::Learned)).verdict,
        "bound for 90 % of the time by what earlier refusals taught, below the configured 300 a minute"
    );
}

#[test]
fn a_log_that_counts_and_tells_nothing_else_gets_what_can_be_said() {
    let counted: Series = (0..30).map(|at| Second::counted(at, [5, 5, 1, 5, 40])).collect();
    let summary = Summary::of("m", &counted);
    assert_eq!(summary.verdict, "this log does not tell the limit; 1 call came back refused");
    assert_eq!((summary.failed, summary.wait_p99, summary.limit, summary.given_up), (None, None, None, 0));
    let quiet: Series = (0..30).map(|at| Second::counted(at, [5, 5, 0, 5, 1])).collect();
    assert_eq!(Summary::of("m", &quiet).verdict, "the line was never longer than 1: the limit does not bind");
}

#[test]
fn a_budget_that_binds_is_named_with_what_would_help() {
    let output = |change: fn(&mut Row<'static>)| {
        let summary = run(100, move |row| {
            held(93, Bottleneck::OutputTokensPerMinute)(row);
            (row.reserved_tokens, row.used_tokens) = (5 * 4096, 5 * 400);
            row.budgets = vec![budget(BudgetKind::OutputTokensPerMinute, 80_000, 79_000)];
            change(row);
        });
        summary.verdict
    };
    let bound = "bound by the budget of 80000 output tokens a minute for 93 % of the time";
    assert_eq!(
        output(|_| {}),
        format!("{bound}; a call reserved 4096 tokens and used 400, as far as calls told: lower max_tokens")
    );
    assert_eq!(
        output(|row| row.used_tokens = 5 * 2048),
        format!("{bound}; refusals 0: raise it if the account has more")
    );
    assert_eq!(output(|row| row.used_tokens = 0), format!("{bound}; refusals 0: raise it if the account has more"));
    assert_eq!(
        output(|row| (row.used_tokens, row.rate_limited) = (5 * 4000, u64::from(row.at == 110))),
        format!("{bound}; 1 call came back refused: find out why before raising it")
    );
    assert_eq!(
        output(|row| (row.used_tokens, row.rate_limited, row.overloaded) = (0, 1, 1)),
        format!("{bound}; refused only while the server was overloaded: raise it if the account has more")
    );
    assert_eq!(
        output(|row| (row.used_tokens, row.budgets[0].learned) = (0, Some(60_000.4))),
        "bound by the 60000 output tokens a minute that were learned, below the configured 80000, for 93 % of the time"
    );
    // The calls in the line are those of one who asks for one after the other; and the log may lack the budget, or the limit.
    assert_eq!(
        output(|row| (row.overflow, row.limit, row.used_tokens, row.budgets) = (1, None, 0, Vec::new())),
        "bound by the budget of output tokens a minute for 93 % of the time; refusals 0: raise it if the account has more"
    );
    // Shorter answers do not help those who send long prompts.
    let input = run(100, |row| {
        held(50, Bottleneck::InputTokensPerMinute)(row);
        (row.reserved_tokens, row.used_tokens) = (5 * 4096, 5 * 400);
        row.budgets = vec![budget(BudgetKind::InputTokensPerMinute, 400_000, 400_000)];
    });
    assert_eq!(
        input.verdict,
        "bound by the budget of 400000 input tokens a minute for 50 % of the time; refusals 0: raise it if the account has more"
    );
}

#[test]
fn a_budget_that_hardly_binds_is_not_blamed() {
    let summary = run(100, |row| {
        held(60, Bottleneck::Rate)(row);
        if row.at >= 160 {
            row.held = Some(Bottleneck::TokensPerMinute);
        }
        row.budgets = vec![budget(BudgetKind::TokensPerMinute, 80_000, 80_000)];
    });
    let verdict = "bound by the configured 300 a minute for 60 % of the time; refusals 0: the limit can be raised";
    assert_eq!(summary.verdict, verdict);
    let soon_gone = run(100, |row| {
        if row.at < 104 {
            held(4, Bottleneck::TokensPerMinute)(row);
        }
    });
    assert_eq!(
        soon_gone.verdict,
        "the line was 50 long at most, and waited for less than 5 % of the time: the limit hardly binds"
    );
}

#[test]
fn a_day_that_was_spent_is_told_with_its_time() {
    let day = |start: u64, taken: fn(u64) -> u64, waits: bool| {
        let row = |at| Row {
            at: start + at,
            requested: 5,
            overflow: if waits { 50 } else { 0 },
            limit: Some(5.0),
            held: (waits && at >= 50).then_some(Bottleneck::RequestsPerDay),
            budgets: vec![budget(BudgetKind::RequestsPerDay, 1000, taken(at))],
            ..Row::default()
        };
        Summary::of("m", &(0..100).map(row).collect()).verdict
    };
    let noon = 1_795_564_800 + 2 * 3600 + 150;
    let spent = |at| if at < 50 { 950 + at } else { 1000 };
    assert_eq!(
        day(noon, spent, true),
        "the day's 1000 requests were spent at 02:03 UTC, and calls waited for more for 50 % of the time"
    );
    assert_eq!(
        day(noon, |_| 1000, true),
        "the day's 1000 requests were spent by the end of the first second, and calls waited for more for 50 % of the time"
    );
    // On the next day.
    assert!(
        day(1_795_564_800 - 20, spent, true)
            .starts_with("the day's 1000 requests were spent at 2026-11-25 00:00:30 UTC")
    );
    // It may be too small for the next call and not be spent.
    assert_eq!(
        day(noon, |_| 997, true),
        "bound by the budget of 1000 requests a day for 50 % of the time; refusals 0: raise it if the account has more"
    );
    assert_eq!(
        day(noon, spent, false),
        "the line was never longer than 0: the limit does not bind; the day's 1000 requests were spent at 02:03 UTC"
    );
}

#[test]
fn what_the_servers_headers_said_is_told() {
    assert_eq!(
        run(50, held(20, Bottleneck::Server)).verdict,
        "bound for 40 % of the time by what the server's headers said: its limits are lower than what is configured, or others use them too"
    );
}

#[test]
fn suggestions_are_round() {
    for (per_second, expected) in [(0.01, 1), (0.1, 6), (2.0, 120), (4.2, 250), (100.0, 6000)] {
        assert_eq!(suggested(per_second), expected, "{per_second}");
    }
}

/// Runs that are simulated with the scheduler that paces real calls.
mod simulated {
    use std::time::Duration;

    use ratellmiter_core::{
        Limits,
        sim::{Provider, RetryAfter, SchedulerClient, Workload, run},
    };

    use super::*;

    fn limits(per_minute: u32) -> Limits {
        Limits::per_minute(per_minute)
    }

    fn verdict(provider: Provider, workload: &Workload, limits: Limits) -> String {
        let mut provider = provider.latency(Duration::from_millis(2500), 0.6, 0.0);
        let mut ours = SchedulerClient::new(limits, 1).recording();
        let report = run(&mut provider, workload, &mut [&mut ours]);
        let rows = ours.rows(report.last_finish(), "m");
        Summary::of("m", &rows.iter().map(Second::of).collect()).verdict
    }

    #[test]
    fn what_bound_the_run_is_what_was_simulated() {
        let by_the_second = |limit| Provider::new(1).bucket(limit, Duration::from_secs(1));
        let burst = Workload::burst(500);
        let outage = Duration::from_secs(5)..Duration::from_secs(200);
        insta::assert_snapshot!(
            [
                ("right", verdict(by_the_second(300), &burst, limits(300))),
                ("too high", verdict(by_the_second(300), &burst, limits(600))),
                ("four in flight", verdict(by_the_second(300), &burst, limits(300).max_in_flight(4))),
                ("outage", verdict(by_the_second(300).outage(outage, 529, RetryAfter::Exact), &burst, limits(300))),
                ("quiet", verdict(by_the_second(300), &Workload::steady(500, 60.0), limits(300))),
            ]
            .map(|(name, verdict)| format!("{name}: {verdict}"))
            .join("\n"),
            @r#"
    right: bound by the configured 300 a minute for 87 % of the time; refusals 0: the limit can be raised
    too high: the server refused from 5.0/s on: set 300 a minute
    four in flight: bound by the 4 calls in flight for 81 % of the time: allow more of them, or shorten the answers
    outage: paused for 64 % of the time, while the server was overloaded
    quiet: the line was never longer than 0: the limit does not bind
    "#
        );
    }
}

#[test]
fn a_log_that_does_not_tell_overloads_is_not_asked_why_nothing_was_refused() {
    let ramped =
        |at| Second { rate: 2.0, limit: 5.0, held: Some(Bottleneck::Ramp), ..Second::counted(at, [5, 2, 0, 2, 40]) };
    assert_eq!(
        Summary::of("m", &(0..30).map(ramped).collect()).verdict,
        "bound by the ramp for 100 % of the time: demand comes in bursts; set burst, or a steeper ramp"
    );
}
