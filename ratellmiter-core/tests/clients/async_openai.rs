//! The real `async-openai` client against refusals in the providers' formats, in paused time.

use std::sync::atomic::{AtomicUsize, Ordering};

use crate::support::{
    Answer, Server, budget, taken,
    vectors::{check, example, refusals, success},
};
use async_openai::{
    Client,
    config::OpenAIConfig,
    error::OpenAIError,
    types::{
        chat::{
            ChatCompletionRequestUserMessage, ChatCompletionResponseStream, ChatCompletionStreamOptions,
            CreateChatCompletionRequestArgs, CreateChatCompletionResponse,
        },
        responses::{self, CreateResponseArgs, ResponseStream, ResponseStreamEvent},
    },
};
use futures::StreamExt as _;
use ratellmiter_core::{Limiter, Limits, observe::openai_service, ratellmiter};
use serde_json::{Value, json};
use tokio::time::Instant;

/// Returns a client without a connection pool, whose idle timers would advance the paused time during a request.
fn http() -> reqwest::Client {
    reqwest::Client::builder().pool_max_idle_per_host(0).build().unwrap()
}

fn limiter() -> Limiter {
    Limiter::new(Limits::per_minute(600_000).no_ramp())
}

fn client(url: &str) -> Client<OpenAIConfig> {
    Client::with_config(OpenAIConfig::new().with_api_base(url).with_api_key("k"))
}

#[ratellmiter(limiter = limiter)]
async fn ask(limiter: &Limiter, client: &Client<OpenAIConfig>) -> Result<String, OpenAIError> {
    let message = ChatCompletionRequestUserMessage::from("hi");
    let request = CreateChatCompletionRequestArgs::default().model("gpt-4o").messages([message.into()]).build()?;
    let response = client.chat().create(request).await?;
    Ok(response.choices[0].message.content.clone().unwrap_or_default())
}

/// Returns the error of a call that fails.
#[cfg(all(feature = "genai", feature = "reqwest-012", feature = "reqwest-middleware", feature = "rig"))]
pub(crate) async fn failed(url: &str) -> OpenAIError {
    let client = client(url).with_http_service(openai_service(http()));
    ask(&limiter(), &client).await.unwrap_err()
}

#[tokio::test(start_paused = true)]
async fn openai_service_preserves_refusals_without_own_retries() {
    for refusal in refusals() {
        let server = Server::start(vec![refusal.answer.clone(), success()]);
        let client = client(&server.url()).with_http_service(openai_service(http()));
        let start = Instant::now();
        let result = ask(&limiter(), &client).await;
        check(&refusal, result.is_ok(), server.requests(), start.elapsed());
        assert!(result.is_err() || result.is_ok_and(|text| text == "hello"));
    }
}

/// The client's own service sends four requests per attempt, which is why `openai_service` and the warning exist.
#[tokio::test(start_paused = true)]
async fn default_service_multiplies_requests() {
    #[ratellmiter(limiter = limiter, max_attempts = 1)]
    async fn ask_once(
        limiter: &Limiter,
        client: &Client<OpenAIConfig>,
        attempts: &AtomicUsize,
    ) -> Result<String, OpenAIError> {
        attempts.fetch_add(1, Ordering::SeqCst);
        let message = ChatCompletionRequestUserMessage::from("hi");
        let request = CreateChatCompletionRequestArgs::default().model("gpt-4o").messages([message.into()]).build()?;
        Ok(client.chat().create(request).await?.id)
    }
    let refused = refusals().into_iter().find(|refusal| refusal.id == "openai-tpm-no-headers").unwrap();
    let server = Server::start(vec![refused.answer]);
    let attempts = AtomicUsize::new(0);
    ask_once(&limiter(), &client(&server.url()), &attempts).await.unwrap_err();
    assert_eq!((attempts.load(Ordering::SeqCst), server.requests()), (1, 4));
}

