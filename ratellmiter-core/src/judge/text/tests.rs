use std::time::SystemTime;

use proptest::prelude::*;

use super::*;
use crate::{LimitKind, Verdict, classify::judge};

fn judged(text: &str) -> Option<Verdict> {
    evidence(text).map(|evidence| judge(&evidence, SystemTime::now()))
}

#[test]
fn texts_of_known_clients_are_recognised() {
    for text in [
        "429 Too Many Requests",
        "HTTP status client error (429 Too Many Requests) for url (http://127.0.0.1/)",
        "http error: HTTP status client error (429 Too Many Requests) for url (http://127.0.0.1/)",
        "Request failed with status code '429 Too Many Requests'. Response body:\nslow down",
        "OpenAI API returned error status: 429 Too Many Requests",
        "APIError: 429 Too Many Requests: {\"error\": {\"message\": \"x\"}}",
        "ThrottlingException: Too many requests",
        "{\"type\":\"error\",\"error\":{\"type\":\"rate_limit_error\",\"message\":\"x\"}}",
    ] {
        assert!(matches!(judged(text), Some(Verdict::RateLimited { .. })), "{text}: {:?}", judged(text));
    }
    let busy = "server busy, please try again.  maximum pending requests exceeded";
    assert_eq!(judged(busy), Some(Verdict::Overloaded { retry_after: None }));
    let exhausted = r#"429 Too Many Requests: {"error": {"code": "insufficient_quota", "message": ""}}"#;
    assert_eq!(judged(exhausted), Some(Verdict::QuotaExhausted { resumes_at: None, limit: LimitKind::Billing }));
}

#[test]
fn quoted_refusals_are_ignored() {
    for text in [
        "Invalid value 'x': the page said HTTP 429, try again later",
        "slow down",
        "expected 429 items",
        "4290 is no status: 42900",
        "{\"answer\": \"rate_limit_error\"}",
        "could not read 429 bytes",
        "",
    ] {
        assert_eq!(judged(text), None, "{text}");
    }
    assert_eq!(judged("status code 400 Bad Request: the page said 429 Too Many Requests"), Some(Verdict::Failed));
}

proptest! {
    #[test]
    fn any_text_is_read_without_panic(text in ".{0,300}") {
        judged(&text);
        judged(&format!("status: {text}"));
    }
}
