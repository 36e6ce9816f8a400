//! The text of an error, for errors without other evidence.
//!
//! A number alone is no evidence, because texts quote other texts. Evidence is a [status](status) by its place, the body of an
//! error, a [code](code) of a provider by its place, or the whole sentence of a server.

mod code;
mod debug;
mod exception;
mod json;
mod names;
mod status;
mod vocabulary;
mod words;

use serde_json::Value;

use self::{
    json::Found,
    status::{Head, Status},
    words::{MAX_HEAD, Token, tokens, without_quotations},
};
use super::{Evidence, body::Body, grpc, times_in_text};

/// Maximum length in bytes of the end of a text, and of the text behind a body, that is read.
const MAX_TAIL: usize = 160;

/// Maximum number of words between a status and the body that belongs to it: ". Response body:".
const MAX_WORDS_BEFORE_BODY: usize = 6;

/// Returns the evidence in the text of an error, or `None` if the text has none.
pub(super) fn evidence(text: &str) -> Option<Evidence<'_>> {
    if let Some(evidence) = grpc::evidence_in_text(text) {
        return Some(evidence);
    }
    let json = json::find(text, 0);
    let start = json.as_ref().map_or(text.len(), |found| found.range.start).min(MAX_HEAD);
    let head = without_quotations(&text[..text.floor_char_boundary(start)], is_message);
    let words = tokens(&head);
    let json_at = json.as_ref().map(|found| found.range.start);
    let head = Head { text: &head, tokens: &words, json: json_at };
    if let Some(end) = head.quotes_from().filter(|end| *end < text.trim_end().len()) {
        return evidence(&text[..end]);
    }
    let fields = json.is_none().then(|| debug::find(text).filter(|found| is_body(&found.json))).flatten();
    if let Some(status) = status::find(&head) {
        return Some(match fields {
            Some(found) => Evidence::new().status(status.code).body(found.json),
            None => with_status(text, &head, &status, json.as_ref()),
        });
    }
    if let Some(name) = exception::find(text) {
        let evidence = Evidence::new().code(name);
        return Some(match json {
            Some(found) => evidence.body(found.json),
            None => evidence.body(text),
        });
    }
    if json.is_some() && head.is_invalid_json() {
        return None;
    }
    if let Some(found) = json.or(fields) {
        // The client writes the status behind the body.
        if let Some(status) = status_behind(&text[found.range.end..]) {
            return Some(Evidence::new().status(status).body(found.json));
        }
        // Without a status the codes of the error decide.
        let body = Body::read(&found.json);
        let is_error = body.is_error || !body.message.trim().is_empty();
        let is_sentence = || code::begins_with_sentence(&body.message, &body.message, found.range.start > 0);
        return (is_error && (body.status.is_some() || body.is_error || !body.codes.is_empty() || is_sentence()))
            .then(|| Evidence::new().body(found.json));
    }
    let tail = &text[text.ceil_char_boundary(text.len().saturating_sub(MAX_TAIL))..];
    if let Some(code) = code::find(&head).or_else(|| code::at_end(tail, &tokens(tail))) {
        return Some(Evidence::new().body(error_body(text, &code)));
    }
    if let Some(code) = code::whole_clause(text, &head) {
        return Some(Evidence::new().body(error_body(text, &code)));
    }
    if let Some(status) = code::status_of_reason(text, &head) {
        return Some(Evidence::new().status(status).body(text));
    }
    let sentence = &text[code::sentence(text, &head)?..];
    Some(Evidence { hint: times_in_text::wait(&text.to_lowercase()), ..Evidence::new().body(sentence) })
}

/// Returns `true` if the identifier at the end of `before` is the name of a text: `BadAnswer(`.
fn last_word_is_content(before: &str) -> bool {
    tokens(before).iter().rev().find_map(Token::word).is_some_and(vocabulary::is_content)
}

/// Returns `true` if the fields of a structure are those of an error's body: a message, or a code that is no status.
fn is_body(json: &str) -> bool {
    let body = Body::read(json);
    !body.message.trim().is_empty() || body.codes.iter().any(|code| !matches!(code.parse(), Ok(400_u16..600)))
}

