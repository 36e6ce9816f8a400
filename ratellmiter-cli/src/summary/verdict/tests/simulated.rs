//! Verdicts on runs that are simulated with the scheduler of the library.

use std::time::Duration;

use ratellmiter_core::{
    Limits,
    sim::{Provider, Quota, RetryAfter, SchedulerClient, Workload, run},
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
    Summary::from_series("m", &rows.iter().map(Second::from_row).collect()).verdict
}

#[test]
fn maximum_output_that_cerebras_charges_is_to_be_lowered() {
    let quota = Quota { requests: Some(600), tokens: Some(400_000), ..Quota::default() };
    let limits = Limits::for_provider(ratellmiter_core::Provider::Cerebras).requests_per_minute(600);
    let calls = Workload::burst(300).sizes(1000, 400, 0.8, 32_768, 7);
    let verdict = verdict(Provider::cerebras(1, quota), &calls, limits.tokens_per_minute(400_000));
    assert_eq!(
        verdict,
        "limited by the budget of tokens per minute for 100 % of the waiting time; calls reserved 17662 tokens on average and reported 1842 as used: lower max_tokens"
    );
}

#[test]
fn verdict_matches_the_simulated_bottleneck() {
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
right: limited by the configured 300 calls per minute for 87 % of the waiting time; no refusals: the server's limit is not lower
too high: the server refused calls at 5.0 per second: set 300 per minute
four in flight: limited by 4 calls in flight for 83 % of the waiting time; no refusals: shorter answers, or more calls in flight if the server accepts them, shorten the wait
outage: paused for 78 % of the waiting time while the server was overloaded
quiet: no call was queued: the limit is not the bottleneck
"#
    );
}
