//! The headers of each provider.

use http::{HeaderName, HeaderValue};

use super::*;
use crate::providers::header_values::MAX_WAIT;

mod invariants;

const VECTORS: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/vectors/outcomes.json"));

/// 2026-11-24T06:40:00Z.
fn now() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_502_400)
}

/// Parses lines of the form `name: value`.
fn headers(lines: &str) -> HeaderMap {
    let pairs = lines.lines().filter_map(|line| line.trim().split_once(": "));
    let mut headers = HeaderMap::new();
    for (name, value) in pairs {
        headers.append(name.parse::<HeaderName>().unwrap(), value.parse().unwrap());
    }
    headers
}

/// Formats each reading as one line, such as "Requests/Minute 59 of 60, 1s".
fn shown(readings: &[LimitReading]) -> Vec<String> {
    let number = |number: Option<u64>| number.map_or_else(|| "?".to_owned(), |number| number.to_string());
    let line = |LimitReading { unit, per, limit, remaining, reset }: &LimitReading| {
        let reset = reset.map_or_else(|| "?".to_owned(), |reset| format!("{reset:?}"));
        format!("{unit:?}/{per:?} {} of {}, {reset}", number(*remaining), number(*limit))
    };
    readings.iter().map(line).collect()
}

#[track_caller]
fn check(lines: &str, expected: &[&str]) {
    assert_eq!(shown(&readings(&headers(lines), now(), false)), expected, "{lines}");
}

#[test]
fn openai_limits_are_per_minute_with_durations() {
    check(
        "x-ratelimit-limit-requests: 60
         x-ratelimit-remaining-requests: 59
         x-ratelimit-reset-requests: 1s
         x-ratelimit-limit-tokens: 150000
         x-ratelimit-remaining-tokens: 149984
         x-ratelimit-reset-tokens: 6m0s",
        &["Requests/Minute 59 of 60, 1s", "Tokens/Minute 149984 of 150000, 360s"],
    );
    check(
        "x-ratelimit-limit-requests: 10000
         x-ratelimit-remaining-requests: 9999
         x-ratelimit-reset-requests: 6ms
         x-ratelimit-limit-tokens: 2000000
         x-ratelimit-remaining-tokens: 1999996
         x-ratelimit-reset-tokens: 0s",
        &["Requests/Minute 9999 of 10000, 6ms", "Tokens/Minute 1999996 of 2000000, 0ns"],
    );
}

#[test]
fn tighter_of_project_and_organisation_counts() {
    let organisation = |remaining: &str| {
        format!(
            "x-ratelimit-limit-tokens: 150000
             x-ratelimit-remaining-tokens: {remaining}
             x-ratelimit-reset-tokens: 6m0s
             x-ratelimit-limit-project-tokens: 60000
             x-ratelimit-remaining-project-tokens: 57000
             x-ratelimit-reset-project-tokens: 3s"
        )
    };
    check(&organisation("149984"), &["Tokens/Minute 57000 of 60000, 3s"]);
    // The lower limit is kept, though the organisation has less remaining.
    check(&organisation("2000"), &["Tokens/Minute 2000 of 60000, 360s"]);
    check(&organisation("many"), &["Tokens/Minute 57000 of 60000, 3s"]);
    check(
        "x-ratelimit-limit-project-tokens: 60000
         x-ratelimit-limit-tokens: 150000
         x-ratelimit-remaining-tokens: 149984",
        &["Tokens/Minute 60000 of 60000, ?"],
    );
}

#[test]
fn azure_resets_are_numbers() {
    check(
        "x-ratelimit-limit-requests: 100
         x-ratelimit-remaining-requests: 99
         x-ratelimit-reset-requests: 10
         x-ratelimit-limit-tokens: 100000
         x-ratelimit-remaining-tokens: 98740
         x-ratelimit-reset-tokens: 300",
        &["Requests/Minute 99 of 100, 10s", "Tokens/Minute 98740 of 100000, 300s"],
    );
}

#[test]
fn groq_requests_are_per_day() {
    let groq = headers(
        "retry-after: 2
         x-ratelimit-limit-requests: 14400
         x-ratelimit-limit-tokens: 18000
         x-ratelimit-remaining-requests: 14370
         x-ratelimit-remaining-tokens: 17997
         x-ratelimit-reset-requests: 2m59.56s
         x-ratelimit-reset-tokens: 7.66s",
    );
    let expected = ["Requests/Day 14370 of 14400, 179.56s", "Tokens/Minute 17997 of 18000, 7.66s"];
    assert_eq!(shown(&readings(&groq, now(), true)), expected);
}

