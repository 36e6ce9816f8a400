//! How the providers count tokens, by the data in [`contracts`](crate::providers::catalog).
//!
//! The best rule of one provider is the worst of the next: what Anthropic charges as it is produced, Azure charges at the
//! start and never gives back.

use std::{error::Error, fmt};

pub use crate::providers::charge::TokenCharge;
pub use crate::providers::terms::Refund;
use crate::providers::{
    catalog::CONTRACTS,
    terms::{PerTime, RefusedRequests, Terms},
};

/// How a provider counts: what a call is charged, when, and what is given back.
///
/// ```
/// use ratellmiter_core::{Contract, Usage};
///
/// # fn main() -> Result<(), ratellmiter_core::UnknownProvider> {
/// // 1000 tokens in, and at most 4000 out.
/// let bedrock = Contract::named("bedrock")?;
/// let reserved = bedrock.reserve(1000, 4000);
/// assert_eq!(reserved.total, 5000);
///
/// // It wrote 300, each of which counts five times.
/// let settled = bedrock.settle("anthropic.claude-sonnet-4", reserved, Usage::new(1000, 300));
/// assert_eq!(settled.total, 2500);
/// # Ok(()) }
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Contract(
    /// Which of the contracts.
    usize,
);

impl Contract {
    /// The contract for a provider that is not known: everything counts, the maximum is reserved, and what was too much is
    /// given back when the call ends.
    pub const PLAIN: Self = Self(CONTRACTS.len() - 1);

    /// The contract of a provider, by its name.
    ///
    /// # Errors
    /// No provider is called so. The message names those that are known.
    pub fn named(name: &str) -> Result<Self, UnknownProvider> {
        let found = CONTRACTS.iter().position(|known| known.name.eq_ignore_ascii_case(name));
        found.map(Self).ok_or_else(|| UnknownProvider { name: name.to_owned() })
    }

    pub(super) fn terms(self) -> &'static Terms {
        &CONTRACTS[self.0]
    }

    /// The names of all contracts.
    pub fn names() -> impl Iterator<Item = &'static str> {
        CONTRACTS.iter().map(|terms| terms.name)
    }

    /// The name of the provider.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.terms().name
    }

    /// The page that this follows.
    #[must_use]
    pub fn source(&self) -> &'static str {
        self.terms().source
    }

    /// The year and month of that page. Contracts change.
    #[must_use]
    pub fn date(&self) -> &'static str {
        self.terms().date
    }

    /// The limits that the provider has, by the names that a configuration could give them.
    pub fn limits(&self) -> impl Iterator<Item = &'static str> {
        self.terms().limits.iter().copied()
    }

    /// Whether it limits requests, over whatever time.
    pub(crate) fn limits_requests(self) -> bool {
        self.limits().any(|limit| limit.starts_with("requests_per_"))
    }

    /// Whose headers the provider's answers have: "openai", "anthropic", "fireworks", "mistral", "openrouter", "ietf" or
    /// "none".
    #[must_use]
    pub fn headers(&self) -> &'static str {
        self.terms().headers
    }

    /// What becomes of that part of a reservation that was not used.
    #[must_use]
    pub fn gives_back(&self) -> Refund {
        self.terms().given_back
    }

    /// Whether a refused call counts as a request. Where nobody knows it does.
    #[must_use]
    pub fn counts_refused_requests(&self) -> bool {
        self.terms().refused_requests != RefusedRequests::Free
    }

    /// Whether the header that tells the remaining requests means those of the day, not of the minute.
    #[must_use]
    pub fn requests_header_is_per_day(&self) -> bool {
        self.terms().requests_header == PerTime::Day
    }

    /// The header that tells the remaining tokens is rounded to a multiple of this.
    #[must_use]
    pub fn remaining_rounded_to(&self) -> u64 {
        self.terms().remaining_rounded_to
    }
}

impl Default for Contract {
    fn default() -> Self {
        Self::PLAIN
    }
}

impl fmt::Debug for Contract {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Contract").field(&self.name()).finish()
    }
}

impl fmt::Display for Contract {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A name that no provider has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownProvider {
    name: String,
}

impl fmt::Display for UnknownProvider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let known = Contract::names().collect::<Vec<_>>().join(", ");
        write!(f, "no provider is called {:?}; known are {known}", self.name)
    }
}

impl Error for UnknownProvider {}

#[cfg(test)]
mod tests;
