//! The provider and the run. The limits have tests of their own.

use super::*;
use crate::{
    judge::{LimitKind, Verdict},
    limits::Limits,
    providers::usage::Usage,
};

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn per_minute(calls: u32) -> Limits {
    Limits::per_minute(calls)
}

fn refused(answer: Answer) -> (u16, LimitKind, Option<Duration>) {
    match answer {
        Answer::Refused { status, limit, retry_after, .. } => (status, limit, retry_after),
        Answer::Finished { .. } | Answer::Failed { .. } => panic!("the call was admitted"),
    }
}

fn is_admitted(answer: Answer) -> bool {
    matches!(answer, Answer::Finished { .. })
}

#[test]
fn retry_after_is_exact_rounded_scaled_or_missing() {
    for (form, reported) in [
        (RetryAfter::Exact, Some(Duration::from_millis(200))),
        (RetryAfter::Seconds, Some(seconds(1))),
        (RetryAfter::Scaled(0.2), Some(Duration::from_millis(40))),
        (RetryAfter::Missing, None),
    ] {
        let mut provider = Provider::new(1).bucket(300, seconds(1)).retry_after(form);
        assert!((0..5).all(|_| is_admitted(provider.call(Duration::ZERO, Size::default()))));
        assert_eq!(refused(provider.call(Duration::ZERO, Size::default())), (429, LimitKind::Requests, reported));
    }
}

#[test]
fn refused_call_charges_no_limit() {
    let mut provider = Provider::new(1).bucket(60, seconds(10)).sliding_window(60, seconds(2));
    assert!((0..2).all(|_| is_admitted(provider.call(Duration::ZERO, Size::default()))));
    assert!((0..50).all(|_| !is_admitted(provider.call(Duration::ZERO, Size::default()))));
    assert!((0..2).all(|_| is_admitted(provider.call(seconds(2), Size::default()))), "the bucket is not empty");
}

#[test]
fn calls_in_flight_count_until_they_end() {
    let mut provider = Provider::new(1).concurrency(2).latency(seconds(4), 0.0, 0.0).retry_after(RetryAfter::Exact);
    assert_eq!(
        provider.call(Duration::ZERO, Size::default()),
        Answer::Finished { after: seconds(4), usage: Usage::default() }
    );
    assert!(is_admitted(provider.call(seconds(1), Size::default())));
    assert_eq!(refused(provider.call(seconds(2), Size::default())), (429, LimitKind::Concurrency, Some(seconds(2))));
    assert!(is_admitted(provider.call(seconds(4), Size::default())));
    let mut busy = Provider::new(1).latency(seconds(4), 0.0, 0.5);
    busy.call(Duration::ZERO, Size::default());
    assert_eq!(busy.call(Duration::ZERO, Size::default()).after(), seconds(6), "half longer for each call in flight");
}

#[test]
fn refusals_are_charged_and_too_many_cause_a_ban() {
    let mut provider = Provider::new(1).bucket(60, seconds(2)).penalty(0.5).retry_after(RetryAfter::Exact);
    (0..2).for_each(|_| assert!(is_admitted(provider.call(Duration::ZERO, Size::default()))));
    refused(provider.call(Duration::from_millis(500), Size::default()));
    assert_eq!(
        refused(provider.call(Duration::from_millis(500), Size::default())).2,
        Some(seconds(1)),
        "half a call was charged"
    );
    let mut provider =
        Provider::new(1).bucket(60, seconds(1)).ban(3, seconds(10), seconds(30)).retry_after(RetryAfter::Exact);
    assert!(is_admitted(provider.call(Duration::ZERO, Size::default())));
    (0..3).for_each(|_| assert_eq!(refused(provider.call(Duration::ZERO, Size::default())).2, Some(seconds(1))));
    assert_eq!(refused(provider.call(seconds(10), Size::default())).2, Some(seconds(20)));
    assert!(is_admitted(provider.call(seconds(30), Size::default())));
}

#[test]
fn rate_change_applies_from_its_time() {
    let mut provider =
        Provider::new(1).bucket(60, seconds(10)).rate_change(seconds(100), 0.5).rate_change(seconds(200), 2.0);
    let mut admitted =
        |from: u64| (0..50).filter(|_| is_admitted(provider.call(seconds(from), Size::default()))).count();
    assert_eq!([admitted(0), admitted(100), admitted(200), admitted(300)], [10, 5, 20, 20]);
}

#[test]
fn tenants_use_the_limit_while_active() {
    let mut provider = Provider::new(1).bucket(60, seconds(60)).tenants(6000, seconds(10), seconds(50));
    let admitted = |provider: &mut Provider, at| {
        (0..100).filter(|_| is_admitted(provider.call(seconds(at), Size::default()))).count()
    };
    assert!(admitted(&mut provider, 10) <= 1, "the tenants used the whole limit");
    assert!((48..=50).contains(&admitted(&mut provider, 59)), "the tenants were idle");
}

#[test]
fn equal_seeds_give_equal_runs() {
    let play = |seed| {
        let mut provider = Provider::new(seed).bucket(300, seconds(1)).tenants(100, seconds(5), seconds(5));
        let workload = Workload::gamma(200, 255.0, 3.0, seed).tokens(500, 1.0, seed);
        let mut ours = SchedulerClient::new(per_minute(300), seed);
        run(&mut provider, &workload, &mut [&mut ours])
    };
    let (one, again, other) = (play(1), play(1), play(2));
    assert_eq!((one.last_finish(), one.requests()), (again.last_finish(), again.requests()));
    assert_ne!(one.last_finish(), other.last_finish());
}