#[test]
fn anthropic_shows_input_and_output_with_dates() {
    let requests = "anthropic-ratelimit-requests-limit: 4000
         anthropic-ratelimit-requests-remaining: 3999
         anthropic-ratelimit-requests-reset: 2026-11-24T06:40:01Z
         anthropic-ratelimit-tokens-limit: 400000
         anthropic-ratelimit-tokens-remaining: 391000
         anthropic-ratelimit-tokens-reset: 2026-11-24T06:40:42Z";
    // The combined limit is read only without limits on input and output.
    check(requests, &["Requests/Minute 3999 of 4000, 1s", "Tokens/Minute 391000 of 400000, 42s"]);
    check(
        &format!(
            "{requests}
             anthropic-ratelimit-input-tokens-limit: 2000000
             anthropic-ratelimit-input-tokens-remaining: 1998000
             anthropic-ratelimit-input-tokens-reset: 2026-11-24T06:39:59Z
             anthropic-ratelimit-output-tokens-limit: 400000
             anthropic-ratelimit-output-tokens-remaining: 391000
             anthropic-ratelimit-output-tokens-reset: 2026-11-24T06:40:42.250+00:00"
        ),
        &[
            "Requests/Minute 3999 of 4000, 1s",
            "InputTokens/Minute 1998000 of 2000000, 0ns",
            "OutputTokens/Minute 391000 of 400000, 42.25s",
        ],
    );
    check(
        &format!("{requests}\nanthropic-ratelimit-output-tokens-remaining: 8000"),
        &["Requests/Minute 3999 of 4000, 1s", "OutputTokens/Minute 8000 of ?, ?"],
    );
    check(
        &format!("{requests}\nanthropic-ratelimit-input-tokens-limit: none"),
        &["Requests/Minute 3999 of 4000, 1s", "Tokens/Minute 391000 of 400000, 42s"],
    );
    // The capacity of another service tier is not read.
    check("anthropic-priority-input-tokens-limit: 10000\nanthropic-priority-input-tokens-remaining: 9618", &[]);
}

#[test]
fn smaller_share_of_fireworks_input_limits_counts() {
    check(
        "x-ratelimit-limit-tokens-prompt: 60000
         x-ratelimit-remaining-tokens-prompt: 30000
         x-ratelimit-limit-tokens-cache-adjusted-prompt: 1000000
         x-ratelimit-remaining-tokens-cache-adjusted-prompt: 100000
         x-ratelimit-limit-tokens-generated: 36000
         x-ratelimit-remaining-tokens-generated: 35871
         x-ratelimit-over-limit: no",
        &["InputTokens/Unknown 100000 of 1000000, ?", "OutputTokens/Unknown 35871 of 36000, ?"],
    );
    // Without a remainder there is no share.
    check("x-ratelimit-limit-tokens-prompt: 60000", &[]);
}

#[test]
fn mistral_limits_are_per_minute() {
    check(
        "x-ratelimit-limit-req-minute: 60
         x-ratelimit-remaining-req-minute: 59
         x-ratelimit-limit-tokens-minute: 375000
         x-ratelimit-remaining-tokens-minute: 374970
         x-ratelimit-tokens-query-cost: 30",
        &["Requests/Minute 59 of 60, ?", "Tokens/Minute 374970 of 375000, ?"],
    );
}

#[test]
fn openrouter_limits_have_an_unknown_period() {
    check(
        "X-RateLimit-Limit: 20
         X-RateLimit-Remaining: 0
         X-RateLimit-Reset: 1795502460000",
        &["Requests/Unknown 0 of 20, 60s"],
    );
}

#[test]
fn together_limits_requests_and_tokens() {
    check(
        "x-ratelimit-limit: 10
         x-ratelimit-remaining: 9
         x-ratelimit-reset: 1
         x-tokenlimit-limit: 3000
         x-tokenlimit-remaining: 2995
         x-ratelimit-limit-dynamic: 50
         x-ratelimit-remaining-dynamic: 10
         x-tokenlimit-limit-dynamic: 9000
         x-tokenlimit-remaining-dynamic: 8999",
        &["Requests/Unknown 10 of 50, ?", "Tokens/Unknown 2995 of 3000, ?"],
    );
    // A reset alone, as Together now sends on refusals, is not a limit.
    check("x-ratelimit-reset: 4", &[]);
}

