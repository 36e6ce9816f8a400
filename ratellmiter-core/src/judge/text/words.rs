//! The words, numbers and punctuation at the start of a text, without the parts that are quoted.

use super::vocabulary::{is_code, is_error, is_status};

/// Maximum length in bytes of the start of a text in which a status is looked for.
pub(super) const MAX_HEAD: usize = 400;

/// The text of the crate `http` for a status without a reason phrase.
pub(super) const UNKNOWN_STATUS: &str = "<unknown status code>";

/// A word, a number or a punctuation mark.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Token {
    pub(super) kind: Kind,
    pub(super) start: usize,
    pub(super) end: usize,
    /// The token is a part of the same identifier as the one before it: `Limit` in `RateLimit`.
    pub(super) is_glued: bool,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Kind {
    /// A word in lower case, a part of an identifier, or letters with digits.
    Word {
        text: String,
        is_capitalised: bool,
    },
    Number,
    Mark(char),
}

impl Token {
    pub(super) fn word(&self) -> Option<&str> {
        match &self.kind {
            Kind::Word { text, .. } => Some(text),
            _ => None,
        }
    }

    pub(super) fn is_capitalised(&self) -> bool {
        matches!(self.kind, Kind::Word { is_capitalised: true, .. })
    }

    pub(super) fn mark(&self) -> Option<char> {
        match self.kind {
            Kind::Mark(mark) => Some(mark),
            _ => None,
        }
    }
}

/// Splits a text into tokens. Space is no token, except for the end of a line.
pub(super) fn tokens(text: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let start = text.len() - rest.len();
        let length = if is_part(first) { run(rest) } else { first.len_utf8() };
        let part = &rest[..length];
        rest = &rest[length..];
        if is_part(first) {
            add_run(&mut tokens, part, start);
        } else if first == '\n' || !first.is_whitespace() {
            tokens.push(Token { kind: Kind::Mark(first), start, end: start + length, is_glued: false });
        }
    }
    tokens
}

fn is_part(letter: char) -> bool {
    letter.is_alphanumeric() || letter == '_'
}

/// Returns the length of the letters and digits at the start of the text. Letters of scripts without spaces between words
/// end before a digit, and begin behind one.
fn run(text: &str) -> usize {
    let is_ideograph = |letter: char| letter >= '\u{2e80}';
    let mut last = None;
    for (at, letter) in text.char_indices() {
        let is_border = last.is_some_and(|last: char| is_ideograph(last) != is_ideograph(letter));
        if !is_part(letter) || is_border {
            return at;
        }
        last = Some(letter);
    }
    text.len()
}

/// Adds a number, or the words of an identifier: `rate`, `limit` and `error` for `RateLimitError`.
fn add_run(tokens: &mut Vec<Token>, part: &str, start: usize) {
    if part.bytes().all(|byte| byte.is_ascii_digit()) {
        tokens.push(Token { kind: Kind::Number, start, end: start + part.len(), is_glued: false });
        return;
    }
    let mut begin = 0;
    let mut is_first = true;
    for end in part.char_indices().map(|(at, _)| at).skip(1).chain([part.len()]) {
        if end < part.len() && !is_hump(part, end) {
            continue;
        }
        let word = part[begin..end].trim_matches('_');
        if !word.is_empty() {
            let at = start + begin + (part[begin..end].len() - part[begin..end].trim_start_matches('_').len());
            let is_capitalised = word.chars().any(char::is_uppercase);
            let is_number = word.bytes().all(|byte| byte.is_ascii_digit());
            let kind = if is_number { Kind::Number } else { Kind::Word { text: word.to_lowercase(), is_capitalised } };
            tokens.push(Token { kind, start: at, end: at + word.len(), is_glued: !is_first });
            is_first = false;
        }
        begin = end;
    }
}

/// Returns `true` if a word of an identifier begins at `at`. A number is a part of the word before it, except in `HTTP429`.
fn is_hump(part: &str, at: usize) -> bool {
    let before = part[..at].chars().next_back().unwrap_or('_');
    let mut behind = part[at..].chars();
    let (first, second) = (behind.next().unwrap_or('_'), behind.next());
    let name = || part[..at].rsplit('_').next().unwrap_or_default().to_lowercase();
    before == '_'
        || (first.is_ascii_digit() && before.is_alphabetic() && is_name_of_status(&name()))
        || (first.is_uppercase() && !before.is_uppercase())
        || (first.is_uppercase() && second.is_some_and(char::is_lowercase))
}

fn is_name_of_status(word: &str) -> bool {
    is_status(word) || is_error(word) || is_code(word)
}

/// Returns the text with spaces in place of URLs and of quoted values, and line ends in place of tags. All positions stay the
/// same. A quotation is a value unless it stands in a place where errors have their status or their message.
pub(super) fn without_quotations(text: &str, is_message: impl Fn(&str) -> bool) -> String {
    let mut bytes = text.as_bytes().to_vec();
    for (at, _) in text.match_indices("://") {
        let scheme = text[..at].trim_end_matches(|letter: char| letter.is_ascii_alphanumeric()).len();
        let is_end =
            |letter: char| letter.is_whitespace() || matches!(letter, ')' | '>' | '"' | '\'' | '`' | '}' | ']');
        let length = text[at..].find(is_end).unwrap_or(text.len() - at);
        let end = at + text[at..at + length].trim_end_matches([':', '.', ',', ';', '!', '，', '。', '：']).len();
        bytes[scheme..end].fill(b' ');
    }
    for (open, letter) in text.char_indices() {
        let length = match letter {
            '<' => tag(&text[open..]),
            '"' | '\'' | '`' | '“' | '«' | '「' if bytes[open] != b' ' => {
                quotation(&text[..open], &text[open..], letter)
            }
            _ => None,
        };
        let Some(length) = length else { continue };
        if letter == '<' {
            bytes[open..open + length].fill(b' ');
            bytes[open] = b'\n';
        } else if !is_message(&text[..open]) {
            bytes[open..open + length].fill(b' ');
        }
    }
    String::from_utf8(bytes).unwrap_or_default()
}

/// Returns the length of the tag at the start of the text: `<title>`.
fn tag(text: &str) -> Option<usize> {
    if text.starts_with(UNKNOWN_STATUS) {
        return None;
    }
    let is_tag = text[1..].starts_with(|first: char| first.is_ascii_alphabetic() || matches!(first, '/' | '!'));
    text.find('>').filter(|end| is_tag && !text[..*end].contains(['[', '('])).map(|end| end + 1)
}

/// Returns the length of the quotation at the start of `text`. An apostrophe in a word is none.
fn quotation(before: &str, text: &str, open: char) -> Option<usize> {
    if before.ends_with(char::is_alphanumeric) {
        return None;
    }
    let close = match open {
        '“' => '”',
        '«' => '»',
        '「' => '」',
        other => other,
    };
    let ends = text.match_indices(close).map(|(at, _)| at).filter(|at| *at > 0);
    let is_end = |at: &usize| !text[at + close.len_utf8()..].starts_with(char::is_alphanumeric);
    ends.filter(|at| !text[..*at].ends_with('\\')).find(is_end).map(|at| at + close.len_utf8())
}
