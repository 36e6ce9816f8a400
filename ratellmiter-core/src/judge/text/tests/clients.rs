//! The texts of clients, by their sources in November 2026.

use std::time::Duration;

use super::*;

const OPENAI: &str = r#"{"error":{"message":"Rate limit reached for gpt-4o on requests per min (RPM): Limit 60, Used 60, Requested 1. Please try again in 750ms.","type":"requests","code":"rate_limit_exceeded"}}"#;

#[test]
fn texts_of_clients_with_a_body_have_its_limit_and_hint() {
    let refused = Verdict::RateLimited { retry_after: Some(Duration::from_millis(750)), limit: LimitKind::Requests };
    for form in [
        "ProviderResponseError: status 429 Too Many Requests: {}", // rig-core 0.46
        "Transient error: 429 Too Many Requests: {}",              // swiftide 0.33
        "the HTTP transport reports a [429] error: {}",            // google-cloud-gax
        "API error 429 Too Many Requests (api_code=429): {}",      // openrouter-rs 0.23
        "bad response from server; code 429; description: {}",     // gemini-rust 2.1
        "API error: Some(429) - {}",                               // aisdk 0.5
        "Anthropic error: rate limit (429): {}",                   // misanthropic 1.0-alpha
        "ApiError: {}: 429 Too Many Requests",                     // mistralai-client 0.14
        "Request failed with status code '429 Too Many Requests'. Response body:\n{}", // genai
        "{}",                                                      // ollama-rs 0.3
    ] {
        let text = form.replacen("{}", OPENAI, 1);
        assert_eq!(judged(&text), Some(refused), "{text}");
    }
    // async-openai up to 0.31.
    let text = "requests: Rate limit reached for gpt-4o in organization org-x on requests per min. Limit: 3 / min. Please try again in 20s. (code: rate_limit_exceeded)";
    let refused = Verdict::RateLimited { retry_after: Some(Duration::from_secs(20)), limit: LimitKind::Requests };
    assert_eq!(judged(text), Some(refused));
    let text = "tokens: Request too large for gpt-4o on tokens per min (TPM): Limit 30000, Requested 342389. (code: rate_limit_exceeded)";
    assert_eq!(judged(text), Some(Verdict::Failed));
    let text = "insufficient_quota: You exceeded your current quota, please check your plan and billing details. (code: insufficient_quota)";
    assert_eq!(judged(text), Some(Verdict::QuotaExhausted { resumes_at: None, limit: LimitKind::Billing }));
}

#[test]
fn texts_of_clients_without_a_status_are_judged_by_their_codes() {
    for text in [
        "Anthropic API error: Rate limit exceeded - Number of requests has exceeded your limit", // langchain-rust 7.0
        "the service reports an error with code RESOURCE_EXHAUSTED described as: Quota exceeded", // google-cloud-gax
        "code: 'Some resource has been exhausted', message: \"quota\"",                          // tonic 0.14
        "status: 'Some resource has been exhausted', self: \"quota\"",
        "Status { code: ResourceExhausted, message: \"quota\" }",
        "status: ResourceExhausted, message: \"quota\", details: []",
        "unhandled error (ThrottlingException)", // AWS
        "service error: unhandled error (ThrottlingException)",
        "ThrottlingException: Too many requests",
        "asking the model: ThrottlingException: Too many requests",
        "ServiceError(ServiceError { source: ThrottlingException(ThrottlingException { message: None }) })",
        "stream failed: Error (rate_limit_error): slow down", // async-anthropic 0.6
        "RESOURCE_EXHAUSTED: quota",
        "RateLimitError: slow down",
        "openai.RateLimitError: slow down",
        "error type: rate_limit_error",
        "Rate limit reached for gpt-4o. Please try again in 20s.",
    ] {
        assert!(matches!(judged(text), Some(Verdict::RateLimited { .. })), "{text}: {:?}", judged(text));
    }
    for text in [
        "Anthropic API error: Overloaded - try again", // langchain-rust
        "stream failed: Error (overloaded_error): Overloaded",
        "code: 'The service is currently unavailable', message: \"x\"",
        "Anthropic error: overloaded (529): Overloaded",
        "ServiceUnavailableException: too many connections",
        "ModelNotReadyException: wait",
        "server busy, please try again.  maximum pending requests exceeded",
        "Ollama error: server busy, please try again.",
        "the model is overloaded",
    ] {
        assert!(matches!(judged(text), Some(Verdict::Overloaded { .. })), "{text}: {:?}", judged(text));
    }
    for text in [
        "you've reached your hourly usage limit, please upgrade to continue", // Ollama Cloud
        "{\"error\":\"you've reached your weekly usage limit\"}",
        "Error in the API: you've reached your hourly usage limit",
        "ServiceQuotaExceededException: quota",
        "error code: insufficient_quota",
    ] {
        assert!(matches!(judged(text), Some(Verdict::QuotaExhausted { .. })), "{text}: {:?}", judged(text));
    }
}

