//! The facts that the catalog holds about each provider.

use super::response_format::ResponseFormat;

/// The accounting rules of one provider, and the format of its responses.
#[derive(Debug)]
pub(super) struct Terms {
    /// The name of the provider in a configuration.
    pub(super) name: &'static str,
    /// The page that documents the rules.
    pub(super) source: &'static str,
    /// The year and month of that page.
    pub(super) date: &'static str,
    pub(super) input: Input,
    /// The weight of a token that was read from a cache: 0 or 1.
    pub(super) cached_input: u64,
    pub(super) output: Output,
    /// The largest maximum output that is reserved, which is also reserved for a call without a maximum.
    pub(super) output_cap: Option<u64>,
    /// The parameter of a request that limits its output.
    pub(super) output_parameter: &'static str,
    /// A request whose input and maximum output exceed the whole budget is refused each time: documented.
    pub(super) refuses_oversized: bool,
    /// The weight of an output token when a call ends.
    pub(super) output_weight: u64,
    /// Other weights of output tokens, for models whose names contain the text.
    pub(super) output_weight_of: &'static [(&'static str, u64)],
    pub(super) refund: Refund,
    pub(super) refused_requests: RefusedRequests,
    pub(super) refused_tokens: RefusedTokens,
    /// The period of the header with the remaining requests.
    pub(super) requests_header: PerTime,
    /// The multiple to which the header with the remaining tokens is rounded.
    pub(super) remaining_rounded_to: u64,
    /// The family of the rate-limit headers, see [`Provider::headers`](super::provider::Provider::headers).
    pub(super) headers: &'static str,
    /// The limits of the provider, by their configuration keys.
    pub(super) limits: &'static [&'static str],
    pub(super) responses: ResponseFormat,
}

impl Terms {
    /// The rule for facts that are not documented: all tokens count, the maximum output is reserved, and the unused part is
    /// refunded when the call ends.
    pub(super) const UNDOCUMENTED: Self = Self {
        name: "",
        source: "",
        date: "",
        input: Input::Counted,
        cached_input: 1,
        output: Output::Reserved,
        output_cap: None,
        output_parameter: "max_tokens",
        refuses_oversized: false,
        output_weight: 1,
        output_weight_of: &[],
        refund: Refund::Settled,
        refused_requests: RefusedRequests::Unknown,
        refused_tokens: RefusedTokens::Kept,
        requests_header: PerTime::Minute,
        remaining_rounded_to: 1,
        headers: "none",
        limits: &[],
        responses: ResponseFormat::NONE,
    };

    /// Returns the weight of an output token of `model`. If its name contains several of the texts, the largest weight counts.
    pub(super) fn output_weight(&self, model: &str) -> u64 {
        let contains = |part: &str| model.to_ascii_lowercase().contains(&part.to_ascii_lowercase());
        let weights = self.output_weight_of.iter().filter(|(part, _)| contains(part)).map(|(_, weight)| *weight);
        weights.max().unwrap_or(self.output_weight)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Input {
    Counted,
    Free,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Output {
    /// The maximum output is charged when the call is sent, in addition to the input.
    Reserved,
    /// The larger of the input and the maximum output is charged when the call is sent.
    Larger,
    /// Output is charged as it is generated.
    Generated,
    Free,
}

/// The treatment of the unused part of a reservation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Refund {
    /// Refunded when the call ends.
    Settled,
    /// Refunded as far as the server's header shows more remaining tokens.
    Headers,
    /// Charged until the end of its minute.
    Kept,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RefusedRequests {
    Counted,
    Free,
    /// Not documented.
    Unknown,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RefusedTokens {
    Kept,
    Released,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PerTime {
    Minute,
    Day,
}
