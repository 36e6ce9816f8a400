//! Evidence in the fields of an error, which its derived `Debug` shows: the status, the headers and the time to wait.
//!
//! It serves types that no adapter knows, of any version. The names of fields decide, as the names of methods would: the
//! expansion of the attribute cannot call `error.status()`, since a method of this name with arguments or type parameters
//! would be a compile error.

mod hint;
mod names;
mod status;

use std::{
    borrow::Cow,
    fmt::Debug,
    time::{Duration, SystemTime},
};

use http::{HeaderMap, HeaderName, HeaderValue, header::RETRY_AFTER};
use serde_json::{Map, Value, json};

use self::{
    hint::{is_duration, is_hint, is_other_time, time_to_wait},
    names::{ends_with, has, words},
    status::{find_statuses, has_no_response},
};
use super::{
    Evidence,
    body::{Body, object_in},
    debug_form::{self, Group, Member, Node},
    judge,
    truncated::{MAX_TEXT_BYTES, truncated},
    verdict::Verdict,
};

/// The last words of the names of fields that contain a message.
const MESSAGES: &[&str] = &["body", "detail", "details", "error", "message", "msg", "reason", "text"];

/// The last words of the names of fields that contain a code.
const CODES: &[&str] = &["code", "status", "type"];

/// Maximum number of messages that are read.
const MAX_MESSAGES: usize = 16;

/// The evidence in the fields of an error.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Fields {
    /// The status of a failed response, and the number of values around it.
    pub(super) status: Option<(u16, usize)>,
    hint: Option<Duration>,
    headers: HeaderMap,
    /// The body of an error.
    json: Option<String>,
    /// The machine-readable code and type of the error.
    codes: Map<String, Value>,
    /// One of them is beside a message, as in the bodies of the providers.
    has_coded_message: bool,
    /// One of them is the name of a variant or a kind.
    has_named_refusal: bool,
    /// The messages beside the status.
    texts: Vec<String>,
}

impl Fields {
    /// Reads the fields of an error. Returns `None` if its `Debug` is not in the derived form.
    pub(super) fn of<E: Debug + ?Sized>(error: &E) -> Option<Self> {
        Self::read(&truncated(format_args!("{error:?}"), MAX_TEXT_BYTES))
    }

    /// Reads the fields in a text, if it is a structure in the format of `Debug`.
    pub(super) fn of_text(text: &str) -> Option<Self> {
        debug_form::read(text).and_then(|_| Self::read(text))
    }

    fn read(text: &str) -> Option<Self> {
        let Some(root) = debug_form::read(text) else {
            // A variant without fields. A text with spaces or quotes is none, although its last word may be the name of one.
            let is_path = text.chars().all(|letter| letter.is_alphanumeric() || matches!(letter, '_' | ':'));
            let mut fields = Self::default();
            return (is_path && fields.add_name(text, false)).then_some(fields);
        };
        let mut found = Vec::new();
        find_statuses(&root, &mut Vec::new(), &mut found);
        let nearest = found.iter().map(|(_, path)| path.len()).min();
        let mut nearest = found.iter().filter(|(_, path)| Some(path.len()) == nearest);
        let first = nearest.next();
        if nearest.any(|(status, _)| Some(status) != first.map(|(status, _)| status)) {
            // It is unknown which of them is the response's.
            return None;
        }
        let mut fields = Self::default();
        match first {
            Some((status, path)) => {
                fields.status = Some((*status, path.len()));
                let (owner, around) = path.split_last()?;
                fields.add(owner, true);
                around.iter().rev().for_each(|group| fields.add(group, false));
            }
            None => fields.add(&root, true),
        }
        Some(fields)
    }

    /// Adds the members of a group, and those of the groups inside if it `is_owner` of the status.
    fn add(&mut self, group: &Group<'_>, is_owner: bool) {
        let has_text = |names: &[&str]| {
            let is_text = |member: &Member<'_>| matches!(member.value.unwrapped(), Node::Text(_));
            group.members.iter().any(|member| names.contains(&&*member.key) && is_text(member))
        };
        if is_owner {
            let has_duration = group.members.iter().any(|member| is_duration(member.value.unwrapped()));
            let is_refusal = self.add_name(group.name, has_duration);
            if let ([Member { key, value }], true) = (&*group.members, is_refusal && has_duration)
                && !is_other_time(&words(key))
            {
                self.hint = self.hint.or_else(|| time_to_wait(&[], value.unwrapped()));
            }
        }
        self.has_coded_message |= has_text(CODES) && has_text(MESSAGES);
        for Member { key, value } in &group.members {
            let (key, value) = (words(key), value.unwrapped());
            // The request may quote anything.
            if has(&key, "request") || has(&key, "prompt") {
                continue;
            }
            if has(&key, "headers") {
                self.add_headers(value);
                continue;
            }
            if is_hint(&key, value) {
                self.add_hint(&key, value);
                continue;
            }
            match value {
                Node::Text(text) => self.add_text(&key, text),
                Node::Group(inner) if is_owner && !is_request(inner) => self.add(inner, true),
                Node::Word(word)
                    if ends_with(&key, &["code", "error", "kind", "reason", "source", "status", "type"]) =>
                {
                    self.add_name(word, true);
                }
                _ => {}
            }
        }
    }

