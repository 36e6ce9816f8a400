//! The headers in which providers tell what is left of their limits.

use std::time::{Duration, SystemTime};

use http::{HeaderMap, HeaderName, HeaderValue};

use super::{Unit, rules::State};
use crate::providers::rfc3339;

/// The headers of a provider, in its names and forms.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum HeaderSet {
    /// `x-ratelimit-limit-requests` and its like, with the time to the reset as in `6m0s`.
    OpenAi,
    /// The same with the time to the reset in bare seconds.
    Azure,
    /// `anthropic-ratelimit-requests-limit` and its like: tokens that remain in thousands, and resets as points in time.
    Anthropic {
        /// The time at which the run begins.
        epoch: SystemTime,
    },
    /// The same names as `OpenAI`'s, but requests are those of a day.
    Groq,
}

/// What headers say in place of the truth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Lie {
    /// So many is every limit: 0 is seen where none is set.
    Limit(u64),
    /// So many are left.
    Remaining(u64),
    /// So long until all is there again.
    Reset(Duration),
}

impl HeaderSet {
    /// The units that are told of, and whether by the day.
    pub(super) fn units(self) -> &'static [(Unit, bool)] {
        match self {
            Self::OpenAi | Self::Azure => &[(Unit::Requests, false), (Unit::Tokens, false)],
            Self::Groq => &[(Unit::Requests, true), (Unit::Tokens, false)],
            Self::Anthropic { .. } => &[
                (Unit::Requests, false),
                (Unit::Tokens, false),
                (Unit::InputTokens, false),
                (Unit::OutputTokens, false),
            ],
        }
    }

    /// Adds what is told of one limit.
    pub(super) fn tell(self, headers: &mut HeaderMap, now: Duration, unit: Unit, state: State, lies: &[Lie]) {
        let mut told = Told::of(state);
        if matches!(self, Self::Anthropic { .. }) && unit != Unit::Requests {
            told.remaining = (told.remaining + 500) / 1000 * 1000;
        }
        lies.iter().for_each(|lie| told.believe(*lie));
        let name = match unit {
            Unit::Requests => "requests",
            Unit::Tokens => "tokens",
            Unit::InputTokens => "input-tokens",
            Unit::OutputTokens => "output-tokens",
        };
        let reset = match self {
            Self::OpenAi | Self::Groq => go(told.reset),
            Self::Azure => seconds(told.reset).to_string(),
            Self::Anthropic { epoch } => point(epoch, now + told.reset),
        };
        let values = [("limit", told.limit.to_string()), ("remaining", told.remaining.to_string()), ("reset", reset)];
        for (what, value) in values {
            let name = match self {
                Self::Anthropic { .. } => format!("anthropic-ratelimit-{name}-{what}"),
                _ => format!("x-ratelimit-{what}-{name}"),
            };
            if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
                headers.insert(name, value);
            }
        }
    }
}

struct Told {
    limit: u64,
    remaining: u64,
    reset: Duration,
}

impl Told {
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    fn of(state: State) -> Self {
        // Below zero nothing remains.
        let whole = |number: f64| (number + 1e-6) as u64;
        Self { limit: whole(state.limit), remaining: whole(state.remaining), reset: state.reset }
    }

    fn believe(&mut self, lie: Lie) {
        match lie {
            Lie::Limit(limit) => self.limit = limit,
            Lie::Remaining(remaining) => self.remaining = remaining,
            Lie::Reset(reset) => self.reset = reset,
        }
    }
}

/// As Go writes a duration, in milliseconds: `2m59.56s`.
fn go(time: Duration) -> String {
    let millis = time.as_nanos().div_ceil(1_000_000);
    if millis == 0 {
        return "0s".to_owned();
    }
    if millis < 1000 {
        return format!("{millis}ms");
    }
    let (hours, minutes, rest) = (millis / 3_600_000, millis / 60_000 % 60, millis % 60_000);
    let mut seconds = format!("{}.{:03}", rest / 1000, rest % 1000);
    seconds.truncate(seconds.trim_end_matches('0').trim_end_matches('.').len());
    match (hours, minutes) {
        (0, 0) => format!("{seconds}s"),
        (0, _) => format!("{minutes}m{seconds}s"),
        _ => format!("{hours}h{minutes}m{seconds}s"),
    }
}

/// Whole seconds, rounded up.
fn seconds(time: Duration) -> u64 {
    time.as_secs() + u64::from(time.subsec_nanos() > 0)
}

/// Formats a point in time as RFC 3339 does, in whole seconds, rounded up.
fn point(epoch: SystemTime, time: Duration) -> String {
    rfc3339::format(epoch.checked_add(Duration::from_secs(seconds(time))).unwrap_or(epoch))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_written_as_go_does() {
        for (millis, told) in [
            (0, "0s"),
            (120, "120ms"),
            (1000, "1s"),
            (7660, "7.66s"),
            (60_000, "1m0s"),
            (179_560, "2m59.56s"),
            (86_400_000, "24h0m0s"),
        ] {
            assert_eq!(go(Duration::from_millis(millis)), told);
        }
        assert_eq!(point(SystemTime::UNIX_EPOCH, Duration::from_millis(90_500)), "1970-01-01T00:01:31Z");
    }
}
