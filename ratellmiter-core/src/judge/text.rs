//! The text of an error, for errors without other evidence. Only the forms that known clients write are recognised.
//!
//! A number alone is no evidence, because texts quote other texts. Evidence is a status near the start in one of the known
//! forms, the body of an error, or the whole sentence of a server.

use super::{
    Evidence,
    body::{Body, object_in},
    rules::status_of_code,
};

/// Maximum distance in bytes of a status from the start of the text.
const MAX_STATUS_OFFSET: usize = 120;

/// Returns the evidence in the text of an error, or `None` if the text is in no known form.
pub(super) fn evidence(text: &str) -> Option<Evidence<'_>> {
    let json = object_in(text);
    let body = json.map(Body::read);
    let status = status_in(text);
    let evidence = match (status, json) {
        (Some(status), Some(json)) => Evidence::new().status(status).body(json),
        // The reason phrase of the status does not show which limit was reached.
        (Some(status), None) => Evidence::new().status(status).body(text.replacen("Too Many Requests", "", 1)),
        // Without a status the codes of the error decide.
        (None, Some(json)) if body.is_some_and(|body| body.is_error && !body.codes.is_empty()) => {
            Evidence::new().body(json)
        }
        // An exception of AWS.
        _ if exception(text).is_some() => Evidence::new().code(exception(text).unwrap_or_default()).body(text),
        // Ollama, `ErrMaxQueue`.
        _ if text.contains("server busy, please try again.") => Evidence::new().status(503).body(text),
        _ => return None,
    };
    Some(evidence)
}

/// Returns the name of an exception, if a provider documents its status. The name is at the start of the text, behind a colon or
/// in brackets: `service error: ThrottlingException: ...`, `An error occurred (ThrottlingException) when ...`.
fn exception(text: &str) -> Option<&str> {
    let start = &text[..text.floor_char_boundary(MAX_STATUS_OFFSET)];
    let start = start.split(['{', '"', '\'', '`', '\n']).next().unwrap_or_default();
    let names = start.split([':', '(']).map(|part| {
        let part = part.trim_start();
        &part[..part.find(|letter: char| !letter.is_ascii_alphanumeric()).unwrap_or(part.len())]
    });
    let mut exceptions = names.filter(|name| name.ends_with("Exception"));
    // The first is that of the error itself.
    exceptions.next().filter(|name| status_of_code(&name.to_lowercase()).is_some())
}

/// Returns a status from 400 to 599 in a known form: at the very start ("429 Too Many Requests"), after "status" ("error
/// status: 429", "status code '429"), or as `reqwest` writes it ("HTTP status client error (429 Too Many Requests)").
fn status_in(text: &str) -> Option<u16> {
    let start = &text[..text.floor_char_boundary(MAX_STATUS_OFFSET)];
    let number = |text: &str| {
        let text = text.trim_start_matches([' ', ':', '=', '(', '\'', '"', '`']);
        let digits = text.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(text.len());
        let status = text[..digits].parse().ok().filter(|status| (400..600).contains(status))?;
        // "429 Too Many Requests", "429: ..." and "429", but not "4290" or "429-something".
        let rest = &text[digits..];
        (rest.is_empty() || rest.starts_with([' ', ':', ')', '\'', '"', ',', '.', '\n', '`'])).then_some(status)
    };
    let before_json = start.split('{').next().unwrap_or(start);
    let markers = [
        "status code",
        "status:",
        "status client error",
        "status server error",
        "http error",
        "api error:",
        "apierror:",
    ];
    let after = |marker: &&str| {
        let lower = before_json.to_ascii_lowercase();
        let at = lower.find(*marker)? + marker.len();
        number(before_json.get(at..)?)
    };
    number(before_json).or_else(|| markers.iter().find_map(after))
}

#[cfg(test)]
mod tests;
