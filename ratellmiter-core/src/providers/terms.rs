//! The terms of a contract.

/// How one provider counts.
#[derive(Debug)]
pub(crate) struct Terms {
    /// The name of the provider.
    pub(crate) name: &'static str,
    /// The page that they follow.
    pub(crate) source: &'static str,
    /// The year and month of that page.
    pub(crate) date: &'static str,
    pub(crate) input: Input,
    /// How much of a token that was read from a cache counts: 0 or 1.
    pub(crate) cached_input: u64,
    pub(crate) output: Output,
    /// How often a token of output counts when a call ends.
    pub(crate) output_weight: u64,
    /// The same for models that have this in their names.
    pub(crate) output_weight_of: &'static [(&'static str, u64)],
    pub(crate) given_back: Refund,
    pub(crate) refused_requests: RefusedRequests,
    pub(crate) refused_tokens: RefusedTokens,
    /// The time that the header of the remaining requests is about.
    pub(crate) requests_header: PerTime,
    /// The header of the remaining tokens is rounded to a multiple of this.
    pub(crate) remaining_rounded_to: u64,
    /// The provider whose headers the answers have, see [`Provider::headers`](crate::providers::provider::Provider::headers).
    pub(crate) headers: &'static str,
    /// The limits that there are, by their names in a configuration.
    pub(crate) limits: &'static [&'static str],
}

impl Terms {
    /// How often a token of this model's output counts. If several names fit, it is the most.
    pub(crate) fn output_weight(&self, model: &str) -> u64 {
        let fits = |part: &str| model.to_ascii_lowercase().contains(&part.to_ascii_lowercase());
        let own = self.output_weight_of.iter().filter(|(part, _)| fits(part)).map(|(_, weight)| *weight).max();
        own.unwrap_or(self.output_weight)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Input {
    Counted,
    Free,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Output {
    /// The maximum asked for is charged when the call goes, beside the input.
    Reserved,
    /// The larger of both is charged when the call goes.
    Larger,
    /// Charged as it is produced.
    Produced,
    Free,
}

/// What becomes of that part of a reservation that was not used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Refund {
    /// It is given back when the call ends.
    Settled,
    /// It is given back as far as the server's header shows more remaining.
    Headers,
    /// It stays charged for its minute.
    Kept,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RefusedRequests {
    Counted,
    Free,
    /// Nobody says.
    Unknown,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RefusedTokens {
    Kept,
    Released,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PerTime {
    Minute,
    Day,
}
