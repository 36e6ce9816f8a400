//! The ramp: the fraction of the rate that the current second may use.
//!
//! The first second from idle may use the ramp's start, and each later one a step more than the last second used. A second
//! carries a whole number of calls, at least one, spread evenly over it. Fractions of a call are carried over: at 5 calls a
//! second the default ramp carries 1, 2, 2, 3, 3, 4, 4, 5. At the full rate the ramp delays no call.

use std::{num::NonZeroU32, time::Duration};

use crate::limits::ramp::{FULL_RATE, Ramp};

const SECOND: Duration = Duration::from_secs(1);
/// Time without calls after which the ramp restarts.
pub(crate) const IDLE_RESET: Duration = Duration::from_secs(2);
/// After a pause: the start as a multiple of the start from idle, and the step as a multiple of the usual step.
pub(crate) const RESUME_FACTOR: u32 = 3;
pub(crate) const STEEP_FACTOR: u32 = 2;
/// Longest time without calls that an estimate follows second by second.
const MAX_STEPPED: Duration = Duration::from_secs(4);
const NANOS_PER_SECOND: u64 = 1_000_000_000;

/// One call, in calls a minute times thousandths of the rate.
pub(crate) const UNIT: u64 = 60 * FULL_RATE as u64;

#[derive(Debug, Clone)]
pub(crate) struct RampState {
    settings: Option<Ramp>,
    per_minute: u64,
    /// The fraction of the rate that this second may use, in thousandths.
    level: u32,
    /// Start of this second.
    second: Duration,
    /// Calls that this second may carry, and has carried.
    allowed: u64,
    used: u64,
    /// Fractions of calls carried over from earlier seconds, in `UNIT`s.
    carry: u64,
    /// The ramp also starts from idle, and not only after a pause.
    ramps_from_idle: bool,
    /// The step is multiplied by `STEEP_FACTOR` until the full rate is reached.
    is_steep: bool,
    /// The rate that a change of the limit keeps, in calls a minute times thousandths.
    pace: u64,
}

impl RampState {
    pub(crate) fn new(settings: Option<Ramp>, per_minute: NonZeroU32, from_idle: bool) -> Self {
        let mut ramp = Self {
            settings,
            per_minute: per_minute.get().into(),
            level: FULL_RATE,
            second: Duration::ZERO,
            allowed: 0,
            used: 0,
            carry: 0,
            ramps_from_idle: from_idle,
            is_steep: false,
            pace: 0,
        };
        if from_idle {
            ramp.restart(Duration::ZERO);
        }
        ramp.pace = u64::from(ramp.level) * ramp.per_minute;
        ramp
    }

    /// Restarts after a pause with the canary, which was sent at `sent`. The ramp is steeper than from idle, because the demand
    /// is known and the limits are adapted.
    pub(crate) fn resume(&mut self, sent: Duration) {
        self.start(sent, RESUME_FACTOR);
        self.is_steep = self.level < FULL_RATE;
        self.used = 1;
    }

    /// Continues after `time` in which no call was sent, as if that time had not passed.
    pub(crate) fn skip(&mut self, time: Duration) {
        self.second += time;
    }

    fn restart(&mut self, now: Duration) {
        self.start(now, 1);
    }

    /// Starts at `start_factor` times the start from idle, and at most at the full rate.
    pub(crate) fn start(&mut self, now: Duration, start_factor: u32) {
        self.level = self.settings.map_or(FULL_RATE, |ramp| (start_factor * ramp.start).min(FULL_RATE));
        self.is_steep = false;
        self.carry = 0;
        self.used = 0;
        self.pace = u64::from(self.level) * self.per_minute;
        self.start_second(now);
    }

    /// Changes the settings from `now` on. A higher rate is reached step by step.
    pub(crate) fn set(&mut self, now: Duration, settings: Option<Ramp>, per_minute: NonZeroU32, from_idle: bool) {
        self.ramps_from_idle = from_idle;
        let level = self.pace / u64::from(per_minute.get());
        self.settings = settings;
        self.per_minute = per_minute.get().into();
        self.level = settings.map_or(FULL_RATE, |ramp| {
            u32::try_from(level).map_or(FULL_RATE, |level| level.clamp(ramp.start, FULL_RATE))
        });
        self.used = 0;
        self.start_second(now);
    }

