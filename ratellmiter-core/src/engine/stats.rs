//! The counts and quantiles of the second under way, until they are a row.

use std::{mem, time::Duration};

use crate::{
    engine::lease::FleetStatus,
    log::row::{Bottleneck, BudgetStatus, Quantiles, Row},
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
    pub(crate) gauges: Gauges,
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
    pub(crate) waits: LatencySamples,
    pub(crate) calls: LatencySamples,
    /// Seconds that are over and wait to be taken; kept only while somebody does.
    closed: Vec<Second>,
    recording: bool,
}

impl SecondStats {
    pub(crate) fn new(offset: Duration) -> Self {
        Self {
            offset,
            at: offset.as_secs(),
            counts: Counts::default(),
            waits: LatencySamples::default(),
            calls: LatencySamples::default(),
            closed: Vec::new(),
            recording: false,
        }
    }

    /// Whether seconds are kept to be taken. What was counted before is dropped.
    pub(crate) fn record(&mut self, recording: bool) {
        self.recording = recording;
        self.closed.clear();
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
            let empty: Vec<_> = empty.map(|at| Second { at, gauges: at_end(at), ..Second::empty() }).collect();
            self.close(&at_end(self.at));
            self.closed.extend(empty);
        } else {
            self.clear();
        }
        self.at = second;
    }

    /// Takes the seconds that are over.
    pub(crate) fn drain(&mut self) -> Vec<Second> {
        mem::take(&mut self.closed)
    }

    /// Closes the second under way as it is; what comes later in it makes a row of its own.
    pub(crate) fn close(&mut self, standing: &Gauges) {
        if self.counts != Counts::default() || standing.overflow > 0 {
            let (counts, waits, calls) = (self.counts, self.waits.quantiles(), self.calls.quantiles());
            self.closed.push(Second { at: self.at, counts, gauges: *standing, waits, calls });
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
    pub(crate) fn row<'a>(&self, model: &'a str) -> Row<'a> {
        let Self { at, counts, gauges: standing, waits, calls } = *self;
        Row {
            at,
            model: model.into(),
            requested: counts.requested,
            issued: counts.issued,
            rate_limited: counts.rate_limited,
            overloaded: counts.overloaded,
            finished: counts.finished,
            failed: counts.failed,
            overflow: standing.overflow,
            rate: standing.rate,
            paused_for: standing.paused_for.map(to_millis),
            time_left: standing.time_left.map(to_millis),
            limit: Some(standing.limit),
            held: standing.held,
            learned_rate: standing.learned_rate,
            learned_in_flight: standing.learned_in_flight,
            in_flight: standing.in_flight,
            rejected: counts.rejected,
            reserved_tokens: counts.reserved_tokens,
            used_tokens: counts.used_tokens,
            budgets: standing.budgets.into_iter().flatten().collect(),
            members: standing.fleet.map(|fleet| fleet.processes),
            is_lost: standing.fleet.is_some_and(|fleet| fleet.is_disconnected),
            wait_ms: waits,
            call_ms: calls,
        }
    }

    fn empty() -> Self {
        Self {
            at: 0,
            counts: Counts::default(),
            gauges: Gauges::default(),
            waits: Quantiles::default(),
            calls: Quantiles::default(),
        }
    }
}

/// Seconds, with as many digits as mean something.
fn to_millis(time: Duration) -> f64 {
    (time.as_secs_f64() * 1000.0).round() / 1000.0
}

/// Milliseconds measured in one second. Exact up to [`Samples::MOST`] of them; beyond that every second one, then every
/// fourth, and so on is kept, the largest always.
#[derive(Debug, Default)]
pub(crate) struct LatencySamples {
    kept: Vec<u32>,
    max: u64,
    count: u64,
    /// One of `2^thinned` is kept.
    thinning: u32,
}

impl LatencySamples {
    const MAX_KEPT: usize = 4096;

    pub(crate) fn add(&mut self, time: Duration) {
        let millis = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        self.max = self.max.max(millis);
        if self.count.trailing_zeros() >= self.thinning {
            if self.kept.len() == Self::MAX_KEPT {
                let mut index = 0;
                self.kept.retain(|_| {
                    index += 1;
                    index % 2 == 1
                });
                self.thinning += 1;
            }
            self.kept.push(u32::try_from(millis).unwrap_or(u32::MAX));
        }
        self.count += 1;
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
        (self.max, self.count, self.thinning) = (0, 0, 0);
    }
}

#[cfg(test)]
mod tests;
