//! The rate-limit headers of a simulated provider.

use std::time::{Duration, SystemTime};

use http::{HeaderMap, HeaderName, HeaderValue};

use super::{Unit, rules::LimitState};
use crate::providers::rfc3339;

/// Rate-limit headers of a provider: their names and formats.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum HeaderSet {
    /// `x-ratelimit-limit-requests` and similar names, with the time to the reset in the form `6m0s`.
    OpenAi,
    /// The names of [`OpenAi`](Self::OpenAi), with the time to the reset in seconds.
    Azure,
    /// `anthropic-ratelimit-requests-limit` and similar names, with remaining tokens rounded to thousands and resets as
    /// timestamps.
    Anthropic {
        /// Timestamp of the start of the run.
        epoch: SystemTime,
    },
    /// The names of [`OpenAi`](Self::OpenAi), with requests a day instead of a minute.
    Groq,
    /// `x-ratelimit-limit-requests-day` and `x-ratelimit-limit-tokens-minute`, with the time to the reset in seconds.
    Cerebras,
}

/// Wrong value that headers show for every limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum HeaderFault {
    /// Limit. Real providers show 0 if no limit is set.
    Limit(u64),
    /// Remaining amount.
    Remaining(u64),
    /// Time to the reset.
    Reset(Duration),
}

impl HeaderSet {
    /// Returns the units that have headers, each with `true` if its limit is a daily one.
    pub(super) fn units(self) -> &'static [(Unit, bool)] {
        match self {
            Self::OpenAi | Self::Azure => &[(Unit::Requests, false), (Unit::Tokens, false)],
            Self::Groq | Self::Cerebras => &[(Unit::Requests, true), (Unit::Tokens, false)],
            Self::Anthropic { .. } => &[
                (Unit::Requests, false),
                (Unit::Tokens, false),
                (Unit::InputTokens, false),
                (Unit::OutputTokens, false),
            ],
        }
    }

    /// Adds the headers of one limit.
    pub(super) fn write(
        self,
        headers: &mut HeaderMap,
        now: Duration,
        unit: Unit,
        state: LimitState,
        faults: &[HeaderFault],
    ) {
        let mut shown = Shown::of(state);
        if matches!(self, Self::Anthropic { .. }) && unit != Unit::Requests {
            shown.remaining = (shown.remaining + 500) / 1000 * 1000;
        }
        faults.iter().for_each(|fault| shown.apply(*fault));
        let name = match unit {
            Unit::Requests => "requests",
            Unit::Tokens => "tokens",
            Unit::InputTokens => "input-tokens",
            Unit::OutputTokens => "output-tokens",
        };
        let reset = match self {
            Self::OpenAi | Self::Groq => go_duration(shown.reset),
            Self::Azure => whole_seconds(shown.reset).to_string(),
            Self::Cerebras => shown.reset.as_secs_f64().to_string(),
            Self::Anthropic { epoch } => timestamp(epoch, now + shown.reset),
        };
        let values = [("limit", shown.limit.to_string()), ("remaining", shown.remaining.to_string()), ("reset", reset)];
        for (field, value) in values {
            let name = match self {
                Self::Anthropic { .. } => format!("anthropic-ratelimit-{name}-{field}"),
                Self::Cerebras if unit == Unit::Requests => format!("x-ratelimit-{field}-requests-day"),
                Self::Cerebras => format!("x-ratelimit-{field}-{name}-minute"),
                _ => format!("x-ratelimit-{field}-{name}"),
            };
            if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
                headers.insert(name, value);
            }
        }
    }
}

struct Shown {
    limit: u64,
    remaining: u64,
    reset: Duration,
}

impl Shown {
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    fn of(state: LimitState) -> Self {
        // The cast turns a level below zero into 0.
        let whole = |number: f64| (number + 1e-6) as u64;
        Self { limit: whole(state.limit), remaining: whole(state.remaining), reset: state.reset }
    }

    fn apply(&mut self, fault: HeaderFault) {
        match fault {
            HeaderFault::Limit(limit) => self.limit = limit,
            HeaderFault::Remaining(remaining) => self.remaining = remaining,
            HeaderFault::Reset(reset) => self.reset = reset,
        }
    }
}

/// Formats a duration as Go does, in milliseconds: `2m59.56s`.
fn go_duration(time: Duration) -> String {
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

/// Returns whole seconds, rounded up.
fn whole_seconds(time: Duration) -> u64 {
    time.as_secs() + u64::from(time.subsec_nanos() > 0)
}

/// Formats a time of the run as an RFC 3339 timestamp, rounded up to whole seconds.
fn timestamp(epoch: SystemTime, time: Duration) -> String {
    rfc3339::format(epoch.checked_add(Duration::from_secs(whole_seconds(time))).unwrap_or(epoch))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_formatted_as_in_go() {
        for (millis, text) in [
            (0, "0s"),
            (120, "120ms"),
            (1000, "1s"),
            (7660, "7.66s"),
            (60_000, "1m0s"),
            (179_560, "2m59.56s"),
            (86_400_000, "24h0m0s"),
        ] {
            assert_eq!(go_duration(Duration::from_millis(millis)), text);
        }
        assert_eq!(timestamp(SystemTime::UNIX_EPOCH, Duration::from_millis(90_500)), "1970-01-01T00:01:31Z");
    }
}
