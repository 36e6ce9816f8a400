//! The limits that a provider puts together, each of which may refuse a call. They are asked first, and then all take it.

use std::{collections::VecDeque, time::Duration};

/// What a limit counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unit {
    Requests,
    Tokens,
}

#[derive(Debug)]
pub(super) enum Rule {
    Bucket(Bucket),
    Window(Window),
    Slope(Slope),
}

impl Rule {
    /// How long until a call of this cost would be taken; zero if it would now. `factor` is what the limit is multiplied with
    /// at this time.
    pub(super) fn wait(&mut self, now: Duration, factor: f64, tokens: u64) -> Duration {
        match self {
            Self::Bucket(bucket) => bucket.wait(now, factor, tokens),
            Self::Window(window) => window.wait(now, factor, tokens),
            Self::Slope(slope) => slope.wait(now),
        }
    }

    pub(super) fn take(&mut self, now: Duration, tokens: u64) {
        match self {
            Self::Bucket(bucket) => bucket.level -= bucket.cost(tokens),
            Self::Window(window) => window.take(now, tokens),
            Self::Slope(slope) => slope.take(),
        }
    }

    /// Charges a refused call so much of a request.
    pub(super) fn penalise(&mut self, part: f64) {
        if let Self::Bucket(bucket) = self
            && bucket.unit == Unit::Requests
        {
            bucket.level = (bucket.level - part).max(0.0);
        }
    }
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

    #[allow(clippy::cast_precision_loss)]
    fn cost(&self, tokens: u64) -> f64 {
        match self.unit {
            Unit::Requests => 1.0,
            Unit::Tokens => tokens as f64,
        }
    }

    fn wait(&mut self, now: Duration, factor: f64, tokens: u64) -> Duration {
        let rate = self.per_second * factor;
        let full = (rate * self.horizon).max(1.0);
        self.level = (self.level + rate * now.saturating_sub(self.at).as_secs_f64()).min(full);
        self.at = now;
        // What is larger than the bucket goes when it is full. The refill of many small steps is off by rounding errors.
        let missing = self.cost(tokens).min(full) - self.level;
        if missing <= 1e-6 { Duration::ZERO } else { Duration::from_secs_f64(missing / rate) }
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
    pub(super) fn new(unit: Unit, per_minute: f64, width: Duration, slides: bool) -> Self {
        let limit = per_minute / 60.0 * width.as_secs_f64();
        Self { unit, limit, width, slides, taken: VecDeque::new(), total: 0.0 }
    }

    #[allow(clippy::cast_precision_loss)]
    fn cost(&self, tokens: u64) -> f64 {
        match self.unit {
            Unit::Requests => 1.0,
            Unit::Tokens => tokens as f64,
        }
    }

    fn wait(&mut self, now: Duration, factor: f64, tokens: u64) -> Duration {
        let begin = if self.slides { now.saturating_sub(self.width) } else { self.tick(now) };
        while let Some(&(at, cost)) = self.taken.front()
            && (at < begin || (self.slides && now >= self.width && at <= begin))
        {
            self.total -= cost;
            self.taken.pop_front();
        }
        let limit = (self.limit * factor).max(1.0);
        let mut excess = self.total + self.cost(tokens).min(limit) - limit;
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

    fn take(&mut self, now: Duration, tokens: u64) {
        let cost = self.cost(tokens);
        self.total += cost;
        self.taken.push_back((now, cost));
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
mod tests {
    use super::*;

    fn millis(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    /// How many of 10 calls at once are taken at each of `times`.
    fn taken(mut rule: Rule, times: &[u64]) -> Vec<usize> {
        let at = |rule: &mut Rule, now| {
            let mut taken = 0;
            while taken < 10 && rule.wait(now, 1.0, 1).is_zero() {
                rule.take(now, 1);
                taken += 1;
            }
            taken
        };
        times.iter().map(|&time| at(&mut rule, millis(time))).collect()
    }

    #[test]
    fn a_bucket_refills_evenly_up_to_its_horizon() {
        let bucket = || Rule::Bucket(Bucket::new(Unit::Requests, 300.0, Duration::from_secs(1)));
        assert_eq!(taken(bucket(), &[0, 199, 200, 1000, 60_000]), [5, 0, 1, 4, 5]);
        let mut empty = bucket();
        (0..5).for_each(|_| empty.take(Duration::ZERO, 1));
        assert_eq!(empty.wait(millis(50), 1.0, 1), millis(150));
        assert_eq!(empty.wait(millis(50), 0.5, 1), millis(300), "at half the rate");
        empty.penalise(0.2);
        assert_eq!(empty.wait(millis(50), 1.0, 1), millis(190), "a fifth of a request more");
    }

    #[test]
    fn windows_slide_or_begin_anew() {
        let window = |slides| Rule::Window(Window::new(Unit::Requests, 300.0, Duration::from_secs(1), slides));
        assert_eq!(taken(window(true), &[600, 1000, 1599, 1600]), [5, 0, 0, 5]);
        assert_eq!(taken(window(false), &[600, 999, 1000, 1600]), [5, 0, 5, 0]);
        let mut sliding = window(true);
        assert!(sliding.wait(millis(600), 1.0, 1).is_zero());
        (0..5).for_each(|_| sliding.take(millis(600), 1));
        assert_eq!(sliding.wait(millis(700), 1.0, 1), millis(900));
    }

    #[test]
    fn tokens_are_counted_by_the_call_and_what_is_too_large_goes_alone() {
        let mut bucket = Rule::Bucket(Bucket::new(Unit::Tokens, 6000.0, Duration::from_secs(10)));
        assert!(bucket.wait(Duration::ZERO, 1.0, 5000).is_zero(), "larger than the bucket, and the bucket is full");
        bucket.take(Duration::ZERO, 900);
        assert_eq!(bucket.wait(Duration::ZERO, 1.0, 200), Duration::from_secs(1));
        let mut window = Rule::Window(Window::new(Unit::Tokens, 6000.0, Duration::from_secs(10), true));
        window.take(Duration::ZERO, 900);
        window.take(millis(500), 50);
        assert_eq!(window.wait(Duration::from_secs(1), 1.0, 100), Duration::from_secs(9));
    }

    #[test]
    fn a_slope_is_measured_against_the_five_seconds_before() {
        let slope = Rule::Slope(Slope::new(1.5, 2.0));
        // 2; 1.5 x 2/5 + 2 = 2.6; 1.5 x 4/5 + 2 = 3.2; 1.5 x 7/5 + 2 = 4.1; then five idle seconds.
        assert_eq!(taken(slope, &[0, 1000, 2000, 3000, 9500]), [2, 2, 3, 4, 2]);
    }
}
