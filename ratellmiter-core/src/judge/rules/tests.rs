//! The test vectors, and other wordings of the same errors.

use http::{HeaderMap, HeaderName};
use serde_json::{Value, json};

use super::*;

mod exceptions;
mod hints;
mod providers;
mod quoted;
mod variants;

const OUTCOMES: &str = include_str!("../../../tests/vectors/outcomes.json");
const FIELD: &str = include_str!("../../../tests/vectors/field.json");

fn vectors(text: &str) -> (Value, SystemTime) {
    let vectors: Value = serde_json::from_str(text).unwrap();
    let now = SystemTime::UNIX_EPOCH + Duration::from_secs(vectors["now_epoch"].as_u64().unwrap());
    (vectors, now)
}

fn check(vectors: &Value, parse: impl Fn(&str) -> Option<Duration>) {
    for vector in vectors.as_array().unwrap() {
        let parsed = parse(vector["in"].as_str().unwrap());
        let expected = match &vector["ms"] {
            Value::String(word) if word == "clamped" => Some(header_values::MAX_WAIT),
            millis => millis.as_u64().map(Duration::from_millis),
        };
        assert_eq!(parsed, expected, "{vector}");
    }
}

#[test]
fn times_of_the_vectors_are_read() {
    for text in [OUTCOMES, FIELD] {
        let (vectors, now) = vectors(text);
        check(&vectors["durations"], header_values::duration);
        check(&vectors["retry_after"], |value| header_values::wait(value, now));
        check(&vectors["resets"], |value| header_values::reset(value, now));
        for vector in vectors["ietf"].as_array().into_iter().flatten() {
            let policies = header_values::policies(vector["in"].as_str().unwrap());
            let found: Vec<_> = policies
                .iter()
                .map(|(name, policy)| json!([name, policy.remaining, policy.reset.map(|reset| reset.as_secs())]))
                .collect();
            assert_eq!(&Value::Array(found), &vector["items"], "{vector}");
        }
    }
}

fn header_map(headers: &Value) -> HeaderMap {
    let pairs = headers.as_object().into_iter().flatten();
    pairs.map(|(name, value)| (name.parse::<HeaderName>().unwrap(), value.as_str().unwrap().parse().unwrap())).collect()
}

fn text(body: &Value) -> String {
    body.as_str().map_or_else(|| body.to_string(), str::to_owned)
}

#[test]
fn outcomes_of_the_vectors_have_their_verdict() {
    check_outcomes(OUTCOMES, 30);
    check_outcomes(FIELD, 60);
}

fn check_outcomes(file: &str, min: usize) {
    let (vectors, now) = vectors(file);
    let outcomes = vectors["outcomes"].as_array().unwrap();
    assert!(outcomes.len() >= min);
    let mut wrong = Vec::new();
    for vector in outcomes {
        let headers = header_map(&vector["headers"]);
        let mut evidence = Evidence::new().headers(&headers).body(text(&vector["body"]));
        evidence.status = vector["status"].as_u64().map(|status| u16::try_from(status).unwrap());
        let verdict = judge(&evidence, now);
        let found = summary(verdict);
        let is_expected =
            |expected: &Value| found == json!([expected["verdict"], expected["scope"], expected["retry_ms"]]);
        let others = vector["also"].as_array().into_iter().flatten();
        let is_right = is_expected(vector) || others.into_iter().any(is_expected);
        let resumes_at = match verdict {
            Verdict::QuotaExhausted { resumes_at, .. } => resumes_at.map(epoch),
            _ => vector["resumes_at_epoch"].as_u64(),
        };
        let resumes_in_time = vector["resumes_at_epoch"].as_u64().is_none_or(|expected| resumes_at == Some(expected));
        if !is_right || !resumes_in_time {
            wrong.push(format!("{found} {resumes_at:?} {vector}"));
        }
    }
    assert!(wrong.is_empty(), "{} of {}: {wrong:#?}", wrong.len(), outcomes.len());
}

fn epoch(at: SystemTime) -> u64 {
    at.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs()
}

/// Returns the verdict, the limit and the hint in milliseconds, as the vectors name them.
fn summary(verdict: Verdict) -> Value {
    let (name, scope) = match verdict {
        Verdict::Success => ("Success", "unknown"),
        Verdict::RateLimited { limit, .. } => ("RateLimited", coarse(limit)),
        // The vectors call this limit "provider".
        Verdict::Overloaded { .. } => ("Overloaded", "provider"),
        Verdict::QuotaExhausted { limit, .. } => ("QuotaExhausted", coarse(limit)),
        Verdict::Transient { .. } => ("Transient", "unknown"),
        Verdict::Failed => ("Failed", "unknown"),
    };
    json!([name, scope, verdict.retry_after().map(|wait| u64::try_from(wait.as_millis()).unwrap())])
}

