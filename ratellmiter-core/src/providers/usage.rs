//! The token usage of one call, and the values that have it.

/// The tokens that one call used.
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
    /// Input tokens, including those read from a cache.
    pub input: u64,
    /// Input tokens read from a cache.
    pub cached: u64,
    /// Output tokens, including reasoning.
    pub output: u64,
}

/// A value that has the usage of its call. The call of a `#[ratellmiter]` function that returns one is settled with it.
///
/// Implemented for bodies, as a `serde_json::Value`, text or bytes, in all shapes that [`Usage::from_json`] and
/// [`Usage::from_text`] know, and, with their features, for the answers of clients. For an answer of your own:
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
    /// Returns the usage of the call, or `None` if the value does not show it.
    fn usage(&self) -> Option<Usage>;
}

impl HasUsage for Usage {
    fn usage(&self) -> Option<Usage> {
        Some(*self)
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

impl Usage {
    /// Creates a usage of `input` and `output` tokens, none of them read from a cache.
    #[must_use]
    pub const fn new(input: u64, output: u64) -> Self {
        Self { input, cached: 0, output }
    }

    /// Sets the number of input tokens that were read from a cache, at most all of them.
    #[must_use]
    pub const fn cached(mut self, tokens: u64) -> Self {
        self.cached = if tokens < self.input { tokens } else { self.input };
        self
    }

    /// Merges the usage of two parts of one answer, either of which may have none.
    pub(crate) fn of_both(one: Option<Self>, other: Option<Self>) -> Option<Self> {
        one.into_iter().chain(other).reduce(Self::merged)
    }

    /// Returns the usage of two answers together.
    pub(crate) fn plus(self, other: Self) -> Self {
        Self {
            input: self.input.saturating_add(other.input),
            cached: self.cached.saturating_add(other.cached),
            output: self.output.saturating_add(other.output),
        }
    }

    /// Merges the usage of two parts of one answer: the larger of each count.
    ///
    /// Streams report their input at the start and their output at the end, and their totals only grow.
    #[must_use]
    pub fn merged(self, other: Self) -> Self {
        Self {
            input: self.input.max(other.input),
            cached: self.cached.max(other.cached),
            output: self.output.max(other.output),
        }
    }
}

/// Converts a pair of input and output tokens.
impl From<(u64, u64)> for Usage {
    fn from((input, output): (u64, u64)) -> Self {
        Self::new(input, output)
    }
}

#[cfg(test)]
mod tests;
