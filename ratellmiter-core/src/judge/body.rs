//! What the body of a failed response says, whichever provider's shape it has.

use std::time::Duration;

use serde_json::Value;

use crate::providers::header_values;

/// What was found in a body. Texts are in lower case.
#[derive(Debug, Default)]
pub(crate) struct Body {
    /// A numeric code, which is a status: Gemini, `OpenRouter`.
    pub(crate) status: Option<u16>,
    /// All that classifies the error: type, code, status, and the codes of its details.
    pub(crate) codes: Vec<String>,
    /// What it says to people.
    pub(crate) message: String,
    /// The quotas that were exceeded, by Google's names.
    pub(crate) quotas: Vec<String>,
    /// Google's `RetryInfo`.
    pub(crate) retry_delay: Option<Duration>,
    /// It tells of an error, and is not the answer to the request.
    pub(crate) is_error: bool,
}

impl Body {
    pub(crate) fn read(text: &str) -> Self {
        let Ok(json) = serde_json::from_str::<Value>(text) else {
            // A page or a sentence.
            let start: String = text.chars().take(LONGEST_TEXT).collect();
            return Self { message: start.to_lowercase(), ..Self::default() };
        };
        let json = match json {
            // Google's streams wrap everything in a list.
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

    /// One of Google's: what was exceeded, or how long to wait.
    fn add_detail(&mut self, detail: &Value) {
        let violations = detail.get("violations").and_then(Value::as_array);
        let names = violations.into_iter().flatten().filter_map(|violation| violation.get("quotaId")?.as_str());
        self.quotas.extend(names.map(str::to_lowercase));
        let delay = detail.get("retryDelay").and_then(Value::as_str);
        self.retry_delay = delay.and_then(header_values::duration).or(self.retry_delay);
    }

    fn add_code(&mut self, code: &str) {
        // Azure's code is the status as text.
        if let Ok(status) = code.parse::<u16>()
            && (400..600).contains(&status)
        {
            self.status = Some(status);
        }
        self.codes.push(code.to_lowercase());
    }
}

/// The error that an answer, or one event of a stream, tells of: its own, that of its only choice (`OpenRouter`, where a
/// provider broke off), that of the response which the event is about, or the event itself (`OpenAI`'s Responses).
pub(super) fn error_in(answer: &Value) -> Option<&Value> {
    let places = ["/error", "/choices/0/error", "/response/error"];
    let told = places.iter().find_map(|place| answer.pointer(place).filter(|error| !error.is_null()));
    let is_event = || answer.get("type").is_some_and(|kind| kind == "error") && answer.get("code").is_some();
    told.or_else(|| is_event().then_some(answer))
}

/// Of a body that is no JSON, so many characters are looked at.
const LONGEST_TEXT: usize = 2000;

/// "try again in 6.702s", "retry after 37 seconds", "please retry in 1h2m3s": how long, in lower case.
pub(crate) fn retry_after_in_text(message: &str) -> Option<Duration> {
    let phrases = ["try again in ", "retry in ", "retry after ", "try again after "];
    let rest = phrases.iter().find_map(|phrase| message.split_once(phrase)).map(|(_, rest)| rest)?;
    let mut words = rest.split_whitespace();
    let amount = words.next()?.trim_end_matches(['.', ',', ';', ')', '!']);
    let unit = words.next().unwrap_or_default();
    match header_values::duration(amount)? {
        // "37 seconds" and "37" are seconds already.
        wait if amount.ends_with(|last: char| last.is_ascii_digit()) && unit.starts_with("minute") => {
            wait.checked_mul(60)
        }
        wait if amount.ends_with(|last: char| last.is_ascii_digit()) && unit.starts_with("hour") => {
            wait.checked_mul(3600)
        }
        wait if amount.ends_with(|last: char| last.is_ascii_digit())
            && (unit.starts_with("ms") || unit.starts_with("milli")) =>
        {
            Some(wait / 1000)
        }
        wait => Some(wait),
    }
    .map(|wait| wait.min(header_values::LONGEST))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn waits_are_found_in_sentences() {
        for (text, millis) in [
            ("please try again in 6.702s.", 6702),
            ("rate limit. try again in 750ms, or later", 750),
            ("please retry after 37 seconds.", 37_000),
            ("please retry in 22.5s.", 22_500),
            ("try again in 2 minutes", 120_000),
            ("please retry in 1h2m3s.", 3_723_000),
        ] {
            assert_eq!(retry_after_in_text(text), Some(Duration::from_millis(millis)), "{text}");
        }
        for text in ["please try again later", "retry after the weekend", "try again in ", "retry in -5s"] {
            assert_eq!(retry_after_in_text(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_text_panics(text in ".{0,200}") {
            Body::read(&text);
            retry_after_in_text(&format!("retry in {text}"));
        }

        #[test]
        fn no_json_panics(kind in ".{0,20}", number in any::<i64>(), delay in "[0-9a-z.]{0,30}") {
            let body = serde_json::json!([{ "error": { "code": number, "type": kind, "details": [{ "retryDelay": delay, "violations": [{ "quotaId": 7 }] }, 3] } }]);
            Body::read(&body.to_string());
        }
    }
}
