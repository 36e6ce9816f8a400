use std::{cell::Cell, fmt, time::SystemTime};

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
fn exceptions_of_aws_are_recognised_at_the_start_of_a_part() {
    for (text, verdict) in [
        ("ThrottlingException", Verdict::rate_limited()),
        ("no answer: service error: ThrottlingException: Rate exceeded", Verdict::rate_limited()),
        ("service error: unhandled error (ThrottlingException): Error { code: .. }", Verdict::rate_limited()),
        ("An error occurred (ModelNotReadyException) when calling Converse: not ready", Verdict::overloaded()),
        ("ServiceUnavailableException: the service is busy", Verdict::overloaded()),
        ("ValidationException: the page said ThrottlingException: slow down", Verdict::Failed),
        ("ResourceNotFoundException: no model (ThrottlingException)", Verdict::Failed),
    ] {
        assert_eq!(judged(text), Some(verdict), "{text}");
    }
    for text in [
        "the page said ThrottlingException",
        "SomethingException: the service said (ThrottlingException)",
        "invalid value 'x: ThrottlingException'",
        "java.lang.NullPointerException: null",
    ] {
        assert_eq!(judged(text), None, "{text}");
    }
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

#[test]
fn text_of_a_rejection_is_a_failure() {
    use crate::{
        judge::{classification::Judged, error_chain::by_text},
        limits::request::{RejectReason, Rejected},
    };

    let seconds = std::time::Duration::from_secs;
    let resumes_at = Some(SystemTime::UNIX_EPOCH);
    let cases = [
        (RejectReason::MaxWait, Some(seconds(429)), None),
        (RejectReason::MaxQueue, None, None),
        (RejectReason::Deadline, Some(seconds(429)), None),
        (RejectReason::QuotaExhausted, None, resumes_at),
        (RejectReason::QuotaExhausted, None, None),
        (RejectReason::Unavailable, None, None),
    ];
    for (reason, allowed_wait, resumes_at) in cases {
        let rejected =
            Rejected { reason, waited: seconds(429), allowed_wait, estimated_wait: seconds(503), resumes_at };
        for text in [rejected.to_string(), format!("api error: {rejected}"), format!("status: {rejected}. Sorry")] {
            assert_eq!(by_text(&text), Some(Judged::REJECTED), "{text}");
        }
    }
    assert_eq!(by_text("rejected: the queue is full"), None, "the text of a server");
}

#[test]
fn rejection_reported_by_a_server_is_a_refusal() {
    use crate::judge::error_chain::by_text;

    let text = "429 Too Many Requests: rejected: the queue is full; estimated further wait 3.0 s";
    assert!(matches!(by_text(text).unwrap().verdict, Verdict::RateLimited { .. }));
}

/// An error whose text never ends, and that counts the parts which are written.
struct Endless<'a> {
    start: &'a str,
    part: &'a str,
    written: Cell<usize>,
}

impl fmt::Display for Endless<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.start)?;
        loop {
            self.written.set(self.written.get() + self.part.len());
            f.write_str(self.part)?;
        }
    }
}

#[test]
fn endless_text_is_read_up_to_a_bound() {
    use crate::judge::error_chain::by_text;

    let status = "HTTP 429: ";
    for (start, part) in [
        (status, "x"),
        (status, "{"),
        (status, "{\"a\":"),
        (status, "{\\\"a\\\":\""),
        (status, "'"),
        (status, "://"),
        (status, "<a>"),
        (status, "429 "),
        (status, "retry after "),
        (status, "wörter "),
        (status, "{\"error\":{\"code\":\"slow_down\",\"message\":\"x"),
    ] {
        let error = Endless { start, part, written: Cell::new(0) };
        assert!(matches!(by_text(&error).unwrap().verdict, Verdict::RateLimited { .. }), "{part}");
        assert!(error.written.get() <= (64 << 10) + part.len(), "{part}: {}", error.written.get());
    }
    let unknown = Endless { start: "", part: "429 pages, ", written: Cell::new(0) };
    assert_eq!(by_text(&unknown), None);
}

proptest! {
    #[test]
    fn any_text_is_read_without_panic(text in ".{0,300}") {
        judged(&text);
        judged(&format!("status: {text}"));
        judged(&format!("HTTP 429: {{{text}"));
        judged(&format!("Error {{ status: 429, body: {text:?} }}"));
    }
}

mod clients;
mod forms;
mod table;
