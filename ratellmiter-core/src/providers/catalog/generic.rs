//! A provider that is not known: everything counts, the maximum of the output is reserved, and what was too much is
//! given back when the call ends.

use crate::providers::terms::{Input, Output, PerTime, Refund, RefusedRequests, RefusedTokens, Terms};

pub(super) const TERMS: Terms = Terms {
    name: "generic",
    source: "no page: what is careful with most providers",
    date: "2026-11",
    input: Input::Counted,
    cached_input: 1,
    output: Output::Reserved,
    output_weight: 1,
    output_weight_of: &[],
    given_back: Refund::Settled,
    refused_requests: RefusedRequests::Unknown,
    refused_tokens: RefusedTokens::Kept,
    requests_header: PerTime::Minute,
    remaining_rounded_to: 1,
    headers: "ietf",
    limits: &["requests_per_minute", "tokens_per_minute", "max_in_flight"],
};
