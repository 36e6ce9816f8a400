//! An unknown provider: all tokens count, the maximum output is reserved, and the unused part is refunded when the call
//! ends.

use crate::providers::{
    response_format::ResponseFormat,
    terms::{Input, Output, PerTime, Refund, RefusedRequests, RefusedTokens, Terms},
};

pub(super) const TERMS: Terms = Terms {
    name: "generic",
    source: "no page: safe with most providers",
    date: "2026-11",
    input: Input::Counted,
    cached_input: 1,
    output: Output::Reserved,
    output_weight: 1,
    output_weight_of: &[],
    refund: Refund::Settled,
    refused_requests: RefusedRequests::Unknown,
    refused_tokens: RefusedTokens::Kept,
    requests_header: PerTime::Minute,
    remaining_rounded_to: 1,
    headers: "ietf",
    limits: &["requests_per_minute", "tokens_per_minute", "max_in_flight"],
    responses: ResponseFormat::NONE,
};
