//! `reqwest-middleware`: the observer is the last middleware, next to the transport, and there is no retry middleware.
//! `cargo run -p ratellmiter-examples --features reqwest-middleware --bin client_reqwest_middleware`

#[path = "../ratellmiter-core/tests/support/mod.rs"]
mod support;

use std::error::Error;

use ratellmiter_core::{observe::ObserveMiddleware, ratellmiter};
use reqwest_middleware::{ClientBuilder, ClientWithMiddleware};
use support::{Server, vectors};

#[ratellmiter(model = "gpt-4o")]
async fn answer(client: &ClientWithMiddleware, url: &str) -> Result<String, reqwest_middleware::Error> {
    Ok(client.post(url).body("{}").send().await?.error_for_status()?.text().await?)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let server = Server::start(vec![vectors::example(), vectors::success()]);
    let client = ClientBuilder::new(reqwest::Client::new()).with(ObserveMiddleware::new()).build();
    println!("{}", answer(&client, &server.url()).await?);
    println!("{} requests, of which one was refused", server.requests());
    Ok(())
}
