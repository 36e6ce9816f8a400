//! Token usage in the bodies of responses and in the events of streams.

use serde_json::Value;

use super::{
    event_text::{events, is_events, lines, without_mark},
    provider::Provider,
    usage::{HasUsage, Usage},
};

impl Usage {
    /// Finds the usage in the body of a response, or in one event of a stream.
    ///
    /// Knows the shapes of `OpenAI` (chat and responses) and of the APIs that copy it, of Anthropic, Gemini, Bedrock's
    /// Converse, Cohere and Ollama, and Moonshot's in a choice. The usage of several chunks in a list, as Gemini sends, is
    /// [merged](Self::merged). Only the places where these providers report usage are searched, so text in a prompt or an
    /// answer is never taken for usage.
    ///
    /// ```
    /// use ratellmiter_core::Usage;
    /// use serde_json::json;
    ///
    /// // Anthropic counts tokens read from the cache apart from the other input.
    /// let answer = json!({"usage": {"input_tokens": 20, "cache_read_input_tokens": 3000, "output_tokens": 150}});
    /// assert_eq!(Usage::from_json(&answer), Some(Usage::new(3020, 150).cached(3000)));
    /// ```
    #[must_use]
    pub fn from_json(value: &Value) -> Option<Self> {
        match value {
            Value::Array(chunks) => chunks.iter().filter_map(find).reduce(Self::merged),
            body => find(body),
        }
    }

    /// Finds the usage in the text of a body: JSON values one after another, or server-sent events. The usage of several parts
    /// is [merged](Self::merged).
    ///
    /// ```
    /// use ratellmiter_core::Usage;
    ///
    /// let stream = r#"
    /// data: {"type": "message_start", "message": {"usage": {"input_tokens": 25, "output_tokens": 1}}}
    ///
    /// data: {"type": "message_delta", "usage": {"output_tokens": 15}}
    /// "#;
    /// assert_eq!(Usage::from_text(stream), Some(Usage::new(25, 15)));
    /// ```
    #[must_use]
    pub fn from_text(text: &str) -> Option<Self> {
        let text = without_mark(text);
        if let Ok(body) = serde_json::from_str(text) {
            return Self::from_json(&body);
        }
        let values = serde_json::Deserializer::from_str(text).into_iter().map_while(Result::ok);
        let mut usage = values.filter_map(|value| Self::from_json(&value)).reduce(Self::merged);
        let mut add = |json: &str| {
            let json = serde_json::from_str(json).ok();
            usage = Self::of_both(usage, json.as_ref().and_then(Self::from_json));
        };
        lines(text).for_each(|line| add(line.strip_prefix("data:").unwrap_or(line)));
        // Data of several lines.
        events(text).filter(|event| event.data.lines().nth(1).is_some()).for_each(|event| add(&event.data));
        usage
    }
}

/// Returns `true` if a text is JSON, or one of server-sent events.
fn is_body(text: &str) -> bool {
    without_mark(text).trim_start().starts_with(['{', '[']) || is_events(text)
}

/// Finds the usage in one body or event.
fn find(body: &Value) -> Option<Usage> {
    let mut places = Provider::response_formats().flat_map(|format| format.usage_places);
    places.find_map(|(place, shape)| shape(body.pointer(place)?))
}

impl HasUsage for Value {
    fn usage(&self) -> Option<Usage> {
        Usage::from_json(self)
    }
}

/// A body as text: JSON, JSON lines, or server-sent events. Other text has no usage.
impl HasUsage for str {
    fn usage(&self) -> Option<Usage> {
        is_body(self).then(|| Usage::from_text(self.trim_start())).flatten()
    }
}

impl HasUsage for String {
    fn usage(&self) -> Option<Usage> {
        self.as_str().usage()
    }
}

/// A body as bytes. A text in it may be no UTF-8.
impl HasUsage for [u8] {
    fn usage(&self) -> Option<Usage> {
        let start = self.utf8_chunks().next()?.valid();
        is_body(start).then(|| String::from_utf8_lossy(self).usage()).flatten()
    }
}

impl HasUsage for Vec<u8> {
    fn usage(&self) -> Option<Usage> {
        self.as_slice().usage()
    }
}

impl HasUsage for bytes::Bytes {
    fn usage(&self) -> Option<Usage> {
        (**self).usage()
    }
}

#[cfg(test)]
mod tests;
