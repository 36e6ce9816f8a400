//! Tokens of a call.

use crate::providers::usage::Usage;

/// Tokens of one call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Size {
    /// Input tokens, including cached ones.
    pub input: u64,
    /// Input tokens in the provider's cache.
    pub cached: u64,
    /// Maximum of output tokens that the call requests (`max_tokens`).
    pub max_output: u64,
    /// Output tokens of the answer, which a client learns from the answer only.
    pub output: u64,
    /// The provider refuses the call each time, for a reason that concerns this call alone. Clients do not know it.
    pub is_refused: bool,
}

impl Size {
    /// Creates a call with `input` tokens, a maximum of `max_output`, and an answer of `output` tokens, cut at the maximum.
    /// None of its input is cached.
    #[must_use]
    pub const fn new(input: u64, max_output: u64, output: u64) -> Self {
        let output = if output < max_output { output } else { max_output };
        Self { input, cached: 0, max_output, output, is_refused: false }
    }

    /// Sets the number of input tokens in the provider's cache, at most all of them.
    #[must_use]
    pub const fn cached(mut self, tokens: u64) -> Self {
        self.cached = if tokens < self.input { tokens } else { self.input };
        self
    }

    /// Returns the usage that the answer reports.
    #[must_use]
    pub const fn usage(self) -> Usage {
        Usage::new(self.input, self.output).cached(self.cached)
    }
}
