//! Quotas that a wait of seconds does not refill, and the time at which they are refilled.

use std::time::{Duration, SystemTime};

use super::{Facts, hint::window_reset, limit_kind::long_period, meaning::Signs};
use crate::{
    judge::{LimitKind, Verdict, times_in_text},
    providers::{error_signs::Meaning, header_values},
};

/// The shortest hint that is believed to be the end of an exhausted quota.
const MIN_HINT: Duration = Duration::from_mins(1);

/// The same for the quota of a day, beside which Google sends seconds.
const MIN_HINT_OF_DAY: Duration = Duration::from_mins(10);

const DAY: Duration = Duration::from_hours(24);

/// Returns the verdict on an exhausted quota, if the failure is about one.
pub(super) fn exhausted(facts: &Facts<'_>, signs: &Signs, hint: Option<Duration>) -> Option<Verdict> {
    let body = &facts.body;
    let is_refusal = matches!(facts.status, None | Some(402 | 429 | 503 | 529));
    // A limit or an overload with the code of an exhausted quota.
    let is_other = is_refusal && (signs.limit().is_some() || signs.has(Meaning::Overload));
    let is_unpaid = facts.status == Some(402) && !facts.has_explicit_wait();
    let limit = if is_unpaid || (signs.has(Meaning::Money) && !is_other) {
        LimitKind::Billing
    } else if signs.has(Meaning::Quota) && !is_other {
        LimitKind::Unknown
    } else if signs.has(Meaning::Day) && !is_other {
        long_period(body).unwrap_or(LimitKind::Daily)
    } else if is_refusal && body.has_code(&["resource_exhausted"]) && body.message_contains(&["limit: 0,", "limit: 0 "])
    {
        // Gemini: the account's tier has no such quota.
        LimitKind::Unknown
    } else {
        return None;
    };
    let min_hint = if limit == LimitKind::Daily { MIN_HINT_OF_DAY } else { MIN_HINT };
    let hint = hint.filter(|hint| *hint >= min_hint);
    let resumes_at = facts.resumes_at(signs.zone_hours, hint).or_else(|| {
        let starts_at = signs.day_starts_at.filter(|_| limit == LimitKind::Daily)?;
        next_hour_of_day(starts_at, facts.now)
    });
    Some(Verdict::QuotaExhausted { resumes_at, limit })
}

impl Facts<'_> {
    /// Returns the verdict on an exhausted quota that only the words show.
    pub(super) fn exhausted_quota(&self, limit: LimitKind) -> Verdict {
        Verdict::QuotaExhausted { resumes_at: self.resumes_at(None, None), limit }
    }

    /// `OpenRouter` sends 402 for credit that is reserved by calls in flight, with a wait.
    fn has_explicit_wait(&self) -> bool {
        header_values::retry_after(&self.evidence.headers, self.now).is_some()
            || self.body.hints.wait.is_some()
            || self.body.has_code(&["in_flight"])
    }

    /// Returns the time at which the quota is refilled, by the most explicit evidence.
    fn resumes_at(&self, zone_hours: Option<i64>, hint: Option<Duration>) -> Option<SystemTime> {
        let in_text =
            || times_in_text::point_in_time(&self.body.message, zone_hours).filter(|resumes_at| *resumes_at > self.now);
        let by_field = self.body.hints.resets_in(self.now).and_then(|wait| self.now.checked_add(wait));
        let by_window = || self.now.checked_add(window_reset(&self.evidence.headers, self.now)?);
        let by_hint = || self.now.checked_add(hint?);
        by_field.or_else(in_text).or_else(by_window).or_else(by_hint)
    }
}

/// Returns the next time at which the day has this hour in UTC.
fn next_hour_of_day(hour: u64, now: SystemTime) -> Option<SystemTime> {
    let since_epoch = now.duration_since(SystemTime::UNIX_EPOCH).ok()?.as_secs();
    let (day, hour) = (DAY.as_secs(), hour * 3600);
    let today = since_epoch / day * day + hour;
    let next = if today > since_epoch { today } else { today + day };
    SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(next))
}
