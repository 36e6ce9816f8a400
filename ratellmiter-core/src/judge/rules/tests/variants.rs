//! Other bodies of the kinds in the vectors: other numbers, other words, other places.

use super::*;

/// The name of a verdict, its limit, and its hint in milliseconds, as in the vectors.
pub(super) type Expected = (&'static str, &'static str, Option<u64>);

/// Checks cases of a status, a body, and the expected verdict with its limit and its hint in milliseconds.
pub(super) fn check_cases(cases: &[(u16, Value, Expected)]) {
    let mut wrong = Vec::new();
    for (status, body, (name, limit, millis)) in cases {
        let found = summary(judged(*status, &[], body));
        if found != json!([name, limit, millis]) {
            wrong.push(format!("{found}, not {name} {limit} {millis:?}: {status} {body}"));
        }
    }
    assert!(wrong.is_empty(), "{} of {}: {wrong:#?}", wrong.len(), cases.len());
}

pub(super) const FAILED: Expected = ("Failed", "unknown", None);
pub(super) const OVERLOADED: Expected = ("Overloaded", "provider", None);
pub(super) const BILLING: Expected = ("QuotaExhausted", "billing", None);
pub(super) const DAY: Expected = ("QuotaExhausted", "day", None);
pub(super) const QUOTA: Expected = ("QuotaExhausted", "unknown", None);
pub(super) const SUCCESS: Expected = ("Success", "unknown", None);
pub(super) const TRANSIENT: Expected = ("Transient", "unknown", None);

pub(super) const fn refused(limit: &'static str, millis: Option<u64>) -> Expected {
    ("RateLimited", limit, millis)
}

pub(super) fn message(text: &str) -> Value {
    json!({ "error": { "message": text } })
}

