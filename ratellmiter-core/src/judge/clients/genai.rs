//! `genai` 0.7. Its error contains status, headers and body. A stream sends its request when it is first polled, and
//! yields its first event before that.

use std::error::Error;

use ::genai::{chat, webc};

use crate::{
    judge::{
        classify::{Response, StreamedAnswer},
        error_chain::as_type,
        evidence::Evidence,
        transport::is_failed_connection,
    },
    providers::usage::{HasUsage, Usage},
};

pub(super) fn evidence<'a>(error: &'a (dyn Error + 'static)) -> Option<Evidence<'a>> {
    let error = as_type::<::genai::Error>(error)?;
    match error {
        // The inner error is not in the source chain. Without a status there was no response. Zero is judged as a failure.
        ::genai::Error::WebStream { error, .. } => {
            let connection = || is_failed_connection(&**error).then(|| Evidence::new().failed_connection());
            return super::evidence(&**error).or_else(connection).or_else(|| Some(Evidence::new().status(0)));
        }
        // Nor is this one.
        ::genai::Error::WebModelCall { webc_error: webc::Error::Reqwest(error), .. }
        | ::genai::Error::WebAdapterCall { webc_error: webc::Error::Reqwest(error), .. } => {
            return super::evidence(error)
                .or_else(|| is_failed_connection(error).then(|| Evidence::new().failed_connection()));
        }
        // An event of a stream: the whole event for Anthropic, the error alone for others.
        ::genai::Error::ChatResponse { body, .. } => {
            let event = if body.get("error").is_some() { body.clone() } else { serde_json::json!({ "error": body }) };
            return Some(Evidence::new().status(200).body(event.to_string()));
        }
        _ => {}
    }
    let evidence = Evidence::new().status(error.status()?.as_u16());
    let evidence = match error.headers() {
        Some(headers) => evidence.headers(headers),
        None => evidence,
    };
    Some(match error {
        ::genai::Error::WebModelCall { webc_error: webc::Error::ResponseFailedStatus { body, .. }, .. }
        | ::genai::Error::WebAdapterCall { webc_error: webc::Error::ResponseFailedStatus { body, .. }, .. } => {
            evidence.body(&**body)
        }
        ::genai::Error::HttpError { body, .. } => evidence.body(&**body),
        _ => evidence,
    })
}

impl HasUsage for chat::ChatResponse {
    fn usage(&self) -> Option<Usage> {
        from_chat(&self.usage)
    }
}

impl HasUsage for ::genai::embed::EmbedResponse {
    fn usage(&self) -> Option<Usage> {
        from_chat(&self.usage)
    }
}

impl StreamedAnswer for chat::ChatStreamResponse {}

/// An event is always a success, since errors are not events.
impl Response for chat::ChatStreamEvent {
    fn evidence(&self) -> Evidence<'_> {
        Evidence::new().status(200)
    }

    fn is_before_response(&self) -> bool {
        matches!(self, Self::Start)
    }
}

/// The last event of a stream has the usage, with `ChatOptions::with_capture_usage`.
impl HasUsage for chat::ChatStreamEvent {
    fn usage(&self) -> Option<Usage> {
        match self {
            Self::End(end) => from_chat(end.captured_usage.as_ref()?),
            _ => None,
        }
    }
}

fn from_chat(usage: &chat::Usage) -> Option<Usage> {
    let count = |tokens: Option<i32>| tokens.and_then(|tokens| u64::try_from(tokens).ok());
    let (input, output) = (count(usage.prompt_tokens), count(usage.completion_tokens));
    if input.is_none() && output.is_none() {
        return None;
    }
    let cached = usage.prompt_tokens_details.as_ref().and_then(|details| count(details.cached_tokens));
    Some(Usage::new(input.unwrap_or_default(), output.unwrap_or_default()).cached(cached.unwrap_or_default()))
}
