//! Limits requests and tokens a minute, and a sixtieth of both in any second. All keys and workspaces of an account share the
//! limits of a model. When tokens are counted is not documented.

use crate::providers::{
    error_signs::{Meaning, Sign},
    response_format::ResponseFormat,
    terms::Terms,
};

pub(super) const TERMS: Terms = Terms {
    name: "dashscope",
    source: "help.aliyun.com/en/model-studio/rate-limit",
    date: "2026-11",
    limits: &["requests_per_minute", "tokens_per_minute"],
    responses: ResponseFormat {
        // help.aliyun.com/en/model-studio/error-code-start and alibabacloud.com/help/en/model-studio/error-code, 2026-11.
        errors: &[
            // The limit on tokens a minute, in the words and with the code that OpenAI uses for an exhausted quota. The anchor of
            // the linked page differs: github.com/can1357/oh-my-pi/issues/8496, 2026-08.
            (Sign::Phrase("error-code#token-limit"), Meaning::Tokens),
            (Sign::Phrase("error-code#rate-limit"), Meaning::Rate),
            (Sign::Phrase("hour allocated quota exceeded"), Meaning::Quota),
            (Sign::Phrase("week allocated quota exceeded"), Meaning::Quota),
            (Sign::Phrase("month allocated quota exceeded"), Meaning::Quota),
            (Sign::Code("throttling.ratequota"), Meaning::Requests),
            (Sign::Code("throttling.allocationquota"), Meaning::Tokens),
            (Sign::Code("throttling.burstrate"), Meaning::Growth),
            (Sign::Phrase("request rate increased too quickly"), Meaning::Growth),
            (Sign::Start("allocated quota exceeded"), Meaning::Tokens),
            (Sign::Code("limit_requests"), Meaning::Requests),
            (Sign::Phrase("due to system capacity limits"), Meaning::Overload),
            (Sign::Code("arrearage"), Meaning::Money),
            (Sign::CodePart("freetieronly"), Meaning::Money),
            (Sign::CodePart("billoverdue"), Meaning::Money),
            (Sign::Code("commoditynotpurchased"), Meaning::Money),
        ],
        ..ResponseFormat::NONE
    },
    ..Terms::UNDOCUMENTED
};
