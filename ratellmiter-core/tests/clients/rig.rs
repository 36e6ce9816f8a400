//! The real `rig-core` client against refusals in the providers' formats, in paused time.

use crate::support::{
    Answer, Server, budget, taken,
    vectors::{check, refusals, success},
};
use ratellmiter_core::{Limiter, Limits, ratellmiter};
use rig_core::{
    completion::{CompletionRequest, CompletionResponse},
    error::ProviderError,
    providers::openai::OpenAIConfig,
};
use serde_json::{Value, json};
use tokio::time::Instant;

/// Returns a client without a connection pool, whose idle timers would advance the paused time during a request.
fn http() -> reqwest::Client {
    reqwest::Client::builder().pool_max_idle_per_host(0).build().unwrap()
}

fn limiter() -> Limiter {
    Limiter::new(Limits::per_minute(600_000).no_ramp())
}

#[ratellmiter(limiter = limiter)]
async fn ask(limiter: &Limiter, url: &str) -> Result<String, ProviderError> {
    let http = rig_reqwest::ReqwestClient::from(http());
    let mut config = OpenAIConfig::new("k");
    url.clone_into(&mut config.base_url);
    let model = config.connect(http).chat("gpt-4o");
    Ok(model.call(CompletionRequest::new("hi")).await?.text())
}

/// Returns the error of a call that fails.
#[cfg(all(feature = "async-openai", feature = "genai", feature = "reqwest-012", feature = "reqwest-middleware"))]
pub(crate) async fn failed(url: &str) -> ProviderError {
    ask(&limiter(), url).await.unwrap_err()
}

#[tokio::test(start_paused = true)]
async fn rig_errors_preserve_every_refusal() {
    for refusal in refusals() {
        let server = Server::start(vec![refusal.answer.clone(), success()]);
        let start = Instant::now();
        let result = ask(&limiter(), &server.url()).await;
        check(&refusal, result.is_ok(), server.requests(), start.elapsed());
        assert!(result.is_err() || result.is_ok_and(|text| text == "hello"));
    }
}

#[tokio::test(start_paused = true)]
async fn completion_response_settles_the_call() {
    #[ratellmiter(limiter = limiter, tokens = (5000, 5000))]
    async fn complete(limiter: &Limiter, url: &str) -> Result<CompletionResponse, ProviderError> {
        assert_eq!(taken(limiter), (10_000, 1));
        let http = rig_reqwest::ReqwestClient::from(http());
        let mut config = OpenAIConfig::new("k");
        url.clone_into(&mut config.base_url);
        config.connect(http).chat("gpt-4o").call(CompletionRequest::new("hi")).await
    }
    let mut answer: Value = serde_json::from_slice(&success().body).unwrap();
    answer["usage"] = json!({ "prompt_tokens": 900, "completion_tokens": 120, "total_tokens": 1020 });
    let server = Server::start(vec![Answer::json(&answer)]);
    let limiter = budget();
    complete(&limiter, &server.url()).await.unwrap();
    assert_eq!(taken(&limiter), (1020, 0));
}
