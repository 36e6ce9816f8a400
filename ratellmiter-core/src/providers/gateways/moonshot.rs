//! Kimi of Moonshot: platform.moonshot.ai/docs/api/errors and kimi.com/code/docs, 2026-11.

use crate::providers::{
    error_signs::{Meaning, Sign},
    response_format::ResponseFormat,
};

pub(super) const FORMAT: ResponseFormat = ResponseFormat {
    errors: &[
        (Sign::CodePart("exceeded_current_quota"), Meaning::Money),
        (Sign::CodePart("engine_overloaded"), Meaning::Overload),
        (Sign::CodePart("rate_limit_reached"), Meaning::Rate),
    ],
    ..ResponseFormat::NONE
};
