//! Calls inside calls of the same limiter cause one warning.

use std::io;

use ratellmiter_core::{Limiter, Limits, ratellmiter};

use crate::{is_alone, warnings::Warnings};

#[ratellmiter(limiter = limiter, max_wait = 0)]
async fn inner(limiter: &Limiter) -> anyhow::Result<()> {
    Ok(())
}

#[ratellmiter(limiter = limiter)]
async fn outer(limiter: &Limiter, inner_limiter: &Limiter) -> anyhow::Result<()> {
    inner(inner_limiter).await
}

#[tokio::test(start_paused = true)]
async fn nested_calls_warn_once() {
    if !is_alone("nested::nested_calls_warn_once") {
        return;
    }
    let warnings = Warnings::default();
    tracing::subscriber::set_global_default(warnings.clone()).unwrap();
    let [limiter, other] = [(); 2].map(|()| Limiter::new(Limits::per_minute(600).no_ramp()));
    outer(&limiter, &other).await.unwrap();
    assert_eq!(warnings.said(), "", "the inner limiter is another one");
    for limiter in [&limiter, &limiter, &other] {
        outer(limiter, limiter).await.unwrap();
        limiter.run(|| async { limiter.run(|| async { Ok::<_, io::Error>(()) }).await }).await.unwrap();
    }
    let warned = warnings.said();
    assert_eq!(warned.lines().count(), 1, "{warned}");
    assert!(
        warned.contains("annotate only one of the functions") && warned.contains("a limiter of its own"),
        "{warned}"
    );
}

#[tokio::test(start_paused = true)]
async fn rejection_inside_an_error_does_not_warn() {
    if !is_alone("nested::rejection_inside_an_error_does_not_warn") {
        return;
    }
    let warnings = Warnings::default();
    tracing::subscriber::set_global_default(warnings.clone()).unwrap();
    let [limiter, other] = [600, 6].map(|rate| Limiter::new(Limits::per_minute(rate).no_ramp()));
    other.acquire().await.finish();
    let error = outer(&limiter, &other).await.unwrap_err();
    assert!(error.is::<ratellmiter_core::Rejected>());
    let flattened = limiter.run(|| async { Err::<(), _>(format!("api error: {error}")) });
    flattened.await.unwrap_err();
    assert_eq!(warnings.said(), "");
}
