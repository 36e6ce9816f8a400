//! Header values: durations, dates, resets and policies, in all the forms that providers send.
//!
//! The values are not trusted: a value that is not understood is `None`, and times are clamped to [`MAX_WAIT`]. Forms as of
//! November 2026: `retry-after-ms` (Azure `OpenAI`), `retry-after` in seconds, with a fraction, as a Go duration or as one of the three
//! dates of RFC 9110, `x-ratelimit-reset` in seconds (Together) or epoch milliseconds (`OpenRouter`),
//! `anthropic-ratelimit-*-reset` in RFC 3339, and the `RateLimit` field of draft-ietf-httpapi-ratelimit-headers-11 with
//! its forerunners.

use std::{
    borrow::Cow,
    time::{Duration, SystemTime},
};

use http::HeaderMap;

use crate::providers::rfc3339;

/// The longest wait that is read from a header: the days of a month.
pub(crate) const MAX_WAIT: Duration = Duration::from_hours(31 * 24);

/// The header by which a gRPC server sets the time to wait in milliseconds. Any other value forbids a retry:
/// github.com/grpc/proposal, A6-client-retries.md, 2026-11.
const PUSHBACK: &str = "grpc-retry-pushback-ms";

/// Returns the decision of the server on a retry, which it sends for the SDKs of `OpenAI` and Anthropic, or for gRPC's.
pub(crate) fn should_retry(headers: &HeaderMap) -> Option<bool> {
    match text(headers, "x-should-retry").as_deref() {
        Some("true") => Some(true),
        Some("false") => Some(false),
        _ => text(headers, PUSHBACK).filter(|pushback| number(pushback).is_none()).map(|_| false),
    }
}

/// Returns the time to wait before the next request, by `retry-after-ms`, by gRPC's pushback, or by `retry-after`.
pub(crate) fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let in_millis = |name| number(&text(headers, name)?).map(|millis| millis / 1e3).and_then(seconds);
    let millis = || in_millis("retry-after-ms").or_else(|| in_millis(PUSHBACK));
    let general = || wait(&text(headers, "retry-after")?, now);
    millis().or_else(general)
}

/// Returns the time until a request may be accepted again, by the reset headers of a refusal. `x-ratelimit-reset-requests`
/// and similar headers are not read: they hold the time until the whole limit is available again.
pub(crate) fn reset_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let exhausted = || {
        let policies = policies(&text(headers, "ratelimit")?);
        policies
            .into_iter()
            .filter(|(_, policy)| policy.remaining == Some(0))
            .filter_map(|(_, policy)| policy.reset)
            .max()
    };
    text(headers, "x-ratelimit-reset").and_then(|value| reset(&value, now)).or_else(exhausted)
}

/// One policy or one item of the IETF drafts on rate-limit headers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Policy {
    pub(crate) quota: Option<u64>,
    pub(crate) window: Option<Duration>,
    pub(crate) remaining: Option<u64>,
    pub(crate) reset: Option<Duration>,
    /// The policy counts another unit than requests.
    pub(crate) is_other_unit: bool,
}

impl Policy {
    /// Adds a parameter. Unknown and malformed ones are ignored.
    fn add_parameter(&mut self, parameter: &str) {
        let Some((key, value)) = parameter.split_once('=') else { return };
        let value = value.trim();
        let time = || number(value).and_then(seconds);
        match key.trim() {
            "q" | "limit" => self.quota = count(value).or(self.quota),
            "w" => self.window = time().or(self.window),
            "r" | "remaining" => self.remaining = count(value).or(self.remaining),
            "t" | "reset" => self.reset = time().or(self.reset),
            "qu" => self.is_other_unit = value.trim_matches('"') != "requests",
            _ => {}
        }
    }
}

/// Returns the items of a `RateLimit` or `RateLimit-Policy` field with their names: `"name";r=50;t=30` and
/// `"name";q=100;w=60`. In older drafts the names are empty: `limit=100, remaining=50, reset=30` and `100;w=60`.
pub(crate) fn policies(value: &str) -> Vec<(String, Policy)> {
    let mut single = Policy::default();
    if !value.contains('"') {
        value.split(',').for_each(|part| single.add_parameter(part));
    }
    if single != Policy::default() {
        return vec![(String::new(), single)];
    }
    let item = |item: &str| {
        let mut parts = item.split(';');
        let first = parts.next()?.trim();
        let mut policy = Policy::default();
        let name = first.strip_prefix('"').and_then(|name| name.strip_suffix('"'));
        if name.is_none() {
            policy.quota = Some(count(first)?);
        }
        parts.for_each(|part| policy.add_parameter(part));
        (policy != Policy::default()).then(|| (name.unwrap_or_default().to_owned(), policy))
    };
    value.split(',').filter_map(item).collect()
}

