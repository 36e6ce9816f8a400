//! `rig`: its errors contain everything that the classification needs.
//! `cargo run -p ratellmiter-examples --features rig --bin client_rig`

#[path = "../ratellmiter-core/tests/support/mod.rs"]
mod support;

use std::error::Error;

use ratellmiter_core::ratellmiter;
use rig_core::{completion::CompletionRequest, error::ProviderError, providers::openai::OpenAIConfig};
use support::{Server, vectors};

#[ratellmiter(model = "gpt-4o")]
async fn answer(config: &OpenAIConfig, prompt: &str) -> Result<String, ProviderError> {
    let http = rig_reqwest::ReqwestClient::from(reqwest::Client::new());
    Ok(config.clone().connect(http).chat("gpt-4o").call(CompletionRequest::new(prompt)).await?.text())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let server = Server::start(vec![vectors::example(), vectors::success()]);
    let mut config = OpenAIConfig::new("none");
    config.base_url = server.url();
    println!("{}", answer(&config, "hi").await?);
    println!("{} requests, of which one was refused", server.requests());
    Ok(())
}
