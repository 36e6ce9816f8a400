//! The real `reqwest` against a real server: its error in the source chain is recognised by its status.

use std::time::Duration;

use crate::support::{Answer, Server};
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
async fn a_429_and_an_overload_are_tried_again_and_everything_else_is_not() {
    for (statuses, requests, succeeds) in [
        (&[429, 200][..], 2, true),
        (&[529, 200], 2, true),
        (&[503, 200], 2, true),
        (&[500, 200], 1, false),
        (&[401], 1, false),
    ] {
        let (server, limiter) = (answers(statuses), limiter());
        // Each pause is about two seconds, in real time.
        let result = tokio::time::timeout(Duration::from_secs(20), ask(&limiter, &server.url())).await.unwrap();
        assert_eq!(result.is_ok(), succeeds, "{statuses:?}");
        assert_eq!(server.requests(), requests, "{statuses:?}");
    }
}

#[tokio::test]
async fn a_server_that_is_not_there_is_no_refusal() {
    let address = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap()
    };
    let error = ask(&limiter(), &format!("http://{address}/")).await.unwrap_err();
    assert!(error.0.is_connect());
}