/// The Responses API reports some refusals in a response with status 200.
#[tokio::test(start_paused = true)]
async fn refusal_in_response_200_is_retried() {
    #[ratellmiter(limiter = limiter)]
    async fn respond(limiter: &Limiter, client: &Client<OpenAIConfig>) -> Result<responses::Response, OpenAIError> {
        let request = CreateResponseArgs::default().model("gpt-4o").input("hi").build()?;
        client.responses().create(request).await
    }
    let answer = |status: &str, error: Value| {
        let body = json!({
            "id": "resp_1", "object": "response", "created_at": 1_795_502_400, "model": "gpt-4o", "output": [],
            "status": status, "error": error
        });
        Answer::new(200, &[("content-type", "application/json")], body.to_string())
    };
    // A failure of the server has no hint: the message is not read.
    let sent_again = [("rate_limit_exceeded", 2, 3), ("server_error", 2, 0)];
    for (code, requests, seconds) in
        sent_again.into_iter().chain([("insufficient_quota", 1, 0), ("invalid_prompt", 1, 0)])
    {
        let error = json!({ "code": code, "message": "Rate limit reached. Please try again in 3s." });
        let server = Server::start(vec![answer("failed", error), answer("completed", Value::Null)]);
        let client = client(&server.url()).with_http_service(openai_service(http()));
        let start = Instant::now();
        let response = respond(&limiter(), &client).await.unwrap();
        assert_eq!((response.error.is_none(), server.requests()), (requests == 2, requests), "{code}");
        assert_eq!(start.elapsed().as_secs(), seconds, "{code}");
    }
}

mod usage {
    use super::*;

    fn server_and_client(answers: Vec<Answer>) -> (Server, Client<OpenAIConfig>) {
        let server = Server::start(answers);
        let client = client(&server.url()).with_http_service(openai_service(http()));
        (server, client)
    }

    fn messages() -> [async_openai::types::chat::ChatCompletionRequestMessage; 1] {
        [ChatCompletionRequestUserMessage::from("hi").into()]
    }

    #[tokio::test(start_paused = true)]
    async fn chat_completion_settles_the_call() {
        #[ratellmiter(limiter = limiter, tokens = (5000, 5000))]
        async fn chat(
            limiter: &Limiter,
            client: &Client<OpenAIConfig>,
        ) -> Result<CreateChatCompletionResponse, OpenAIError> {
            assert_eq!(taken(limiter), (10_000, 1));
            let request = CreateChatCompletionRequestArgs::default().model("gpt-4o").messages(messages()).build()?;
            client.chat().create(request).await
        }
        let mut answer: Value = serde_json::from_slice(&success().body).unwrap();
        answer["usage"] = json!({ "prompt_tokens": 900, "completion_tokens": 120, "total_tokens": 1020 });
        let (_server, client) = server_and_client(vec![Answer::json(&answer)]);
        let limiter = budget();
        chat(&limiter, &client).await.unwrap();
        assert_eq!(taken(&limiter), (1020, 0));
    }

    fn response(status: &str) -> Value {
        json!({
            "id": "resp_1", "object": "response", "created_at": 1_795_502_400, "model": "gpt-4o", "output": [],
            "status": status,
        })
    }

    /// Returns a finished response with its usage.
    fn response_with_usage(status: &str) -> Value {
        let mut ended = response(status);
        ended["usage"] = json!({
            "input_tokens": 900, "input_tokens_details": { "cached_tokens": 400, "cache_write_tokens": 0 },
            "output_tokens": 120, "output_tokens_details": { "reasoning_tokens": 100 }, "total_tokens": 1020
        });
        ended
    }

    #[tokio::test(start_paused = true)]
    async fn response_settles_the_call() {
        #[ratellmiter(limiter = limiter, tokens = (5000, 5000))]
        async fn respond(limiter: &Limiter, client: &Client<OpenAIConfig>) -> Result<responses::Response, OpenAIError> {
            let request = CreateResponseArgs::default().model("gpt-4o").input("hi").build()?;
            client.responses().create(request).await
        }
        let (_server, client) = server_and_client(vec![Answer::json(&response_with_usage("completed"))]);
        let limiter = budget();
        respond(&limiter, &client).await.unwrap();
        assert_eq!(taken(&limiter), (1020, 0));
    }

    #[ratellmiter(limiter = limiter, tokens = (5000, 5000), stream)]
    async fn chat_stream(
        limiter: &Limiter,
        client: &Client<OpenAIConfig>,
    ) -> Result<ChatCompletionResponseStream, OpenAIError> {
        let options = ChatCompletionStreamOptions { include_usage: Some(true), include_obfuscation: None };
        let request = CreateChatCompletionRequestArgs::default()
            .model("gpt-4o")
            .messages(messages())
            .stream_options(options)
            .build()?;
        client.chat().create_stream(request).await
    }

    fn chunk(choices: &Value, usage: &Value) -> Value {
        json!({
            "id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1_795_502_400, "model": "gpt-4o",
            "choices": choices, "usage": usage
        })
    }

    fn word(word: &str) -> Value {
        chunk(&json!([{ "index": 0, "delta": { "content": word }, "finish_reason": null }]), &Value::Null)
    }

    fn chunks() -> Answer {
        let usage = json!({ "prompt_tokens": 900, "completion_tokens": 120, "total_tokens": 1020 });
        Answer::events(&[word("hel"), word("lo"), chunk(&json!([]), &usage)])
    }

