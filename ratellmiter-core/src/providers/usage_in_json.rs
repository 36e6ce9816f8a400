//! Token usage in the bodies of responses and in the events of streams.

use serde_json::Value;

use super::{
    provider::Provider,
    usage::{HasUsage, Usage},
};

impl Usage {
    /// Finds the usage in the body of a response, or in one event of a stream.
    ///
    /// Knows the shapes of `OpenAI` (chat and responses) and of the APIs that copy it, of Anthropic, Gemini, Bedrock's
    /// Converse, Cohere and Ollama, and Moonshot's in a choice. Of a list of chunks, as Gemini sends, the last usage counts. Only the places where
    /// these providers report usage are searched, so text in a prompt or an answer is never taken for usage.
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
            Value::Array(chunks) => chunks.iter().rev().find_map(find),
            body => find(body),
        }
    }

    /// Finds the usage in the text of a body: one JSON value, JSON lines, or server-sent events. The usage of several
    /// parts is [merged](Self::merged).
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
        let text = text.trim_start_matches('\u{feff}');
        if let Ok(body) = serde_json::from_str(text) {
            return Self::from_json(&body);
        }
        let events = text.lines().map(|line| line.strip_prefix("data:").unwrap_or(line));
        let parts = events.filter_map(|event| Self::from_json(&serde_json::from_str(event).ok()?));
        parts.reduce(Self::merged)
    }
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
        let text = self.trim_start();
        let is_body = text.starts_with(['{', '[']) || text.starts_with("data:") || text.starts_with("event:");
        is_body.then(|| Usage::from_text(text)).flatten()
    }
}

impl HasUsage for String {
    fn usage(&self) -> Option<Usage> {
        self.as_str().usage()
    }
}

/// A body as bytes.
impl HasUsage for [u8] {
    fn usage(&self) -> Option<Usage> {
        str::from_utf8(self).ok()?.usage()
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
