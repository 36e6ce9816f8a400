//! The real `openai-api-rs` client against refusals in the providers' formats, in paused time.

use crate::{
    clock::stopped,
    every_refusal::{Lost, every_refusal},
    support::{
        Answer, Server, budget, taken,
        vectors::{refusals, success},
    },
};
use futures::{Stream, StreamExt as _};
use openai_api_rs::v1::{
    api::OpenAIClient,
    chat_completion::{
        chat_completion::{ChatCompletionRequest, ChatCompletionResponse},
        chat_completion_stream::{ChatCompletionStreamRequest, ChatCompletionStreamResponse},
    },
    error::APIError,
    responses::{
        responses::{CallResponse, CreateResponseRequest, ResponseObject},
        responses_stream::ResponseStreamResponse,
    },
};
use ratellmiter_core::{Limiter, Usage, Verdict, classify::judge_error, ratellmiter, stream::StreamItem};
use serde_json::{Value, json};
use tokio::net::TcpSocket;

fn client(url: &str) -> OpenAIClient {
    OpenAIClient::builder().with_endpoint(url).with_api_key("k").build().unwrap()
}

#[ratellmiter(limiter = limiter, tokens = (5000, 5000))]
async fn ask(limiter: &Limiter, url: &str) -> Result<CallResponse<ChatCompletionResponse>, APIError> {
    stopped(client(url).chat_completion(ChatCompletionRequest::new("gpt-4o".into(), Vec::new()))).await
}

#[tokio::test(start_paused = true)]
async fn every_refusal_is_understood_without_its_headers() {
    let understood =
        every_refusal(Lost::Headers, success(), async |limiter, url| ask(limiter, url).await.is_ok()).await;
    assert_eq!(understood, refusals().len());
}

#[test]
fn number_at_the_start_of_a_message_is_no_status() {
    for message in ["500 tokens were used: no answer", "5000: no answer"] {
        let error = APIError::CustomError { message: message.to_owned() };
        assert_ne!(judge_error(&error), Some(Verdict::transient()), "{message}");
    }
    for (message, verdict) in [
        ("429 Too Many Requests: slow down", Verdict::rate_limited()),
        ("529 <unknown status code>: Overloaded", Verdict::overloaded()),
    ] {
        let error = APIError::CustomError { message: message.to_owned() };
        assert_eq!(judge_error(&error), Some(verdict), "{message}");
    }
}

#[tokio::test(start_paused = true)]
async fn answer_settles_the_call() {
    let mut answer: Value = serde_json::from_slice(&success().body).unwrap();
    answer["usage"] = json!({ "prompt_tokens": 900, "completion_tokens": 120, "total_tokens": 1020 });
    let server = Server::start(vec![Answer::json(&answer)]);
    let limiter = budget();
    ask(&limiter, &server.url()).await.unwrap();
    assert_eq!(taken(&limiter), (1020, 0));
    let client = client(&server.url());
    let request = || client.chat_completion(ChatCompletionRequest::new("gpt-4o".into(), Vec::new()));
    limiter.runner().tokens(5000, 5000).run(|| stopped(request())).await.unwrap();
    assert_eq!(taken(&limiter), (2040, 0), "in the function form");
}

#[ratellmiter(limiter = limiter, stream)]
async fn parts(
    limiter: &Limiter,
    url: &str,
) -> Result<impl Stream<Item = Result<ChatCompletionStreamResponse, APIError>> + use<>, APIError> {
    let request = ChatCompletionStreamRequest::new("gpt-4o".into(), Vec::new());
    Ok(Box::pin(stopped(client(url).try_chat_completion_stream(request)).await?))
}

/// The error of a refused stream has the body alone.
#[tokio::test(start_paused = true)]
async fn refused_stream_is_understood_by_its_body() {
    let chunks = Answer::events(&[json!({ "choices": [{ "index": 0, "delta": { "content": "hello" } }] })]);
    let understood = every_refusal(Lost::Status, chunks, async |limiter, url| match parts(limiter, url).await {
        Ok(items) => items.count().await == 2,
        Err(_) => false,
    });
    let understood = understood.await;
    assert!(understood >= 60, "{understood} of {}", refusals().len());
}

#[ratellmiter(limiter = limiter, tokens = (5000, 5000))]
async fn respond(limiter: &Limiter, url: &str) -> Result<CallResponse<ResponseObject>, APIError> {
    stopped(client(url).create_response(CreateResponseRequest::new())).await
}

#[ratellmiter(limiter = limiter, tokens = (5000, 5000), stream)]
async fn events(limiter: &Limiter, url: &str) -> Result<impl Stream<Item = ResponseStreamResponse> + use<>, APIError> {
    Ok(Box::pin(stopped(client(url).create_response_stream(CreateResponseRequest::new())).await?))
}

fn response(status: &str, error: &Value) -> Value {
    let usage = json!({
        "input_tokens": 900, "input_tokens_details": { "cached_tokens": 0 }, "output_tokens": 120, "total_tokens": 1020
    });
    json!({ "id": "r", "object": "response", "status": status, "error": error, "usage": usage })
}

#[tokio::test(start_paused = true)]
async fn responses_api_reports_usage_and_refusals() {
    let refused = json!({ "code": "rate_limit_exceeded", "message": "Rate limit reached" });
    let answers = [response("failed", &refused), response("completed", &Value::Null)];
    let server = Server::start(answers.iter().map(Answer::json).collect());
    let limiter = budget();
    respond(&limiter, &server.url()).await.unwrap();
    assert_eq!((server.requests(), taken(&limiter)), (2, (11_020, 0)), "the refused attempt stays charged");

    let server = Server::start(vec![Answer::events(&[
        json!({ "type": "response.created", "response": { "status": "in_progress" } }),
        json!({ "type": "response.completed", "response": response("completed", &Value::Null) }),
    ])]);
    let limiter = budget();
    assert_eq!(events(&limiter, &server.url()).await.unwrap().count().await, 2);
    assert_eq!(taken(&limiter), (1020, 0));
}

#[tokio::test]
async fn refused_connection_is_transient() {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(([127, 0, 0, 1], 0).into()).unwrap();
    let url = format!("http://{}/v1", socket.local_addr().unwrap());
    let error = client(&url).chat_completion(ChatCompletionRequest::new("m".into(), Vec::new())).await.unwrap_err();
    assert_eq!(StreamItem::of(&Err::<Usage, _>(error)).verdict, Some(Verdict::transient()));
}