    #[tokio::test(start_paused = true)]
    async fn chat_stream_is_retried_and_settles_at_end() {
        let (server, client) = server_and_client(vec![example(), chunks()]);
        let limiter = budget();
        let start = Instant::now();
        let mut answer = chat_stream(&limiter, &client).await.unwrap();
        assert_eq!(
            (server.requests(), start.elapsed().as_millis() / 100),
            (2, 7),
            "after the `Retry-After` of the refusal"
        );
        let mut text = String::new();
        while let Some(item) = answer.next().await {
            assert!(taken(&limiter).1 == 1 || text == "hello");
            text.extend(item.unwrap().choices.iter().filter_map(|choice| choice.delta.content.clone()));
        }
        assert_eq!((text.as_str(), taken(&limiter)), ("hello", (11_020, 0)), "the refused attempt stays charged");
    }

    /// The client cannot parse such an item and returns its text in an error.
    #[tokio::test(start_paused = true)]
    async fn error_item_in_stream_is_a_refusal() {
        let refused = json!({ "error": {
            "message": "Rate limit reached. Please try again in 3s.", "type": "tokens", "code": "rate_limit_exceeded"
        }});
        let (server, client) = server_and_client(vec![Answer::events(std::slice::from_ref(&refused)), chunks()]);
        let limiter = budget();
        let start = Instant::now();
        let items: Vec<_> = chat_stream(&limiter, &client).await.unwrap().collect().await;
        assert_eq!(
            (server.requests(), start.elapsed().as_secs(), items.len()),
            (2, 3, 3),
            "an error as the first item is retried"
        );

        let (server, client) = server_and_client(vec![Answer::events(&[word("hel"), refused])]);
        let items: Vec<_> = chat_stream(&limiter, &client).await.unwrap().collect().await;
        assert!(matches!(&items[..], [Ok(_), Err(OpenAIError::JSONDeserialize(..))]), "the caller receives it");
        assert!(limiter.snapshot().paused_until.is_some());
        assert_eq!((server.requests(), taken(&limiter).1), (1, 0));
    }

    #[ratellmiter(limiter = limiter, tokens = (5000, 5000), stream)]
    async fn response_events(limiter: &Limiter, client: &Client<OpenAIConfig>) -> Result<ResponseStream, OpenAIError> {
        let request = CreateResponseArgs::default().model("gpt-4o").input("hi").build()?;
        client.responses().create_stream(request).await
    }

    fn event(kind: &str, response: &Value) -> Value {
        json!({ "type": kind, "sequence_number": 0, "response": response })
    }

    #[tokio::test(start_paused = true)]
    async fn response_events_carry_usage_and_refusals() {
        let created = event("response.created", &response("in_progress"));
        for (kind, status) in [("response.completed", "completed"), ("response.incomplete", "incomplete")] {
            let (_server, client) =
                server_and_client(vec![Answer::events(&[created.clone(), event(kind, &response_with_usage(status))])]);
            let limiter = budget();
            assert_eq!(response_events(&limiter, &client).await.unwrap().count().await, 2);
            assert_eq!(taken(&limiter), (1020, 0), "{kind}");
        }
        let mut failed = response("failed");
        failed["error"] = json!({ "code": "rate_limit_exceeded", "message": "Slow down" });
        let error = json!({
            "type": "error", "sequence_number": 1, "code": "server_is_overloaded", "message": "busy", "param": null
        });
        for last in [event("response.failed", &failed), error] {
            let (server, client) = server_and_client(vec![Answer::events(&[created.clone(), last])]);
            let limiter = budget();
            let events: Vec<_> = response_events(&limiter, &client).await.unwrap().collect().await;
            let last = events[1].as_ref().unwrap();
            assert!(matches!(last, ResponseStreamEvent::ResponseFailed(_) | ResponseStreamEvent::ResponseError(_)));
            assert!(limiter.snapshot().paused_until.is_some(), "{last:?}");
            assert_eq!((server.requests(), taken(&limiter).1), (1, 0));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn function_form_settles_the_usage_of_an_answer() {
    let server = Server::start(vec![success()]);
    let client = client(&server.url()).with_http_service(openai_service(http()));
    let limiter = budget();
    let message = ChatCompletionRequestUserMessage::from("hi");
    let request =
        CreateChatCompletionRequestArgs::default().model("gpt-4o").messages([message.into()]).build().unwrap();
    let answer = limiter.run(async || client.chat().create(request.clone()).await).await.unwrap();
    assert_eq!(answer.usage.map(|usage| usage.total_tokens), Some(2));
    assert_eq!(taken(&limiter), (2, 0));
}
