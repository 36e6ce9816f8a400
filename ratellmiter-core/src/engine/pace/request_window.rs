//! How many calls went out in the last second and minute, so that lateness made up never puts more into either than
//! the limit.
//!
//! The meter counts from its schedule, not from when a timer happened to fire, so nothing is lost to late timers. But a
//! call sent late and the next sent in time stand closer together than the limit allows. The window sees the times at
//! which calls really went, and holds the few that would be one too many.

use std::{num::NonZeroU32, time::Duration};

use crate::engine::pace::sliding_window::SlidingWindow;

/// Calls that are closer together are counted as one entry.
const GRAIN: Duration = Duration::from_millis(1);

/// At most the limit in any minute, and at most the next whole number of calls, and one, in any second.
#[derive(Debug)]
pub(crate) struct RequestWindow {
    second: SlidingWindow,
    minute: SlidingWindow,
    per_second: u64,
    per_minute: u64,
}

impl RequestWindow {
    pub(crate) fn new(per_minute: NonZeroU32, burst: Duration) -> Self {
        let ledger = |seconds| SlidingWindow::new(Duration::from_secs(seconds), GRAIN);
        let mut window = Self { second: ledger(1), minute: ledger(60), per_second: 1, per_minute: 1 };
        window.set(per_minute, burst);
        window
    }

    /// What was saved up for `burst` may come on top.
    pub(crate) fn set(&mut self, per_minute: NonZeroU32, burst: Duration) {
        let per_minute = u64::from(per_minute.get());
        let burst = u64::try_from(burst.as_nanos() * u128::from(per_minute) / 60_000_000_000).unwrap_or(per_minute);
        self.per_second = per_minute.div_ceil(60) + burst + 1;
        self.per_minute = per_minute + burst;
    }

    /// When one more call is not too many.
    pub(crate) fn due(&self) -> Duration {
        self.second.due(1, self.per_second).max(self.minute.due(1, self.per_minute))
    }

    /// Calls of the last minute that went after `at`.
    pub(crate) fn due_after(&self, at: Duration) -> u64 {
        self.minute.taken_since(at)
    }

    /// Counts a call that goes now.
    pub(crate) fn admit(&mut self, now: Duration) {
        self.second.charge(now, 1);
        self.minute.charge(now, 1);
    }

    /// Forgets a call counted at `at` that was never made.
    pub(crate) fn cancel(&mut self, at: Duration) {
        self.second.refund(at, 1);
        self.minute.refund(at, 1);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn window(per_minute: u32) -> RequestWindow {
        RequestWindow::new(NonZeroU32::new(per_minute).unwrap(), Duration::ZERO)
    }

    #[test]
    fn a_minute_is_half_open() {
        let mut window = window(1);
        window.admit(Duration::from_millis(1003));
        assert_eq!(window.due(), Duration::from_millis(61_003));
    }

    #[test]
    fn a_second_holds_one_more_than_its_share() {
        let mut window = window(90);
        for at in [0, 10, 20] {
            assert_eq!(window.due(), Duration::ZERO);
            window.admit(Duration::from_millis(at));
        }
        assert_eq!(window.due(), Duration::from_secs(1));
    }

    #[test]
    fn what_is_given_back_makes_room() {
        let mut window = window(1);
        window.admit(Duration::from_secs(5));
        window.cancel(Duration::from_secs(5));
        assert_eq!(window.due(), Duration::ZERO);
    }

    #[test]
    fn a_lowered_limit_counts_what_went_before() {
        let mut window = window(600);
        for at in 0..10 {
            window.admit(Duration::from_millis(at * 100));
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
                window.admit(now);
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
            times.iter().for_each(|&at| window.admit(Duration::from_millis(at)));
            times[last..].iter().for_each(|&at| window.cancel(Duration::from_millis(at)));
            let end = Duration::from_millis(*times.last().unwrap());
            let inside = times[..last].iter().filter(|&&at| Duration::from_millis(at) + Duration::from_secs(60) > end).count();
            prop_assert_eq!(window.minute.total(end), inside as u64);
        }
    }
}
