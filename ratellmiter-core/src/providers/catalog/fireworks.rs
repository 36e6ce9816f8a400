//! Meters the input, the input that no cache had, and the output that is generated. The first is the one that counts
//! here.

use crate::providers::terms::{Input, Output, PerTime, Refund, RefusedRequests, RefusedTokens, Terms};

pub(super) const TERMS: Terms = Terms {
    name: "fireworks",
    source: "docs.fireworks.ai/serverless/rate-limits",
    date: "2026-11",
    input: Input::Counted,
    cached_input: 1,
    output: Output::Reserved, // not documented
    output_weight: 1,
    output_weight_of: &[],
    given_back: Refund::Settled,                // not documented
    refused_requests: RefusedRequests::Unknown, // not documented
    refused_tokens: RefusedTokens::Kept,        // not documented
    requests_header: PerTime::Minute,           // it has none
    remaining_rounded_to: 1,
    headers: "fireworks",
    limits: &["requests_per_minute", "input_tokens_per_minute", "output_tokens_per_minute"],
};
