//! Codes and sentences of servers in a text without a status.

use http::StatusCode;

use super::{
    names,
    status::{Head, provider_at},
    vocabulary::{
        is_code, is_error, is_event_of_a_limit, is_filler, is_mention, is_predicate, is_report, is_server, is_speech,
        is_status,
    },
    words::Token,
};
use crate::{
    judge::times_in_text,
    providers::{
        error_signs::{Meaning, Sign},
        provider::Provider,
    },
};

/// Maximum distance in bytes of a server's sentence from the start of its clause.
const MAX_OFFSET: usize = 16;

/// Maximum number of words in a clause that is the name of a refusal.
const MAX_WORDS: usize = 4;

/// Returns the code of a refusal at the start of a text, by its place: behind "code", "status" or "error", or as a clause of its
/// own behind that of an error.
pub(super) fn find(head: &Head<'_>) -> Option<String> {
    let tokens = head.tokens;
    (0..tokens.len()).filter(|at| !tokens[*at].is_glued && tokens[*at].word().is_some()).find_map(|at| {
        let place = Place::of(head, at);
        let code = names::code(&tokens[at..])?;
        let is_code = match place {
            _ if is_checked(head, at) => false,
            Place::Key => is_identifier(tokens, at) || is_quoted(tokens, at) || ends_soon(head, at),
            Place::Error => ends_soon(head, at) || is_identifier(tokens, at) && stands_alone(head, at),
            Place::Clause => is_identifier(tokens, at) && is_event(tokens, at) && stands_alone(head, at),
            Place::Other => false,
        };
        is_code.then_some(code)
    })
}

/// Returns `true` if the identifier at `at` is a value that an application checks, or a path: "`rate_limited` is not one of ..",
/// "`rate_limit.burst` must be ..".
fn is_checked(head: &Head<'_>, at: usize) -> bool {
    let next = at + 1 + head.tokens[at + 1..].iter().take_while(|token| token.is_glued).count();
    let is_path = head.tokens.get(next).is_some_and(|mark| {
        mark.mark() == Some('.') && head.text[mark.end..].starts_with(|next: char| next.is_alphabetic())
    });
    let behind = head.tokens[next..].iter().find(|token| !matches!(token.mark(), Some('\'' | '"' | '`')));
    is_path || behind.and_then(Token::word).is_some_and(is_predicate)
}

/// Returns the code in brackets at the end of a text: "(code: `rate_limit_exceeded`)".
pub(super) fn at_end(text: &str, tokens: &[Token]) -> Option<String> {
    let end = tokens.iter().rposition(|token| token.mark() == Some(')')).filter(|end| end + 1 == tokens.len())?;
    let start = tokens[..end].iter().rposition(|token| token.mark() == Some('('))?;
    let key = tokens.get(start + 1)?.word().filter(|key| is_code(key) || is_key(key))?;
    let colon = tokens.get(start + 2).filter(|mark| matches!(mark.mark(), Some(':' | '=')))?;
    let code = text.get(colon.end..tokens[end].start).map(str::trim)?;
    let is_identifier = !key.is_empty() && !code.contains(char::is_whitespace);
    names::code(&tokens[start + 3..end]).filter(|_| is_identifier).map(|_| code.to_lowercase())
}

/// Returns the start of a server's sentence that names a quota or its load; or of the words of a rate limit, if the text contains
/// a time to wait. It is at the start of the text or of the clause behind that of an error, maybe behind the name of a server.
pub(super) fn sentence(text: &str, head: &Head<'_>) -> Option<usize> {
    let starts = (0..head.tokens.len()).filter(|at| head.tokens[*at].word().is_some());
    let is_start = |at: &usize| {
        *at == 0
            || Place::of(head, *at) == Place::Error
            || head.is_behind_error(*at)
            || (head.clause_of(*at) == *at && is_behind_answer(head, *at))
    };
    let behind_sender = |at: usize| [at, at + sender_at(&head.tokens[at..])];
    let mut starts = starts.filter(is_start).flat_map(behind_sender).filter_map(|at| Some(head.tokens.get(at)?.start));
    let is_sentence = |start: usize| begins_with_sentence(&head.text[start..], text, start > 0);
    starts.find(|start| is_sentence(*start))
}

