//! Reserves the input, with its cached part, and the maximum output, and settles when the call ends: tokens read from a
//! cache are refunded, and output of Claude since 3.7 counts five times. Without a maximum, it reserves that of the model.

use crate::providers::{
    error_signs::{Meaning, Sign},
    response_format::{ResponseFormat, UsageHeaders},
    terms::{Input, Output, PerTime, Refund, RefusedRequests, RefusedTokens, Terms},
    usage_shapes::{converse, invocation_metrics},
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
        usage_places: &[
            ("/usage", converse),
            ("/metadata/usage", converse),
            // The last chunk of InvokeModelWithResponseStream, for all models: docs.aws.amazon.com/bedrock, 2026-11.
            ("/amazon-bedrock-invocationMetrics", invocation_metrics),
        ],
        // Sent by InvokeModel, for all models. Seen in recorded responses, not documented; 2026-11.
        usage_headers: &[UsageHeaders {
            input: &[
                "x-amzn-bedrock-input-token-count",
                "x-amzn-bedrock-cache-read-input-token-count",
                "x-amzn-bedrock-cache-write-input-token-count",
            ],
            cached: "x-amzn-bedrock-cache-read-input-token-count",
            output: "x-amzn-bedrock-output-token-count",
        }],
        errors: &[
            (Sign::CodePart("servicequotaexceeded"), Meaning::Money),
            // Sent with status 429 while a model is loaded: docs.aws.amazon.com/bedrock, ModelNotReadyException, 2026-11.
            (Sign::CodePart("modelnotready"), Meaning::Overload),
            (Sign::CodePart("serviceunavailable"), Meaning::Overload),
            (Sign::CodePart("throttling"), Meaning::Rate),
            // The messages of a `ThrottlingException`, for clients that drop the name.
            (Sign::Phrase("too many tokens, please wait"), Meaning::Tokens),
            (Sign::Phrase("too many requests, please wait"), Meaning::Requests),
            // "An error occurred while streaming the response. Retry your request.": API_runtime_ResponseStream, 2026-11.
            (Sign::CodePart("modelstreamerror"), Meaning::Transient),
        ],
        statuses: STATUSES,
        ..ResponseFormat::NONE
    },
    ..Terms::UNDOCUMENTED
};

/// The statuses of the exceptions: docs.aws.amazon.com/bedrock/latest/APIReference, `API_runtime_Converse`, `API_runtime_InvokeModel`,
/// `API_runtime_ResponseStream` and `API_runtime_StartAsyncInvoke`; the last lines: userguide/troubleshooting-api-error-codes.
/// 2026-11.
const STATUSES: &[(&str, u16)] = &[
    ("accessdeniedexception", 403),
    ("conflictexception", 400),
    ("internalserverexception", 500),
    ("modelerrorexception", 424),
    ("modelnotreadyexception", 429),
    ("modelstreamerrorexception", 424),
    ("modeltimeoutexception", 408),
    ("resourcenotfoundexception", 404),
    ("servicequotaexceededexception", 400),
    ("serviceunavailableexception", 503),
    ("throttlingexception", 429),
    ("validationexception", 400),
    ("internalfailure", 500),
    ("serviceunavailable", 503),
];
