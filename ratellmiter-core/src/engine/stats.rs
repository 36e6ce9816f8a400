//! The counts and quantiles of the second under way, until they are a row.

use std::{mem, time::Duration};

use crate::{
    engine::lease::FleetStatus,
    log::row::{Bottleneck, BudgetStatus, Quantiles},
};

/// What is counted within a second.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) requested: u64,
    pub(crate) issued: u64,
    pub(crate) rate_limited: u64,
    /// Of those, the ones that are the server's overload.
    pub(crate) overloaded: u64,
    pub(crate) finished: u64,
    /// Of those, the ones that ended with an error of their own.
    pub(crate) failed: u64,
    /// Calls that were turned away.
    pub(crate) rejected: u64,
    pub(crate) reserved_tokens: u64,
    pub(crate) used_tokens: u64,
}

/// What stands when a second ends.
#[derive(Debug, Default, Clone, Copy, PartialEq)]
pub(crate) struct Gauges {
    pub(crate) overflow: u64,
    pub(crate) in_flight: u64,
    pub(crate) rate: f64,
    /// What is left of a pause, and how long the line will take.
    pub(crate) paused_for: Option<Duration>,
    pub(crate) time_left: Option<Duration>,
    /// The configured rate, in calls a second.
    pub(crate) limit: f64,
    /// What the line waits for.
    pub(crate) held: Option<Bottleneck>,
    /// What has been learned, in calls a second and calls.
    pub(crate) learned_rate: Option<f64>,
    pub(crate) learned_in_flight: Option<f64>,
    pub(crate) budgets: [Option<BudgetStatus>; 5],
    /// Who shares the limiter, if it is shared.
    pub(crate) fleet: Option<FleetStatus>,
}

impl Gauges {
    /// How things stood a while before.
    fn before(&self, time: Duration) -> Self {
        let more = |left: Option<Duration>| left.map(|left| left + time);
        Self { paused_for: more(self.paused_for), time_left: more(self.time_left), ..*self }
    }
}

/// A second that is over.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Second {
    /// The second, counted as the offset given to [`Tally::new`] says.
    pub(crate) at: u64,
    pub(crate) counts: Counts,
    pub(crate) standing: Gauges,
    pub(crate) waits: Quantiles,
    pub(crate) calls: Quantiles,
}

#[derive(Debug)]
pub(crate) struct SecondStats {
    /// The wall clock at the scheduler's zero.
    offset: Duration,
    /// The second under way.
    at: u64,
    pub(crate) counts: Counts,
    pub(crate) waits: Samples,
    pub(crate) calls: Samples,
    /// Seconds that are over and wait to be taken; kept only while somebody does.
    over: Vec<Second>,
    recording: bool,
}

impl SecondStats {
    pub(crate) fn new(offset: Duration) -> Self {
        Self {
            offset,
            at: offset.as_secs(),
            counts: Counts::default(),
            waits: Samples::default(),
            calls: Samples::default(),
            over: Vec::new(),
            recording: false,
        }
    }

    /// Whether seconds are kept to be taken. What was counted before is dropped.
    pub(crate) fn record(&mut self, recording: bool) {
        self.recording = recording;
        self.over.clear();
        self.clear();
    }

    /// Whether the second under way is over.
    pub(crate) fn is_over(&self, now: Duration) -> bool {
        (self.offset + now).as_secs() > self.at
    }

    /// Comes to the second that `now` lies in; `standing` is how things have stood since the last event.
    pub(crate) fn advance_to(&mut self, now: Duration, standing: &Gauges) {
        if !self.is_over(now) {
            return;
        }
        let second = (self.offset + now).as_secs();
        if self.recording {
            // What is left now was more when the second ended.
            let at_end = |at: u64| standing.before((self.offset + now).saturating_sub(Duration::from_secs(at + 1)));
            let empty = (self.at + 1..second).filter(|_| standing.overflow > 0);
            let empty: Vec<_> = empty.map(|at| Second { at, standing: at_end(at), ..Second::empty() }).collect();
            self.close(&at_end(self.at));
            self.over.extend(empty);
        } else {
            self.clear();
        }
        self.at = second;
    }

    /// Takes the seconds that are over.
    pub(crate) fn take(&mut self) -> Vec<Second> {
        mem::take(&mut self.over)
    }

