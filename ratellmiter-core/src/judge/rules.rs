//! The rules that turn evidence into a verdict. Facts as of November 2026, from the providers' documentation unless marked.
//!
//! The order matters. Billing and exhausted quotas come before the status, since providers send 429 for them too. A daily
//! quota comes before the delay beside it, which samples show to be seconds. The status comes before the message.

use std::time::{Duration, SystemTime};

use super::{
    body::{Body, retry_after_in_text},
    evidence::Evidence,
    verdict::{LimitKind, Verdict},
};
use crate::providers::{header_values, provider::Provider, rfc3339};

#[cfg(test)]
thread_local! {
    /// Number of verdicts by this thread.
    pub(crate) static JUDGED: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
}

/// Returns the verdict on an outcome. `now` is used only for dates in headers.
#[must_use]
pub fn judge(evidence: &Evidence<'_>, now: SystemTime) -> Verdict {
    #[cfg(test)]
    JUDGED.with(|judged| judged.set(judged.get() + 1));
    let mut body = evidence.body.as_deref().map(Body::read).unwrap_or_default();
    body.codes.extend(evidence.code.as_deref().map(str::to_lowercase));
    if let Some(kind) = header_values::text(&evidence.headers, "x-amzn-errortype") {
        // Bedrock: `ThrottlingException:http://...`.
        body.codes.push(kind.split(':').next().unwrap_or_default().to_lowercase());
    }
    let status = match evidence.status {
        // OpenAI's Responses and OpenRouter report errors in successful responses.
        Some(200..300) if !body.is_error => return Verdict::Success,
        Some(200..300) | None => body.status,
        status => status,
    };
    let hint = || hint(evidence, &body, status, now);
    let refused = || Verdict::RateLimited { retry_after: hint(), limit: scope(&body) };

    if let Some(verdict) = exhausted_quota(&body, status, evidence, now) {
        return verdict;
    }
    if header_values::text(&evidence.headers, "x-should-retry") == Some("false") {
        // Sent for the SDKs of OpenAI and Anthropic.
        return Verdict::Failed;
    }
    if body.has_code(&["slow_down"]) {
        return Verdict::RateLimited { retry_after: hint(), limit: LimitKind::Growth };
    }
    match status {
        // OpenRouter sends 402 with a wait for credit reserved by calls in flight. Without a wait it is judged above.
        Some(402 | 429) => daily_limit(&body, hint()).unwrap_or_else(refused),
        Some(503 | 529) => Verdict::Overloaded { retry_after: hint() },
        None if body.has_code(&["overloaded", "server_is_overloaded", "unavailable", "serviceunavailable"]) => {
            Verdict::Overloaded { retry_after: hint() }
        }
        None if body.has_code(&[
            "rate_limit",
            "too_many_requests",
            "resource_exhausted",
            "throttling",
            "capacity_exceeded",
        ]) =>
        {
            daily_limit(&body, hint()).unwrap_or_else(refused)
        }
        _ => Verdict::Failed,
    }
}

impl Body {
    /// Returns `true` if a code contains one of `words`.
    fn has_code(&self, words: &[&str]) -> bool {
        self.codes.iter().any(|code| words.iter().any(|word| code.contains(word)))
    }

    fn message_contains(&self, words: &[&str]) -> bool {
        words.iter().any(|word| self.message.contains(word))
    }
}

