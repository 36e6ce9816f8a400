//! GLM of Zhipu and Z.ai: docs.bigmodel.cn/cn/api/api-code and docs.z.ai/api-reference/api-code, 2026-11. Its codes are numbers,
//! sent as text or as numbers, with status 429, 529 or 200.

use crate::providers::{
    error_signs::{Meaning, Sign},
    response_format::ResponseFormat,
};

pub(super) const FORMAT: ResponseFormat = ResponseFormat {
    errors: &[
        (Sign::Code("1113"), Meaning::Money),
        (Sign::Code("1302"), Meaning::Concurrency),
        (Sign::Code("1303"), Meaning::Requests),
        (Sign::Code("1304"), Meaning::Day),
        // Documented as a limit on traffic, sent while the platform is overloaded: github.com/NousResearch/hermes-agent/issues/93507,
        // 2026-08.
        (Sign::Code("1305"), Meaning::Overload),
        // A number of hours; the end of the plan; a week or a month.
        (Sign::Code("1308"), Meaning::Quota),
        (Sign::Code("1309"), Meaning::Money),
        (Sign::Code("1310"), Meaning::Quota),
        // The plan has no access to the model.
        (Sign::Code("1311"), Meaning::ThisRequest),
        (Sign::Code("1312"), Meaning::Overload),
        (Sign::Code("1313"), Meaning::Rate),
        (Sign::Phrase("访问量过大"), Meaning::Overload),
        (Sign::Phrase("usage limit reached for"), Meaning::Quota),
        (Sign::Phrase("使用上限"), Meaning::Quota),
        (Sign::Phrase("套餐已到期"), Meaning::Money),
    ],
    // The time in Beijing: github.com/continuedev/continue/issues/13195, 2026-08.
    zone_hours: Some(8),
    ..ResponseFormat::NONE
};
