//! What the server's headers say of one limit, as far as it is believed.
//!
//! Headers only ever lower: to the limit that they show, and, where little is left, to what spreads the rest over the time
//! until it is whole again. What they show is a moment of an account that others may use as well, so it is taken as a
//! hint: a limit of less than a hundredth of the configured one is not believed, and what is left is never spread to less
//! than a tenth of the rate, nor for more than a minute.

use std::time::Duration;

use crate::judge::{LimitReading, Period};

/// Less than this part of the configured limit is not believed.
const LEAST: u64 = 100;
/// Little is less than this part of the limit; the rate is never lowered to less than this part of it.
const LOW_DIVISOR: u64 = 10;
/// What is left is spread over no more time.
const LONGEST: Duration = Duration::from_mins(1);
/// Nor over less: it is whole again before anybody could be late.
const SHORTEST: Duration = Duration::from_secs(2);
/// Where the headers do not say when the limit is whole again.
const DEFAULT_RESET: Duration = Duration::from_secs(10);

/// What the server says of one limit.
#[derive(Debug, Default)]
pub(crate) struct ServerLimit {
    /// The limit that it shows, where it is below the configured one.
    limit: Option<u64>,
    /// At most so many a minute, until then.
    spread: Option<(u64, Duration)>,
    /// When the call went whose answer was read last.
    read: Duration,
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
        if at < self.read {
            // The answer to a later call has been read already.
            return true;
        }
        self.read = at;
        let Configured { limit: configured, rounded } = limits;
        let mut believed = true;
        if reading.per != Period::Unknown
            && let Some(limit) = reading.limit
        {
            believed = limit >= configured.div_ceil(LEAST);
            self.limit = Some(limit).filter(|limit| believed && *limit < configured);
        }
        let full = self.limit(configured);
        let left = match (reading.remaining, reading.limit, reading.per) {
            // Another unit, or another time: only the part counts.
            (Some(remaining), Some(limit), Period::Unknown) => Some(part(full, remaining, limit)),
            (Some(remaining), _, Period::Minute) => Some(remaining),
            _ => None,
        };
        let time = reading.reset.unwrap_or(DEFAULT_RESET).min(LONGEST);
        let is_little = |left: &u64| believed && *left < full / LOW_DIVISOR && time >= SHORTEST;
        self.spread = left.filter(is_little).map(|left| {
            let left = left.saturating_sub(rounded / 2).saturating_sub(out);
            let millis = u64::try_from(time.as_millis()).unwrap_or(60_000);
            (part(left, 60_000, millis).max(full / LOW_DIVISOR), now + time)
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
        self.spread.filter(|(_, until)| *until > now).map_or(limit, |(pace, _)| pace.min(limit)).max(1)
    }

    /// What the server counts, as the answer that is being settled at `now` shows it.
    pub(crate) fn counted(&self, now: Duration) -> Option<u64> {
        self.counted.filter(|(_, at)| *at == now).map(|(counted, _)| counted)
    }

    /// When the pace rises again.
    pub(crate) fn rises_at(&self) -> Option<Duration> {
        self.spread.map(|(_, until)| until)
    }

    /// Forgets what is over by now. `true`: something was.
    pub(crate) fn advance_to(&mut self, now: Duration) -> bool {
        self.spread.take_if(|(_, until)| *until <= now).is_some()
    }
}

/// What a limit is that headers are compared with, and what its remainder is rounded to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Configured {
    pub(crate) limit: u64,
    pub(crate) rounded: u64,
}

