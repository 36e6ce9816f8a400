//! Limits requests to free models, and credit. Tokens are limited by the provider behind it, which is not known: they are
//! charged as by [`Provider::Generic`](super::Provider::Generic).

use crate::providers::{
    error_signs::{Meaning, Sign},
    response_format::{ResponseFormat, limit_headers},
    terms::{Input, Output, PerTime, Refund, RefusedRequests, RefusedTokens, Terms},
};

pub(super) const TERMS: Terms = Terms {
    name: "openrouter",
    source: "openrouter.ai/docs/api_reference/limits",
    date: "2026-11",
    input: Input::Counted,    // not documented
    cached_input: 1,          // not documented
    output: Output::Reserved, // not documented
    output_weight: 1,
    output_weight_of: &[],
    refund: Refund::Settled,                    // not documented
    refused_requests: RefusedRequests::Unknown, // not documented
    refused_tokens: RefusedTokens::Kept,        // not documented
    requests_header: PerTime::Minute,           // not documented
    remaining_rounded_to: 1,
    headers: "openrouter",
    limits: &["requests_per_minute", "requests_per_day"],
    responses: ResponseFormat {
        limit_headers: &[limit_headers!(Requests, Unknown, "x-ratelimit-", "")],
        // openrouter.ai/docs/api_reference/limits and openrouter.ai/docs/api_reference/errors-and-debugging, 2026-11. Credit that
        // calls in flight reserve is sent with a wait.
        errors: &[
            // The estimate of this request exceeds the whole budget of calls in flight: a lower max_tokens helps.
            (Sign::Code("weight_exceeds_budget"), Meaning::ThisRequest),
            // The limits on spending that a user set.
            (Sign::Code("openrouter_key_limit"), Meaning::Money),
            (Sign::Code("openrouter_guardrail_budget"), Meaning::Money),
            (Sign::Code("openrouter_workspace_budget"), Meaning::Money),
            (Sign::Phrase("key limit exceeded"), Meaning::Money),
            // The load of all users of a provider: github.com/open-webui/computer/issues/293, 2026-09.
            (Sign::Code("upstream_provider_shared_pool"), Meaning::Overload),
            (Sign::Phrase("rate-limited upstream"), Meaning::Overload),
        ],
        ..ResponseFormat::NONE
    },
    ..Terms::UNDOCUMENTED
};
