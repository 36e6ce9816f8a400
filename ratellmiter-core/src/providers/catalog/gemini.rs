//! Charges the input only.

use crate::providers::{
    error_signs::{Meaning, Sign},
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
    responses: ResponseFormat {
        usage_places: &[("/usageMetadata", gemini)],
        errors: &[
            // Code Assist sends one sentence for all of them; only the reason differs:
            // github.com/liuw1535/antigravity2api-nodejs/issues/44, 2025-12, github.com/su-kaka/gcli2api/issues/416, 2026-09.
            (Sign::Code("model_capacity_exhausted"), Meaning::Overload),
            (Sign::CodePart("credits_balance"), Meaning::Money),
            (Sign::Code("quota_exhausted"), Meaning::Quota),
            (Sign::Phrase("no capacity available for model"), Meaning::Overload),
            (Sign::Phrase("the model is overloaded"), Meaning::Overload),
            (Sign::Code("unavailable"), Meaning::Overload),
            (Sign::Quota("perday"), Meaning::Day),
            // Reasons of older Google APIs, sent with status 403 as well.
            (Sign::Code("ratelimitexceeded"), Meaning::Rate),
            (Sign::Code("userratelimitexceeded"), Meaning::Rate),
            (Sign::Code("dailylimitexceeded"), Meaning::Day),
        ],
        // Midnight in California, in winter: ai.google.dev/gemini-api/docs/rate-limits, 2026-11.
        day_starts_at: Some(8),
        ..ResponseFormat::NONE
    },
    ..Terms::UNDOCUMENTED
};
