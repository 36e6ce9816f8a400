//! Charges the input and the maximum output when a call is sent, whatever is generated. All models and keys of an account share
//! the limits.

use crate::providers::{
    error_signs::{Meaning, Sign},
    response_format::ResponseFormat,
    terms::{Input, Output, Refund, RefusedRequests, RefusedTokens, Terms},
    usage_shapes::chat,
};

pub(super) const TERMS: Terms = Terms {
    name: "moonshot",
    source: "platform.moonshot.cn/docs/introduction",
    date: "2026-11",
    input: Input::Counted,
    cached_input: 1, // not documented
    output: Output::Reserved,
    refuses_oversized: true,
    refund: Refund::Kept,
    refused_requests: RefusedRequests::Unknown, // not documented
    refused_tokens: RefusedTokens::Kept,        // not documented
    // The names of OpenRouter, without a period: kimi.com/help/kimi-api/api-rate-limits, 2026-11.
    headers: "openrouter",
    limits: &["requests_per_minute", "tokens_per_minute", "tokens_per_day", "max_in_flight"],
    responses: ResponseFormat {
        // The last chunk of a stream: github.com/caudena/beam_weaver/releases/tag/v0.1.12, 2026-07.
        usage_places: &[("/choices/0/usage", chat)],
        // platform.kimi.ai/docs/api/errors.md and kimi.com/code/docs/en/kimi-code/error-reference.html, 2026-11.
        errors: &[
            (Sign::CodePart("exceeded_current_quota"), Meaning::Money),
            (Sign::CodePart("engine_overloaded"), Meaning::Overload),
            // Plans for coding send it with the type `rate_limit_error`.
            (Sign::Phrase("engine is currently overloaded"), Meaning::Overload),
            (Sign::CodePart("rate_limit_reached"), Meaning::Rate),
        ],
        ..ResponseFormat::NONE
    },
    ..Terms::UNDOCUMENTED
};
