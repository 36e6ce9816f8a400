//! What the file of a contract may say.

use std::collections::BTreeMap;

use serde::Deserialize;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Terms {
    #[serde(skip)]
    pub(super) name: &'static str,
    /// The page that it follows.
    pub(super) source: String,
    /// Year and month.
    pub(super) date: String,
    pub(super) input: Input,
    /// How much of a token that was read from a cache counts: 0 or 1.
    pub(super) cached_input: u64,
    pub(super) output: Output,
    /// How often a token of output counts when a call ends.
    output_weight: u64,
    /// The same for models that have this in their names.
    #[serde(default)]
    output_weight_of: BTreeMap<String, u64>,
    pub(super) given_back: GivenBack,
    pub(super) refused_requests: RefusedRequests,
    pub(super) refused_tokens: RefusedTokens,
    /// What the header that tells the remaining requests is about.
    pub(super) requests_header: PerTime,
    pub(super) remaining_rounded_to: u64,
    pub(super) headers: String,
    pub(super) limits: Vec<String>,
}

impl Terms {
    /// Reads a contract that is part of the program.
    pub(super) fn read(name: &'static str, text: &str) -> Self {
        Self { name, ..toml::from_str(text).expect("the tests read every contract") }
    }

    /// How often a token of this model's output counts. If several names fit, it is the most.
    pub(super) fn output_weight(&self, model: &str) -> u64 {
        let fits = |part: &str| model.to_ascii_lowercase().contains(&part.to_ascii_lowercase());
        let own = self.output_weight_of.iter().filter(|(part, _)| fits(part)).map(|(_, weight)| *weight).max();
        own.unwrap_or(self.output_weight)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Input {
    Counted,
    Free,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Output {
    /// The maximum asked for is charged when the call goes, beside the input.
    Reserved,
    /// The larger of both is charged when the call goes.
    Larger,
    /// Charged as it is produced.
    Produced,
    Free,
}

/// What becomes of that part of a reservation that was not used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum GivenBack {
    /// It is given back when the call ends.
    Settled,
    /// It is given back as far as the server's header shows more remaining.
    Headers,
    /// It stays charged for its minute.
    Kept,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum RefusedRequests {
    Counted,
    Free,
    /// Nobody says.
    Unknown,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum RefusedTokens {
    Kept,
    Released,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum PerTime {
    Minute,
    Day,
}
