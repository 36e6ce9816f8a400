//! Counts, gauges and latencies of the current second, from which a row of the log is made.

use std::{mem, time::Duration};

use crate::{
    engine::{budgets::BudgetStatuses, lease::FleetStatus},
    log::{
        row::{Bottleneck, ClosedReason, Quantiles, Row},
        sketch::Sketch,
    },
};

/// Counts within a second.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) requested: u64,
    pub(crate) issued: u64,
    pub(crate) rate_limited: u64,
    /// Refused calls for which the server was overloaded.
    pub(crate) overloaded: u64,
    pub(crate) finished: u64,
    /// Finished calls that failed for a reason other than a limit.
    pub(crate) failed: u64,
    /// Transient failures after which the call was queued again.
    pub(crate) transient: u64,
    /// Calls that were rejected instead of queued any longer.
    pub(crate) rejected: u64,
    pub(crate) reserved_tokens: u64,
    pub(crate) used_tokens: u64,
    /// Pauses that have begun.
    pub(crate) pauses: u64,
}

/// The state at the end of a second.
#[derive(Debug, Default, Clone, Copy, PartialEq)]
pub(crate) struct Gauges {
    pub(crate) overflow: u64,
    pub(crate) in_flight: u64,
    pub(crate) rate: f64,
    /// The remaining time of a pause, and the estimated time until the queue is empty.
    pub(crate) paused_for: Option<Duration>,
    pub(crate) time_left: Option<Duration>,
    /// The reason for which the limiter is closed, and the remaining time until it opens, if that is known.
    pub(crate) closed: Option<(ClosedReason, Option<Duration>)>,
    /// The configured rate, in calls a second.
    pub(crate) limit: f64,
    /// The limit that the first queued call waits for.
    pub(crate) held: Option<Bottleneck>,
    /// The adapted rate in calls a second, and the adapted limit on calls in flight.
    pub(crate) learned_rate: Option<f64>,
    pub(crate) learned_in_flight: Option<f64>,
    pub(crate) budgets: BudgetStatuses,
    /// The fleet, if the limiter is shared.
    pub(crate) fleet: Option<FleetStatus>,
}

impl Gauges {
    /// Returns the gauges as of `time` ago.
    fn before(&self, time: Duration) -> Self {
        // A time that is over now may have been over then.
        let more = |left: Option<Duration>| left.map(|left| if left.is_zero() { left } else { left + time });
        let closed = self.closed.map(|(reason, left)| (reason, more(left)));
        Self { paused_for: more(self.paused_for), time_left: more(self.time_left), closed, ..*self }
    }
}

/// A second that has ended.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Second {
    /// Seconds since the zero of the wall clock.
    pub(crate) at: u64,
    pub(crate) counts: Counts,
    pub(crate) gauges: Gauges,
    /// Part of the second in which the limiter was paused.
    pub(crate) paused: Duration,
    pub(crate) waits: Latencies,
    pub(crate) calls: Latencies,
}

/// The latencies of one second.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Latencies {
    pub(crate) quantiles: Quantiles,
    pub(crate) sketch: Sketch,
    /// Sum in milliseconds.
    pub(crate) total: u64,
}