    /// Closes the second under way as it is; what comes later in it makes a row of its own.
    pub(crate) fn close(&mut self, standing: &Gauges) {
        if self.counts != Counts::default() || standing.overflow > 0 {
            let (counts, waits, calls) = (self.counts, self.waits.quantiles(), self.calls.quantiles());
            self.over.push(Second { at: self.at, counts, standing: *standing, waits, calls });
        }
        self.clear();
    }

    fn clear(&mut self) {
        self.counts = Counts::default();
        self.waits.clear();
        self.calls.clear();
    }
}

impl Second {
    fn empty() -> Self {
        Self {
            at: 0,
            counts: Counts::default(),
            standing: Gauges::default(),
            waits: Quantiles::default(),
            calls: Quantiles::default(),
        }
    }
}

/// Milliseconds measured in one second. Exact up to [`Samples::MOST`] of them; beyond that every second one, then every
/// fourth, and so on is kept, the largest always.
#[derive(Debug, Default)]
pub(crate) struct Samples {
    kept: Vec<u32>,
    max: u64,
    seen: u64,
    /// One of `2^thinned` is kept.
    thinned: u32,
}

impl Samples {
    const MOST: usize = 4096;

    pub(crate) fn add(&mut self, time: Duration) {
        let millis = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        self.max = self.max.max(millis);
        if self.seen.trailing_zeros() >= self.thinned {
            if self.kept.len() == Self::MOST {
                let mut index = 0;
                self.kept.retain(|_| {
                    index += 1;
                    index % 2 == 1
                });
                self.thinned += 1;
            }
            self.kept.push(u32::try_from(millis).unwrap_or(u32::MAX));
        }
        self.seen += 1;
    }

    fn quantiles(&mut self) -> Quantiles {
        let mut quantile = |percent: usize| {
            let rank = (self.kept.len() * percent).div_ceil(100).max(1) - 1;
            if self.kept.is_empty() { 0 } else { u64::from(*self.kept.select_nth_unstable(rank).1) }
        };
        Quantiles { p50: quantile(50), p99: quantile(99), max: self.max }
    }

    fn clear(&mut self) {
        self.kept.clear();
        (self.max, self.seen, self.thinned) = (0, 0, 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quantiles(millis: impl IntoIterator<Item = u64>) -> Quantiles {
        let mut samples = Samples::default();
        millis.into_iter().for_each(|value| samples.add(Duration::from_millis(value)));
        samples.quantiles()
    }

    #[test]
    fn quantiles_are_ranks_of_what_was_measured() {
        assert_eq!(quantiles([]), Quantiles::default());
        assert_eq!(quantiles([7]), Quantiles { p50: 7, p99: 7, max: 7 });
        assert_eq!(quantiles((1..=100).rev()), Quantiles { p50: 50, p99: 99, max: 100 });
    }

    #[test]
    fn a_flood_is_thinned_but_its_largest_is_kept() {
        let flood = quantiles((0..1_000_000).map(|index| if index == 777_777 { 99_999 } else { index % 1000 }));
        assert_eq!(flood.max, 99_999);
        assert!(flood.p50.abs_diff(500) <= 20 && flood.p99.abs_diff(990) <= 10, "{flood:?}");
        let mut samples = Samples::default();
        (0..1_000_000).for_each(|_| samples.add(Duration::ZERO));
        assert!(samples.kept.len() <= Samples::MOST);
    }

    #[test]
    fn seconds_in_which_someone_waits_have_rows_and_quiet_ones_none() {
        let mut tally = SecondStats::new(Duration::from_millis(10_500));
        tally.record(true);
        tally.counts.requested = 3;
        let waiting = Gauges { overflow: 2, in_flight: 1, rate: 5.0, ..Gauges::default() };
        tally.advance_to(Duration::from_millis(499), &waiting);
        assert_eq!(tally.take(), [], "still in second 10");
        tally.advance_to(Duration::from_secs(3), &waiting);
        let rows = tally.take();
        assert_eq!(rows.iter().map(|row| row.at).collect::<Vec<_>>(), [10, 11, 12]);
        assert_eq!(rows.iter().map(|row| row.counts.requested).collect::<Vec<_>>(), [3, 0, 0]);
        tally.advance_to(Duration::from_secs(9), &Gauges::default());
        assert_eq!(tally.take(), []);
    }

    #[test]
    fn nothing_is_kept_while_nobody_records() {
        let mut tally = SecondStats::new(Duration::ZERO);
        tally.counts.requested = 3;
        tally.advance_to(Duration::from_secs(1), &Gauges { overflow: 1, ..Gauges::default() });
        assert_eq!(tally.take(), []);
        assert_eq!(tally.counts, Counts::default());
    }
}
