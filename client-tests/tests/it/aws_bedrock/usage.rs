//! The usage of calls without a stream.

use aws_sdk_bedrockruntime::{
    Client,
    error::SdkError,
    operation::{
        converse::{ConverseError, ConverseOutput},
        invoke_model::{InvokeModelError, InvokeModelOutput},
    },
    primitives::Blob,
};
use ratellmiter_core::{Limiter, Usage, ratellmiter, tokens::HasUsage as _};
use serde_json::{Value, json};

use super::{Answer, MODEL, client, message, observed, success};
use crate::support::{Server, budget, taken};

#[ratellmiter(limiter = limiter, tokens = (5000, 5000))]
async fn converse(limiter: &Limiter, client: &Client) -> Result<ConverseOutput, SdkError<ConverseError>> {
    assert_eq!(taken(limiter), (10_000, 1));
    client.converse().model_id(MODEL).messages(message()).send().await
}

#[ratellmiter(limiter = limiter, tokens = (5000, 5000))]
async fn invoke(limiter: &Limiter, client: &Client) -> Result<InvokeModelOutput, SdkError<InvokeModelError>> {
    client.invoke_model().model_id(MODEL).body(Blob::new("{}")).send().await
}

#[tokio::test(start_paused = true)]
async fn converse_output_settles_the_call() {
    let server = Server::start(vec![success()]);
    let limiter = budget();
    converse(&limiter, &client(&server.url())).await.unwrap();
    assert_eq!(taken(&limiter), (1020, 0));
}

#[tokio::test(start_paused = true)]
async fn cached_tokens_are_counted_apart() {
    let mut answer: Value = serde_json::from_slice(&success().body).unwrap();
    answer["usage"] = json!({
        "inputTokens": 30, "outputTokens": 628, "totalTokens": 2758, "cacheReadInputTokens": 2000,
        "cacheWriteInputTokens": 100
    });
    let server = Server::start(vec![Answer::json(&answer)]);
    let output = converse(&budget(), &client(&server.url())).await.unwrap();
    assert_eq!(output.usage(), output.usage.as_ref(), "the method of the type has precedence");
    assert_eq!(ratellmiter_core::tokens::HasUsage::usage(&output), Some(Usage::new(2130, 628).cached(2000)));
    assert_eq!(output.usage.unwrap().usage(), Some(Usage::new(2130, 628).cached(2000)));
}

#[tokio::test(start_paused = true)]
async fn body_of_a_model_settles_the_call() {
    let claude = json!({ "content": [], "usage": { "input_tokens": 900, "output_tokens": 120 } });
    let nova = json!({ "output": {}, "usage": { "inputTokens": 900, "outputTokens": 120 } });
    for body in [claude, nova] {
        let server = Server::start(vec![Answer::json(&body)]);
        let limiter = budget();
        invoke(&limiter, &client(&server.url())).await.unwrap();
        assert_eq!(taken(&limiter), (1020, 0), "{body}");
    }
}

#[tokio::test(start_paused = true)]
async fn headers_settle_the_call_of_any_model() {
    let headers = [
        ("content-type", "application/json"),
        ("x-amzn-bedrock-input-token-count", "900"),
        ("x-amzn-bedrock-output-token-count", "120"),
    ];
    let server = Server::start(vec![Answer::new(200, &headers, r#"{"generation": "hello"}"#)]);
    let limiter = budget();
    invoke(&limiter, &observed(&server.url())).await.unwrap();
    assert_eq!(taken(&limiter), (1020, 0));

    // The body is more precise: it has the cached tokens.
    let body = json!({ "content": [], "usage": { "input_tokens": 500, "output_tokens": 20 } });
    let server = Server::start(vec![Answer::new(200, &headers, body.to_string())]);
    let limiter = budget();
    invoke(&limiter, &observed(&server.url())).await.unwrap();
    assert_eq!(taken(&limiter), (520, 0));
}

#[tokio::test(start_paused = true)]
async fn function_form_settles_the_usage_of_an_answer() {
    let server = Server::start(vec![super::throttled(), success()]);
    let (client, limiter) = (client(&server.url()), budget());
    let runner = limiter.runner().tokens(5000, 5000);
    let answer = runner.run(async || client.converse().model_id(MODEL).messages(message()).send().await).await.unwrap();
    assert_eq!(answer.stop_reason().as_str(), "end_turn");
    assert_eq!((server.requests(), taken(&limiter)), (2, (11_020, 0)), "the refused attempt stays charged");
}
