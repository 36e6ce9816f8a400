//! The status of a failed response among the fields of an error.

use super::names::{ends_with, has, words};
use crate::{
    judge::debug_form::{Group, Member, Node},
    providers::provider::Provider,
};

/// The words in the names of types and of variants that hold a failed response.
const RESPONSES: &[&str] = &["api", "http", "llm", "response", "status"];

/// The words in the names of statuses that are compared with that of a response.
const CONDITIONS: &[&str] = &["accepted", "allowed", "expected", "ignored", "retryable", "wanted"];

/// A status, and the groups around it from the outermost.
pub(super) type Found<'a> = (u16, Vec<&'a Group<'a>>);

/// Finds the values that are statuses of failed responses.
pub(super) fn find_statuses<'a>(group: &'a Group<'a>, path: &mut Vec<&'a Group<'a>>, found: &mut Vec<Found<'a>>) {
    let name = words(group.name);
    if is_no_response(&name) {
        return;
    }
    path.push(group);
    // `Api`, `HttpError`, `BadStatus`, `ErrorResponse`, `OpenAiError`, but not `HttpPort`.
    let is_response = (RESPONSES.iter().any(|word| has(&name, word)) || is_of_provider(&name))
        && ends_with(&name, &["api", "code", "error", "failure", "http", "response", "status"]);
    for (index, Member { key, value }) in group.members.iter().enumerate() {
        let (is_first, key) = (key.is_empty() && index == 0, words(key));
        if is_condition(&key) {
            continue;
        }
        let is_named = has(&key, "status") || (has(&key, "http") && ends_with(&key, &["code"]));
        let is_status = (is_named && ends_with(&key, &["code", "status"]) && !has(&key, "exit"))
            || (is_response && (is_first || key == ["code"]));
        match status(value.unwrapped()) {
            Some(status) if is_status => found.push((status, path.clone())),
            _ => {
                if let Node::Group(inner) = value {
                    find_statuses(inner, path, found);
                }
            }
        }
    }
    path.pop();
}

/// Returns `true` if the words before the last one are the name of a provider.
fn is_of_provider(name: &[String]) -> bool {
    name.split_last().is_some_and(|(_, words)| words.concat().parse::<Provider>().is_ok())
}

/// Returns `true` if a group is the error of a system or a condition, alone or in variants with no other member:
/// `Io(Os { code: 500, .. })`.
pub(super) fn has_no_response(group: &Group<'_>) -> bool {
    is_no_response(&words(group.name))
        || matches!(&*group.members, [Member { value: Node::Group(inner), .. }] if has_no_response(inner))
}

/// Returns `true` if the words are the name of a status of something else: of a process, of the system, or of a condition.
fn is_no_response(name: &[String]) -> bool {
    has(name, "exit") || has(name, "wait") || name == ["os"] || is_condition(name)
}

fn is_condition(name: &[String]) -> bool {
    CONDITIONS.iter().any(|word| has(name, word))
}

fn status(value: &Node<'_>) -> Option<u16> {
    let text = match value {
        Node::Word(text) => text,
        // With its reason: `429 Too Many Requests`.
        Node::Text(text) => text.split(' ').next().unwrap_or_default(),
        Node::Group(_) => return None,
    };
    text.parse().ok().filter(|status| (400..600).contains(status))
}
