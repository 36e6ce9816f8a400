//! Hints that are wrong, overloads, and refusals at low demand, against simulated providers.

use std::time::Duration;

use ratellmiter_core::{
    Limits,
    sim::{Provider, Report, RetryAfter, SchedulerClient, Workload, run},
};

const SEEDS: std::ops::Range<u64> = 0..9;

const fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

const fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// Runs a workload with `limits`. Returns the report, and the adapted rate in calls a second at its end.
fn play(mut provider: Provider, limits: Limits, workload: &Workload, seed: u64) -> (Report, Option<f64>) {
    let mut client = SchedulerClient::new(limits, seed).recording();
    let report = run(&mut provider, workload, &mut [&mut client]);
    let rows = client.rows(report.last_finish() + seconds(2), "m");
    (report, rows.last().and_then(|row| row.learned_rate))
}

#[test]
fn hints_that_are_always_too_short_are_stretched() {
    for seed in SEEDS {
        let hints = RetryAfter::Always(seconds(1));
        let provider = Provider::new(seed).sliding_window(3, seconds(60)).concurrency(1).retry_after(hints);
        let (report, _) = play(provider, Limits::per_minute(60).max_in_flight(1), &Workload::burst(40), seed);
        println!("{:.3} refusals a call, {:?}", report.refusals_per_call(), report.last_finish());
        assert_eq!(report.lost(), 0);
        assert!(report.refusals_per_call() < 0.3, "{}", report.refusals_per_call());
    }
}

#[test]
fn overload_adapts_no_limit() {
    for status in [503, 529] {
        for hint in [RetryAfter::Missing, RetryAfter::Seconds] {
            for seed in SEEDS {
                let provider = Provider::new(seed).outage(seconds(10)..seconds(25), status, hint);
                let (report, adapted) = play(provider, Limits::per_minute(300), &Workload::burst(300), seed);
                assert_eq!((report.lost(), adapted), (0, None), "{status}, {hint:?}, seed {seed}");
            }
        }
    }
}

#[test]
fn slow_refusals_extend_the_wait_for_the_canary() {
    for seed in SEEDS {
        let provider =
            Provider::new(seed).refused_after(seconds(9)).outage(seconds(10)..seconds(60), 503, RetryAfter::Missing);
        let (report, adapted) = play(provider, Limits::per_minute(300), &Workload::burst(300), seed);
        println!("{} refusals, {:?}", report.refusals(), report.last_finish());
        // Calls that are sent until the first refusal arrives are refused as well: nine seconds at five a second.
        assert!(report.refusals() <= 55 && report.lost() == 0 && adapted.is_none(), "{}", report.refusals());
    }
}

#[test]
fn stray_refusal_at_low_demand_adapts_no_limit() {
    for seed in SEEDS {
        let stray = millis(3900)..millis(4050);
        let provider = Provider::new(seed).latency(millis(300), 0.2, 0.0).outage(stray, 429, RetryAfter::Missing);
        let workload = Workload::steady(5, 60.0).then(seconds(20), Workload::burst(60));
        let (report, adapted) = play(provider, Limits::per_minute(3000).no_ramp(), &workload, seed);
        let took = report.last_finish().saturating_sub(seconds(20));
        assert_eq!((report.refusals(), report.lost(), adapted), (1, 0, None));
        assert!(took <= seconds(3), "60 calls took {took:?}");
    }
}
