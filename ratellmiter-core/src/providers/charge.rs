//! The tokens that a provider charges for a call, from its reservation to its end. Sums saturate instead of overflowing.

use super::{
    catalog::Provider,
    terms::{Input, Output, Refund, RefusedTokens},
    usage::Usage,
};

/// Charged tokens, in each unit that providers limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TokenCharge {
    /// Tokens that a limit on input tokens counts.
    pub input: u64,
    /// Tokens that a limit on output tokens counts.
    pub output: u64,
    /// Tokens that a limit on all tokens counts.
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

/// Returns `true` if no provider charges tokens for a response with this status, because the server rejected the request
/// before it worked on it. Timeouts, conflicts and refusals are not among them.
pub(crate) fn is_uncharged(status: u16) -> bool {
    (400..500).contains(&status) && !matches!(status, 408 | 409 | 429)
}

impl Provider {
    /// Returns the charge for a call of `input` tokens and at most `output` tokens when it is sent.
    ///
    /// Where output is charged as it [is generated](Self::is_produced), `output` is the expected number of output tokens.
    #[must_use]
    pub fn reserve(&self, input: u64, output: u64) -> TokenCharge {
        let output = self.terms().output_cap.map_or(output, |cap| output.min(cap));
        self.charge(self.input(input), self.output(output))
    }

    /// Returns the charge for a call of `model` once its usage is known. It may be more or less than `reserved`.
    ///
    /// It is never less if the provider [keeps](Refund::Kept) the unused part of a reservation.
    #[must_use]
    pub fn settle(&self, model: &str, reserved: TokenCharge, usage: Usage) -> TokenCharge {
        let cached = usage.cached.min(usage.input);
        let input = (usage.input - cached).saturating_add(cached.saturating_mul(self.terms().cached_input));
        let output = usage.output.saturating_mul(self.terms().output_weight(model));
        let used = self.charge(self.input(input), self.output(output));
        match self.terms().refund {
            Refund::Kept => used.at_least(reserved),
            Refund::Settled | Refund::Headers => used,
        }
    }

    /// Returns the charge for a refused call.
    #[must_use]
    pub fn refused(&self, reserved: TokenCharge) -> TokenCharge {
        match self.terms().refused_tokens {
            RefusedTokens::Kept => reserved,
            RefusedTokens::Released => TokenCharge::default(),
        }
    }

    /// Returns `true` if output is charged as it is generated. The maximum output of a call is then not reserved.
    #[must_use]
    pub fn is_produced(&self) -> bool {
        self.terms().output == Output::Generated
    }

    fn input(self, tokens: u64) -> u64 {
        match self.terms().input {
            Input::Counted => tokens,
            Input::Free => 0,
        }
    }

    fn output(self, tokens: u64) -> u64 {
        match self.terms().output {
            Output::Reserved | Output::Larger | Output::Generated => tokens,
            Output::Free => 0,
        }
    }

    fn charge(self, input: u64, output: u64) -> TokenCharge {
        let total =
            if self.terms().output == Output::Larger { input.max(output) } else { input.saturating_add(output) };
        TokenCharge { input, output, total }
    }
}
