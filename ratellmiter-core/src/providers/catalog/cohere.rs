//! Limits requests a minute, of trial keys also requests a month and tokens a minute. The rule by which tokens are counted is
//! not documented.

use crate::providers::{
    error_signs::{Meaning, Sign},
    response_format::ResponseFormat,
    terms::Terms,
    usage_shapes::cohere,
};

pub(super) const TERMS: Terms = Terms {
    name: "cohere",
    source: "docs.cohere.com/docs/rate-limits",
    date: "2026-11",
    limits: &["requests_per_minute", "tokens_per_minute"],
    responses: ResponseFormat {
        usage_places: &[
            ("/usage", cohere),
            // The event `message-end`.
            ("/delta/usage", cohere),
            // The first version of the API, and the event `stream-end` of its streams: docs.cohere.com/v1/reference/chat-stream,
            // 2026-11.
            ("/meta", cohere),
            ("/response/meta", cohere),
        ],
        // docs.cohere.com/errors-reference, 2026-11. A trial key's 1,000 calls a month are recognised by their period.
        errors: &[(Sign::Phrase("trial token rate limit exceeded"), Meaning::Tokens)],
        ..ResponseFormat::NONE
    },
    ..Terms::UNDOCUMENTED
};
