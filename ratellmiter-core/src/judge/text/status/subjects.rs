//! The subject of a status: a server or a request, another program, or a thing that is no response.

use super::Head;
use crate::judge::text::{
    status::provider_at,
    vocabulary::{
        is_between, is_code, is_error, is_filler, is_other_program, is_provider, is_report, is_server, is_status,
        is_subprocess, is_with,
    },
    words::Token,
};

impl Head<'_> {
    /// Returns `true` if the words before `first` are a provider at the start of a clause, or a server and a colon: "Groq 429",
    /// "the API: 429".
    pub(super) fn is_sender(&self, first: usize, at: usize) -> bool {
        let is_colon = self.tokens[first..at].iter().any(|token| token.mark() == Some(':'));
        let is_server = self.word_before(first).is_some_and(|word| is_server(word) && word != "model");
        let start = self.clause_of(first.saturating_sub(1));
        let is_other = self.tokens[start..first].iter().filter_map(Token::word).any(is_other_program);
        // "API 500: internal".
        let is_colon =
            is_colon || (first == start + 1 && self.tokens.get(at + 1).is_some_and(|mark| mark.mark() == Some(':')));
        (is_server && is_colon && !is_other)
            || provider_at(&self.tokens[start..first]).is_some_and(|length| length == first - start)
    }

    /// Returns `true` if the words before `first` are a request, as in the log of a server: "POST /v1/messages 429".
    pub(super) fn is_request_line(&self, first: usize) -> bool {
        let text = self.tokens.get(first).map_or(self.text, |token| &self.text[..token.start]).trim_end();
        let before = text
            .rsplit_once(char::is_whitespace)
            .filter(|(_, path)| path.starts_with('/'))
            .map_or(text, |(before, _)| before);
        let method = before.split_whitespace().next_back().unwrap_or_default();
        matches!(method, "GET" | "POST" | "PUT" | "PATCH" | "DELETE" | "HEAD")
    }

    /// Returns `true` if the words before `end` are a server or a provider at the end of a clause: "the server", "`OpenAI`".
    pub(super) fn ends_with_server(&self, end: usize) -> bool {
        let is_server = self.word_before(end).is_some_and(|word| is_server(word) && word != "model");
        let start = self.clause_of(end.saturating_sub(1));
        is_server || (start..end).any(|at| provider_at(&self.tokens[at..end]).is_some_and(|length| at + length == end))
    }

    /// Returns `true` if the clause before the number ends with a provider: "error communicating with `OpenAI`: 429".
    pub(super) fn is_behind_provider(&self, at: usize) -> bool {
        let Some(end) = self.clause_of(at).checked_sub(1) else { return false };
        let clause = &self.tokens[self.clause_of(end.saturating_sub(1))..end];
        self.ends_with_server(end) && !clause.iter().filter_map(Token::word).any(is_other_program)
    }

    /// Returns `true` for "sqlite error code 503", "exited with code 500" and `Os { code: 500 }`.
    pub(super) fn is_of_another_program(&self, group: usize, at: usize) -> bool {
        let is_between = |token: &&Token| match token.word() {
            Some(word) => is_filler(word) || is_with(word),
            None => matches!(token.mark(), Some('{' | '(')),
        };
        let mut before = self.tokens[..group].iter().rev().skip_while(is_between);
        let is_program = |token: &Token| token.word().is_some_and(is_other_program);
        let clause = &self.tokens[self.clause_of(group.saturating_sub(1)).min(group)..group];
        // "error code: 500 (SQLITE_CORRUPT)"
        let is_named_behind = self.tokens[at + 1..].first().is_some_and(|mark| mark.mark() == Some('('))
            && self.tokens.get(at + 2).is_some_and(is_program);
        is_named_behind
            || before.next().is_some_and(is_program)
            || clause.iter().any(|token| self.is_subprocess(token))
            || self.is_code_of_another_error(group)
    }

    /// Returns `true` for the name of a subprocess, but not for a model such as "command-r".
    fn is_subprocess(&self, token: &Token) -> bool {
        token.word().is_some_and(is_subprocess) && !self.text[token.end..].starts_with('-')
    }

    /// Returns `true` for "database error: code: 500": the clause before the code names another program.
    fn is_code_of_another_error(&self, group: usize) -> bool {
        let Some(end) = group.checked_sub(1).filter(|end| self.ends_clause(*end)) else { return false };
        let mut words = self.tokens[self.clause_of(end)..end].iter().rev().filter_map(Token::word);
        self.tokens[group].word().is_some_and(is_code)
            && words.next().is_some_and(is_error)
            && words.next().is_some_and(is_other_program)
    }

    /// Returns `true` if the status is that of a thing which is no response: "job status 429 unknown", "variable `HTTP_429` not set".
    pub(super) fn is_of_another_thing(&self, at: usize) -> bool {
        let is_name = |token: &&Token| token.word().is_some_and(|word| is_status(word) || is_code(word));
        let name = self.tokens[..at].iter().rev().take_while(is_name).count();
        let Some(outside) = self.word_before(at - name).filter(|_| name > 0) else { return false };
        let is_http = self.tokens[at - name..at].iter().any(|token| token.word() == Some("http"));
        let is_thing = !is_error(outside)
            && !is_report(outside)
            && !is_between(outside)
            && !is_server(outside)
            && !is_provider(outside);
        is_thing && self.is_lower(at - name - 1) && (!is_http || self.tokens[at].is_glued)
    }

    /// Returns `true` for "an error of status 429" and "because of HTTP 429".
    pub(super) fn is_about_an_error(&self, group: usize) -> bool {
        let mut words = self.tokens[..group].iter().rev().map_while(Token::word).filter(|word| !is_filler(word));
        matches!(words.next(), Some("of" | "on" | "for" | "in"))
            && words.next().is_some_and(|word| is_error(word) || is_report(word) || word == "because")
    }

    /// Returns `true` for "pages with status 429": the thing has the status, and nothing reported it.
    pub(super) fn is_with_a_status(&self, group: usize) -> bool {
        let mut words = self.tokens[..group]
            .iter()
            .rev()
            .map_while(Token::word)
            .filter(|word| !matches!(*word, "a" | "an" | "the"));
        words.next() == Some("with")
            && words.next().is_some_and(|word| !is_report(word) && !word.ends_with("ed") && !is_error(word))
    }
}
