//! Forms in which people, clients and formats of `Debug` write a status.

mod refused;
mod unknown;

use self::{refused::REFUSED, unknown::UNKNOWN};
use super::*;
use crate::judge::{classification::Judged, error_chain::by_text};

fn summary(text: &str) -> &'static str {
    match by_text(text).and_then(Judged::known_verdict) {
        Some(Verdict::RateLimited { .. }) => "refused",
        Some(Verdict::Overloaded { .. }) => "overloaded",
        Some(Verdict::QuotaExhausted { .. }) => "exhausted",
        Some(Verdict::Transient { .. }) => "transient",
        Some(Verdict::Failed) => "failed",
        Some(Verdict::Success) => "success",
        None => "unknown",
    }
}

fn check(expected: &str, texts: &[&str]) {
    let wrong: Vec<_> =
        texts.iter().filter(|text| summary(text) != expected).map(|text| (summary(text), text)).collect();
    assert!(wrong.is_empty(), "{} of {} are not {expected}: {wrong:#?}", wrong.len(), texts.len());
}

#[test]
fn status_is_found_in_all_forms() {
    check("refused", REFUSED);
}

#[test]
fn other_statuses_have_their_own_verdict() {
    check(
        "overloaded",
        &[
            "503 Service Unavailable",
            "503 Service Temporarily Unavailable",
            "HTTP 529",
            "Anthropic API error 529 <unknown status code>: Overloaded",
            "overloaded (529): try later",
            "the server answered 529 <unknown status code>",
            "status: 503",
            "Service Unavailable",
            "Overloaded { retry_after: None }",
            "{\"error\":{\"type\":\"api_error\",\"message\":\"The model is overloaded.\"}}",
            "request failed: service unavailable.",
        ],
    );
    check(
        "transient",
        &[
            "500 Internal Server Error",
            "HTTP 502",
            "502 Bad Gateway",
            "504 Gateway Time-out",
            "upstream error (502 Bad Gateway)",
            "HTTP 408 Request Timeout",
            "Cloudflare returned 522",
            "server error 500",
            "Bad Gateway",
            "API 500: internal",
            "{\"type\":\"error\",\"error\":{\"type\":\"api_error\",\"message\":\"Internal server error\"}}",
            "openai stream: {\"error\":{\"message\":\"x\",\"type\":\"server_error\",\"code\":\"server_error\"}}",
            "OpenAI: Internal Server Error",
            "502: All models failed: status code: 429 Too Many Requests: {\"error\":{\"code\":\"1308\",\"message\":\"x\"}}",
        ],
    );
    check(
        "exhausted",
        &[
            "openai: You exceeded your current quota, please check your plan and billing details.",
            "You exceeded your current quota, please check your plan and billing details.",
            "OpenRouter: Insufficient credits. Add more credits to continue.",
        ],
    );
    check(
        "failed",
        &[
            "400 Bad Request",
            "HTTP 401 Unauthorized: 429",
            "status 404 Not Found",
            "API error 403: {\"error\":{\"message\":\"the page said HTTP 429\"}}",
            "status code 400 Bad Request: the page said 429 Too Many Requests",
            "400 Bad Request: {\"error\":{\"message\":\"invalid value: 'HTTP 429 rate_limit_exceeded'\"}}",
            "error code: 524",
            "HTTP 422: expected 429 items",
            "status code 413 Payload Too Large: 503 pages",
        ],
    );
}

#[test]
fn numbers_and_quotations_are_no_statuses() {
    check("unknown", UNKNOWN);
}