/// Returns the verdict on a quota that a wait of seconds does not refill, if the refusal is about one.
fn exhausted_quota(body: &Body, status: Option<u16>, evidence: &Evidence<'_>, now: SystemTime) -> Option<Verdict> {
    let exhausted = |limit| Some(Verdict::QuotaExhausted { resumes_at: quota_resets_at(&body.message), limit });
    if Provider::response_formats().any(|format| body.has_code(format.exhausted_quota_codes))
        || body.has_code(&["insufficient_balance"])
    {
        return exhausted(LimitKind::Billing);
    }
    // Anthropic reports spend limits with 400 and with 429.
    if matches!(status, Some(400 | 429) | None)
        && Provider::response_formats().any(|format| body.message_contains(format.exhausted_quota_phrases))
    {
        return exhausted(LimitKind::Billing);
    }
    let has_wait = header_values::retry_after(&evidence.headers, now).is_some() || body.has_code(&["in_flight"]);
    if status == Some(402) && !has_wait {
        return exhausted(LimitKind::Billing);
    }
    if !matches!(status, Some(429) | None) {
        return None;
    }
    // Gemini: the violated quota, or the code in newer bodies.
    if body.quotas.iter().any(|quota| quota.contains("perday"))
        || body.codes.iter().any(|code| code == "quota_exceeded")
    {
        return exhausted(LimitKind::Daily);
    }
    // Gemini: the account's tier has no such quota.
    if body.has_code(&["resource_exhausted"]) && body.message_contains(&["limit: 0,", "limit: 0 "]) {
        return exhausted(LimitKind::Unknown);
    }
    None
}

/// Returns the verdict on a daily limit that the message names, if it does. Without a hint the quota is exhausted.
fn daily_limit(body: &Body, hint: Option<Duration>) -> Option<Verdict> {
    if scope(body) != LimitKind::Daily {
        return None;
    }
    Some(match hint {
        Some(hint) => Verdict::RateLimited { retry_after: Some(hint), limit: LimitKind::Daily },
        None => Verdict::QuotaExhausted { resumes_at: None, limit: LimitKind::Daily },
    })
}

/// Returns the time that the server asks to wait, by the most precise evidence.
fn hint(evidence: &Evidence<'_>, body: &Body, status: Option<u16>, now: SystemTime) -> Option<Duration> {
    let reset = || header_values::reset_after(&evidence.headers, now).filter(|_| status == Some(429));
    header_values::retry_after(&evidence.headers, now)
        .or(body.retry_delay)
        .or_else(|| evidence.hint.map(|hint| hint.min(header_values::MAX_WAIT)))
        .or_else(reset)
        .or_else(|| retry_after_in_text(&body.message))
}

/// Returns the kind of limit that a refusal is about, by the message, the codes and the exceeded quotas.
fn scope(body: &Body) -> LimitKind {
    let (code, quota) =
        (|words: &[&str]| body.has_code(words), |word: &str| body.quotas.iter().any(|quota| quota.contains(word)));
    if body.message_contains(&["(rpd)", "(tpd)", "per day", "per-day", "daily"]) {
        LimitKind::Daily
    } else if body.message_contains(&["acceleration", "too quickly", "burst rate"]) || code(&["burst_rate"]) {
        LimitKind::Growth
    } else if body.message_contains(&["concurren"]) || code(&["concurren"]) {
        LimitKind::Concurrency
    } else if body.message_contains(&["input token", "prompt token"]) || quota("inputtoken") {
        LimitKind::InputTokens
    } else if body.message_contains(&["output token", "generated token", "completion token"]) {
        LimitKind::OutputTokens
    } else if code(&["token"]) || quota("token") || body.message_contains(&["(tpm)", "token"]) {
        LimitKind::Tokens
    } else if body.codes.iter().any(|code| code == "requests" || code.contains("request_limit"))
        || quota("request")
        || body.message_contains(&["(rpm)", "requests per", "too many requests", "request rate limit"])
    {
        LimitKind::Requests
    } else {
        LimitKind::Unknown
    }
}

/// Reads the time from "You will regain access on 2026-12-01 at 00:00 UTC" (Anthropic), in lower case.
fn quota_resets_at(message: &str) -> Option<SystemTime> {
    let (_, rest) = message.split_once("regain access on ")?;
    let mut words = rest.split_whitespace();
    let (date, at, time, zone) = (words.next()?, words.next()?, words.next()?, words.next()?);
    if at != "at" || zone.trim_end_matches('.') != "utc" {
        return None;
    }
    rfc3339::parse(&format!("{date}T{time}:00Z"))
}

#[cfg(test)]
mod tests;
