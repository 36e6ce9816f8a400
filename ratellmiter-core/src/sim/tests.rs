//! The provider and the run; its rules have tests of their own.

use super::*;
use crate::{judge::LimitKind, limits::Limits, providers::usage::Usage};

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn per_minute(calls: u32) -> Limits {
    Limits::per_minute(calls)
}

fn refused(answer: Answer) -> (u16, LimitKind, Option<Duration>) {
    match answer {
        Answer::Refused { status, limit, hint, .. } => (status, limit, hint),
        Answer::Finished { .. } => panic!("it was taken"),
    }
}

fn is_taken(answer: Answer) -> bool {
    matches!(answer, Answer::Finished { .. })
}

#[test]
fn hints_are_exact_rounded_wrong_or_missing() {
    for (hint, told) in [
        (Hint::Exact, Some(Duration::from_millis(200))),
        (Hint::Seconds, Some(seconds(1))),
        (Hint::Times(0.2), Some(Duration::from_millis(40))),
        (Hint::Missing, None),
    ] {
        let mut provider = Provider::new(1).bucket(300, seconds(1)).hint(hint);
        assert!((0..5).all(|_| is_taken(provider.call(Duration::ZERO, Size::default()))));
        assert_eq!(refused(provider.call(Duration::ZERO, Size::default())), (429, LimitKind::Requests, told));
    }
}

#[test]
fn all_limits_must_take_a_call_and_none_is_charged_for_one_that_is_refused() {
    let mut provider = Provider::new(1).bucket(60, seconds(10)).sliding_window(60, seconds(2));
    assert!((0..2).all(|_| is_taken(provider.call(Duration::ZERO, Size::default()))));
    assert!((0..50).all(|_| !is_taken(provider.call(Duration::ZERO, Size::default()))));
    assert!((0..2).all(|_| is_taken(provider.call(seconds(2), Size::default()))), "the bucket is not empty");
}

#[test]
fn calls_in_flight_are_counted_until_they_end() {
    let mut provider = Provider::new(1).concurrency(2).latency(seconds(4), 0.0, 0.0).hint(Hint::Exact);
    assert_eq!(
        provider.call(Duration::ZERO, Size::default()),
        Answer::Finished { after: seconds(4), usage: Usage::default() }
    );
    assert!(is_taken(provider.call(seconds(1), Size::default())));
    assert_eq!(refused(provider.call(seconds(2), Size::default())), (429, LimitKind::Concurrency, Some(seconds(2))));
    assert!(is_taken(provider.call(seconds(4), Size::default())));
    let mut busy = Provider::new(1).latency(seconds(4), 0.0, 0.5);
    busy.call(Duration::ZERO, Size::default());
    assert_eq!(busy.call(Duration::ZERO, Size::default()).after(), seconds(6), "half longer for each that is out");
}

#[test]
fn refusals_cost_and_too_many_buy_a_ban() {
    let mut provider = Provider::new(1).bucket(60, seconds(2)).penalty(0.5).hint(Hint::Exact);
    (0..2).for_each(|_| assert!(is_taken(provider.call(Duration::ZERO, Size::default()))));
    refused(provider.call(Duration::from_millis(500), Size::default()));
    assert_eq!(
        refused(provider.call(Duration::from_millis(500), Size::default())).2,
        Some(seconds(1)),
        "half a call was charged"
    );
    let mut provider = Provider::new(1).bucket(60, seconds(1)).ban(3, seconds(10), seconds(30)).hint(Hint::Exact);
    assert!(is_taken(provider.call(Duration::ZERO, Size::default())));
    (0..3).for_each(|_| assert_eq!(refused(provider.call(Duration::ZERO, Size::default())).2, Some(seconds(1))));
    assert_eq!(refused(provider.call(seconds(10), Size::default())).2, Some(seconds(20)));
    assert!(is_taken(provider.call(seconds(30), Size::default())));
}

#[test]
fn limits_move() {
    let mut provider = Provider::new(1).bucket(60, seconds(10)).then(seconds(100), 0.5).then(seconds(200), 2.0);
    let mut taken = |from: u64| (0..50).filter(|_| is_taken(provider.call(seconds(from), Size::default()))).count();
    assert_eq!([taken(0), taken(100), taken(200), taken(300)], [10, 5, 20, 20]);
}

#[test]
fn others_use_the_same_limit_on_and_off() {
    let mut provider = Provider::new(1).bucket(60, seconds(60)).tenants(6000, seconds(10), seconds(50));
    let taken = |provider: &mut Provider, at| {
        (0..100).filter(|_| is_taken(provider.call(seconds(at), Size::default()))).count()
    };
    assert!(taken(&mut provider, 10) <= 1, "a hundred a second took it all");
    assert!((48..=50).contains(&taken(&mut provider, 59)), "nobody else asked");
}

