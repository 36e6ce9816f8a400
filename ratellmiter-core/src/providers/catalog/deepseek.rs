//! Limits the calls in flight, and nothing else. A call is in flight until the end of its answer, or of its stream.

use crate::providers::{
    error_signs::{Meaning, Sign},
    response_format::ResponseFormat,
    terms::{Input, Output, PerTime, Refund, RefusedRequests, RefusedTokens, Terms},
};

pub(super) const TERMS: Terms = Terms {
    name: "deepseek",
    source: "api-docs.deepseek.com/quick_start/rate_limit.md",
    date: "2026-11",
    input: Input::Free,
    cached_input: 0,
    output: Output::Free,
    output_weight: 1,
    output_weight_of: &[],
    refund: Refund::Settled,
    refused_requests: RefusedRequests::Free,
    refused_tokens: RefusedTokens::Released,
    requests_header: PerTime::Minute, // it has none
    remaining_rounded_to: 1,
    headers: "none",
    limits: &["max_in_flight"],
    responses: ResponseFormat {
        errors: &[(Sign::Phrase("insufficient balance"), Meaning::Money)],
        ..ResponseFormat::NONE
    },
    ..Terms::UNDOCUMENTED
};
