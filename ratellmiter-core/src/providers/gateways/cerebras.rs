//! Cerebras: flat bodies, whose codes end as that of a quota of a day: github.com/nminaya/grammar-nazi-bot/issues/958, 2026-08.

use crate::providers::{
    error_signs::{Meaning, Sign},
    response_format::ResponseFormat,
};

pub(super) const FORMAT: ResponseFormat = ResponseFormat {
    errors: &[
        // The queue of all users is full.
        (Sign::Code("queue_exceeded"), Meaning::Overload),
        (Sign::Phrase("experiencing high traffic"), Meaning::Overload),
        (Sign::Code("request_quota_exceeded"), Meaning::Rate),
        (Sign::Code("token_quota_exceeded"), Meaning::Rate),
    ],
    ..ResponseFormat::NONE
};
