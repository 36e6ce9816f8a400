//! `hyper`, through the client of `hyper-util`: `error_for_refusal()` preserves the headers and the body of a refusal.
//! `cargo run -p ratellmiter-examples --features hyper --bin client_hyper`

#[path = "../ratellmiter-core/tests/support/mod.rs"]
mod support;

use std::error::Error;

use http_body_util::{BodyExt as _, Full};
use hyper::{Request, body::Bytes};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use ratellmiter_core::{classify::LlmResponseExt as _, ratellmiter};
use support::{Server, vectors};

type HttpClient = Client<HttpConnector, Full<Bytes>>;

#[ratellmiter(model = "gpt-4o")]
async fn answer(client: &HttpClient, url: &str) -> Result<String, Box<dyn Error + Send + Sync>> {
    let request = Request::post(url).body(Full::from("{}"))?;
    let response = client.request(request).await?.error_for_refusal().await?;
    Ok(String::from_utf8(response.into_body().collect().await?.to_bytes().to_vec())?)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error + Send + Sync>> {
    let server = Server::start(vec![vectors::example(), vectors::success()]);
    println!("{}", answer(&Client::builder(TokioExecutor::new()).build_http(), &server.url()).await?);
    println!("{} requests, of which one was refused", server.requests());
    Ok(())
}
