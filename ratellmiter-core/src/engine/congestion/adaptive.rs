//! The rate that the server has taught us, never above the configured one.
//!
//! A refusal that begins an episode cuts what is allowed to a part of what really went through, and remembers that as the
//! ceiling. From there it grows with the time that calls have waited for this limit alone: quickly back to the ceiling,
//! slowly around it, and beyond it twice as fast every few seconds, until the next refusal or the configured limit. A ceiling
//! that was found again is probed less and less often; one that moved is forgotten. The same controller serves the rate and
//! the calls in flight.

use std::{collections::VecDeque, time::Duration};

/// What is left after a cut, of what went through.
pub(crate) const DECREASE_FACTOR: f64 = 0.85;
/// How long growth back to the ceiling takes at first, and at most.
pub(crate) const FIRST_RETURN_SECONDS: f64 = 6.0;
pub(crate) const MAX_RETURN_SECONDS: f64 = 240.0;
/// How much longer it takes each time the ceiling is found where it was.
pub(crate) const RETURN_FACTOR: f64 = 1.5;
/// A ceiling is where it was if it is off by no more than this factor.
pub(crate) const SAME_CEILING: f64 = 1.25;
/// Beyond the ceiling: by this part of it, doubling in so many seconds.
pub(crate) const PROBE_STEP: f64 = 0.02;
pub(crate) const PROBE_DOUBLING_SECONDS: f64 = 2.0;

/// One limit, as far as it has been learned.
#[derive(Debug)]
pub(crate) struct AdaptiveLimit {
    /// What is configured; infinite if nothing is.
    most: f64,
    least: f64,
    learned: Option<Adapted>,
}

#[derive(Debug, Clone, Copy)]
struct Adapted {
    /// What is allowed right after the cut.
    low: f64,
    /// What went through when the server last refused.
    ceiling: f64,
    /// Seconds from the cut until the ceiling is reached again.
    return_time: f64,
    /// Seconds since the cut in which calls waited for this limit.
    pressed: f64,
}

impl AdaptiveLimit {
    /// `least` is what is always allowed.
    pub(crate) fn new(most: f64, least: f64) -> Self {
        Self { most, least, learned: None }
    }

    /// Changes what is configured, and what is always allowed.
    pub(crate) fn set_bounds(&mut self, most: f64, least: f64) {
        (self.most, self.least) = (most, least);
    }

    /// What is allowed now.
    pub(crate) fn allowed(&self) -> f64 {
        self.learned.map_or(self.most, |learned| learned.allowed().max(self.least).min(self.most))
    }

    /// Returns what is allowed right after the cut.
    pub(crate) fn low(&self) -> f64 {
        self.learned.map_or(self.most, |learned| learned.low.max(self.least))
    }

    /// What has been learned, if it is less than what is configured.
    pub(crate) fn adapted(&self) -> Option<f64> {
        Some(self.allowed()).filter(|allowed| *allowed < self.most)
    }

    /// Where the server refused last, unless what is configured has been reached since.
    pub(crate) fn ceiling(&self) -> Option<f64> {
        self.learned.map(|learned| learned.ceiling).filter(|_| self.allowed() < self.most)
    }

    /// Starts with the ceiling of an earlier run, carefully, unless something is known already.
    pub(crate) fn restore(&mut self, ceiling: f64) {
        if self.learned.is_none() && ceiling.is_finite() {
            self.on_refusal(ceiling);
        }
    }

    /// Calls have waited for this limit alone for so long.
    pub(crate) fn on_backlogged(&mut self, time: Duration) {
        if let Some(learned) = &mut self.learned
            && learned.allowed() < self.most
        {
            learned.pressed += time.as_secs_f64();
        }
    }

    /// An episode of refusals begins, at a time when so much went through.
    pub(crate) fn on_refusal(&mut self, through: f64) {
        let through = through.clamp(self.least, self.most);
        let return_time = match self.learned {
            Some(Adapted { ceiling, return_time, .. })
                if (ceiling / SAME_CEILING..=ceiling * SAME_CEILING).contains(&through) =>
            {
                (return_time * RETURN_FACTOR).min(MAX_RETURN_SECONDS)
            }
            _ => FIRST_RETURN_SECONDS,
        };
        self.learned = Some(Adapted { low: through * DECREASE_FACTOR, ceiling: through, return_time, pressed: 0.0 });
    }
}

