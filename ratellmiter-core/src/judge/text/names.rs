//! Names of refusals in words or identifiers: "rate limit exceeded", `RateLimitError`, `RESOURCE_EXHAUSTED`.

use super::{vocabulary::is_filler, words::Token};
use crate::providers::provider::Provider;

/// Maximum number of words in a name.
const MAX_WORDS: usize = 5;

/// Returns `true` if the tokens begin with a name that is a code of the catalog.
pub(super) fn is_name(tokens: &[Token]) -> bool {
    code(tokens).is_some()
}

/// Returns the code of the catalog that the words at the start of the tokens are. Words such as "the" and "currently" are
/// ignored.
pub(super) fn code(tokens: &[Token]) -> Option<String> {
    let words = tokens.iter().map_while(Token::word).filter(|word| !is_filler(word));
    let words: Vec<_> = words.take(MAX_WORDS).collect();
    let names = (1..=words.len()).rev().flat_map(|length| [words[..length].join("_"), words[..length].concat()]);
    names.into_iter().find(|name| Provider::has_code(name))
}

/// Returns `true` if the words before `end` are a name, which ends there: "rate limit exceeded (429)".
pub(super) fn ends_before(tokens: &[Token], end: usize) -> bool {
    let words = tokens[..end].iter().rev().take(MAX_WORDS).take_while(|token| token.word().is_some()).count();
    (end - words..end).any(|start| is_name(&tokens[start..end]))
}

/// Returns `true` if the tokens end with the reason phrase of a status.
pub(super) fn is_reason_before(tokens: &[Token], phrase: &str) -> bool {
    let start = tokens.len().saturating_sub(MAX_WORDS);
    (start..tokens.len()).any(|at| reason(&tokens[at..], phrase) == Some(tokens.len() - at))
}

/// Returns the number of tokens that the reason phrase of a status has at the start of the tokens.
pub(super) fn reason(tokens: &[Token], reason: &str) -> Option<usize> {
    let is_letter = |letter: &char| letter.is_alphanumeric();
    let mut rest: String = reason.to_lowercase().chars().filter(is_letter).collect();
    for (at, token) in tokens.iter().enumerate() {
        match token.word() {
            Some(word) => rest = rest.strip_prefix(&word.replace('\'', ""))?.to_owned(),
            None if matches!(token.mark(), Some('-' | '\'')) => {}
            None => return None,
        }
        if rest.is_empty() {
            return Some(at + 1);
        }
    }
    None
}
