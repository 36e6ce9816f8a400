//! The limits of a simulated provider. A call is admitted if all limits allow it, and is charged to all of them then.

use std::{collections::VecDeque, time::Duration};

use super::{
    Unit,
    charging::{Charge, DAY, TokenCharging},
};
use crate::judge::LimitKind;

#[derive(Debug)]
pub(super) enum Rule {
    Bucket(Bucket),
    Window(Window),
    Slope(Slope),
}

/// State of a limit as headers show it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct LimitState {
    /// Limit a minute, or in the width of a longer window.
    pub(super) limit: f64,
    /// Amount available now.
    pub(super) remaining: f64,
    /// Time until the whole limit is available.
    pub(super) reset: Duration,
}

impl Rule {
    /// Returns the time until a call of this charge would be allowed, or zero if it is allowed now. The limit is multiplied by
    /// `factor`. Future charges of calls in flight are not included.
    pub(super) fn wait(&mut self, now: Duration, factor: f64, charge: &Charge, charging: TokenCharging) -> Duration {
        match self {
            Self::Bucket(bucket) => bucket.wait(now, factor, amount(charging.required(charge, bucket.unit))),
            Self::Window(window) => window.wait(now, factor, amount(charging.required(charge, window.unit))),
            Self::Slope(slope) => slope.wait(now),
        }
    }

    /// Returns `true` if the charge exceeds the whole limit, multiplied by `factor`.
    pub(super) fn is_exceeded_by(&self, factor: f64, charge: &Charge) -> bool {
        match self {
            Self::Bucket(bucket) => amount(charge.amount(bucket.unit)) > bucket.capacity(factor),
            Self::Window(window) => amount(charge.amount(window.unit)) > window.limit * factor,
            Self::Slope(_) => false,
        }
    }

    /// Charges an admitted call.
    pub(super) fn take(&mut self, now: Duration, factor: f64, charge: &Charge) {
        if let Self::Slope(slope) = self {
            slope.take();
        } else {
            self.charge(now, factor, charge, now);
        }
    }

    /// Adds a charge or a refund to a call that was sent at `sent`.
    pub(super) fn charge(&mut self, now: Duration, factor: f64, charge: &Charge, sent: Duration) {
        match self {
            Self::Bucket(bucket) => {
                bucket.fill(now, factor);
                // A refund does not raise the level above a full bucket.
                bucket.level = (bucket.level - amount(charge.amount(bucket.unit))).min(bucket.capacity(factor));
            }
            Self::Window(window) => match charge.amount(window.unit) {
                0 => {}
                refund @ ..0 => window.refund(sent, amount(-refund)),
                charge => window.charge(now, amount(charge)),
            },
            Self::Slope(_) => {}
        }
    }

    /// Charges a refused call with `part` of a request. This does not exceed a limit.
    pub(super) fn charge_refusal(&mut self, now: Duration, part: f64) {
        match self {
            Self::Bucket(bucket) if bucket.unit == Unit::Requests => bucket.level = (bucket.level - part).max(0.0),
            Self::Window(window) if window.unit == Unit::Requests => {
                let part = part.min(window.limit - window.total);
                if part > 0.0 {
                    window.charge(now, part);
                }
            }
            _ => {}
        }
    }

    /// Returns the limit that a refusal names.
    pub(super) fn limit_kind(&self) -> LimitKind {
        match self {
            Self::Bucket(bucket) => bucket.unit.limit_kind(Duration::ZERO),
            Self::Window(window) => window.unit.limit_kind(window.width),
            Self::Slope(_) => LimitKind::Unknown,
        }
    }

