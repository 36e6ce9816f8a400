//! The documented errors of each provider, and the same codes in the bodies of others.

use super::{
    variants::{BILLING, DAY, Expected, FAILED, OVERLOADED, QUOTA, check_cases, message, refused},
    *,
};

/// Checks one case of a status, headers, a body, and the expected verdict.
#[track_caller]
fn check(status: u16, headers: &[(&'static str, &str)], body: &Value, (name, limit, millis): Expected) {
    assert_eq!(summary(judged(status, headers, body)), json!([name, limit, millis]), "{status} {headers:?} {body}");
}

/// Returns the seconds until an exhausted quota is refilled.
fn resumes_in(status: u16, body: &Value) -> Option<u64> {
    match judged(status, &[], body) {
        Verdict::QuotaExhausted { resumes_at, .. } => resumes_at.map(|at| epoch(at) - epoch(vectors(OUTCOMES).1)),
        other => panic!("{other:?}"),
    }
}

#[test]
fn cerebras_errors_are_recognised() {
    let flat =
        |code: &str, kind: &str, text: &str| json!({ "message": text, "type": kind, "param": "quota", "code": code });
    let requests = |text| flat("request_quota_exceeded", "too_many_requests_error", text);
    let tokens = |text| flat("token_quota_exceeded", "too_many_tokens_error", text);
    check_cases(&[
        (429, requests("Requests per minute limit exceeded - too many requests sent."), refused("requests", None)),
        (429, requests("Requests per hour limit exceeded - too many requests sent."), refused("requests", None)),
        (429, requests("Requests per day limit exceeded - too many requests sent."), DAY),
        (429, tokens("Tokens per minute limit exceeded - too many tokens processed."), refused("tokens", None)),
        (429, tokens("Tokens per day limit exceeded - too many tokens processed."), DAY),
        (
            429,
            flat(
                "queue_exceeded",
                "too_many_requests_error",
                "We're experiencing high traffic right now! Please try again soon.",
            ),
            OVERLOADED,
        ),
    ]);
    let daily = [("x-ratelimit-remaining-requests-day", "0"), ("x-ratelimit-reset-tokens-minute", "11.38")];
    let body = tokens("Tokens per minute limit exceeded - too many tokens processed.");
    check(429, &daily, &body, refused("tokens", None));
    check(429, &[("retry-after", "7")], &body, refused("tokens", Some(7000)));
}

#[test]
fn moonshot_errors_are_recognised() {
    let error = |kind: &str, text: &str| json!({ "error": { "type": kind, "message": text } });
    let rate = |text: &str| error("rate_limit_reached_error", text);
    check_cases(&[
        (
            429,
            rate(
                "Your account org-x<ak-y> request reached max organization concurrency: 1, please try again after 1 seconds",
            ),
            refused("concurrency", Some(1000)),
        ),
        (
            429,
            rate("Your account org-x<ak-y> request reached organization max RPM: 3, please try again after 1 seconds"),
            refused("requests", Some(1000)),
        ),
        (429, rate("request reached project TPM rate limit, current: 1410, limit: 100"), refused("tokens", None)),
        (429, rate("request reached organization TPD rate limit, current: 1508351, limit: 1500000"), DAY),
        (
            429,
            rate("Organization Rate limit exceeded, please try again after 1 seconds"),
            refused("unknown", Some(1000)),
        ),
        (
            429,
            error(
                "exceeded_current_quota_error",
                "Your account is suspended due to insufficient balance, please recharge",
            ),
            BILLING,
        ),
        (
            429,
            error("engine_overloaded_error", "The engine is currently overloaded, please try again later"),
            OVERLOADED,
        ),
        (429, error("rate_limit_error", "The engine is currently overloaded, please try again later"), OVERLOADED),
        (403, error("access_terminated_error", "You've reached your usage limit for this billing cycle."), QUOTA),
        (429, error("rate_limit_error", "You've reached your usage limit for this period."), QUOTA),
        (402, error("payment", "We're unable to verify your membership benefits"), BILLING),
        (400, error("invalid_request_error", "Your request exceeded model token limit : 262144"), FAILED),
    ]);
}

#[test]
fn zhipu_errors_are_recognised_in_all_routes() {
    let error = |code: &str, text: &str| json!({ "error": { "code": code, "message": text } });
    for (code, expected) in [
        ("1113", BILLING),
        ("1302", refused("concurrency", None)),
        ("1303", refused("requests", None)),
        ("1304", DAY),
        ("1305", OVERLOADED),
        ("1308", QUOTA),
        ("1309", BILLING),
        ("1310", QUOTA),
        ("1311", FAILED),
        ("1312", OVERLOADED),
        ("1313", refused("unknown", None)),
    ] {
        let number: u64 = code.parse().unwrap();
        let anthropic = |error: Value| json!({ "type": "error", "error": error, "request_id": "2026" });
        for body in [
            error(code, "x"),
            json!({ "error": { "code": number, "message": "x" } }),
            json!({ "error": { "code": code, "message": "x", "type": null, "param": "" } }),
            anthropic(json!({ "type": code, "message": "x" })),
            anthropic(json!({ "type": "rate_limit_error", "code": code, "message": format!("[{code}][x][2026]") })),
            message(&format!("All providers failed: {}", error(code, "x"))),
        ] {
            check(429, &[], &body, expected);
        }
        check(200, &[], &error(code, "x"), expected);
    }
    let spent = error("1308", "已达到 5 小时的使用上限。您的限额将在 2026-11-24 15:40:00 重置。");
    assert_eq!(resumes_in(429, &spent), Some(3600), "the time in Beijing");
}

#[test]
fn minimax_errors_are_recognised_in_all_routes() {
    for (code, text, expected) in [
        (1002, "rate limit", refused("unknown", None)),
        (1008, "insufficient balance", BILLING),
        (1039, "TPM", refused("tokens", None)),
        (1041, "conn limit", refused("concurrency", None)),
        (2045, "rate growth limit", refused("acceleration", None)),
        (2056, "usage limit exceeded", QUOTA),
        (2061, "your current token plan not support model", FAILED),
    ] {
        let base = json!({ "base_resp": { "status_code": code, "status_msg": text }, "choices": null });
        check(200, &[], &base, expected);
        check(429, &[], &base, expected);
        let nested = json!({ "type": "rate_limit_error", "message": format!("{text} ({code})") });
        check(429, &[], &json!({ "type": "error", "error": nested, "request_id": "06" }), expected);
        let status = json!({ "type": "x", "message": format!("{text} ({code})"), "http_code": "429" });
        check(429, &[], &json!({ "error": status }), expected);
    }
    let plan = "usage limit exceeded, 5-hour usage limit reached for Token Plan, resets at 2026-11-24T07:40:00Z (2056)";
    assert_eq!(
        resumes_in(429, &json!({ "type": "error", "error": { "type": "rate_limit_error", "message": plan } })),
        Some(3600)
    );
}

#[test]
fn dashscope_errors_are_recognised() {
    let native = |code: &str, text: &str| json!({ "code": code, "message": text, "request_id": "x" });
    let compatible =
        |code: &str, text: &str| json!({ "error": { "code": code, "type": code, "param": null, "message": text } });
    let link = "For details, see: https://help.aliyun.com/zh/model-studio/error-code#token-limit";
    check_cases(&[
        (
            429,
            native("Throttling.RateQuota", "Requests rate limit exceeded, please try again later."),
            refused("requests", None),
        ),
        (
            429,
            native("Throttling.AllocationQuota", "Allocated quota exceeded, please increase your quota limit."),
            refused("tokens", None),
        ),
        (429, native("Throttling.BurstRate", "Request rate increased too quickly."), refused("acceleration", None)),
        (429, native("Throttling", "Requests throttling triggered."), refused("unknown", None)),
        (429, compatible("limit_requests", "You exceeded your current requests list."), refused("requests", None)),
        (429, compatible("limit_burst_rate", "Request rate increased too quickly."), refused("acceleration", None)),
        (
            429,
            compatible("insufficient_quota", &format!("You exceeded your current quota. {link}")),
            refused("tokens", None),
        ),
        (400, native("Arrearage", "Access denied, please make sure your account is in good standing."), BILLING),
        (403, native("AllocationQuota.FreeTierOnly", "The free tier of the model has been exhausted."), BILLING),
        (429, compatible("x", "hour allocated quota exceeded"), QUOTA),
        (400, native("InvalidParameter", "Range of input length should be [1, 30720]"), FAILED),
    ]);
}

#[test]
fn cohere_errors_are_recognised() {
    let error = |text: &str| json!({ "message": text });
    check_cases(&[
        (
            429,
            error("You are past the per minute request limit, please wait and try again later."),
            refused("unknown", None),
        ),
        (429, error("trial token rate limit exceeded, limit is 100000 tokens per minute"), refused("tokens", None)),
        (429, error("You are using a Trial key, which is limited to 40 API calls / minute."), refused("unknown", None)),
        (429, error("You are using a Trial key, which is limited to 1000 API calls / month."), BILLING),
        (
            402,
            error("Please add or update your payment method at https://dashboard.cohere.com/billing?tab=payment"),
            BILLING,
        ),
        (400, error("too many tokens: max tokens must be less than or equal to 4096 - received 8192."), FAILED),
        (499, error("request cancelled by user"), FAILED),
    ]);
}

#[test]
fn together_errors_are_recognised() {
    let error =
        |kind: &str, text: &str| json!({ "error": { "message": text, "type": "rate_limit", "error_type": kind } });
    let reset = [("x-ratelimit-reset", "4")];
    check(429, &reset, &error("dynamic_request_limited", "Request rate limited"), refused("requests", Some(4000)));
    check(429, &reset, &error("dynamic_token_limited", "Rate limited"), refused("tokens", Some(4000)));
    let paid = "You have been rate limited. Your rate limit is 60 queries per minute. Please navigate to https://api.together.xyz/settings/billing to upgrade to a paid plan.";
    check_cases(&[
        (503, message("The server is overloaded or not ready yet."), OVERLOADED),
        (402, message("You have reached your maximum allowed monthly spending limit"), BILLING),
        (403, message("Input token count + max_tokens parameter must be less than the context length"), FAILED),
        (
            429,
            json!({ "error": { "message": paid, "type": "credit_limit", "param": null, "code": null } }),
            refused("unknown", None),
        ),
    ]);
}

#[test]
fn vertex_errors_are_recognised() {
    let error =
        |code: u16, status: &str, text: &str| json!({ "error": { "code": code, "message": text, "status": status } });
    check_cases(&[
        (
            429,
            error(429, "RESOURCE_EXHAUSTED", "Resource exhausted, please try again later."),
            refused("unknown", None),
        ),
        (
            429,
            json!([error(429, "RESOURCE_EXHAUSTED", "Resource exhausted. Please try again later.")]),
            refused("unknown", None),
        ),
        (
            429,
            error(429, "RESOURCE_EXHAUSTED", "Too many requests. Exceeded the Provisioned Throughput."),
            refused("requests", None),
        ),
        (503, error(503, "UNAVAILABLE", "Service temporarily unavailable"), OVERLOADED),
        (400, error(400, "INVALID_ARGUMENT", "Request exceeds the model's input token limit"), FAILED),
    ]);
}

#[test]
fn github_models_limits_are_read_from_body_or_header() {
    let error = |name: &str| {
        let text = format!("Rate limit of 10 per 60s exceeded for {name}. Please wait 7 seconds before retrying.");
        json!({ "error": { "code": "RateLimitReached", "message": text, "details": text } })
    };
    for (name, kind) in
        [("UserByModelByMinute", "requests"), ("UserByModelByDay", "day"), ("UserConcurrentRequests", "concurrency")]
    {
        check(429, &[], &error(name), refused(kind, Some(7000)));
        check(429, &[("x-ratelimit-type", name), ("retry-after", "7")], &json!(""), refused(kind, Some(7000)));
    }
    check(429, &[("x-ratelimit-type", "UserByModelByDay")], &json!(""), DAY);
    check(200, &[("x-ratelimit-type", "UserByModelByDay")], &json!({ "choices": [] }), variants::SUCCESS);
    check(
        413,
        &[],
        &json!({ "error": { "code": "tokens_limit_reached", "message": "Request body too large. Max size: 8000 tokens." } }),
        FAILED,
    );
}

#[test]
fn openrouter_errors_are_recognised() {
    let error = |code: u16, metadata: Value| json!({ "error": { "code": code, "message": "x", "metadata": metadata } });
    let in_flight = json!({ "reason": "in_flight_budget_exhausted", "limit_source": "openrouter_in_flight_budget" });
    check(402, &[("retry-after", "3")], &error(402, in_flight), refused("unknown", Some(3000)));
    let reset = [("x-ratelimit-limit", "20"), ("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "1795502460000")];
    check(429, &reset, &error(429, json!({ "error_type": "rate_limit_exceeded" })), refused("unknown", Some(60_000)));
    let afford = |left: u32| {
        message(&format!(
            "This request requires more credits, or fewer max_tokens. You requested up to 65536 tokens, but can only afford {left}. To increase, visit https://openrouter.ai/settings/keys and create a key with a higher monthly limit"
        ))
    };
    check_cases(&[
        (402, error(402, json!({ "reason": "weight_exceeds_budget", "limit_source": "openrouter_credits" })), FAILED),
        (402, error(402, json!({ "limit_source": "openrouter_credits" })), BILLING),
        (402, error(402, json!({ "limit_source": "openrouter_key_limit" })), BILLING),
        (402, afford(30_104), FAILED),
        (402, afford(0), BILLING),
        (503, error(503, json!({ "error_type": "provider_overloaded" })), OVERLOADED),
        (200, error(503, json!({ "error_type": "provider_overloaded" })), OVERLOADED),
        (429, error(429, json!({ "limit_source": "upstream_provider_shared_pool" })), OVERLOADED),
        (
            200,
            json!({ "error": { "code": 429, "message": "Rate limit exceeded" }, "choices": [{ "finish_reason": "error" }] }),
            refused("unknown", None),
        ),
        (400, error(400, json!({ "error_type": "token_limit_exceeded" })), FAILED),
    ]);
    let spent =
        error(403, json!({ "limit_source": "openrouter_workspace_budget", "resets_at": "2026-11-25T00:00:00Z" }));
    check(403, &[], &spent, BILLING);
    assert_eq!(resumes_in(403, &spent), Some(17 * 3600 + 20 * 60));
}

/// The numbers of Zhipu, `MiniMax` and Cloudflare mean something else, or nothing, in the bodies of other providers.
#[test]
fn numbers_of_one_provider_are_not_read_in_bodies_of_others() {
    let mut cases = Vec::new();
    for number in [
        1113, 1302, 1303, 1304, 1305, 1308, 1309, 1310, 1311, 1312, 1002, 1008, 1039, 1041, 2045, 2056, 2061, 3036,
        3040, 4006,
    ] {
        let text = number.to_string();
        for code in [json!(number), json!(text)] {
            // Flat, typed, and detailed errors of other shapes. A failure stays a failure, and a refusal names no limit.
            for (status, expected) in
                [(400, FAILED), (401, FAILED), (404, FAILED), (422, FAILED), (429, refused("unknown", None))]
            {
                cases.push((status, json!({ "code": code, "message": "x", "data": null }), expected));
                cases.push((
                    status,
                    json!({ "error": { "code": code, "type": "invalid_request_error", "message": "x" } }),
                    expected,
                ));
                cases.push((
                    status,
                    json!({ "error": { "code": code, "status": "INVALID", "message": "x" } }),
                    expected,
                ));
                cases.push((
                    status,
                    json!({ "error": { "message": format!("item ({number})"), "type": "x", "param": "y" } }),
                    expected,
                ));
                cases.push((status, json!({ "error": format!("page ({number})") }), expected));
                cases.push((status, json!({ "message": format!("page ({number})") }), expected));
                cases.push((status, json!({ "error_code": code, "error_msg": "x" }), expected));
                cases.push((status, json!({ "status_code": number, "status_msg": "x" }), expected));
            }
        }
    }
    check_cases(&cases);
    // The codes of one of them in the shape of another.
    check_cases(&[
        (429, json!({ "base_resp": { "status_code": 1302, "status_msg": "x" } }), refused("unknown", None)),
        (429, json!({ "error": { "code": 2056, "message": "x" } }), refused("unknown", None)),
        (429, json!({ "error": { "code": 3036, "message": "x" } }), refused("unknown", None)),
        (429, json!({ "errors": [{ "code": 1113, "message": "x" }], "success": false }), refused("unknown", None)),
        (429, json!({ "base_resp": { "status_code": 3036, "status_msg": "x" } }), refused("unknown", None)),
    ]);
}
