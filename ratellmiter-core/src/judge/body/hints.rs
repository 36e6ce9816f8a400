//! The times in the fields of an error.

use std::time::{Duration, SystemTime};

use serde_json::Value;

use crate::providers::{header_values, rfc3339};

/// Fields with the time to wait, in seconds or as a duration: Google, Replicate, `OpenRouter`, Hugging Face.
const WAITS: &[&str] = &[
    "retryDelay",
    "retry_delay",
    "retry_after",
    "retry-after",
    "retryAfter",
    "retry_after_seconds",
    "retryAfterSeconds",
    "retry_after_secs",
    "estimated_time",
];

/// Fields with the time to wait in milliseconds.
const WAITS_MILLIS: &[&str] = &["retry_after_ms", "retryAfterMs"];

/// Fields with the time until a quota is refilled: plans of `ChatGPT`, Code Assist.
const RESETS_IN: &[&str] =
    &["resets_in_seconds", "reset_in_seconds", "resets_in", "reset_in", "reset_after_seconds", "quotaResetDelay"];

/// Fields with the point in time at which a quota is refilled, as an epoch or in RFC 3339.
const RESETS_AT: &[&str] = &["resets_at", "reset_at", "resetsAt", "resetAt", "quotaResetTimeStamp"];

/// The times in the fields of an error.
#[derive(Debug, Default)]
pub(crate) struct BodyHints {
    /// The time to wait.
    pub(crate) wait: Option<Duration>,
    /// The time until a quota is refilled.
    resets_in: Option<Duration>,
    /// The point in time at which a quota is refilled.
    resets_at: Option<SystemTime>,
    /// The same, by a header that is copied into the body, in any form.
    reset_header: Option<String>,
}

impl BodyHints {
    /// Adds the times in the fields of an object that are not known yet.
    pub(super) fn add(&mut self, object: &Value) {
        let first = |keys: &[&str]| keys.iter().find_map(|key| duration(object.get(key)?));
        self.wait = self.wait.or_else(|| first(WAITS)).or_else(|| first(WAITS_MILLIS).map(|millis| millis / 1000));
        self.resets_in = self.resets_in.or_else(|| first(RESETS_IN));
        self.resets_at = self.resets_at.or_else(|| RESETS_AT.iter().find_map(|key| point_in_time(object.get(key)?)));
    }

    /// Adds the headers of a response that are copied into the body.
    pub(super) fn add_headers(&mut self, headers: Option<&Value>) {
        for (name, value) in headers.and_then(Value::as_object).into_iter().flatten() {
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            match name.to_ascii_lowercase().as_str() {
                "retry-after" => self.wait = self.wait.or_else(|| header_values::duration(&text)),
                "x-ratelimit-reset" => self.reset_header = Some(text),
                _ => {}
            }
        }
    }

    /// Adds the times of a body inside this one. They are closer to the server that refused the call, and win.
    pub(super) fn or(&mut self, nested: Self) {
        self.wait = nested.wait.or(self.wait);
        self.resets_in = nested.resets_in.or(self.resets_in);
        self.resets_at = nested.resets_at.or(self.resets_at);
        self.reset_header = nested.reset_header.or_else(|| self.reset_header.take());
    }

    /// Returns the time until the quota is refilled.
    pub(crate) fn resets_in(&self, now: SystemTime) -> Option<Duration> {
        let at = self.resets_at.map(|at| at.duration_since(now).unwrap_or_default().min(header_values::MAX_WAIT));
        at.or(self.resets_in).or_else(|| header_values::reset(self.reset_header.as_deref()?, now))
    }
}

/// Parses a number of seconds, a duration, or an object with `seconds`.
fn duration(value: &Value) -> Option<Duration> {
    match value {
        Value::Number(number) => number.as_f64().filter(|seconds| *seconds >= 0.0).and_then(header_values::seconds),
        Value::String(text) => header_values::duration(text),
        Value::Object(_) => duration(value.get("seconds").filter(|seconds| !seconds.is_object())?),
        _ => None,
    }
}

fn point_in_time(value: &Value) -> Option<SystemTime> {
    let epoch = match value {
        Value::Number(number) => number.as_f64()?,
        Value::String(text) => match text.parse() {
            Ok(epoch) => epoch,
            Err(_) => return rfc3339::parse(text),
        },
        _ => return None,
    };
    let seconds = if epoch >= 1e12 { epoch / 1e3 } else { epoch };
    let since_epoch = Duration::try_from_secs_f64(seconds).ok().filter(|epoch| epoch.as_secs() >= 1_000_000_000)?;
    SystemTime::UNIX_EPOCH.checked_add(since_epoch)
}
