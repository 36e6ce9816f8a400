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
        let text = text.trim_start_matches('\u{feff}');
        if let Ok(body) = serde_json::from_str(text) {
            return Self::from_json(&body);
        }
        let values = serde_json::Deserializer::from_str(text).into_iter().map_while(Result::ok);
        let mut usage = values.filter_map(|value| Self::from_json(&value)).reduce(Self::merged);
        let mut add = |json: &str| {
            let json = serde_json::from_str(json);
            usage = Self::of_both(usage, json.as_ref().ok().and_then(Self::from_json));
            json.is_ok()
        };
        // The data of one event may have several lines, which an empty line ends.
        let mut event = String::new();
        for line in lines(text).chain([""]) {
            match line.strip_prefix("data:") {
                Some(data) if !add(data) => event.extend([data, "\n"]),
                Some(_) => {}
                None if line.is_empty() => drop(add(&std::mem::take(&mut event))),
                None => drop(add(line)),
            }
        }
        usage
    }
}

/// Returns the lines of a text, which end with LF, CR or both.
fn lines(text: &str) -> impl Iterator<Item = &str> {
    text.lines().flat_map(|line| line.split('\r'))
}

/// Returns `true` if a text is JSON, or its first line other than a comment is a field of server-sent events.
fn is_body(text: &str) -> bool {
    let text = text.trim_start_matches('\u{feff}').trim_start();
    let field =
        lines(text).find(|line| !line.is_empty() && !line.starts_with(':')).and_then(|line| line.split_once(':'));
    text.starts_with(['{', '[']) || field.is_some_and(|(name, _)| matches!(name, "data" | "event" | "id" | "retry"))
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
