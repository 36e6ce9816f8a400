//! Charges input and output as they are used. Requests are limited a second.

use crate::providers::{
    error_signs::{Meaning, Sign},
    response_format::{ResponseFormat, limit_headers},
    terms::{Input, Output, PerTime, Refund, RefusedRequests, RefusedTokens, Terms},
};

pub(super) const TERMS: Terms = Terms {
    name: "mistral",
    source: "docs.mistral.ai/deployment/ai-studio/tier",
    date: "2026-11",
    input: Input::Counted,
    cached_input: 1, // not documented
    output: Output::Generated,
    output_weight: 1,
    output_weight_of: &[],
    refund: Refund::Settled,
    refused_requests: RefusedRequests::Unknown, // not documented
    refused_tokens: RefusedTokens::Released,
    requests_header: PerTime::Minute,
    remaining_rounded_to: 1,
    headers: "mistral",
    limits: &["requests_per_second", "tokens_per_minute", "tokens_per_month"],
    responses: ResponseFormat {
        limit_headers: &[
            limit_headers!(Requests, Minute, "x-ratelimit-", "-req-minute"),
            limit_headers!(Tokens, Minute, "x-ratelimit-", "-tokens-minute"),
        ],
        // With status 503 it is an overload: the status decides.
        errors: &[(Sign::Code("service_tier_capacity_exceeded"), Meaning::Rate)],
        ..ResponseFormat::NONE
    },
    ..Terms::UNDOCUMENTED
};
