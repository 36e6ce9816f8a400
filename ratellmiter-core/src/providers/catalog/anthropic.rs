//! Estimates the input when a call goes and corrects it; what is read from a cache is free (but for Haiku 3.5). Output
//! is charged as it is produced: the maximum asked for plays no part.

use crate::providers::terms::{Input, Output, PerTime, Refund, RefusedRequests, RefusedTokens, Terms};

pub(super) const TERMS: Terms = Terms {
    name: "anthropic",
    source: "platform.claude.com/docs/en/api/rate-limits",
    date: "2026-10",
    input: Input::Counted,
    cached_input: 0,
    output: Output::Produced,
    output_weight: 1,
    output_weight_of: &[],
    given_back: Refund::Settled,
    refused_requests: RefusedRequests::Unknown, // not documented
    refused_tokens: RefusedTokens::Released,
    requests_header: PerTime::Minute,
    remaining_rounded_to: 1000,
    headers: "anthropic",
    limits: &["requests_per_minute", "input_tokens_per_minute", "output_tokens_per_minute"],
};
