//! Implausible headers and usage, and estimates above a budget, cause one warning each.

use ratellmiter_core::{Limiter, Limits};

use crate::{is_alone, warnings::Warnings};

fn limiter() -> Limiter {
    let limits = Limits::per_minute(600).no_ramp();
    Limiter::new(limits.tokens_per_minute(600_000))
}

#[tokio::test(start_paused = true)]
async fn implausible_headers_and_usage_warn_once() {
    if !is_alone("implausible::implausible_headers_and_usage_warn_once") {
        return;
    }
    let warnings = Warnings::default();
    tracing::subscriber::set_global_default(warnings.clone()).unwrap();
    let start = tokio::time::Instant::now();
    let (by_headers, by_usage) = (limiter(), limiter());
    let mut headers = http::HeaderMap::new();
    headers.insert("x-ratelimit-limit-requests", "1".parse().unwrap());
    headers.insert("x-ratelimit-remaining-requests", "0".parse().unwrap());
    headers.insert("x-ratelimit-reset-requests", "24h0m0s".parse().unwrap());
    for _ in 0..10 {
        let ticket = by_headers.acquire_tokens(10, 10).await;
        ticket.apply_headers(&headers);
        ticket.finish_with_usage((10, 10));
    }
    assert!(start.elapsed().as_secs() <= 1, "{:?}", start.elapsed());
    for _ in 0..3 {
        by_usage.acquire_tokens(100, 100).await.finish_with_usage((u64::MAX, u64::MAX));
    }
    assert!(
        start.elapsed().as_secs() <= 122,
        "each of the first two calls uses one minute's budget: {:?}",
        start.elapsed()
    );
    let warned = warnings.said();
    assert_eq!(warned.lines().count(), 2, "{warned}");
    assert!(warned.lines().next().unwrap().contains("less than a hundredth of the configured limit"), "{warned}");
    assert!(warned.lines().nth(1).unwrap().contains("more than a hundred times the tokens"), "{warned}");
    // A limiter has a warning of each kind.
    by_headers.acquire_tokens(100, 100).await.finish_with_usage((u64::MAX, u64::MAX));
    let ticket = by_usage.acquire_tokens(10, 10).await;
    ticket.apply_headers(&headers);
    ticket.finish();
    let warned = warnings.said();
    assert_eq!(warned.lines().count(), 4, "{warned}");
    assert!(warned.lines().nth(2).unwrap().contains("more than a hundred times the tokens"), "{warned}");
    assert!(warned.lines().nth(3).unwrap().contains("less than a hundredth of the configured limit"), "{warned}");
}

#[tokio::test(start_paused = true)]
async fn estimate_larger_than_budget_warns_once_with_both_numbers() {
    if !is_alone("implausible::estimate_larger_than_budget_warns_once_with_both_numbers") {
        return;
    }
    let warnings = Warnings::default();
    tracing::subscriber::set_global_default(warnings.clone()).unwrap();
    let limiter = limiter();
    limiter.acquire_tokens(500_000, 100_000).await.finish();
    assert_eq!(warnings.said(), "", "it is the whole budget");
    for _ in 0..3 {
        limiter.acquire_tokens(700_000, 100_000).await.finish_uncharged();
    }
    let warned = warnings.said();
    assert_eq!(warned.lines().count(), 1, "{warned}");
    assert!(warned.contains("800000 tokens") && warned.contains("600000 tokens a minute"), "{warned}");
}
