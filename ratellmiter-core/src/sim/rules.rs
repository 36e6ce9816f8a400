//! The limits that a provider puts together, each of which may refuse a call. They are asked first, and then all take it.

use std::{collections::VecDeque, time::Duration};

use super::{
    Unit,
    charging::{Charge, Charging},
};
use crate::judge::LimitKind;

pub(super) const DAY: Duration = Duration::from_hours(24);

#[derive(Debug)]
pub(super) enum Rule {
    Bucket(Bucket),
    Window(Window),
    Slope(Slope),
}

/// What a provider tells of a limit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct State {
    /// A minute, or in the width of a window that is longer.
    pub(super) limit: f64,
    /// What would be taken now.
    pub(super) remaining: f64,
    /// The time until all of it is there again.
    pub(super) reset: Duration,
}

impl Rule {
    /// How long until a call of this charge would be taken; zero if it would now. `factor` is what the limit is multiplied
    /// with at this time. What calls that are out will be charged is not foreseen.
    pub(super) fn wait(&mut self, now: Duration, factor: f64, charge: &Charge, charging: Charging) -> Duration {
        match self {
            Self::Bucket(bucket) => bucket.wait(now, factor, amount(charging.needs(charge, bucket.unit))),
            Self::Window(window) => window.wait(now, factor, amount(charging.needs(charge, window.unit))),
            Self::Slope(slope) => slope.wait(now),
        }
    }

    /// Takes a call.
    pub(super) fn take(&mut self, now: Duration, factor: f64, charge: &Charge) {
        if let Self::Slope(slope) = self {
            slope.take();
        } else {
            self.charge(now, factor, charge, now);
        }
    }

    /// Charges a call that was sent at `sent` so much more, or gives it back.
    pub(super) fn charge(&mut self, now: Duration, factor: f64, charge: &Charge, sent: Duration) {
        match self {
            Self::Bucket(bucket) => {
                bucket.fill(now, factor);
                // More than full it is never.
                bucket.level = (bucket.level - amount(charge.of(bucket.unit))).min(bucket.full(factor));
            }
            Self::Window(window) => match charge.of(window.unit) {
                0 => {}
                back @ ..0 => window.give_back(sent, amount(-back)),
                more => window.take(now, amount(more)),
            },
            Self::Slope(_) => {}
        }
    }

    /// Charges a refused call so much of a request. Limits go no lower than empty by it.
    pub(super) fn penalise(&mut self, now: Duration, part: f64) {
        match self {
            Self::Bucket(bucket) if bucket.unit == Unit::Requests => bucket.level = (bucket.level - part).max(0.0),
            Self::Window(window) if window.unit == Unit::Requests => {
                let part = part.min(window.limit - window.total);
                if part > 0.0 {
                    window.take(now, part);
                }
            }
            _ => {}
        }
    }

    /// The limit that a refusal names.
    pub(super) fn scope(&self) -> LimitKind {
        match self {
            Self::Bucket(bucket) => bucket.unit.scope(Duration::ZERO),
            Self::Window(window) => window.unit.scope(window.width),
            Self::Slope(_) => LimitKind::Unknown,
        }
    }

    /// What is told of it in headers, if it counts this unit, by the day or not.
    pub(super) fn state(&mut self, now: Duration, factor: f64, unit: Unit, by_the_day: bool) -> Option<State> {
        match self {
            Self::Bucket(bucket) if bucket.unit == unit && !by_the_day => Some(bucket.state(now, factor)),
            Self::Window(window) if window.unit == unit && by_the_day == (window.width >= DAY) => {
                Some(window.state(now, factor))
            }
            _ => None,
        }
    }
}

#[allow(clippy::cast_precision_loss)]
fn amount(tokens: i64) -> f64 {
    tokens as f64
}

/// A token bucket that refills evenly.
#[derive(Debug)]
pub(super) struct Bucket {
    unit: Unit,
    per_second: f64,
    horizon: f64,
    level: f64,
    at: Duration,
}

impl Bucket {
    pub(super) fn new(unit: Unit, per_minute: f64, horizon: Duration) -> Self {
        let (per_second, horizon) = (per_minute / 60.0, horizon.as_secs_f64());
        Self { unit, per_second, horizon, level: (per_second * horizon).max(1.0), at: Duration::ZERO }
    }

    fn full(&self, factor: f64) -> f64 {
        (self.per_second * factor * self.horizon).max(1.0)
    }

    fn fill(&mut self, now: Duration, factor: f64) {
        let more = self.per_second * factor * now.saturating_sub(self.at).as_secs_f64();
        self.level = (self.level + more).min(self.full(factor));
        self.at = now;
    }

