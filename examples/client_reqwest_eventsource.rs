//! `reqwest-eventsource`, on `reqwest` 0.12: its own retries are off, so that the limiter sends a refused request again.
//! `cargo run -p ratellmiter-examples --features reqwest-eventsource --bin client_reqwest_eventsource`

#[path = "../ratellmiter-core/tests/support/mod.rs"]
mod support;

use std::error::Error;

use futures::{StreamExt as _, stream::BoxStream};
use ratellmiter_core::ratellmiter;
use reqwest_eventsource::{Event, EventSource, retry};
use serde_json::json;
use support::{Answer, Server, vectors};

type Events = BoxStream<'static, Result<Event, reqwest_eventsource::Error>>;

#[ratellmiter(model = "gpt-4o", stream)]
async fn answer(url: &str) -> Result<Events, Box<dyn Error + Send + Sync>> {
    let mut source = EventSource::get(url);
    source.set_retry_policy(Box::new(retry::Never));
    Ok(source.boxed())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error + Send + Sync>> {
    let usage = json!({ "choices": [], "usage": { "prompt_tokens": 9, "completion_tokens": 2 } });
    let server = Server::start(vec![vectors::example(), Answer::events(&[usage])]);
    let mut events = answer(&server.url()).await?;
    // The end of the response is an error of this client.
    while let Some(Ok(event)) = events.next().await {
        println!("{event:?}");
    }
    println!("{} requests, of which one was refused", server.requests());
    Ok(())
}
