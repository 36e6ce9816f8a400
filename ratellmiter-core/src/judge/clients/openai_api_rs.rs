//! `openai-api-rs` 10. Its error has the status and the body of a refusal in its text; that of a stream has the body alone. Answers
//! have the headers. The items of its streams of chat completions have no usage.

use std::error::Error;

use ::openai_api_rs::v1::{
    chat_completion::chat_completion::ChatCompletionResponse,
    common,
    completion::CompletionResponse,
    embedding::EmbeddingResponse,
    error::APIError,
    responses::{
        responses::{CallResponse, ResponseObject},
        responses_stream::ResponseStreamResponse,
    },
};
use http::StatusCode;
use serde_json::{Value, json};

use crate::{
    judge::{classify::Response, error_chain::as_type, evidence::Evidence},
    providers::usage::{HasUsage, Usage},
};

pub(super) fn evidence<'a>(error: &'a (dyn Error + 'static)) -> Option<Evidence<'a>> {
    match as_type(error)? {
        // Missing from the source chain.
        APIError::ReqwestError(error) => super::reqwest::v12::evidence(error),
        APIError::CustomError { message } => {
            match message.split_once(": ").and_then(|(start, body)| Some((status(start)?, body))) {
                Some((status, body)) => Some(Evidence::new().status(status).body(body)),
                None if message.trim_start().starts_with(['{', '[']) => Some(Evidence::new().body(&**message)),
                // Another text, which may be recognised as such.
                None => None,
            }
        }
    }
}

/// Returns the status that a text consists of, with its reason: `429 Too Many Requests`.
fn status(text: &str) -> Option<u16> {
    let status = StatusCode::from_bytes(text.get(..3)?.as_bytes()).ok()?;
    (status.to_string() == text).then_some(status.as_u16())
}

/// An answer of the Responses API, which may be a refusal.
impl Response for CallResponse<ResponseObject> {
    fn evidence(&self) -> Evidence<'_> {
        self.inner.evidence().headers(&self.headers)
    }
}

impl Response for ResponseObject {
    fn evidence(&self) -> Evidence<'_> {
        let success = Evidence::new().status(200);
        match &self.error {
            Some(error) => success.body(json!({ "error": error }).to_string()),
            None => success,
        }
    }
}

/// The streams of the Responses API report refusals in events.
impl Response for ResponseStreamResponse {
    fn evidence(&self) -> Evidence<'_> {
        match self {
            Self::Event(event) => event.data.evidence(),
            Self::Done => Evidence::new().status(200),
        }
    }
}

impl<T: HasUsage> HasUsage for CallResponse<T> {
    fn usage(&self) -> Option<Usage> {
        self.inner.usage()
    }
}

impl HasUsage for ChatCompletionResponse {
    fn usage(&self) -> Option<Usage> {
        Some(of_completion(&self.usage))
    }
}

impl HasUsage for CompletionResponse {
    fn usage(&self) -> Option<Usage> {
        Some(of_completion(&self.usage))
    }
}

impl HasUsage for EmbeddingResponse {
    fn usage(&self) -> Option<Usage> {
        Some(Usage::new(count(self.usage.prompt_tokens), 0))
    }
}

impl HasUsage for ResponseObject {
    fn usage(&self) -> Option<Usage> {
        Usage::from_json(&json!({ "usage": self.usage.as_ref()? }))
    }
}

/// The last event of a stream has the usage.
impl HasUsage for ResponseStreamResponse {
    fn usage(&self) -> Option<Usage> {
        match self {
            Self::Event(event) => Value::usage(&event.data),
            Self::Done => None,
        }
    }
}

fn of_completion(usage: &common::Usage) -> Usage {
    Usage::new(count(usage.prompt_tokens), count(usage.completion_tokens))
}

/// Returns a number of tokens. Negative numbers are not counts.
fn count(tokens: i32) -> u64 {
    u64::try_from(tokens).unwrap_or_default()
}
