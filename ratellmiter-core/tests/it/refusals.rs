//! Hints that are wrong, overloads, and refusals at low demand, against simulated providers.

use std::time::Duration;

use ratellmiter_core::{
    Limits,
    sim::{Provider, RetryAfter, SchedulerClient, Workload, run},
};

const fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

#[test]
fn hints_that_are_always_too_short_are_stretched() {
    for seed in 0..9 {
        let mut provider = Provider::new(seed)
            .sliding_window(3, seconds(60))
            .concurrency(1)
            .retry_after(RetryAfter::Always(seconds(1)));
        let mut client = SchedulerClient::new(Limits::per_minute(60).max_in_flight(1), seed).recording();
        let report = run(&mut provider, &Workload::burst(40), &mut [&mut client]);
        if seed == 0 {
            for row in client.rows(seconds(4000), "m").iter().filter(|row| row.issued + row.rate_limited > 0) {
                println!(
                    "{} i{} e{} o{} rate {} learned {:?} left {:?}",
                    row.at, row.issued, row.rate_limited, row.overflow, row.rate, row.learned_rate, row.paused_for
                );
            }
        }
        println!("{:.3} refusals a call, {:?}", report.refusals_per_call(), report.last_finish());
        assert_eq!(report.lost(), 0);
        assert!(report.refusals_per_call() < 0.3, "{}", report.refusals_per_call());
    }
}

#[test]
fn explore_low_demand() {
    for real in [None, Some(60)] {
        for seed in 0..4 {
            let mut provider = Provider::new(seed).latency(Duration::from_millis(300), 0.2, 0.0);
            provider = match real {
                None => {
                    provider.outage(Duration::from_millis(3900)..Duration::from_millis(4050), 429, RetryAfter::Missing)
                }
                Some(rate) => provider.bucket(rate, seconds(1)),
            };
            let workload =
                Workload::steady(5, 60.0).then(seconds(20), Workload::burst(if real.is_some() { 500 } else { 60 }));
            let mut client = SchedulerClient::new(Limits::per_minute(3000), seed).recording();
            let report = run(&mut provider, &workload, &mut [&mut client]);
            println!(
                "{real:?} {:.3} refusals a call, burst took {:?}",
                report.refusals_per_call(),
                report.last_finish().saturating_sub(seconds(20))
            );
            if seed == 0 {
                for row in client.rows(seconds(4000), "m").iter().take(60) {
                    println!(
                        "{} i{} e{} o{} rate {} learned {:?}",
                        row.at, row.issued, row.rate_limited, row.overflow, row.rate, row.learned_rate
                    );
                }
            }
        }
    }
}