#[test]
fn requests_that_can_never_fit_fail() {
    check_cases(&[
        (
            429,
            message("Request too large for o3 on tokens per min (TPM): Limit: 30,000 / min. Requested: 45,120."),
            FAILED,
        ),
        (
            429,
            message(
                "Rate limit exceeded: requested 12000 tokens, but the limit is 8000 per minute. Please try again in 2s.",
            ),
            FAILED,
        ),
        (429, message("TPM exceeded (45000 requested, limit 30k)"), FAILED),
        (413, message("Request too large for model `x` (TPM): Limit 6000, Requested 12328"), FAILED),
        (429, message("Request too large for gpt-4o"), FAILED),
        (
            429,
            message("Limit 30000, Used 29000, Requested 4351. Please try again in 6.702s."),
            refused("unknown", Some(6702)),
        ),
        (429, message("Limit 30000, Used 29000, Requested 30000 tokens"), refused("tokens", None)),
        (
            429,
            json!({ "error": { "code": "429", "message": r#"{"error":{"message":"Request too large on tokens per min (TPM): Limit 10000, Requested 20000.","code":"rate_limit_exceeded"}}"# } }),
            FAILED,
        ),
        (429, message("Usage credits are required for long context requests."), FAILED),
        (429, message("The long context beta is not yet available for this subscription."), FAILED),
        (429, message("This model is not available on your current plan."), FAILED),
        (
            429,
            message(
                "Rate limit reached for gpt-4.1 (long context) on tokens per min (TPM): Limit 200000, Used 199000, Requested 2000. Please try again in 300ms.",
            ),
            refused("tokens", Some(300)),
        ),
        (429, json!({ "error": { "code": "1311", "message": "当前订阅套餐暂未开放GLM-5权限" } }), FAILED),
    ]);
}

#[test]
fn overloads_are_recognised_in_any_status_of_a_refusal() {
    check_cases(&[
        (429, message("Service Unavailable: the model is at capacity"), OVERLOADED),
        (
            429,
            json!({ "message": "We're experiencing high traffic right now! Please try again soon.", "type": "too_many_requests_error", "param": "queue", "code": "queue_exceeded" }),
            OVERLOADED,
        ),
        (200, json!({ "error": { "code": "1305", "message": "该模型当前访问量过大，请您稍后再试" } }), OVERLOADED),
        (
            529,
            json!({ "type": "error", "error": { "type": "overloaded_error", "message": "[1305] overloaded" } }),
            OVERLOADED,
        ),
        (429, json!({ "error": { "code": 1312, "message": "x" } }), OVERLOADED),
        (500, json!({ "type": "error", "error": { "type": "overloaded_error", "message": "Overloaded" } }), OVERLOADED),
        (429, message("当前分组上游负载已饱和，请稍后再试 (request id: 2025)"), OVERLOADED),
        (
            429,
            json!({ "error": { "message": "当前分组上游负载已饱和，请稍后再试", "type": "insufficient_quota" } }),
            OVERLOADED,
        ),
        (
            429,
            json!({ "errors": [{ "code": 3040, "message": "AiError: 3040: Capacity temporarily exceeded, please try again." }], "success": false, "result": {} }),
            OVERLOADED,
        ),
        (
            429,
            json!({ "error": { "code": 429, "message": "x", "status": "RESOURCE_EXHAUSTED", "details": [{ "@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "MODEL_CAPACITY_EXHAUSTED" }] } }),
            OVERLOADED,
        ),
        (429, json!({ "error": "Model is overloaded", "error_type": "overloaded" }), OVERLOADED),
        (
            429,
            json!({ "error": { "code": "ServerOverloaded", "type": "TooManyRequests", "message": "The service is currently unable to serve additional requests due to server overload" } }),
            OVERLOADED,
        ),
        (
            429,
            json!({ "code": 50603, "message": "System is too busy now. Please try again later.", "data": null }),
            OVERLOADED,
        ),
        (
            429,
            json!({ "error": { "code": 429, "message": "Provider returned error", "metadata": { "raw": r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#, "provider_name": "Anthropic" } } }),
            OVERLOADED,
        ),
        (200, json!({ "choices": [], "error": { "code": 503, "message": "No instances available" } }), OVERLOADED),
        (
            503,
            json!({ "error": "Model x is currently loading", "estimated_time": 300.9 }),
            ("Overloaded", "provider", Some(300_900)),
        ),
        (
            503,
            message("The request queue is full. Please wait 4 seconds before retrying."),
            ("Overloaded", "provider", Some(4000)),
        ),
    ]);
}

#[test]
fn exhausted_quotas_are_recognised_in_any_status() {
    check_cases(&[
        (
            429,
            json!({ "error": { "code": "quota_exceeded", "message": "You have exceeded your premium request allowance." } }),
            QUOTA,
        ),
        (
            403,
            json!({ "statusCode": 403, "message": "Out of call volume quota. Quota will be replenished in 02:03:04." }),
            QUOTA,
        ),
        (403, message("Key limit exceeded (monthly limit)."), BILLING),
        (
            400,
            json!({ "error": { "message": "Budget has been exceeded!", "type": "budget_exceeded", "code": "400" } }),
            BILLING,
        ),
        (429, message("Insufficient quota. You have 0 credits remaining."), BILLING),
        (
            402,
            json!({ "error": { "code": "quota_exceeded", "message": "You have exceeded your premium request allowance." } }),
            BILLING,
        ),
        (
            429,
            json!({ "error": { "code": "quota_exceeded", "message": "You have exceeded your monthly quota" } }),
            BILLING,
        ),
        (412, message("Account x is suspended, possibly due to reaching the monthly spending limit"), BILLING),
        (
            403,
            json!({ "error": { "message": "You've reached your usage limit for this billing cycle.", "type": "access_terminated_error" } }),
            QUOTA,
        ),
        (
            403,
            json!({ "error": { "message": "用户额度不足, 剩余额度: ＄0.0", "type": "new_api_error", "code": "insufficient_user_quota" } }),
            BILLING,
        ),
        (
            403,
            json!({ "code": "x", "error": "Your team y has either used all available credits or reached its monthly spending limit." }),
            BILLING,
        ),
        (
            200,
            json!({ "base_resp": { "status_code": 1008, "status_msg": "insufficient balance" }, "choices": null }),
            BILLING,
        ),
        (429, json!({ "error": { "code": 1113, "message": "Your account is in arrears" } }), BILLING),
        (429, json!({ "error": { "code": "1309", "message": "您的 GLM Coding Plan 套餐已到期" } }), BILLING),
        (
            403,
            json!({ "code": "AllocationQuota.FreeTierOnly", "message": "The free tier of the model has been exhausted." }),
            BILLING,
        ),
        (400, json!({ "code": "Arrearage", "message": "Access denied" }), BILLING),
        (
            429,
            message(
                "litellm.RateLimitError: OpenAIException - You exceeded your current quota, please check your plan and billing details.",
            ),
            BILLING,
        ),
        (
            429,
            json!({ "error": { "message": r#"{"error":{"message":"You exceeded your current quota","type":"insufficient_quota","code":"insufficient_quota"}}"#, "code": 429 } }),
            BILLING,
        ),
        (
            429,
            json!({ "error": { "message": "x", "code": 429, "metadata": { "raw": r#"{"error":{"code":"insufficient_quota"}}"# } } }),
            BILLING,
        ),
        (
            403,
            json!({ "code": 30001, "message": "Sorry, your account balance is insufficient", "data": null }),
            BILLING,
        ),
        (
            429,
            json!({ "errors": [{ "code": 3036, "message": "AiError: You have used up your daily free allocation of 10,000 neurons" }], "success": false }),
            DAY,
        ),
        (200, json!({ "error": { "code": "1304", "message": "该 API 已达今日调用次数限额" } }), DAY),
        (
            429,
            json!({ "message": "Tokens per day limit exceeded - too many tokens processed.", "type": "too_many_tokens_error", "code": "token_quota_exceeded" }),
            DAY,
        ),
        (429, json!({ "error": "you have reached your weekly usage limit, please upgrade to continue" }), QUOTA),
        (429, json!({ "error": { "code": "1310", "message": "已达到每周使用上限" } }), QUOTA),
        (429, json!({ "base_resp": { "status_code": 2056, "status_msg": "usage limit exceeded" } }), QUOTA),
        (429, message("week allocated quota exceeded"), QUOTA),
    ]);
}

#[test]
fn rate_limits_have_their_kind_and_hint() {
    check_cases(&[
        (
            429,
            json!({ "code": "Some resource has been exhausted", "error": "Too many requests for team x. Your team's rate limit is: Requests per Second (actual/limit): 9/8, Tokens per Minute (actual/limit): 0/2000000." }),
            refused("requests", None),
        ),
        (
            429,
            json!({ "error": { "message": "You exceeded your current requests list.", "code": "limit_requests" } }),
            refused("requests", None),
        ),
        (429, json!("<html><title>429 Too Many Requests</title></html>"), refused("unknown", None)),
        (429, message("您已达到总请求数限制：1分钟内最多请求10次"), refused("requests", None)),
        (
            429,
            message(
                "This request would exceed your organization's maximum usage increase rate for input tokens per minute.",
            ),
            refused("acceleration", None),
        ),
        (
            429,
            message(
                "Rate limit exceeded: limit_rpm/x. High demand for x - limited to 20 requests per minute. Please retry shortly.",
            ),
            refused("requests", None),
        ),
        (
            429,
            json!({ "error": { "message": "Your account org-x request reached organization max RPM: 3, please try again after 1 seconds", "type": "rate_limit_reached_error" } }),
            refused("requests", Some(1000)),
        ),
        (
            429,
            json!({ "error": { "message": "Your account org-x request reached organization TPM rate limit, current: 32000, limit: 32000", "type": "rate_limit_reached_error" } }),
            refused("tokens", None),
        ),
        (
            429,
            json!({ "code": "Throttling.AllocationQuota", "message": "Allocated quota exceeded, please increase your quota limit." }),
            refused("tokens", None),
        ),
        (
            429,
            json!({ "code": "Throttling.BurstRate", "message": "Request rate increased too quickly." }),
            refused("acceleration", None),
        ),
        (
            200,
            json!({ "error": { "code": 1303, "message": "High frequency usage of this API" } }),
            refused("requests", None),
        ),
        (200, json!({ "base_resp": { "status_code": 1039, "status_msg": "token limit" } }), refused("tokens", None)),
        (
            200,
            json!({ "base_resp": { "status_code": 2045, "status_msg": "rate growth limit" } }),
            refused("acceleration", None),
        ),
        (
            429,
            json!({ "error": { "code": "RateLimitExceeded.EndpointTPMExceeded", "message": "The Tokens Per Minute (TPM) limit of the associated endpoint has been exceeded.", "type": "TooManyRequests" } }),
            refused("tokens", None),
        ),
        (
            429,
            json!({ "error": { "code": "RateLimitReached", "message": "Rate limit of 1 per 60s exceeded for UserByModelByMinute. Please wait 33 seconds before retrying." } }),
            refused("requests", Some(33_000)),
        ),
        (
            429,
            json!({ "error": { "code": "RateLimitReached", "message": "Rate limit of 8000 per 60s exceeded for UserByModelByMinuteOutputTokens. Please wait 7 seconds before retrying." } }),
            refused("tokens", Some(7000)),
        ),
        (
            429,
            json!({ "error": { "code": "RateLimitReached", "message": "Rate limit of 50 per 86400s exceeded for UserByModelByDay. Please wait 33000 seconds before retrying." } }),
            refused("day", Some(33_000_000)),
        ),
        (
            429,
            json!({ "error": { "code": 429, "message": "You have exhausted your capacity on this model. Your quota will reset after 0s.", "status": "RESOURCE_EXHAUSTED", "details": [{ "reason": "RATE_LIMIT_EXCEEDED", "metadata": { "quotaResetDelay": "579.276118ms" } }, { "retryDelay": "0.579276118s" }] } }),
            refused("unknown", Some(580)),
        ),
    ]);
}
