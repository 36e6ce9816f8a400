//! How large a call is.

use crate::providers::usage::Usage;

/// The tokens of one call: what it sends, what it asks for, and what it gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Size {
    /// What is sent, with what the provider has in its cache.
    pub input: u64,
    /// How much of the input is in the cache.
    pub cached: u64,
    /// The most that it asks for: `max_tokens`.
    pub max_output: u64,
    /// What is really produced. A client cannot know before the answer.
    pub output: u64,
}

impl Size {
    /// A call that sends `input`, asks for at most `max_output`, and would be answered with `output`: it gets no more than it
    /// asks for. Nothing of it is cached.
    #[must_use]
    pub const fn new(input: u64, max_output: u64, output: u64) -> Self {
        Self { input, cached: 0, max_output, output: if output < max_output { output } else { max_output } }
    }

    /// So much of the input is in the provider's cache, and no more than all of it.
    #[must_use]
    pub const fn cached(mut self, tokens: u64) -> Self {
        self.cached = if tokens < self.input { tokens } else { self.input };
        self
    }

    /// What the answer will tell.
    #[must_use]
    pub const fn usage(self) -> Usage {
        Usage::new(self.input, self.output).cached(self.cached)
    }
}