#[test]
fn text_of_our_own_error_keeps_body_and_hint() {
    for text in [
        format!("the server answered 429 Too Many Requests: {OPENAI}"),
        format!("asking the model: the server answered 429 Too Many Requests\n{OPENAI}"),
        format!("the server answered 429 Too Many Requests (body: {OPENAI})"),
    ] {
        let refused =
            Verdict::RateLimited { retry_after: Some(Duration::from_millis(750)), limit: LimitKind::Requests };
        assert_eq!(judged(&text), Some(refused), "{text}");
    }
    for hinted in [
        "the server answered 429 Too Many Requests, retry after 7 seconds",
        "Retry after 7 s: the server answered 429 Too Many Requests",
        "the server answered 429 Too Many Requests (retry-after: 7)",
        "the server answered 429 Too Many Requests (retry-after: 7): {\"error\":{\"message\":\"x\"}}",
        "ApiError { status: 429, retry_after: Some(7s) }",
        "ApiError { status: 429, retry_after: Some(7), body: \"{\\\"error\\\":{}}\" }",
        "status=429 retry_after_ms=7000",
        "HTTP/1.1 429 Too Many Requests\r\nRetry-After: 7\r\n\r\nslow down",
    ] {
        assert_eq!(judged(hinted).and_then(Verdict::retry_after), Some(Duration::from_secs(7)), "{hinted}");
    }
    assert_eq!(judged("the server answered 401 Unauthorized"), Some(Verdict::Failed));
}

#[test]
fn structures_in_the_format_of_debug_are_read_as_bodies() {
    let api = r#"ApiError { message: "You exceeded your current quota", r#type: Some("insufficient_quota"), param: None, code: Some("insufficient_quota") }"#;
    let value: Value = serde_json::from_str(OPENAI).unwrap();
    let exhausted = Verdict::QuotaExhausted { resumes_at: None, limit: LimitKind::Billing };
    for text in [
        api.to_owned(),
        format!("ApiError({api})"),
        format!("OpenAI error: {api}"),
        format!("HTTP 429: {api}"),
        format!("HTTP 429 Too Many Requests\n{api}"),
        format!("Api(429, ErrorResponse {{ error: {api} }})"),
        format!("Error {{ status: 429, error: api::Wrapper({api}) }}"),
        "Error code: 429 - {'error': {'message': 'x', 'type': 'insufficient_quota', 'param': None, 'code': 'insufficient_quota'}}".to_owned(),
        "ApiError {\n    status: 429,\n    code: Some(\n        \"insufficient_quota\",\n    ),\n    message: \"x\",\n}".to_owned(),
    ] {
        assert_eq!(judged(&text), Some(exhausted), "{text}");
    }
    let refused = Verdict::RateLimited { retry_after: Some(Duration::from_millis(750)), limit: LimitKind::Requests };
    for text in
        [format!("API error 429 Too Many Requests: {value:?}"), format!("{value:#?}"), format!("Err({value:?})")]
    {
        assert_eq!(judged(&text), Some(refused), "{text}");
    }
    for text in [
        "Point { x: 429, y: 500 }",
        "Page { text: \"HTTP 429\" }",
        "Job { kind: Billing, id: 429 }",
        "{",
        "{{",
        "{ x: (",
        "{ x: \"\\u{",
    ] {
        assert_eq!(judged(text), None, "{text}");
    }
}