fn part(of: u64, counter: u64, denominator: u64) -> u64 {
    let exact = u128::from(of) * u128::from(counter) / u128::from(denominator.max(1));
    u64::try_from(exact).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::LimitUnit;

    const CONFIGURED: Configured = Configured { limit: 1000, rounded: 1 };

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn reading(limit: u64, remaining: u64, reset: u64) -> LimitReading {
        LimitReading {
            unit: LimitUnit::Tokens,
            per: Period::Minute,
            limit: Some(limit),
            remaining: Some(remaining),
            reset: Some(seconds(reset)),
        }
    }

    fn read(served: &mut ServerLimit, now: u64, reading: &LimitReading) -> bool {
        served.apply_header(seconds(now), seconds(now), reading, CONFIGURED, 0)
    }

    #[test]
    fn a_lower_limit_holds_until_a_higher_one_is_shown_which_never_exceeds_the_configured() {
        let mut served = ServerLimit::default();
        assert!(read(&mut served, 1, &reading(400, 400, 0)));
        assert_eq!((served.limit(1000), served.pace(seconds(1), 1000)), (400, 400));
        assert!(read(&mut served, 2, &reading(700, 700, 0)));
        assert_eq!(served.limit(1000), 700);
        assert!(read(&mut served, 3, &reading(5000, 5000, 0)));
        assert_eq!(served.limit(1000), 1000);
    }

    #[test]
    fn what_is_left_is_spread_until_it_is_whole_again() {
        let mut served = ServerLimit::default();
        assert!(read(&mut served, 10, &reading(1000, 100, 30)));
        assert_eq!(served.pace(seconds(10), 1000), 1000, "a tenth is not little");
        assert!(read(&mut served, 10, &reading(1000, 90, 30)));
        assert_eq!((served.pace(seconds(10), 1000), served.rises_at()), (180, Some(seconds(40))));
        assert_eq!(served.limit(1000), 1000);
        assert!(!served.advance_to(seconds(39)));
        assert!(served.advance_to(seconds(40)));
        assert_eq!(served.pace(seconds(40), 1000), 1000);
    }

    #[test]
    fn our_own_calls_and_rounding_are_taken_off() {
        let mut served = ServerLimit::default();
        assert!(read(&mut served, 1, &reading(1000, 90, 1)));
        assert_eq!(served.rises_at(), None, "in a second it is whole again");
        served.apply_header(seconds(1), seconds(1), &reading(1000, 90, 10), CONFIGURED, 60);
        assert_eq!(served.pace(seconds(1), 1000), 180, "30 in 10 seconds");
        let rounded = Configured { limit: 80_000, rounded: 1000 };
        served.apply_header(seconds(2), seconds(2), &reading(80_000, 7000, 30), rounded, 0);
        assert_eq!(served.pace(seconds(2), 80_000), 13_000);
    }

    #[test]
    fn lies_are_not_believed_and_hold_nobody_up_for_long() {
        let mut served = ServerLimit::default();
        assert!(!read(&mut served, 1, &reading(0, 0, 86_400)));
        assert!(!read(&mut served, 1, &reading(9, 9, 1)));
        assert_eq!(served.pace(seconds(1), 1000), 1000);
        assert!(read(&mut served, 1, &reading(1000, 0, 86_400)));
        assert_eq!((served.pace(seconds(1), 1000), served.rises_at()), (100, Some(seconds(61))));
    }

    #[test]
    fn of_an_unknown_unit_only_the_part_counts() {
        let mut served = ServerLimit::default();
        let fireworks = LimitReading { per: Period::Unknown, reset: None, ..reading(60, 3, 0) };
        assert!(read(&mut served, 1, &fireworks));
        assert_eq!(served.limit(1000), 1000);
        assert_eq!((served.pace(seconds(1), 1000), served.rises_at()), (300, Some(seconds(11))), "50 in 10 seconds");
    }

    #[test]
    fn the_answer_to_an_earlier_call_says_nothing_new() {
        let mut served = ServerLimit::default();
        served.apply_header(seconds(9), seconds(5), &reading(400, 400, 0), CONFIGURED, 0);
        served.apply_header(seconds(10), seconds(4), &reading(1000, 1000, 0), CONFIGURED, 0);
        assert_eq!(served.limit(1000), 400);
    }
}
