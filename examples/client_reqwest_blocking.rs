//! The blocking client of `reqwest`, in a plain function: `error_for_refusal()` preserves the headers and the body of a
//! refusal.
//! `cargo run -p ratellmiter-examples --features reqwest-blocking --bin client_reqwest_blocking`

#[path = "../ratellmiter-core/tests/support/mod.rs"]
mod support;

use std::error::Error;

use ratellmiter_core::{classify::LlmResponseExt as _, ratellmiter};
use reqwest::blocking::Client;
use support::{Server, vectors};

#[ratellmiter(model = "gpt-4o")]
fn answer(client: &Client, url: &str) -> Result<String, Box<dyn Error + Send + Sync>> {
    Ok(client.post(url).body("{}").send()?.error_for_refusal()?.text()?)
}

fn main() -> Result<(), Box<dyn Error + Send + Sync>> {
    let server = Server::start(vec![vectors::example(), vectors::success()]);
    println!("{}", answer(&Client::new(), &server.url())?);
    println!("{} requests, of which one was refused", server.requests());
    Ok(())
}