/// Returns the evidence of a text with a status: the status and the body behind it, or else the text before it.
fn with_status(text: &str, head: &Head<'_>, status: &Status, json: Option<&Found>) -> Evidence<'static> {
    let evidence = Evidence::new().status(status.code);
    let behind = json.filter(|found| found.range.start >= status.range.end);
    if let Some(found) = behind {
        let between = &head.tokens[..].iter().filter(|token| token.start >= status.range.end && token.word().is_some());
        return if between.clone().count() <= MAX_WORDS_BEFORE_BODY && found.range.start < MAX_HEAD {
            let hint = times_in_text::wait(&text[status.range.end..found.range.start].to_lowercase());
            Evidence { hint, ..evidence.body(found.json.clone()) }
        } else {
            // The body of another server in a message.
            evidence.body(message_body(&text[status.range.end..]))
        };
    }
    let rest = &text[status.range.end..];
    let behind = rest.trim_start_matches(|letter: char| !letter.is_alphanumeric() && letter != '<');
    let marks = &rest[..rest.len() - behind.len()];
    let before = head.text.get(status.clause..status.range.start).unwrap_or_default();
    let all_before = text[..status.range.start].trim_end_matches([' ', ':']);
    let body = match () {
        () if behind.is_empty() && before.trim().is_empty() && all_before.ends_with(['.', '!']) => {
            all_before.to_owned()
        }
        () if behind.is_empty() => before.to_owned(),
        () if marks.contains([':', '：', '\n', '-', '—', '{']) || before.trim().is_empty() => behind.to_owned(),
        // The sentence continues: "please wait 5 s (status 429, request 7)".
        () => format!("{behind} {before}"),
    };
    let hint_before = || times_in_text::wait(&all_before.to_lowercase());
    let hint = if times_in_text::wait(&body.to_lowercase()).is_some() { None } else { hint_before() };
    Evidence { hint, ..evidence.body(body) }
}

/// Returns the status in the text behind a body: "API error: {…}: 429 Too Many Requests", "{…} (HTTP 429)".
fn status_behind(text: &str) -> Option<u16> {
    let text = without_quotations(&text[..text.floor_char_boundary(MAX_TAIL)], is_message);
    let text = text.trim_start_matches(|letter: char| !letter.is_alphanumeric() && !matches!(letter, '(' | '['));
    status::find(&Head { text, tokens: &tokens(text), json: None }).map(|found| found.code)
}

/// Returns `true` if a quotation behind `before` is the status or the message of an error.
fn is_message(before: &str) -> bool {
    let before = before.trim_end_matches([' ', '\\']);
    let Some(last) = before.chars().next_back() else { return true };
    let words = tokens(before.trim_end_matches([':', '=', ' ', '"', '\'', '\\']));
    let name = words.last().and_then(Token::word).unwrap_or_default();
    let subject = words.iter().rev().skip(1).find_map(Token::word).unwrap_or_default();
    if (subject == "model" && vocabulary::is_report(name)) || (vocabulary::is_message_key(name) && subject == "in") {
        return false;
    }
    let is_name = vocabulary::is_status(name)
        || vocabulary::is_code(name)
        || vocabulary::is_error(name)
        || vocabulary::is_report(name)
        || matches!(name, "with" | "type" | "kind");
    match last {
        ':' | '=' => is_name || vocabulary::is_message_key(name),
        '(' => !before[..before.len() - 1].ends_with(char::is_alphanumeric) || !last_word_is_content(before),
        last if last.is_alphanumeric() => is_name,
        _ => true,
    }
}

/// Returns the body of an error with the code and the message of a text. A word before the first colon is the error's type.
fn error_body(text: &str, code: &str) -> String {
    let kind =
        text.split_once(':').map(|(kind, _)| kind).filter(|kind| kind.bytes().all(|byte| byte.is_ascii_lowercase()));
    serde_json::json!({ "error": { "type": kind, "code": code, "message": text } }).to_string()
}

/// Returns the body of an error with a message.
fn message_body(message: &str) -> String {
    serde_json::json!({ "error": { "message": Value::from(message) } }).to_string()
}

#[cfg(test)]
mod tests;
