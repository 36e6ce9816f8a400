//! The error in the body of a response, in the shape of any provider.

mod error_place;
mod hints;
mod numbers;

use serde_json::Value;

pub(super) use self::error_place::is_error;
use self::{error_place::error_in, hints::BodyHints};
use crate::providers::event_text::{events, is_events, without_mark};

/// Maximum length, in characters, of the text that is read from a body that is not JSON.
const MAX_TEXT_CHARS: usize = 2000;

/// Maximum length, in bytes, of a message, and of a body inside of one.
const MAX_NESTED_BYTES: usize = 16 << 10;

/// Maximum number of errors or details that are read from a list.
const MAX_ITEMS: usize = 16;

/// The error that was found in a body. All text is in lower case.
#[derive(Debug, Default)]
pub(crate) struct Body {
    /// The status, which many providers send as a code.
    pub(crate) status: Option<u16>,
    /// The status of the server behind the one that answers, as Bedrock sends it: aws-sdk-bedrockruntime 1.153,
    /// `ModelStreamErrorException` and `ModelErrorException`, 2026-11.
    pub(crate) original_status: Option<u16>,
    /// The type, code, status and reason of the error, and the codes in its details. [Numbers](numbers) of small range have the
    /// name of their place before them: `base_resp.1002`.
    pub(crate) codes: Vec<String>,
    /// The human-readable message.
    pub(crate) message: String,
    /// The identifiers of the exceeded quotas. Sent by Google.
    pub(crate) quotas: Vec<String>,
    /// The times in the fields of the error.
    pub(crate) hints: BodyHints,
    /// The body contains an error, not the answer to the request.
    pub(crate) is_error: bool,
    /// The body inside this one.
    nested: Option<Box<Nested>>,
}

/// The body of another server, which a gateway puts into its own.
#[derive(Debug)]
struct Nested {
    body: Body,
    /// The body is the whole message, not a part of it.
    is_whole: bool,
}

impl Body {
    /// Reads a body. Text that is not JSON is the message.
    pub(crate) fn read(text: &str) -> Self {
        let json = serde_json::from_str(without_mark(text)).ok().map(|json| (false, json));
        let Some((is_named_error, json)) = json.or_else(|| event_in(text)) else {
            let start: String = text.chars().take(MAX_TEXT_CHARS).collect();
            return Self { message: start.to_lowercase(), ..Self::default() };
        };
        let body = Self::of_json(json, true);
        Self { is_error: body.is_error || is_named_error, ..body }
    }

    /// `may_nest` is `true` if a body inside of this one is read.
    fn of_json(json: Value, may_nest: bool) -> Self {
        let json = match json {
            // Google's streams wrap the error in a list.
            Value::Array(mut items) if items.len() == 1 => items.remove(0),
            other => other,
        };
        let mut body = Self::default();
        match error_in(&json) {
            None => body.add(&json, may_nest),
            Some(Value::String(message)) => {
                body.add_message(message, may_nest);
                // The code is beside the message.
                body.add(&json, may_nest);
            }
            Some(Value::Array(errors)) => errors.iter().take(MAX_ITEMS).for_each(|error| body.add_listed(error)),
            Some(error) => {
                body.add(error, may_nest);
                body.add_numbers(error, &json);
                // OpenRouter's Responses.
                body.add_code_of(json.get("error_type"));
            }
        }
        body.is_error = is_error(&json);
        body.add_status(&json);
        body.hints.add(&json);
        body.add_base_resp(&json);
        body
    }

    /// Adds the body inside this one, if its words count with `status`: a failure that only quotes a refusal is a failure.
    pub(crate) fn absorb_nested(&mut self, status: Option<u16>) {
        let Some(nested) = self.nested.take() else { return };
        let counts = match status {
            None | Some(402 | 429 | 503 | 529) => true,
            Some(400 | 403) => nested.is_whole,
            _ => false,
        };
        if counts {
            let Self { status, codes, message, quotas, hints, .. } = nested.body;
            self.status = self.status.or(status);
            self.codes.extend(codes);
            self.quotas.extend(quotas);
            self.message.push_str(&message);
            self.hints.or(hints);
        }
    }

