//! Charges an estimate of the input when a call is sent, and corrects it later. Tokens read from a cache are free, except
//! for Haiku 3.5. Output is charged as it is generated; the maximum output is not reserved.

use crate::providers::{
    error_signs::{Meaning, Sign, WindowHeaders},
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
        errors: &[
            // billing_error, enforced_spend_limit_reached
            (Sign::CodePart("billing"), Meaning::Money),
            (Sign::CodePart("spend_limit"), Meaning::Money),
            // Older versions of the API report a spend limit by the message alone.
            (Sign::Phrase("you have reached your specified"), Meaning::Money),
            (Sign::Phrase("you have reached your api usage limits"), Meaning::Money),
            (Sign::Phrase("credit balance is too low"), Meaning::Money),
            (Sign::Phrase("out of extra usage"), Meaning::Money),
            // The message of a `rate_limit_error`, for clients that drop the code.
            (Sign::Phrase("would exceed your organization"), Meaning::Rate),
            (Sign::Phrase("would exceed your account's rate limit"), Meaning::Rate),
            // A tier, sent as a `rate_limit_error`: github.com/anthropics/claude-code/issues/42616, 2026-04.
            (Sign::Phrase("extra usage is required"), Meaning::ThisRequest),
            (Sign::Phrase("usage credits are required"), Meaning::ThisRequest),
            (Sign::Phrase("required for long context"), Meaning::ThisRequest),
            (Sign::Phrase("long context beta is not"), Meaning::ThisRequest),
        ],
        // Windows of subscriptions: github.com/Yeachan-Heo/gajae-code/issues/2444, 2026-07.
        windows: &[
            WindowHeaders { state: "anthropic-ratelimit-unified-status", reset: "anthropic-ratelimit-unified-reset" },
            WindowHeaders {
                state: "anthropic-ratelimit-unified-5h-status",
                reset: "anthropic-ratelimit-unified-5h-reset",
            },
            WindowHeaders {
                state: "anthropic-ratelimit-unified-7d-status",
                reset: "anthropic-ratelimit-unified-7d-reset",
            },
        ],
        // docs.claude.com/en/api/errors, 2026-11.
        statuses: &[("api_error", 500), ("timeout_error", 504)],
        ..ResponseFormat::NONE
    },
    ..Terms::UNDOCUMENTED
};