/// Returns `true` if a clause of `text` begins with the sentence of a server. `is_behind_answer` if other clauses show that it is
/// about a server.
pub(super) fn begins_with_sentence(clause: &str, text: &str, is_behind_answer: bool) -> bool {
    let clause = clause.to_lowercase();
    Provider::error_signs().any(|(sign, meaning)| match sign {
        // "Insufficient credits" alone may be the application's own.
        Sign::Phrase(phrase) if meaning == Meaning::Money && !is_behind_answer && !phrase.contains("you") => false,
        Sign::Phrase(phrase) | Sign::PhraseUnless(phrase, _) => clause.find(phrase).is_some_and(|at| at <= MAX_OFFSET),
        Sign::Start(words) => clause.starts_with(words) && times_in_text::wait(&text.to_lowercase()).is_some(),
        _ => false,
    })
}

/// Returns the code of a refusal that the whole text is, or its last clause behind one about an error or an answer: "rate limited",
/// "request failed: Too Many Requests", "`OpenAI` rate limit exceeded". A quota in words is none, since disks have quotas as well.
pub(super) fn whole_clause(text: &str, head: &Head<'_>) -> Option<String> {
    let first_clause = || Some((0, &head.tokens[..(0..head.tokens.len()).find(|at| head.ends_clause(*at))?]));
    let last = last_clause(text, head)?;
    name_of_clause(last).or_else(|| name_of_clause(first_clause()?))
}

/// Returns the code of a refusal that a clause is, from its index and its tokens.
fn name_of_clause((start, clause): (usize, &[Token])) -> Option<String> {
    // "Throttled" is a report as well.
    let name = clause.get(sender_at(clause)..).filter(|name| !name.is_empty()).unwrap_or(clause);
    let is_counted =
        name.first().and_then(Token::word).is_some_and(|word| matches!(word, "request" | "requests" | "tokens"));
    let name = &name[usize::from(is_counted)..];
    let words: Vec<_> = name.iter().map_while(Token::word).collect();
    let end = name.get(words.len()).and_then(Token::mark);
    let is_whole = end.is_none_or(|mark| start == 0 && matches!(mark, ',' | ';' | '.' | '(' | '-' | '–' | '—'));
    let is_name = match words[..] {
        // "rate limit reached for gpt-4o": the name of a model has other marks.
        ["rate", "limit", event, "for", ..] => is_event_of_a_limit(event),
        _ if !is_whole => false,
        ["rate", "limit", event] => is_event_of_a_limit(event),
        ["rate", "limited"]
        | ["rate", "limited", "us"]
        | ["too", "many", "requests"]
        | ["overloaded" | "throttled"] => true,
        ["rate", "limited", "by", ..] => is_server(words[words.len() - 1]) || provider_at(&name[3..]).is_some(),
        // `insufficient_quota`
        [_, ..] => {
            start == 0
                && end.is_none()
                && name[1..].iter().all(|word| word.is_glued)
                && Provider::is_code(&words.join("_"))
        }
        [] => false,
    };
    names::code(name).filter(|_| is_name)
}

/// Returns the status whose reason phrase is the whole text, or its last clause behind one about an error or an answer: "Service
/// Unavailable". Of the statuses of requests it is that of payment only, since other phrases are errors of any program.
pub(super) fn status_of_reason(text: &str, head: &Head<'_>) -> Option<u16> {
    let (start, name) = last_clause(text, head)?;
    // "service unavailable" alone may be the application's own.
    name.first().filter(|first| start > 0 || first.is_capitalised())?;
    let is_reason = |status: &u16| {
        let phrase = StatusCode::from_u16(*status).ok().and_then(|status| status.canonical_reason());
        phrase.is_some_and(|phrase| names::reason(name, phrase) == Some(name.len()))
    };
    (500..600).chain([402]).find(is_reason)
}

/// Returns the last clause, without the marks at its end, and the index of its first token; if it is the whole text, or behind
/// a clause about an error or an answer.
fn last_clause<'a>(text: &str, head: &Head<'a>) -> Option<(usize, &'a [Token])> {
    if head.text.len() != text.len() {
        return None;
    }
    let end = 1 + head.tokens.iter().rposition(|token| !matches!(token.mark(), Some('.' | '!' | '\n')))?;
    let start = head.clause_of(end - 1);
    (start == 0 || is_behind_answer(head, start)).then(|| (start, &head.tokens[start..end]))
}

