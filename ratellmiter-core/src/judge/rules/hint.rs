//! The time that the server asks to wait.

use std::time::{Duration, SystemTime};

use http::HeaderMap;

use super::Facts;
use crate::{
    judge::times_in_text,
    providers::{header_values, provider::Provider},
};

/// Returns the time that the server asks to wait, by the most precise evidence.
pub(super) fn hint(facts: &Facts<'_>) -> Option<Duration> {
    let Facts { evidence, body, status, now } = facts;
    let is_429 = *status == Some(429);
    let reset_header = || header_values::reset_after(&evidence.headers, *now).filter(|_| is_429);
    let window = || window_reset(&evidence.headers, *now).filter(|_| is_429);
    let point_in_time = || {
        let at = times_in_text::point_in_time(&body.message, None)?;
        Some(at.duration_since(*now).ok()?.min(header_values::MAX_WAIT))
    };
    header_values::retry_after(&evidence.headers, *now)
        .or(body.hints.wait)
        .or_else(|| evidence.hint.map(|hint| hint.min(header_values::MAX_WAIT)))
        .or_else(|| body.hints.resets_in(*now))
        .or_else(reset_header)
        .or_else(window)
        .or_else(|| times_in_text::wait(&body.message))
        .or_else(point_in_time)
}

/// Returns the time of `retry-after`. The words of a failure may be quoted.
pub(super) fn retry_after_of_header(facts: &Facts<'_>) -> Option<Duration> {
    let header = header_values::retry_after(&facts.evidence.headers, facts.now);
    header.or_else(|| facts.evidence.hint.map(|hint| hint.min(header_values::MAX_WAIT)))
}

/// Returns the time until the last of the windows ends whose quota is exhausted, by the headers of subscriptions.
pub(super) fn window_reset(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let windows = Provider::response_formats().flat_map(|format| format.windows);
    let resets = windows.filter_map(|window| {
        let state = header_values::text(headers, window.state);
        let is_spent =
            state.is_none_or(|state| state == "rejected" || state.parse().is_ok_and(|percent: f64| percent >= 100.0));
        header_values::reset(&header_values::text(headers, window.reset)?, now).filter(|_| is_spent)
    });
    resets.max()
}
