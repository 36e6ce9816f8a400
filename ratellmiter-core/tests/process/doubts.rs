//! What cannot be is warned of once, and holds nobody up.

use ratellmiter_core::{Limiter, Limits};

use crate::{is_alone, warnings::Warnings};

fn limiter() -> Limiter {
    let limits = Limits::per_minute(600).no_ramp();
    Limiter::new(limits.tokens_per_minute(600_000))
}

#[tokio::test(start_paused = true)]
async fn headers_that_lie_and_usage_without_measure_are_told_of_once() {
    if !is_alone("doubts::headers_that_lie_and_usage_without_measure_are_told_of_once") {
        return;
    }
    let warnings = Warnings::default();
    tracing::subscriber::set_global_default(warnings.clone()).unwrap();
    let start = tokio::time::Instant::now();
    let (by_headers, by_usage) = (limiter(), limiter());
    let mut lies = http::HeaderMap::new();
    lies.insert("x-ratelimit-limit-requests", "1".parse().unwrap());
    lies.insert("x-ratelimit-remaining-requests", "0".parse().unwrap());
    lies.insert("x-ratelimit-reset-requests", "24h0m0s".parse().unwrap());
    for _ in 0..10 {
        let ticket = by_headers.acquire_tokens(10, 10).await;
        ticket.apply_headers(&lies);
        ticket.finish_with_usage((10, 10));
    }
    assert!(start.elapsed().as_secs() <= 1, "{:?}", start.elapsed());
    for _ in 0..3 {
        by_usage.acquire_tokens(100, 100).await.finish_with_usage((u64::MAX, u64::MAX));
    }
    assert!(start.elapsed().as_secs() <= 122, "a budget for each of the first two: {:?}", start.elapsed());
    let said = warnings.said();
    assert_eq!(said.lines().count(), 2, "{said}");
    assert!(said.lines().next().unwrap().contains("less than a hundredth of the configured limit"), "{said}");
    assert!(said.lines().nth(1).unwrap().contains("more than a hundred times the tokens"), "{said}");
}
