//! What headers say of limits: how much there is, how much is left, and when all of it is there again.
//!
//! Nothing in here trusts its input: a header that is not understood is as if it were not there. Forms as of November
//! 2026: `x-ratelimit-*-requests` and its like (`OpenAI`, Azure, Groq), `anthropic-ratelimit-*`, the three meters of
//! Fireworks, `-req-minute` and `-tokens-minute` (Mistral), plain `x-ratelimit-*` (`OpenRouter`, Together) with
//! `x-tokenlimit-*`, and `RateLimit` with `RateLimit-Policy` of draft-ietf-httpapi-ratelimit-headers-11 and its
//! forerunners.
//!
//! Two things are no readings. A reset alone: it says when to come again, not how much there is. A limit of zero: it
//! means "not set" or "not for you", and no pace helps against either.

use std::{
    cmp::Reverse,
    time::{Duration, SystemTime},
};

use http::HeaderMap;

use crate::providers::header_values::{Policy, count, policies, reset, texts};

/// What a limit counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum LimitUnit {
    /// Calls.
    Requests,
    /// Tokens of either kind.
    Tokens,
    /// Tokens of prompts.
    InputTokens,
    /// Tokens of replies.
    OutputTokens,
}

/// Over which time it counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Period {
    /// 60 seconds.
    Minute,
    /// 24 hours.
    Day,
    /// The headers do not say, or it is some other time: only the share that remains tells something.
    Unknown,
}

impl Period {
    /// Other windows are not scaled to a minute: ten in a second are not 600 at once, and 3 left of them are not 180.
    fn window(window: Option<Duration>) -> Self {
        match window.map(|window| window.as_millis()) {
            Some(60_000) => Self::Minute,
            Some(86_400_000) => Self::Day,
            _ => Self::Unknown,
        }
    }
}

/// One limit, as the headers of one answer show it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LimitReading {
    /// What it counts.
    pub(crate) unit: LimitUnit,
    /// Over which time.
    pub(crate) per: Period,
    /// How much there is at most. Never zero.
    pub(crate) limit: Option<u64>,
    /// How much is left. Never more than the limit.
    pub(crate) remaining: Option<u64>,
    /// How long until it is whole again: not the time until the next request may go.
    pub(crate) reset: Option<Duration>,
}

impl LimitReading {
    /// Itself, if it tells anything of a limit.
    fn checked(self) -> Option<Self> {
        let tells = match (self.limit, self.remaining) {
            (Some(0), _) | (None, None) => false,
            // Without a time a limit alone is no rate, and without a rest no share.
            (Some(_), None) => self.per != Period::Unknown,
            (_, Some(_)) => true,
        };
        let most = self.limit.unwrap_or(u64::MAX);
        tells.then(|| Self { remaining: self.remaining.map(|remaining| remaining.min(most)), ..self })
    }

    /// How near it is, to compare limits of the same unit and time: what remains, or its share of the whole where
    /// nobody knows whether the times are the same.
    fn tightness(&self) -> u128 {
        let share = |remaining: u128, limit: u64| (remaining << 64).checked_div(limit.into());
        match (self.per, self.remaining.map(u128::from), self.limit) {
            (Period::Minute | Period::Day, Some(remaining), _) => remaining,
            (Period::Unknown, Some(remaining), Some(limit)) => share(remaining, limit).unwrap_or(0),
            (Period::Unknown, Some(0), None) => 0,
            _ => u128::MAX,
        }
    }

    /// Two limits of the same unit and time in one. Both bind: the lower limit, and the smaller rest with its reset.
    /// Where the time is unknown the numbers do not compare, so it is one of the two, unchanged.
    fn tightest(self, other: Self) -> Self {
        // Of two that are equally near the one that stays longer.
        let near = |reading: &Self| (reading.tightness(), Reverse(reading.reset));
        let (nearer, farther) = if near(&other) < near(&self) { (other, self) } else { (self, other) };
        if nearer.per == Period::Unknown {
            return nearer;
        }
        let limit = nearer.limit.into_iter().chain(farther.limit).min();
        Self { limit, ..nearer }.checked().unwrap_or(nearer)
    }
}

/// The three headers that tell of one limit.
#[derive(Debug, Clone, Copy)]
struct HeaderNames {
    limit: &'static str,
    remaining: &'static str,
    reset: &'static str,
}

macro_rules! names {
    ($before:literal $after:literal) => {
        HeaderNames {
            limit: concat!($before, "limit", $after),
            remaining: concat!($before, "remaining", $after),
            reset: concat!($before, "reset", $after),
        }
    };
}

/// A minute's, but a day's at Groq.
const REQUESTS: HeaderNames = names!("x-ratelimit-" "-requests");

/// The most restrictive limit of all at Anthropic, whichever that is.
const MOST_RESTRICTIVE: HeaderNames = names!("anthropic-ratelimit-tokens-" "");

