//! Limits requests a minute, and the input and output tokens a minute. When tokens are counted is not documented.

use crate::providers::{
    error_signs::{Meaning, Sign},
    response_format::ResponseFormat,
    terms::Terms,
};

pub(super) const TERMS: Terms = Terms {
    name: "minimax",
    source: "platform.minimax.io/docs/guides/rate-limits",
    date: "2026-11",
    limits: &["requests_per_minute", "tokens_per_minute"],
    responses: ResponseFormat {
        // platform.minimax.io/docs/api-reference/errorcode.md, 2026-11. The codes are numbers in `base_resp`, with status 200.
        // Its routes in Anthropic's shape send them at the end of the message, as in "insufficient balance (1008)":
        // github.com/MiniMax-AI/MiniMax-M2.7/issues/36, 2026-05.
        errors: &[
            (Sign::Code("base_resp.1002"), Meaning::Rate),
            (Sign::Code("base_resp.1008"), Meaning::Money),
            (Sign::Code("base_resp.1039"), Meaning::Tokens),
            (Sign::Code("base_resp.1041"), Meaning::Concurrency),
            (Sign::Code("base_resp.2045"), Meaning::Growth),
            // The window of five hours of a plan; a model that the plan does not include.
            (Sign::Code("base_resp.2056"), Meaning::Quota),
            (Sign::Code("base_resp.2061"), Meaning::ThisRequest),
        ],
        ..ResponseFormat::NONE
    },
    ..Terms::UNDOCUMENTED
};
