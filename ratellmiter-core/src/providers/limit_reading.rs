//! One rate limit, as the headers of a response show it.

use std::{cmp::Reverse, time::Duration};

/// The unit that a limit counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum LimitUnit {
    /// Requests.
    Requests,
    /// Input and output tokens together.
    Tokens,
    /// Input tokens.
    InputTokens,
    /// Output tokens.
    OutputTokens,
}

impl LimitUnit {
    /// Returns the plural noun.
    pub(crate) const fn noun(self) -> &'static str {
        match self {
            Self::Requests => "requests",
            Self::Tokens => "tokens",
            Self::InputTokens => "input tokens",
            Self::OutputTokens => "output tokens",
        }
    }
}

/// The period over which a limit counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Period {
    /// 60 seconds.
    Minute,
    /// 24 hours.
    Day,
    /// Another period, or one that the headers do not show. Only the remaining share is then meaningful.
    Unknown,
}

impl Period {
    /// Returns the period that lasts as long as `window`. Other windows are not scaled to a minute: 10 requests a second
    /// do not allow 600 at once.
    pub(super) fn of_window(window: Option<Duration>) -> Self {
        match window.map(|window| window.as_millis()) {
            Some(60_000) => Self::Minute,
            Some(86_400_000) => Self::Day,
            _ => Self::Unknown,
        }
    }
}

/// One limit, as the headers of one response show it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LimitReading {
    /// The unit of `limit` and `remaining`.
    pub(crate) unit: LimitUnit,
    /// The period over which the limit counts.
    pub(crate) per: Period,
    /// The limit a period. Never zero.
    pub(crate) limit: Option<u64>,
    /// The unused part of the limit. Never more than the limit.
    pub(crate) remaining: Option<u64>,
    /// The time until the whole limit is available again, which is not the time until the next request is accepted.
    pub(crate) reset: Option<Duration>,
}

impl LimitReading {
    /// Returns the reading, or `None` if it shows no limit.
    pub(super) fn checked(self) -> Option<Self> {
        let shows_limit = match (self.limit, self.remaining) {
            (Some(0), _) | (None, None) => false,
            // Without its period a limit is no rate, and without a remainder there is no share.
            (Some(_), None) => self.per != Period::Unknown,
            (_, Some(_)) => true,
        };
        let limit = self.limit.unwrap_or(u64::MAX);
        shows_limit.then(|| Self { remaining: self.remaining.map(|remaining| remaining.min(limit)), ..self })
    }

    /// Returns a measure that is smaller the nearer the limit is, to compare readings of the same unit and period: the
    /// remaining amount, or the remaining share if the periods may differ.
    fn tightness(&self) -> u128 {
        let share = |remaining: u128, limit: u64| (remaining << 64).checked_div(limit.into());
        match (self.per, self.remaining.map(u128::from), self.limit) {
            (Period::Minute | Period::Day, Some(remaining), _) => remaining,
            (Period::Unknown, Some(remaining), Some(limit)) => share(remaining, limit).unwrap_or(0),
            (Period::Unknown, Some(0), None) => 0,
            _ => u128::MAX,
        }
    }

    /// Combines two readings of the same unit and period. Both limits apply: the result has the lower limit, and the
    /// smaller remainder with its reset. Amounts of unknown periods cannot be compared, so one of them is returned as it
    /// is.
    pub(super) fn tightest(self, other: Self) -> Self {
        // Of two equally tight readings, the one with the later reset.
        let order = |reading: &Self| (reading.tightness(), Reverse(reading.reset));
        let (tighter, looser) = if order(&other) < order(&self) { (other, self) } else { (self, other) };
        if tighter.per == Period::Unknown {
            return tighter;
        }
        let limit = tighter.limit.into_iter().chain(looser.limit).min();
        Self { limit, ..tighter }.checked().unwrap_or(tighter)
    }
}
