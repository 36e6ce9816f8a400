//! `tower`: an observing layer around a service whose responses have a status and headers, here a `reqwest` client.
//! `cargo run -p ratellmiter-examples --features tower --bin client_tower`

#[path = "../ratellmiter-core/tests/support/mod.rs"]
mod support;

use std::error::Error;

use ratellmiter_core::{observe::ObserveLayer, ratellmiter};
use support::{Server, vectors};
use tower_layer::Layer as _;
use tower_service::Service;

#[ratellmiter(model = "gpt-4o")]
async fn answer<S>(mut client: S, url: &str) -> Result<String, reqwest::Error>
where
    S: Service<reqwest::Request, Response = reqwest::Response, Error = reqwest::Error> + Clone,
{
    let request = reqwest::Request::new(reqwest::Method::POST, url.parse().expect("the URL is valid"));
    std::future::poll_fn(|context| client.poll_ready(context)).await?;
    client.call(request).await?.error_for_status()?.text().await
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let server = Server::start(vec![vectors::example(), vectors::success()]);
    let client = ObserveLayer::new().layer(reqwest::Client::new());
    println!("{}", answer(client, &server.url()).await?);
    println!("{} requests, of which one was refused", server.requests());
    Ok(())
}
