use proptest::prelude::*;

use super::*;

#[test]
fn wait_is_read_from_sentences() {
    for (text, millis) in [
        ("please try again in 6.702s.", 6702),
        ("rate limit. try again in 750ms, or later", 750),
        ("please retry after 37 seconds.", 37_000),
        ("please retry in 22.5s.", 22_500),
        ("try again in 2 minutes", 120_000),
        ("please retry in 1h2m3s.", 3_723_000),
        ("please try again in 15 hours 23 minutes. please review", 55_380_000),
        ("try again in 1 hour and 5 minutes", 3_900_000),
        ("try again in 2 hours, 1 minute, 3 seconds.", 7_263_000),
        ("please wait 33 seconds before retrying", 33_000),
        ("please wait for 1 minute", 60_000),
        ("your rate limit resets in ~5s.", 5000),
        ("expected available in 1 second.", 1000),
        ("your quota will reset after 161h39m41s.", 581_981_000),
        ("please wait before you try again in about 4 s", 4000),
        ("retry after 12", 12_000),
        ("quota will be replenished in 02:03:04.", 7_384_000),
        ("请在 20 秒后重试", 20_000),
        ("请 1 小时 30 分钟之后再试", 5_400_000),
    ] {
        assert_eq!(wait(text), Some(Duration::from_millis(millis)), "{text}");
    }
    for text in [
        "please try again later",
        "retry after the weekend",
        "try again in ",
        "retry in -5s",
        "please wait for 3 requests to finish",
        "请稍后再试",
        "please try again in 1",
        "retry after 2026-12-01t00:00:00z",
    ] {
        assert_eq!(wait(text), None, "{text}");
    }
}

#[test]
fn hint_in_the_pretty_form_of_debug_is_read() {
    for text in [
        "api {\n    retry_after: some(\n        7s,\n    ),\n}",
        "api {\n    headers: {\n        \"retry-after\": \"7\",\n    },\n}",
    ] {
        assert_eq!(wait(text), Some(Duration::from_secs(7)), "{text}");
    }
}

#[test]
fn point_in_time_is_read_with_its_zone() {
    for (text, zone, expected) in [
        ("you will regain access on 2026-12-01 at 00:00 utc.", None, Some("2026-12-01T00:00:00Z")),
        ("resets at 2026-12-01t00:19:41z", None, Some("2026-12-01T00:19:41Z")),
        ("resets at 2026-03-31t15:00:00+08:00", None, Some("2026-03-31T07:00:00Z")),
        ("resets at 2026-05-12 10:00:00 +0000 utc (2056)", None, Some("2026-05-12T10:00:00Z")),
        ("gpt-4o-2024-08-06: reset at 2026-11-24 21:31:39", Some(8), Some("2026-11-24T13:31:39Z")),
        ("您的限额将在 2026-11-24 21:31:39 重置。", Some(8), Some("2026-11-24T13:31:39Z")),
        ("reset at 2026-11-24 21:31:39", None, None),
        ("api version 2024-05-01-preview", Some(8), None),
    ] {
        assert_eq!(point_in_time(text, zone), expected.and_then(rfc3339::parse), "{text}");
    }
}

proptest! {
    #[test]
    fn any_text_is_read_without_panic(text in ".{0,200}", zone in proptest::option::of(-14i64..=14)) {
        wait(&format!("retry in {text}"));
        wait(&format!("{text}后"));
        point_in_time(&text, zone);
        point_in_time(&format!("2026-11-24 {text}"), zone);
    }
}
