//! `genai`: its errors contain everything that the classification needs.
//! `cargo run -p ratellmiter-examples --features genai --bin client_genai`

#[path = "../ratellmiter-core/tests/support/mod.rs"]
mod support;

use std::error::Error;

use genai::{
    Client, ModelIden, ServiceTarget,
    adapter::AdapterKind,
    chat::{ChatMessage, ChatRequest},
    resolver::{AuthData, Endpoint, ServiceTargetResolver},
};
use ratellmiter_core::ratellmiter;
use support::{Server, vectors};

#[ratellmiter(model = "gpt-4o")]
async fn answer(client: &Client, prompt: &str) -> Result<String, genai::Error> {
    let request = ChatRequest::new(vec![ChatMessage::user(prompt)]);
    Ok(client.exec_chat("gpt-4o", request, None).await?.first_text().unwrap_or_default().to_owned())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let server = Server::start(vec![vectors::example(), vectors::success()]);
    let endpoint = Endpoint::from_owned(format!("{}/", server.url()));
    let resolve = move |target: ServiceTarget| -> Result<ServiceTarget, genai::resolver::Error> {
        let model = ModelIden::new(AdapterKind::OpenAI, target.model.model_name);
        Ok(ServiceTarget { endpoint: endpoint.clone(), auth: AuthData::from_single("none"), model })
    };
    let client =
        Client::builder().with_service_target_resolver(ServiceTargetResolver::from_resolver_fn(resolve)).build()?;
    println!("{}", answer(&client, "hi").await?);
    println!("{} requests, of which one was refused", server.requests());
    Ok(())
}
