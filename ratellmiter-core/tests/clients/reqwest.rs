//! The real `reqwest` 0.12 and 0.13, `reqwest-middleware` and `tower` clients against refusals in the providers' formats. Time is
//! paused, so the pauses have exact lengths and take no real time.

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
    /// Transparent, so the `reqwest` error itself is missing from the source chain.
    #[error(transparent)]
    Http(#[from] reqwest::Error),
    #[error(transparent)]
    Refused(#[from] ResponseError),
    #[error(transparent)]
    Middleware(#[from] reqwest_middleware::Error),
    #[error(transparent)]
    Old(#[from] reqwest_012::Error),
}

/// Calls `$ask`, a function from a limiter and a URL to a text, with every refusal of the vectors.
macro_rules! check_each_refusal {
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
async fn checked_response_preserves_every_refusal() {
    check_each_refusal!(checked);
    check_each_refusal!(checked_anyhow);
}

/// Falls back to a second provider when the first refuses. The second call fails because its response is not a number.
#[ratellmiter(limiter = limiter)]
async fn with_fallback(limiter: &Limiter, first: &str, second: &str) -> Result<u32, AskError> {
    if let Ok(response) = reqwest::get(first).await?.error_for_refusal().await {
        return Ok(response.text().await?.len().try_into().unwrap());
    }
    Ok(reqwest::get(second).await?.error_for_refusal().await?.json().await?)
}

#[tokio::test(start_paused = true)]
async fn refusal_followed_by_fallback_is_not_retried() {
    let (first, second) = (Server::start(vec![Answer::new(429, &[], "")]), Server::start(vec![success()]));
    with_fallback(&limiter(), &first.url(), &second.url()).await.unwrap_err();
    assert_eq!((first.requests(), second.requests()), (1, 1), "one request each: the error is not a refusal");
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
async fn refused_response_in_ok_is_retried_after_hint() {
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
async fn through_middleware(limiter: &Limiter, url: &str) -> Result<String, AskError> {
    let client = reqwest_middleware::ClientBuilder::new(reqwest::Client::new()).with(ObserveMiddleware::new()).build();
    Ok(client.get(url).send().await?.error_for_status()?.text().await?)
}

#[tokio::test(start_paused = true)]
async fn middleware_observes_refusal_missing_from_error_chain() {
    // The middleware observes the status and the headers, but not the body.
    for (answer, seconds) in [(Answer::new(429, &[("retry-after", "7")], ""), 7), (Answer::new(529, &[], ""), 2)] {
        let server = Server::start(vec![answer, success()]);
        let start = Instant::now();
        assert!(through_middleware(&limiter(), &server.url()).await.is_ok());
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
async fn tower_layer_observes_retry_after() {
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
async fn observer_with_limiter_sees_spawned_requests() {
    let server = Server::start(vec![Answer::new(429, &[("retry-after", "7")], "")]);
    let limiter = limiter();
    let observer = ObserveMiddleware::new().limiter(limiter.clone());
    spawned(&limiter, observer, &server.url()).await.unwrap_err();
    assert!(limiter.snapshot().paused_until.is_some());
}

#[tokio::test(start_paused = true)]
async fn malformed_responses_never_panic_or_hang() {
    let long_body = "x".repeat(10 << 20);
    for (answer, retried) in [
        (Answer::new(429, &[], b"\xff\xfe\x00half a bo".to_vec()), true),
        (Answer::new(429, &[], long_body.clone()), true),
        (Answer::new(429, &[("retry-after", "Tue, 24 Nov 2020 06:39:00 GMT")], "{"), true),
        (Answer::new(429, &[("retry-after", "-5")], "[]"), true),
        (Answer::new(429, &[("retry-after", "31536000")], ""), false),
        (Answer::new(500, &[], long_body.clone()), true),
        (Answer::new(501, &[], long_body), false),
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
    let server = Server::start(vec![Answer::new(200, &[], "the page said 429 Too Many Requests")]);
    assert!(checked(&limiter(), &server.url()).await.is_ok());
    assert_eq!(server.requests(), 1);
}

mod usage {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn json_body_of_each_provider_settles_the_call() {
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

    /// Returns the usage in one chunk of a body. An event split over two chunks is missed: see [`events`].
    fn usage_in(chunk: &impl AsRef<[u8]>) -> Option<Usage> {
        Usage::from_text(std::str::from_utf8(chunk.as_ref()).ok()?)
    }

    #[tokio::test(start_paused = true)]
    async fn byte_stream_keeps_ticket_and_settles() {
        #[ratellmiter(limiter = limiter, tokens = (5000, 5000), stream, usage = usage_in)]
        async fn byte_stream(
            limiter: &Limiter,
            url: &str,
        ) -> Result<impl Stream<Item = reqwest::Result<impl AsRef<[u8]> + use<>>> + use<>, AskError> {
            Ok(reqwest::get(url).await?.error_for_refusal().await?.bytes_stream())
        }
        let end = json!({ "choices": [], "usage": { "prompt_tokens": 900, "completion_tokens": 120 } });
        let server = Server::start(vec![example(), Answer::events(&[json!({ "choices": [] }), end])]);
        let limiter = budget();
        let start = Instant::now();
        let chunks = byte_stream(&limiter, &server.url()).await.unwrap();
        assert_eq!(
            (server.requests(), start.elapsed().as_millis() / 100),
            (2, 7),
            "after the `Retry-After` of the refusal"
        );
        assert_eq!(taken(&limiter), (20_000, 1), "the refused attempt stays charged");
        let body: Vec<_> = chunks.map_ok(|chunk| chunk.as_ref().to_vec()).try_collect().await.unwrap();
        assert!(String::from_utf8(body.concat()).unwrap().ends_with("data: [DONE]\n\n"));
        assert_eq!(taken(&limiter), (11_020, 0));
    }

    /// Parses the server-sent events of a body that may be split into chunks anywhere.
    fn events(response: reqwest::Response) -> impl Stream<Item = Result<Value, AskError>> {
        let chunks = response.bytes_stream().map_err(AskError::from);
        let events = chunks.scan(Vec::new(), |unparsed: &mut Vec<u8>, chunk| {
            let events = chunk.map(|chunk| {
                unparsed.extend_from_slice(&chunk);
                let end = unparsed.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
                let lines: Vec<u8> = unparsed.drain(..end).collect();
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
    async fn anthropic_events_report_input_then_output() {
        let end = json!({ "type": "message_delta", "delta": {}, "usage": { "output_tokens": 120 } });
        let stop = json!({ "type": "message_stop" });
        let server = Server::start(vec![Answer::events(&[message_start(), json!({ "type": "ping" }), end, stop])]);
        let limiter = budget();
        let events = messages(&limiter, &server.url()).await.unwrap();
        assert_eq!(taken(&limiter), (10_000, 1));
        assert_eq!((events.count().await, taken(&limiter)), (4, (1020, 0)));
    }

    #[tokio::test(start_paused = true)]
    async fn overload_event_after_200_is_a_refusal() {
        let overloaded = json!({ "type": "error", "error": { "type": "overloaded_error", "message": "Overloaded" } });
        let server =
            Server::start(vec![Answer::events(std::slice::from_ref(&overloaded)), Answer::events(&[message_start()])]);
        let limiter = budget();
        let events: Vec<_> = messages(&limiter, &server.url()).await.unwrap().collect().await;
        assert_eq!((server.requests(), events.len()), (2, 1), "an overload as the first event is retried");

        let server = Server::start(vec![Answer::events(&[message_start(), overloaded])]);
        let events: Vec<_> = messages(&limiter, &server.url()).await.unwrap().collect().await;
        assert_eq!((server.requests(), events.len(), taken(&limiter).1), (1, 2, 0));
        assert!(limiter.snapshot().paused_until.is_some());
        assert_eq!(limiter.snapshot().adapted_rate_per_second, None, "an overload does not lower the rate");
    }
}
