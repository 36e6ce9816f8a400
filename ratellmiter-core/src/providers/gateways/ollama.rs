//! Ollama Cloud: quotas of an hour and a week of a plan: reported by users, 2026-11.

use crate::providers::{
    error_signs::{Meaning, Sign},
    response_format::ResponseFormat,
};

pub(super) const FORMAT: ResponseFormat = ResponseFormat {
    errors: &[
        (Sign::Phrase("reached your hourly usage limit"), Meaning::Quota),
        (Sign::Phrase("reached your session usage limit"), Meaning::Quota),
        (Sign::Phrase("reached your weekly usage limit"), Meaning::Quota),
    ],
    ..ResponseFormat::NONE
};