/// Returns the name of the limit in the vectors, which do not distinguish input and output.
fn coarse(limit: LimitKind) -> &'static str {
    match limit {
        LimitKind::Unknown => "unknown",
        LimitKind::Requests => "requests",
        LimitKind::Tokens | LimitKind::InputTokens | LimitKind::OutputTokens => "tokens",
        LimitKind::Daily => "day",
        LimitKind::Concurrency => "concurrency",
        LimitKind::Growth => "acceleration",
        LimitKind::Billing => "billing",
    }
}

fn judged(status: u16, headers: &[(&'static str, &str)], body: &Value) -> Verdict {
    let headers = headers.iter().map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap())).collect();
    judge(&Evidence::new().status(status).headers(&headers).body(text(body)), vectors(OUTCOMES).1)
}

fn is_exhausted(verdict: Verdict, expected: LimitKind) -> bool {
    matches!(verdict, Verdict::QuotaExhausted { limit, .. } if limit == expected)
}

fn is_refused(verdict: Verdict, expected: LimitKind) -> bool {
    matches!(verdict, Verdict::RateLimited { limit, .. } if limit == expected)
}

#[test]
fn billing_outranks_the_status_in_any_wording() {
    for code in [
        "credit_balance_exhausted",
        "organization_spend_limit_exceeded",
        "project_spend_limit_exceeded",
        "organization_usage_limit_exceeded",
        "billing_hard_limit_reached",
    ] {
        let body = json!({ "error": { "code": code, "type": "x", "message": "Please try again in 3s." } });
        assert!(is_exhausted(judged(429, &[("retry-after", "3")], &body), LimitKind::Billing), "{code}");
    }
    let capped = json!({ "type": "error", "error": { "type": "invalid_request_error", "message": "You have reached your specified workspace API usage limits. You will regain access on 2027-01-01 at 00:00 UTC." } });
    let Verdict::QuotaExhausted { resumes_at: Some(resumes), limit: LimitKind::Billing } = judged(400, &[], &capped)
    else {
        panic!("exhausted, with its end")
    };
    assert_eq!(
        resumes.duration_since(vectors(OUTCOMES).1).unwrap(),
        Duration::from_hours(24 * 38 - 7) + Duration::from_mins(20)
    );
    let billing = json!({ "error": { "type": "billing_error", "message": "" } });
    assert!(is_exhausted(judged(402, &[], &billing), LimitKind::Billing));
}

#[test]
fn daily_quota_outranks_the_delay_beside_it() {
    let body = |quota: &str| {
        json!([{ "error": { "code": 429, "status": "RESOURCE_EXHAUSTED", "message": "Quota exceeded",
            "details": [{ "retryDelay": "7s" }, { "violations": [{ "quotaId": quota }] }] } }])
    };
    assert!(is_exhausted(judged(429, &[], &body("GenerateContentInputTokensPerDay-Free")), LimitKind::Daily));
    let minute = judged(429, &[], &body("GenerateContentInputTokensPerMinute-Free"));
    assert_eq!(
        minute,
        Verdict::RateLimited { retry_after: Some(Duration::from_secs(7)), limit: LimitKind::InputTokens }
    );
    let none = json!({ "error": { "code": 429, "status": "RESOURCE_EXHAUSTED", "message": "Quota exceeded, limit: 0, model: x. Please retry in 10h17m5.7s." } });
    assert!(is_exhausted(judged(429, &[], &none), LimitKind::Unknown));
    // A message with a wait: a refusal whose hint is more than ten minutes.
    let groq = json!({ "error": { "type": "tokens", "code": "rate_limit_exceeded", "message": "Rate limit reached on tokens per day (TPD): Limit 1, Used 1. Please try again in 24m7s." } });
    let hint = Some(Duration::from_secs(24 * 60 + 7));
    assert_eq!(judged(429, &[], &groq), Verdict::RateLimited { retry_after: hint, limit: LimitKind::Daily });
    assert!(is_exhausted(
        judged(429, &[], &json!({ "message": "Too many tokens per day, please wait." })),
        LimitKind::Daily
    ));
}

