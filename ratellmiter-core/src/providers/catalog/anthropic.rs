//! Charges an estimate of the input when a call is sent, and corrects it later. Tokens read from a cache are free, except
//! for Haiku 3.5. Output is charged as it is generated; the maximum output is not reserved.

use crate::providers::{
    response_format::{ResponseFormat, limit_headers},
    terms::{Input, Output, PerTime, Refund, RefusedRequests, RefusedTokens, Terms},
    usage_shapes::messages,
};

pub(super) const TERMS: Terms = Terms {
    name: "anthropic",
    source: "platform.claude.com/docs/en/api/rate-limits",
    date: "2026-10",
    input: Input::Counted,
    cached_input: 0,
    output: Output::Generated,
    output_weight: 1,
    output_weight_of: &[],
    refund: Refund::Settled,
    refused_requests: RefusedRequests::Unknown, // not documented
    refused_tokens: RefusedTokens::Released,
    requests_header: PerTime::Minute,
    remaining_rounded_to: 1000,
    headers: "anthropic",
    limits: &["requests_per_minute", "input_tokens_per_minute", "output_tokens_per_minute"],
    responses: ResponseFormat {
        limit_headers: &[
            limit_headers!(Requests, Minute, "anthropic-ratelimit-requests-", ""),
            limit_headers!(InputTokens, Minute, "anthropic-ratelimit-input-tokens-", ""),
            limit_headers!(OutputTokens, Minute, "anthropic-ratelimit-output-tokens-", ""),
        ],
        combined_limit_headers: &[limit_headers!(Tokens, Minute, "anthropic-ratelimit-tokens-", "")],
        // A message, and the event `message_start` of its stream.
        usage_places: &[("/usage", messages), ("/message/usage", messages)],
        // billing_error, enforced_spend_limit_reached
        exhausted_quota_codes: &["billing", "spend_limit"],
        // Older versions of the API report a spend limit by the message alone.
        exhausted_quota_phrases: &[
            "you have reached your specified",
            "you have reached your api usage limits",
            "credit balance is too low",
        ],
    },
};
