//! Limits requests a minute and a day, calls in flight, and the tokens of a single request. Tokens are not counted over time;
//! those of paid use are not documented.

use crate::providers::{
    error_signs::{Meaning, Sign},
    response_format::ResponseFormat,
    terms::Terms,
};

pub(super) const TERMS: Terms = Terms {
    name: "github-models",
    source: "docs.github.com/en/github-models/use-github-models/prototyping-with-ai-models",
    date: "2026-11",
    limits: &["requests_per_minute", "requests_per_day", "max_in_flight"],
    responses: ResponseFormat {
        // The message names the limit, as in "Rate limit of 50 per 86400s exceeded for UserByModelByDay", and so does the
        // header `x-ratelimit-type`: devactivity.com, navigating-github-models-api-rate-limits, 2026.
        errors: &[
            (Sign::Code("ratelimitreached"), Meaning::Rate),
            // The request is larger than the tokens of a request: github.com/Aider-AI/aider/issues/2296, 2025-02.
            (Sign::Code("tokens_limit_reached"), Meaning::ThisRequest),
        ],
        ..ResponseFormat::NONE
    },
    ..Terms::UNDOCUMENTED
};
