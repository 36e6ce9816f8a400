//! `MiniMax`: platform.minimax.io/docs/api-reference/errorcode.md, 2026-11. Its codes are numbers in `base_resp`, with status 200.

use crate::providers::{
    error_signs::{Meaning, Sign},
    response_format::ResponseFormat,
};

pub(super) const FORMAT: ResponseFormat = ResponseFormat {
    errors: &[
        (Sign::Code("base_resp.1002"), Meaning::Rate),
        (Sign::Code("base_resp.1008"), Meaning::Money),
        (Sign::Code("base_resp.1039"), Meaning::Tokens),
        (Sign::Code("base_resp.1041"), Meaning::Concurrency),
        (Sign::Code("base_resp.2045"), Meaning::Growth),
        // The window of five hours of a plan; a model that the plan does not include.
        (Sign::Code("base_resp.2056"), Meaning::Quota),
        (Sign::Code("base_resp.2061"), Meaning::ThisRequest),
        (Sign::Phrase("(1008)"), Meaning::Money),
        (Sign::Phrase("(2056)"), Meaning::Quota),
        (Sign::Phrase("(2061)"), Meaning::ThisRequest),
    ],
    ..ResponseFormat::NONE
};