    fn wait(&mut self, now: Duration, factor: f64, needs: f64) -> Duration {
        self.fill(now, factor);
        let rate = self.per_second * factor;
        // What is larger than the bucket goes when it is full. The refill of many small steps is off by rounding errors, and
        // a time that was told by part of a nanosecond.
        let missing = needs.min(self.full(factor)) - self.level;
        if missing <= 1e-6_f64.max(2e-9 * rate) { Duration::ZERO } else { Duration::from_secs_f64(missing / rate) }
    }

    fn state(&mut self, now: Duration, factor: f64) -> State {
        self.fill(now, factor);
        let rate = self.per_second * factor;
        let reset = Duration::from_secs_f64((self.full(factor) - self.level) / rate);
        // As limits are told, by the minute, whatever they are counted over.
        let minutes = (60.0 / self.horizon).max(1.0);
        State { limit: rate * 60.0, remaining: self.level * minutes, reset }
    }
}

/// A count over a stretch of time: one that slides, or one that begins anew on the clock.
#[derive(Debug)]
pub(super) struct Window {
    unit: Unit,
    limit: f64,
    width: Duration,
    slides: bool,
    taken: VecDeque<(Duration, f64)>,
    total: f64,
}

impl Window {
    /// Takes so many in its width.
    pub(super) fn new(unit: Unit, limit: f64, width: Duration, slides: bool) -> Self {
        Self { unit, limit, width, slides, taken: VecDeque::new(), total: 0.0 }
    }

    fn forget(&mut self, now: Duration) {
        let begin = if self.slides { now.saturating_sub(self.width) } else { self.tick(now) };
        while let Some(&(at, cost)) = self.taken.front()
            && (at < begin || (self.slides && now >= self.width && at <= begin))
        {
            self.total -= cost;
            self.taken.pop_front();
        }
    }

    fn wait(&mut self, now: Duration, factor: f64, needs: f64) -> Duration {
        self.forget(now);
        let limit = (self.limit * factor).max(1.0);
        let mut excess = self.total + needs.min(limit) - limit;
        if excess <= 1e-6 {
            return Duration::ZERO;
        }
        if !self.slides {
            return (self.tick(now) + self.width).saturating_sub(now);
        }
        let frees = self.taken.iter().find(|(_, cost)| {
            excess -= cost;
            excess <= 1e-6
        });
        frees.map_or(self.width, |(at, _)| (*at + self.width).saturating_sub(now))
    }

    /// The start of the fixed window that `now` lies in.
    fn tick(&self, now: Duration) -> Duration {
        self.width * u32::try_from(now.as_nanos() / self.width.as_nanos()).unwrap_or(u32::MAX)
    }

    fn take(&mut self, now: Duration, cost: f64) {
        self.total += cost;
        self.taken.push_back((now, cost));
    }

    /// Takes it off what was taken at that time, as long as that is counted.
    fn give_back(&mut self, sent: Duration, mut cost: f64) {
        let first = self.taken.partition_point(|(at, _)| *at < sent);
        for (_, taken) in self.taken.iter_mut().skip(first).take_while(|(at, _)| *at == sent) {
            let part = cost.min(*taken);
            *taken -= part;
            self.total -= part;
            cost -= part;
        }
    }

    fn state(&mut self, now: Duration, factor: f64) -> State {
        self.forget(now);
        let limit = (self.limit * factor).max(1.0);
        let minutes = (60.0 / self.width.as_secs_f64()).max(1.0);
        let counted = if self.slides { self.taken.back().map(|(at, _)| *at) } else { Some(self.tick(now)) };
        let reset = counted.map_or(Duration::ZERO, |at| (at + self.width).saturating_sub(now));
        State { limit: limit * minutes, remaining: (limit - self.total) * minutes, reset }
    }
}

/// A second may carry so many times the mean of the five before it, and a few more.
#[derive(Debug)]
pub(super) struct Slope {
    factor: f64,
    more: f64,
    second: u64,
    count: f64,
    before: [f64; 5],
}

impl Slope {
    pub(super) fn new(factor: f64, more: f64) -> Self {
        Self { factor, more, second: 0, count: 0.0, before: [0.0; 5] }
    }

    fn wait(&mut self, now: Duration) -> Duration {
        // After an idle stretch all five are zero.
        let passed = now.as_secs() - self.second;
        for _ in 0..passed.min(6) {
            self.before.rotate_left(1);
            self.before[4] = self.count;
            self.count = 0.0;
        }
        self.second = now.as_secs();
        let most = self.factor * self.before.iter().sum::<f64>() / 5.0 + self.more;
        if self.count + 1.0 <= most { Duration::ZERO } else { Duration::from_secs(self.second + 1).saturating_sub(now) }
    }

    fn take(&mut self) {
        self.count += 1.0;
    }
}

#[cfg(test)]
mod tests;
