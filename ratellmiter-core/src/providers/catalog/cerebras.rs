//! Charges the estimated input and the maximum output when a call is sent, and refunds nothing. At most 16,384 output tokens
//! are charged, also for a request without `max_completion_tokens`. All keys and projects of an organization share the limits.

use crate::providers::{
    error_signs::{Meaning, Sign},
    response_format::{ResponseFormat, limit_headers},
    terms::{Input, Output, Refund, RefusedRequests, RefusedTokens, Terms},
};

pub(super) const TERMS: Terms = Terms {
    name: "cerebras",
    source: "inference-docs.cerebras.ai/support/rate-limits",
    date: "2026-11",
    input: Input::Counted,
    // The limit on all tokens. Another one counts uncached tokens only.
    cached_input: 1,
    output: Output::Reserved,
    // github.com/dcdpr/jp/pull/1085, 2026-09. The page has an upper bound without a number.
    output_cap: Some(16_384),
    output_parameter: "max_completion_tokens",
    refuses_oversized: true,
    // github.com/dcdpr/jp/pull/1085, 2026-09.
    refund: Refund::Kept,
    refused_requests: RefusedRequests::Unknown, // not documented
    refused_tokens: RefusedTokens::Kept,        // not documented
    headers: "cerebras",
    // The limits of an hour have no key.
    limits: &["requests_per_minute", "requests_per_day", "tokens_per_minute", "tokens_per_day"],
    responses: ResponseFormat {
        // The headers of the tokens a minute are shared with Mistral.
        limit_headers: &[limit_headers!(Requests, Day, "x-ratelimit-", "-requests-day")],
        // Flat bodies, whose codes end as that of a quota of a day: github.com/nminaya/grammar-nazi-bot/issues/958, 2026-08.
        errors: &[
            // The queue of all users is full.
            (Sign::Code("queue_exceeded"), Meaning::Overload),
            (Sign::Phrase("experiencing high traffic"), Meaning::Overload),
            (Sign::Code("request_quota_exceeded"), Meaning::Rate),
            (Sign::Code("token_quota_exceeded"), Meaning::Rate),
            // The messages of these codes, for clients that drop the code: github.com/dcdpr/jp/pull/1085, 2026-09.
            (Sign::Phrase("requests per minute limit exceeded"), Meaning::Requests),
            (Sign::Phrase("tokens per minute limit exceeded"), Meaning::Tokens),
        ],
        ..ResponseFormat::NONE
    },
    ..Terms::UNDOCUMENTED
};
