//! Reserves the input, with its cached part, and the maximum output, and settles when the call ends: tokens read from a
//! cache are refunded, and output of Claude since 3.7 counts five times. Without a maximum, it reserves that of the model.

use crate::providers::{
    error_signs::{Meaning, Sign},
    response_format::ResponseFormat,
    terms::{Input, Output, PerTime, Refund, RefusedRequests, RefusedTokens, Terms},
    usage_shapes::converse,
};

pub(super) const TERMS: Terms = Terms {
    name: "bedrock",
    source: "docs.aws.amazon.com/bedrock, quotas-runtime",
    date: "2026-11",
    input: Input::Counted,
    cached_input: 0,
    output: Output::Reserved,
    output_parameter: "maxTokens",
    refuses_oversized: true,
    output_weight: 1,
    output_weight_of: &[("claude", 5)],
    refund: Refund::Settled,
    refused_requests: RefusedRequests::Unknown, // not documented
    refused_tokens: RefusedTokens::Released,
    requests_header: PerTime::Minute, // it has none
    remaining_rounded_to: 1,
    headers: "none",
    limits: &["requests_per_minute", "tokens_per_minute", "tokens_per_day"],
    responses: ResponseFormat {
        // Converse, and ConverseStream.
        usage_places: &[("/usage", converse), ("/metadata/usage", converse)],
        errors: &[
            (Sign::CodePart("servicequotaexceeded"), Meaning::Money),
            // Sent with status 429 while a model is loaded: docs.aws.amazon.com/bedrock, ModelNotReadyException, 2026-11.
            (Sign::CodePart("modelnotready"), Meaning::Overload),
            (Sign::CodePart("serviceunavailable"), Meaning::Overload),
            (Sign::CodePart("throttling"), Meaning::Rate),
        ],
        ..ResponseFormat::NONE
    },
    ..Terms::UNDOCUMENTED
};
