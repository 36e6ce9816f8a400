//! Reserves the input, the cache's part included, and the maximum of the output, and settles when the call ends: what
//! was read from a cache is given back, and output of Claude since 3.7 counts five times. Without a maximum it reserves
//! the model's.

use crate::providers::terms::{Input, Output, PerTime, Refund, RefusedRequests, RefusedTokens, Terms};

pub(super) const TERMS: Terms = Terms {
    name: "bedrock",
    source: "docs.aws.amazon.com/bedrock, quotas-runtime",
    date: "2026-11",
    input: Input::Counted,
    cached_input: 0,
    output: Output::Reserved,
    output_weight: 1,
    output_weight_of: &[("claude", 5)],
    given_back: Refund::Settled,
    refused_requests: RefusedRequests::Unknown, // not documented
    refused_tokens: RefusedTokens::Released,
    requests_header: PerTime::Minute, // it has none
    remaining_rounded_to: 1,
    headers: "none",
    limits: &["requests_per_minute", "tokens_per_minute", "tokens_per_day"],
};
