//! `ollama-rs`: its errors have the text of the server, by which refusals are recognised.
//! `cargo run -p ratellmiter-examples --features ollama-rs --bin client_ollama_rs`

#[path = "../ratellmiter-core/tests/support/mod.rs"]
mod support;

use std::error::Error;

use ollama_rs::{
    Ollama,
    error::OllamaError,
    generation::chat::{ChatMessage, ChatMessageResponse, request::ChatMessageRequest},
};
use ratellmiter_core::ratellmiter;
use serde_json::json;
use support::{Answer, Server};

#[ratellmiter(model = "llama3")]
async fn answer(client: &Ollama, prompt: &str) -> Result<ChatMessageResponse, OllamaError> {
    let messages = vec![ChatMessage::user(prompt.to_owned())];
    client.send_chat_messages(ChatMessageRequest::new("llama3".to_owned(), messages)).await
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let busy = json!({ "error": "server busy, please try again.  maximum pending requests exceeded" });
    let success = json!({
        "model": "llama3", "created_at": "2026-11-24T06:40:00Z", "done": true,
        "message": { "role": "assistant", "content": "hello" }
    });
    let server = Server::start(vec![Answer::new(503, &[], busy.to_string()), Answer::json(&success)]);
    let client = Ollama::builder().url(format!("http://{}/", server.address)).build();
    println!("{}", answer(&client, "hi").await?.message.content);
    println!("{} requests, of which one was refused", server.requests());
    Ok(())
}