#[test]
fn the_same_seed_gives_the_same_run() {
    let play = |seed| {
        let mut provider = Provider::new(seed).bucket(300, seconds(1)).tenants(100, seconds(5), seconds(5));
        let workload = Workload::gamma(200, 255.0, 3.0, seed).tokens(500, 1.0, seed);
        let mut ours = Paced::new(per_minute(300), seed);
        run(&mut provider, &workload, &mut [&mut ours])
    };
    let (one, again, other) = (play(1), play(1), play(2));
    assert_eq!((one.last(), one.requests()), (again.last(), again.requests()));
    assert_ne!(one.last(), other.last());
}

#[test]
fn workloads_are_as_they_say() {
    let clumps = Workload::gamma(20_000, 600.0, 3.0, 1);
    let arrivals = clumps.arrivals();
    let gaps: Vec<_> = arrivals.windows(2).map(|pair| pair[1].at.saturating_sub(pair[0].at).as_secs_f64()).collect();
    let count = 19_999.0;
    let mean = gaps.iter().sum::<f64>() / count;
    let deviation = (gaps.iter().map(|gap| (gap - mean).powi(2)).sum::<f64>() / count).sqrt();
    assert!((mean - 0.1).abs() < 0.01 && (deviation / mean - 3.0).abs() < 0.2, "{mean} {deviation}");
    let mut sizes: Vec<_> = clumps.tokens(500, 1.0, 1).arrivals().iter().map(|arrival| arrival.size.input).collect();
    sizes.sort_unstable();
    assert!(sizes[10_000].abs_diff(500) < 20, "{}", sizes[10_000]);
    assert_eq!(Workload::steady(3, 60.0).arrivals()[2].at, seconds(2));
}

#[test]
fn who_knows_the_state_is_never_refused_and_nobody_is_faster() {
    for seed in 0..10 {
        let server =
            || Provider::new(seed).bucket(300, seconds(1)).outage(seconds(10)..seconds(20), 529, Hint::Missing);
        let bound = oracle(&mut server(), &Workload::burst(200));
        let ours = run(&mut server(), &Workload::burst(200), &mut [&mut Paced::new(per_minute(300), seed)]);
        assert_eq!((bound.refusals(), bound.lost(), ours.lost()), (0, 0, 0));
        assert!(bound.wait(1.0) <= ours.wait(1.0), "seed {seed}");
    }
}

#[test]
fn what_the_server_never_takes_is_lost_and_the_run_ends() {
    let mut provider = Provider::new(1).outage(Duration::ZERO..seconds(100_000), 529, Hint::Missing);
    let report = run(&mut provider, &Workload::burst(3), &mut [&mut Paced::new(per_minute(300), 1)]);
    assert_eq!((report.lost(), report.last(), report.wait(0.5)), (3, Duration::ZERO, Duration::ZERO));
    assert!(report.requests() >= 20, "{}", report.requests());
}

#[test]
fn a_limit_on_calls_in_flight_is_learned() {
    let report =
        run(&mut Provider::new(1).concurrency(8), &Workload::burst(500), &mut [&mut Paced::new(per_minute(600), 1)]);
    // Eight at once, 2.5 seconds in the median and 3 in the mean: 500 take at least 187 s.
    assert!(
        report.last() < seconds(240) && report.refusals_per_call() < 0.03,
        "{:?} {}",
        report.last(),
        report.refusals()
    );
}

#[test]
fn a_run_leaves_the_rows_of_a_log() {
    let mut provider = Provider::new(1).bucket(300, seconds(1)).outage(seconds(10)..seconds(15), 529, Hint::Exact);
    let mut ours = Paced::new(per_minute(300), 1).recording();
    let report = run(&mut provider, &Workload::burst(120), &mut [&mut ours]);
    let rows = ours.rows(report.last(), "m");
    let sum = |of: fn(&crate::log::row::Row<'_>) -> u64| rows.iter().map(of).sum::<u64>();
    assert_eq!((sum(|row| row.requested), sum(|row| row.finished)), (120, 120));
    assert_eq!((sum(|row| row.rate_limited), sum(|row| row.overloaded)), (report.refusals(), report.refusals()));
    let pause: Vec<_> = rows.iter().filter_map(|row| row.paused_for).collect();
    assert!(pause.len() > 2 && pause.is_sorted_by(|one, other| one > other), "{pause:?}");
    // The line takes as long as it says, while nothing is in its way.
    let left: Vec<_> = rows.iter().skip(20).filter_map(|row| row.time_left).collect();
    assert!(left.windows(2).all(|pair| (pair[0] - pair[1] - 1.0).abs() < 0.21), "{left:?}");
    assert!(Paced::new(per_minute(300), 1).rows(seconds(5), "m").is_empty());
}
