//! The text of an error, where nothing better is left: only in the forms in which clients are known to write it.
//!
//! A number alone proves nothing, since texts quote other texts. What counts is a status near the start in one of the
//! known forms, a body of an error inside, or the whole sentence of a server.

use super::{Evidence, body::Body};

/// How far from the start a status may stand.
const NEAR: usize = 120;

/// What the text of an error tells, if it is in a known form.
pub(super) fn evidence(text: &str) -> Option<Evidence<'_>> {
    let json = json_in(text);
    let body = json.map(Body::read);
    let status = status_in(text);
    let evidence = match (status, json) {
        (Some(status), Some(json)) => Evidence::new().status(status).body(json),
        // The name of the status says nothing of which limit it was.
        (Some(status), None) => Evidence::new().status(status).body(text.replacen("Too Many Requests", "", 1)),
        // A body without a status: the error's own codes must say it.
        (None, Some(json)) if body.is_some_and(|body| body.is_error && !body.codes.is_empty()) => {
            Evidence::new().body(json)
        }
        _ if text.starts_with("ThrottlingException") => Evidence::new().code("ThrottlingException").body(text),
        // Ollama, `ErrMaxQueue`.
        _ if text.contains("server busy, please try again.") => Evidence::new().status(503).body(text),
        _ => return None,
    };
    Some(evidence)
}

/// The largest object inside.
fn json_in(text: &str) -> Option<&str> {
    let (start, end) = (text.find('{')?, text.rfind('}')?);
    let object = text.get(start..=end)?;
    serde_json::from_str::<serde_core::de::IgnoredAny>(object).is_ok().then_some(object)
}

/// A status of 400 or more in a known form: at the very start ("429 Too Many Requests"), behind "status" ("error status:
/// 429", "status code '429"), or in the words of `reqwest` ("HTTP status client error (429 Too Many Requests)").
fn status_in(text: &str) -> Option<u16> {
    let near = &text[..text.floor_char_boundary(NEAR)];
    let number = |text: &str| {
        let text = text.trim_start_matches([' ', ':', '=', '(', '\'', '"', '`']);
        let digits = text.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(text.len());
        let status = text[..digits].parse().ok().filter(|status| (400..600).contains(status))?;
        // "429 Too Many Requests", "429: ...", "429": not "4290" and not "429-something".
        let rest = &text[digits..];
        (rest.is_empty() || rest.starts_with([' ', ':', ')', '\'', '"', ',', '.', '\n', '`'])).then_some(status)
    };
    let before_json = near.split('{').next().unwrap_or(near);
    let markers = [
        "status code",
        "status:",
        "status client error",
        "status server error",
        "http error",
        "api error:",
        "apierror:",
    ];
    let behind = |marker: &&str| {
        let lower = before_json.to_ascii_lowercase();
        let at = lower.find(*marker)? + marker.len();
        number(before_json.get(at..)?)
    };
    number(before_json).or_else(|| markers.iter().find_map(behind))
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use proptest::prelude::*;

    use super::*;
    use crate::{LimitKind, Verdict, classify::judge};

    fn judged(text: &str) -> Option<Verdict> {
        evidence(text).map(|evidence| judge(&evidence, SystemTime::now()))
    }

    #[test]
    fn the_forms_of_known_clients_are_recognised() {
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
        let spent = r#"429 Too Many Requests: {"error": {"code": "insufficient_quota", "message": ""}}"#;
        assert_eq!(judged(spent), Some(Verdict::QuotaExhausted { resumes_at: None, limit: LimitKind::Billing }));
    }

    #[test]
    fn talk_of_a_refusal_is_none() {
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
        fn no_text_panics(text in ".{0,300}") {
            judged(&text);
            judged(&format!("status: {text}"));
        }
    }
}
