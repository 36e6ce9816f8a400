//! The real `reqwest`, both majors, and `reqwest-middleware`, against provider-shaped refusals. Time is paused: the pauses
//! are those of the hints, and take no time.

use crate::support::{
    Answer, Server, budget, taken,
    vectors::{check, example, refusals, success},
};
use futures::{Stream, StreamExt as _, TryStreamExt as _, stream};
use ratellmiter_core::{
    Limiter, Limits, Usage,
    classify::{LlmResponseExt as _, ResponseError},
    observe::ObserveMiddleware,
    ratellmiter,
};
use serde_json::{Value, json};
use tokio::time::Instant;

fn limiter() -> Limiter {
    Limiter::new(Limits::per_minute(600_000).no_ramp())
}

#[derive(Debug, thiserror::Error)]
enum AskError {
    /// Hides its source from the chain.
    #[error(transparent)]
    Http(#[from] reqwest::Error),
    #[error(transparent)]
    Refused(#[from] ResponseError),
    #[error(transparent)]
    Middleware(#[from] reqwest_middleware::Error),
    #[error(transparent)]
    Old(#[from] reqwest_012::Error),
}

/// Any client as a function from an address to a text, called for every refusal of the vectors.
macro_rules! each_refusal {
    ($ask:path) => {
        for refusal in refusals() {
            let server = Server::start(vec![refusal.answer.clone(), success()]);
            let start = Instant::now();
            let result = $ask(&limiter(), &server.url()).await;
            check(&refusal, result.is_ok(), server.requests(), start.elapsed());
            if let Ok(text) = result {
                assert!(text.contains("hello"), "{text}");
            }
        }
    };
}

#[ratellmiter(limiter = limiter)]
async fn checked(limiter: &Limiter, url: &str) -> Result<String, AskError> {
    Ok(reqwest::get(url).await?.error_for_refusal().await?.text().await?)
}

#[ratellmiter(limiter = limiter)]
async fn checked_anyhow(limiter: &Limiter, url: &str) -> anyhow::Result<String> {
    let response = reqwest_012::get(url).await?;
    Ok(response.error_for_refusal().await?.text().await?)
}

#[tokio::test(start_paused = true)]
async fn a_checked_response_loses_nothing() {
    each_refusal!(checked);
    each_refusal!(checked_anyhow);
}

/// Another provider is asked when the first refuses, and fails for a reason of its own.
#[ratellmiter(limiter = limiter)]
async fn with_fallback(limiter: &Limiter, first: &str, second: &str) -> Result<u32, AskError> {
    if let Ok(response) = reqwest::get(first).await?.error_for_refusal().await {
        return Ok(response.text().await?.len().try_into().unwrap());
    }
    Ok(reqwest::get(second).await?.error_for_refusal().await?.json().await?)
}

#[tokio::test(start_paused = true)]
async fn a_refusal_that_was_got_over_is_none() {
    let (first, second) = (Server::start(vec![Answer::new(429, &[], "")]), Server::start(vec![success()]));
    with_fallback(&limiter(), &first.url(), &second.url()).await.unwrap_err();
    assert_eq!((first.requests(), second.requests()), (1, 1), "the second's answer is no number");
}

#[ratellmiter(limiter = limiter)]
async fn response(limiter: &Limiter, url: &str) -> Result<reqwest::Response, AskError> {
    Ok(reqwest::get(url).await?)
}

#[ratellmiter(limiter = limiter)]
async fn response_012(limiter: &Limiter, url: &str) -> Result<reqwest_012::Response, AskError> {
    Ok(reqwest_012::get(url).await?)
}

#[tokio::test(start_paused = true)]
async fn a_response_in_ok_carries_its_refusal_and_its_hint() {
    for round in 0..2 {
        let server = Server::start(vec![Answer::new(429, &[("retry-after", "7")], ""), success()]);
        let start = Instant::now();
        let status = match round {
            0 => response(&limiter(), &server.url()).await.unwrap().status().as_u16(),
            _ => response_012(&limiter(), &server.url()).await.unwrap().status().as_u16(),
        };
        assert_eq!((status, server.requests(), start.elapsed().as_secs()), (200, 2, 7));
    }
}

#[ratellmiter(limiter = limiter)]
async fn transparent(limiter: &Limiter, url: &str) -> Result<String, AskError> {
    let client = reqwest_middleware::ClientBuilder::new(reqwest::Client::new()).with(ObserveMiddleware::new()).build();
    Ok(client.get(url).send().await?.error_for_status()?.text().await?)
}

#[tokio::test(start_paused = true)]
async fn where_the_chain_hides_the_error_the_transport_has_seen_it() {
    // The status and the headers are all there is: nothing of the body.
    for (answer, seconds) in [(Answer::new(429, &[("retry-after", "7")], ""), 7), (Answer::new(529, &[], ""), 2)] {
        let server = Server::start(vec![answer, success()]);
        let start = Instant::now();
        assert!(transparent(&limiter(), &server.url()).await.is_ok());
        assert_eq!((server.requests(), start.elapsed().as_secs()), (2, seconds));
    }
}

#[cfg(feature = "tower")]
#[ratellmiter(limiter = limiter)]
async fn through_tower(limiter: &Limiter, url: &str) -> Result<String, AskError> {
    use tower_layer::Layer as _;
    use tower_service::Service as _;

    let mut service = ratellmiter_core::observe::ObserveLayer::new().layer(reqwest::Client::new());
    let request = reqwest::Request::new(reqwest::Method::GET, url.parse().unwrap());
    Ok(service.call(request).await?.error_for_status()?.text().await?)
}

#[cfg(feature = "tower")]
#[tokio::test(start_paused = true)]
async fn a_tower_layer_keeps_the_hint_that_the_error_loses() {
    let server = Server::start(vec![Answer::new(429, &[("retry-after", "7")], ""), success()]);
    let start = Instant::now();
    assert!(through_tower(&limiter(), &server.url()).await.is_ok());
    assert_eq!((server.requests(), start.elapsed().as_secs()), (2, 7));
}

#[ratellmiter(limiter = limiter)]
async fn spawned(limiter: &Limiter, observer: ObserveMiddleware, url: &str) -> Result<String, AskError> {
    let client = reqwest_middleware::ClientBuilder::new(reqwest::Client::new()).with(observer).build();
    let request = client.get(url);
    let answer = async move { request.send().await?.error_for_status()?.text().await.map_err(AskError::from) };
    tokio::spawn(answer).await.unwrap()
}

#[tokio::test(start_paused = true)]
async fn an_observer_with_a_limiter_hears_of_spawned_requests() {
    let server = Server::start(vec![Answer::new(429, &[("retry-after", "7")], "")]);
    let limiter = limiter();
    let observer = ObserveMiddleware::new().limiter(limiter.clone());
    spawned(&limiter, observer, &server.url()).await.unwrap_err();
    assert!(limiter.snapshot().paused_until.is_some());
}

#[tokio::test(start_paused = true)]
async fn garbage_is_a_failure_or_a_refusal_but_never_a_panic_or_a_hang() {
    let long = "x".repeat(10 << 20);
    for (answer, retried) in [
        (Answer::new(429, &[], b"\xff\xfe\x00half a bo".to_vec()), true),
        (Answer::new(429, &[], long.clone()), true),
        (Answer::new(429, &[("retry-after", "Tue, 24 Nov 2020 06:39:00 GMT")], "{"), true),
        (Answer::new(429, &[("retry-after", "-5")], "[]"), true),
        (Answer::new(429, &[("retry-after", "31536000")], ""), false),
        (Answer::new(500, &[], long), false),
        (Answer::new(404, &[], "HTTP 429 Too Many Requests, retry after 3 s"), false),
    ] {
        let server = Server::start(vec![answer, success()]);
        let result = checked(&limiter(), &server.url()).await;
        assert_eq!((result.is_ok(), server.requests()), if retried { (true, 2) } else { (false, 1) });
        if let Err(AskError::Refused(error)) = result {
            assert!(error.body.len() <= 48 << 10);
            assert!(error.to_string().starts_with("the server answered "));
        }
    }
    let talk = Server::start(vec![Answer::new(200, &[], "the page said 429 Too Many Requests")]);
    assert!(checked(&limiter(), &talk.url()).await.is_ok());
    assert_eq!(talk.requests(), 1);
}

mod usage {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_body_settles_its_call_whoever_wrote_it() {
        #[ratellmiter(limiter = limiter, tokens = (5000, 5000))]
        async fn body(limiter: &Limiter, url: &str) -> Result<Value, AskError> {
            assert_eq!(taken(limiter), (10_000, 1));
            Ok(reqwest::get(url).await?.error_for_refusal().await?.json().await?)
        }
        for (name, answer) in [
            ("openai", json!({ "choices": [], "usage": { "prompt_tokens": 900, "completion_tokens": 120 } })),
            (
                "anthropic",
                json!({ "content": [], "usage": {
                    "input_tokens": 100, "cache_read_input_tokens": 800, "output_tokens": 120
                }}),
            ),
            (
                "gemini",
                json!({ "candidates": [], "usageMetadata": {
                    "promptTokenCount": 900, "candidatesTokenCount": 20, "thoughtsTokenCount": 100
                }}),
            ),
        ] {
            let server = Server::start(vec![Answer::json(&answer)]);
            let limiter = budget();
            body(&limiter, &server.url()).await.unwrap();
            assert_eq!(taken(&limiter), (1020, 0), "{name}");
        }
    }

    /// What is read of a piece of a body. An event that two pieces share is not found: see [`events`].
    fn told(piece: &impl AsRef<[u8]>) -> Option<Usage> {
        Usage::from_text(std::str::from_utf8(piece.as_ref()).ok()?)
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_streams_keeps_its_ticket_and_settles() {
        #[ratellmiter(limiter = limiter, tokens = (5000, 5000), stream, usage = told)]
        async fn pieces(
            limiter: &Limiter,
            url: &str,
        ) -> Result<impl Stream<Item = reqwest::Result<impl AsRef<[u8]> + use<>>> + use<>, AskError> {
            Ok(reqwest::get(url).await?.error_for_refusal().await?.bytes_stream())
        }
        let end = json!({ "choices": [], "usage": { "prompt_tokens": 900, "completion_tokens": 120 } });
        let server = Server::start(vec![example(), Answer::events(&[json!({ "choices": [] }), end])]);
        let limiter = budget();
        let start = Instant::now();
        let pieces = pieces(&limiter, &server.url()).await.unwrap();
        assert_eq!((server.requests(), start.elapsed().as_millis() / 100), (2, 7), "the hint of the refusal");
        assert_eq!(taken(&limiter), (20_000, 1), "what was refused stays charged");
        let body: Vec<_> = pieces.map_ok(|piece| piece.as_ref().to_vec()).try_collect().await.unwrap();
        assert!(String::from_utf8(body.concat()).unwrap().ends_with("data: [DONE]\n\n"));
        assert_eq!(taken(&limiter), (11_020, 0));
    }

    /// The events of a body, whole, however it comes in pieces.
    fn events(response: reqwest::Response) -> impl Stream<Item = Result<Value, AskError>> {
        let pieces = response.bytes_stream().map_err(AskError::from);
        let events = pieces.scan(Vec::new(), |rest: &mut Vec<u8>, piece| {
            let events = piece.map(|piece| {
                rest.extend_from_slice(&piece);
                let end = rest.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
                let lines: Vec<u8> = rest.drain(..end).collect();
                let data = lines.split(|byte| *byte == b'\n').filter_map(|line| line.strip_prefix(b"data: "));
                data.filter_map(|data| serde_json::from_slice(data).ok()).collect::<Vec<Value>>()
            });
            std::future::ready(Some(events))
        });
        events.map_ok(|events| stream::iter(events.into_iter().map(Ok))).try_flatten()
    }

    #[ratellmiter(limiter = limiter, tokens = (5000, 5000), stream)]
    async fn messages(
        limiter: &Limiter,
        url: &str,
    ) -> Result<impl Stream<Item = Result<Value, AskError>> + use<>, AskError> {
        Ok(events(reqwest::get(url).await?.error_for_refusal().await?))
    }

    fn message_start() -> Value {
        json!({ "type": "message_start", "message": { "usage": { "input_tokens": 900, "output_tokens": 1 } } })
    }

    #[tokio::test(start_paused = true)]
    async fn anthropics_events_tell_the_input_first_and_the_output_last() {
        let end = json!({ "type": "message_delta", "delta": {}, "usage": { "output_tokens": 120 } });
        let stop = json!({ "type": "message_stop" });
        let server = Server::start(vec![Answer::events(&[message_start(), json!({ "type": "ping" }), end, stop])]);
        let limiter = budget();
        let events = messages(&limiter, &server.url()).await.unwrap();
        assert_eq!(taken(&limiter), (10_000, 1));
        assert_eq!((events.count().await, taken(&limiter)), (4, (1020, 0)));
    }

    #[tokio::test(start_paused = true)]
    async fn an_overloaded_server_may_say_so_after_a_200() {
        let overloaded = json!({ "type": "error", "error": { "type": "overloaded_error", "message": "Overloaded" } });
        let server =
            Server::start(vec![Answer::events(std::slice::from_ref(&overloaded)), Answer::events(&[message_start()])]);
        let limiter = budget();
        let events: Vec<_> = messages(&limiter, &server.url()).await.unwrap().collect().await;
        assert_eq!((server.requests(), events.len()), (2, 1), "as the first event it is tried again");

        let server = Server::start(vec![Answer::events(&[message_start(), overloaded])]);
        let events: Vec<_> = messages(&limiter, &server.url()).await.unwrap().collect().await;
        assert_eq!((server.requests(), events.len(), taken(&limiter).1), (1, 2, 0));
        assert!(limiter.snapshot().paused_until.is_some());
        assert_eq!(limiter.snapshot().adapted_rate_per_second, None, "it is not our rate that was too high");
    }
}
