//! Bodies of all providers in the forms in which people and clients write errors.

use http::StatusCode;
use serde_json::Value;

use super::*;

/// The forms, with places for the status, its reason phrase and the body. `{?}` is the body in the format of `Debug`.
const FORMS: &[&str] = &[
    "HTTP {s}: {b}",
    "OpenAI API error {s} {r}: {b}",
    "Claude API returned {s} {r}: {b}",
    "request failed with status {s} {r}: {b}",
    "chat completion failed ({s} {r}): {b}",
    "Error { status: {s}, body: {?} }",
    "[{s}] {b}",
    "{s}: {b}",
    "HTTP/1.1 {s} {r}\n\n{b}",
    "asking the model: unexpected status {s} {r}: {b}",
    "http_status={s} url=http://127.0.0.1:8429/v1/chat/completions body={b}",
    "Got {s} from https://api.example.com:8443/v1/messages: {b}",
    "the server answered {s} {r}: {b}",
    "ApiError: {b}: {s} {r}",
];

/// Bodies beside those of the vectors: text, pages, and providers that the vectors lack.
const BODIES: &[(&str, &str)] = &[
    (
        "fireworks",
        r#"{"error":{"message":"rate limit exceeded, please try again later","code":"rate_limit_exceeded","type":"error"}}"#,
    ),
    (
        "perplexity",
        r#"{"error":{"message":"Request rate limit exceeded","type":"request_rate_limit_exceeded","code":429}}"#,
    ),
    ("sentence", "You have exceeded 60 requests per minute. Retry after 7 seconds."),
    (
        "tokens",
        "Rate limit reached on tokens per min (TPM): Limit 30000, Used 29000, Requested 4351. Please try again in 6.702s.",
    ),
    (
        "nginx",
        "<html>\r\n<head><title>Error</title></head>\r\n<body>\r\n<center><h1>Sorry</h1></center>\r\n<hr><center>nginx/1.25.3</center>\r\n</body>\r\n</html>\r\n",
    ),
    ("page", "<!DOCTYPE html><html lang=\"en\"><body class=\"x\"><p>You are being rate limited</p></body></html>"),
    ("empty", ""),
];

fn vectors() -> (Vec<Value>, SystemTime) {
    let mut outcomes = Vec::new();
    let mut now = SystemTime::UNIX_EPOCH;
    for file in
        [include_str!("../../../../tests/vectors/outcomes.json"), include_str!("../../../../tests/vectors/field.json")]
    {
        let vectors: Value = serde_json::from_str(file).unwrap();
        now = SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(vectors["now_epoch"].as_u64().unwrap());
        let failed =
            vectors["outcomes"].as_array().unwrap().iter().filter(|vector| vector["status"].as_u64() >= Some(400));
        outcomes.extend(failed.cloned());
    }
    (outcomes, now)
}

/// Returns all bodies with their statuses.
fn bodies() -> Vec<(String, u16, String)> {
    let of_vectors = vectors().0.into_iter().map(|vector| {
        let body = vector["body"].as_str().map_or_else(|| vector["body"].to_string(), str::to_owned);
        let status = u16::try_from(vector["status"].as_u64().unwrap()).unwrap();
        (vector["id"].as_str().unwrap().to_owned(), status, body)
    });
    let others = BODIES.iter().map(|(id, body)| ((*id).to_owned(), 429, (*body).to_owned()));
    of_vectors.chain(others).collect()
}

fn text_of(form: &str, status: u16, body: &str) -> String {
    let number = status.to_string();
    let status = StatusCode::from_u16(status).unwrap().to_string();
    let reason = status.split_once(' ').unwrap().1;
    let quoted = format!("{body:?}");
    let mut text = form.replace("{s}", &number).replace("{r}", reason);
    text = if form.contains("{?}") { text.replace("{?}", &quoted) } else { text.replace("{b}", body) };
    text
}

/// Compares the verdicts on all forms of the bodies with those on the responses. The verdicts on the responses are those of the
/// vectors, as the tests of the rules assert.
fn check(bodies: &[(String, u16, String)], statuses: &[u16]) {
    let now = vectors().1;
    let mut wrong = Vec::new();
    for (id, own, body) in bodies {
        for status in if statuses.is_empty() { std::slice::from_ref(own) } else { statuses } {
            let expected = judge(&Evidence::new().status(*status).body(body.as_str()), now);
            // A status behind the body is read if the body is JSON.
            let is_json = body.starts_with(['{', '[']);
            for form in FORMS.iter().filter(|form| is_json || !form.ends_with("{r}")) {
                let text = text_of(form, *status, body);
                let found = evidence(&text).map(|evidence| judge(&evidence, now));
                if found != Some(expected) {
                    wrong.push(format!("{id} {status} {form:?}: {found:?} instead of {expected:?}: {text}"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{} wrong: {wrong:#?}", wrong.len());
}

#[test]
fn bodies_of_all_providers_are_judged_in_all_forms() {
    let bodies = bodies();
    assert!(bodies.len() > 80 && FORMS.len() >= 12);
    check(&bodies, &[]);
}

#[test]
fn other_statuses_are_judged_in_all_forms() {
    check(&bodies(), &[400, 401, 404, 408, 500, 503, 524, 529]);
}

#[test]
fn escaped_and_cut_bodies_are_judged_as_whole_ones() {
    let now = vectors().1;
    for (id, status, body) in bodies() {
        let expected = Some(judge(&Evidence::new().status(status).body(body.as_str()), now));
        let debug = format!("Error {{ status: {status}, body: {body:?} }}");
        for text in [
            format!("Api({debug:?})"),
            format!("HTTP {status}: {body:?}"),
            format!("call: Some(HttpError({status}, {body:?}))"),
        ] {
            assert_eq!(evidence(&text).map(|evidence| judge(&evidence, now)), expected, "{id}: {text}");
        }
    }
}
