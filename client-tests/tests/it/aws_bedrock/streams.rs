//! Event streams: retried before the first event, settled with their usage, and refused in the middle.

use std::error::Error;

use aws_sdk_bedrockruntime::{
    Client,
    error::SdkError,
    operation::{
        converse_stream::{ConverseStreamError, ConverseStreamOutput},
        invoke_model_with_response_stream::InvokeModelWithResponseStreamError,
    },
    primitives::Blob,
    types::{self, ResponseStream, error::ConverseStreamOutputError},
};
use aws_smithy_eventstream::frame::write_message_to;
use aws_smithy_types::{
    base64,
    event_stream::{Header, HeaderValue, Message},
};
use futures::{Stream, StreamExt as _, TryStreamExt as _};
use ratellmiter_core::{
    Limiter, Verdict, call,
    classify::judge_error,
    observe::{BedrockEvent, ObserveInterceptor, bedrock_events},
    ratellmiter,
};
use serde_json::{Value, json};
use tokio::time::Instant;

use super::{Answer, MODEL, client, config, message, observed, throttled};
use crate::support::{Server, budget, taken};

/// Encodes a message with these headers.
fn encode(headers: &[(&str, &str)], payload: &str) -> Vec<u8> {
    let mut message = Message::new(payload.to_owned().into_bytes());
    for (name, value) in headers {
        let value = HeaderValue::String((*value).to_owned().into());
        message = message.add_header(Header::new((*name).to_owned(), value));
    }
    let mut bytes = Vec::new();
    write_message_to(&message, &mut bytes).unwrap();
    bytes
}

fn event(kind: &str, payload: &Value) -> Vec<u8> {
    let headers = [(":message-type", "event"), (":event-type", kind), (":content-type", "application/json")];
    encode(&headers, &payload.to_string())
}

fn exception(kind: &str, message: &str) -> Vec<u8> {
    let headers = [(":message-type", "exception"), (":exception-type", kind), (":content-type", "application/json")];
    encode(&headers, &json!({ "message": message }).to_string())
}

fn stream(events: &[Vec<u8>]) -> Answer {
    Answer::new(200, &[("content-type", "application/vnd.amazon.eventstream")], events.concat())
}

fn word(word: &str) -> Vec<u8> {
    event("contentBlockDelta", &json!({ "delta": { "text": word }, "contentBlockIndex": 0 }))
}

fn metadata() -> Vec<u8> {
    let usage = json!({ "inputTokens": 100, "cacheReadInputTokens": 800, "outputTokens": 120, "totalTokens": 1020 });
    event("metadata", &json!({ "usage": usage, "metrics": { "latencyMs": 5 } }))
}

pub(super) fn answer() -> Answer {
    stream(&[event("messageStart", &json!({ "role": "assistant" })), word("hel"), word("lo"), metadata()])
}

fn throttling() -> Vec<u8> {
    exception("throttlingException", "Too many requests, please wait before trying again.")
}

fn text(event: &types::ConverseStreamOutput) -> Option<&str> {
    event.as_content_block_delta().ok()?.delta()?.as_text().ok().map(String::as_str)
}

type Event = BedrockEvent<types::ConverseStreamOutput, ConverseStreamOutputError>;

#[ratellmiter(limiter = limiter, tokens = (5000, 5000), stream)]
async fn events(
    limiter: &Limiter,
    client: &Client,
) -> Result<impl Stream<Item = Event> + use<>, SdkError<ConverseStreamError>> {
    Ok(bedrock_events(client.converse_stream().model_id(MODEL).messages(message()).send().await?.stream))
}

#[tokio::test(start_paused = true)]
async fn stream_is_retried_and_settles_at_end() {
    for client_of in [client as fn(&str) -> Client, observed] {
        let server = Server::start(vec![throttled(), answer()]);
        let (limiter, start) = (budget(), Instant::now());
        let mut events = events(&limiter, &client_of(&server.url())).await.unwrap();
        assert_eq!((server.requests(), start.elapsed().as_secs()), (2, 2));
        let mut said = String::new();
        while let Some(event) = events.next().await {
            assert!(taken(&limiter).1 == 1 || said == "hello");
            said.extend(text(&event.unwrap()));
        }
        assert_eq!((said.as_str(), taken(&limiter)), ("hello", (11_020, 0)), "the refused attempt stays charged");
    }
}

