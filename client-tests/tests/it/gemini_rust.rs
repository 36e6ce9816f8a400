//! The real `gemini-rust` client against refusals in the providers' formats, in paused time. Its error has the status and the body.

#![allow(deprecated)] // The client has a second API.

use crate::{
    every_refusal::{Lost, every_refusal},
    support::{Answer, vectors::refusals},
};
use gemini_rust::{ClientError, GeminiBuilder, GenerationResponse};
use ratellmiter_core::{Limiter, ratellmiter};
use serde_json::json;

#[ratellmiter(limiter = limiter)]
async fn ask(limiter: &Limiter, url: &str) -> Result<GenerationResponse, ClientError> {
    // Without a connection pool, whose idle timers would advance the paused time during a request.
    let http = reqwest_012::Client::builder().pool_max_idle_per_host(0);
    let client = GeminiBuilder::new("k").with_http_client(http).with_base_url(format!("{url}/").parse().unwrap());
    client.build()?.generate_content().with_user_message("hi").execute().await
}

#[tokio::test(start_paused = true)]
async fn every_refusal_is_understood_without_its_headers() {
    let content = json!({ "role": "model", "parts": [{ "text": "hello" }] });
    let success = Answer::json(&json!({ "candidates": [{ "index": 0, "finishReason": "STOP", "content": content }] }));
    let understood = every_refusal(Lost::Headers, success, async |limiter, url| ask(limiter, url).await.is_ok()).await;
    assert_eq!(understood, refusals().len());
}
