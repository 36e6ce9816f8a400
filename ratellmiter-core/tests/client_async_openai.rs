//! The real `async-openai` against provider-shaped refusals, in paused time.

#![cfg(feature = "async-openai")]

mod support;

use std::{
    num::NonZeroU32,
    sync::atomic::{AtomicUsize, Ordering},
};

use async_openai::{
    Client,
    config::OpenAIConfig,
    error::OpenAIError,
    types::{
        chat::{ChatCompletionRequestUserMessage, CreateChatCompletionRequestArgs},
        responses::{self, CreateResponseArgs},
    },
};
use ratellmiter_core::{Limiter, Limits, ratellmiter, transport::openai_service};
use support::{
    Answer, Server,
    vectors::{check, refusals, success},
};
use tokio::time::Instant;

/// A pool's idle timers would have paused time jump while the server answers.
fn http() -> reqwest::Client {
    reqwest::Client::builder().pool_max_idle_per_host(0).build().unwrap()
}

fn limiter() -> Limiter {
    Limiter::new(Limits::per_minute(NonZeroU32::new(600_000).unwrap()).no_ramp())
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

#[tokio::test(start_paused = true)]
async fn with_our_service_nothing_is_lost_and_nobody_else_tries_again() {
    for refusal in refusals() {
        let server = Server::start(vec![refusal.answer.clone(), success()]);
        let client = client(&server.url()).with_http_service(openai_service(http()));
        let start = Instant::now();
        let result = ask(&limiter(), &client).await;
        check(&refusal, result.is_ok(), server.requests(), start.elapsed());
        assert!(result.is_err() || result.is_ok_and(|text| text == "hello"));
    }
}

/// What happens without it: four requests for each of our attempts. The reason for the service, and for the warning.
#[tokio::test(start_paused = true)]
async fn the_clients_own_service_multiplies_requests() {
    #[ratellmiter(limiter = limiter, max_attempts = 1)]
    async fn counted(
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
    counted(&limiter(), &client(&server.url()), &attempts).await.unwrap_err();
    assert_eq!((attempts.load(Ordering::SeqCst), server.requests()), (1, 4));
}

/// The Responses API refuses inside of a success.
#[tokio::test(start_paused = true)]
async fn a_refusal_inside_of_a_200_is_tried_again() {
    #[ratellmiter(limiter = limiter)]
    async fn respond(limiter: &Limiter, client: &Client<OpenAIConfig>) -> Result<responses::Response, OpenAIError> {
        let request = CreateResponseArgs::default().model("gpt-4o").input("hi").build()?;
        client.responses().create(request).await
    }
    let answer = |status: &str, error: serde_json::Value| {
        let body = serde_json::json!({
            "id": "resp_1", "object": "response", "created_at": 1_795_502_400, "model": "gpt-4o", "output": [],
            "status": status, "error": error
        });
        Answer::new(200, &[("content-type", "application/json")], body.to_string())
    };
    for (code, requests) in [("rate_limit_exceeded", 2), ("insufficient_quota", 1), ("server_error", 1)] {
        let error = serde_json::json!({ "code": code, "message": "Rate limit reached. Please try again in 3s." });
        let server = Server::start(vec![answer("failed", error), answer("completed", serde_json::Value::Null)]);
        let client = client(&server.url()).with_http_service(openai_service(http()));
        let start = Instant::now();
        let response = respond(&limiter(), &client).await.unwrap();
        assert_eq!((response.error.is_none(), server.requests()), (requests == 2, requests), "{code}");
        assert_eq!(start.elapsed().as_secs() == 3, requests == 2, "{code}");
    }
}