    /// Returns the state of a limit on `unit`, or `None` for another unit. Daily limits match only with `is_daily`.
    pub(super) fn state(&mut self, now: Duration, factor: f64, unit: Unit, is_daily: bool) -> Option<LimitState> {
        match self {
            Self::Bucket(bucket) if bucket.unit == unit && !is_daily => Some(bucket.state(now, factor)),
            Self::Window(window) if window.unit == unit && is_daily == (window.width >= DAY) => {
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

/// Token bucket that refills evenly.
#[derive(Debug)]
pub(super) struct Bucket {
    unit: Unit,
    per_second: f64,
    /// Time in which an empty bucket refills, in seconds.
    horizon: f64,
    level: f64,
    filled_at: Duration,
}

impl Bucket {
    pub(super) fn new(unit: Unit, per_minute: f64, horizon: Duration) -> Self {
        let (per_second, horizon) = (per_minute / 60.0, horizon.as_secs_f64());
        Self { unit, per_second, horizon, level: (per_second * horizon).max(1.0), filled_at: Duration::ZERO }
    }

    fn capacity(&self, factor: f64) -> f64 {
        (self.per_second * factor * self.horizon).max(1.0)
    }

    fn fill(&mut self, now: Duration, factor: f64) {
        let refill = self.per_second * factor * now.saturating_sub(self.filled_at).as_secs_f64();
        self.level = (self.level + refill).min(self.capacity(factor));
        self.filled_at = now;
    }

    fn wait(&mut self, now: Duration, factor: f64, needs: f64) -> Duration {
        self.fill(now, factor);
        let rate = self.per_second * factor;
        // A call larger than the bucket is allowed when the bucket is full. The tolerance covers the rounding errors of many
        // small refills, and reported times cut to nanoseconds.
        let missing = needs.min(self.capacity(factor)) - self.level;
        if missing <= 1e-6_f64.max(2e-9 * rate) { Duration::ZERO } else { Duration::from_secs_f64(missing / rate) }
    }

    fn state(&mut self, now: Duration, factor: f64) -> LimitState {
        self.fill(now, factor);
        let rate = self.per_second * factor;
        let reset = Duration::from_secs_f64((self.capacity(factor) - self.level) / rate);
        // Headers show limits a minute, whatever interval they are enforced over.
        let minutes = (60.0 / self.horizon).max(1.0);
        LimitState { limit: rate * 60.0, remaining: self.level * minutes, reset }
    }
}

/// Count over a sliding interval, or over fixed intervals that start on the clock.
#[derive(Debug)]
pub(super) struct Window {
    unit: Unit,
    limit: f64,
    width: Duration,
    is_sliding: bool,
    charges: VecDeque<(Duration, f64)>,
    total: f64,
}

impl Window {
    /// Creates a window that allows `limit` in `width`.
    pub(super) fn new(unit: Unit, limit: f64, width: Duration, is_sliding: bool) -> Self {
        Self { unit, limit, width, is_sliding, charges: VecDeque::new(), total: 0.0 }
    }

    fn drop_expired(&mut self, now: Duration) {
        let start = if self.is_sliding { now.saturating_sub(self.width) } else { self.fixed_start(now) };
        while let Some(&(at, cost)) = self.charges.front()
            && (at < start || (self.is_sliding && now >= self.width && at <= start))
        {
            self.total -= cost;
            self.charges.pop_front();
        }
    }

    fn wait(&mut self, now: Duration, factor: f64, needs: f64) -> Duration {
        self.drop_expired(now);
        let limit = (self.limit * factor).max(1.0);
        let mut excess = self.total + needs.min(limit) - limit;
        if excess <= 1e-6 {
            return Duration::ZERO;
        }
        if !self.is_sliding {
            return (self.fixed_start(now) + self.width).saturating_sub(now);
        }
        let frees = self.charges.iter().find(|(_, cost)| {
            excess -= cost;
            excess <= 1e-6
        });
        frees.map_or(self.width, |(at, _)| (*at + self.width).saturating_sub(now))
    }

    /// Returns the start of the fixed window that contains `now`.
    fn fixed_start(&self, now: Duration) -> Duration {
        self.width * u32::try_from(now.as_nanos() / self.width.as_nanos()).unwrap_or(u32::MAX)
    }

    fn charge(&mut self, now: Duration, cost: f64) {
        self.total += cost;
        self.charges.push_back((now, cost));
    }

    /// Subtracts `cost` from the charges made at `sent` that have not expired.
    fn refund(&mut self, sent: Duration, mut cost: f64) {
        let first = self.charges.partition_point(|(at, _)| *at < sent);
        for (_, charge) in self.charges.iter_mut().skip(first).take_while(|(at, _)| *at == sent) {
            let part = cost.min(*charge);
            *charge -= part;
            self.total -= part;
            cost -= part;
        }
    }

    fn state(&mut self, now: Duration, factor: f64) -> LimitState {
        self.drop_expired(now);
        let limit = (self.limit * factor).max(1.0);
        let minutes = (60.0 / self.width.as_secs_f64()).max(1.0);
        let counted =
            if self.is_sliding { self.charges.back().map(|(at, _)| *at) } else { Some(self.fixed_start(now)) };
        let reset = counted.map_or(Duration::ZERO, |at| (at + self.width).saturating_sub(now));
        LimitState { limit: limit * minutes, remaining: (limit - self.total) * minutes, reset }
    }
}

/// Limit on growth: a second allows `factor` times the mean of the five seconds before, plus `extra`.
#[derive(Debug)]
pub(super) struct Slope {
    factor: f64,
    extra: f64,
    second: u64,
    count: f64,
    previous: [f64; 5],
}

impl Slope {
    pub(super) fn new(factor: f64, extra: f64) -> Self {
        Self { factor, extra, second: 0, count: 0.0, previous: [0.0; 5] }
    }

    fn wait(&mut self, now: Duration) -> Duration {
        // After six seconds all counts are zero.
        let elapsed = now.as_secs() - self.second;
        for _ in 0..elapsed.min(6) {
            self.previous.rotate_left(1);
            self.previous[4] = self.count;
            self.count = 0.0;
        }
        self.second = now.as_secs();
        let limit = self.factor * self.previous.iter().sum::<f64>() / 5.0 + self.extra;
        if self.count + 1.0 <= limit {
            Duration::ZERO
        } else {
            Duration::from_secs(self.second + 1).saturating_sub(now)
        }
    }

    fn take(&mut self) {
        self.count += 1.0;
    }
}

#[cfg(test)]
mod tests;
