//! The accounting rules of a provider, from the [catalog](crate::providers::catalog).

use std::{error::Error, fmt, str::FromStr};

pub use super::{catalog::Provider, charge::TokenCharge, terms::Refund};
use super::{
    error_signs::{Meaning, Sign},
    gateways,
    response_format::ResponseFormat,
    terms::{PerTime, RefusedRequests},
};

impl Provider {
    /// Returns the name of the provider, as in a configuration file.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.terms().name
    }

    /// Returns the page that the rules follow.
    #[must_use]
    pub fn source(&self) -> &'static str {
        self.terms().source
    }

    /// Returns the year and month of that page.
    #[must_use]
    pub fn date(&self) -> &'static str {
        self.terms().date
    }

    /// Returns the limits that the provider has, by their configuration keys.
    pub fn limits(&self) -> impl Iterator<Item = &'static str> {
        self.terms().limits.iter().copied()
    }

    /// Returns `true` if the provider limits requests, a minute or a day.
    pub(crate) fn limits_requests(self) -> bool {
        self.limits().any(|limit| limit.starts_with("requests_per_"))
    }

    /// Returns the family of the rate-limit headers: "openai", "anthropic", "fireworks", "mistral", "openrouter", "cerebras",
    /// "together", "ietf" or "none".
    #[must_use]
    pub fn headers(&self) -> &'static str {
        self.terms().headers
    }

    /// Returns the maximum output that is reserved for a call without one, or `None` if it is not documented.
    pub(crate) fn unstated_output(self) -> Option<u64> {
        self.terms().output_cap
    }

    /// Returns the parameter of a request that limits its output.
    pub(crate) fn output_parameter(self) -> &'static str {
        self.terms().output_parameter
    }

    /// Returns `true` if a request whose input and maximum output exceed the whole budget is refused each time.
    pub(crate) fn refuses_oversized(self) -> bool {
        self.terms().refuses_oversized
    }

    /// Returns when the unused part of a reservation is refunded.
    #[must_use]
    pub fn refund(&self) -> Refund {
        self.terms().refund
    }

    /// Returns `true` if a refused call counts as a request, or if that is unknown.
    #[must_use]
    pub fn counts_refused_requests(&self) -> bool {
        self.terms().refused_requests != RefusedRequests::Free
    }

    /// Returns `true` if the header with the remaining requests counts the requests of the day, not of the minute.
    #[must_use]
    pub fn requests_header_is_per_day(&self) -> bool {
        self.terms().requests_header == PerTime::Day
    }

    /// Returns the multiple to which the header with the remaining tokens is rounded.
    #[must_use]
    pub fn remaining_rounded_to(&self) -> u64 {
        self.terms().remaining_rounded_to
    }

    /// Returns the formats of all providers' and gateways' responses, in a fixed order.
    pub(crate) fn response_formats() -> impl Iterator<Item = &'static ResponseFormat> {
        Self::ALL.iter().map(|provider| &provider.terms().responses).chain(gateways::FORMATS.iter().copied())
    }

    /// Returns the signs of errors of all providers and gateways.
    pub(crate) fn error_signs() -> impl Iterator<Item = (Sign, Meaning)> {
        Self::response_formats().flat_map(|format| format.errors.iter().copied())
    }

    /// Returns `true` if a name in a text, in lower case, is the code of an error.
    pub(crate) fn is_code(name: &str) -> bool {
        Self::error_signs().any(|(sign, _)| sign.is_whole_name(name))
    }

    /// Returns `true` if a name in a text, in lower case, begins with the code of an error.
    pub(crate) fn has_code(name: &str) -> bool {
        Self::error_signs().any(|(sign, _)| sign.is_name(name))
    }
}

impl fmt::Display for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Provider {
    type Err = UnknownProvider;

    /// Parses the name of a provider, in upper or lower case.
    fn from_str(name: &str) -> Result<Self, UnknownProvider> {
        let found = Self::ALL.iter().find(|provider| provider.name().eq_ignore_ascii_case(name));
        found.copied().ok_or_else(|| UnknownProvider { name: name.to_owned() })
    }
}

/// The error for a name that no provider has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownProvider {
    name: String,
}

impl fmt::Display for UnknownProvider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let known = Provider::ALL.iter().map(Provider::name).collect::<Vec<_>>().join(", ");
        write!(f, "no provider is called {:?}; known are {known}", self.name)
    }
}

impl Error for UnknownProvider {}

#[cfg(test)]
mod tests;
