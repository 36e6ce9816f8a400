//! The real `reqwest` client over HTTP, in real time: its errors in a source chain are classified by their status.

use std::time::Duration;

use crate::{
    broken::closed,
    support::{Answer, Server},
};
use ratellmiter_core::{Limiter, Limits, ratellmiter};

#[derive(Debug, thiserror::Error)]
#[error("the model could not be asked")]
struct AskError(#[from] reqwest::Error);

#[ratellmiter(limiter = limiter)]
async fn ask(limiter: &Limiter, url: &str) -> Result<String, AskError> {
    Ok(reqwest::get(url).await?.error_for_status()?.text().await?)
}

fn limiter() -> Limiter {
    Limiter::new(Limits::per_minute(60_000).no_ramp())
}

fn answers(statuses: &[u16]) -> Server {
    Server::start(statuses.iter().map(|status| Answer::new(*status, &[], "hello")).collect())
}

#[tokio::test]
async fn refusals_and_transient_failures_are_retried() {
    for (statuses, requests, succeeds) in [
        (&[429, 200][..], 2, true),
        (&[529, 200], 2, true),
        (&[503, 200], 2, true),
        (&[500, 200], 2, true),
        (&[502, 504, 200], 3, true),
        (&[502], 3, false),
        (&[501, 200], 1, false),
        (&[401], 1, false),
    ] {
        let (server, limiter) = (answers(statuses), limiter());
        // Each pause takes about two seconds of real time, and the waits half a second and a second.
        let result = tokio::time::timeout(Duration::from_secs(20), ask(&limiter, &server.url())).await.unwrap();
        assert_eq!(result.is_ok(), succeeds, "{statuses:?}");
        assert_eq!(server.requests(), requests, "{statuses:?}");
    }
}

#[tokio::test]
async fn function_form_retries_a_refused_response() {
    let (server, client) = (answers(&[429, 200]), reqwest::Client::new());
    let response = limiter().run(|| client.get(server.url()).send()).await.unwrap();
    assert_eq!((response.status().as_u16(), server.requests()), (200, 2));
}

#[tokio::test]
async fn refused_connection_is_sent_again() {
    let (_socket, url) = closed();
    let start = std::time::Instant::now();
    let limiter = limiter();
    let error = ask(&limiter, &url).await.unwrap_err();
    assert!(error.0.is_connect());
    assert!(start.elapsed() >= Duration::from_millis(1500), "two more attempts: {:?}", start.elapsed());
    assert!(limiter.snapshot().rate_per_second > 900.0, "no pause");
}
