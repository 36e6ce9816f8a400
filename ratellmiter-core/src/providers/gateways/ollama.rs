//! Ollama. Its usage stands at the top of a body: github.com/ollama/ollama, docs/api.md, 2026-11.
//!
//! A plan of Ollama Cloud has quotas by the hour, the session, the week and the month, and a number of requests in flight:
//! github.com/continuedev/continue/issues/9233, 2025-12, and 11444, 2026-03, github.com/devops-thiago/ThrillhouseBot/issues/838,
//! 2026-09. Its errors are texts without codes.

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
        (Sign::Phrase("reached your monthly usage limit"), Meaning::Quota),
        (Sign::Phrase("concurrent request slot"), Meaning::Concurrency),
        (Sign::Start("too many concurrent requests"), Meaning::Concurrency),
    ],
    ..ResponseFormat::NONE
};