#[tokio::test(start_paused = true)]
async fn exception_as_first_event_is_retried() {
    let protocol_error =
        encode(&[(":message-type", "error"), (":error-code", "ThrottlingException"), (":error-message", "Slow")], "");
    for (first, millis) in [
        (throttling(), 2000),
        (exception("serviceUnavailableException", "Try again later."), 2000),
        (exception("modelNotReadyException", "A type that the client does not know here."), 2000),
        (protocol_error, 2000),
        (exception("internalServerException", "Retry your request."), 500),
        (exception("modelStreamErrorException", "Retry your request."), 500),
    ] {
        for client_of in [client as fn(&str) -> Client, observed] {
            let server = Server::start(vec![stream(std::slice::from_ref(&first)), answer()]);
            let (limiter, start) = (budget(), Instant::now());
            let events: Vec<_> = events(&limiter, &client_of(&server.url())).await.unwrap().collect().await;
            let (name, took) = (String::from_utf8_lossy(&first), start.elapsed().as_millis());
            assert_eq!((server.requests(), events.len()), (2, 4), "{name}");
            assert!((millis..=millis + millis / 10 + 2).contains(&took), "{name}: {took}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn status_of_the_model_in_an_event_decides() {
    let headers = [(":message-type", "exception"), (":exception-type", "modelStreamErrorException")];
    let failed = |status: u16| {
        let payload = json!({ "message": "It failed.", "originalStatusCode": status, "originalMessage": "Sorry." });
        stream(&[encode(&headers, &payload.to_string())])
    };
    for (status, requests, millis) in [(429, 2, 2000), (503, 2, 2000), (500, 2, 500), (400, 1, 0)] {
        for client_of in [client as fn(&str) -> Client, observed] {
            let server = Server::start(vec![failed(status), answer()]);
            let (limiter, start) = (budget(), Instant::now());
            let events: Vec<_> = events(&limiter, &client_of(&server.url())).await.unwrap().collect().await;
            assert_eq!((server.requests(), events.iter().all(Result::is_ok)), (requests, requests == 2), "{status}");
            let took = start.elapsed().as_millis();
            assert!((millis..=millis + millis / 10 + 2).contains(&took), "{status}: {took}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn exception_that_is_no_refusal_is_returned() {
    for kind in ["validationException", "modelErrorException", "accessDeniedException"] {
        let server = Server::start(vec![stream(&[exception(kind, "No.")]), answer()]);
        let limiter = budget();
        let events: Vec<_> = events(&limiter, &client(&server.url())).await.unwrap().collect().await;
        assert!(matches!(&events[..], [Err(_)]), "{kind}");
        assert_eq!((server.requests(), limiter.snapshot().paused_until), (1, None), "{kind}");
    }
}

/// Without a documented code there is nothing to judge, so that the library warns instead of deciding.
#[tokio::test(start_paused = true)]
async fn exception_of_an_unknown_name_is_unknown() {
    for (kind, verdict) in
        [("somethingNewException", None), ("inputThrottlingException", Some(Verdict::rate_limited()))]
    {
        let server = Server::start(vec![stream(&[exception(kind, "Something new.")])]);
        let sent = client(&server.url()).converse_stream().model_id(MODEL).messages(message()).send().await;
        let error = sent.unwrap().stream.recv().await.unwrap_err();
        assert_eq!(judge_error(&error), verdict, "{kind}");
    }
}

#[tokio::test(start_paused = true)]
async fn refusal_in_the_middle_pauses_and_is_passed_on() {
    for kind in ["throttlingException", "serviceUnavailableException"] {
        for client_of in [client as fn(&str) -> Client, observed] {
            let server = Server::start(vec![stream(&[word("hel"), exception(kind, "Slow down.")])]);
            let limiter = budget();
            let events: Vec<_> = events(&limiter, &client_of(&server.url())).await.unwrap().collect().await;
            assert!(matches!(&events[..], [Ok(_), Err(SdkError::ServiceError(_))]), "{kind}");
            let snapshot = limiter.snapshot();
            assert!(snapshot.paused_until.is_some(), "{kind}");
            assert_eq!((server.requests(), taken(&limiter).1), (1, 0));
            if kind == "serviceUnavailableException" {
                assert_eq!(snapshot.adapted_rate_per_second, None, "an overload does not lower the rate");
            }
        }
    }
}

#[ratellmiter(limiter = limiter, tokens = (5000, 5000))]
pub(super) async fn receiver(
    limiter: &Limiter,
    client: &Client,
) -> Result<ConverseStreamOutput, SdkError<ConverseStreamError>> {
    client.converse_stream().model_id(MODEL).messages(message()).send().await
}

#[tokio::test(start_paused = true)]
async fn observed_receiver_keeps_the_ticket_and_settles() {
    let server = Server::start(vec![throttled(), answer()]);
    let limiter = budget();
    let mut stream = receiver(&limiter, &observed(&server.url())).await.unwrap().stream;
    assert_eq!((server.requests(), taken(&limiter)), (2, (20_000, 1)));
    let mut events = 0;
    while stream.recv().await.unwrap().is_some() {
        assert_eq!(taken(&limiter).1, 1);
        events += 1;
    }
    assert_eq!((events, taken(&limiter)), (4, (11_020, 0)));
}

#[tokio::test(start_paused = true)]
async fn refusal_in_an_observed_receiver_pauses() {
    let server = Server::start(vec![stream(&[word("hel"), throttling()])]);
    let limiter = budget();
    let mut stream = receiver(&limiter, &observed(&server.url())).await.unwrap().stream;
    assert!(stream.recv().await.unwrap().is_some());
    stream.recv().await.unwrap_err();
    assert!(limiter.snapshot().paused_until.is_some());
    assert_eq!((server.requests(), taken(&limiter).1), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn dropped_receiver_leaves_the_reservation_charged() {
    let server = Server::start(vec![stream(&[word("hel"), word("lo")])]);
    let limiter = budget();
    let mut stream = receiver(&limiter, &observed(&server.url())).await.unwrap().stream;
    assert!(stream.recv().await.unwrap().is_some());
    assert_eq!(taken(&limiter), (10_000, 1));
    drop(stream);
    assert_eq!(taken(&limiter), (10_000, 0), "the server may continue");
}

#[tokio::test(start_paused = true)]
async fn stream_read_within_the_function_settles_the_call() {
    #[ratellmiter(limiter = limiter, tokens = (5000, 5000))]
    async fn whole(limiter: &Limiter, client: &Client) -> Result<String, Box<dyn Error + Send + Sync>> {
        let mut events = client.converse_stream().model_id(MODEL).messages(message()).send().await?.stream;
        let mut said = String::new();
        while let Some(event) = events.recv().await? {
            said.extend(text(&event));
        }
        Ok(said)
    }
    let server = Server::start(vec![stream(&[word("hel"), throttling()]), answer()]);
    let (limiter, start) = (budget(), Instant::now());
    assert_eq!(whole(&limiter, &observed(&server.url())).await.unwrap(), "hello");
    assert_eq!((server.requests(), start.elapsed().as_secs()), (2, 2), "the function returned the refusal");
    assert_eq!(taken(&limiter), (11_020, 0));
}

#[tokio::test(start_paused = true)]
async fn attached_stream_takes_the_ticket_over() {
    #[ratellmiter(limiter = limiter, tokens = (5000, 5000))]
    async fn attached(
        limiter: &Limiter,
        client: &Client,
    ) -> Result<futures::stream::BoxStream<'static, Event>, SdkError<ConverseStreamError>> {
        let response = client.converse_stream().model_id(MODEL).messages(message()).send().await?;
        let events = call::attach(bedrock_events(response.stream));
        Ok(events.usage_from(|_| Some(ratellmiter_core::Usage::new(7, 3))).boxed())
    }
    let server = Server::start(vec![answer()]);
    let limiter = budget();
    let events = attached(&limiter, &observed(&server.url())).await.unwrap();
    assert_eq!(taken(&limiter), (10_000, 1));
    assert_eq!((events.count().await, taken(&limiter)), (4, (10, 0)));
}

#[tokio::test(start_paused = true)]
async fn events_outside_of_a_call_are_reported_to_the_limiter() {
    let server = Server::start(vec![stream(&[word("hel"), throttling()])]);
    let limiter = budget();
    let observer = ObserveInterceptor::new().limiter(limiter.clone());
    let client = Client::from_conf(config(&server.url()).interceptor(observer).build());
    let response = client.converse_stream().model_id(MODEL).messages(message()).send().await.unwrap();
    bedrock_events(response.stream).try_collect::<Vec<_>>().await.unwrap_err();
    assert!(limiter.snapshot().paused_until.is_some());
}

#[tokio::test(start_paused = true)]
async fn broken_stream_is_a_failure_and_ends() {
    let mut half = answer();
    half.body.truncate(half.body.len() - 20);
    let mut wrong = answer();
    wrong.body[150] ^= 1;
    for broken in [half, wrong] {
        for client_of in [client as fn(&str) -> Client, observed] {
            let server = Server::start(vec![broken.clone()]);
            let limiter = budget();
            let events: Vec<_> = events(&limiter, &client_of(&server.url())).await.unwrap().collect().await;
            assert!(matches!(events.last(), Some(Err(SdkError::ResponseError(_)))));
            assert_eq!(events.iter().filter(|event| event.is_err()).count(), 1, "it ends after the error");
            assert_eq!((server.requests(), taken(&limiter).1, limiter.snapshot().paused_until), (1, 0, None));
        }
    }
}

mod of_models {
    use super::*;

    type Chunk = BedrockEvent<ResponseStream, types::error::ResponseStreamError>;

    #[ratellmiter(limiter = limiter, tokens = (5000, 5000), stream)]
    async fn chunks(
        limiter: &Limiter,
        client: &Client,
    ) -> Result<impl Stream<Item = Chunk> + use<>, SdkError<InvokeModelWithResponseStreamError>> {
        let request = client.invoke_model_with_response_stream().model_id(MODEL).body(Blob::new("{}"));
        Ok(bedrock_events(request.send().await?.body))
    }

    fn chunk(part: &Value) -> Vec<u8> {
        event("chunk", &json!({ "bytes": base64::encode(part.to_string()) }))
    }

    fn metrics() -> Value {
        json!({ "inputTokenCount": 100, "cacheReadInputTokenCount": 800, "outputTokenCount": 120, "invocationLatency": 5 })
    }

    #[tokio::test(start_paused = true)]
    async fn last_chunk_of_every_model_settles_the_call() {
        let claude = [
            json!({ "type": "message_start", "message": { "usage": {
                "input_tokens": 100, "cache_read_input_tokens": 800, "output_tokens": 1 } } }),
            json!({ "type": "message_delta", "usage": { "output_tokens": 120 } }),
            json!({ "type": "message_stop", "amazon-bedrock-invocationMetrics": metrics() }),
        ];
        let llama = [
            json!({ "generation": "hel", "prompt_token_count": 900, "stop_reason": null }),
            json!({ "generation": "lo", "stop_reason": "stop", "amazon-bedrock-invocationMetrics": metrics() }),
        ];
        for parts in [&claude[..], &llama] {
            for client_of in [client as fn(&str) -> Client, observed] {
                let body: Vec<_> = parts.iter().map(chunk).collect();
                let server = Server::start(vec![throttled(), stream(&body)]);
                let limiter = budget();
                let chunks = chunks(&limiter, &client_of(&server.url())).await.unwrap();
                assert_eq!((server.requests(), taken(&limiter)), (2, (20_000, 1)));
                assert_eq!((chunks.count().await, taken(&limiter)), (parts.len(), (11_020, 0)));
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn observed_receiver_of_chunks_settles() {
        #[ratellmiter(limiter = limiter, tokens = (5000, 5000))]
        async fn receiver(limiter: &Limiter, client: &Client) -> anyhow::Result<usize> {
            let request = client.invoke_model_with_response_stream().model_id(MODEL).body(Blob::new("{}"));
            let mut body = request.send().await?.body;
            let mut chunks = 0;
            while body.recv().await?.is_some() {
                chunks += 1;
            }
            Ok(chunks)
        }
        let last = chunk(&json!({ "generation": "", "amazon-bedrock-invocationMetrics": metrics() }));
        let server = Server::start(vec![stream(&[throttling()]), stream(&[chunk(&json!({})), last])]);
        let limiter = budget();
        assert_eq!(receiver(&limiter, &observed(&server.url())).await.unwrap(), 2);
        assert_eq!((server.requests(), taken(&limiter)), (2, (11_020, 0)));
    }
}
