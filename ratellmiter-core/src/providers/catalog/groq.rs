//! Cached tokens are free. The header with the remaining requests counts the requests of the day.

use crate::providers::{
    response_format::ResponseFormat,
    terms::{Input, Output, PerTime, Refund, RefusedRequests, RefusedTokens, Terms},
    usage_shapes::chat,
};

pub(super) const TERMS: Terms = Terms {
    name: "groq",
    source: "console.groq.com/docs/rate-limits.md",
    date: "2026-11",
    input: Input::Counted,
    cached_input: 0,
    output: Output::Reserved, // not documented
    output_weight: 1,
    output_weight_of: &[],
    refund: Refund::Headers,                    // not documented
    refused_requests: RefusedRequests::Unknown, // not documented
    refused_tokens: RefusedTokens::Kept,        // not documented
    requests_header: PerTime::Day,
    remaining_rounded_to: 1,
    headers: "openai",
    limits: &["requests_per_minute", "requests_per_day", "tokens_per_minute", "tokens_per_day"],
    // Streams.
    responses: ResponseFormat { usage_places: &[("/x_groq/usage", chat)], ..ResponseFormat::NONE },
    ..Terms::UNDOCUMENTED
};
