//! The time to wait in a field of an error.

use std::time::Duration;

use super::names::has;
use crate::judge::debug_form::{Group, Node};

/// The words in the names of fields that contain a time to wait, if its unit is known.
const WAITS: &[&str] = &["backoff", "cooldown", "delay", "wait"];

/// The words in the names of other times: settings, and times that have passed.
const OTHER_TIMES: &[&str] = &[
    "base",
    "elapsed",
    "factor",
    "initial",
    "latency",
    "max",
    "maximum",
    "min",
    "minimum",
    "multiplier",
    "timeout",
    "took",
    "total",
];

/// Returns `true` if a field contains a time that the server asks to wait. A number without a unit is none, unless the name
/// of the field is about a retry.
pub(super) fn is_hint(key: &[String], value: &Node<'_>) -> bool {
    let has_any = |words: &[&str]| words.iter().any(|word| has(key, word));
    let is_retry = has(key, "retry") && (has_any(&["after", "in"]) || has_any(WAITS));
    let is_reset = has_any(&["reset", "resets"]) && has_any(&["after", "in"]);
    let has_unit = || is_duration(value) || unit_of_name(key).is_some();
    !is_other_time(key) && (is_retry || ((has_any(WAITS) || is_reset) && has_unit()))
}

/// Returns `true` if the name of a field is that of a setting, or of a time that has passed.
pub(super) fn is_other_time(key: &[String]) -> bool {
    OTHER_TIMES.iter().any(|word| has(key, word))
}

/// Returns `true` if a value has the form of a [`Duration`].
pub(super) fn is_duration(value: &Node<'_>) -> bool {
    match value {
        Node::Word(word) => number(word).is_some_and(|(_, unit)| unit_of_duration(unit).is_some()),
        Node::Group(Group { members, .. }) => matches!(&**members, [member] if is_duration(member.value.unwrapped())),
        Node::Text(_) => false,
    }
}

/// Returns the time in a field, in the unit of the value, or else in that of the name of the field, or else in seconds. `None` for
/// a text that is no number with a unit, and for a time that is no [`Duration`].
pub(super) fn time_to_wait(key: &[String], value: &Node<'_>) -> Option<Duration> {
    let (text, default) = match value {
        Node::Word(word) => (*word, Some(1.0)),
        Node::Text(text) => (text.trim(), None),
        // A type of its own: `RetryAfter(5s)`.
        Node::Group(group) => {
            let [member] = &*group.members else { return None };
            return time_to_wait(key, member.value.unwrapped());
        }
    };
    let (number, unit) = number(text)?;
    let unit = match unit {
        "" => unit_of_name(key).or(default)?,
        unit => unit_of_duration(unit)?,
    };
    Duration::try_from_secs_f64(number * unit).ok()
}

/// Splits a number from the letters behind it.
fn number(text: &str) -> Option<(f64, &str)> {
    let digits = text.trim_end_matches(char::is_alphabetic);
    Some((digits.parse().ok()?, &text[digits.len()..]))
}

/// Returns the seconds in a unit of the `Debug` of a [`Duration`].
fn unit_of_duration(unit: &str) -> Option<f64> {
    match unit {
        "s" => Some(1.0),
        "ms" => Some(1e-3),
        "µs" => Some(1e-6),
        "ns" => Some(1e-9),
        _ => None,
    }
}

/// Returns the seconds in the unit at the end of the name of a field.
fn unit_of_name(key: &[String]) -> Option<f64> {
    match key.last()?.as_str() {
        "hours" => Some(3600.0),
        "minutes" | "mins" => Some(60.0),
        "s" | "sec" | "secs" | "seconds" => Some(1.0),
        "ms" | "millis" | "milliseconds" => Some(1e-3),
        "us" | "micros" | "microseconds" => Some(1e-6),
        "ns" | "nanos" | "nanoseconds" => Some(1e-9),
        _ => None,
    }
}
