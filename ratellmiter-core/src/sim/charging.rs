//! What a call is charged, and when.

use std::time::Duration;

use super::Size;
use crate::judge::LimitKind;

/// What a limit counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Unit {
    /// Calls.
    Requests,
    /// Tokens in and out together.
    Tokens,
    /// What is sent.
    InputTokens,
    /// What is produced, or may be.
    OutputTokens,
}

impl Unit {
    /// How a refusal names a limit on it over this time.
    pub(super) fn scope(self, width: Duration) -> LimitKind {
        match self {
            _ if width >= super::rules::DAY => LimitKind::Daily,
            Self::Requests => LimitKind::Requests,
            Self::Tokens => LimitKind::Tokens,
            Self::InputTokens => LimitKind::InputTokens,
            Self::OutputTokens => LimitKind::OutputTokens,
        }
    }
}

/// How a provider charges the tokens of a call. The sources are those of the providers' documentation in 2026.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Charging {
    /// At arrival the input and the most that is asked for; nothing is given back. Azure does so.
    #[default]
    Reserved,
    /// At arrival the larger of both; nothing is given back. `OpenAI` does so.
    Larger,
    /// At arrival the input, with what is cached, and the most that is asked for. At the end the difference to what was used
    /// is given back, or charged. Bedrock does so, and charges some models five tokens for each one produced.
    Settled {
        /// What one token that is produced costs.
        output_weight: u32,
    },
    /// At arrival the input. The output as it is produced, evenly: limits go below zero by it, and refuse until there is a
    /// whole token again. Anthropic does so.
    Produced,
    /// At arrival the input, and nothing else. Gemini does so.
    InputOnly,
    /// At arrival the input, and at the end the output. Limits go below zero by it. xAI and Mistral count both.
    Total,
}

/// What is charged in each unit. Less than zero is given back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Charge {
    requests: i64,
    tokens: i64,
    input: i64,
    output: i64,
}

impl Charge {
    /// A request of which no tokens are counted.
    pub(super) const REQUEST: Self = Self { requests: 1, tokens: 0, input: 0, output: 0 };

    fn tokens(input: u64, output: u64) -> Self {
        let (input, output) = (signed(input), signed(output));
        Self { requests: 0, tokens: input + output, input, output }
    }

    pub(super) fn of(&self, unit: Unit) -> i64 {
        match unit {
            Unit::Requests => self.requests,
            Unit::Tokens => self.tokens,
            Unit::InputTokens => self.input,
            Unit::OutputTokens => self.output,
        }
    }
}

fn signed(tokens: u64) -> i64 {
    i64::try_from(tokens).unwrap_or(i64::MAX / 4).min(i64::MAX / 4)
}

impl Charging {
    /// At arrival. `free`: what is cached is not counted.
    pub(super) fn arrival(self, size: Size, free: bool) -> Charge {
        let input = counted(size, free);
        let charge = match self {
            Self::Reserved => Charge::tokens(input, size.max_output),
            Self::Larger => {
                let both = Charge::tokens(input, size.max_output);
                Charge { tokens: both.input.max(both.output), ..both }
            }
            Self::Settled { .. } => Charge::tokens(size.input, size.max_output),
            Self::Produced | Self::InputOnly | Self::Total => Charge::tokens(input, 0),
        };
        Charge { requests: 1, ..charge }
    }

    /// At the end of the call, beside what came before it.
    pub(super) fn end(self, size: Size, free: bool) -> Charge {
        match self {
            Self::Reserved | Self::Larger | Self::InputOnly | Self::Produced => Charge::default(),
            Self::Settled { output_weight } => {
                let used = Charge::tokens(counted(size, free), size.output.saturating_mul(output_weight.into()));
                let reserved = Charge::tokens(size.input, size.max_output);
                Charge {
                    requests: 0,
                    tokens: used.tokens - reserved.tokens,
                    input: used.input - reserved.input,
                    output: used.output - reserved.output,
                }
            }
            Self::Total => Charge::tokens(0, size.output),
        }
    }

    /// For so much that has been produced.
    pub(super) fn produced(tokens: u64) -> Charge {
        Charge::tokens(0, tokens)
    }

    /// How much of a unit must be there for a call: what it is charged, or a token where it will be charged later.
    pub(super) fn needs(self, charge: &Charge, unit: Unit) -> i64 {
        let later = matches!(self, Self::Produced | Self::Total) && matches!(unit, Unit::Tokens | Unit::OutputTokens);
        charge.of(unit).max(i64::from(later))
    }
}

fn counted(size: Size, free: bool) -> u64 {
    if free { size.input.saturating_sub(size.cached) } else { size.input }
}
