//! What a call is thought to cost before it is made.

use crate::providers::usage::Usage;

/// What a call is thought to cost, in tokens: its input, and the most output that it asks for.
///
/// The output is `max_tokens` or `max_output_tokens` of the request, if it has one. Some providers charge it in full when the
/// call goes, whatever comes back; see [`Provider`](crate::Provider).
///
/// ```
/// use ratellmiter_core::tokens::{TokenEstimate, estimate_tokens};
///
/// let cost = TokenEstimate::new(estimate_tokens("Why is the sky blue?"), 500);
/// assert_eq!(cost, (7, 500).into());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TokenEstimate {
    /// Input tokens. `None`: as calls of this limiter have used before.
    pub(crate) input: Option<u64>,
    /// Output tokens, at most. `None`: as calls of this limiter have produced before.
    pub(crate) output: Option<u64>,
}

impl TokenEstimate {
    /// Nothing is known of it: what calls of this limiter have used before is taken.
    pub const UNKNOWN: Self = Self { input: None, output: None };

    /// So many input tokens, and at most so many output tokens.
    #[must_use]
    pub const fn new(input: u64, output: u64) -> Self {
        Self { input: Some(input), output: Some(output) }
    }

    /// So many input tokens; the output is taken to be what calls of this limiter have produced before.
    #[must_use]
    pub const fn input(input: u64) -> Self {
        Self { input: Some(input), output: None }
    }
}

/// A number of tokens, of any usual type. A negative one is none, and `None` is not known.
pub trait IntoTokens {
    /// The number.
    fn tokens(self) -> Option<u64>;
}

macro_rules! tokens {
    ($($number:ty),*) => {$(
        impl IntoTokens for $number {
            fn tokens(self) -> Option<u64> {
                Some(u64::try_from(self).unwrap_or(0))
            }
        }

        /// Input tokens alone.
        impl From<$number> for TokenEstimate {
            fn from(input: $number) -> Self {
                Self { input: input.tokens(), output: None }
            }
        }
    )*};
}

// `i32` is what a literal is.
tokens!(u64, u32, usize, i32, i64);

impl<T: IntoTokens> IntoTokens for Option<T> {
    fn tokens(self) -> Option<u64> {
        self?.tokens()
    }
}

/// Input tokens, and at most so many output tokens.
impl<I: IntoTokens, O: IntoTokens> From<(I, O)> for TokenEstimate {
    fn from((input, output): (I, O)) -> Self {
        Self { input: input.tokens(), output: output.tokens() }
    }
}

/// What another call like it has used.
impl From<Usage> for TokenEstimate {
    fn from(usage: Usage) -> Self {
        Self::new(usage.input, usage.output)
    }
}
