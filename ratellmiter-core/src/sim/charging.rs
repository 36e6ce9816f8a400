//! Charges of a call, and their times.

use std::time::Duration;

use super::Size;
use crate::judge::LimitKind;

pub(super) const DAY: Duration = Duration::from_hours(24);

/// Unit that a limit counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Unit {
    /// Requests.
    Requests,
    /// Input and output tokens.
    Tokens,
    /// Input tokens.
    InputTokens,
    /// Output tokens.
    OutputTokens,
}

impl Unit {
    /// Returns the limit that a refusal names for a limit on this unit over `width`.
    pub(super) fn limit_kind(self, width: Duration) -> LimitKind {
        match self {
            _ if width >= DAY => LimitKind::Daily,
            Self::Requests => LimitKind::Requests,
            Self::Tokens => LimitKind::Tokens,
            Self::InputTokens => LimitKind::InputTokens,
            Self::OutputTokens => LimitKind::OutputTokens,
        }
    }
}

/// Rule by which a provider charges the tokens of a call, from the providers' documentation in 2026.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum TokenCharging {
    /// Charges the input and the maximum output at arrival, without a refund (Azure).
    #[default]
    Reserved,
    /// Charges the input and the maximum output, but at most `max_output` tokens of it, at arrival, without a refund (Cerebras).
    Capped {
        /// Largest charge for the output of a call.
        max_output: u32,
    },
    /// Charges the larger of input and maximum output at arrival, without a refund (`OpenAI`).
    Larger,
    /// Charges the input, including cached tokens, and the maximum output at arrival, and settles the difference to the usage
    /// when the call ends (Bedrock, which charges five tokens for each output token of some models).
    Settled {
        /// Tokens charged for each output token.
        output_weight: u32,
    },
    /// Charges the input at arrival, and the output evenly while it is generated (Anthropic). A level may fall below zero;
    /// calls are then refused until it is one token.
    Produced,
    /// Charges the input at arrival, and no output (Gemini).
    InputOnly,
    /// Charges the input at arrival and the output when the call ends (xAI, Mistral). A level may fall below zero.
    Total,
}

/// Charge in each unit. Negative amounts are refunds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Charge {
    requests: i64,
    tokens: i64,
    input: i64,
    output: i64,
}

impl Charge {
    /// A request without tokens.
    pub(super) const REQUEST: Self = Self { requests: 1, tokens: 0, input: 0, output: 0 };

    fn tokens(input: u64, output: u64) -> Self {
        let (input, output) = (signed(input), signed(output));
        Self { requests: 0, tokens: input + output, input, output }
    }

    pub(super) fn amount(&self, unit: Unit) -> i64 {
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

impl TokenCharging {
    /// Returns the charge at arrival. Cached input is not charged if `is_cached_free`.
    pub(super) fn at_arrival(self, size: Size, is_cached_free: bool) -> Charge {
        let input = counted_input(size, is_cached_free);
        let charge = match self {
            Self::Reserved => Charge::tokens(input, size.max_output),
            Self::Capped { max_output } => Charge::tokens(input, size.max_output.min(max_output.into())),
            Self::Larger => {
                let charge = Charge::tokens(input, size.max_output);
                Charge { tokens: charge.input.max(charge.output), ..charge }
            }
            Self::Settled { .. } => Charge::tokens(size.input, size.max_output),
            Self::Produced | Self::InputOnly | Self::Total => Charge::tokens(input, 0),
        };
        Charge { requests: 1, ..charge }
    }

    /// Returns the charge at the end of the call, in addition to earlier ones.
    pub(super) fn at_end(self, size: Size, is_cached_free: bool) -> Charge {
        match self {
            Self::Reserved | Self::Capped { .. } | Self::Larger | Self::InputOnly | Self::Produced => Charge::default(),
            Self::Settled { output_weight } => {
                let used = Charge::tokens(
                    counted_input(size, is_cached_free),
                    size.output.saturating_mul(output_weight.into()),
                );
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

    /// Returns the charge for generated output tokens.
    pub(super) fn for_output(tokens: u64) -> Charge {
        Charge::tokens(0, tokens)
    }

    /// Returns the amount of `unit` that must be available for a call: its charge, but at least one token if the unit is
    /// charged later.
    pub(super) fn required(self, charge: &Charge, unit: Unit) -> i64 {
        let is_charged_later =
            matches!(self, Self::Produced | Self::Total) && matches!(unit, Unit::Tokens | Unit::OutputTokens);
        charge.amount(unit).max(i64::from(is_charged_later))
    }
}

fn counted_input(size: Size, is_cached_free: bool) -> u64 {
    if is_cached_free { size.input.saturating_sub(size.cached) } else { size.input }
}
