//! Times in messages: the time to wait, and the time at which a quota is refilled. Messages are in lower case.

use std::time::{Duration, SystemTime};

use crate::providers::{header_values, rfc3339};

/// Maximum number of places in a message at which a time is looked for.
const MAX_PLACES: usize = 8;

/// The words before a time to wait, the most explicit first.
const BEFORE_WAIT: &[&str] = &[
    "try again in ",
    "try again after ",
    "retry in ",
    "retry after ",
    "retry again in ",
    "retry again after ",
    "please wait ",
    "wait for ",
    "wait at least ",
    "available in ",
    "available again in ",
    "resets in ",
    "reset in ",
    "resets after ",
    "reset after ",
    "replenished in ",
    "retry-after: ",
    "retry-after ",
];

/// Words between those and the time.
const FILLERS: &[&str] = &["~", "about ", "approximately ", "around ", "another ", "at least ", "for "];

/// Returns the time to wait that a message contains: "try again in 6.702s", "please wait 33 seconds", "in 15 hours 23
/// minutes", "请在 20 秒后重试".
pub(super) fn wait(message: &str) -> Option<Duration> {
    let after = |phrase: &&str| {
        let mut places = message.match_indices(*phrase).take(MAX_PLACES);
        places.find_map(|(at, phrase)| {
            let rest = &message[at + phrase.len()..];
            // "try again in 1" is the start of a message that was cut.
            let is_cut =
                phrase.ends_with("in ") && rest.trim_end().bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
            amount(rest).filter(|_| !is_cut)
        })
    };
    let chinese = || message.match_indices('后').take(MAX_PLACES).find_map(|(at, _)| chinese_amount(&message[..at]));
    BEFORE_WAIT.iter().find_map(after).or_else(|| retry_after_field(message)).or_else(chinese)
}

/// Returns the time in a field or a header in a message: "`retry_after`: Some(7s)", "retryafter=7", "retry-after-ms: 750".
fn retry_after_field(message: &str) -> Option<Duration> {
    let mut places = message.match_indices("retry").take(MAX_PLACES);
    places.find_map(|(at, retry)| {
        let is_joint = |letter: char| matches!(letter, '_' | '-' | ' ');
        let behind = message[at + retry.len()..].trim_start_matches(is_joint).strip_prefix("after")?;
        let (unit, value) = behind.split_at(behind.find([':', '='])?);
        let is_mark = |letter: char| letter.is_whitespace() || matches!(letter, ':' | '=' | '"' | '\'' | '\\');
        let value = value.trim_start_matches(is_mark);
        let value = value.strip_prefix("some(").unwrap_or(value).trim_start_matches(is_mark);
        match unit.trim_matches(|letter| is_joint(letter) || is_mark(letter)) {
            "ms" | "millis" | "milliseconds" => {
                number(value).and_then(|(millis, _)| header_values::seconds(millis / 1e3))
            }
            "" | "s" | "secs" | "seconds" => amount(value),
            _ => None,
        }
    })
}

/// Parses one or more numbers with units: "37 seconds", "1h2m3s", "15 hours and 23 minutes". A single number without a unit
/// is in seconds.
fn amount(text: &str) -> Option<Duration> {
    let mut rest = text;
    while let Some(next) = FILLERS.iter().find_map(|filler| rest.strip_prefix(filler)) {
        rest = next;
    }
    if let Some(clock) = clock(rest) {
        return Some(clock);
    }
    let mut sum = None;
    while let Some((number, behind)) = number(rest) {
        let word = behind.trim_start_matches([' ', '-']);
        let letters = word.find(|letter: char| !letter.is_alphabetic()).unwrap_or(word.len());
        let Some(unit) = unit(&word[..letters]) else {
            let is_a_count = COUNTED.iter().any(|counted| word[..letters].starts_with(counted));
            // A year: "retry after 2026-12-01T00:00:00Z".
            let is_a_date = behind.starts_with('-') && behind[1..].starts_with(|next: char| next.is_ascii_digit());
            let sum = if is_a_count || is_a_date { sum } else { sum.or(Some(number)) };
            return sum.and_then(header_values::seconds);
        };
        sum = Some(sum.unwrap_or_default() + number * unit);
        rest = word[letters..].trim_start_matches("(s)").trim_start_matches([' ', ',']);
        rest = rest.strip_prefix("and ").unwrap_or(rest);
    }
    sum.and_then(header_values::seconds)
}

