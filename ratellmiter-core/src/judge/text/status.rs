//! The status in a text.
//!
//! A number is a status by its place: behind the name of a status, an error or a report of an answer ("HTTP 429", "API error
//! 429", "returned 429"), at the start, in brackets, or before the reason phrase of the status. It is none behind words that
//! speak of a status ("the page said HTTP 429", "expected 429") or before things that are counted ("429 items").

mod clauses;
mod numbers;
mod subjects;

use std::ops::Range;

use http::StatusCode;

use self::numbers::is_enhanced_code;
use super::{
    names::{self, is_name},
    vocabulary::{
        follows_report, is_between, is_code, is_error, is_filler, is_mention, is_provider, is_report, is_saying,
        is_status, is_task, is_with,
    },
    words::{Kind, Token, UNKNOWN_STATUS},
};

/// Maximum number of words that are skipped between a name and its number.
const MAX_BETWEEN: usize = 3;

/// A status, with its place in the text.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Status {
    pub(super) code: u16,
    /// The place of the number and of its reason phrase.
    pub(super) range: Range<usize>,
    /// The start of the clause.
    pub(super) clause: usize,
}

/// A text in which a status is looked for.
#[derive(Debug)]
pub(super) struct Head<'a> {
    /// The text without quotations.
    pub(super) text: &'a str,
    pub(super) tokens: &'a [Token],
    /// The start of a JSON body, if the text has one.
    pub(super) json: Option<usize>,
}

/// The words before a number.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Before {
    /// The name of a status: "HTTP 429", "status code 429".
    Status,
    /// The name of a code alone.
    Code,
    /// An error or a response: "API error 429".
    Error,
    /// The report of an answer: "returned 429".
    Report,
    /// The name of a refusal: "too many requests (429)".
    Name,
    /// Nothing: the text begins with the number.
    Start,
    /// Another clause.
    Clause,
    /// Words that speak of a status.
    Mention,
    /// Any other word.
    Other { is_proper: bool, is_plural: bool },
}

/// The text behind a number.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Behind {
    /// The end of the text, or punctuation.
    End,
    /// The reason phrase of the status, or another name of a refusal.
    Reason,
    /// Words in title case, as reason phrases have them.
    Title,
    /// A JSON body.
    Body,
    /// "429 error", "429 response".
    Error,
    /// "429 from https://…".
    Circumstance,
    /// A unit, or things that are counted.
    Count,
    Other,
}

/// Returns the number of tokens that the name of a provider has at the start of the tokens.
pub(super) fn provider_at(tokens: &[Token]) -> Option<usize> {
    let length = 1 + tokens.get(1..)?.iter().take_while(|token| token.is_glued).count();
    let name: String = tokens[..length].iter().filter_map(Token::word).collect();
    is_provider(&name).then_some(length)
}

/// Returns the first number that is a status of 400 to 599 by its place.
pub(super) fn find(head: &Head<'_>) -> Option<Status> {
    (0..head.tokens.len()).find_map(|at| head.status_at(at))
}

