//! The estimated tokens of a call.

use crate::providers::usage::Usage;

/// The estimated tokens of a call: its input and its maximum output.
///
/// The maximum output is the `max_tokens` or `max_output_tokens` of the request. Some providers charge it in full when the
/// call is sent; see [`Provider`](crate::Provider).
///
/// ```
/// use ratellmiter_core::tokens::{TokenEstimate, estimate_tokens};
///
/// let estimate = TokenEstimate::new(estimate_tokens("Why is the sky blue?"), 500);
/// assert_eq!(estimate, (7, 500).into());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TokenEstimate {
    /// Input tokens. `None` if they are estimated from earlier calls of the limiter.
    pub(crate) input: Option<u64>,
    /// Maximum output tokens. `None` if they are estimated from earlier calls of the limiter.
    pub(crate) output: Option<u64>,
}

impl TokenEstimate {
    /// No estimate: the usage of earlier calls of the limiter is taken.
    pub const UNKNOWN: Self = Self { input: None, output: None };

    /// Creates an estimate of `input` tokens and at most `output` output tokens.
    #[must_use]
    pub const fn new(input: u64, output: u64) -> Self {
        Self { input: Some(input), output: Some(output) }
    }

    /// Creates an estimate of `input` tokens. The output is estimated from earlier calls of the limiter.
    #[must_use]
    pub const fn input(input: u64) -> Self {
        Self { input: Some(input), output: None }
    }
}

/// A number of tokens as an integer of any usual type. Negative numbers count as 0; `None` is unknown.
pub trait IntoTokens {
    /// Returns the number, or `None` if it is unknown.
    fn tokens(self) -> Option<u64>;
}

macro_rules! tokens {
    ($($number:ty),*) => {$(
        impl IntoTokens for $number {
            fn tokens(self) -> Option<u64> {
                Some(u64::try_from(self).unwrap_or(0))
            }
        }

        /// An estimate of input tokens alone.
        impl From<$number> for TokenEstimate {
            fn from(input: $number) -> Self {
                Self { input: input.tokens(), output: None }
            }
        }
    )*};
}

// `i32` is the type of a literal.
tokens!(u64, u32, usize, i32, i64);

impl<T: IntoTokens> IntoTokens for Option<T> {
    fn tokens(self) -> Option<u64> {
        self?.tokens()
    }
}

/// An estimate of input tokens and of maximum output tokens.
impl<I: IntoTokens, O: IntoTokens> From<(I, O)> for TokenEstimate {
    fn from((input, output): (I, O)) -> Self {
        Self { input: input.tokens(), output: output.tokens() }
    }
}

/// The usage of a similar call as an estimate.
impl From<Usage> for TokenEstimate {
    fn from(usage: Usage) -> Self {
        Self::new(usage.input, usage.output)
    }
}