#[test]
fn workloads_have_the_configured_distributions() {
    let bursts = Workload::gamma(20_000, 600.0, 3.0, 1);
    let arrivals = bursts.arrivals();
    let gaps: Vec<_> = arrivals.windows(2).map(|pair| pair[1].at.saturating_sub(pair[0].at).as_secs_f64()).collect();
    let count = 19_999.0;
    let mean = gaps.iter().sum::<f64>() / count;
    let deviation = (gaps.iter().map(|gap| (gap - mean).powi(2)).sum::<f64>() / count).sqrt();
    assert!((mean - 0.1).abs() < 0.01 && (deviation / mean - 3.0).abs() < 0.2, "{mean} {deviation}");
    let mut sizes: Vec<_> = bursts.tokens(500, 1.0, 1).arrivals().iter().map(|arrival| arrival.size.input).collect();
    sizes.sort_unstable();
    assert!(sizes[10_000].abs_diff(500) < 20, "{}", sizes[10_000]);
    assert_eq!(Workload::steady(3, 60.0).arrivals()[2].at, seconds(2));
}

#[test]
fn oracle_is_never_refused_and_fastest() {
    for seed in 0..10 {
        let server =
            || Provider::new(seed).bucket(300, seconds(1)).outage(seconds(10)..seconds(20), 529, RetryAfter::Missing);
        let bound = oracle(&mut server(), &Workload::burst(200));
        let ours = run(&mut server(), &Workload::burst(200), &mut [&mut SchedulerClient::new(per_minute(300), seed)]);
        assert_eq!((bound.refusals(), bound.lost(), ours.lost()), (0, 0, 0));
        assert!(bound.wait(1.0) <= ours.wait(1.0), "seed {seed}");
    }
}

#[test]
fn call_that_is_always_refused_is_lost() {
    let mut provider = Provider::new(1).outage(Duration::ZERO..seconds(100_000), 529, RetryAfter::Missing);
    let report = run(&mut provider, &Workload::burst(3), &mut [&mut SchedulerClient::new(per_minute(300), 1)]);
    assert_eq!((report.lost(), report.last_finish(), report.wait(0.5)), (3, Duration::ZERO, Duration::ZERO));
    assert!((10..=16).contains(&report.requests()), "the limiter closes after two minutes: {}", report.requests());
}

#[test]
fn fallible_calls_are_rejected_by_a_closed_limiter() {
    let mut provider = Provider::new(1).outage(Duration::ZERO..seconds(100_000), 529, RetryAfter::Missing);
    let mut client = SchedulerClient::new(per_minute(300), 1).fallible();
    let report = run(&mut provider, &Workload::burst(100), &mut [&mut client]);
    let (rejected, last) = client.rejected();
    assert_eq!((report.lost(), rejected, last.as_secs()), (100, 100, 120));
    assert!(report.requests() <= 15, "{}", report.requests());
}

#[test]
fn scheduler_adapts_to_a_concurrency_limit() {
    let report = run(
        &mut Provider::new(1).concurrency(8),
        &Workload::burst(500),
        &mut [&mut SchedulerClient::new(per_minute(600), 1)],
    );
    // With 8 in flight and a latency of 3 seconds in the mean (2.5 in the median), 500 calls take at least 187 s.
    assert!(
        report.last_finish() < seconds(240) && report.refusals_per_call() < 0.03,
        "{:?} {}",
        report.last_finish(),
        report.refusals()
    );
}

#[test]
fn recorded_rows_match_the_report() {
    let mut provider =
        Provider::new(1).bucket(300, seconds(1)).outage(seconds(10)..seconds(15), 529, RetryAfter::Exact);
    let mut ours = SchedulerClient::new(per_minute(300), 1).recording();
    let report = run(&mut provider, &Workload::burst(120), &mut [&mut ours]);
    let rows = ours.rows(report.last_finish(), "m");
    let sum = |of: fn(&crate::log::row::Row<'_>) -> u64| rows.iter().map(of).sum::<u64>();
    assert_eq!((sum(|row| row.requested), sum(|row| row.finished)), (120, 120));
    assert_eq!((sum(|row| row.rate_limited), sum(|row| row.overloaded)), (report.refusals(), report.refusals()));
    let pause: Vec<_> = rows.iter().filter_map(|row| row.paused_for).collect();
    assert!(pause.len() > 2 && pause.is_sorted_by(|one, other| one > other), "{pause:?}");
    // The estimated drain time decreases by a second each second.
    let left: Vec<_> = rows.iter().skip(20).filter_map(|row| row.time_left).collect();
    assert!(left.windows(2).all(|pair| (pair[0] - pair[1] - 1.0).abs() < 0.21), "{left:?}");
    assert!(SchedulerClient::new(per_minute(300), 1).rows(seconds(5), "m").is_empty());
}

#[test]
fn failures_are_a_share_of_the_calls_and_use_no_tokens() {
    let mut provider = Provider::new(3).failures(0.05, 502);
    let answers: Vec<_> =
        (0..10_000).map(|call| provider.call(Duration::from_millis(call), Size::new(10, 10, 10))).collect();
    let failed = answers.iter().filter(|answer| matches!(answer, Answer::Failed { status: 502, .. })).count();
    assert!((400..600).contains(&failed), "{failed}");
    assert_eq!(answers.iter().filter(|answer| answer.verdict() == Some(Verdict::transient())).count(), failed);
    let total = Duration::ZERO..Duration::MAX;
    assert_eq!(provider.charged(Unit::Requests, total), 10_000);
}