/// Parses hours, minutes and seconds: "02:03:04".
fn clock(text: &str) -> Option<Duration> {
    let end = text.find(|letter: char| !letter.is_ascii_digit() && letter != ':').unwrap_or(text.len());
    let parts: Vec<f64> = text[..end].split(':').map(str::parse).collect::<Result<_, _>>().ok()?;
    match parts[..] {
        [hours, minutes, seconds] => header_values::seconds(hours * 3600.0 + minutes * 60.0 + seconds),
        _ => None,
    }
}

/// Words behind a number that is no time: "retry after 3 attempts".
const COUNTED: &[&str] = &["request", "attempt", "call", "token", "time", "tries", "retr", "message"];

/// Splits a decimal number from the start of the text.
fn number(text: &str) -> Option<(f64, &str)> {
    let end = text.find(|letter: char| !letter.is_ascii_digit() && letter != '.').unwrap_or(text.len());
    let digits = text[..end].trim_end_matches('.');
    let number = digits.parse().ok().filter(|_| digits.starts_with(|first: char| first.is_ascii_digit()))?;
    Some((number, &text[digits.len()..]))
}

/// Returns the seconds of a unit.
fn unit(word: &str) -> Option<f64> {
    Some(match word {
        "d" | "day" | "days" => 86_400.0,
        "h" | "hr" | "hrs" | "hour" | "hours" => 3600.0,
        "m" | "min" | "mins" | "minute" | "minutes" => 60.0,
        "s" | "sec" | "secs" | "second" | "seconds" => 1.0,
        "ms" | "millis" | "millisecond" | "milliseconds" => 1e-3,
        "us" | "µs" | "μs" => 1e-6,
        "ns" => 1e-9,
        _ => return None,
    })
}

/// Parses the amount at the end of the text: "1 小时 30 分钟".
fn chinese_amount(text: &str) -> Option<Duration> {
    const UNITS: &[(&str, f64)] =
        &[("小时", 3600.0), ("分钟", 60.0), ("秒钟", 1.0), ("天", 86_400.0), ("分", 60.0), ("秒", 1.0)];
    let (mut rest, mut sum) = (text.trim_end_matches(['之', '以']), None);
    while let Some((before, unit)) =
        UNITS.iter().find_map(|(word, unit)| Some((rest.trim_end().strip_suffix(word)?.trim_end(), unit)))
    {
        let start = before.trim_end_matches(|digit: char| digit.is_ascii_digit() || digit == '.').len();
        let Some((number, "")) = number(&before[start..]) else { break };
        sum = Some(sum.unwrap_or_default() + number * unit);
        rest = &before[..start];
    }
    sum.and_then(header_values::seconds)
}

/// Returns the first point in time in a message that has a date and a time of day: "regain access on 2026-12-01 at 00:00 utc",
/// "resets at 2026-12-01t00:19:41z", "reset at 2026-11-24 21:31:39". `zone_hours` is the offset from UTC of a time without
/// a zone, which is `None` if it is not known.
pub(super) fn point_in_time(message: &str, zone_hours: Option<i64>) -> Option<SystemTime> {
    let places = message.match_indices('-').map(|(at, _)| at.saturating_sub(4));
    places.filter(|at| message.is_char_boundary(*at)).take(64).find_map(|at| timestamp(&message[at..], zone_hours))
}

fn timestamp(text: &str, zone_hours: Option<i64>) -> Option<SystemTime> {
    let date = text.get(..10)?;
    let rest = text[10..].trim_start_matches([' ', ',', 't']);
    let rest = rest.strip_prefix("at ").unwrap_or(rest);
    let end = rest.find(|letter: char| !letter.is_ascii_digit() && !matches!(letter, ':' | '.')).unwrap_or(rest.len());
    let time = rest[..end].trim_end_matches('.');
    let time = if time.len() == "00:00".len() { format!("{time}:00") } else { time.to_owned() };
    let zone = rest[end..].trim_start();
    let offset = zone.get(..6).filter(|offset| rfc3339::parse(&format!("{date}T{time}{offset}")).is_some());
    if let Some(offset) = offset {
        return rfc3339::parse(&format!("{date}T{time}{offset}"));
    }
    let utc = rfc3339::parse(&format!("{date}T{time}Z"))?;
    let is_utc = ["z", "utc", "gmt", "+0000"].iter().any(|name| zone.trim_start_matches('(').starts_with(name));
    let hours = if is_utc { 0 } else { zone_hours? };
    let offset = Duration::from_hours(hours.unsigned_abs());
    if hours < 0 { utc.checked_add(offset) } else { utc.checked_sub(offset) }
}

#[cfg(test)]
mod tests;
