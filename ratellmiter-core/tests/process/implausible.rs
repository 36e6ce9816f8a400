//! Implausible headers and usage cause one warning each and do not stall calls.

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
}