/// Statistics of the current second, and those that have ended.
#[derive(Debug)]
pub(crate) struct SecondStats {
    /// The wall clock at the creation of the limiter.
    offset: Duration,
    /// The current second.
    at: u64,
    pub(crate) counts: Counts,
    pub(crate) waits: LatencySamples,
    pub(crate) calls: LatencySamples,
    /// Pauses by their begin and end on the wall clock, as far as they reach into the current second.
    paused: Vec<(Duration, Duration)>,
    /// Seconds that have ended and were not drained. Empty unless `recording`.
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
            paused: Vec::new(),
            closed: Vec::new(),
            recording: false,
        }
    }

    /// Starts or stops keeping ended seconds. Earlier counts are discarded.
    pub(crate) fn record(&mut self, recording: bool) {
        self.recording = recording;
        self.paused.clear();
        self.closed.clear();
        self.clear();
    }

    /// Returns `true` if the current second has ended.
    pub(crate) fn is_over(&self, now: Duration) -> bool {
        (self.offset + now).as_secs() > self.at
    }

    /// Records a pause, or a part of one, that is later than those before. `from` is not before the current second.
    pub(crate) fn add_pause(&mut self, from: Duration, to: Duration) {
        let (from, to) = (self.offset + from, self.offset + to);
        match self.paused.last_mut() {
            _ if !self.recording || from >= to => {}
            Some((_, end)) if *end == from => *end = to,
            _ => self.paused.push((from, to)),
        }
    }

    /// Returns the paused part of a second that is not before the current one.
    fn paused_in(&self, at: u64) -> Duration {
        let (start, end) = (Duration::from_secs(at), Duration::from_secs(at + 1));
        self.paused.iter().map(|(from, to)| (*to).min(end).saturating_sub((*from).max(start))).sum()
    }

    /// Advances to the second that contains `now`. `gauges` have been valid since the last event.
    pub(crate) fn advance_to(&mut self, now: Duration, gauges: &Gauges) {
        if !self.is_over(now) {
            return;
        }
        let second = (self.offset + now).as_secs();
        if self.recording {
            // Remaining times were longer when the second ended.
            let at_end = |at: u64| gauges.before((self.offset + now).saturating_sub(Duration::from_secs(at + 1)));
            let empty = (self.at + 1..second).filter(|_| gauges.overflow > 0);
            let empty: Vec<_> = empty
                .map(|at| Second { at, gauges: at_end(at), paused: self.paused_in(at), ..Second::empty() })
                .collect();
            self.close(&at_end(self.at));
            self.closed.extend(empty);
        } else {
            self.clear();
        }
        self.at = second;
        self.paused.retain(|(_, to)| *to > Duration::from_secs(second));
    }

    /// Returns `true` if ended seconds or counts of the current one are still to be written.
    pub(crate) fn has_rows(&self) -> bool {
        self.recording && (!self.closed.is_empty() || self.counts != Counts::default())
    }

    /// Drains the seconds that have ended.
    pub(crate) fn drain(&mut self) -> Vec<Second> {
        mem::take(&mut self.closed)
    }

    /// Ends the current second early. Later events of it are in a second row.
    pub(crate) fn close(&mut self, gauges: &Gauges) {
        if self.counts != Counts::default() || gauges.overflow > 0 {
            let (counts, waits, calls) = (self.counts, self.waits.latencies(), self.calls.latencies());
            let paused = self.paused_in(self.at);
            self.closed.push(Second { at: self.at, counts, gauges: *gauges, paused, waits, calls });
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
    /// Returns the row of the log for this second of `model`.
    pub(crate) fn row<'a>(&self, model: &'a str) -> Row<'a> {
        let Self { at, counts, gauges, paused, waits, calls } = self;
        let (at, counts, gauges) = (*at, *counts, *gauges);
        Row {
            at,
            model: model.into(),
            requested: counts.requested,
            issued: counts.issued,
            rate_limited: counts.rate_limited,
            overloaded: counts.overloaded,
            finished: counts.finished,
            failed: counts.failed,
            transient: counts.transient,
            overflow: gauges.overflow,
            rate: gauges.rate,
            paused_for: gauges.paused_for.map(rounded_seconds),
            pauses: counts.pauses,
            paused_ms: rounded_millis(*paused),
            closed: gauges.closed.map(|(reason, _)| reason),
            closed_for: gauges.closed.and_then(|(_, left)| left).map(rounded_seconds),
            time_left: gauges.time_left.map(rounded_seconds),
            limit: Some(gauges.limit),
            held: gauges.held,
            learned_rate: gauges.learned_rate,
            learned_in_flight: gauges.learned_in_flight,
            in_flight: gauges.in_flight,
            rejected: counts.rejected,
            reserved_tokens: counts.reserved_tokens,
            used_tokens: counts.used_tokens,
            budgets: gauges.budgets.into_iter().flatten().collect(),
            members: gauges.fleet.map(|fleet| fleet.processes),
            is_lost: gauges.fleet.is_some_and(|fleet| fleet.is_disconnected),
            wait_ms: waits.quantiles,
            call_ms: calls.quantiles,
            wait_total_ms: waits.total,
            wait_buckets: waits.sketch.clone(),
            call_buckets: calls.sketch.clone(),
        }
    }

    fn empty() -> Self {
        Self {
            at: 0,
            counts: Counts::default(),
            gauges: Gauges::default(),
            paused: Duration::ZERO,
            waits: Latencies::default(),
            calls: Latencies::default(),
        }
    }
}

/// Converts to seconds, rounded to milliseconds.
fn rounded_seconds(time: Duration) -> f64 {
    (time.as_secs_f64() * 1000.0).round() / 1000.0
}

/// Converts to milliseconds, rounded.
fn rounded_millis(time: Duration) -> u64 {
    u64::try_from((time + Duration::from_micros(500)).as_millis()).unwrap_or(u64::MAX)
}

/// Latencies in milliseconds of one second. All are kept up to [`MAX_KEPT`](Self::MAX_KEPT), then one in two, one in four, and so
/// on. The maximum is always kept.
#[derive(Debug, Default)]
pub(crate) struct LatencySamples {
    kept: Vec<u32>,
    max: u64,
    count: u64,
    /// Sum of all.
    total: u64,
    /// One in `2^thinning` samples is kept.
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
        self.total = self.total.saturating_add(millis);
    }

    fn latencies(&mut self) -> Latencies {
        let sketch = self.kept.iter().map(|millis| (u64::from(*millis), 1 << self.thinning)).collect();
        Latencies { quantiles: self.quantiles(), sketch, total: self.total }
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
        (self.max, self.count, self.total, self.thinning) = (0, 0, 0, 0);
    }
}

#[cfg(test)]
mod tests;