impl Head<'_> {
    fn status_at(&self, at: usize) -> Option<Status> {
        let token = &self.tokens[at];
        let number = self.text.get(token.start..token.end).filter(|_| token.kind == Kind::Number)?;
        let status = number.parse().ok().filter(|status| number.len() == 3 && (400..600).contains(status))?;
        let (before, first) = self.before(at, status);
        let (behind, end) = self.behind(at, status);
        let clause = self.clause_of(at);
        let is_status = self.is_free(token)
            && before != Before::Mention
            && behind != Behind::Count
            && !self.is_a_value(clause, first)
            && !self.is_a_value(self.clause_of(first), first)
            && !self.is_of_the_system(number)
            && !self.is_about_a_record(at)
            && self.is_evidence(at, status, before, behind);
        is_status.then(|| Status {
            code: status,
            range: token.start..end,
            clause: self.tokens.get(clause).map_or(token.start, |first| first.start),
        })
    }

    /// Returns `true` if the words around a number make it a status.
    fn is_evidence(&self, at: usize, status: u16, before: Before, behind: Behind) -> bool {
        let is_bracketed = self.is_bracketed(at);
        let is_first_clause = self.clause_of(at) == 0;
        let is_bare = matches!(before, Before::Start | Before::Clause | Before::Other { .. });
        if is_bare && (self.is_in_a_list(at) || self.is_member(at)) {
            return false;
        }
        match before {
            Before::Mention => false,
            Before::Status if behind == Behind::Other => !self.is_of_another_thing(at),
            Before::Status | Before::Name => true,
            Before::Error => behind != Behind::Other || !self.is_lower(at + 1) || is_first_clause,
            Before::Code => matches!(behind, Behind::Reason | Behind::Body | Behind::Title),
            Before::Report if behind == Behind::End => !self.expects_a_number(),
            Before::Report | Before::Start => behind != Behind::Other,
            Before::Clause if matches!(behind, Behind::End | Behind::Title) => {
                is_bracketed || self.is_named_behind(at, status) || self.is_behind_provider(at)
            }
            Before::Clause => matches!(behind, Behind::Reason | Behind::Body | Behind::Error),
            Before::Other { is_proper, is_plural } => match behind {
                // "user 404 not found" is no response.
                Behind::Reason => is_proper || is_bracketed || self.tokens[at + 1].is_capitalised(),
                Behind::End if self.is_named_behind(at, status) => true,
                Behind::Body => is_proper,
                Behind::End | Behind::Error => is_bracketed && is_first_clause && !is_plural,
                _ => false,
            },
        }
    }

    /// Returns `true` if the number is no part of a decimal number, a price, a path or a name.
    fn is_free(&self, token: &Token) -> bool {
        let mut before = self.text[..token.start].chars().rev();
        let is_joined = match before.next() {
            Some('-') => !before.next().is_some_and(char::is_alphabetic),
            Some(mark) => {
                matches!(mark, '.' | ',' | '/' | '#' | '+' | '~' | '@' | '%' | '$' | '€' | '£' | '^' | '*' | '\\' | '…')
            }
            None => false,
        };
        let mut behind = self.text[token.end..].chars();
        let mark = behind.next();
        let is_digit = behind.next().is_some_and(|next| next.is_ascii_digit());
        let is_continued = match mark {
            // The code of a mail server: "421 4.7.0".
            _ if is_enhanced_code(self.text[token.end..].trim_start_matches([')', ':', ' '])) => true,
            Some('.') => is_digit || self.text[token.end + 1..].starts_with(char::is_alphabetic),
            Some(',' | ':' | '\'') => is_digit,
            Some('-' | '/') => self.text[token.end + 1..].starts_with(char::is_alphanumeric),
            Some(mark) => matches!(mark, '%' | '$' | '€' | '£' | '°' | '+' | '*' | '=' | '^' | '@' | '~'),
            None => false,
        };
        !is_joined && !is_continued
    }

    /// Returns the kind of the words before a number, and the index of the first token of their group.
    fn before(&self, at: usize, status: u16) -> (Before, usize) {
        let mut first = self.skip_marks(at);
        if let Some(http) = self.http_version(first) {
            first = http + 1;
        }
        let marks: Vec<_> = self.tokens[first..at].iter().filter_map(Token::mark).collect();
        // "Assertion failed: status == 429".
        if marks.windows(2).any(|marks| marks == ['=', '=']) {
            return (Before::Mention, first);
        }
        let is_arrow = marks.contains(&'→') || marks.windows(2).any(|marks| matches!(marks, ['-' | '=', '>']));
        let mut between = 0;
        while between < MAX_BETWEEN && self.word_before(first).is_some_and(is_between) {
            first = self.skip_marks(first - 1);
            between += 1;
        }
        let Some(word) = self.word_before(first) else {
            let is_start = self.tokens[..first].iter().all(|token| token.mark().is_some());
            return (if is_start { Before::Start } else { Before::Clause }, first);
        };
        let is_after_a_call = || self.clause_of(at) >= first && is_task(word) && self.is_about_a_call(first);
        // "The server said 429".
        if is_saying(word) && self.ends_with_server(first - 1) {
            return (Before::Report, first);
        }
        if is_mention(word) && between == 0 && !is_after_a_call() {
            return (Before::Mention, first);
        }
        let mut kind = None;
        let mut group = first;
        while let Some(word) = self.word_before(group) {
            kind = match () {
                () if is_status(word) => Some(Before::Status),
                () if is_code(word) => kind.or(Some(Before::Code)),
                () if is_error(word) && kind == Some(Before::Code) => Some(Before::Status),
                () if is_error(word) => kind.or(Some(Before::Error)),
                () => break,
            };
            group -= 1;
        }
        let outside = self.tokens[..group].iter().rev().find(|token| !token.word().is_some_and(is_filler));
        let outside = outside.and_then(Token::word);
        if kind.is_some() && self.is_of_another_program(group, at) {
            return (Before::Mention, group);
        }
        if kind == Some(Before::Code) {
            let is_known =
                outside.is_none_or(|word| is_report(word) || is_with(word) || matches!(word, "api" | "http"));
            kind = if is_known || self.is_glued_to(group, "api") { Some(Before::Status) } else { kind };
        }
        let is_equation =
            self.tokens[first..at].iter().filter_map(Token::word).any(|word| matches!(word, "is" | "was"));
        let is_report = (is_report(word) && !is_equation) || self.is_sender(first, at) || self.is_request_line(first);
        let kind = kind.or_else(|| (is_arrow || is_report).then_some(Before::Report));
        let spoken_of = |outside: &str| is_mention(outside) && !self.is_about_an_error(group);
        match kind {
            Some(_) if outside.is_some_and(spoken_of) => (Before::Mention, group),
            Some(_) if self.is_with_a_status(group) => (Before::Mention, group),
            Some(kind) => (kind, group),
            None if self.is_named(at, first, status) => (Before::Name, first),
            None if self.clause_of(at) >= first => (Before::Clause, first),
            None => {
                let is_proper = match &self.tokens[first - 1].kind {
                    Kind::Word { is_capitalised, .. } => {
                        *is_capitalised && (first > 1 || self.tokens[first - 1].is_glued)
                    }
                    _ => false,
                };
                let is_plural = word.len() > 3 && word.ends_with('s') && !word.ends_with("ss");
                (Before::Other { is_proper, is_plural }, first)
            }
        }
    }

    /// Returns `true` if the number is followed by a colon and the name of a refusal: "[openai] 429: rate limit reached".
    fn is_named_behind(&self, at: usize, status: u16) -> bool {
        let reason = StatusCode::from_u16(status).ok().and_then(|status| status.canonical_reason());
        let is_named =
            |tokens: &[Token]| is_name(tokens) || reason.is_some_and(|text| names::reason(tokens, text).is_some());
        self.tokens.get(at + 1).is_some_and(|mark| matches!(mark.mark(), Some(':' | '-' | '–' | '—')))
            && is_named(&self.tokens[at + 2..])
    }

    /// Returns `true` if the words before `first` are the name of a refusal, and not of a limit: "rate limit exceeded: 429".
    fn is_named(&self, at: usize, first: usize, status: u16) -> bool {
        let reason = StatusCode::from_u16(status).ok().and_then(|status| status.canonical_reason());
        let is_event = self.is_bracketed(at) || self.word_before(first).is_some_and(|word| word.ends_with("ed"));
        (is_event && names::ends_before(self.tokens, first))
            || reason.is_some_and(|reason| names::is_reason_before(&self.tokens[..first], reason))
    }

    /// Returns the index of `HTTP`, if `HTTP/1.1` stands before `end`.
    fn http_version(&self, end: usize) -> Option<usize> {
        let version = self.tokens[..end].iter().rposition(|token| token.word().is_some())?;
        let is_version = |token: &Token| token.kind == Kind::Number || matches!(token.mark(), Some('/' | '.'));
        let is_http = self.tokens[version].word() == Some("http") && end > version + 1;
        (is_http && self.tokens[version + 1..end].iter().all(is_version)).then_some(version)
    }

    fn word_before(&self, at: usize) -> Option<&str> {
        self.tokens.get(at.checked_sub(1)?)?.word()
    }

    /// Returns the index behind the last token before `at` that is no mark between a name and its number.
    fn skip_marks(&self, at: usize) -> usize {
        let is_between = |token: &Token| {
            matches!(
                token.mark(),
                Some(':' | '：' | '=' | '(' | '（' | '[' | '\'' | '"' | '`' | '-' | '–' | '—' | '|' | '>' | '→' | '\\')
            )
        };
        self.tokens[..at].iter().rposition(|token| !is_between(token)).map_or(0, |last| last + 1)
    }

    /// Returns the kind of the text behind a number, and the position at which the number and its reason phrase end.
    fn behind(&self, at: usize, status: u16) -> (Behind, usize) {
        let end = self.tokens[at].end;
        let is_closing = |token: &&Token| matches!(token.mark(), Some(')' | '）' | ']' | '"' | '\'' | '`' | '>'));
        let closed = self.tokens[at + 1..].iter().take_while(is_closing).count();
        let next = at + 1 + closed;
        let until_json = self.json.and_then(|json| self.text.get(end..json));
        // `b'{…}'` is a string of bytes.
        let until_json = until_json.map(|between| between.trim_end_matches(['"', '\'', '\\']).trim_end_matches(" b"));
        if until_json.is_some_and(|between| !between.contains(char::is_alphanumeric)) {
            return (Behind::Body, end);
        }
        let unknown = self.text[end..].trim_start().strip_prefix(UNKNOWN_STATUS);
        if let Some(rest) = unknown {
            return (Behind::Reason, self.text.len() - rest.len());
        }
        let Some(token) = self.tokens.get(next) else { return (Behind::End, end) };
        let reason = StatusCode::from_u16(status).ok().and_then(|status| status.canonical_reason());
        let is_joined = closed == 0 && matches!(token.mark(), Some('(' | '（'));
        if let Some(length) =
            reason.filter(|_| is_joined).and_then(|text| names::reason(&self.tokens[next + 1..], text))
        {
            return (Behind::Reason, self.tokens[next + length].end);
        }
        let Some(word) = token.word() else {
            return (if token.mark().is_some() || closed > 0 { Behind::End } else { Behind::Other }, end);
        };
        let words = &self.tokens[next..];
        if let Some(length) = reason.and_then(|reason| names::reason(words, reason)) {
            return (Behind::Reason, words[length - 1].end);
        }
        if is_error(word) || is_status(word) {
            return (if self.counts(next) { Behind::Count } else { Behind::Error }, end);
        }
        if closed > 0 {
            return (if matches!(word, "is" | "are" | "has") { Behind::Other } else { Behind::End }, end);
        }
        if word == "in" && self.is_duration(next + 1) {
            // "429 in 3 s of audio".
            if self.tokens[next + 1..].iter().take(6).any(|token| token.word() == Some("of")) {
                return (Behind::Count, end);
            }
            return (Behind::Circumstance, end);
        }
        if is_name(words) {
            return (Behind::Reason, end);
        }
        // "POST /v1/messages 429 120ms".
        if self.is_duration(next) {
            return (Behind::Circumstance, end);
        }
        let is_title = matches!(token.kind, Kind::Word { is_capitalised: true, .. }) && word.len() > 3;
        match () {
            () if is_title => (Behind::Title, end),
            () if self.counts(next) => (Behind::Count, end),
            () if follows_report(word) => (Behind::Circumstance, end),
            () => (Behind::Other, end),
        }
    }

    fn is_lower(&self, at: usize) -> bool {
        matches!(self.tokens.get(at).map(|token| &token.kind), Some(Kind::Word { is_capitalised: false, .. }))
    }

    fn is_bracketed(&self, at: usize) -> bool {
        let before = at.checked_sub(1).and_then(|before| self.tokens[before].mark());
        matches!(before, Some('(' | '[' | '（' | '【'))
    }

    fn is_glued_to(&self, group: usize, word: &str) -> bool {
        self.tokens.get(group).is_some_and(|token| token.is_glued) && self.word_before(group) == Some(word)
    }
}