    fn add(&mut self, error: &Value, may_nest: bool) {
        for key in ["type", "code", "status", "error_type", "__type", "reason", "error_code", "errorCode"] {
            self.add_code_of(error.get(key));
        }
        self.add_status(error);
        self.hints.add(error);
        for key in ["message", "originalMessage", "Message", "msg", "detail", "error_message", "error_description"] {
            match error.get(key) {
                Some(Value::String(message)) => self.add_message(message, may_nest),
                Some(inner @ Value::Object(_)) if may_nest && key == "detail" => self.nest(inner.clone(), true),
                _ => {}
            }
        }
        // A title that is the reason phrase of the status does not show which limit was reached.
        let title = error.get("title").and_then(Value::as_str);
        if let Some(title) = title.filter(|title| !title.eq_ignore_ascii_case("too many requests")) {
            self.add_message(title, false);
        }
        match error.get("details") {
            Some(Value::Array(details)) => details.iter().take(MAX_ITEMS).for_each(|detail| self.add_detail(detail)),
            Some(detail) => {
                self.hints.add(detail);
                ["error_code", "code", "reason"].iter().for_each(|key| self.add_code_of(detail.get(key)));
            }
            None => {}
        }
        // Google: the same error again, in an older form. Its reason is its code.
        let errors = error.get("errors").and_then(Value::as_array);
        errors.into_iter().flatten().take(MAX_ITEMS).for_each(|error| self.add_code_of(error.get("reason")));
        if let Some(metadata) = error.get("metadata") {
            ["limit_source", "reason", "error_type"].iter().for_each(|key| self.add_code_of(metadata.get(key)));
            self.hints.add(metadata);
            self.hints.add_headers(metadata.get("headers"));
            // OpenRouter: the body of the provider behind it, often as text.
            match metadata.get("raw") {
                Some(Value::String(raw)) if may_nest => self.nest_text(raw),
                Some(raw @ Value::Object(_)) if may_nest => self.nest(raw.clone(), true),
                _ => {}
            }
        }
    }

    /// Adds the codes that only their place in the `error` of a body makes unambiguous.
    fn add_numbers(&mut self, error: &Value, json: &Value) {
        let is_anthropic = json.get("type").is_some_and(|kind| kind == "error");
        self.codes.extend(numbers::of_zhipu(error).map(|code| format!("error.{code}")));
        self.codes.extend(numbers::of_minimax(error, is_anthropic).map(|code| format!("base_resp.{code}")));
    }

    /// Adds the code of a client's error whose body is not known.
    pub(crate) fn add_bare_code(&mut self, code: &str) {
        self.codes.extend(numbers::of_zhipu(&serde_json::json!({ "code": code })).map(|code| format!("error.{code}")));
    }

    /// Adds one error of a list `errors`: Cloudflare's, and that of JSON:API.
    fn add_listed(&mut self, error: &Value) {
        if let Some(code) = error.get("code").and_then(Value::as_u64) {
            self.codes.push(format!("errors.{code}"));
        }
        if let Some(message) = error.as_str() {
            self.add_message(message, false);
        }
        self.add(error, false);
    }

    /// Adds the result that `MiniMax` sends in each response. Its code is zero for a success.
    fn add_base_resp(&mut self, json: &Value) {
        let Some(result) = json.get("base_resp") else { return };
        if let Some(code) = result.get("status_code").and_then(Value::as_u64).filter(|code| *code != 0) {
            self.codes.push(format!("base_resp.{code}"));
        }
        if let Some(message) = result.get("status_msg").and_then(Value::as_str) {
            self.add_message(message, false);
        }
    }