    /// Advances to the second that contains `now`. `is_backlogged`: calls were queued for the rate or the ramp since the last
    /// call of this method.
    pub(crate) fn advance_to(&mut self, now: Duration, is_backlogged: bool) {
        let Some(settings) = self.settings else {
            return;
        };
        if !self.ramps_from_idle && self.level == FULL_RATE {
            self.second = now;
            return;
        }
        while self.second + SECOND <= now {
            if self.ramps_from_idle && !is_backlogged && self.used == 0 && self.second + IDLE_RESET <= now {
                self.restart(now);
                return;
            }
            // The seconds of the meter are not aligned with these, so a backlogged second may be one call short.
            let used = (self.used + u64::from(is_backlogged)) * UNIT / self.per_minute;
            let used = u32::try_from(used).map_or(self.level, |used| used.min(self.level));
            let base = if self.ramps_from_idle { used } else { self.level };
            let step = if self.is_steep { STEEP_FACTOR * settings.step } else { settings.step };
            self.level = (base + step).clamp(settings.start, FULL_RATE);
            self.is_steep &= self.level < FULL_RATE;
            self.used = 0;
            self.pace = u64::from(self.level) * self.per_minute;
            self.start_second(self.second + SECOND);
        }
    }

    /// Returns when the ramp allows the next call.
    pub(crate) fn due(&self) -> Duration {
        if self.level == FULL_RATE {
            Duration::ZERO
        } else if self.used < self.allowed {
            self.second + Duration::from_nanos((NANOS_PER_SECOND * self.used).div_ceil(self.allowed))
        } else {
            self.second + SECOND
        }
    }

    /// Returns the end of this second, or `None` at the full rate.
    pub(crate) fn changes_at(&self) -> Option<Duration> {
        (self.level < FULL_RATE).then(|| self.second + SECOND)
    }

    /// Counts a call that was scheduled for `slot`. The first call from idle starts the second.
    pub(crate) fn count(&mut self, slot: Duration) {
        if self.used == 0 && self.level == self.settings.map_or(FULL_RATE, |ramp| ramp.start) {
            self.second = self.second.max(slot);
        }
        self.used += 1;
    }

    /// Counts `calls` calls, the last of which was scheduled for `slot`.
    pub(crate) fn count_calls(&mut self, slot: Duration, calls: u64) {
        self.count(slot);
        self.used += calls - 1;
    }

    /// Takes back the count of a call that was not sent.
    pub(crate) fn uncount(&mut self) {
        self.used = self.used.saturating_sub(1);
    }

    /// Returns the rate that this second may use, in calls a second.
    #[allow(clippy::cast_precision_loss)] // Only for display and estimates.
    pub(crate) fn rate(&self) -> f64 {
        self.per_minute as f64 * f64::from(self.level) / UNIT as f64
    }

    /// Returns the number of calls that this second may still carry, or `None` at the full rate.
    pub(crate) fn room(&self) -> Option<u64> {
        (self.level < FULL_RATE).then(|| self.allowed.saturating_sub(self.used))
    }

    /// Returns the time until the full rate if every second is used in full.
    pub(crate) fn time_to_full(&self) -> Duration {
        let steps = self.settings.map_or(0, |ramp| (FULL_RATE - self.level).div_ceil(ramp.step.max(1)));
        SECOND * (steps + 1)
    }

    /// Advances to `now`, as in seconds in which calls were queued but none was sent for the ramp. Seconds of a long time that
    /// leave the state as it is are skipped, for estimates.
    pub(crate) fn skip_to(&mut self, now: Duration) {
        if self.ramps_from_idle && now > self.second + MAX_STEPPED {
            self.advance_to(self.second + 2 * SECOND, true);
            let seconds = now.saturating_sub(self.second).as_secs();
            self.second += Duration::from_secs(seconds);
        }
        self.advance_to(now, true);
    }

    fn start_second(&mut self, at: Duration) {
        self.second = at;
        let calls = u64::from(self.level) * self.per_minute + self.carry;
        self.allowed = (calls / UNIT).max(1);
        self.carry = calls.saturating_sub(self.allowed * UNIT);
        if self.level == FULL_RATE {
            self.carry = 0;
        }
    }
}

#[cfg(test)]
mod tests;