/// Returns the first value of a header as text.
pub(crate) fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<Cow<'a, str>> {
    headers.get(name).map(|value| decoded(value.as_bytes()))
}

/// Returns all values of a header as text.
pub(crate) fn texts<'a>(headers: &'a HeaderMap, name: &str) -> impl Iterator<Item = Cow<'a, str>> {
    headers.get_all(name).iter().map(|value| decoded(value.as_bytes()))
}

/// Decodes a value. Go's durations contain a `µ`, which is sent as UTF-8 or as the byte of Latin-1.
fn decoded(value: &[u8]) -> Cow<'_, str> {
    let value = value.trim_ascii();
    match std::str::from_utf8(value) {
        Ok(text) => text.into(),
        Err(_) => value.iter().copied().map(char::from).collect::<String>().into(),
    }
}

/// Parses a `Retry-After`: seconds, a Go duration, or a date. A date in the past is a wait of zero.
pub(crate) fn wait(value: &str, now: SystemTime) -> Option<Duration> {
    let value = value.trim();
    duration(value).or_else(|| {
        let date = httpdate::parse_http_date(value).ok()?;
        Some(date.duration_since(now).unwrap_or_default().min(MAX_WAIT))
    })
}

/// Parses a reset: epoch milliseconds, epoch seconds, seconds from now, RFC 3339 or a Go duration, distinguished by size and
/// letters.
pub(crate) fn reset(value: &str, now: SystemTime) -> Option<Duration> {
    let value = value.trim();
    let until = |epoch: Duration| {
        // A time that cannot be represented is later than the longest wait.
        let left = SystemTime::UNIX_EPOCH.checked_add(epoch).map(|at| at.duration_since(now).unwrap_or_default());
        Some(left.unwrap_or(MAX_WAIT).min(MAX_WAIT))
    };
    match number(value) {
        Some(millis) if millis >= 1e12 => until(Duration::try_from_secs_f64(millis / 1e3).unwrap_or(Duration::MAX)),
        Some(epoch) if epoch >= 1e9 => until(Duration::try_from_secs_f64(epoch).unwrap_or(Duration::MAX)),
        Some(from_now) => seconds(from_now),
        None if value.contains('T') && value.contains(':') => {
            Some(rfc3339::parse(value)?.duration_since(now).unwrap_or_default().min(MAX_WAIT))
        }
        None => duration(value),
    }
}

/// Parses seconds, or a Go duration such as `2m59.56s`. The result is rounded up to milliseconds. Negative and infinite values
/// are `None`.
pub(crate) fn duration(value: &str) -> Option<Duration> {
    let value = value.trim();
    if let Some(number) = number(value) {
        return seconds(number);
    }
    let mut rest = value;
    let mut sum = 0.0;
    while !rest.is_empty() {
        let digits = rest.find(|letter: char| !letter.is_ascii_digit() && letter != '.')?;
        let amount = number(&rest[..digits])?;
        rest = &rest[digits..];
        let letters = rest.find(|letter: char| letter.is_ascii_digit()).unwrap_or(rest.len());
        let unit = match &rest[..letters] {
            "d" => 86_400.0,
            "h" => 3600.0,
            "m" => 60.0,
            "s" => 1.0,
            "ms" => 1e-3,
            "us" | "µs" | "μs" => 1e-6,
            "ns" => 1e-9,
            _ => return None,
        };
        sum += amount * unit;
        rest = &rest[letters..];
    }
    if value.is_empty() { None } else { seconds(sum) }
}

/// Parses a decimal number without sign or exponent.
fn number(value: &str) -> Option<f64> {
    let is_plain = value.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    if is_plain { value.parse().ok() } else { None }
}

/// Parses an integer. Its fraction is dropped, since half a request cannot be sent. `None` if it exceeds `u64`.
pub(crate) fn count(value: &str) -> Option<u64> {
    number(value)?;
    value.split('.').next()?.parse().ok()
}

/// Converts seconds to a duration, rounded up to milliseconds so that no retry is early, and clamped.
pub(crate) fn seconds(seconds: f64) -> Option<Duration> {
    // A billionth of a second is a rounding error of the sum.
    let millis = (seconds * 1e3 - 1e-6).ceil().max(0.0);
    if millis.is_nan() {
        return None;
    }
    // The clamped value is far below the range in which a float loses milliseconds.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss)]
    Some(Duration::from_millis(millis.min(MAX_WAIT.as_millis() as f64) as u64))
}

#[cfg(test)]
mod tests;
