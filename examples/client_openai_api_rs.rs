//! `openai-api-rs`: its errors have the status and the body of a refusal, and its answers have the headers.
//! `cargo run -p ratellmiter-examples --features openai-api-rs --bin client_openai_api_rs`

#[path = "../ratellmiter-core/tests/support/mod.rs"]
mod support;

use std::error::Error;

use openai_api_rs::v1::{
    api::OpenAIClient,
    chat_completion::{
        ChatCompletionMessage, Content, MessageRole,
        chat_completion::{ChatCompletionRequest, ChatCompletionResponse},
    },
    error::APIError,
    responses::responses::CallResponse,
};
use ratellmiter_core::ratellmiter;
use support::{Server, vectors};

#[ratellmiter(model = "gpt-4o")]
async fn answer(client: &OpenAIClient, prompt: &str) -> Result<CallResponse<ChatCompletionResponse>, APIError> {
    let message = ChatCompletionMessage {
        role: MessageRole::user,
        content: Content::Text(prompt.to_owned()),
        name: None,
        tool_calls: None,
        tool_call_id: None,
    };
    client.chat_completion(ChatCompletionRequest::new("gpt-4o".to_owned(), vec![message])).await
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let server = Server::start(vec![vectors::example(), vectors::success()]);
    let client = OpenAIClient::builder().with_endpoint(server.url()).with_api_key("none").build()?;
    let answer = answer(&client, "hi").await?;
    println!("{}", answer.inner.choices[0].message.content.as_deref().unwrap_or_default());
    println!("{} requests, of which one was refused", server.requests());
    Ok(())
}
