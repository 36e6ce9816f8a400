//! The real `aws-sdk-bedrockruntime` client against refusals in Bedrock's wire format, in paused time.

mod connections;
mod error_types;
mod exceptions;
mod retries;
mod streams;
mod usage;

use aws_sdk_bedrockruntime::{
    Client,
    config::{
        BehaviorVersion, Builder, Config, Credentials, Region, StalledStreamProtectionConfig, retry::RetryConfig,
        timeout::TimeoutConfig,
    },
    error::SdkError,
    operation::{
        converse::ConverseError, converse_stream::ConverseStreamError, invoke_model::InvokeModelError,
        invoke_model_with_response_stream::InvokeModelWithResponseStreamError,
    },
    primitives::Blob,
    types::{ContentBlock, ConversationRole, Message},
};
use ratellmiter_core::{Limiter, Limits, observe::ObserveInterceptor, ratellmiter};
use serde_json::json;
use tokio::time::Instant;

use crate::support::{
    Answer, Server,
    vectors::{Refusal, check, refusals},
};

/// A model that is never asked, since the endpoint is a server on loopback.
const MODEL: &str = "anthropic.claude-sonnet-4";

/// Returns the settings of a client whose timers would advance the paused time during a request: it has no time-outs, and no
/// connection pool.
fn config(url: &str) -> Builder {
    Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::from_static("us-east-1"))
        .credentials_provider(Credentials::new("key", "secret", None, None, "tests"))
        .endpoint_url(url)
        .http_client(aws_smithy_http_client::Builder::new().pool_max_idle_per_host(0).build_http())
        .retry_config(RetryConfig::disabled())
        .timeout_config(TimeoutConfig::disabled())
        .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
}

/// Returns a client without an observer.
fn client(url: &str) -> Client {
    Client::from_conf(config(url).build())
}

/// Returns a client whose responses are observed.
fn observed(url: &str) -> Client {
    Client::from_conf(config(url).interceptor(ObserveInterceptor::new()).build())
}

fn limiter() -> Limiter {
    Limiter::new(Limits::per_minute(600_000).no_ramp())
}

/// Returns the message of a user.
fn message() -> Message {
    Message::builder().role(ConversationRole::User).content(ContentBlock::Text("hi".into())).build().unwrap()
}

/// Returns the answer of Converse.
fn success() -> Answer {
    Answer::json(&json!({
        "output": { "message": { "role": "assistant", "content": [{ "text": "hello" }] } }, "stopReason": "end_turn",
        "usage": { "inputTokens": 900, "outputTokens": 120, "totalTokens": 1020 }, "metrics": { "latencyMs": 5 }
    }))
}

/// Returns a failed response in Bedrock's format.
fn exception(status: u16, name: &str, message: &str) -> Answer {
    let name = format!("{name}:http://internal.amazon.com/coral/com.amazon.bedrock/");
    let headers = [("x-amzn-errortype", name.as_str()), ("content-type", "application/json")];
    Answer::new(status, &headers, json!({ "message": message }).to_string())
}

/// Returns a refusal of requests, with the message of Bedrock.
fn throttled() -> Answer {
    exception(429, "ThrottlingException", "Too many requests, please wait before trying again.")
}

#[ratellmiter(limiter = limiter)]
async fn converse(limiter: &Limiter, client: &Client) -> Result<String, SdkError<ConverseError>> {
    let answer = client.converse().model_id(MODEL).messages(message()).send().await?;
    let Some(message) = answer.output().and_then(|output| output.as_message().ok()) else { return Ok(String::new()) };
    Ok(message.content()[0].as_text().cloned().unwrap_or_default())
}

#[ratellmiter(limiter = limiter)]
async fn converse_stream(limiter: &Limiter, client: &Client) -> Result<(), SdkError<ConverseStreamError>> {
    client.converse_stream().model_id(MODEL).messages(message()).send().await.map(drop)
}

#[ratellmiter(limiter = limiter)]
async fn invoke_model(limiter: &Limiter, client: &Client) -> Result<(), SdkError<InvokeModelError>> {
    client.invoke_model().model_id(MODEL).body(Blob::new("{}")).send().await.map(drop)
}

#[ratellmiter(limiter = limiter)]
async fn invoke_model_stream(
    limiter: &Limiter,
    client: &Client,
) -> Result<(), SdkError<InvokeModelWithResponseStreamError>> {
    client.invoke_model_with_response_stream().model_id(MODEL).body(Blob::new("{}")).send().await.map(drop)
}

/// Checks that a function treats a refusal as expected.
macro_rules! check_one {
    ($refusal:expr, $client:expr, $ask:expr) => {{
        let refusal = $refusal;
        let server = $crate::support::Server::start(vec![refusal.answer.clone(), super::success()]);
        let (client, start) = ($client(&server.url()), tokio::time::Instant::now());
        let result = $ask(&super::limiter(), &client).await;
        $crate::support::vectors::check(refusal, result.is_ok(), server.requests(), start.elapsed());
        result
    }};
}
use check_one;

#[tokio::test(start_paused = true)]
async fn errors_of_every_operation_preserve_every_refusal() {
    for refusal in refusals() {
        for client_of in [client as fn(&str) -> Client, observed] {
            let server = || Server::start(vec![refusal.answer.clone(), success()]);
            let (asked, start) = (server(), Instant::now());
            let result = converse(&limiter(), &client_of(&asked.url())).await;
            check(&refusal, result.is_ok(), asked.requests(), start.elapsed());
            assert!(result.is_err() || result.is_ok_and(|text| text == "hello"));

            let (asked, start) = (server(), Instant::now());
            let result = converse_stream(&limiter(), &client_of(&asked.url())).await;
            check(&refusal, result.is_ok(), asked.requests(), start.elapsed());

            let (asked, start) = (server(), Instant::now());
            let result = invoke_model(&limiter(), &client_of(&asked.url())).await;
            check(&refusal, result.is_ok(), asked.requests(), start.elapsed());

            let (asked, start) = (server(), Instant::now());
            let result = invoke_model_stream(&limiter(), &client_of(&asked.url())).await;
            check(&refusal, result.is_ok(), asked.requests(), start.elapsed());
        }
    }
}
