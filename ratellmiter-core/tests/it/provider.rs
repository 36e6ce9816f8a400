//! The simulated provider over HTTP, called with a real client through the attribute.

#[path = "../../../examples/server.rs"]
mod server;

use std::{sync::atomic::Ordering, time::Duration};

use ratellmiter_core::{
    Limiter, Limits,
    classify::{LlmResponseExt as _, ResponseError},
    ratellmiter,
    sim::{Provider, RetryAfter},
};

#[derive(Debug, thiserror::Error)]
enum AskError {
    #[error(transparent)]
    Refused(#[from] ResponseError),
    #[error(transparent)]
    Http(#[from] reqwest::Error),
}

#[ratellmiter(limiter = limiter)]
async fn ask(limiter: &Limiter, client: &reqwest::Client, url: &str) -> Result<String, AskError> {
    let body = r#"{"messages": [{"content": "hi"}]}"#;
    Ok(client.post(url).body(body).send().await?.error_for_refusal().await?.text().await?)
}

fn fast_provider(seed: u64) -> Provider {
    Provider::new(seed)
        .latency(Duration::from_millis(20), 0.3, 0.0)
        .refused_after(Duration::from_millis(2))
        .retry_after(RetryAfter::Exact)
}

#[tokio::test(flavor = "multi_thread")]
async fn all_calls_succeed_with_few_refusals() {
    // The limiter is configured for 50 calls a second; the server accepts 25.
    let (address, counts) = server::start(fast_provider(1).bucket(1500, Duration::from_millis(200)), 0).await.unwrap();
    let limiter = Limiter::new(Limits::per_minute(3000));
    let client = reqwest::Client::new();
    for path in ["chat/completions", "messages"] {
        let url = format!("http://{address}/v1/{path}");
        let answers = futures::future::join_all((0..60).map(|_| ask(&limiter, &client, &url))).await;
        for answer in answers {
            assert!(answer.unwrap().contains("an answer to"));
        }
    }
    let (requests, refused) = (counts.requests.load(Ordering::Relaxed), counts.too_many.load(Ordering::Relaxed));
    assert_eq!(requests, 120 + refused, "one request per attempt");
    assert!((1..40).contains(&refused), "{refused} of {requests}");
    assert!(limiter.snapshot().adapted_rate_per_second.is_some_and(|rate| rate < 50.0));
}

#[tokio::test(flavor = "multi_thread")]
async fn outage_and_concurrency_limit_are_distinguished() {
    let provider =
        fast_provider(2).outage(Duration::ZERO..Duration::from_millis(100), 529, RetryAfter::Exact).concurrency(3);
    let (address, counts) = server::start(provider, 0).await.unwrap();
    let limiter = Limiter::new(Limits::per_minute(60_000).no_ramp());
    let (client, url) = (reqwest::Client::new(), format!("http://{address}/v1/chat/completions"));
    let answers = futures::future::join_all((0..60).map(|_| ask(&limiter, &client, &url))).await;
    for answer in answers {
        answer.unwrap();
    }
    assert!(counts.overloaded.load(Ordering::Relaxed) > 0 && counts.too_many.load(Ordering::Relaxed) > 0);
    let snapshot = limiter.snapshot();
    assert!(snapshot.adapted_in_flight.is_some_and(|calls| calls < 10.0), "{snapshot:?}");
}
