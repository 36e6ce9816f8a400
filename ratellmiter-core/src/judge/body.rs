//! The error in the body of a response, in the shape of any provider.

use std::time::Duration;

use serde_json::Value;

use crate::providers::header_values;

/// Maximum length, in characters, of the text that is read from a body that is not JSON.
const MAX_TEXT_CHARS: usize = 2000;

/// The error that was found in a body. All text is in lower case.
#[derive(Debug, Default)]
pub(crate) struct Body {
    /// The status, which Gemini and `OpenRouter` send as a numeric code.
    pub(crate) status: Option<u16>,
    /// The type, code and status of the error, and the codes in its details.
    pub(crate) codes: Vec<String>,
    /// The human-readable message.
    pub(crate) message: String,
    /// The identifiers of the exceeded quotas. Sent by Google.
    pub(crate) quotas: Vec<String>,
    /// The time to wait. Sent by Google as `RetryInfo`.
    pub(crate) retry_delay: Option<Duration>,
    /// The body contains an error, not the answer to the request.
    pub(crate) is_error: bool,
}

impl Body {
    /// Reads a body. Text that is not JSON is the message.
    pub(crate) fn read(text: &str) -> Self {
        let Ok(json) = serde_json::from_str::<Value>(text) else {
            let start: String = text.chars().take(MAX_TEXT_CHARS).collect();
            return Self { message: start.to_lowercase(), ..Self::default() };
        };
        let json = match json {
            // Google's streams wrap the error in a list.
            Value::Array(mut items) if items.len() == 1 => items.remove(0),
            other => other,
        };
        let mut body = Self::default();
        match error_in(&json) {
            Some(Value::String(message)) => {
                body.is_error = true;
                body.message = message.to_lowercase();
            }
            Some(error) => {
                body.is_error = true;
                body.add(error);
            }
            None => body.add(&json),
        }
        body
    }

    fn add(&mut self, error: &Value) {
        for key in ["type", "code", "status", "error_type", "__type"] {
            match error.get(key) {
                Some(Value::String(code)) => self.add_code(code),
                Some(Value::Number(number)) => {
                    self.status = number.as_u64().and_then(|code| u16::try_from(code).ok()).or(self.status);
                }
                _ => {}
            }
        }
        for key in ["message", "Message", "detail"] {
            if let Some(message) = error.get(key).and_then(Value::as_str) {
                self.message.push_str(&message.to_lowercase());
                self.message.push(' ');
            }
        }
        match error.get("details") {
            Some(Value::Array(details)) => details.iter().for_each(|detail| self.add_detail(detail)),
            Some(detail) => {
                ["error_code", "code"]
                    .iter()
                    .filter_map(|key| detail.get(key)?.as_str())
                    .for_each(|code| self.add_code(code));
            }
            None => {}
        }
        if let Some(source) = error.pointer("/metadata/limit_source").and_then(Value::as_str) {
            self.add_code(source);
        }
    }

    /// Adds one of Google's details: the exceeded quotas, or the time to wait.
    fn add_detail(&mut self, detail: &Value) {
        let violations = detail.get("violations").and_then(Value::as_array);
        let names = violations.into_iter().flatten().filter_map(|violation| violation.get("quotaId")?.as_str());
        self.quotas.extend(names.map(str::to_lowercase));
        let delay = detail.get("retryDelay").and_then(Value::as_str);
        self.retry_delay = delay.and_then(header_values::duration).or(self.retry_delay);
    }

    fn add_code(&mut self, code: &str) {
        // Azure sends the status as text.
        if let Ok(status) = code.parse::<u16>()
            && (400..600).contains(&status)
        {
            self.status = Some(status);
        }
        self.codes.push(code.to_lowercase());
    }
}

/// Returns the error in a body, or in one event of a stream: its own, that of its only choice (`OpenRouter`, if the
/// provider behind it failed midway), that of the response in the event, or the event itself (`OpenAI`'s Responses).
pub(super) fn error_in(body: &Value) -> Option<&Value> {
    let places = ["/error", "/choices/0/error", "/response/error"];
    let error = places.iter().find_map(|place| body.pointer(place).filter(|error| !error.is_null()));
    let is_event = || body.get("type").is_some_and(|kind| kind == "error") && body.get("code").is_some();
    error.or_else(|| is_event().then_some(body))
}

/// Returns the time to wait that a message in lower case contains: "try again in 6.702s", "retry after 37 seconds", "please
/// retry in 1h2m3s".
pub(crate) fn retry_after_in_text(message: &str) -> Option<Duration> {
    let phrases = ["try again in ", "retry in ", "retry after ", "try again after "];
    let rest = phrases.iter().find_map(|phrase| message.split_once(phrase)).map(|(_, rest)| rest)?;
    let mut words = rest.split_whitespace();
    let amount = words.next()?.trim_end_matches(['.', ',', ';', ')', '!']);
    let unit = words.next().unwrap_or_default();
    let wait = header_values::duration(amount)?;
    let has_unit = !amount.ends_with(|last: char| last.is_ascii_digit());
    let wait = match unit {
        _ if has_unit => wait,
        unit if unit.starts_with("minute") => wait.checked_mul(60)?,
        unit if unit.starts_with("hour") => wait.checked_mul(3600)?,
        unit if unit.starts_with("ms") || unit.starts_with("milli") => wait / 1000,
        _ => wait,
    };
    Some(wait.min(header_values::MAX_WAIT))
}

#[cfg(test)]
mod tests;
