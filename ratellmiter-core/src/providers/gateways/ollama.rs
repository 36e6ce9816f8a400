//! Ollama. Its usage stands at the top of a body: github.com/ollama/ollama, docs/api.md, 2026-11. The quotas of an hour and a
//! week are those of a plan of Ollama Cloud: reported by users, 2026-11.

use crate::providers::{
    error_signs::{Meaning, Sign},
    response_format::ResponseFormat,
    usage_shapes::ollama,
};

pub(super) const FORMAT: ResponseFormat = ResponseFormat {
    usage_places: &[("", ollama)],
    errors: &[
        (Sign::Phrase("reached your hourly usage limit"), Meaning::Quota),
        (Sign::Phrase("reached your session usage limit"), Meaning::Quota),
        (Sign::Phrase("reached your weekly usage limit"), Meaning::Quota),
    ],
    ..ResponseFormat::NONE
};
