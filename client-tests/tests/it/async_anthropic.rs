//! The real `async-anthropic` client against refusals in the providers' formats, in paused time. Its error has the body alone.

use std::time::Duration;

use crate::{
    every_refusal::{Lost, every_refusal},
    support::{Answer, vectors::refusals},
};
use async_anthropic::{
    Client,
    errors::AnthropicError,
    types::{CreateMessagesRequestBuilder, CreateMessagesResponse},
};
use ratellmiter_core::{Limiter, ratellmiter};
use serde_json::json;

/// Returns a client that does not retry, and without a connection pool, whose idle timers would advance the paused time during a
/// request.
fn client(url: &str) -> Client {
    let http = reqwest_012::Client::builder().pool_max_idle_per_host(0).build().unwrap();
    let once = backoff::ExponentialBackoffBuilder::new().with_max_elapsed_time(Some(Duration::ZERO)).build();
    let client = Client::builder().http_client(http).base_url(url).api_key("k").version("2023-06-01").build();
    client.unwrap().with_backoff(once)
}

#[ratellmiter(limiter = limiter)]
async fn ask(limiter: &Limiter, url: &str) -> Result<CreateMessagesResponse, AnthropicError> {
    let request = CreateMessagesRequestBuilder::default().model("claude").messages(Vec::new()).build().unwrap();
    client(url).messages().create(request).await
}

#[tokio::test(start_paused = true)]
async fn every_refusal_is_understood_by_its_body_or_returned() {
    let success =
        Answer::json(&json!({ "id": "m", "content": [], "usage": { "input_tokens": 1, "output_tokens": 1 } }));
    let understood = every_refusal(Lost::Status, success, async |limiter, url| ask(limiter, url).await.is_ok()).await;
    assert!(understood >= 60, "{understood} of {}", refusals().len());
}
