//! Escaping of names from a log for each output. A name is any text: it may contain line breaks, control sequences, markup and
//! characters that reorder or hide what follows.
//!
//! Terminal, page and pictures show [`printable`] names, which are also valid XML. Markdown shows [`markdown`] names and JSON
//! [`json`] text.

use std::fmt::Write as _;

/// Returns `true` if a character is visible, or a plain space, and has no effect on other characters but to combine with the
/// one before it.
pub(crate) fn is_printable(letter: char) -> bool {
    // The standard library escapes control and format characters (of which directional overrides are some), separators,
    // noncharacters, private use and unassigned code points. A combining character is escaped at the start of a text only.
    let mut text = String::from("-");
    text.push(letter);
    !is_blank(letter) && (matches!(letter, '"' | '\'' | '\\') || text.escape_debug().eq(text.chars()))
}

/// Returns `true` for letters that look like nothing or like a space, although they are no white space.
fn is_blank(letter: char) -> bool {
    // Fillers of Hangul and Khmer, the empty pattern of Braille, and the joiner of graphemes.
    matches!(
        letter,
        '\u{115f}' | '\u{1160}' | '\u{3164}' | '\u{ffa0}' | '\u{17b4}' | '\u{17b5}' | '\u{2800}' | '\u{34f}'
    )
}

/// Returns the name of a model as outputs show it.
pub(crate) fn of_model(name: &str) -> String {
    let shown = printable(name);
    if shown.trim().is_empty() { "(no name)".into() } else { shown }
}

/// Replaces white space by spaces and escapes other characters that are not printable visibly, as in `\u{202e}`. The result
/// cannot break a line, control a terminal, hide text or change its direction.
pub(crate) fn printable(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            _ if is_printable(letter) => shown.push(letter),
            _ if letter.is_whitespace() => shown.push(' '),
            _ => shown.extend(letter.escape_unicode()),
        }
    }
    shown
}

/// Returns a name for Markdown, inside a table or outside. It has no markup, links, images or mentions, and does not break a
/// table.
pub(crate) fn markdown(text: &str) -> String {
    let text = printable(text);
    if is_linked(&text) {
        // No escape prevents the links that some renderers make of addresses, but they make none in code. A vertical bar ends a
        // cell even in code.
        return text.split('|').map(code).collect::<Vec<_>>().join("\\|");
    }
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '<' => escaped.push_str("&lt;"),
            '&' => escaped.push_str("&amp;"),
            '\\' | '`' | '*' | '_' | '~' | '[' | ']' | '|' | '#' | '$' => {
                escaped.push('\\');
                escaped.push(letter);
            }
            _ => escaped.push(letter),
        }
    }
    escaped
}

/// Returns `true` if a renderer of Markdown may make a link or an image of a part of `text`: of an address of the web, of an
/// address of mail, which is also how people are mentioned, of the number of an issue, or of the name of an emoji.
fn is_linked(text: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    let is_numbered = |mark: &str| {
        lower
            .match_indices(mark)
            .any(|(at, _)| lower[at + mark.len()..].starts_with(|next: char| next.is_ascii_digit()))
    };
    // Between colons. The minutes of a time are no name.
    let is_emoji = |name: &str| {
        let is_time = name.len() == 2 && name.bytes().all(|letter| letter.is_ascii_digit());
        !name.is_empty() && !is_time && !name.contains(char::is_whitespace)
    };
    let parts: Vec<_> = lower.split(':').collect();
    let has_emoji = parts.len() > 2 && parts[1..parts.len() - 1].iter().copied().any(is_emoji);
    lower.contains("://")
        || lower.contains('@')
        || lower.contains("www.")
        || has_emoji
        || is_numbered("#")
        || is_numbered("gh-")
}

/// Returns a code span, with a fence that is longer than any in `text`.
fn code(text: &str) -> String {
    if text.is_empty() {
        return String::new();
    }
    let longest = text.split(|letter| letter != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest + 1);
    let space = if text.starts_with(['`', ' ']) || text.ends_with(['`', ' ']) { " " } else { "" };
    format!("{fence}{space}{text}{space}{fence}")
}

/// Escapes the characters of JSON that are not printable. Except for line breaks, they occur in its strings only.
pub(crate) fn json(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        if letter == '\n' || is_printable(letter) {
            escaped.push(letter);
        } else {
            for unit in letter.encode_utf16(&mut [0; 2]) {
                let _ = write!(escaped, "\\u{unit:04x}");
            }
        }
    }
    escaped
}

#[cfg(test)]
mod tests;
