use std::{future::poll_fn, ops::ControlFlow};

use aws_smithy_eventstream::frame::write_message_to;
use aws_smithy_types::event_stream::{Header, HeaderValue};
use proptest::prelude::*;

use super::*;
use crate::{call::Call, judge::Classification, limits::request::AcquireOptions, providers::usage::Usage};

fn message(kind: (&'static str, &'static str), name: (&'static str, &'static str), payload: &'static str) -> Message {
    let header = |(name, value): (&'static str, &'static str)| Header::new(name, HeaderValue::String(value.into()));
    Message::new(payload).add_header(header(kind)).add_header(header(name))
}

fn metadata() -> Message {
    let usage = r#"{"usage": {"inputTokens": 900, "outputTokens": 120, "totalTokens": 1020}}"#;
    message((":message-type", "event"), (":event-type", "metadata"), usage)
}

fn encoded(messages: &[Message]) -> Vec<u8> {
    let mut bytes = Vec::new();
    messages.iter().for_each(|message| write_message_to(message, &mut bytes).unwrap());
    bytes
}

/// Returns the items in a body that arrives in chunks of this size.
fn items(body: &[u8], size: usize) -> Vec<StreamItem> {
    let mut events = EventReader::default();
    let chunks = body.chunks(size).flat_map(|chunk| {
        events.push(chunk);
        std::iter::from_fn(|| events.next()).map(|message| item(&message)).collect::<Vec<_>>()
    });
    chunks.collect()
}

#[test]
fn events_cut_anywhere_are_read_whole() {
    let delta =
        message((":message-type", "event"), (":event-type", "contentBlockDelta"), r#"{"delta": {"text": "x"}}"#);
    let throttled =
        message((":message-type", "exception"), (":exception-type", "throttlingException"), r#"{"message": "Slow"}"#);
    let body = encoded(&[delta, metadata(), throttled]);
    let expected =
        [StreamItem::NOTHING, Some(Usage::new(900, 120)).into(), StreamItem::NOTHING.verdict(Verdict::rate_limited())];
    for size in 1..=body.len() {
        assert_eq!(items(&body, size), expected, "{size}");
    }
}

#[test]
fn body_that_is_no_event_stream_is_not_read_any_further() {
    let mut body = encoded(&[metadata()]);
    body[9] ^= 1;
    body.extend(encoded(&[metadata()]));
    assert_eq!(items(&body, 7), []);
}

#[test]
fn unknown_and_malformed_events_show_nothing() {
    for (kind, name, payload) in [
        ((":message-type", "event"), (":event-type", "metadata"), "{"),
        ((":message-type", "event"), (":event-type", "chunk"), r#"{"bytes": "?"}"#),
        ((":message-type", "event"), (":event-type", "somethingNew"), r#"{"usage": {"inputTokens": 1}}"#),
        ((":message-type", "somethingNew"), (":event-type", "metadata"), ""),
    ] {
        assert_eq!(item(&message(kind, name, payload)), StreamItem::NOTHING, "{kind:?} {name:?}");
    }
    assert_eq!(item(&Message::new("text")), StreamItem::NOTHING);
}

proptest! {
    #[test]
    fn any_bytes_are_read_without_panic(body in proptest::collection::vec(any::<u8>(), 0..200), size in 1_usize..50) {
        items(&body, size);
    }
}

/// Returns the tokens charged, and the numbers of calls that have ended and that failed, after the whole `body` was read.
async fn read_to_end(body: SdkBody) -> (u64, u64, u64) {
    let limiter = Limiter::new(crate::Limits::per_minute(6000).tokens_per_minute(100_000));
    limiter.record(true);
    let mut call = Call::new(limiter.clone()).with_options(AcquireOptions::new().tokens(5000, 5000), false);
    call.acquire().await.unwrap();
    let body = call.attempt(async { ObservedBody::wrap(body, None) }).await;
    let ControlFlow::Break(mut body) = call.settle(Classification::decided(Verdict::Success), None, body) else {
        unreachable!("a success is not retried");
    };
    while let Some(Ok(_)) = poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await {}
    let row = limiter.seconds(true)[0].row("model");
    (limiter.snapshot().budgets().map(|budget| budget.taken).sum(), row.finished, row.failed)
}

#[tokio::test(start_paused = true)]
async fn body_cut_within_an_event_is_a_failed_call() {
    let (first, body) = (encoded(&[metadata()]).len(), encoded(&[metadata(), metadata()]));
    assert_eq!(read_to_end(SdkBody::from(body.clone())).await, (1020, 1, 0));
    assert_eq!(read_to_end(SdkBody::from(body[..first].to_vec())).await, (1020, 1, 0), "between events");
    for end in [1, 11, 12, 13, first - 1] {
        assert_eq!(read_to_end(SdkBody::from(body[..end].to_vec())).await, (10_000, 1, 1), "{end}");
        let second = SdkBody::from(body[..first + end].to_vec());
        assert_eq!(read_to_end(second).await, (1020, 1, 1), "the usage of the first event counts: {end}");
    }
    let mut malformed = body;
    malformed[9] ^= 1;
    assert_eq!(read_to_end(SdkBody::from(malformed)).await, (10_000, 1, 1));
}

#[tokio::test(start_paused = true)]
async fn body_whose_transport_fails_is_a_failed_call() {
    struct Broken(Option<Vec<u8>>);
    impl Body for Broken {
        type Data = Bytes;
        type Error = Error;
        fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
            let data = self.0.take().map(|data| Frame::data(data.into()));
            Poll::Ready(Some(data.ok_or_else(|| "the connection was reset".into())))
        }
    }
    let broken = |body| SdkBody::from_body_1_x(Broken(Some(body)));
    assert_eq!(read_to_end(broken(encoded(&[metadata()]))).await, (1020, 1, 1));
    assert_eq!(read_to_end(broken(encoded(&[metadata()])[..50].to_vec())).await, (10_000, 1, 1));
}

#[test]
fn event_that_is_too_long_is_no_failure() {
    let mut body = encoded(&[metadata()]);
    body.extend(u32::MAX.to_be_bytes());
    body.resize(MAX_EVENT_BYTES + 200, 0);
    let mut events = EventReader::default();
    for chunk in body.chunks(MAX_EVENT_BYTES / 2) {
        events.push(chunk);
        while events.next().is_some() {}
    }
    assert!(events.is_broken && !events.is_malformed() && !events.is_within_event);
}