impl Adapted {
    fn allowed(&self) -> f64 {
        let Self { low, ceiling, return_time, pressed } = *self;
        if pressed < return_time {
            let left = 1.0 - pressed / return_time;
            ceiling - (ceiling - low) * left * left * left
        } else {
            ceiling * (1.0 + PROBE_STEP * (((pressed - return_time) / PROBE_DOUBLING_SECONDS).exp2() - 1.0))
        }
    }
}

/// How many calls really go through: those that went, without those that came back refused.
#[derive(Debug, Default)]
pub(crate) struct Throughput {
    /// Calls, and when the first of them went; oldest first.
    calls: VecDeque<(Duration, u32)>,
}

/// Calls that are closer together than this are counted together.
pub(crate) const THROUGHPUT_GRAIN: Duration = Duration::from_millis(250);
/// It is measured over so much time, or over so many calls if that takes longer.
pub(crate) const THROUGHPUT_SPAN: Duration = Duration::from_secs(5);
pub(crate) const THROUGHPUT_CALLS: u32 = 10;
pub(crate) const MAX_THROUGHPUT_SPAN: Duration = Duration::from_mins(2);
/// Fewer calls, or a shorter time, are not enough to measure.
pub(crate) const MIN_THROUGHPUT_CALLS: u32 = 3;
pub(crate) const MIN_THROUGHPUT_SPAN: Duration = Duration::from_secs(1);

impl Throughput {
    pub(crate) fn on_sent(&mut self, now: Duration) {
        match self.calls.back_mut() {
            Some((at, count)) if now < *at + THROUGHPUT_GRAIN => *count += 1,
            _ => self.calls.push_back((now, 1)),
        }
        while self.calls.front().is_some_and(|(at, _)| *at + MAX_THROUGHPUT_SPAN < now) {
            self.calls.pop_front();
        }
    }

    /// One that went at `at` came back refused.
    pub(crate) fn refused(&mut self, at: Duration) {
        let of = self.calls.iter_mut().rev().find(|(first, count)| *first <= at && *count > 0);
        if let Some((_, count)) = of {
            *count -= 1;
        }
    }

    /// Removes and returns all calls, with the time of the first of those that are close together.
    pub(crate) fn drain(&mut self) -> impl Iterator<Item = (Duration, u32)> + use<> {
        // Calls that follow closely belong to the last.
        let last = self.calls.back().map(|(at, _)| (*at, 0));
        std::mem::replace(&mut self.calls, last.into_iter().collect()).into_iter().filter(|(_, count)| *count > 0)
    }

    /// Begins anew: a pause is not counted.
    pub(crate) fn clear(&mut self) {
        self.calls.clear();
    }

