//! How much of the rate this second may use.
//!
//! The first second from idle may use a part of the rate, each further one a step more than the last one really used.
//! What a second may carry is a whole number of calls, at least one, spread evenly over it; fractions are carried over,
//! so at 5 calls a second the default ramp carries 1, 2, 2, 3, 3, 4, 4, 5. At the full rate the ramp asks for nothing.

use std::{num::NonZeroU32, time::Duration};

use crate::limits::{self, FULL_RATE};

const SECOND: Duration = Duration::from_secs(1);
/// Demand after this time without a call is a jump.
pub(crate) const IDLE_RESET: Duration = Duration::from_secs(2);
/// Start after a pause, as a multiple of the start from idle, and the step until the full rate is reached.
pub(crate) const RESUME_FACTOR: u32 = 3;
pub(crate) const STEEP_FACTOR: u32 = 2;
const NANOS_PER_SECOND: u64 = 1_000_000_000;

/// One call, in calls a minute times thousandths of the rate.
pub(crate) const UNIT: u64 = 60 * FULL_RATE as u64;

#[derive(Debug)]
pub(crate) struct RampState {
    settings: Option<limits::Ramp>,
    per_minute: u64,
    /// The part of the rate that this second may use, in thousandths.
    level: u32,
    /// When this second began.
    second: Duration,
    /// Calls this second may carry, and has carried.
    allowed: u64,
    used: u64,
    /// What earlier seconds left of a whole call, in `UNIT`s.
    carry: u64,
    /// Whether demand from idle is ramped up, and not only demand after a pause.
    ramps_from_idle: bool,
    /// Twice as steep, until the full rate is reached.
    is_steep: bool,
    /// The pace that a change of the limit preserves, in calls a minute times thousandths.
    pace: u64,
}

impl RampState {
    pub(crate) fn new(settings: Option<limits::Ramp>, per_minute: NonZeroU32, from_idle: bool) -> Self {
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

    /// Begins anew after a pause with the canary, which went at `sent`: steeper than from idle, since the demand is known,
    /// and what was too much of it has been learned.
    pub(crate) fn resume(&mut self, sent: Duration) {
        self.start(sent, RESUME_FACTOR);
        self.is_steep = self.level < FULL_RATE;
        self.used = 1;
    }

    /// Begins where another was that is left behind: as from idle, or at the top.
    pub(crate) fn take_over(&mut self, now: Duration, is_ramping: bool) {
        self.restart(now);
        if !is_ramping {
            self.level = FULL_RATE;
            self.pace = u64::from(FULL_RATE) * self.per_minute;
            self.start_second(now);
        }
    }

    /// Begins anew, as from idle.
    fn restart(&mut self, now: Duration) {
        self.start(now, 1);
    }

    fn start(&mut self, now: Duration, times: u32) {
        self.level = self.settings.map_or(FULL_RATE, |ramp| (times * ramp.start).min(FULL_RATE));
        self.is_steep = false;
        self.carry = 0;
        self.used = 0;
        self.pace = u64::from(self.level) * self.per_minute;
        self.start_second(now);
    }

    /// Changes the settings from `now` on: a higher rate is a jump, to be taken step by step as any other.
    pub(crate) fn set(
        &mut self,
        now: Duration,
        settings: Option<limits::Ramp>,
        per_minute: NonZeroU32,
        from_idle: bool,
    ) {
        self.ramps_from_idle = from_idle;
        let same_pace = self.pace / u64::from(per_minute.get());
        self.settings = settings;
        self.per_minute = per_minute.get().into();
        self.level = settings.map_or(FULL_RATE, |ramp| {
            u32::try_from(same_pace).map_or(FULL_RATE, |pace| pace.clamp(ramp.start, FULL_RATE))
        });
        self.used = 0;
        self.start_second(now);
    }

    /// Comes to the second that `now` lies in. `pressed`: since the last event calls have waited for the rate alone.
    pub(crate) fn advance_to(&mut self, now: Duration, pressed: bool) {
        let Some(settings) = self.settings else {
            return;
        };
        if !self.ramps_from_idle && self.level == FULL_RATE {
            self.second = now;
            return;
        }
        while self.second + SECOND <= now {
            if self.ramps_from_idle && !pressed && self.used == 0 && self.second + IDLE_RESET <= now {
                self.restart(now);
                return;
            }
            // The grids of meter and seconds differ: of a second under pressure one call may lie just outside.
            let used = (self.used + u64::from(pressed)) * UNIT / self.per_minute;
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

    /// When the next call may go, as far as the ramp is concerned and if nothing else happens.
    pub(crate) fn due(&self) -> Duration {
        if self.level == FULL_RATE {
            Duration::ZERO
        } else if self.used < self.allowed {
            self.second + Duration::from_nanos((NANOS_PER_SECOND * self.used).div_ceil(self.allowed))
        } else {
            self.second + SECOND
        }
    }

    /// Returns the end of this second, unless the full rate is reached.
    pub(crate) fn changes_at(&self) -> Option<Duration> {
        (self.level < FULL_RATE).then(|| self.second + SECOND)
    }

    /// Counts one call in this second. The first call from idle begins it.
    pub(crate) fn count(&mut self, slot: Duration) {
        if self.used == 0 && self.level == self.settings.map_or(FULL_RATE, |ramp| ramp.start) {
            self.second = self.second.max(slot);
        }
        self.used += 1;
    }

    /// Takes back the count of a call that was never made.
    pub(crate) fn uncount(&mut self) {
        self.used = self.used.saturating_sub(1);
    }

    /// The rate this second may use, in calls a second.
    #[allow(clippy::cast_precision_loss)] // For people to read.
    pub(crate) fn rate(&self) -> f64 {
        self.per_minute as f64 * f64::from(self.level) / UNIT as f64
    }

    /// How long so many calls take from the start of a second at this level, if all seconds are used in full.
    #[allow(clippy::cast_precision_loss)] // For people to read.
    pub(crate) fn time_for(&self, calls: u64) -> Duration {
        let step = self.settings.map_or(FULL_RATE, |ramp| ramp.step);
        let per_second = self.per_minute as f64 / 60.0;
        let (mut level, mut left, mut seconds) = (self.level, calls as f64, 0.0);
        while level < FULL_RATE {
            let this = per_second * f64::from(level) / f64::from(FULL_RATE);
            if left <= this {
                break;
            }
            left -= this;
            seconds += 1.0;
            level = (level + step).min(FULL_RATE);
        }
        seconds += left / (per_second * f64::from(level) / f64::from(FULL_RATE));
        Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX)
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
