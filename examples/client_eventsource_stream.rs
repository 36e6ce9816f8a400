//! `eventsource-stream` on `reqwest`: the events of a stream keep the ticket of their call, and settle it with their usage.
//! `cargo run -p ratellmiter-examples --features eventsource-stream --bin client_eventsource_stream`

#[path = "../ratellmiter-core/tests/support/mod.rs"]
mod support;

use std::error::Error;

use eventsource_stream::{Event, EventStreamError, Eventsource as _};
use futures::{StreamExt as _, stream::BoxStream};
use ratellmiter_core::{classify::LlmResponseExt as _, ratellmiter};
use serde_json::json;
use support::{Answer, Server, vectors};

type Events = BoxStream<'static, Result<Event, EventStreamError<reqwest::Error>>>;

#[ratellmiter(model = "gpt-4o", stream)]
async fn answer(client: &reqwest::Client, url: &str) -> Result<Events, Box<dyn Error + Send + Sync>> {
    let response = client.post(url).body("{}").send().await?.error_for_refusal().await?;
    Ok(response.bytes_stream().eventsource().boxed())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error + Send + Sync>> {
    let word = json!({ "choices": [{ "delta": { "content": "hello" } }] });
    let usage = json!({ "choices": [], "usage": { "prompt_tokens": 9, "completion_tokens": 2 } });
    let server = Server::start(vec![vectors::example(), Answer::events(&[word, usage])]);
    let mut events = answer(&reqwest::Client::new(), &server.url()).await?;
    while let Some(event) = events.next().await {
        println!("{}", event?.data);
    }
    println!("{} requests, of which one was refused", server.requests());
    Ok(())
}
