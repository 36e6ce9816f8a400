//! Meters the input, the input that was not read from a cache, and the generated output. The first of them is the input
//! that is charged here.

use crate::providers::{
    response_format::{ResponseFormat, limit_headers},
    terms::{Input, Output, PerTime, Refund, RefusedRequests, RefusedTokens, Terms},
};

pub(super) const TERMS: Terms = Terms {
    name: "fireworks",
    source: "docs.fireworks.ai/serverless/rate-limits",
    date: "2026-11",
    input: Input::Counted,
    cached_input: 1,
    output: Output::Reserved, // not documented
    output_weight: 1,
    output_weight_of: &[],
    refund: Refund::Settled,                    // not documented
    refused_requests: RefusedRequests::Unknown, // not documented
    refused_tokens: RefusedTokens::Kept,        // not documented
    requests_header: PerTime::Minute,           // it has none
    remaining_rounded_to: 1,
    headers: "fireworks",
    limits: &["requests_per_minute", "input_tokens_per_minute", "output_tokens_per_minute"],
    responses: ResponseFormat {
        // Sources disagree whether these limits are a second's or a minute's.
        limit_headers: &[
            limit_headers!(InputTokens, Unknown, "x-ratelimit-", "-tokens-prompt"),
            limit_headers!(InputTokens, Unknown, "x-ratelimit-", "-tokens-cache-adjusted-prompt"),
            limit_headers!(OutputTokens, Unknown, "x-ratelimit-", "-tokens-generated"),
        ],
        ..ResponseFormat::NONE
    },
    ..Terms::UNDOCUMENTED
};
