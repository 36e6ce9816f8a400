//! Counts requests and input tokens a minute, of older models. Newer models share the capacity of all customers and have no
//! published limit. For Claude on Vertex AI, [`Provider::Anthropic`](super::Provider::Anthropic) is closer.

use crate::providers::{
    error_signs::{Meaning, Sign},
    response_format::ResponseFormat,
    terms::{Input, Output, Terms},
};

pub(super) const TERMS: Terms = Terms {
    name: "vertex",
    source: "cloud.google.com/vertex-ai/generative-ai/docs/quotas",
    date: "2026-11",
    input: Input::Counted,
    output: Output::Free,
    limits: &["requests_per_minute", "input_tokens_per_minute"],
    responses: ResponseFormat {
        // cloud.google.com/vertex-ai/generative-ai/docs/error-code-429, 2026-11. The code is `RESOURCE_EXHAUSTED` for both
        // messages, without a time to wait. The usage has the places of the Gemini API.
        errors: &[
            (Sign::Phrase("resource exhausted, please try again later"), Meaning::Rate),
            (Sign::Phrase("exceeded the provisioned throughput"), Meaning::Rate),
        ],
        ..ResponseFormat::NONE
    },
    ..Terms::UNDOCUMENTED
};
