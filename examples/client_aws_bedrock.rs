//! `aws-sdk-bedrockruntime`: without retries of its own, and with an interceptor that observes each response.
//! `cargo run -p ratellmiter-examples --features aws-bedrock --bin client_aws_bedrock`

#[path = "../ratellmiter-core/tests/support/mod.rs"]
mod support;

use std::error::Error;

use aws_sdk_bedrockruntime::{
    Client,
    config::{BehaviorVersion, Config, Credentials, Region, retry::RetryConfig},
    operation::converse::ConverseOutput,
    types::{ContentBlock, ConversationRole, Message},
};
use ratellmiter_core::{observe::ObserveInterceptor, ratellmiter};
use serde_json::json;
use support::{Answer, Server};

#[ratellmiter(model = "claude", tokens = (100, 500))]
async fn answer(client: &Client, prompt: &str) -> Result<ConverseOutput, aws_sdk_bedrockruntime::Error> {
    let prompt = ContentBlock::Text(prompt.to_owned());
    let message = Message::builder().role(ConversationRole::User).content(prompt).build()?;
    Ok(client.converse().model_id("anthropic.claude-sonnet-4").messages(message).send().await?)
}

/// Returns a server that refuses the first request as Bedrock does.
fn server() -> Server {
    let headers = [("x-amzn-errortype", "ThrottlingException"), ("content-type", "application/json")];
    let refusal = json!({ "message": "Too many tokens, please wait before trying again." });
    let success = json!({
        "output": { "message": { "role": "assistant", "content": [{ "text": "hello" }] } }, "stopReason": "end_turn",
        "usage": { "inputTokens": 8, "outputTokens": 2, "totalTokens": 10 }, "metrics": { "latencyMs": 5 }
    });
    Server::start(vec![Answer::new(429, &headers, refusal.to_string()), Answer::json(&success)])
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let server = server();
    let config = Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::from_static("us-east-1"))
        .credentials_provider(Credentials::new("none", "none", None, None, "example"))
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .endpoint_url(server.url())
        .retry_config(RetryConfig::disabled())
        .interceptor(ObserveInterceptor::new());
    let client = Client::from_conf(config.build());
    let output = answer(&client, "hi").await?;
    let message = output.output().and_then(|output| output.as_message().ok()).ok_or("no message")?;
    println!("{}", message.content()[0].as_text().map_or("", String::as_str));
    println!("{} requests, of which one was refused", server.requests());
    Ok(())
}
