//! Limits the calls in flight of each model. Its limits on requests, a minute and a day, have no published numbers, and its
//! rule for tokens is not documented.

use crate::providers::{
    error_signs::{Meaning, Sign},
    response_format::ResponseFormat,
    terms::Terms,
};

pub(super) const TERMS: Terms = Terms {
    name: "zhipu",
    source: "docs.z.ai/api-reference/api-code",
    date: "2026-11",
    limits: &["requests_per_minute", "requests_per_day", "max_in_flight"],
    responses: ResponseFormat {
        // docs.bigmodel.cn/cn/api/api-code and docs.z.ai/api-reference/api-code, 2026-11. The codes are numbers in `error`, sent as
        // text or as numbers, with status 429, 529 or 200. The route in Anthropic's shape sends them as the type, and at the
        // start of the message: github.com/anthropics/claude-code/issues/9201, 2025-10, github.com/zai-org/feedback/issues/789,
        // 2026-09.
        errors: &[
            (Sign::Code("error.1113"), Meaning::Money),
            (Sign::Code("error.1302"), Meaning::Concurrency),
            (Sign::Code("error.1303"), Meaning::Requests),
            (Sign::Code("error.1304"), Meaning::Day),
            // Documented as a limit on traffic, sent while the platform is overloaded:
            // github.com/NousResearch/hermes-agent/issues/93507, 2026-08.
            (Sign::Code("error.1305"), Meaning::Overload),
            // A number of hours; the end of the plan; a week or a month.
            (Sign::Code("error.1308"), Meaning::Quota),
            (Sign::Code("error.1309"), Meaning::Money),
            (Sign::Code("error.1310"), Meaning::Quota),
            // The plan has no access to the model.
            (Sign::Code("error.1311"), Meaning::ThisRequest),
            (Sign::Code("error.1312"), Meaning::Overload),
            (Sign::Code("error.1313"), Meaning::Rate),
            (Sign::Phrase("访问量过大"), Meaning::Overload),
            (Sign::Phrase("usage limit reached for"), Meaning::Quota),
            (Sign::Phrase("使用上限"), Meaning::Quota),
            (Sign::Phrase("套餐已到期"), Meaning::Money),
        ],
        // The time in Beijing: github.com/continuedev/continue/issues/13195, 2026-08.
        zone_hours: Some(8),
        ..ResponseFormat::NONE
    },
    ..Terms::UNDOCUMENTED
};