#[test]
fn cerebras_limits_requests_a_day_and_tokens_a_minute() {
    check(
        "x-ratelimit-limit-requests-day: 14400
         x-ratelimit-limit-tokens-minute: 60000
         x-ratelimit-remaining-requests-day: 14399
         x-ratelimit-remaining-tokens-minute: 42616
         x-ratelimit-reset-requests-day: 33011.382867097855
         x-ratelimit-reset-tokens-minute: 11.382867097854614",
        &["Tokens/Minute 42616 of 60000, 11.383s", "Requests/Day 14399 of 14400, 33011.383s"],
    );
}

#[test]
fn moonshot_limits_requests_of_an_unknown_period() {
    check(
        "X-RateLimit-Limit: 500
         X-RateLimit-Remaining: 499
         X-RateLimit-Reset: 1",
        &["Requests/Unknown 499 of 500, 1s"],
    );
}

#[test]
fn ietf_items_belong_to_policies() {
    check(
        "RateLimit-Policy: \"burst\";q=10;w=1, \"minute\";q=100;w=60, \"daily\";q=1000;w=86400;qu=\"requests\"
         RateLimit: \"daily\";r=800;t=40000, \"minute\";r=50;t=30;pk=:dHJpYWwxMjEzMjM=:",
        &["Requests/Minute 50 of 100, 30s", "Requests/Day 800 of 1000, 40000s"],
    );
    check(
        "RateLimit-Policy: \"burst\"; q=10; w=1
         RateLimit-Policy: \"hour\"; q=1000; w=3600
         RateLimit: \"burst\"; r=8; t=1
         RateLimit: \"hour\"; r=500; t=1800",
        &["Requests/Unknown 500 of 1000, 1800s"],
    );
    check("RateLimit-Policy: \"minute\";q=100;w=60", &["Requests/Minute ? of 100, ?"]);
    check("RateLimit: \"default\";r=50;t=30", &["Requests/Unknown 50 of ?, 30s"]);
    // Two policies of the same period.
    check(
        "RateLimit-Policy: \"user\";q=100;w=60, \"tenant\";q=500;w=60
         RateLimit: \"user\";r=90;t=6, \"tenant\";r=3;t=59",
        &["Requests/Minute 3 of 100, 59s"],
    );
}

#[test]
fn other_ietf_units_are_ignored() {
    check(
        "RateLimit-Policy: \"size\";q=1000000;w=60;qu=\"content-bytes\", \"open\";q=5;w=60;qu=concurrent-requests
         RateLimit: \"size\";r=0;t=30, \"open\";r=0;t=30",
        &[],
    );
    check("RateLimit: \"size\";r=0;t=30;qu=\"content-bytes\"", &[]);
}

#[test]
fn later_reset_of_equally_tight_limits_counts() {
    check("RateLimit: \"a\";r=5;t=90, \"b\";r=0;t=20, \"c\";r=0;t=30", &["Requests/Unknown 0 of ?, 30s"]);
    check(
        "x-ratelimit-remaining-tokens: 0
         x-ratelimit-reset-tokens: 10s
         x-ratelimit-remaining-project-tokens: 0
         x-ratelimit-reset-project-tokens: 20s",
        &["Tokens/Minute 0 of ?, 20s"],
    );
}

#[test]
fn long_list_of_policies_is_cut_off() {
    let list = "\"a\";r=5, ".repeat(MAX_POLICIES);
    check(&format!("RateLimit: {list}\"b\";r=0"), &["Requests/Unknown 5 of ?, ?"]);
}

#[test]
fn policies_of_older_drafts_have_no_names() {
    let fields = "RateLimit-Remaining: 50\nRateLimit-Reset: 30\n";
    check(&format!("{fields}RateLimit-Limit: 100"), &["Requests/Unknown 50 of 100, 30s"]);
    check(&format!("{fields}RateLimit-Limit: 100, 10;w=1, 100;w=60"), &["Requests/Minute 50 of 100, 30s"]);
    check(
        &format!("{fields}RateLimit-Limit: 100\nRateLimit-Policy: 100;w=60, 5000;w=86400"),
        &["Requests/Minute 50 of 100, 30s", "Requests/Day ? of 5000, ?"],
    );
    check("RateLimit: limit=100, remaining=50, reset=30", &["Requests/Unknown 50 of 100, 30s"]);
    check(
        "RateLimit: limit=100, remaining=50, reset=30\nRateLimit-Policy: 100;w=60",
        &["Requests/Minute 50 of 100, 30s"],
    );
}

