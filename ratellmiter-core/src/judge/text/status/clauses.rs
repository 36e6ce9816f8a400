//! The clauses of a text: their bounds, and the subject of the clause before a status or a body.

use super::Head;
use crate::judge::text::{
    vocabulary::{
        is_content, is_error, is_reading, is_recording, is_server, is_speech, is_status, is_task, is_written,
    },
    words::Token,
};

impl Head<'_> {
    /// Returns the index of the first token of the clause with the token at `at`.
    pub(in crate::judge::text) fn clause_of(&self, at: usize) -> usize {
        (1..=at).rev().find(|at| self.ends_clause(at - 1)).unwrap_or(0)
    }

    /// Returns `true` if the token ends a clause: the end of a line, a semicolon, a brace, or a colon before a space.
    pub(in crate::judge::text) fn ends_clause(&self, at: usize) -> bool {
        let token = &self.tokens[at];
        match token.mark() {
            Some('\n' | ';' | '；' | '{' | '}' | '：') => true,
            Some(':') => !self.text[token.end..].starts_with(|next: char| next.is_alphanumeric() || next == '/'),
            _ => false,
        }
    }

    /// Returns `true` if the clause that begins at `at` is behind one that begins with the name of an error: "Error in the API: …".
    pub(in crate::judge::text) fn is_behind_error(&self, at: usize) -> bool {
        let Some(end) = at.checked_sub(1).filter(|end| self.ends_clause(*end)) else { return false };
        self.tokens[self.clause_of(end)].word().is_some_and(is_error)
    }

    /// Returns `true` if the clause with the token before `end` is about a call that failed: "could not translate the page: HTTP 429".
    pub(super) fn is_about_a_call(&self, end: usize) -> bool {
        let start = self.clause_of(end.saturating_sub(1));
        let words = || self.tokens[start..end].iter().filter_map(Token::word);
        words().next().is_some_and(|word| word.ends_with("ing"))
            || words().zip(words().skip(1)).any(|pair| matches!(pair, ("failed", "to") | ("could" | "can", "not")))
            || words().any(|word| word == "cannot")
    }

    /// Returns the end of the application's own words, behind which it quotes the text of a model or of a user: "failed to parse
    /// the answer: ..". `None` if it quotes none.
    pub(in crate::judge::text) fn quotes_from(&self) -> Option<usize> {
        let ends = (0..self.tokens.len())
            .filter(|at| matches!(self.tokens[*at].mark(), Some(':' | '：')) && self.ends_clause(*at));
        ends.map(|end| (self.clause_of(end), end)).find_map(|(start, end)| {
            let words = || self.tokens[start..end].iter().filter_map(Token::word);
            let is_quoting = words().any(is_reading) && words().any(is_written);
            is_quoting.then(|| self.tokens[end].end)
        })
    }

    /// Returns `true` if the clause with the token at `at` is about a record of a call: "failed to save the job with status 429".
    pub(super) fn is_about_a_record(&self, at: usize) -> bool {
        let start = self.clause_of(at);
        let words: Vec<_> = self.tokens[start..at].iter().filter_map(Token::word).take(4).collect();
        let verbs = match &words[..] {
            ["failed", "to", verbs @ ..] | ["could" | "can", "not", verbs @ ..] | ["cannot", verbs @ ..] => verbs,
            _ => &[],
        };
        match verbs {
            [verb, object, ..] => is_recording(verb) || (*verb == "read" && *object == "cached"),
            verbs => verbs.iter().any(|verb| is_recording(verb)),
        }
    }

    /// Returns `true` if the JSON behind the tokens is a value that the last clause calls invalid, and no response: "invalid tool
    /// arguments: {…}".
    pub(in crate::judge::text) fn is_invalid_json(&self) -> bool {
        let Some(end) = self.tokens.len().checked_sub(1).filter(|end| self.ends_clause(*end)) else { return false };
        let words = || self.tokens[self.clause_of(end)..end].iter().filter_map(Token::word);
        words().any(|word| matches!(word, "no" | "not") || word.starts_with("invalid"))
            && words().any(|word| is_content(word) || word.starts_with("argument"))
            && !words().any(|word| is_error(word) || is_status(word) || (is_server(word) && word != "model"))
    }

    /// Returns `true` if the clause before the one at `clause` calls something invalid or is about a text, and this clause
    /// is its value: "invalid value: 429 Too Many Requests", "the page said: 429". `first` is the first token of the words before the status.
    pub(in crate::judge::text) fn is_a_value(&self, clause: usize, first: usize) -> bool {
        let Some(end) = clause.checked_sub(1).filter(|_| first >= clause) else { return false };
        let start = self.clause_of(end);
        let words = || self.tokens[start..end].iter().filter_map(Token::word);
        // "Invalid response from the server: HTTP 429" is no value.
        let is_invalid =
            |(word, next): (&str, &str)| word.starts_with("invalid") && !is_error(next) && !is_status(next);
        let pairs = words().zip(words().skip(1).chain([""]));
        let is_text = |word: &str| is_speech(word) && !(is_task(word) && self.is_about_a_call(end));
        pairs.take(2).any(is_invalid) || words().next_back().is_some_and(is_text)
    }
}
