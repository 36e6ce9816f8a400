//! What a call is charged, from its reservation to its end. No sum overflows: what is too large is the largest.

use super::terms::{Input, Output, Refund, RefusedTokens};
use crate::providers::{provider::Provider, usage::Usage};

/// Tokens in each of the units that providers limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TokenCharge {
    /// What a limit of input tokens counts.
    pub input: u64,
    /// What a limit of output tokens counts.
    pub output: u64,
    /// What a limit of tokens counts.
    pub total: u64,
}

impl TokenCharge {
    pub(super) fn at_least(self, other: Self) -> Self {
        Self {
            input: self.input.max(other.input),
            output: self.output.max(other.output),
            total: self.total.max(other.total),
        }
    }
}

impl Provider {
    /// What is charged when a call goes: its input tokens, and at most so many output tokens. Where output is charged as it
    /// [is produced](Self::is_produced), say how many you expect.
    #[must_use]
    pub fn reserve(&self, input: u64, output: u64) -> TokenCharge {
        self.charge(self.input(input), self.output(output))
    }

    /// What is charged once it is known what was used; never less than was reserved if nothing is given back. Otherwise it
    /// may be less or more: how far what is less is given back now is told by [`gives_back`](Self::gives_back).
    #[must_use]
    pub fn settle(&self, model: &str, reserved: TokenCharge, usage: Usage) -> TokenCharge {
        let cached = usage.cached.min(usage.input);
        let input = (usage.input - cached).saturating_add(cached.saturating_mul(self.terms().cached_input));
        let output = usage.output.saturating_mul(self.terms().output_weight(model));
        let used = self.charge(self.input(input), self.output(output));
        match self.terms().given_back {
            Refund::Kept => used.at_least(reserved),
            Refund::Settled | Refund::Headers => used,
        }
    }

    /// What stays charged of a call that was refused.
    #[must_use]
    pub fn refused(&self, reserved: TokenCharge) -> TokenCharge {
        match self.terms().refused_tokens {
            RefusedTokens::Kept => reserved,
            RefusedTokens::Released => TokenCharge::default(),
        }
    }

    /// Whether output is charged as it is produced, so that the maximum asked for plays no part.
    #[must_use]
    pub fn is_produced(&self) -> bool {
        self.terms().output == Output::Produced
    }

    fn input(self, tokens: u64) -> u64 {
        match self.terms().input {
            Input::Counted => tokens,
            Input::Free => 0,
        }
    }

    fn output(self, tokens: u64) -> u64 {
        match self.terms().output {
            Output::Reserved | Output::Larger | Output::Produced => tokens,
            Output::Free => 0,
        }
    }

    fn charge(self, input: u64, output: u64) -> TokenCharge {
        let total =
            if self.terms().output == Output::Larger { input.max(output) } else { input.saturating_add(output) };
        TokenCharge { input, output, total }
    }
}