/// Those that always mean the same.
const NAMES: [(LimitUnit, Period, HeaderNames); 14] = [
    (LimitUnit::Tokens, Period::Minute, names!("x-ratelimit-" "-tokens")),
    (LimitUnit::Tokens, Period::Minute, names!("x-ratelimit-" "-project-tokens")),
    (LimitUnit::Requests, Period::Minute, names!("anthropic-ratelimit-requests-" "")),
    (LimitUnit::InputTokens, Period::Minute, names!("anthropic-ratelimit-input-tokens-" "")),
    (LimitUnit::OutputTokens, Period::Minute, names!("anthropic-ratelimit-output-tokens-" "")),
    (LimitUnit::Requests, Period::Minute, names!("x-ratelimit-" "-req-minute")),
    (LimitUnit::Tokens, Period::Minute, names!("x-ratelimit-" "-tokens-minute")),
    // Fireworks: some say that these are a second's, some a minute's.
    (LimitUnit::InputTokens, Period::Unknown, names!("x-ratelimit-" "-tokens-prompt")),
    (LimitUnit::InputTokens, Period::Unknown, names!("x-ratelimit-" "-tokens-cache-adjusted-prompt")),
    (LimitUnit::OutputTokens, Period::Unknown, names!("x-ratelimit-" "-tokens-generated")),
    (LimitUnit::Requests, Period::Unknown, names!("x-ratelimit-" "")),
    (LimitUnit::Requests, Period::Unknown, names!("x-ratelimit-" "-dynamic")),
    (LimitUnit::Tokens, Period::Unknown, names!("x-tokenlimit-" "")),
    (LimitUnit::Tokens, Period::Unknown, names!("x-tokenlimit-" "-dynamic")),
];

/// No server has more policies: whatever a header lists behind them is not read.
const MOST_POLICIES: usize = 16;

/// All limits in the headers, at most one for each unit and time; where several tell of the same the tightest binds.
///
/// `requests_per_day`: `x-ratelimit-*-requests` counts a day's, as at Groq. Allocates only if there are limits.
pub(crate) fn readings(headers: &HeaderMap, now: SystemTime, requests_per_day: bool) -> Vec<LimitReading> {
    let mut found = Vec::new();
    let per = if requests_per_day { Period::Day } else { Period::Minute };
    add(&mut found, read(headers, now, LimitUnit::Requests, per, &REQUESTS));
    for (unit, per, names) in &NAMES {
        add(&mut found, read(headers, now, *unit, *per, names));
    }
    // Input and output say more than the most restrictive of both.
    if !found.iter().any(|reading| matches!(reading.unit, LimitUnit::InputTokens | LimitUnit::OutputTokens)) {
        add(&mut found, read(headers, now, LimitUnit::Tokens, Period::Minute, &MOST_RESTRICTIVE));
    }
    add_ietf(&mut found, headers, now);
    found
}

/// Adds a reading, if it tells anything, to that of the same unit and time.
fn add(found: &mut Vec<LimitReading>, reading: LimitReading) {
    let Some(reading) = reading.checked() else { return };
    match found.iter_mut().find(|other| (other.unit, other.per) == (reading.unit, reading.per)) {
        Some(other) => *other = other.tightest(reading),
        None => found.push(reading),
    }
}

/// What three headers tell; of one that is there twice the tighter.
fn read(headers: &HeaderMap, now: SystemTime, unit: LimitUnit, per: Period, names: &HeaderNames) -> LimitReading {
    LimitReading {
        unit,
        per,
        limit: least(headers, names.limit),
        remaining: least(headers, names.remaining),
        reset: latest(headers, names.reset, now),
    }
}

fn least(headers: &HeaderMap, name: &str) -> Option<u64> {
    texts(headers, name).filter_map(count).min()
}

fn latest(headers: &HeaderMap, name: &str, now: SystemTime) -> Option<Duration> {
    texts(headers, name).filter_map(|value| reset(value, now)).max()
}

/// Adds what the IETF's drafts tell of requests: policies say how much there is, items how much of that is left.
fn add_ietf(found: &mut Vec<LimitReading>, headers: &HeaderMap, now: SystemTime) {
    let list = |name| texts(headers, name).flat_map(policies).take(MOST_POLICIES);
    // Of older drafts: `RateLimit-Limit: 100, 100;w=60` is the limit that is meant, and its policies behind it.
    let older = Policy {
        quota: list("ratelimit-limit").next().and_then(|(_, limit)| limit.quota),
        remaining: least(headers, "ratelimit-remaining"),
        reset: latest(headers, "ratelimit-reset", now),
        ..Policy::default()
    };
    let stated: Vec<_> = list("ratelimit-policy").chain(list("ratelimit-limit").skip(1)).collect();
    let mut tell = |policy: &Policy, item: &Policy| {
        if policy.is_other_unit || item.is_other_unit {
            return;
        }
        let (limit, per) = (item.quota.or(policy.quota), Period::window(item.window.or(policy.window)));
        let (remaining, reset) = (item.remaining, item.reset);
        add(found, LimitReading { unit: LimitUnit::Requests, per, limit, remaining, reset });
    };
    let nothing = Policy::default();
    for (_, policy) in &stated {
        tell(policy, &nothing);
    }
    for (name, item) in list("ratelimit").chain([(String::new(), older)]) {
        // Those without a name are told apart by their quota.
        let is_of = |policy: &Policy| !name.is_empty() || policy.quota == item.quota;
        let policy = stated.iter().find(|(of, policy)| *of == name && is_of(policy));
        tell(policy.map_or(&nothing, |(_, policy)| policy), &item);
    }
}

#[cfg(test)]
mod tests;
