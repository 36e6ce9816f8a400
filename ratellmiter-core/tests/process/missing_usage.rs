//! The warning of a limiter that has token budgets but receives neither estimates nor usage.

use futures::{
    Stream, StreamExt as _,
    stream::{self, BoxStream},
};
use ratellmiter_core::{Config, Limiter, Limits, Monitor, Usage, call, ratellmiter};

use crate::{is_alone, warnings::Warnings};

#[ratellmiter(limiter = limiter)]
async fn without_usage(limiter: &Limiter) -> Result<u8, String> {
    Ok(1)
}

#[ratellmiter(limiter = limiter)]
async fn failing(limiter: &Limiter) -> Result<u8, String> {
    Err("400 Bad Request".to_owned())
}

#[ratellmiter(limiter = limiter, tokens = 10)]
async fn by_estimate(limiter: &Limiter) -> Result<u8, String> {
    Ok(1)
}

#[ratellmiter(limiter = limiter)]
async fn by_value(limiter: &Limiter) -> Result<Usage, String> {
    Ok(Usage::new(10, 1))
}

#[ratellmiter(limiter = limiter)]
async fn by_report(limiter: &Limiter) -> Result<u8, String> {
    assert!(call::report_usage((10, 1)));
    Ok(1)
}

#[ratellmiter(limiter = limiter, tokens = (10, 10), stream)]
async fn stream_of(
    limiter: &Limiter,
    pieces: &[&'static str],
) -> Result<impl Stream<Item = &'static str> + use<>, String> {
    Ok(stream::iter(pieces.to_vec()))
}

#[tokio::test(start_paused = true)]
async fn stream_without_usage_is_warned_about_once() {
    if !is_alone("missing_usage::stream_without_usage_is_warned_about_once") {
        return;
    }
    let warnings = Warnings::default();
    tracing::subscriber::set_global_default(warnings.clone()).unwrap();
    let without_token_budgets = Limiter::new(limits().requests_per_day(1_000_000));
    let limiter = Limiter::new(with_tokens());
    let complete = ["data: {\"usage\": {\"prompt_tok", "ens\": 9, \"completion_tokens\": 2}}\n\n"];
    let error = "data: {\"error\": {\"message\": \"the model failed\"}}\n\n";
    for _ in 0..30 {
        assert_eq!(stream_of(&without_token_budgets, &["data: {}\n\n"]).await.unwrap().count().await, 1);
        assert_eq!(stream_of(&limiter, &[complete[0], complete[1]]).await.unwrap().count().await, 2);
        drop(stream_of(&limiter, &["data: {}\n\n"]).await.unwrap());
        assert_eq!(stream_of(&limiter, &["data: {}\n\n", error]).await.unwrap().count().await, 2);
    }
    assert_eq!(warnings.said(), "", "no warning with usage, for a dropped or failed stream, or without token budgets");
    for _ in 0..30 {
        assert_eq!(stream_of(&limiter, &["data: {}\n\n", "data: [DONE]\n\n"]).await.unwrap().count().await, 2);
    }
    let said = warnings.said();
    assert_eq!(said.lines().count(), 1, "{said}");
    for part in ["stream", "stays charged", "stream_options.include_usage", "usage = ..."] {
        assert!(said.contains(part), "{said}");
    }
}

fn limits() -> Limits {
    Limits::per_minute(600_000).no_ramp()
}

fn with_tokens() -> Limits {
    limits().tokens_per_minute(1_000_000_000)
}

