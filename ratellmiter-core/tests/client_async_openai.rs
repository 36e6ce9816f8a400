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
    types::chat::{ChatCompletionRequestUserMessage, CreateChatCompletionRequestArgs},
};
use ratellmiter_core::{Limiter, Limits, ratellmiter, transport::openai_service};
use support::{
    Server,
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
