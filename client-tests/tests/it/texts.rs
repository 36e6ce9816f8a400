//! The texts of the `aisdk`, `anthropic-ai-sdk`, `clust`, `isahc`, `langchain-rust`, `mistralai-client`, `openrouter-rs` and `swiftide`
//! clients, and of other versions of those with a feature. These crates need another compiler, another TLS library or other versions
//! of their dependencies than the workspace, or many more of them.

use std::time::Duration;

use ratellmiter_core::{LimitKind, Verdict, classify::judge_error, ratellmiter};

fn judged(text: &str) -> Option<Verdict> {
    judge_error(&std::io::Error::other(text.to_owned()))
}

/// The text of a client for a status, its reason and a body, as in the source of the version.
type Form = fn(&str, &str, &str) -> String;

const FORMS: &[(&str, Form)] = &[
    ("aisdk 0.5", |status, _, body| format!("API error: Some({status}) - {body}")),
    ("clust 0.9", |status, reason, body| format!("API error: ({status} {reason}) unknown_error: {body}")),
    ("mistralai-client 0.14", |status, reason, body| format!("ApiError: {status} {reason}: {body}")),
    ("openrouter-rs 0.23", |status, reason, body| format!("API error {status} {reason} (api_code={status}): {body}")),
    ("openrouter-rs 0.23", |status, reason, body| format!("API error {status} {reason}: {body} [request_id=x]")),
    ("rig-core 0.46", |status, reason, body| format!("ProviderResponseError: status {status} {reason}: {body}")),
    ("swiftide 0.33", |status, reason, body| format!("Transient error: {status} {reason}: {body}")),
    ("async-openai 0.43", |status, reason, body| format!("{status} {reason}: {body}")),
];

/// Bodies with the verdict on them, with a status.
fn cases() -> Vec<(&'static str, &'static str, &'static str, Verdict)> {
    let hint = Duration::from_secs(20);
    let minute = Verdict::RateLimited { retry_after: Some(hint), limit: LimitKind::Requests };
    let openai = r#"{"error": {"message": "Rate limit reached on requests per min (RPM): Limit 3. Please try again in 20s.", "type": "requests", "code": "rate_limit_exceeded"}}"#;
    let quota = r#"{"error": {"message": "You exceeded your current quota", "type": "insufficient_quota", "code": "insufficient_quota"}}"#;
    let overloaded = r#"{"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}"#;
    let invalid =
        r#"{"type": "error", "error": {"type": "invalid_request_error", "message": "the page said HTTP 429"}}"#;
    vec![
        ("429", "Too Many Requests", openai, minute),
        ("429", "Too Many Requests", "slow down", Verdict::RATE_LIMITED),
        ("429", "Too Many Requests", quota, Verdict::QuotaExhausted { resumes_at: None, limit: LimitKind::Billing }),
        ("529", "<unknown status code>", overloaded, Verdict::overloaded()),
        ("503", "Service Unavailable", "sorry", Verdict::overloaded()),
        ("502", "Bad Gateway", "<html>", Verdict::transient()),
        ("400", "Bad Request", invalid, Verdict::Failed),
        ("404", "Not Found", "HTTP 429 Too Many Requests", Verdict::Failed),
    ]
}

#[test]
fn status_and_body_in_a_text_are_understood() {
    let mut wrong = Vec::new();
    for (client, form) in FORMS {
        for (status, reason, body, verdict) in cases() {
            let text = form(status, reason, body);
            let found = judged(&text);
            if found != Some(verdict) {
                wrong.push(format!("{client}: {text}\n    {found:?}, not {verdict:?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
}

/// The clients that drop the status.
#[test]
fn codes_and_words_without_a_status_are_understood() {
    let limited =
        |seconds| Verdict::RateLimited { retry_after: Some(Duration::from_secs(seconds)), limit: LimitKind::Requests };
    let anthropic = |kind, message| format!(r#"{{"type":"error","error":{{"type":"{kind}","message":"{message}"}}}}"#);
    let cases = [
        ("anthropic-ai-sdk 0.2", format!("API error: {}", anthropic("rate_limit_error", "x")), Verdict::RATE_LIMITED),
        ("anthropic-ai-sdk 0.2", format!("API error: {}", anthropic("overloaded_error", "x")), Verdict::overloaded()),
        (
            "async-openai 0.31",
            "requests: Rate limit reached for requests per min. Please try again in 20s. (code: rate_limit_exceeded)"
                .into(),
            limited(20),
        ),
        ("langchain-rust 7", "Anthropic API error: Rate limit exceeded - slow down".into(), Verdict::RATE_LIMITED),
        ("langchain-rust 7", "Anthropic API error: Overloaded - sorry".into(), Verdict::overloaded()),
        ("langchain-rust 7", "Deepseek API error: Rate Limit Reached - slow down".into(), Verdict::RATE_LIMITED),
        ("langchain-rust 7", "Deepseek API error: Server Overloaded - sorry".into(), Verdict::overloaded()),
        ("langchain-rust 7", "Qwen API error: Rate limit exceeded - slow down".into(), Verdict::RATE_LIMITED),
    ];
    let mut wrong = Vec::new();
    for (client, text, verdict) in cases {
        let found = judged(&text);
        if found != Some(verdict) {
            wrong.push(format!("{client}: {text}\n    {found:?}, not {verdict:?}"));
        }
    }
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
    for text in [
        "Anthropic API error: Invalid request - Rate limit exceeded",
        "Anthropic API error: Authentication failed - Overloaded",
        "Error: the answer was about a rate limit",
        r#"API error: {"type":"error","error":{"type":"invalid_request_error","message":"the page said 429"}}"#,
    ] {
        assert!(!judged(text).is_some_and(Verdict::is_retryable), "{text}");
    }
}

/// A body of another type than the library knows, as `isahc` has it.
struct Body;

#[tokio::test(start_paused = true)]
async fn response_of_any_client_with_types_of_http_is_understood() {
    #[ratellmiter(limiter = limiter)]
    async fn ask(
        limiter: &ratellmiter_core::Limiter,
        statuses: &mut Vec<u16>,
    ) -> Result<http::Response<Body>, std::io::Error> {
        let response = http::Response::builder().status(statuses.pop().unwrap()).header("retry-after", "7");
        Ok(response.body(Body).unwrap())
    }
    let start = tokio::time::Instant::now();
    let mut statuses = vec![200, 429];
    assert!(ask(&crate::every_refusal::limiter(), &mut statuses).await.is_ok());
    assert_eq!((statuses.len(), start.elapsed().as_secs()), (0, 7));
}
