//! Charges the larger of the estimated input and the maximum output when a call is sent; the input is estimated from its
//! characters. Whether unused tokens are refunded is not documented: the header with the remaining tokens decides.

use crate::providers::{
    error_signs::{Meaning, Sign, WindowHeaders},
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
    refuses_oversized: true,
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
        errors: &[
            // insufficient_quota, credit_balance_exhausted, billing_hard_limit_reached, *_spend_limit_exceeded,
            // *_usage_limit_exceeded
            (Sign::CodePart("insufficient_quota"), Meaning::Money),
            (Sign::CodePart("billing"), Meaning::Money),
            (Sign::CodePart("credit_balance"), Meaning::Money),
            (Sign::CodePart("spend_limit"), Meaning::Money),
            (Sign::CodePart("usage_limit_exceeded"), Meaning::Money),
            // The same sentence is Google's for the limit of a minute.
            (
                Sign::PhraseUnless(
                    "exceeded your current quota, please check your plan",
                    &["resource_exhausted", "quota exceeded for metric"],
                ),
                Meaning::Money,
            ),
            (Sign::CodePart("slow_down"), Meaning::Growth),
            (Sign::CodePart("overloaded"), Meaning::Overload),
            (Sign::CodePart("service_unavailable"), Meaning::Overload),
            (Sign::Phrase("currently overloaded"), Meaning::Overload),
            (Sign::Phrase("request too large"), Meaning::ThisRequest),
            (Sign::Phrase("must be reduced in order to run"), Meaning::ThisRequest),
            // Plans of ChatGPT: github.com/router-for-me/CLIProxyAPI/issues/1666, 2026-02.
            (Sign::Code("usage_limit_reached"), Meaning::Quota),
            (Sign::Code("usage_not_included"), Meaning::ThisRequest),
        ],
        // Plans of ChatGPT: github.com/icebear0828/codex-proxy/issues/65, 2026.
        windows: &[
            WindowHeaders { state: "x-codex-primary-used-percent", reset: "x-codex-primary-reset-after-seconds" },
            WindowHeaders { state: "x-codex-primary-used-percent", reset: "x-codex-primary-reset-at" },
            WindowHeaders { state: "x-codex-secondary-used-percent", reset: "x-codex-secondary-reset-after-seconds" },
            WindowHeaders { state: "x-codex-secondary-used-percent", reset: "x-codex-secondary-reset-at" },
        ],
        // Errors in streams, which have no status: github.com/locez/merry/pull/50, 2026-09.
        statuses: &[("server_error", 500)],
        ..ResponseFormat::NONE
    },
    ..Terms::UNDOCUMENTED
};
