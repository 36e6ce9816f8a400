//! Numbers that are no statuses: of things that are counted, of lists, of comparisons and of the operating system.

use super::Head;
use crate::judge::text::{
    status::Kind,
    vocabulary::{follows_report, is_error, is_other_source, is_server, is_status},
    words::Token,
};

/// Returns `true` if the text begins with three numbers and points: "4.7.0".
pub(super) fn is_enhanced_code(text: &str) -> bool {
    let end = text.find(|letter: char| !letter.is_ascii_digit() && letter != '.').unwrap_or(text.len());
    let mut parts = text[..end].trim_end_matches('.').split('.');
    let is_number = |part: Option<&str>| part.is_some_and(|part| !part.is_empty());
    is_number(parts.next()) && is_number(parts.next()) && is_number(parts.next()) && parts.next().is_none()
}

impl Head<'_> {
    /// Returns `true` for the first number of a list: "[429, 500]".
    pub(super) fn is_in_a_list(&self, at: usize) -> bool {
        let next = &self.tokens[at + 1..];
        let is_comma = next.first().is_some_and(|mark| mark.mark() == Some(','));
        is_comma
            && next.get(1).is_some_and(|token| token.kind == Kind::Number)
            && next.get(2).is_none_or(|token| token.mark().is_some())
    }

    /// Returns `true` for the value of another name: `NotFound(429)`, `vec![429]`.
    pub(super) fn is_member(&self, at: usize) -> bool {
        let before = self.text[..self.tokens[at].start].strip_suffix(['(', '[']);
        let is_joined =
            before.is_some_and(|before| before.ends_with(|last: char| last.is_alphanumeric() || last == '!'));
        is_joined && !self.tokens[..at - 1].last().and_then(Token::word).is_some_and(is_server)
    }

    /// Returns `true` if the words count something: a plural within three words, a unit, or the size of a whole.
    pub(super) fn counts(&self, at: usize) -> bool {
        let words: Vec<_> = self.tokens[at..].iter().map_while(Token::word).take(3).collect();
        if is_other_source(&words) && !self.tokens[at + 2].is_capitalised() {
            return true;
        }
        let is_plural =
            |word: &&&str| word.len() > 3 && word.ends_with('s') && !word.ends_with("ss") && !is_status(word);
        let is_short =
            words.first().is_some_and(|word| word.len() <= 2 && word.is_ascii() && !matches!(*word, "at" | "on"));
        let until_circumstance =
            words.iter().take_while(|word| !follows_report(word) || is_error(word) || is_status(word));
        is_short || until_circumstance.clone().any(|word| is_plural(&word))
    }

    /// Returns `true` if the tokens begin with a duration: "120 ms".
    pub(super) fn is_duration(&self, at: usize) -> bool {
        let Some(first) = self.tokens.get(at) else { return false };
        let text = self.text[first.start..].split([' ', ',', ':', ')']).take(2).collect::<String>();
        let unit = text.trim_start_matches(|letter: char| letter.is_ascii_digit() || letter == '.');
        unit.len() < text.len() && matches!(unit, "ms" | "s" | "sec" | "secs" | "seconds" | "milliseconds")
    }

    /// Returns `true` if the text compares a number with the expected one, which is not a status: "expected 512, got 429",
    /// "must be positive, got 429".
    pub(super) fn expects_a_number(&self) -> bool {
        let is_rule = |token: &Token| matches!(token.word(), Some("must" | "should" | "wanted"));
        if self.tokens.iter().any(is_rule) {
            return true;
        }
        let is_expected = |token: &Token| token.word().is_some_and(|word| word.starts_with("expect"));
        let mut expected = self.tokens.iter().enumerate().filter(|(_, token)| is_expected(token));
        expected.any(|(at, _)| self.tokens.get(at + 1).is_some_and(|next| next.word().is_none()))
    }

    /// Returns `true` if the operating system has the number: "Unknown error 500 (os error 500)", `Os { code: 500, .. }`.
    pub(super) fn is_of_the_system(&self, number: &str) -> bool {
        let words =
            |window: &[Token]| matches!((window[0].word(), window[1].word()), (Some("os"), Some("error" | "code")));
        let code_of = |window: &[Token]| self.text.get(window[2].start..window[2].end) == Some(number);
        let tokens: Vec<_> =
            self.tokens.iter().filter(|token| !matches!(token.mark(), Some('{' | ':'))).cloned().collect();
        tokens.windows(3).any(|window| words(window) && code_of(window))
    }
}
