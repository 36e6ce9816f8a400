//! The real `genai` client against refusals in the providers' formats, in paused time.

use std::time::Duration;

use crate::support::{
    Answer, Server, budget, taken,
    vectors::{check, refusals, success},
};
use futures::{Stream, StreamExt as _, stream::BoxStream};
use genai::{
    Client, ModelIden, ServiceTarget,
    adapter::AdapterKind,
    chat::{ChatMessage, ChatOptions, ChatRequest, ChatResponse, ChatStreamEvent},
    resolver::{AuthData, Endpoint, ServiceTargetResolver},
};
use ratellmiter_core::{Limiter, Limits, call, ratellmiter, stream::StreamItem};
use serde_json::{Value, json};
use tokio::time::Instant;

/// Returns a client without a connection pool, whose idle timers would advance the paused time during a request.
fn http() -> reqwest::Client {
    reqwest::Client::builder().pool_max_idle_per_host(0).build().unwrap()
}

fn limiter() -> Limiter {
    Limiter::new(Limits::per_minute(600_000).no_ramp())
}

fn client(url: &str) -> Client {
    client_for(AdapterKind::OpenAI, url)
}

fn client_for(provider: AdapterKind, url: &str) -> Client {
    let endpoint = Endpoint::from_owned(format!("{url}/"));
    let resolve = move |target: ServiceTarget| -> Result<ServiceTarget, genai::resolver::Error> {
        let model = ModelIden::new(provider, target.model.model_name);
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

/// Returns the error of a call that fails.
#[cfg(all(feature = "async-openai", feature = "reqwest-012", feature = "reqwest-middleware", feature = "rig"))]
pub(crate) async fn failed(url: &str) -> genai::Error {
    ask(&limiter(), &client(url)).await.unwrap_err()
}

#[tokio::test(start_paused = true)]
async fn genai_errors_preserve_every_refusal() {
    for refusal in refusals() {
        let server = Server::start(vec![refusal.answer.clone(), success()]);
        let client = client(&server.url());
        let start = Instant::now();
        let result = ask(&limiter(), &client).await;
        check(&refusal, result.is_ok(), server.requests(), start.elapsed());
        assert!(result.is_err() || result.is_ok_and(|text| text == "hello"));
    }
}

mod usage {
    use super::*;

    fn request() -> ChatRequest {
        ChatRequest::new(vec![ChatMessage::user("hi")])
    }

    #[tokio::test(start_paused = true)]
    async fn chat_response_settles_the_call() {
        #[ratellmiter(limiter = limiter, tokens = (5000, 5000))]
        async fn chat(limiter: &Limiter, client: &Client) -> genai::Result<ChatResponse> {
            assert_eq!(taken(limiter), (10_000, 1));
            client.exec_chat("gpt-4o", request(), None).await
        }
        let mut answer: Value = serde_json::from_slice(&success().body).unwrap();
        answer["usage"] = json!({ "prompt_tokens": 900, "completion_tokens": 120, "total_tokens": 1020 });
        let server = Server::start(vec![Answer::json(&answer)]);
        let limiter = budget();
        chat(&limiter, &client(&server.url())).await.unwrap();
        assert_eq!(taken(&limiter), (1020, 0));
    }

    /// Returns the bare stream, so that a refusal can be retried.
    #[ratellmiter(limiter = limiter, tokens = (5000, 5000), stream)]
    async fn chat_stream(
        limiter: &Limiter,
        client: &Client,
    ) -> genai::Result<impl Stream<Item = genai::Result<ChatStreamEvent>> + use<>> {
        let options = ChatOptions::default().with_capture_usage(true);
        Ok(client.exec_chat_stream("gpt-4o", request(), Some(&options)).await?.stream)
    }

    fn word(word: &str) -> Value {
        json!({ "choices": [{ "index": 0, "delta": { "content": word }, "finish_reason": null }] })
    }

    fn chunks() -> Answer {
        let end = json!({ "choices": [{ "index": 0, "delta": {}, "finish_reason": "stop" }] });
        let usage = json!({ "prompt_tokens": 900, "completion_tokens": 120, "total_tokens": 1020 });
        Answer::events(&[word("hel"), word("lo"), end, json!({ "choices": [], "usage": usage })])
    }

    async fn text(events: impl Stream<Item = genai::Result<ChatStreamEvent>>) -> String {
        let words = events.filter_map(|event| async {
            match event.unwrap() {
                ChatStreamEvent::Chunk(chunk) => Some(chunk.content),
                _ => None,
            }
        });
        words.collect().await
    }

    /// `genai` yields a `Start` event before it sends the request, so the event after it decides about a retry.
    #[tokio::test(start_paused = true)]
    async fn chat_stream_is_retried_and_settles_at_end() {
        for refusal in refusals() {
            let server = Server::start(vec![refusal.answer.clone(), chunks()]);
            let client = client(&server.url());
            let limiter = budget();
            let start = Instant::now();
            let events = chat_stream(&limiter, &client).await.unwrap();
            let is_retried = server.requests() == 2;
            check(&refusal, is_retried, server.requests(), start.elapsed());
            if is_retried {
                // The refused attempt stays charged for a minute.
                let refused = if start.elapsed() < Duration::from_mins(1) { 10_000 } else { 0 };
                assert_eq!(taken(&limiter), (refused + 10_000, 1), "{}", refusal.id);
                assert_eq!((text(events).await.as_str(), taken(&limiter)), ("hello", (refused + 1020, 0)));
            } else {
                let events: Vec<_> = events.collect().await;
                assert!(matches!(&events[..], [Ok(ChatStreamEvent::Start), Err(_)]), "{}", refusal.id);
                assert_eq!(taken(&limiter).1, 0);
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn error_event_in_stream_is_a_refusal() {
        let openai = json!({ "error": { "message": "Slow down", "type": "tokens", "code": "rate_limit_exceeded" } });
        let anthropic = json!({ "type": "error", "error": { "type": "overloaded_error", "message": "Overloaded" } });
        let start = json!({ "type": "message_start", "message": {
            "role": "assistant", "content": [], "model": "claude", "usage": { "input_tokens": 25, "output_tokens": 1 }
        }});
        let delta = json!({
            "type": "content_block_delta", "index": 0, "delta": { "type": "text_delta", "text": "hel" }
        });
        for (provider, events) in
            [(AdapterKind::OpenAI, vec![word("hel"), openai]), (AdapterKind::Anthropic, vec![start, delta, anthropic])]
        {
            let server = Server::start(vec![Answer::events(&events)]);
            let limiter = budget();
            let events: Vec<_> =
                chat_stream(&limiter, &client_for(provider, &server.url())).await.unwrap().collect().await;
            // Some adapters yield further events after the error.
            let refused = |event: &Result<_, _>| matches!(event, Err(genai::Error::ChatResponse { .. }));
            assert!(events.iter().any(refused), "{events:?}");
            assert!(limiter.snapshot().paused_until.is_some(), "{provider}");
            assert_eq!((server.requests(), taken(&limiter).1), (1, 0));
        }
    }

    /// The function returns before `genai` sends the request, so a refusal is not retried: the caller receives it and the
    /// limiter pauses.
    #[tokio::test(start_paused = true)]
    async fn struct_with_held_stream_keeps_call_ticket() {
        struct Reply {
            model: ModelIden,
            events: BoxStream<'static, genai::Result<ChatStreamEvent>>,
        }
        #[ratellmiter(limiter = limiter, tokens = (5000, 5000))]
        async fn reply(limiter: &Limiter, client: &Client) -> genai::Result<Reply> {
            let options = ChatOptions::default().with_capture_usage(true);
            let response = client.exec_chat_stream("gpt-4o", request(), Some(&options)).await?;
            let events = call::attach(response.stream).usage_from(StreamItem::of);
            Ok(Reply { model: response.model_iden, events: events.boxed() })
        }
        let server = Server::start(vec![chunks(), Answer::new(429, &[], "")]);
        let (limiter, client) = (budget(), client(&server.url()));
        let completed = reply(&limiter, &client).await.unwrap();
        assert_eq!((&*completed.model.model_name, taken(&limiter)), ("gpt-4o", (10_000, 1)));
        assert_eq!((text(completed.events).await.as_str(), taken(&limiter)), ("hello", (1020, 0)));
        let refused = reply(&limiter, &client).await.unwrap();
        assert!(refused.events.any(|event| async move { event.is_err() }).await);
        assert!(limiter.snapshot().paused_until.is_some() && taken(&limiter).1 == 0);
    }
}
