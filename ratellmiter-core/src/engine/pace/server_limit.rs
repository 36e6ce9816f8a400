//! One limit as reported by response headers.
//!
//! A reported limit can only lower the configured one. If less than a tenth of it remains, the remainder is paced until the
//! reset, for at most one minute and at no less than a tenth of the rate. Other clients may use the same account, so headers are
//! only a hint: a limit below a hundredth of the configured one is implausible and ignored.

use std::time::Duration;

use crate::judge::{LimitReading, Period};

/// A limit below the configured one divided by this is implausible.
const MIN_LIMIT_DIVISOR: u64 = 100;
/// A remainder below the limit divided by this is paced, at no less than that.
const LOW_DIVISOR: u64 = 10;
/// Longest time over which a remainder is paced.
const MAX_THROTTLE: Duration = Duration::from_mins(1);
/// Resets that are closer than this are ignored.
const MIN_THROTTLE: Duration = Duration::from_secs(2);
/// Time until the reset if the headers do not show it.
const DEFAULT_RESET: Duration = Duration::from_secs(10);

#[derive(Debug, Default)]
pub(crate) struct ServerLimit {
    /// The reported limit, if it is lower than the configured one.
    limit: Option<u64>,
    /// The lowered rate a minute, and when it ends.
    throttle: Option<(u64, Duration)>,
    /// When the latest call was sent whose response was applied.
    last_sent_at: Duration,
    /// Usage that the server counts, and when it was reported.
    counted: Option<(u64, Duration)>,
}

impl ServerLimit {
    /// Applies the headers of the response to a call that was sent at `at`. `later` is the usage of later calls, which the server
    /// may not have counted. Returns `false` if the reported limit is implausible.
    pub(crate) fn apply_header(
        &mut self,
        now: Duration,
        at: Duration,
        reading: &LimitReading,
        limits: Configured,
        later: u64,
    ) -> bool {
        self.counted = match (reading.limit, reading.remaining, reading.per) {
            (Some(limit), Some(remaining), Period::Minute) => Some((limit.saturating_sub(remaining), now)),
            _ => None,
        };
        if at < self.last_sent_at {
            // Headers of a later call were applied before.
            return true;
        }
        self.last_sent_at = at;
        let Configured { limit: configured, rounded } = limits;
        let mut plausible = true;
        if reading.per != Period::Unknown
            && let Some(limit) = reading.limit
        {
            plausible = limit >= configured.div_ceil(MIN_LIMIT_DIVISOR);
            self.limit = Some(limit).filter(|limit| plausible && *limit < configured);
        }
        let full = self.limit(configured);
        let left = match (reading.remaining, reading.limit, reading.per) {
            // The unit or the period is unknown, so only the fraction is used.
            (Some(remaining), Some(limit), Period::Unknown) => Some(scaled(full, remaining, limit)),
            (Some(remaining), _, Period::Minute) => Some(remaining),
            _ => None,
        };
        let time = reading.reset.unwrap_or(DEFAULT_RESET).min(MAX_THROTTLE);
        let is_low = |left: &u64| plausible && *left < full / LOW_DIVISOR && time >= MIN_THROTTLE;
        self.throttle = left.filter(is_low).map(|left| {
            let left = left.saturating_sub(rounded / 2).saturating_sub(later);
            let millis = u64::try_from(time.as_millis()).unwrap_or(60_000);
            (scaled(left, 60_000, millis).max(full / LOW_DIVISOR), now + time)
        });
        plausible
    }

    /// Returns the limit in force.
    pub(crate) fn limit(&self, configured: u64) -> u64 {
        self.limit.map_or(configured, |limit| limit.min(configured)).max(1)
    }

    /// Returns the rate in force, a minute.
    pub(crate) fn pace(&self, now: Duration, configured: u64) -> u64 {
        let limit = self.limit(configured);
        self.throttle.filter(|(_, until)| *until > now).map_or(limit, |(pace, _)| pace.min(limit)).max(1)
    }

    /// Returns the usage that the server counts, if headers applied at `now` report it.
    pub(crate) fn counted(&self, now: Duration) -> Option<u64> {
        self.counted.filter(|(_, at)| *at == now).map(|(counted, _)| counted)
    }

    /// Returns when the lowered rate ends, or `None` if the rate is not lowered.
    pub(crate) fn rises_at(&self) -> Option<Duration> {
        self.throttle.map(|(_, until)| until)
    }

    /// Discards a lowered rate that has ended. Returns `true` if there was one.
    pub(crate) fn advance_to(&mut self, now: Duration) -> bool {
        self.throttle.take_if(|(_, until)| *until <= now).is_some()
    }
}

/// The configured limit, and the multiple to which the reported remainder is rounded.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Configured {
    pub(crate) limit: u64,
    pub(crate) rounded: u64,
}

/// Returns `amount * numerator / denominator`.
fn scaled(amount: u64, numerator: u64, denominator: u64) -> u64 {
    let exact = u128::from(amount) * u128::from(numerator) / u128::from(denominator.max(1));
    u64::try_from(exact).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
