//! What a call used, in tokens: as its answer tells, in whichever provider's words, or estimated before it goes.

use serde_json::Value;

/// What one call really used, in tokens.
///
/// ```
/// use ratellmiter_core::Usage;
///
/// let answer = r#"{"usage": {"prompt_tokens": 900, "completion_tokens": 120}}"#;
/// assert_eq!(Usage::from_text(answer), Some(Usage::new(900, 120)));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Usage {
    /// All input tokens, those read from a cache included.
    pub input: u64,
    /// Of those, read from a cache.
    pub cached: u64,
    /// Output, reasoning included.
    pub output: u64,
}

/// An answer that tells what its call used. Where the value of a `#[ratellmiter]` function is one, its call settles with it.
///
/// It is implemented for bodies, as a `serde_json::Value`, text or bytes, in any shape that [`Usage::from_json`] and
/// [`Usage::from_text`] know, and, with their features, for the answers of clients. For an answer of yours:
///
/// ```
/// use ratellmiter_core::{tokens::HasUsage, Usage};
///
/// struct Answer {
///     text: String,
///     prompt_tokens: u64,
///     completion_tokens: u64,
/// }
///
/// impl HasUsage for Answer {
///     fn usage(&self) -> Option<Usage> {
///         Some(Usage::new(self.prompt_tokens, self.completion_tokens))
///     }
/// }
/// ```
pub trait HasUsage {
    /// What the call used, if it is told.
    fn usage(&self) -> Option<Usage>;
}

impl HasUsage for Usage {
    fn usage(&self) -> Option<Usage> {
        Some(*self)
    }
}

/// The body of an answer as text: JSON, or server-sent events. Other text tells nothing.
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

/// The body of an answer as it comes.
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

impl<T: HasUsage + ?Sized> HasUsage for &T {
    fn usage(&self) -> Option<Usage> {
        (**self).usage()
    }
}

impl<T: HasUsage + ?Sized> HasUsage for Box<T> {
    fn usage(&self) -> Option<Usage> {
        (**self).usage()
    }
}

impl<T: HasUsage> HasUsage for Option<T> {
    fn usage(&self) -> Option<Usage> {
        self.as_ref()?.usage()
    }
}

impl<B: HasUsage> HasUsage for http::Response<B> {
    fn usage(&self) -> Option<Usage> {
        self.body().usage()
    }
}

impl HasUsage for Value {
    fn usage(&self) -> Option<Usage> {
        Usage::from_json(self)
    }
}

impl Usage {
    /// So many tokens in, none of them from a cache, and so many out.
    #[must_use]
    pub const fn new(input: u64, output: u64) -> Self {
        Self { input, cached: 0, output }
    }

    /// So many of the input tokens were read from a cache; at most all of them.
    #[must_use]
    pub const fn cached(mut self, tokens: u64) -> Self {
        self.cached = if tokens < self.input { tokens } else { self.input };
        self
    }

    /// Finds the usage in the body of a response, or in one event of a stream.
    ///
    /// Known are the shapes of `OpenAI` (chat and responses) and those that copy it, of Anthropic, Gemini (a list of chunks
    /// too: the last one counts), Bedrock's Converse, Cohere and Ollama. Only the places where these put their counts are
    /// looked at, so no prompt and no answer is taken for one.
    ///
    /// ```
    /// use ratellmiter_core::Usage;
    /// use serde_json::json;
    ///
    /// // Anthropic tells what the cache held apart from the rest of the input.
    /// let answer = json!({"usage": {"input_tokens": 20, "cache_read_input_tokens": 3000, "output_tokens": 150}});
    /// assert_eq!(Usage::from_json(&answer), Some(Usage::new(3020, 150).cached(3000)));
    /// ```
    #[must_use]
    pub fn from_json(value: &Value) -> Option<Self> {
        match value {
            Value::Array(chunks) => chunks.iter().rev().find_map(super::usage_in_json::read),
            answer => super::usage_in_json::read(answer),
        }
    }

    /// Finds the usage in the text of a body: one JSON value, JSON lines, or server-sent events. What the parts of a
    /// stream tell is put together.
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
        let told = events.filter_map(|event| Self::from_json(&serde_json::from_str(event).ok()?));
        told.reduce(Self::merged)
    }

    /// What two parts of one answer tell, if they do.
    pub(crate) fn of_both(one: Option<Self>, other: Option<Self>) -> Option<Self> {
        one.into_iter().chain(other).reduce(Self::merged)
    }

    /// Two parts of one answer: the larger of each count. A stream tells its input at the start and its output at the end,
    /// and totals only grow.
    #[must_use]
    pub fn merged(self, other: Self) -> Self {
        Self {
            input: self.input.max(other.input),
            cached: self.cached.max(other.cached),
            output: self.output.max(other.output),
        }
    }
}

/// Input and output.
impl From<(u64, u64)> for Usage {
    fn from((input, output): (u64, u64)) -> Self {
        Self::new(input, output)
    }
}

/// About how many tokens a text has: a third of its bytes, rounded up.
///
/// Measured with tiktoken's `o200k` a token has 5.05 bytes of English, 4.17 of Chinese, 2.46 of Rust and 2.09 of JSON. The
/// usual quarter of the characters is little more than half of what JSON and code need; a third is two thirds too high
/// for English, a fifth too low for code and a third too low for JSON.
///
/// ```
/// use ratellmiter_core::tokens::estimate_tokens;
///
/// assert_eq!(estimate_tokens("What is the answer?"), 7);
/// assert_eq!(estimate_tokens(""), 0);
/// ```
#[must_use]
pub fn estimate_tokens(text: &str) -> u64 {
    u64::try_from(text.len().div_ceil(3)).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