#[tokio::test(start_paused = true)]
async fn calls_without_usage_are_warned_about_once() {
    if !is_alone("missing_usage::calls_without_usage_are_warned_about_once") {
        return;
    }
    let warnings = Warnings::default();
    tracing::subscriber::set_global_default(warnings.clone()).unwrap();
    let without_token_budgets = Limiter::new(limits().requests_per_day(1_000_000));
    let limiter = Limiter::new(with_tokens());
    for _ in 0..50 {
        without_usage(&without_token_budgets).await.unwrap();
        failing(&limiter).await.unwrap_err();
        by_estimate(&limiter).await.unwrap();
        by_value(&limiter).await.unwrap();
        by_report(&limiter).await.unwrap();
        drop(limiter.acquire().await);
    }
    for _ in 0..19 {
        without_usage(&limiter).await.unwrap();
    }
    by_estimate(&limiter).await.unwrap();
    assert_eq!(warnings.said(), "", "no warning with estimates, with usage, or without token budgets");

    let directory = tempfile::tempdir().unwrap();
    let monitor = Monitor::new();
    let log_directory = directory.path().to_owned();
    monitor.start(Config::new().log_directory(log_directory).default_rate_limit(600_000)).unwrap();
    let limiter = monitor.limiter("gpt-4o");
    limiter.set_limits(with_tokens());
    for call in 1..=100 {
        without_usage(&limiter).await.unwrap();
        assert_eq!(warnings.said().lines().count(), usize::from(call >= 20), "{call}: {}", warnings.said());
    }
    for part in ["gpt-4o", "tokens = ...", "usage = ...", "call::report_usage"] {
        assert!(warnings.said().contains(part), "{}", warnings.said());
    }
    by_value(&limiter).await.unwrap();
    for _ in 0..30 {
        limiter.acquire().await.finish();
    }
    assert_eq!(warnings.said().lines().count(), 1, "{}", warnings.said());
    monitor.stop().await.unwrap();
}

#[ratellmiter(limiter = limiter, tokens = (10, 10))]
async fn opaque(limiter: &Limiter) -> Result<impl Stream<Item = u8> + use<>, String> {
    Ok(stream::iter([1, 2]))
}

#[ratellmiter(limiter = limiter)]
async fn boxed(limiter: &Limiter) -> BoxStream<'static, u8> {
    stream::iter([1, 2]).boxed()
}

#[ratellmiter(limiter = limiter, tokens = (10, 10))]
async fn attached(limiter: &Limiter) -> Result<BoxStream<'static, u8>, String> {
    Ok(call::attach(stream::iter([1, 2])).boxed())
}

#[ratellmiter(limiter = limiter, tokens = (10, 10))]
async fn reported(limiter: &Limiter) -> Result<BoxStream<'static, u8>, String> {
    assert!(call::report_usage((10, 1)));
    Ok(stream::iter([1, 2]).boxed())
}

#[ratellmiter(limiter = limiter, tokens = (10, 10))]
async fn failed(limiter: &Limiter) -> Result<BoxStream<'static, u8>, String> {
    Err("400 Bad Request".to_owned())
}

#[tokio::test(start_paused = true)]
async fn stream_without_the_option_is_warned_about_at_the_first_call() {
    if !is_alone("missing_usage::stream_without_the_option_is_warned_about_at_the_first_call") {
        return;
    }
    let warnings = Warnings::default();
    tracing::subscriber::set_global_default(warnings.clone()).unwrap();
    let limiter = Limiter::new(limits().requests_per_day(1_000_000));
    assert_eq!(stream_of(&limiter, &["data: {}\n\n"]).await.unwrap().count().await, 1);
    assert_eq!(attached(&limiter).await.unwrap().count().await, 2);
    assert_eq!(reported(&limiter).await.unwrap().count().await, 2);
    assert!(failed(&limiter).await.is_err());
    assert_eq!(warnings.said(), "", "the ticket is kept, the usage is known, or there is no stream");
    assert_eq!(opaque(&limiter).await.unwrap().count().await, 2);
    let said = warnings.said();
    for part in ["without the option `stream`", "call::attach"] {
        assert!(said.contains(part), "{said}");
    }
    assert_eq!(boxed(&limiter).await.count().await, 2);
    assert_eq!(warnings.said(), said, "once");
}
