//! `reqwest`: `error_for_refusal()` instead of `error_for_status()` preserves the headers and the body of a refusal.
//! `cargo run -p ratellmiter-examples --bin client_reqwest`

#[path = "../ratellmiter-core/tests/support/mod.rs"]
mod support;

use std::error::Error;

use ratellmiter_core::{classify::LlmResponseExt as _, ratellmiter};
use support::{Server, vectors};

#[ratellmiter(model = "gpt-4o")]
async fn answer(client: &reqwest::Client, url: &str) -> Result<String, Box<dyn Error + Send + Sync>> {
    Ok(client.post(url).body("{}").send().await?.error_for_refusal().await?.text().await?)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error + Send + Sync>> {
    let server = Server::start(vec![vectors::example(), vectors::success()]);
    println!("{}", answer(&reqwest::Client::new(), &server.url()).await?);
    println!("{} requests, of which one was refused", server.requests());
    Ok(())
}
