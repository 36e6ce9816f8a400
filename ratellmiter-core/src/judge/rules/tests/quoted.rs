//! Bodies that only look like refusals, and codes without a body.

use super::{
    variants::{BILLING, FAILED, OVERLOADED, SUCCESS, TRANSIENT, check_cases, message, refused},
    *,
};

#[test]
fn quoted_refusals_and_answers_are_no_refusals() {
    let answer = |content: &str| json!({ "choices": [{ "message": { "content": content } }], "error": null });
    check_cases(&[
        (200, answer(r#"{"error": {"code": "insufficient_quota"}}"#), SUCCESS),
        (200, json!({ "choices": [{ "message": { "content": "x" } }], "error": "", "errors": [] }), SUCCESS),
        (200, json!({ "data": { "x": 1 }, "errors": [{ "message": "deprecated field" }] }), SUCCESS),
        (200, json!({ "result": { "response": "hi" }, "success": true, "errors": [], "messages": [] }), SUCCESS),
        (200, json!({ "base_resp": { "status_code": 0, "status_msg": "rate limit" }, "reply": "x" }), SUCCESS),
        (200, json!({ "type": "message", "code": 1302, "content": "High concurrency" }), SUCCESS),
        (200, json!({ "usage": { "limit": 30000, "requested": 40000 }, "retry_after": 5 }), SUCCESS),
        (200, json!({ "code": 200, "success": true, "msg": "ok" }), SUCCESS),
        (400, message(r#"Invalid value: the tool returned {"error":{"code":"insufficient_quota"}}"#), FAILED),
        (400, message("Invalid value: 'model busy, the server is overloaded'"), FAILED),
        (404, message("余额不足 is no model"), FAILED),
        (422, message("the text said: usage limit reached for 5 hour"), FAILED),
        (401, json!({ "error": { "code": "1002", "message": "Authorization Token非法" } }), FAILED),
        (502, message(r#"All providers failed: 429 {"error":{"code":"1113","message":"余额不足"}}"#), TRANSIENT),
        (500, message("upstream said: insufficient credits, used all available credits"), TRANSIENT),
        (504, json!("<html>504 Gateway Time-out, please retry in 30 seconds</html>"), TRANSIENT),
        (524, json!("error code: 524"), FAILED),
        (200, json!({ "error": { "code": 502, "message": "Provider returned error" }, "choices": [] }), TRANSIENT),
    ]);
}

#[test]
fn error_among_the_events_of_a_body_is_found_in_any_form() {
    let quota = r#"{"error": {"code": "insufficient_quota"}}"#;
    let split = r#"data: {"error":"#.to_owned() + "\ndata: {\"code\": \"insufficient_quota\"}}";
    let event = format!("data: {quota}");
    for (status, text, expected) in [
        (429, format!("\u{feff}{quota}"), BILLING),
        (429, format!("\u{feff}{event}\n\n"), BILLING),
        (429, format!("retry: 3000\n\n{event}\n\n"), BILLING),
        (429, format!("id: 1\r\n{event}\r\n\r\n"), BILLING),
        (429, format!("{}{event}\n\n", ": waiting\n\n".repeat(50)), BILLING),
        (429, format!("event: error\r{event}\r\r"), BILLING),
        (429, format!("{split}\n\n"), BILLING),
        (200, format!("event: ping\ndata: {{}}\n\n{event}\n\n"), BILLING),
        (200, "event: error\ndata: {\"code\": \"rate_limit_exceeded\"}\n\n".to_owned(), refused("unknown", None)),
        (200, "data: {\"choices\": []}\n\ndata: [DONE]\n\n".to_owned(), SUCCESS),
        (200, format!("For example:\n\n{event}\n\n"), SUCCESS),
    ] {
        check_cases(&[(status, json!(text), expected)]);
    }
}

#[test]
fn codes_of_clients_are_judged_without_a_body() {
    for (code, expected) in [
        ("1302", refused("concurrency", None)),
        ("engine_overloaded_error", OVERLOADED),
        ("exceeded_current_quota_error", BILLING),
        ("invalid_request_error", FAILED),
    ] {
        let found = summary(judge(&Evidence::new().code(code), vectors(OUTCOMES).1));
        assert_eq!(found, json!([expected.0, expected.1, expected.2]), "{code}");
    }
    assert_eq!(judge(&Evidence::new().failed_connection(), vectors(OUTCOMES).1), Verdict::transient());
}
