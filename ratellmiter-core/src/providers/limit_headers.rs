//! The limits that response headers show: the limit, the remaining amount, and when the whole limit is available again.
//!
//! Header values are not trusted: a value that is not understood is ignored. The forms, as of November 2026: the names in
//! the [catalog](super::catalog); `x-ratelimit-*-requests` of `OpenAI`, Azure and Groq; `RateLimit` with `RateLimit-Policy`
//! of draft-ietf-httpapi-ratelimit-headers-11, and of its predecessors.
//!
//! A reset alone is not a reading, since it shows no amount. Neither is a limit of zero: it means that the limit is not
//! set, or that the account has none, and no pace helps against either.

use std::time::{Duration, SystemTime};

use http::HeaderMap;

use super::{
    header_values::{Policy, count, policies, reset, texts},
    limit_reading::{LimitReading, LimitUnit, Period},
    provider::Provider,
    response_format::{LimitHeaders, limit_headers},
};

/// The requests a minute of `OpenAI` and Azure, or a day of Groq.
const REQUESTS: LimitHeaders = limit_headers!(Requests, Minute, "x-ratelimit-", "-requests");

/// Maximum number of policies read from one kind of header.
const MAX_POLICIES: usize = 16;

/// Returns all limits in the headers, at most one for each unit and period. If several headers show the same limit, the
/// tightest counts.
///
/// `requests_per_day` is `true` if `x-ratelimit-*-requests` shows the limit of a day, as with Groq. Allocates only if there
/// are limits.
pub(crate) fn readings(headers: &HeaderMap, now: SystemTime, requests_per_day: bool) -> Vec<LimitReading> {
    let mut found = Vec::new();
    let period = if requests_per_day { Period::Day } else { Period::Minute };
    add(&mut found, read(headers, now, &LimitHeaders { period, ..REQUESTS }));
    for names in Provider::response_formats().flat_map(|format| format.limit_headers) {
        add(&mut found, read(headers, now, names));
    }
    if !found.iter().any(|reading| matches!(reading.unit, LimitUnit::InputTokens | LimitUnit::OutputTokens)) {
        for names in Provider::response_formats().flat_map(|format| format.combined_limit_headers) {
            add(&mut found, read(headers, now, names));
        }
    }
    add_ietf(&mut found, headers, now);
    found
}

/// Adds a reading that shows a limit, merged with that of the same unit and period.
fn add(found: &mut Vec<LimitReading>, reading: LimitReading) {
    let Some(reading) = reading.checked() else { return };
    match found.iter_mut().find(|other| (other.unit, other.per) == (reading.unit, reading.per)) {
        Some(other) => *other = other.tightest(reading),
        None => found.push(reading),
    }
}

/// Reads the three headers of one limit. If a header is repeated, its tightest value counts.
fn read(headers: &HeaderMap, now: SystemTime, names: &LimitHeaders) -> LimitReading {
    LimitReading {
        unit: names.unit,
        per: names.period,
        limit: smallest(headers, names.limit),
        remaining: smallest(headers, names.remaining),
        reset: latest(headers, names.reset, now),
    }
}

fn smallest(headers: &HeaderMap, name: &str) -> Option<u64> {
    texts(headers, name).filter_map(|value| count(&value)).min()
}

fn latest(headers: &HeaderMap, name: &str, now: SystemTime) -> Option<Duration> {
    texts(headers, name).filter_map(|value| reset(&value, now)).max()
}

/// Adds the limits on requests that the headers of the IETF drafts show: policies show limits, items show the remaining
/// amounts.
fn add_ietf(found: &mut Vec<LimitReading>, headers: &HeaderMap, now: SystemTime) {
    let list = |name| texts(headers, name).flat_map(|value| policies(&value)).take(MAX_POLICIES);
    // Older drafts: in `RateLimit-Limit: 100, 100;w=60` the first value is the limit in force, and its policies follow.
    let older = Policy {
        quota: list("ratelimit-limit").next().and_then(|(_, limit)| limit.quota),
        remaining: smallest(headers, "ratelimit-remaining"),
        reset: latest(headers, "ratelimit-reset", now),
        ..Policy::default()
    };
    let stated: Vec<_> = list("ratelimit-policy").chain(list("ratelimit-limit").skip(1)).collect();
    let mut add_item = |policy: &Policy, item: &Policy| {
        if policy.is_other_unit || item.is_other_unit {
            return;
        }
        let (limit, per) = (item.quota.or(policy.quota), Period::of_window(item.window.or(policy.window)));
        let (remaining, reset) = (item.remaining, item.reset);
        add(found, LimitReading { unit: LimitUnit::Requests, per, limit, remaining, reset });
    };
    let empty = Policy::default();
    for (_, policy) in &stated {
        add_item(policy, &empty);
    }
    for (name, item) in list("ratelimit").chain([(String::new(), older)]) {
        // Items without a name belong to the policy with the same quota.
        let is_of = |policy: &Policy| !name.is_empty() || policy.quota == item.quota;
        let policy = stated.iter().find(|(of, policy)| *of == name && is_of(policy));
        add_item(policy.map_or(&empty, |(_, policy)| policy), &item);
    }
}

#[cfg(test)]
mod tests;
