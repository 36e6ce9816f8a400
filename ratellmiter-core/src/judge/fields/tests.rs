use std::{
    collections::{BTreeMap, HashMap},
    error::Error,
    fmt,
    process::{Command, ExitStatus},
    time::Duration,
};

use super::*;
use crate::judge::{
    LimitKind, Verdict,
    error_chain::{by_chain, by_fields, by_text_and_fields},
};

/// Gives a type a text, and makes it an error.
macro_rules! error {
    ($name:ty, $text:literal) => {
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str($text)
            }
        }
        impl std::error::Error for $name {}
    };
}

mod no_signs;

fn verdict(error: &(impl Error + 'static)) -> Option<Verdict> {
    by_chain(error).map(|judged| judged.verdict)
}

#[allow(clippy::unnecessary_wraps)] // Compared with verdicts that may be missing.
const fn refused(seconds: u64, limit: LimitKind) -> Option<Verdict> {
    Some(Verdict::rate_limited().with_retry_after(Duration::from_secs(seconds)).with_limit(limit))
}

#[derive(Debug, Default, Clone)]
#[allow(dead_code)]
struct ApiError {
    status: u16,
    retry_after: Option<Duration>,
    headers: HashMap<&'static str, &'static str>,
    body: String,
}

error!(ApiError, "the model could not be asked");

#[derive(Debug)]
#[allow(dead_code)]
enum Named {
    TooManyRequests,
    RateLimited { retry_in: Duration },
    RateLimit(Duration),
    Response { kind: Kind, text: &'static str },
    RateLimitConfig(Duration),
    TooManyWords,
}

#[derive(Debug)]
enum Kind {
    RateLimited,
    NotFound,
}

error!(Named, "the model could not be asked");

#[test]
fn variant_or_kind_that_names_a_refusal_is_read() {
    let wait = Duration::from_secs(7);
    assert_eq!(verdict(&Named::TooManyRequests), Some(Verdict::rate_limited()));
    assert_eq!(verdict(&Named::RateLimited { retry_in: wait }), refused(7, LimitKind::Unknown));
    assert_eq!(verdict(&Named::RateLimit(wait)), refused(7, LimitKind::Unknown));
    assert_eq!(verdict(&Named::Response { kind: Kind::RateLimited, text: "" }), Some(Verdict::rate_limited()));
    assert_eq!(verdict(&Named::Response { kind: Kind::NotFound, text: "RateLimited" }), None);
    for status in ["status: TOO_MANY_REQUESTS", "last_error: Kind::RateLimited", "source: Overloaded"] {
        let fields = Fields::read(&format!("Failed {{ attempts: 3, {status} }}")).unwrap();
        assert!(fields.are_refusal_or_failure(), "{status}");
    }
    let google = r#"Error { code: 8, status: "RESOURCE_EXHAUSTED", message: "Please try again in 7s" }"#;
    let evidence = Fields::read(google).unwrap().evidence("").unwrap();
    assert_eq!(Some(judge(&evidence, SystemTime::now())), refused(7, LimitKind::Unknown));
    assert_eq!(verdict(&Named::RateLimitConfig(wait)), None);
    assert_eq!(verdict(&Named::TooManyWords), None);
}

#[test]
fn status_and_hint_in_fields_are_read() {
    let error = |status| ApiError { status, retry_after: Some(Duration::from_secs(7)), ..ApiError::default() };
    assert_eq!(verdict(&error(429)), refused(7, LimitKind::Unknown));
    let busy = Verdict::overloaded().with_retry_after(Duration::from_secs(7));
    assert_eq!(verdict(&error(503)), Some(busy));
    assert_eq!(verdict(&error(502)), Some(Verdict::transient().with_retry_after(Duration::from_secs(7))));
    assert_eq!(verdict(&error(400)), Some(Verdict::Failed));
    for no_status in [0, 3, 200, 399, 600, 1002, u16::MAX] {
        assert_eq!(verdict(&error(no_status)), None, "{no_status}");
    }
}

#[test]
fn headers_and_body_in_fields_complete_the_status() {
    let headers = HashMap::from([("Retry-After", "7"), ("x-request-id", "a\nb")]);
    let error = ApiError { status: 429, headers: headers.clone(), ..ApiError::default() };
    assert_eq!(verdict(&error), refused(7, LimitKind::Unknown));
    let lists = r#"Api { status: 429, headers: {"retry-after": ["7", "9"], "x": []} }"#;
    assert_eq!(Fields::read(lists).unwrap().evidence("").unwrap().headers["retry-after"], "7");
    let body = r#"{"error": {"type": "tokens", "message": "Please try again in 2s"}}"#;
    let error = ApiError { status: 429, body: body.to_owned(), ..ApiError::default() };
    assert_eq!(verdict(&error), refused(2, LimitKind::Tokens));
    let error = ApiError { headers, ..error };
    assert_eq!(verdict(&error), refused(7, LimitKind::Tokens), "the header outranks the body");
    let body = r#"{"error": {"code": "insufficient_quota"}}"#;
    let error = ApiError { status: 429, body: body.to_owned(), ..ApiError::default() };
    assert!(matches!(verdict(&error), Some(Verdict::QuotaExhausted { .. })));
    let body = "Rate limit reached for requests per minute".to_owned();
    assert_eq!(
        verdict(&ApiError { status: 429, body, ..ApiError::default() }),
        Some(Verdict::rate_limited().with_limit(LimitKind::Requests))
    );
}

#[test]
fn http_types_in_fields_are_read() {
    #[derive(Debug)]
    #[allow(dead_code)]
    struct Failed {
        status: Option<http::StatusCode>,
        headers: HeaderMap,
    }
    error!(Failed, "failed");
    let mut headers = HeaderMap::new();
    headers.insert("retry-after", HeaderValue::from_static("7"));
    let mut secret = HeaderValue::from_static("key");
    secret.set_sensitive(true);
    headers.insert("authorization", secret);
    let error = Failed { status: Some(http::StatusCode::TOO_MANY_REQUESTS), headers };
    assert_eq!(verdict(&error), refused(7, LimitKind::Unknown));
}

#[test]
fn names_of_fields_and_variants_decide() {
    #[derive(Debug)]
    #[allow(dead_code)]
    enum Shape {
        Http(u16),
        HttpError(i32, String),
        Api { code: i64, message: &'static str },
        BadStatus(http::StatusCode),
        Wrapped(Box<Self>),
        Failed { http_status_code: Option<u32> },
        Typed { kind: Box<Self>, retry_after_ms: u32 },
        // None of a response.
        TooLong(u16),
        ApiRate { limit: u16 },
        HttpPort(u16),
        Io { code: u16, message: &'static str },
        Exit { exit_status: u16 },
        Texts { status: &'static str, body: &'static str },
        Process(ExitStatus),
        OpenAiError { code: u16 },
        GeminiError(u16),
        PostgresError { code: u16 },
    }
    error!(Shape, "failed");
    let all_429 = [
        Shape::Http(429),
        Shape::HttpError(429, "slow down".into()),
        Shape::Api { code: 429, message: "slow down" },
        Shape::BadStatus(http::StatusCode::TOO_MANY_REQUESTS),
        Shape::Wrapped(Box::new(Shape::Http(429))),
        Shape::Failed { http_status_code: Some(429) },
        Shape::Texts { status: "429", body: "status: 500" },
        Shape::Texts { status: "429 Too Many Requests", body: "" },
        Shape::OpenAiError { code: 429 },
        Shape::GeminiError(429),
    ];
    for error in all_429 {
        assert_eq!(verdict(&error), Some(Verdict::RATE_LIMITED), "{error:?}");
    }
    let typed = Shape::Typed { kind: Box::new(Shape::Http(429)), retry_after_ms: 1500 };
    assert_eq!(verdict(&typed), Some(Verdict::rate_limited().with_retry_after(Duration::from_millis(1500))));
    let others = [
        Shape::TooLong(429),
        Shape::ApiRate { limit: 429 },
        Shape::HttpPort(443),
        Shape::Io { code: 487, message: "no" },
        Shape::Exit { exit_status: 429 },
        Shape::Wrapped(Box::new(Shape::TooLong(500))),
        Shape::Texts { status: "rate", body: "Api { status: 429 }" },
        Shape::Texts { status: "4290 items", body: "" },
        Shape::PostgresError { code: 500 },
    ];
    for error in others {
        assert_eq!(verdict(&error), None, "{error:?}");
    }
    if let Ok(status) = Command::new("sh").args(["-c", "exit 2"]).status() {
        assert_eq!(verdict(&Shape::Process(status)), None, "{status:?}");
    }
}

#[test]
fn hints_in_fields_have_units() {
    let hint =
        |fields: &str| Fields::read(&format!("Api {{ status: 429, {fields} }}")).unwrap().evidence("").unwrap().hint;
    let cases = [
        ("retry_after: 3", 3000),
        ("retry_after: Some(2.5)", 2500),
        ("retry_after_secs: 3", 3000),
        ("retry_after_ms: 3", 3),
        ("retry_after_millis: Some(3)", 3),
        ("retry_after: 1.5s", 1500),
        ("retry_after: 250ms", 250),
        ("info: Info { retryAfter: 4 }", 4000),
        ("wait: 5s", 5000),
        ("wait: Some(1.5s)", 1500),
        ("wait_secs: 5", 5000),
        ("backoff_ms: \"250\"", 250),
        ("cooldown: Cooldown(2s)", 2000),
        ("delay_before_next: 4s", 4000),
        ("reset_in: 9s", 9000),
        ("retry_after_minutes: 2", 120_000),
        ("retry_after_ms: \"1500\"", 1500),
        ("retry_after: \"5s\"", 5000),
    ];
    for (fields, millis) in cases {
        assert_eq!(hint(fields), Some(Duration::from_millis(millis)), "{fields}");
    }
    for fields in
        ["retry_after: None", "retry_after: -1", "retry_after: 1e300", "retry_after: 3x", "after: 3", "retry: 3"]
    {
        assert_eq!(hint(fields), None, "{fields}");
    }
    // Settings, times that have passed, and numbers without a unit.
    for fields in [
        "max_retry_delay: 60s",
        "retry_delay_multiplier: 2.0",
        "elapsed_wait: 3s",
        "timeout: 30s",
        "took: 3s",
        "wait: 5",
        "wait: Long",
        "waited: 5s",
        "total_backoff: 9s",
    ] {
        assert_eq!(hint(fields), None, "{fields}");
    }
}

#[test]
fn text_of_an_error_outranks_its_fields() {
    let complete = |text: &str, fields: &str| {
        let evidence = crate::judge::text::evidence(text).unwrap();
        judge(&Fields::read(fields).unwrap().complete(evidence), SystemTime::now())
    };
    let hint = "RateLimited { retry_after: Some(7s) }";
    assert_eq!(Some(complete("429 Too Many Requests", hint)), refused(7, LimitKind::Unknown));
    let other = "Api { status: 503, retry_after: 7s }";
    assert_eq!(complete("429 Too Many Requests", other), Verdict::RATE_LIMITED, "another response");
    let body =
        r#"it failed: {"error": {"code": "x", "message": "Limit of tokens per minute. Please try again in 2s"}}"#;
    assert_eq!(complete(body, "Api { x: 1 }"), Verdict::Failed, "no status");
    assert_eq!(Some(complete(body, "Api { status: 429 }")), refused(2, LimitKind::Tokens));
}

#[test]
fn error_of_a_chain_that_owns_the_status_is_judged() {
    #[derive(Debug)]
    struct Outer(ApiError, #[allow(dead_code)] BTreeMap<u8, u8>);
    impl fmt::Display for Outer {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("the quota of the disk is exceeded")
        }
    }
    impl Error for Outer {
        fn source(&self) -> Option<&(dyn Error + 'static)> {
            Some(&self.0)
        }
    }
    let inner = ApiError { status: 429, retry_after: Some(Duration::from_secs(7)), ..ApiError::default() };
    assert_eq!(verdict(&Outer(inner.clone(), BTreeMap::new())), refused(7, LimitKind::Unknown));
    let boxed: Box<dyn Error> = inner.into();
    assert_eq!(by_chain(&*boxed).map(|judged| judged.verdict), refused(7, LimitKind::Unknown));
}

#[test]
fn two_statuses_at_one_depth_are_no_evidence() {
    assert_eq!(Fields::read("Two { a_status: 429, b_status: 500 }"), None);
    let status = |text| Fields::read(text).unwrap().status.map(|(status, _)| status);
    assert_eq!(status("Two { a_status: 429, b_status: 429 }"), Some(429));
    assert_eq!(status("Two { a: A { status: 500 }, status: 429 }"), Some(429), "the outer one");
}

#[test]
fn errors_without_text_or_chain_are_read() {
    #[derive(Debug)]
    #[allow(dead_code)]
    enum Plain<'a> {
        Http { status: u16, body: &'a str },
    }
    let plain = Plain::Http { status: 429, body: "slow down" };
    assert_eq!(by_fields(&plain).map(|judged| judged.verdict), Some(Verdict::RATE_LIMITED));
    assert_eq!(by_fields("429"), None);
    assert_eq!(by_text_and_fields(&ApiError { status: 429, ..ApiError::default() }).unwrap().status, Some(429));
}

#[test]
fn known_code_beside_a_message_is_a_refusal() {
    // The error of a client that drops the status, as async-openai 0.31 does.
    #[derive(Debug, Default)]
    #[allow(dead_code)]
    struct Body {
        message: String,
        r#type: Option<String>,
        code: Option<String>,
    }
    error!(Body, "no answer");
    let error = |code: &str| Body { message: "Please try again in 20s.".into(), code: Some(code.into()), r#type: None };
    assert_eq!(verdict(&error("rate_limit_exceeded")), refused(20, LimitKind::Unknown));
    assert!(matches!(verdict(&error("insufficient_quota")), Some(Verdict::QuotaExhausted { .. })));
    assert_eq!(verdict(&error("context_length_exceeded")), None);
    assert_eq!(verdict(&Body { code: None, ..error("") }), None, "the message alone");
    let code_alone = r#"Body { code: Some("rate_limit_exceeded") }"#;
    assert!(!Fields::read(code_alone).unwrap().are_refusal_or_failure());
    let with_status = r#"Api { status: 429, error: Body { type: "tokens", message: "Please try again in 2s" } }"#;
    let evidence = Fields::read(with_status).unwrap().evidence("").unwrap();
    assert_eq!(Some(judge(&evidence, SystemTime::now())), refused(2, LimitKind::Tokens));
}
