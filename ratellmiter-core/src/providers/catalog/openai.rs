//! Charges the larger of the input, estimated from its characters, and the maximum of the output when a call goes.
//! Whether anything is given back is not said: the remaining header is the truth.

use crate::providers::terms::{Input, Output, PerTime, Refund, RefusedRequests, RefusedTokens, Terms};

pub(super) const TERMS: Terms = Terms {
    name: "openai",
    source: "OpenAI rate limits guide, help.openai.com/en/articles/5955604",
    date: "2026-10",
    input: Input::Counted,
    cached_input: 1, // not documented
    output: Output::Larger,
    output_weight: 1,
    output_weight_of: &[],
    given_back: Refund::Headers,
    refused_requests: RefusedRequests::Counted,
    refused_tokens: RefusedTokens::Kept, // not documented
    requests_header: PerTime::Minute,
    remaining_rounded_to: 1,
    headers: "openai",
    limits: &["requests_per_minute", "requests_per_day", "tokens_per_minute", "tokens_per_day"],
};