    /// Adds one of Google's details: the exceeded quotas, the reason, or the time to wait.
    fn add_detail(&mut self, detail: &Value) {
        let violations = detail.get("violations").and_then(Value::as_array);
        let names = violations.into_iter().flatten().filter_map(|violation| violation.get("quotaId")?.as_str());
        self.quotas.extend(names.map(str::to_lowercase));
        self.add_code_of(detail.get("reason"));
        self.hints.add(detail);
        if let Some(metadata) = detail.get("metadata") {
            self.hints.add(metadata);
        }
    }

    fn add_status(&mut self, error: &Value) {
        let status = |key: &str| {
            let status = match error.get(key) {
                Some(Value::Number(number)) => number.as_u64().and_then(|status| u16::try_from(status).ok()),
                Some(Value::String(text)) => text.parse().ok(),
                _ => None,
            };
            status.filter(is_status)
        };
        let keys = ["http_code", "status_code", "statusCode", "raw_status_code", "http_status"];
        self.status = self.status.or_else(|| keys.into_iter().find_map(status));
        self.original_status = self.original_status.or_else(|| status("originalStatusCode"));
    }

    fn add_code_of(&mut self, value: Option<&Value>) {
        let code = match value {
            // LiteLLM sends Python's `None`.
            Some(Value::String(code)) if code.is_empty() || code == "None" => return,
            Some(Value::String(code)) => code.to_lowercase(),
            Some(Value::Number(code)) => code.to_string(),
            _ => return,
        };
        // Azure sends the status as text.
        if let Some(status) = code.parse().ok().filter(is_status) {
            self.status = Some(status);
        }
        self.codes.push(code);
    }

    fn add_message(&mut self, message: &str, may_nest: bool) {
        if may_nest && self.nested.is_none() && message.contains('{') && message.len() <= MAX_NESTED_BYTES {
            let trimmed = message.trim();
            if let Ok(json @ (Value::Object(_) | Value::Array(_))) = serde_json::from_str(trimmed) {
                self.nest(json, true);
                return;
            }
            if let Some(json) = object_in(trimmed).and_then(|object| serde_json::from_str(object).ok()) {
                self.nest(json, false);
            }
        }
        let start = &message[..message.floor_char_boundary(MAX_NESTED_BYTES)];
        self.message.push_str(&start.to_lowercase());
        self.message.push(' ');
    }

    fn nest_text(&mut self, text: &str) {
        let json =
            Some(text).filter(|text| text.len() <= MAX_NESTED_BYTES).and_then(|text| serde_json::from_str(text).ok());
        if let Some(json @ (Value::Object(_) | Value::Array(_))) = json {
            self.nest(json, true);
        } else {
            let start: String = text.chars().take(MAX_TEXT_CHARS).collect();
            self.add_message(&start, false);
        }
    }

    fn nest(&mut self, json: Value, is_whole: bool) {
        self.nested = Some(Box::new(Nested { body: Self::of_json(json, false), is_whole }));
    }
}

#[allow(clippy::trivially_copy_pass_by_ref)] // A filter.
fn is_status(status: &u16) -> bool {
    (400..600).contains(status)
}

/// Returns the largest JSON object in a text.
pub(super) fn object_in(text: &str) -> Option<&str> {
    let (start, end) = (text.find('{')?, text.rfind('}')?);
    let object = text.get(start..=end)?;
    serde_json::from_str::<serde_core::de::IgnoredAny>(object).is_ok().then_some(object)
}

/// Returns the first event that is an error, or else the first one, if the text is a stream of server-sent events. The flag is
/// `true` if the server named it an error.
fn event_in(text: &str) -> Option<(bool, Value)> {
    if !is_events(text) {
        return None;
    }
    let mut first = None;
    for event in events(text) {
        let Ok(json) = serde_json::from_str(&event.data) else { continue };
        if event.is_named_error || is_error(&json) {
            return Some((event.is_named_error, json));
        }
        first.get_or_insert((false, json));
    }
    first
}

#[cfg(test)]
mod tests;
