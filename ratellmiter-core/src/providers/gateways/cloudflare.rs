//! Workers AI of Cloudflare: developers.cloudflare.com/workers-ai/platform/errors, 2026-11. Its codes are numbers in a list
//! `errors`.

use crate::providers::{
    error_signs::{Meaning, Sign},
    response_format::ResponseFormat,
};

pub(super) const FORMAT: ResponseFormat = ResponseFormat {
    errors: &[
        // The neurons of a day.
        (Sign::Code("errors.3036"), Meaning::Day),
        (Sign::Code("errors.4006"), Meaning::Day),
        (Sign::Phrase("daily free allocation"), Meaning::Day),
        (Sign::Code("errors.3040"), Meaning::Overload),
        (Sign::Phrase("capacity temporarily exceeded"), Meaning::Overload),
    ],
    // Midnight UTC: developers.cloudflare.com/workers-ai/platform/pricing, 2026-11.
    day_starts_at: Some(0),
    ..ResponseFormat::NONE
};
