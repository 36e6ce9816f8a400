//! Ark of Volcengine and `ModelArk` of `BytePlus`: volcengine.com/docs/82379/1299023, 2026-11. Limits of requests and tokens are
//! recognised by the words in their codes.

use crate::providers::{
    error_signs::{Meaning, Sign},
    response_format::ResponseFormat,
};

pub(super) const FORMAT: ResponseFormat = ResponseFormat {
    errors: &[
        (Sign::CodePart("accountoverdue"), Meaning::Money),
        (Sign::CodePart("serviceoverdue"), Meaning::Money),
        // The free quota of a model, and the limit that the user set for it.
        (Sign::Code("quotaexceeded"), Meaning::Money),
        (Sign::Code("setlimitexceeded"), Meaning::Money),
        (Sign::Code("serveroverloaded"), Meaning::Overload),
        (Sign::Code("modelloadingerror"), Meaning::Overload),
        (Sign::Code("requestbursttoofast"), Meaning::Growth),
        (Sign::Code("inflightbatchsizeexceeded"), Meaning::Concurrency),
        (Sign::CodePart("ratelimitexceeded"), Meaning::Rate),
    ],
    ..ResponseFormat::NONE
};
