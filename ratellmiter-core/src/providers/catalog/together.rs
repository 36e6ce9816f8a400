//! Limits requests and tokens to a rate that follows the successful calls of before, for each organization and model. Its
//! numbers are not published. A call within the rate that finds no capacity is answered 503.

use crate::providers::{
    error_signs::{Meaning, Sign},
    response_format::{ResponseFormat, limit_headers},
    terms::Terms,
};

pub(super) const TERMS: Terms = Terms {
    name: "together",
    source: "docs.together.ai/docs/rate-limits",
    date: "2026-11",
    headers: "together",
    limits: &["requests_per_minute", "tokens_per_minute"],
    responses: ResponseFormat {
        // Headers of older versions. `x-ratelimit-limit` is shared with OpenRouter, and `x-ratelimit-reset` is the time to wait
        // after a refusal.
        limit_headers: &[
            limit_headers!(Requests, Unknown, "x-ratelimit-", "-dynamic"),
            limit_headers!(Tokens, Unknown, "x-tokenlimit-", ""),
            limit_headers!(Tokens, Unknown, "x-tokenlimit-", "-dynamic"),
        ],
        // docs.together.ai/docs/rate-limits and docs.together.ai/docs/error-codes, 2026-11.
        errors: &[
            (Sign::Code("dynamic_request_limited"), Meaning::Requests),
            (Sign::Code("dynamic_token_limited"), Meaning::Tokens),
        ],
        ..ResponseFormat::NONE
    },
    ..Terms::UNDOCUMENTED
};
