//! What was taken in the last second, minute or day, so that no stretch of that length ever holds more than its limit.
//!
//! A meter spreads; a ledger only says no. It sees the times at which calls really went and what they took, and holds the
//! few that would be too much. What a call did not use after all can be taken out of its entry again.

use std::{collections::VecDeque, time::Duration};

use crate::engine::pace::gcra::nanos;

/// Amounts taken within any half-open stretch of time `width` long.
///
/// What is taken within one grain is kept as one entry, at the time of the last: a busy limiter's memory is bounded by the
/// grains of its width, and the error is on the safe side.
#[derive(Debug)]
pub(crate) struct SlidingWindow {
    /// All times in nanoseconds since the limiter's zero.
    width: u64,
    grain: u64,
    /// Oldest first.
    entries: VecDeque<Entry>,
    total: u64,
}

#[derive(Debug)]
struct Entry {
    /// When it counts no longer.
    leaves: u64,
    amount: u64,
}

impl SlidingWindow {
    pub(crate) fn new(width: Duration, grain: Duration) -> Self {
        Self { width: nanos(width), grain: nanos(grain), entries: VecDeque::new(), total: 0 }
    }

    /// What counts at `now`.
    pub(crate) fn total(&mut self, now: Duration) -> u64 {
        self.advance_to(nanos(now));
        self.total
    }

    /// What counted when this was last looked at, or a little more than counts now.
    pub(crate) fn total_at_last_look(&self) -> u64 {
        self.total
    }

    /// When there is room for `cost` within `limit`. What is more than the limit goes when there is nothing else.
    pub(crate) fn due(&self, cost: u64, limit: u64) -> Duration {
        let fits = |left: u64| left == 0 || left.saturating_add(cost) <= limit;
        if fits(self.total) {
            return Duration::ZERO;
        }
        let mut left = self.total;
        let frees = self.entries.iter().find(|entry| {
            left -= entry.amount;
            fits(left)
        });
        Duration::from_nanos(frees.map_or(0, |entry| entry.leaves))
    }

    /// Counts what is taken now.
    pub(crate) fn charge(&mut self, now: Duration, amount: u64) {
        self.advance_to(nanos(now));
        let amount = amount.min(u64::MAX - self.total);
        if amount == 0 {
            return;
        }
        self.total += amount;
        let leaves = nanos(now) + self.width;
        match self.entries.back_mut() {
            Some(last) if last.leaves / self.grain == leaves / self.grain => {
                last.leaves = leaves;
                last.amount += amount;
            }
            _ => self.entries.push_back(Entry { leaves, amount }),
        }
    }

    /// Takes out a part of what was taken at `at`. What has left already cannot be taken out.
    pub(crate) fn refund(&mut self, at: Duration, amount: u64) {
        let leaves = nanos(at) + self.width;
        let (begin, end) = (leaves - leaves % self.grain, leaves - leaves % self.grain + self.grain);
        // Most calls are short: it is often the last.
        let index = match self.entries.back() {
            Some(last) if last.leaves >= begin && last.leaves < end => self.entries.len() - 1,
            _ => self.entries.partition_point(|entry| entry.leaves < begin),
        };
        let Some(entry) = self.entries.get_mut(index).filter(|entry| entry.leaves < end) else {
            return;
        };
        let amount = amount.min(entry.amount);
        entry.amount -= amount;
        self.total -= amount;
        if entry.amount == 0 {
            self.entries.remove(index);
        }
    }

    /// What was taken after `at`.
    pub(crate) fn taken_since(&self, at: Duration) -> u64 {
        let leaves = nanos(at) + self.width;
        self.entries.iter().rev().take_while(|entry| entry.leaves > leaves).map(|entry| entry.amount).sum()
    }

    /// What counts at `now` by its age, oldest first.
    pub(crate) fn ages(&mut self, now: Duration) -> impl Iterator<Item = (Duration, u64)> {
        let now = nanos(now);
        self.advance_to(now);
        let left = now + self.width;
        self.entries.iter().map(move |entry| (Duration::from_nanos(left - entry.leaves), entry.amount))
    }

    /// Counts what somebody took that long ago, also before the limiter's zero.
    pub(crate) fn restore(&mut self, now: Duration, age: Duration, amount: u64) {
        let amount = amount.min(u64::MAX - self.total);
        let Some(leaves) = (nanos(now) + self.width).checked_sub(nanos(age)).filter(|leaves| *leaves > nanos(now))
        else {
            return;
        };
        let index = self.entries.partition_point(|entry| entry.leaves <= leaves);
        self.entries.insert(index, Entry { leaves, amount });
        self.total += amount;
    }