#[test]
fn malformed_values_are_ignored() {
    let junk = ["-1", "+5", "NaN", "inf", "1e3", "0x10", "1,000", "60 60", "unlimited", "", ".", "1.2.3", "½"];
    let too_large = ["18446744073709551616", "99999999999999999999999999"];
    for value in junk.into_iter().chain(too_large) {
        let mut map = HeaderMap::new();
        for name in [REQUESTS.limit, REQUESTS.reset, REQUESTS.remaining, "ratelimit-limit", "ratelimit-remaining"] {
            map.insert(name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
        }
        assert_eq!(readings(&map, now(), false), [], "{value}");
        map.insert(REQUESTS.remaining, HeaderValue::from_static("7"));
        map.remove(REQUESTS.reset);
        assert_eq!(shown(&readings(&map, now(), false)), ["Requests/Minute 7 of ?, ?"], "{value}");
    }
    let bytes = HeaderValue::from_bytes(b"6\xff0").unwrap();
    assert_eq!(
        readings(&HeaderMap::from_iter([(HeaderName::from_static("x-ratelimit-remaining"), bytes)]), now(), false),
        []
    );
}

#[test]
fn extreme_numbers_are_read() {
    // Fractions are dropped.
    check("x-ratelimit-limit-requests: 60.0\nx-ratelimit-remaining-requests: 58.97", &["Requests/Minute 58 of 60, ?"]);
    let most = "x-ratelimit-limit: 18446744073709551615\nx-ratelimit-remaining: 18446744073709551615";
    check(most, &["Requests/Unknown 18446744073709551615 of 18446744073709551615, ?"]);
    check(
        "x-ratelimit-remaining-tokens: 10\nx-ratelimit-reset-tokens: 99999999999999999999",
        &["Tokens/Minute 10 of ?, 2678400s"],
    );
    // The remainder is at most the limit.
    check("x-ratelimit-limit-requests: 60\nx-ratelimit-remaining-requests: 61", &["Requests/Minute 60 of 60, ?"]);
}

#[test]
fn limit_of_zero_is_ignored() {
    check("x-ratelimit-limit-req-minute: 0\nx-ratelimit-remaining-req-minute: 0", &[]);
    check("RateLimit-Policy: \"minute\";q=0;w=60\nRateLimit: \"minute\";r=0;t=30", &[]);
    check("x-ratelimit-limit-tokens: 0\nx-ratelimit-limit-project-tokens: 60000", &["Tokens/Minute ? of 60000, ?"]);
}

#[test]
fn tightest_value_of_a_repeated_header_counts() {
    check(
        "x-ratelimit-limit-requests: 60
         x-ratelimit-limit-requests: 50
         x-ratelimit-remaining-requests: junk
         x-ratelimit-remaining-requests: 20
         x-ratelimit-remaining-requests: 40
         x-ratelimit-reset-requests: 1s
         x-ratelimit-reset-requests: 2s",
        &["Requests/Minute 20 of 50, 2s"],
    );
}

#[test]
fn headers_without_limits_allocate_nothing() {
    for lines in ["", "content-type: application/json\nretry-after: 3\nx-request-id: req_1\ndate: today"] {
        assert_eq!(readings(&headers(lines), now(), false).capacity(), 0);
    }
}

#[test]
fn limits_of_the_vectors_are_read() {
    let vectors: serde_json::Value = serde_json::from_str(VECTORS).unwrap();
    let expected = |id: &str| -> &[&str] {
        match id {
            "openai-rpm" => &["Requests/Minute 0 of 60, 1s", "Tokens/Minute 149984 of 150000, 360s"],
            "anthropic-429" => &["InputTokens/Minute 0 of 50000, 42s"],
            "openrouter-free-day" => &["Requests/Unknown 0 of 50, 62400s"],
            "success" => &["Requests/Minute 59 of ?, ?"],
            _ => &[],
        }
    };
    let mut read = 0;
    for vector in vectors["outcomes"].as_array().unwrap() {
        let id = vector["id"].as_str().unwrap();
        let pairs = vector["headers"].as_object().into_iter().flatten();
        let lines: Vec<_> = pairs.map(|(name, value)| format!("{name}: {}", value.as_str().unwrap())).collect();
        check(&lines.join("\n"), expected(id));
        read += expected(id).len();
    }
    assert_eq!(read, 5);
}
