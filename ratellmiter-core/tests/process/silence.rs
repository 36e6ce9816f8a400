//! A limiter with budgets of tokens that nobody tells of tokens says so, once.

use ratellmiter_core::{Config, Limiter, Limits, Monitor, Usage, call, ratellmiter};

use crate::{is_alone, warnings::Warnings};

#[ratellmiter(limiter = limiter)]
async fn silent(limiter: &Limiter) -> Result<u8, String> {
    Ok(1)
}

#[ratellmiter(limiter = limiter)]
async fn broken(limiter: &Limiter) -> Result<u8, String> {
    Err("400 Bad Request".to_owned())
}

#[ratellmiter(limiter = limiter, tokens = 10)]
async fn by_cost(limiter: &Limiter) -> Result<u8, String> {
    Ok(1)
}

#[ratellmiter(limiter = limiter)]
async fn by_value(limiter: &Limiter) -> Result<Usage, String> {
    Ok(Usage::new(10, 1))
}

#[ratellmiter(limiter = limiter)]
async fn by_itself(limiter: &Limiter) -> Result<u8, String> {
    assert!(call::report_usage((10, 1)));
    Ok(1)
}

fn limits() -> Limits {
    Limits::per_minute(600_000).no_ramp()
}

fn with_tokens() -> Limits {
    limits().tokens_per_minute(1_000_000_000)
}

#[tokio::test(start_paused = true)]
async fn calls_that_never_speak_of_tokens_are_told_so_once() {
    if !is_alone("silence::calls_that_never_speak_of_tokens_are_told_so_once") {
        return;
    }
    let warnings = Warnings::default();
    tracing::subscriber::set_global_default(warnings.clone()).unwrap();
    let plain = Limiter::new(limits().requests_per_day(1_000_000));
    let limiter = Limiter::new(with_tokens());
    for _ in 0..50 {
        silent(&plain).await.unwrap();
        broken(&limiter).await.unwrap_err();
        by_cost(&limiter).await.unwrap();
        by_value(&limiter).await.unwrap();
        by_itself(&limiter).await.unwrap();
        drop(limiter.acquire().await);
    }
    for _ in 0..19 {
        silent(&limiter).await.unwrap();
    }
    by_cost(&limiter).await.unwrap();
    assert_eq!(warnings.said(), "", "whoever speaks, or has no tokens to speak of");

    let directory = tempfile::tempdir().unwrap();
    let monitor = Monitor::new();
    let log_directory = directory.path().to_owned();
    monitor.start(Config::new().log_directory(log_directory).default_rate_limit(600_000)).unwrap();
    let limiter = monitor.limiter("gpt-4o");
    limiter.set_limits(with_tokens());
    for call in 1..=100 {
        silent(&limiter).await.unwrap();
        assert_eq!(warnings.said().lines().count(), usize::from(call >= 20), "{call}: {}", warnings.said());
    }
    for words in ["gpt-4o", "tokens = ...", "usage = ...", "call::report_usage"] {
        assert!(warnings.said().contains(words), "{}", warnings.said());
    }
    by_value(&limiter).await.unwrap();
    for _ in 0..30 {
        limiter.acquire().await.finish();
    }
    assert_eq!(warnings.said().lines().count(), 1, "{}", warnings.said());
    monitor.stop().await.unwrap();
}
