//! `eventsource-stream` 0.2, and `reqwest-eventsource` 0.6, which is built on it and on `reqwest` 0.12. An event may be an error
//! of the server.

use std::error::Error;

use ::eventsource_stream::Event;
use serde_json::Value;

use crate::{
    judge::{classify::Response, error_chain::as_type, evidence::Evidence},
    providers::usage::{HasUsage, Usage},
};

pub(super) fn evidence<'a>(error: &'a (dyn Error + 'static)) -> Option<Evidence<'a>> {
    #[cfg(feature = "reqwest-eventsource")]
    if let Some(error) = as_type(error) {
        return Some(of_event_source(error));
    }
    // The transport's error is missing from the source chain.
    #[cfg(feature = "reqwest")]
    if let Some(::eventsource_stream::EventStreamError::Transport(error)) =
        as_type::<::eventsource_stream::EventStreamError<::reqwest::Error>>(error)
    {
        return super::reqwest::v13::evidence(error);
    }
    #[cfg(feature = "reqwest-012")]
    if let Some(::eventsource_stream::EventStreamError::Transport(error)) =
        as_type::<::eventsource_stream::EventStreamError<::reqwest_012::Error>>(error)
    {
        return super::reqwest::v12::evidence(error);
    }
    #[cfg(feature = "hyper")]
    if let Some(::eventsource_stream::EventStreamError::Transport(error)) =
        as_type::<::eventsource_stream::EventStreamError<::hyper::Error>>(error)
    {
        return super::hyper::evidence(error);
    }
    let _ = error;
    None
}

#[cfg(feature = "reqwest-eventsource")]
fn of_event_source(error: &::reqwest_eventsource::Error) -> Evidence<'_> {
    use ::reqwest_eventsource::Error::{InvalidStatusCode, StreamEnded, Transport};
    match error {
        InvalidStatusCode(_, response) => response.evidence(),
        Transport(error) => super::reqwest::v12::evidence(error).unwrap_or_default(),
        StreamEnded => Evidence::new().status(200),
        // The response is no stream of events. Zero is judged as a failure.
        _ => Evidence::new().status(0),
    }
}

/// Returns `true` if the error is the end of a stream, after which the client makes its request again.
#[cfg(feature = "reqwest-eventsource")]
pub(super) fn is_end(error: &(dyn Error + 'static)) -> bool {
    matches!(as_type(error), Some(::reqwest_eventsource::Error::StreamEnded))
}

impl Response for Event {
    fn evidence(&self) -> Evidence<'_> {
        let body = serde_json::from_str::<Value>(&self.data);
        match body {
            // A server may send an error of any shape, and a text, under this name.
            _ if self.event == "error" => Evidence::new().body(&*self.data),
            Ok(body) if body.evidence().body.is_some() => Evidence::new().status(200).body(&*self.data),
            _ => Evidence::new().status(200),
        }
    }

    fn is_neutral(&self) -> bool {
        let is_last = || serde_json::from_str(&self.data).is_ok_and(|event: Value| event.is_neutral());
        self.data.trim() == "[DONE]" || is_last()
    }
}

impl HasUsage for Event {
    fn usage(&self) -> Option<Usage> {
        Usage::from_json(&serde_json::from_str(&self.data).ok()?)
    }
}

#[cfg(feature = "reqwest-eventsource")]
impl Response for ::reqwest_eventsource::Event {
    fn evidence(&self) -> Evidence<'_> {
        match self {
            Self::Open => Evidence::new().status(200),
            Self::Message(event) => event.evidence(),
        }
    }

    // The response has a status, but no event yet.
    fn is_before_response(&self) -> bool {
        matches!(self, Self::Open)
    }

    fn is_neutral(&self) -> bool {
        matches!(self, Self::Message(event) if event.is_neutral())
    }
}

#[cfg(feature = "reqwest-eventsource")]
impl HasUsage for ::reqwest_eventsource::Event {
    fn usage(&self) -> Option<Usage> {
        match self {
            Self::Open => None,
            Self::Message(event) => event.usage(),
        }
    }
}
