//! What the server's headers say of one limit, as far as it is believed.
//!
//! Headers only ever lower: to the limit that they show, and, where little is left, to what spreads the rest over the time
//! until it is whole again. What they show is a moment of an account that others may use as well, so it is taken as a
//! hint: a limit of less than a hundredth of the configured one is not believed, and what is left is never spread to less
//! than a tenth of the rate, nor for more than a minute.

use std::time::Duration;

use crate::judge::{LimitReading, Period};

/// Less than this part of the configured limit is not believed.
const MIN_LIMIT_DIVISOR: u64 = 100;
/// Little is less than this part of the limit; the rate is never lowered to less than this part of it.
const LOW_DIVISOR: u64 = 10;
/// What is left is spread over no more time.
const MAX_THROTTLE: Duration = Duration::from_mins(1);
/// Nor over less: it is whole again before anybody could be late.
const MIN_THROTTLE: Duration = Duration::from_secs(2);
/// Where the headers do not say when the limit is whole again.
const DEFAULT_RESET: Duration = Duration::from_secs(10);

/// What the server says of one limit.
#[derive(Debug, Default)]
pub(crate) struct ServerLimit {
    /// The limit that it shows, where it is below the configured one.
    limit: Option<u64>,
    /// At most so many a minute, until then.
    throttle: Option<(u64, Duration)>,
    /// When the call went whose answer was read last.
    last_sent_at: Duration,
    /// What the server counted, and when that was read.
    counted: Option<(u64, Duration)>,
}

impl ServerLimit {
    /// Reads what the answer to a call that went at `at` shows. `out` is what our own calls took after it, which the server
    /// may not have counted, `rounded` what remains is rounded to. `false`: it is not believed.
    pub(crate) fn apply_header(
        &mut self,
        now: Duration,
        at: Duration,
        reading: &LimitReading,
        limits: Configured,
        out: u64,
    ) -> bool {
        self.counted = match (reading.limit, reading.remaining, reading.per) {
            (Some(limit), Some(remaining), Period::Minute) => Some((limit.saturating_sub(remaining), now)),
            _ => None,
        };
        if at < self.last_sent_at {
            // The answer to a later call has been read already.
            return true;
        }
        self.last_sent_at = at;
        let Configured { limit: configured, rounded } = limits;
        let mut believed = true;
        if reading.per != Period::Unknown
            && let Some(limit) = reading.limit
        {
            believed = limit >= configured.div_ceil(MIN_LIMIT_DIVISOR);
            self.limit = Some(limit).filter(|limit| believed && *limit < configured);
        }
        let full = self.limit(configured);
        let left = match (reading.remaining, reading.limit, reading.per) {
            // Another unit, or another time: only the part counts.
            (Some(remaining), Some(limit), Period::Unknown) => Some(scaled(full, remaining, limit)),
            (Some(remaining), _, Period::Minute) => Some(remaining),
            _ => None,
        };
        let time = reading.reset.unwrap_or(DEFAULT_RESET).min(MAX_THROTTLE);
        let is_little = |left: &u64| believed && *left < full / LOW_DIVISOR && time >= MIN_THROTTLE;
        self.throttle = left.filter(is_little).map(|left| {
            let left = left.saturating_sub(rounded / 2).saturating_sub(out);
            let millis = u64::try_from(time.as_millis()).unwrap_or(60_000);
            (scaled(left, 60_000, millis).max(full / LOW_DIVISOR), now + time)
        });
        believed
    }

    /// What may be taken in any stretch of the limit's time.
    pub(crate) fn limit(&self, configured: u64) -> u64 {
        self.limit.map_or(configured, |limit| limit.min(configured)).max(1)
    }

    /// What may be taken a minute, at this time.
    pub(crate) fn pace(&self, now: Duration, configured: u64) -> u64 {
        let limit = self.limit(configured);
        self.throttle.filter(|(_, until)| *until > now).map_or(limit, |(pace, _)| pace.min(limit)).max(1)
    }

    /// What the server counts, as the answer that is being settled at `now` shows it.
    pub(crate) fn counted(&self, now: Duration) -> Option<u64> {
        self.counted.filter(|(_, at)| *at == now).map(|(counted, _)| counted)
    }

    /// When the pace rises again.
    pub(crate) fn rises_at(&self) -> Option<Duration> {
        self.throttle.map(|(_, until)| until)
    }

    /// Forgets what is over by now. `true`: something was.
    pub(crate) fn advance_to(&mut self, now: Duration) -> bool {
        self.throttle.take_if(|(_, until)| *until <= now).is_some()
    }
}

/// What a limit is that headers are compared with, and what its remainder is rounded to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Configured {
    pub(crate) limit: u64,
    pub(crate) rounded: u64,
}

fn scaled(of: u64, counter: u64, denominator: u64) -> u64 {
    let exact = u128::from(of) * u128::from(counter) / u128::from(denominator.max(1));
    u64::try_from(exact).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
