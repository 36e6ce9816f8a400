//! Charges the input only.

use crate::providers::{
    response_format::ResponseFormat,
    terms::{Input, Output, PerTime, Refund, RefusedRequests, RefusedTokens, Terms},
    usage_shapes::gemini,
};

pub(super) const TERMS: Terms = Terms {
    name: "gemini",
    source: "ai.google.dev/gemini-api/docs/rate-limits",
    date: "2026-11",
    input: Input::Counted,
    cached_input: 1,
    output: Output::Free,
    output_weight: 1,
    output_weight_of: &[],
    refund: Refund::Settled,
    refused_requests: RefusedRequests::Counted, // not documented, but seen
    refused_tokens: RefusedTokens::Released,
    requests_header: PerTime::Minute,
    remaining_rounded_to: 1,
    headers: "none",
    limits: &["requests_per_minute", "requests_per_day", "tokens_per_minute"],
    responses: ResponseFormat { usage_places: &[("/usageMetadata", gemini)], ..ResponseFormat::NONE },
};
