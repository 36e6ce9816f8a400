//! The real `genai` against provider-shaped refusals, in paused time.

#![cfg(feature = "genai")]

mod support;

use std::num::NonZeroU32;

use genai::{
    Client, ModelIden, ServiceTarget,
    adapter::AdapterKind,
    chat::{ChatMessage, ChatRequest},
    resolver::{AuthData, Endpoint, ServiceTargetResolver},
};
use ratellmiter_core::{Limiter, Limits, ratellmiter};
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

fn client(url: &str) -> Client {
    let endpoint = Endpoint::from_owned(format!("{url}/"));
    let resolve = move |target: ServiceTarget| -> Result<ServiceTarget, genai::resolver::Error> {
        let model = ModelIden::new(AdapterKind::OpenAI, target.model.model_name);
        Ok(ServiceTarget { endpoint: endpoint.clone(), auth: AuthData::from_single("k"), model })
    };
    let resolver = ServiceTargetResolver::from_resolver_fn(resolve);
    Client::builder().with_reqwest(http()).with_service_target_resolver(resolver).build().unwrap()
}

#[ratellmiter(limiter = limiter)]
async fn ask(limiter: &Limiter, client: &Client) -> Result<String, genai::Error> {
    let request = ChatRequest::new(vec![ChatMessage::user("hi")]);
    let response = client.exec_chat("gpt-4o", request, None).await?;
    Ok(response.first_text().unwrap_or_default().to_owned())
}

#[tokio::test(start_paused = true)]
async fn its_error_has_all_that_is_needed() {
    for refusal in refusals() {
        let server = Server::start(vec![refusal.answer.clone(), success()]);
        let client = client(&server.url());
        let start = Instant::now();
        let result = ask(&limiter(), &client).await;
        check(&refusal, result.is_ok(), server.requests(), start.elapsed());
        assert!(result.is_err() || result.is_ok_and(|text| text == "hello"));
    }
}