#[test]
fn error_in_a_success_is_recognised_unless_quoted() {
    let in_band =
        json!({ "error": { "code": 429, "message": "Provider returned error", "metadata": { "provider_name": "x" } } });
    assert!(is_refused(judged(200, &[], &in_band), LimitKind::Unknown));
    let failed = |code: &str| json!({ "status": "failed", "error": { "code": code, "message": "" } });
    assert_eq!(judged(200, &[], &failed("invalid_prompt")), Verdict::Failed);
    assert_eq!(judged(200, &[], &failed("server_error")), Verdict::transient());
    let completed = json!({ "status": "completed", "error": null, "output": "HTTP 429 rate_limit_exceeded" });
    assert_eq!(judged(200, &[], &completed), Verdict::Success);
    assert_eq!(judged(200, &[], &json!("429 too many requests, retry after 5 s")), Verdict::Success);
    assert_eq!(
        judged(400, &[], &json!({ "error": { "message": "the page said HTTP 429, try again in 5s" } })),
        Verdict::Failed
    );
}

#[test]
fn error_event_of_a_stream_is_recognised() {
    let failed = json!({ "type": "response.failed", "response": { "error": { "code": "rate_limit_exceeded" } } });
    assert!(is_refused(judged(200, &[], &failed), LimitKind::Unknown));
    let error = json!({ "type": "error", "code": "server_is_overloaded", "message": "busy", "sequence_number": 3 });
    assert_eq!(judged(200, &[], &error), Verdict::Overloaded { retry_after: None });
    for answer in [
        json!({ "type": "response.completed", "response": { "error": null, "output": [] } }),
        json!({ "type": "error" }),
        json!({ "type": "message", "code": "rate_limit_exceeded" }),
    ] {
        assert_eq!(judged(200, &[], &answer), Verdict::Success, "{answer}");
    }
}

#[test]
fn message_names_the_limit_kind() {
    let scoped = |message: &str| judged(429, &[], &json!({ "error": { "message": message } }));
    for (message, scope) in [
        (
            "This request would exceed your organization's rate limit of 10,000 output tokens per minute",
            LimitKind::OutputTokens,
        ),
        ("Number of concurrent connections has exceeded your rate limit", LimitKind::Concurrency),
        ("Your traffic ramps up too quickly", LimitKind::Growth),
        ("Too many requests, please wait before trying again.", LimitKind::Requests),
        ("You are past the per minute request limit", LimitKind::Unknown),
    ] {
        assert!(is_refused(scoped(message), scope), "{message}: {:?}", scoped(message));
    }
}

#[test]
fn status_code_and_hint_decide_otherwise() {
    assert_eq!(
        judged(
            503,
            &[("retry-after", "4")],
            &json!("server busy, please try again.  maximum pending requests exceeded")
        ),
        Verdict::Overloaded { retry_after: Some(Duration::from_secs(4)) }
    );
    assert_eq!(judged(529, &[], &json!("")), Verdict::Overloaded { retry_after: None });
    for status in [400, 401, 403, 404, 413, 422, 501, 505, 524] {
        assert_eq!(judged(status, &[("retry-after", "4")], &json!({})), Verdict::Failed, "{status}");
    }
    for status in [408, 409, 500, 502, 504, 520, 521, 522, 523, 525, 526, 527, 530] {
        let transient = Verdict::Transient { retry_after: Some(Duration::from_secs(4)) };
        assert_eq!(judged(status, &[("retry-after", "4")], &json!({})), transient, "{status}");
        assert_eq!(judged(status, &[], &json!("try again in 4 seconds")), Verdict::transient(), "{status}");
    }
    assert_eq!(judged(429, &[("x-should-retry", "false")], &json!({})), Verdict::Failed);
    assert_eq!(judged(502, &[("x-should-retry", "false")], &json!({})), Verdict::Failed);
    let bare = |code: &'static str| judge(&Evidence::new().code(code), vectors(OUTCOMES).1);
    assert!(
        is_refused(bare("ThrottlingException"), LimitKind::Unknown)
            && is_refused(bare("rate_limit_exceeded"), LimitKind::Unknown)
    );
    assert_eq!(bare("overloaded_error"), Verdict::Overloaded { retry_after: None });
    assert_eq!(bare("invalid_api_key"), Verdict::Failed);
    assert_eq!(judge(&Evidence::new(), vectors(OUTCOMES).1), Verdict::Failed);
    let hinted = Evidence::new().status(429).hint(Duration::from_secs(9));
    assert_eq!(judge(&hinted, vectors(OUTCOMES).1).retry_after(), Some(Duration::from_secs(9)));
}

#[test]
fn server_can_ask_for_a_retry_of_any_error() {
    let asked = |status| judged(status, &[("x-should-retry", "true"), ("retry-after", "3")], &json!({}));
    for status in [400, 403, 404, 422, 501, 502, 524] {
        assert_eq!(asked(status), Verdict::transient().with_retry_after(Duration::from_secs(3)), "{status}");
    }
    assert!(matches!(asked(429), Verdict::RateLimited { .. }) && matches!(asked(503), Verdict::Overloaded { .. }));
    assert_eq!(asked(200), Verdict::Success);
}