    /// Since when the oldest of what counts has counted, or since the limiter's zero.
    pub(crate) fn since(&self) -> Option<Duration> {
        self.entries.front().map(|entry| Duration::from_nanos(entry.leaves.saturating_sub(self.width)))
    }

    /// Lets go of what has left.
    fn advance_to(&mut self, now: u64) {
        while let Some(oldest) = self.entries.front()
            && oldest.leaves <= now
        {
            self.total -= oldest.amount;
            self.entries.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn minute() -> SlidingWindow {
        SlidingWindow::new(seconds(60), Duration::from_millis(1))
    }

    #[test]
    fn room_comes_when_enough_has_left() {
        let mut ledger = minute();
        ledger.charge(seconds(1), 400);
        ledger.charge(seconds(2), 300);
        ledger.charge(seconds(3), 300);
        assert_eq!((ledger.taken_since(seconds(1)), ledger.taken_since(seconds(3))), (600, 0));
        assert_eq!(ledger.due(1, 1000), seconds(61));
        assert_eq!(ledger.due(400, 1000), seconds(61));
        assert_eq!(ledger.due(401, 1000), seconds(62));
        assert_eq!(ledger.total(seconds(61)), 600);
        assert_eq!(ledger.due(400, 1000), Duration::ZERO);
    }

    #[test]
    fn what_is_larger_than_the_limit_goes_alone() {
        let mut ledger = minute();
        assert_eq!(ledger.due(u64::MAX, 1000), Duration::ZERO);
        ledger.charge(seconds(1), 1);
        ledger.charge(seconds(9), 1);
        assert_eq!(ledger.due(5000, 1000), seconds(69));
        ledger.charge(seconds(69), u64::MAX);
        ledger.charge(seconds(70), u64::MAX);
        assert_eq!(ledger.due(1, 1000), seconds(129));
    }

    #[test]
    fn what_was_not_used_makes_room_while_it_counts() {
        let mut ledger = minute();
        ledger.charge(seconds(1), 400);
        ledger.charge(seconds(5), 600);
        ledger.refund(seconds(1), 100);
        assert_eq!(ledger.due(100, 1000), Duration::ZERO);
        ledger.refund(seconds(3), 100);
        assert_eq!(ledger.total(seconds(5)), 900, "nothing was taken then");
        assert_eq!(ledger.total(seconds(61)), 600);
        ledger.refund(seconds(1), 300);
        assert_eq!(ledger.total(seconds(61)), 600, "that has left");
        ledger.refund(seconds(5), u64::MAX);
        assert_eq!((ledger.total(seconds(61)), ledger.entries.len()), (0, 0));
    }

    #[test]
    fn what_an_earlier_run_took_counts_by_its_age() {
        let mut ledger = minute();
        ledger.charge(seconds(5), 7);
        for (age, amount) in [(70, 1), (60, 2), (59, 3), (10, 4)] {
            ledger.restore(seconds(5), seconds(age), amount);
        }
        let ages: Vec<_> = ledger.ages(seconds(5)).collect();
        assert_eq!(ages, [(seconds(59), 3), (seconds(10), 4), (seconds(0), 7)]);
        assert_eq!(ledger.total(seconds(6)), 11);
        assert_eq!(ledger.total(seconds(55)), 7);
    }

    #[test]
    fn a_day_of_calls_takes_little_memory() {
        let mut day = SlidingWindow::new(seconds(86_400), Duration::from_millis(86_400));
        (0..1_000_000).for_each(|call| day.charge(Duration::from_millis(call * 86), 1));
        assert!(day.entries.len() <= 1001, "{}", day.entries.len());
        assert_eq!(day.total, 1_000_000);
    }

    proptest! {
        #[test]
        fn no_stretch_holds_more_than_its_limit(
            limit in 1_u64..1000,
            steps in prop::collection::vec((0_u64..30_000, 1_u64..400, any::<bool>()), 1..200),
        ) {
            let mut ledger = minute();
            let mut now = Duration::ZERO;
            let mut taken: Vec<(Duration, u64)> = Vec::new();
            for (wait, cost, gives_back) in steps {
                now = (now + Duration::from_millis(wait)).max(ledger.due(cost, limit));
                ledger.charge(now, cost);
                let mut kept = cost;
                if gives_back {
                    kept = cost / 2;
                    ledger.refund(now, cost - kept);
                }
                taken.push((now, kept));
                let inside = taken.iter().filter(|(at, _)| *at + seconds(60) > now);
                let (count, sum) = inside.fold((0, 0), |(count, sum), (_, cost)| (count + u64::from(*cost > 0), sum + cost));
                prop_assert_eq!(ledger.total(now), sum);
                prop_assert!(sum <= limit || count == 1, "{} of {}", sum, limit);
            }
        }
    }
}
