//! `async-openai`: `openai_service` replaces its own HTTP service, which retries by itself and discards the headers.
//! `cargo run -p ratellmiter-examples --features async-openai --bin client_async_openai`

#[path = "../ratellmiter-core/tests/support/mod.rs"]
mod support;

use std::error::Error;

use async_openai::{
    Client,
    config::OpenAIConfig,
    error::OpenAIError,
    types::chat::{ChatCompletionRequestUserMessage, CreateChatCompletionRequestArgs},
};
use ratellmiter_core::{observe::openai_service, ratellmiter};
use support::{Server, vectors};

#[ratellmiter(model = "gpt-4o")]
async fn answer(client: &Client<OpenAIConfig>, prompt: &str) -> Result<String, OpenAIError> {
    let message = ChatCompletionRequestUserMessage::from(prompt);
    let request = CreateChatCompletionRequestArgs::default().model("gpt-4o").messages([message.into()]).build()?;
    Ok(client.chat().create(request).await?.choices[0].message.content.clone().unwrap_or_default())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let server = Server::start(vec![vectors::example(), vectors::success()]);
    let config = OpenAIConfig::new().with_api_base(server.url()).with_api_key("none");
    let client = Client::with_config(config).with_http_service(openai_service(reqwest::Client::new()));
    println!("{}", answer(&client, "hi").await?);
    println!("{} requests, of which one was refused", server.requests());
    Ok(())
}
