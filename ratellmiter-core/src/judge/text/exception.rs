//! The name of an exception of AWS in a text.

use crate::judge::rules::status_of_code;

/// Maximum distance in bytes of a name from the start of the text.
const MAX_OFFSET: usize = 120;

/// Returns the name of an exception, if a provider documents its status. The name is at the start of the text, behind a colon or
/// in brackets: `service error: ThrottlingException: ...`, `An error occurred (ThrottlingException) when ...`.
pub(super) fn find(text: &str) -> Option<&str> {
    let start = &text[..text.floor_char_boundary(MAX_OFFSET)];
    let start = start.split(['{', '"', '\'', '`', '\n']).next().unwrap_or_default();
    let names = start.split([':', '(']).map(|part| {
        let part = part.trim_start();
        &part[..part.find(|letter: char| !letter.is_ascii_alphanumeric()).unwrap_or(part.len())]
    });
    let mut exceptions = names.filter(|name| name.ends_with("Exception"));
    // The first is that of the error itself.
    exceptions.next().filter(|name| status_of_code(&name.to_lowercase()).is_some())
}
