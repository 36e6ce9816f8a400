//! Copilot of GitHub: github.com/github/copilot-cli/issues/2754, 2026-04.

use crate::providers::{
    error_signs::{Meaning, Sign},
    response_format::ResponseFormat,
};

pub(super) const FORMAT: ResponseFormat = ResponseFormat {
    errors: &[
        (Sign::Code("rate_limited"), Meaning::Rate),
        (Sign::Code("user_global_rate_limited"), Meaning::Rate),
        (Sign::Phrase("exceeded your premium request allowance"), Meaning::Quota),
    ],
    ..ResponseFormat::NONE
};
