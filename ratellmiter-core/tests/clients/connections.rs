//! Real clients against servers that fail before, during and after the response.

use std::{net::TcpStream, time::Duration};

use crate::broken::{closed, incomplete_body, incomplete_headers, server, silent};
use ratellmiter_core::{Usage, Verdict, stream::StreamItem};

const TRANSIENT: Option<Verdict> = Some(Verdict::transient());

fn verdict(error: impl std::error::Error + 'static) -> Option<Verdict> {
    StreamItem::of(&Err::<Usage, _>(error)).verdict
}

#[tokio::test]
async fn refused_connection_is_transient_for_every_client() {
    let (_socket, closed) = closed();
    assert_eq!(verdict(reqwest::get(&closed).await.unwrap_err()), TRANSIENT);
    assert_eq!(verdict(reqwest_012::get(&closed).await.unwrap_err()), TRANSIENT);
    assert_eq!(verdict(TcpStream::connect("127.0.0.1:1").unwrap_err()), TRANSIENT);
    let middleware = reqwest_middleware::ClientBuilder::new(reqwest::Client::new()).build();
    assert_eq!(verdict(middleware.get(&closed).send().await.unwrap_err()), TRANSIENT);
    for url in [closed, incomplete_headers()] {
        assert_eq!(verdict(super::async_openai::failed(&url).await), TRANSIENT, "async-openai");
        assert_eq!(verdict(super::genai::failed(&url).await), TRANSIENT, "genai");
        assert_eq!(verdict(super::rig::failed(&url).await), TRANSIENT, "rig");
    }
}

#[tokio::test]
async fn connection_without_a_response_is_transient() {
    for url in [incomplete_headers(), server(|_| {})] {
        assert_eq!(verdict(reqwest::get(&url).await.unwrap_err()), TRANSIENT);
        assert_eq!(verdict(reqwest_012::get(&url).await.unwrap_err()), TRANSIENT);
        let text = format!("{:#}", anyhow::Error::new(reqwest::get(&url).await.unwrap_err()));
        assert_eq!(verdict(std::io::Error::other(text)), TRANSIENT, "as text");
    }
}

#[tokio::test]
async fn timeout_and_broken_body_are_failures() {
    let client = reqwest::Client::builder().timeout(Duration::from_millis(100)).build().unwrap();
    assert_eq!(verdict(client.get(silent()).send().await.unwrap_err()), Some(Verdict::Failed));
    let broken = incomplete_body();
    let response = reqwest::get(&broken).await.unwrap();
    assert_eq!(verdict(response.text().await.unwrap_err()), Some(Verdict::Failed));
    let response = reqwest_012::get(&broken).await.unwrap();
    assert_eq!(verdict(response.text().await.unwrap_err()), Some(Verdict::Failed));
}
