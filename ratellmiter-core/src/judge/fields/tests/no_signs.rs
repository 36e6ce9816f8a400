//! Structures and numbers that are no refusals, although parts of them look like one.

use super::*;

#[derive(Debug)]
#[allow(dead_code)]
enum Odd {
    Expected { status: u16 },
    Mismatch { expected_status: u16 },
    Compared { expected: Answer },
    Settings { retryable_status: u16, allowed_statuses: Vec<u16> },
    Os { code: u16, kind: &'static str },
    Code(u16),
    RateLimit(Names),
    Elapsed { status: u16, request: Request },
    HTTPError(u16),
    APIError { code: u16 },
    Unexpected(UnexpectedStatus),
}

#[derive(Debug)]
#[allow(dead_code)]
struct Answer {
    status: u16,
}

#[derive(Debug)]
enum Names {
    Requests,
}

#[derive(Debug)]
#[allow(dead_code)]
struct Request {
    method: &'static str,
    headers: HashMap<&'static str, &'static str>,
    body: &'static str,
}

#[derive(Debug)]
#[allow(dead_code)]
struct UnexpectedStatus(u16);

error!(Odd, "the model could not be asked");

#[test]
fn statuses_that_are_conditions_or_numbers_of_systems_are_no_evidence() {
    let others = [
        Odd::Expected { status: 429 },
        Odd::Mismatch { expected_status: 429 },
        Odd::Compared { expected: Answer { status: 429 } },
        Odd::Settings { retryable_status: 429, allowed_statuses: vec![429] },
        Odd::Os { code: 500, kind: "Other" },
        Odd::Code(429),
        Odd::RateLimit(Names::Requests),
    ];
    for error in others {
        assert_eq!(verdict(&error), None, "{error:?}");
    }
    let responses = [Odd::HTTPError(429), Odd::APIError { code: 429 }, Odd::Unexpected(UnexpectedStatus(429))];
    for error in responses {
        assert_eq!(verdict(&error), Some(Verdict::RATE_LIMITED), "{error:?}");
    }
}

#[test]
fn structure_as_text_is_judged_by_its_name() {
    for text in [
        r#"Os { code: 500, kind: Other, message: "x" }"#,
        r#"Io(Os { code: 429, kind: Uncategorized, message: "Unknown error 429" })"#,
        "Expected { status: 429 }",
        "Error { source: ExpectedStatus(429) }",
        "ExitStatus { code: 503 }",
    ] {
        assert_eq!(by_text_and_fields(text), None, "{text}");
        assert_eq!(verdict(&std::io::Error::other(text)), None, "{text}");
    }
    let response = by_text_and_fields("UnexpectedStatus { status: 429 }");
    assert_eq!(response.map(|judged| judged.verdict), Some(Verdict::RATE_LIMITED));
}

#[test]
fn request_in_an_error_shows_neither_hint_nor_limit() {
    let request = Request {
        method: "POST",
        headers: HashMap::from([("retry-after", "9")]),
        body: "Limit of tokens per minute. Please try again in 2s",
    };
    assert_eq!(verdict(&Odd::Elapsed { status: 429, request }), Some(Verdict::RATE_LIMITED));
    let unnamed = r#"Api { status: 429, context: [Request { method: POST, headers: {"retry-after": "9"} }] }"#;
    assert_eq!(Fields::read(unnamed).unwrap().evidence("").unwrap().headers.len(), 0);
}

/// The meaning of a number is shown by the name of its field or type alone.
#[test]
fn number_without_a_name_is_unknown() {
    #[derive(Debug)]
    struct Code(u16);
    impl fmt::Display for Code {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            write!(f, "{}", self.0)
        }
    }
    impl Error for Code {}
    #[derive(Debug, thiserror::Error)]
    #[error("{status}")]
    struct Named {
        status: u16,
    }
    assert_eq!(by_text_and_fields(&429_u16), None);
    assert_eq!(by_text_and_fields(&429.0_f64), None);
    assert_eq!(verdict(&Code(429)), None);
    assert_eq!(verdict(&Named { status: 429 }), Some(Verdict::RATE_LIMITED));
    let shown = by_text_and_fields(&http::StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(shown.map(|judged| judged.verdict), Some(Verdict::RATE_LIMITED));
}

#[test]
fn text_that_ends_with_a_name_is_no_variant() {
    for text in ["unexpected variant Shape::RateLimited", "bad key limits::too_many_requests", "in x::Overloaded"] {
        assert_eq!(Fields::read(text), None, "{text}");
        assert_eq!(by_fields(text), None, "{text}");
    }
    assert_eq!(verdict(&std::io::Error::other("bad key limits::too_many_requests")), None);
}

#[test]
fn messages_of_a_long_list_are_not_all_read() {
    let list = "Item { message: \"m\" }, ".repeat(3000);
    let fields = Fields::read(&format!("Api {{ status: 429, items: [{list}] }}")).unwrap();
    assert_eq!(fields.texts.len(), MAX_MESSAGES);
}
