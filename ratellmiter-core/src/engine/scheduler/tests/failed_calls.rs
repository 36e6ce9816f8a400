//! The charges of failed calls.

use super::*;
use crate::{log::row::BudgetKind, providers::provider::Provider};

fn limits(provider: Provider) -> Limits {
    per_minute(600).no_ramp().tokens_per_minute(10_000).requests_per_day(100).provider(provider)
}

fn costing(input: u64) -> Request {
    Request { cost: input.into(), ..Request::PLAIN }
}

fn taken(scheduler: &mut Scheduler<()>, now: Duration, kind: BudgetKind) -> u64 {
    scheduler.budgets.status(now).into_iter().flatten().find(|budget| budget.meter == kind).unwrap().taken
}

/// Sends a call of `tokens` tokens that ends as `end` after 100 ms. Returns the tokens and the requests that stay charged.
fn charged_after(provider: Provider, tokens: u64, end: CallEnd, usage: Option<Usage>) -> (u64, u64) {
    let mut scheduler = scheduler(limits(provider));
    let grant = scheduler.try_request(Duration::ZERO, &costing(tokens)).unwrap();
    assert!(scheduler.finish(millis(100), grant, end, usage));
    let now = millis(100);
    (taken(&mut scheduler, now, BudgetKind::TokensPerMinute), taken(&mut scheduler, now, BudgetKind::RequestsPerDay))
}

#[test]
fn uncharged_failure_refunds_the_tokens_at_once() {
    for provider in Provider::ALL {
        let provider = *provider;
        let reserved = charged_after(provider, 3000, CallEnd::Failed, None);
        assert_eq!(reserved.1, 1, "{provider}");
        let requests = u64::from(provider.counts_refused_requests());
        assert_eq!(charged_after(provider, 3000, CallEnd::Uncharged, None), (0, requests), "{provider}");
    }
    assert_eq!(
        charged_after(Provider::Generic, 3000, CallEnd::Failed, None).0,
        charged_after(Provider::Generic, 3000, CallEnd::Succeeded, None).0
    );
    let usage = Some(Usage::new(2500, 0));
    assert_eq!(
        charged_after(Provider::Generic, 3000, CallEnd::Uncharged, usage).0,
        2500,
        "a usage shows that it was charged"
    );
}

#[test]
fn exhausted_quota_is_charged_as_a_refusal() {
    let kept = charged_after(Provider::OpenAi, 3000, CallEnd::QuotaExhausted, None);
    assert_eq!(kept, charged_after(Provider::OpenAi, 3000, CallEnd::Failed, None));
    assert_eq!(charged_after(Provider::DeepSeek, 3000, CallEnd::QuotaExhausted, None), (0, 0));
    assert_eq!(charged_after(Provider::Anthropic, 3000, CallEnd::QuotaExhausted, None), (0, 1));
}

#[test]
fn uncharged_oversized_call_leaves_the_budget_to_the_next_call() {
    let mut scheduler = scheduler(limits(Provider::Generic));
    scheduler.enqueue(Duration::ZERO, &costing(50_000), NO_PAYLOAD).unwrap();
    scheduler.enqueue(Duration::ZERO, &costing(1000), NO_PAYLOAD).unwrap();
    let mut times = Vec::new();
    run(
        &mut scheduler,
        seconds(300),
        || Duration::ZERO,
        |scheduler, now, grant| {
            times.push(now);
            scheduler.finish(now, grant, CallEnd::Uncharged, None);
        },
    );
    assert_eq!(
        times,
        [Duration::ZERO, millis(100)],
        "the next call waits for the rate, and not a minute for the tokens"
    );
}

#[test]
fn uncharged_failures_are_not_calls_without_usage() {
    let mut scheduler = scheduler(limits(Provider::Generic));
    let before = scheduler.budgets.reservation(TokenEstimate::UNKNOWN);
    for second in 0..9 {
        let grant = scheduler.try_plain(seconds(second)).unwrap();
        scheduler.finish(seconds(second), grant, CallEnd::Uncharged, None);
    }
    assert_eq!(scheduler.budgets.reservation(TokenEstimate::UNKNOWN), before, "the default estimate is unchanged");
}
