//! The events of a stream: each is a message with a type and a JSON payload.

use std::borrow::Cow;

use aws_smithy_types::{base64, event_stream::Message};
use serde_json::Value;

use crate::{
    judge::evidence::Evidence,
    providers::usage::{HasUsage as _, Usage},
};

/// Returns the evidence in a message that reports a failure: an exception of the service, or an error of the protocol.
/// `None` for any other message.
pub(crate) fn evidence(message: &Message) -> Option<Evidence<'_>> {
    let (code, text) = match header(message, ":message-type")? {
        "exception" => (":exception-type", String::from_utf8_lossy(message.payload())),
        "error" => (":error-code", Cow::Borrowed(header(message, ":error-message").unwrap_or_default())),
        _ => return None,
    };
    let evidence = Evidence::new().body(text);
    Some(match header(message, code) {
        Some(code) => evidence.code(code),
        None => evidence,
    })
}

/// Returns the usage in an event: that of the metadata, or that in the chunk of a model's own format.
pub(crate) fn usage(message: &Message) -> Option<Usage> {
    let payload = || serde_json::from_slice::<Value>(message.payload()).ok();
    match header(message, ":event-type")? {
        "metadata" => payload()?.usage(),
        "chunk" => base64::decode(payload()?.get("bytes")?.as_str()?).ok()?.usage(),
        _ => None,
    }
}

fn header<'a>(message: &'a Message, name: &str) -> Option<&'a str> {
    let header = message.headers().iter().find(|header| header.name().as_str() == name)?;
    Some(header.value().as_string().ok()?.as_str())
}
