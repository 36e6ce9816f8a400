//! Charges the larger of the estimated input and the maximum output when a call is sent; the input is estimated from its
//! characters. Whether unused tokens are refunded is not documented: the header with the remaining tokens decides.

use crate::providers::{
    response_format::{ResponseFormat, limit_headers},
    terms::{Input, Output, PerTime, Refund, RefusedRequests, RefusedTokens, Terms},
    usage_shapes::{chat, messages},
};

pub(super) const TERMS: Terms = Terms {
    name: "openai",
    source: "OpenAI rate limits guide, help.openai.com/en/articles/5955604",
    date: "2026-10",
    input: Input::Counted,
    cached_input: 1, // not documented
    output: Output::Larger,
    output_weight: 1,
    output_weight_of: &[],
    refund: Refund::Headers,
    refused_requests: RefusedRequests::Counted,
    refused_tokens: RefusedTokens::Kept, // not documented
    requests_header: PerTime::Minute,
    remaining_rounded_to: 1,
    headers: "openai",
    limits: &["requests_per_minute", "requests_per_day", "tokens_per_minute", "tokens_per_day"],
    responses: ResponseFormat {
        // The headers of the requests are shared with Azure and Groq.
        limit_headers: &[
            limit_headers!(Tokens, Minute, "x-ratelimit-", "-tokens"),
            limit_headers!(Tokens, Minute, "x-ratelimit-", "-project-tokens"),
        ],
        usage_places: &[
            // Chat completions, and the APIs that copy them.
            ("/usage", chat),
            // Responses, and the event `response.completed` of their streams.
            ("/usage", messages),
            ("/response/usage", messages),
        ],
        // insufficient_quota, credit_balance_exhausted, billing_hard_limit_reached, *_spend_limit_exceeded,
        // *_usage_limit_exceeded
        exhausted_quota_codes: &[
            "insufficient_quota",
            "billing",
            "credit_balance",
            "spend_limit",
            "usage_limit_exceeded",
        ],
        ..ResponseFormat::NONE
    },
};