    /// Adds the name of a variant, if it names a refusal: `RateLimited`, `TooManyRequests`, and `RateLimit` if it `is_event`: it has a duration, or is the
    /// kind of an error. Returns `true` if it does.
    fn add_name(&mut self, name: &str, is_event: bool) -> bool {
        let words = words(name);
        let is_refusal = match &*words.iter().map(String::as_str).collect::<Vec<_>>() {
            ["rate", "limited" | "limiting"] | ["too", "many", "requests"] | ["overloaded" | "throttled"] => true,
            ["rate", "limit", event] => matches!(*event, "exceeded" | "reached" | "hit" | "error"),
            ["rate", "limit"] => is_event,
            _ => false,
        };
        if is_refusal {
            self.has_named_refusal = true;
            let code = if words == ["throttled"] { "rate_limited".to_owned() } else { words.join("_") };
            self.codes.entry("code").or_insert_with(|| code.into());
        }
        is_refusal
    }

    /// Adds a text of the response: its body, a code of the error, or its message.
    fn add_text(&mut self, key: &[String], text: &str) {
        if text.starts_with('{') && Body::read(text).is_error {
            self.json.get_or_insert_with(|| text.to_owned());
        } else if let Some(name) = key.last().filter(|_| ends_with(key, CODES)) {
            self.codes.entry(name).or_insert_with(|| text.into());
        } else if self.texts.len() < MAX_MESSAGES && (key.is_empty() || ends_with(key, MESSAGES)) {
            self.texts.push(text.to_owned());
        }
    }

    fn add_hint(&mut self, key: &[String], value: &Node<'_>) {
        match (time_to_wait(key, value), value) {
            (Some(time), _) => self.hint = self.hint.or(Some(time)),
            // In the forms of the header.
            (None, Node::Text(text)) => self.add_header(RETRY_AFTER.as_str(), text),
            _ => {}
        }
    }

    /// Adds the headers of a map, or of a list of pairs.
    fn add_headers(&mut self, headers: &Node<'_>) {
        let Node::Group(headers) = headers else { return };
        for Member { key, value } in &headers.members {
            match value {
                Node::Text(value) if !key.is_empty() => self.add_header(key, value),
                Node::Group(group) => match &*group.members {
                    // The values of one name.
                    [Member { value: Node::Text(value), .. }, ..] if !key.is_empty() => self.add_header(key, value),
                    [Member { value: Node::Text(name), .. }, Member { value: Node::Text(value), .. }] => {
                        self.add_header(name, value);
                    }
                    _ => {}
                },
                _ => {}
            }
        }
    }

    fn add_header(&mut self, name: &str, value: &str) {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
            self.headers.entry(name).or_insert(value);
        }
    }

    /// Adds the fields to the evidence in the `text` of the same error, which outranks them.
    pub(super) fn complete(self, mut evidence: Evidence<'_>) -> Evidence<'_> {
        let status = self.status.map(|(status, _)| status);
        match (evidence.status, status) {
            (Some(of_text), Some(status)) if of_text != status => return evidence,
            (None, Some(_)) => evidence.status = status,
            _ => {}
        }
        evidence.hint = evidence.hint.or(self.hint);
        if evidence.headers.is_empty() {
            evidence.headers = Cow::Owned(self.headers);
        }
        if let Some(json) = self.json
            && evidence.body.as_deref().is_none_or(|body| object_in(body).is_none())
        {
            evidence.body = Some(json.into());
        }
        evidence
    }

    /// Returns `true` if the fields contain a status, or else a known code with a message.
    pub(super) fn are_refusal_or_failure(&self) -> bool {
        let is_known = || {
            let body = json!({ "error": self.codes }).to_string();
            judge(&Evidence::new().body(body), SystemTime::now()) != Verdict::Failed
        };
        self.status.is_some() || ((self.has_coded_message || self.has_named_refusal) && is_known())
    }

    /// Returns the evidence of the fields with the `text` of the same error, or `None` if they are neither a status nor a known
    /// code.
    pub(super) fn evidence(mut self, text: &str) -> Option<Evidence<'static>> {
        if !self.are_refusal_or_failure() {
            return None;
        }
        let body = object_in(text).filter(|body| Body::read(body).is_error).map(str::to_owned);
        let body = body.or_else(|| self.json.take()).unwrap_or_else(|| self.message(text));
        let evidence = Evidence { hint: self.hint, headers: Cow::Owned(self.headers), ..Evidence::new() };
        Some(Evidence { status: self.status.map(|(status, _)| status), ..evidence.body(body) })
    }

    /// Returns the body of an error with the codes and messages of the fields, and the `text` of the error.
    fn message(&self, text: &str) -> String {
        let texts = self.texts.iter().filter(|part| !text.contains(&***part));
        let all = texts.fold(text.to_owned(), |all, part| format!("{all} {part}"));
        // The reason phrase of the status does not show which limit was reached.
        let message = all.replace("Too Many Requests", "");
        if self.codes.is_empty() {
            return message;
        }
        let mut error = self.codes.clone();
        error.insert("message".to_owned(), message.into());
        json!({ "error": error }).to_string()
    }
}

/// Returns `true` if a text is a structure in the format of `Debug` whose name shows that its numbers are no statuses of a
/// response: the error of a system, such as `Os { code: 500, .. }`, or a condition, such as `Expected { status: 429 }`.
pub(super) fn is_structure_without_response(text: &str) -> bool {
    debug_form::read(text).is_some_and(|root| has_no_response(&root))
}

/// Returns `true` if a group is a request that a client keeps in its error.
fn is_request(group: &Group<'_>) -> bool {
    words(group.name) == ["request"] && group.members.iter().any(|member| member.key == "method")
}

#[cfg(test)]
mod tests;