    /// Calls a second, if enough went to tell.
    pub(crate) fn rate(&self, now: Duration) -> Option<f64> {
        let (mut count, mut since) = (0, now);
        for (at, calls) in self.calls.iter().rev() {
            if count >= THROUGHPUT_CALLS && since + THROUGHPUT_SPAN <= now {
                break;
            }
            (count, since) = (count + calls, *at);
        }
        let span = now.saturating_sub(since).as_secs_f64();
        (count >= MIN_THROUGHPUT_CALLS && span >= MIN_THROUGHPUT_SPAN.as_secs_f64()).then(|| f64::from(count) / span)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn near(left: f64, right: f64) -> bool {
        (left - right).abs() < 1e-9
    }

    /// A learner that was refused at 100.
    fn refused() -> AdaptiveLimit {
        let mut learner = AdaptiveLimit::new(300.0, 1.0);
        learner.on_refusal(100.0);
        learner
    }

    #[test]
    fn what_is_configured_holds_until_something_is_learned() {
        let learner = AdaptiveLimit::new(300.0, 1.0);
        assert!(near(learner.allowed(), 300.0));
        assert_eq!((learner.adapted(), learner.ceiling()), (None, None));
    }

    #[test]
    fn a_cut_then_back_to_the_ceiling_then_beyond_it_faster_and_faster_up_to_what_is_configured() {
        let mut learner = refused();
        let mut allowed = vec![learner.allowed()];
        for _ in 0..40 {
            learner.on_backlogged(seconds(1));
            allowed.push(learner.allowed());
        }
        assert!(near(allowed[0], 85.0) && near(allowed[6], 100.0), "{allowed:?}");
        assert!(near(allowed[3], 98.125), "quickly back: {allowed:?}");
        assert!(near(allowed[8], 102.0) && near(allowed[10], 106.0) && near(allowed[12], 114.0), "{allowed:?}");
        assert!(allowed.windows(2).all(|pair| pair[0] <= pair[1]));
        assert!(near(allowed[40], 300.0));
        assert_eq!((learner.adapted(), learner.ceiling()), (None, None), "as configured");
    }

    #[test]
    fn a_ceiling_that_is_found_again_is_probed_later_each_time_and_one_that_moved_is_forgotten() {
        let mut learner = refused();
        let time_to_ceiling = |learner: &mut AdaptiveLimit, ceiling: f64| {
            (0..10_000)
                .find(|_| {
                    learner.on_backlogged(Duration::from_millis(100));
                    learner.allowed() > ceiling - 1e-6
                })
                .unwrap()
                / 10
        };
        let mut times = vec![time_to_ceiling(&mut learner, 100.0)];
        for _ in 0..12 {
            learner.on_refusal(100.0);
            times.push(time_to_ceiling(&mut learner, 100.0));
        }
        assert_eq!(times[..5], [5, 8, 13, 20, 30], "half longer each time, from six seconds on");
        assert_eq!(times.last(), Some(&239), "and at most four minutes");
        learner.on_refusal(50.0);
        assert_eq!(time_to_ceiling(&mut learner, 50.0), 5);
    }

    #[test]
    fn it_stays_between_the_least_and_what_is_configured() {
        let mut learner = AdaptiveLimit::new(300.0, 1.0);
        learner.on_refusal(f64::INFINITY);
        assert!(near(learner.allowed(), 255.0));
        learner.on_refusal(0.0);
        assert!(near(learner.allowed(), 1.0));
        learner.set_bounds(1.0, 1.0);
        (0..1000).for_each(|_| learner.on_backlogged(seconds(60)));
        assert!(near(learner.allowed(), 1.0));
    }

    #[test]
    fn what_an_earlier_run_learned_counts_as_a_refusal_unless_more_is_known() {
        let mut learner = AdaptiveLimit::new(300.0, 1.0);
        learner.restore(100.0);
        assert!(near(learner.allowed(), 85.0));
        learner.restore(200.0);
        assert_eq!(learner.ceiling(), Some(100.0));
        let mut broken = AdaptiveLimit::new(300.0, 1.0);
        broken.restore(f64::NAN);
        broken.restore(f64::INFINITY);
        assert_eq!(broken.ceiling(), None);
        broken.restore(-7.0);
        assert!(near(broken.allowed(), 1.0));
    }

    #[test]
    fn what_goes_through_is_measured_over_seconds_and_without_what_was_refused() {
        let mut through = Throughput::default();
        assert_eq!(through.rate(seconds(1)), None);
        for call in 0..100 {
            through.on_sent(Duration::from_millis(call * 100));
        }
        let rate = through.rate(seconds(10)).unwrap();
        assert!((rate - 10.0).abs() < 0.1, "{rate}");
        (0..25).for_each(|_| through.refused(Duration::from_millis(9900)));
        let rate = through.rate(seconds(10)).unwrap();
        assert!((5.0..8.0).contains(&rate), "{rate}");
        through.clear();
        assert_eq!(through.rate(seconds(10)), None);
    }

    #[test]
    fn few_calls_are_measured_over_longer() {
        let mut through = Throughput::default();
        for call in 0..20 {
            through.on_sent(seconds(call * 6));
        }
        let rate = through.rate(seconds(120)).unwrap();
        assert!((rate * 60.0 - 10.0).abs() < 1.0, "{rate}");
    }
}
