//! Hints in fields, headers and words, and the end of exhausted quotas.

use super::{
    variants::{check_cases, message, refused},
    *,
};

#[test]
fn hints_are_found_in_fields_headers_and_words() {
    check_cases(&[
        (
            429,
            json!({ "detail": "Request was throttled. Expected available in 5 seconds." }),
            refused("unknown", Some(5000)),
        ),
        (429, json!({ "detail": "x", "retry_after": "2.5" }), refused("unknown", Some(2500))),
        (
            429,
            json!({ "error": { "message": "x", "metadata": { "retry_after_seconds": 8 } } }),
            refused("unknown", Some(8000)),
        ),
        (
            429,
            json!({ "error": { "message": "x", "retry_delay": { "seconds": 12 } } }),
            refused("unknown", Some(12_000)),
        ),
        (
            429,
            json!({ "error": { "message": "x", "metadata": { "headers": { "X-RateLimit-Reset": "1795502460000" } } } }),
            refused("unknown", Some(60_000)),
        ),
        (429, message("Rate limit reached. Resets at 2026-11-24T06:41:00Z."), refused("unknown", Some(60_000))),
        (429, message("Please try again in 1 hour and 5 minutes."), refused("unknown", Some(3_900_000))),
        (429, message("请求过于频繁，请 20 秒后重试"), refused("requests", Some(20_000))),
        (
            429,
            message(
                "geminiException - b'{\"error\":{\"code\":429,\"status\":\"RESOURCE_EXHAUSTED\",\"details\":[{\"retryDelay\":\"9s\"}]}}'",
            ),
            refused("unknown", Some(9000)),
        ),
        (
            429,
            json!({ "message": "Tokens per minute limit exceeded - too many tokens processed.", "type": "too_many_tokens_error", "code": "token_quota_exceeded" }),
            refused("tokens", None),
        ),
        (
            429,
            message(
                "Rate limit reached on requests per minute (RPM): Limit 30, Used 30, Requested 1. Please try again in 2s. Need more tokens? Upgrade to Dev Tier today.",
            ),
            refused("requests", Some(2000)),
        ),
        (
            429,
            message(
                "Rate limit exceeded: free-models-per-min. Add 10 credits to unlock 1000 free model requests per day",
            ),
            refused("requests", None),
        ),
        (
            403,
            json!({ "error": { "code": 403, "errors": [{ "domain": "usageLimits", "reason": "userRateLimitExceeded" }], "message": "User Rate Limit Exceeded" } }),
            refused("unknown", None),
        ),
        (400, json!({ "__type": "ThrottlingException", "message": "Rate exceeded" }), refused("unknown", None)),
        (
            200,
            json!({ "object": "error", "message": "Rate limit exceeded", "type": "rate_limited", "code": "1300", "raw_status_code": 429 }),
            refused("unknown", None),
        ),
        (
            200,
            json!(
                "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"rate_limit_error\",\"message\":\"Rate limited\"}}\n\n"
            ),
            refused("unknown", None),
        ),
        (200, message("Rate limit exceeded"), refused("unknown", None)),
    ]);
}

#[test]
fn exhausted_quota_reports_its_end() {
    let resumes = |headers: &[(&'static str, &str)], body: &Value| match judged(429, headers, body) {
        Verdict::QuotaExhausted { resumes_at, .. } => resumes_at.map(|at| epoch(at) - epoch(vectors(OUTCOMES).1)),
        other => panic!("{other:?}"),
    };
    let day_of_google = json!({ "error": { "details": [{ "retryDelay": "8s" }, { "violations": [{ "quotaId": "RequestsPerDay" }] }] } });
    for (body, seconds) in [
        (json!({ "error": { "type": "usage_limit_reached", "resets_in_seconds": 900 } }), Some(900)),
        (json!({ "error": { "type": "usage_limit_reached", "resets_at": 1_795_502_500 } }), Some(100)),
        (
            json!({ "error": { "code": "1308", "message": "已达到 5 小时的使用上限。您的限额将在 2026-11-24 15:40:00 重置。" } }),
            Some(3600),
        ),
        (json!({ "errors": [{ "code": 4006, "message": "daily free allocation" }] }), Some(17 * 3600 + 20 * 60)),
        (day_of_google, Some(3600 + 20 * 60)),
        (json!({ "error": { "code": "insufficient_quota", "message": "Please try again in 2 hours" } }), Some(7200)),
        (json!({ "error": { "code": "insufficient_quota", "message": "Please try again in 20s" } }), None),
        (message("usage limit reached, resets at 2026-11-24T15:00:00+08:00"), Some(1200)),
        (message("usage limit reached, resets at 2026-11-24 15:00:00"), None),
    ] {
        assert_eq!(resumes(&[], &body), seconds, "{body}");
    }
    let plan = json!({ "error": { "type": "usage_limit_reached" } });
    let (used, after) = ("x-codex-secondary-used-percent", "x-codex-secondary-reset-after-seconds");
    let primary = [("x-codex-primary-used-percent", "40"), ("x-codex-primary-reset-after-seconds", "9")];
    assert_eq!(resumes(&[primary[0], primary[1], (used, "100"), (after, "86400")], &plan), Some(86_400));
    assert_eq!(resumes(&[("x-codex-primary-reset-after-seconds", "77")], &plan), Some(77));
}

#[test]
fn durations_with_a_micro_sign_are_read_in_any_encoding() {
    for bytes in ["250µs".as_bytes(), b"250\xb5s", "250μs".as_bytes()] {
        let mut headers = HeaderMap::new();
        headers.insert("retry-after", bytes.try_into().unwrap());
        let verdict = judge(&Evidence::new().status(429).headers(&headers), vectors(OUTCOMES).1);
        assert_eq!(verdict.retry_after(), Some(Duration::from_millis(1)), "{bytes:?}");
    }
}
