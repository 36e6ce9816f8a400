//! The gateways one-api and new-api: github.com/QuantumNous/new-api/issues/991, 2025-04, and
//! `github.com/popjane/free_chatgpt_api/issues/78`, 2025-02.

use crate::providers::{
    error_signs::{Meaning, Sign},
    response_format::ResponseFormat,
};

pub(super) const FORMAT: ResponseFormat = ResponseFormat {
    errors: &[
        // "The load of the providers behind this group is saturated", in place of the message of any refusal.
        (Sign::Phrase("上游负载已饱和"), Meaning::Overload),
        (Sign::Code("insufficient_user_quota"), Meaning::Money),
        (Sign::Code("pre_consume_token_quota_failed"), Meaning::Money),
        (Sign::Phrase("额度不足"), Meaning::Money),
        (Sign::Phrase("额度已用尽"), Meaning::Money),
        (Sign::Phrase("预扣费额度失败"), Meaning::Money),
        (Sign::Phrase("quota is not enough"), Meaning::Money),
    ],
    ..ResponseFormat::NONE
};
