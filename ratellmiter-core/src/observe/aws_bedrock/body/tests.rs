use aws_smithy_eventstream::frame::write_message_to;
use aws_smithy_types::event_stream::{Header, HeaderValue};
use proptest::prelude::*;

use super::*;
use crate::providers::usage::Usage;

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
