//! Charges the input and the maximum output when a call is sent, and refunds nothing within the minute. Refused calls
//! count.

use crate::providers::{
    error_signs::{Meaning, Sign},
    response_format::ResponseFormat,
    terms::{Input, Output, PerTime, Refund, RefusedRequests, RefusedTokens, Terms},
};

pub(super) const TERMS: Terms = Terms {
    name: "azure",
    source: "Azure OpenAI, how-to/quota, learn.microsoft.com",
    date: "2026-05",
    input: Input::Counted,
    cached_input: 1, // not documented
    output: Output::Reserved,
    refuses_oversized: true,
    output_weight: 1,
    output_weight_of: &[],
    refund: Refund::Kept,
    refused_requests: RefusedRequests::Counted,
    refused_tokens: RefusedTokens::Kept,
    requests_header: PerTime::Minute,
    remaining_rounded_to: 1,
    headers: "openai",
    limits: &["requests_per_minute", "tokens_per_minute"],
    responses: ResponseFormat {
        // The load of all tenants: github.com/pollinations/pollinations/issues/6260, 2025-12.
        errors: &[
            (Sign::Phrase("experiencing high demand"), Meaning::Overload),
            (Sign::Phrase("during peak load"), Meaning::Overload),
            // The quota of API Management: learn.microsoft.com, quota policy, 2026-11.
            (Sign::Phrase("out of call volume quota"), Meaning::Quota),
        ],
        ..ResponseFormat::NONE
    },
    ..Terms::UNDOCUMENTED
};