/// Returns `true` if the clauses before the one at `start` are about an error or an answer: "request failed: ..", "`OpenAI`: ..".
fn is_behind_answer(head: &Head<'_>, start: usize) -> bool {
    let is_about_a_server =
        |word: &str| is_error(word) || is_report(word) || is_server(word) || word.parse::<Provider>().is_ok();
    let before = &head.tokens[..start];
    let mut words = before.iter().filter_map(Token::word);
    !head.is_a_value(start, start)
        && !words.clone().any(is_speech)
        && (words.any(is_about_a_server) || provider_at(before).is_some())
}

/// Returns the number of tokens at the start that name the sender of a refusal: "`OpenAI`", "we are being".
fn sender_at(tokens: &[Token]) -> usize {
    let mut at = 0;
    while let Some(first) = tokens.get(at).and_then(Token::word) {
        let is_sender = is_server(first) || is_report(first) || matches!(first, "we" | "you" | "being");
        let Some(length) = provider_at(&tokens[at..]).or_else(|| (is_sender || is_filler(first)).then_some(1)) else {
            break;
        };
        at += length;
    }
    at
}

/// The place of a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// Behind "code" or "status".
    Key,
    /// Behind the name of an error and a colon or a bracket.
    Error,
    /// The start of the text or of a clause, or behind "type", "kind" or "reason".
    Clause,
    Other,
}

impl Place {
    fn of(head: &Head<'_>, at: usize) -> Self {
        let tokens = head.tokens;
        let marks = tokens[..at].iter().rev().take_while(|token| token.mark().is_some()).count();
        let word = at - marks;
        let (Some(before), marks) = (word.checked_sub(1), &tokens[word..at]) else {
            return Self::Clause;
        };
        let name = tokens[before].word().unwrap_or_default();
        let outside = tokens[..before].iter().rev().find_map(Token::word);
        let is_mentioned = outside.is_some_and(is_mention);
        let is_joined =
            marks.is_empty() || marks.iter().any(|mark| matches!(mark.mark(), Some(':' | '=' | '(' | '[' | '\'')));
        let is_new_clause = marks.iter().any(|mark| matches!(mark.mark(), Some(':' | '\n' | ';' | '{')));
        match () {
            () if is_mentioned && !is_new_clause => Self::Other,
            () if (is_code(name) || is_status(name)) && is_joined => Self::Key,
            () if is_key(name) && is_joined => Self::Clause,
            () if is_error(name) && is_joined && !marks.is_empty() => Self::Error,
            () if is_new_clause && !head.is_a_value(at, at) => Self::Clause,
            () => Self::Other,
        }
    }
}

fn is_key(name: &str) -> bool {
    matches!(name, "type" | "kind" | "reason")
}

/// Returns `true` if the word begins an identifier of several words, or is in upper case: `RESOURCE_EXHAUSTED`.
fn is_identifier(tokens: &[Token], at: usize) -> bool {
    tokens.get(at + 1).is_some_and(|next| next.is_glued)
}

/// Returns `true` if an identifier is the name of an event, and not of a field: `RateLimitError` and `rate_limit_exceeded`, but not
/// `rate_limit`.
fn is_event(tokens: &[Token], at: usize) -> bool {
    let length = 1 + tokens[at + 1..].iter().take_while(|token| token.is_glued).count();
    let words = &tokens[at..at + length];
    let is_past = words.last().and_then(Token::word).is_some_and(|word| word.ends_with("ed") || is_error(word));
    is_past || words.iter().all(Token::is_capitalised)
}

fn is_quoted(tokens: &[Token], at: usize) -> bool {
    at.checked_sub(1).is_some_and(|before| matches!(tokens[before].mark(), Some('\'' | '"' | '`')))
}

/// Returns `true` if the words up to the next mark are few.
fn ends_soon(head: &Head<'_>, at: usize) -> bool {
    head.tokens[at..].iter().take_while(|token| token.word().is_some()).count() <= MAX_WORDS
}

/// Returns `true` if an identifier is followed by a mark, or by the end of the text.
fn stands_alone(head: &Head<'_>, at: usize) -> bool {
    let length = 1 + head.tokens[at + 1..].iter().take_while(|token| token.is_glued).count();
    head.tokens.get(at + length).is_none_or(|next| next.mark().is_some())
}
