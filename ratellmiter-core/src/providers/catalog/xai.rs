//! Charges all tokens as they are used: input, cached input, output and reasoning. Requests are limited a second.

use crate::providers::{
    error_signs::{Meaning, Sign},
    response_format::ResponseFormat,
    terms::{Input, Output, PerTime, Refund, RefusedRequests, RefusedTokens, Terms},
};

pub(super) const TERMS: Terms = Terms {
    name: "xai",
    source: "docs.x.ai/developers/rate-limits",
    date: "2026-11",
    input: Input::Counted,
    cached_input: 1,
    output: Output::Generated,
    output_weight: 1,
    output_weight_of: &[],
    refund: Refund::Settled,
    refused_requests: RefusedRequests::Unknown, // not documented
    refused_tokens: RefusedTokens::Released,
    requests_header: PerTime::Minute, // not documented
    remaining_rounded_to: 1,
    headers: "none", // not documented
    limits: &["requests_per_second", "tokens_per_minute"],
    responses: ResponseFormat {
        // Sent with status 429 or 403: github.com/continuedev/continue/issues/10373, 2026-02.
        errors: &[
            (Sign::Phrase("used all available credits"), Meaning::Money),
            (Sign::Phrase("doesn't have any credits"), Meaning::Money),
        ],
        ..ResponseFormat::NONE
    },
    ..Terms::UNDOCUMENTED
};
