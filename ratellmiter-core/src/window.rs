//! How many calls went out in the last second and minute, so that lateness made up never puts more into either than
//! the limit.
//!
//! The meter counts from its schedule, not from when a timer happened to fire, so nothing is lost to late timers. But a
//! call sent late and the next sent in time stand closer together than the limit allows. The window sees the times at
//! which calls really went, and holds the few that would be one too many.

use std::{collections::VecDeque, num::NonZeroU32, time::Duration};

/// At most the limit in any minute, and at most the next whole number of calls, and one, in any second.
#[derive(Debug)]
pub(crate) struct Window {
    second: Span,
    minute: Span,
}

impl Window {
    pub(crate) fn new(per_minute: NonZeroU32, burst: Duration) -> Self {
        let mut window = Self { second: Span::new(Duration::from_secs(1)), minute: Span::new(Duration::from_mins(1)) };
        window.set(per_minute, burst);
        window
    }

    /// What was saved up for `burst` may come on top.
    pub(crate) fn set(&mut self, per_minute: NonZeroU32, burst: Duration) {
        let per_minute = u64::from(per_minute.get());
        let burst = u64::try_from(burst.as_nanos() * u128::from(per_minute) / 60_000_000_000).unwrap_or(per_minute);
        self.second.limit = per_minute.div_ceil(60) + burst + 1;
        self.minute.limit = per_minute + burst;
    }

    /// When one more call is not too many.
    pub(crate) fn due(&self) -> Duration {
        self.second.due().max(self.minute.due())
    }

    /// Counts a call that goes now.
    pub(crate) fn take(&mut self, now: Duration) {
        self.second.take(now);
        self.minute.take(now);
    }

    /// Forgets a call counted at `at` that was never made.
    pub(crate) fn give_back(&mut self, at: Duration) {
        self.second.give_back(at);
        self.minute.give_back(at);
    }
}

/// At most `limit` calls in any half-open stretch of time `width` long.
///
/// The calls of one millisecond are kept as one entry, at the time of the last: a busy limiter's memory is bounded by
/// the minute's milliseconds, and the error is on the safe side.
#[derive(Debug)]
struct Span {
    width: Duration,
    limit: u64,
    /// Oldest first; the times of the last `limit` calls, and no more entries than that needs.
    calls: VecDeque<Calls>,
    total: u64,
}

#[derive(Debug)]
struct Calls {
    at: Duration,
    count: u64,
}

impl Span {
    fn new(width: Duration) -> Self {
        Self { width, limit: 1, calls: VecDeque::new(), total: 0 }
    }

    fn due(&self) -> Duration {
        let mut left = self.total;
        // While there is room the loop is not entered; else it ends at the entry whose leaving makes room.
        let full = self.calls.iter().take_while(|calls| {
            let full = left >= self.limit;
            left -= calls.count;
            full
        });
        full.last().map_or(Duration::ZERO, |calls| calls.at + self.width)
    }

    fn take(&mut self, now: Duration) {
        match self.calls.back_mut() {
            Some(last) if same_grain(last.at, now) => {
                last.at = now;
                last.count += 1;
            }
            _ => self.calls.push_back(Calls { at: now, count: 1 }),
        }
        self.total += 1;
        while let Some(oldest) = self.calls.front()
            && (self.total - oldest.count >= self.limit || oldest.at + self.width <= now)
        {
            self.total -= oldest.count;
            self.calls.pop_front();
        }
    }

    fn give_back(&mut self, at: Duration) {
        // Given back soon or never: the entry is among the last.
        for index in (0..self.calls.len()).rev() {
            let calls = &mut self.calls[index];
            if calls.at < at && !same_grain(calls.at, at) {
                break;
            }
            if same_grain(calls.at, at) {
                calls.count -= 1;
                self.total -= 1;
                if calls.count == 0 {
                    self.calls.remove(index);
                }
                break;
            }
        }
    }
}

fn same_grain(one: Duration, other: Duration) -> bool {
    let grain = |at: Duration| (at.as_secs(), at.subsec_millis());
    grain(one) == grain(other)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn window(per_minute: u32) -> Window {
        Window::new(NonZeroU32::new(per_minute).unwrap(), Duration::ZERO)
    }

    #[test]
    fn a_minute_is_half_open() {
        let mut window = window(1);
        window.take(Duration::from_millis(1003));
        assert_eq!(window.due(), Duration::from_millis(61_003));
    }

    #[test]
    fn a_second_holds_one_more_than_its_share() {
        let mut window = window(90);
        for at in [0, 10, 20] {
            assert_eq!(window.due(), Duration::ZERO);
            window.take(Duration::from_millis(at));
        }
        assert_eq!(window.due(), Duration::from_secs(1));
    }

    #[test]
    fn what_is_given_back_makes_room() {
        let mut window = window(1);
        window.take(Duration::from_secs(5));
        window.give_back(Duration::from_secs(5));
        assert_eq!(window.due(), Duration::ZERO);
    }

    #[test]
    fn a_lowered_limit_counts_what_went_before() {
        let mut window = window(600);
        for at in 0..10 {
            window.take(Duration::from_millis(at * 100));
        }
        window.set(NonZeroU32::new(5).unwrap(), Duration::ZERO);
        // The sixth of the ten must be out of the minute before another may go.
        assert_eq!(window.due(), Duration::from_millis(60_500));
    }

    proptest! {
        #[test]
        fn no_stretch_holds_too_many(per_minute in 1_u32..2000, gaps in prop::collection::vec(0_u64..3_000_000_000, 1..400)) {
            let mut window = window(per_minute);
            let mut now = Duration::ZERO;
            let mut went: Vec<Duration> = Vec::new();
            for gap in gaps {
                now = (now + Duration::from_nanos(gap)).max(window.due());
                window.take(now);
                went.push(now);
                for (width, limit) in [(60, per_minute as usize), (1, per_minute.div_ceil(60) as usize + 1)] {
                    let inside = went.iter().filter(|at| **at + Duration::from_secs(width) > now).count();
                    prop_assert!(inside <= limit, "{inside} calls in {width} s");
                }
            }
        }

        #[test]
        fn giving_back_is_exact(calls in prop::collection::vec(0_u64..30_000, 1..60), keep in any::<prop::sample::Index>()) {
            let mut times = calls;
            times.sort_unstable();
            let last = keep.index(times.len());
            let mut window = window(1_000_000);
            times.iter().for_each(|&at| window.take(Duration::from_millis(at)));
            times[last..].iter().for_each(|&at| window.give_back(Duration::from_millis(at)));
            let end = Duration::from_millis(*times.last().unwrap());
            let inside = times[..last].iter().filter(|&&at| Duration::from_millis(at) + Duration::from_secs(60) > end).count();
            prop_assert_eq!(window.minute.total, inside as u64);
        }
    }
}
