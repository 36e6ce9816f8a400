//! `async-openai` 0.43. Its error contains status, type, code and message, but no headers: for their hints an observer of
//! [`observe`](mod@crate::observe) is needed. A body of another shape is kept as text, and so is an error in a stream of chat
//! completions. The Responses API has events for errors.

use std::error::Error;

use ::async_openai::{
    error::OpenAIError,
    types::{chat, responses},
};
use serde_core::Serialize;

use crate::{
    judge::{classify::Response, error_chain::as_type, evidence::Evidence, transport::is_failed_connection},
    providers::usage::{HasUsage, Usage},
};

pub(super) fn evidence<'a>(error: &'a (dyn Error + 'static)) -> Option<Evidence<'a>> {
    match as_type(error)? {
        OpenAIError::ApiError(response) => {
            let api = &response.api_error;
            let body = serde_json::json!({ "error": { "type": api.r#type, "code": api.code, "message": api.message } });
            let evidence = Evidence::new().status(response.status_code.as_u16());
            // The message of a 5xx failure is its whole body.
            Some(if api.message.starts_with('{') {
                evidence.body(&*api.message)
            } else {
                evidence.body(body.to_string())
            })
        }
        OpenAIError::JSONDeserialize(_, body) => Some(Evidence::new().body(&**body)),
        // The headers may be in the observed response.
        OpenAIError::Reqwest(error) => super::reqwest::v13::evidence(error),
        // An error of a middleware. The box itself is missing from the source chain.
        OpenAIError::Boxed(error) => super::evidence(&**error)
            .or_else(|| is_failed_connection(&**error).then(|| Evidence::new().failed_connection())),
        _ => None,
    }
}

/// The Responses API reports refusals in successful responses.
impl Response for responses::Response {
    fn evidence(&self) -> Evidence<'_> {
        match &self.error {
            Some(error) => error_in_success(&error.code, error.r#type.as_deref(), &error.message),
            None => Evidence::new().status(200),
        }
    }
}

/// The streams of the Responses API report refusals in events.
impl Response for responses::ResponseStreamEvent {
    fn evidence(&self) -> Evidence<'_> {
        match self {
            Self::ResponseFailed(failed) => failed.response.evidence(),
            Self::ResponseError(error) => error_in_success(&error.code, None, &error.message),
            _ => Evidence::new().status(200),
        }
    }
}

fn error_in_success(code: &impl Serialize, kind: Option<&str>, message: &str) -> Evidence<'static> {
    let body = serde_json::json!({ "error": { "code": code, "type": kind, "message": message } });
    Evidence::new().status(200).body(body.to_string())
}

impl HasUsage for responses::Response {
    fn usage(&self) -> Option<Usage> {
        let usage = self.usage.as_ref()?;
        let cached = usage.input_tokens_details.cached_tokens.into();
        Some(Usage::new(usage.input_tokens.into(), usage.output_tokens.into()).cached(cached))
    }
}

/// The last event of a stream has the usage, whether or not it succeeded.
impl HasUsage for responses::ResponseStreamEvent {
    fn usage(&self) -> Option<Usage> {
        match self {
            Self::ResponseCompleted(end) => end.response.usage(),
            Self::ResponseIncomplete(end) => end.response.usage(),
            Self::ResponseFailed(end) => end.response.usage(),
            _ => None,
        }
    }
}

impl HasUsage for chat::CreateChatCompletionResponse {
    fn usage(&self) -> Option<Usage> {
        self.usage.as_ref().map(from_chat)
    }
}

/// The last part of a stream has the usage, with `stream_options.include_usage`.
impl HasUsage for chat::CreateChatCompletionStreamResponse {
    fn usage(&self) -> Option<Usage> {
        self.usage.as_ref().map(from_chat)
    }
}

fn from_chat(usage: &chat::CompletionUsage) -> Usage {
    let cached = usage.prompt_tokens_details.as_ref().and_then(|details| details.cached_tokens);
    Usage::new(usage.prompt_tokens.into(), usage.completion_tokens.into()).cached(cached.unwrap_or_default().into())
}
