//! The text of a gRPC error, for errors that were turned into text: `code: 'Some resource has been exhausted', message: "slow down"`
//! (tonic), `status: ResourceExhausted, message: "slow down"` (tonic before 0.14), `rpc error: code = ResourceExhausted desc = slow
//! down` (Go), `error with code RESOURCE_EXHAUSTED described as: slow down` (Google's client).

use super::{CODES, body};
use crate::judge::evidence::Evidence;

/// Maximum distance in bytes of a code from the start of the text.
const MAX_OFFSET: usize = 120;

/// The sentences by which tonic 0.14 names the codes, with the names of the codes.
const SENTENCES: &[(&str, &str)] = &[
    ("The operation was cancelled", "CANCELLED"),
    ("Unknown error", "UNKNOWN"),
    ("Client specified an invalid argument", "INVALID_ARGUMENT"),
    ("Deadline expired before operation could complete", "DEADLINE_EXCEEDED"),
    ("Some requested entity was not found", "NOT_FOUND"),
    ("Some entity that we attempted to create already exists", "ALREADY_EXISTS"),
    ("The caller does not have permission to execute the specified operation", "PERMISSION_DENIED"),
    ("Some resource has been exhausted", "RESOURCE_EXHAUSTED"),
    ("The system is not in a state required for the operation's execution", "FAILED_PRECONDITION"),
    ("The operation was aborted", "ABORTED"),
    ("Operation was attempted past the valid range", "OUT_OF_RANGE"),
    ("Operation is not implemented or not supported", "UNIMPLEMENTED"),
    ("Internal error", "INTERNAL"),
    ("The service is currently unavailable", "UNAVAILABLE"),
    ("Unrecoverable data loss or corruption", "DATA_LOSS"),
    ("The request does not have valid authentication credentials", "UNAUTHENTICATED"),
];

/// Returns the evidence in the text of a gRPC error, or `None` if the text is none. A code behind an HTTP status, or in a body, is not
/// its own.
pub(in crate::judge) fn evidence_in_text(text: &str) -> Option<Evidence<'static>> {
    let start = &text[..text.floor_char_boundary(MAX_OFFSET)];
    let start = start.split('{').next().unwrap_or_default();
    let (name, status, rest) = ["code", "status"].iter().find_map(|key| {
        start.match_indices(key).find_map(|(at, _)| {
            let before = &start[..at];
            let is_word = !before.ends_with(|letter: char| letter.is_alphanumeric() || letter == '_');
            (is_word && !has_status(before)).then(|| code_behind(&text[at + key.len()..])).flatten()
        })
    })?;
    Some(Evidence::new().status(status).body(body(name, rest, &[])))
}

/// Returns `true` if the text has the number of a failed HTTP response.
fn has_status(text: &str) -> bool {
    text.split(|letter: char| !letter.is_ascii_digit()).any(|number| matches!(number.parse(), Ok(400_u16..600)))
}

/// Returns the name of the code at the start of a text, its HTTP status, and the text behind it.
fn code_behind(text: &str) -> Option<(&'static str, u16, &str)> {
    let value = text.trim_start_matches([' ', ':', '=', '\'', '"', '`', '(']);
    // A separator at least: "codes", "code" inside of a word.
    if value.len() == text.len() {
        return None;
    }
    let sentence = SENTENCES.iter().find_map(|(sentence, name)| Some((*name, value.strip_prefix(sentence)?)));
    let (name, rest) = sentence.or_else(|| {
        // The type of the code may stand before it: `StatusCode.RESOURCE_EXHAUSTED`, `Code::ResourceExhausted`.
        let value = value.trim_start_matches("Status").trim_start_matches("Code").trim_start_matches([':', '.']);
        let end = value.find(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_').unwrap_or(value.len());
        Some((code_named(&value[..end])?, &value[end..]))
    })?;
    let (name, status) = CODES.iter().copied().find(|(known, _)| *known == name)?;
    (status != 200).then_some((name, status, rest))
}

/// Returns the code by its name, in the spelling of any language: `RESOURCE_EXHAUSTED`, `ResourceExhausted`.
fn code_named(word: &str) -> Option<&'static str> {
    // A lower-case word is one of a sentence: "status unknown".
    if !word.starts_with(|letter: char| letter.is_ascii_uppercase()) {
        return None;
    }
    let letters = |word: &str| word.replace('_', "").to_ascii_uppercase();
    let known = CODES.iter().find(|(name, _)| letters(name) == letters(word));
    known.map(|(name, _)| *name)
}
