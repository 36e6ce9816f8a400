//! Estimates of the time until a queued call is sent, and the wait limits that are checked against them.

use std::time::Duration;

use super::Scheduler;
use crate::{
    engine::{call_state::Request, queue::QueuePosition},
    limits::request::{RejectReason, Rejected},
};

/// Queued calls that are estimated one by one.
const MAX_SINGLE: usize = 128;
/// Calls that are sampled from those behind them, and the number of runs of consecutive calls in which they are taken.
const MAX_SAMPLES: usize = 256;
const RUNS: usize = 4;
/// Calls from which the samples are taken.
const MAX_SCANNED: usize = 4096;

impl<W> Scheduler<W> {
    /// Returns `true` if a queued call is estimated to be sent before its wait expires.
    pub(crate) fn is_in_time(&self, now: Duration, position: QueuePosition) -> bool {
        let expiry = self.calls.get(position.id).expiry;
        expiry.is_none_or(|expiry| now + self.wait_of(now, position) <= expiry.at)
    }

    /// Returns the estimated time until the queue is empty, if no call is refused and none is added.
    pub(crate) fn time_left(&self, now: Duration) -> Duration {
        self.queue.last().map_or(Duration::ZERO, |last| self.wait_of(now, last))
    }

    /// Returns the estimated time until a call is sent, if no call is refused and no call before it leaves the queue.
    pub(super) fn wait_of(&self, now: Duration, position: QueuePosition) -> Duration {
        if let Some(until) = self.queue.apart_until(position) {
            return until.saturating_sub(now);
        }
        let is_last = self.queue.last() == Some(position);
        let calls = if is_last { self.queue.len() } else { self.queue.up_to(position).count() };
        if let Some(closed) = self.closed().filter(|closed| !closed.waits(now, &self.limits)) {
            return closed.wait_of_unfailing(now, calls);
        }
        let mut forecast = self.forecast(now, calls as u64);
        for position in self.queue.up_to(position).take(MAX_SINGLE) {
            forecast.admit(&self.reservation_of(position));
        }
        let others = calls.saturating_sub(MAX_SINGLE);
        if others > 0 {
            let positions = self.queue.up_to(position).skip(MAX_SINGLE).take(MAX_SCANNED);
            let samples = sample(others.min(MAX_SCANNED), positions);
            let samples: Vec<_> = samples.map(|position| self.reservation_of(position)).collect();
            forecast.admit_like(others as u64, &samples);
        }
        forecast.wait()
    }

    /// Returns 1 for a call that is alone in the queue of a shared limiter without slots, and 0 otherwise: such a call is
    /// granted a slot as soon as it is requested, if other processes leave one.
    pub(super) fn slots_on_request(&self, calls: u64) -> u64 {
        u64::from(calls == 1 && self.congestion.lease().is_some_and(|lease| lease.is_known() && lease.due().is_none()))
    }

    /// Rejects a call that has just been queued if the queue is too long for it, or if its wait is estimated to expire before it
    /// is sent.
    pub(super) fn check_wait_limits(
        &self,
        now: Duration,
        position: QueuePosition,
        request: &Request,
    ) -> Result<(), Rejected> {
        let state = self.calls.get(position.id);
        let expiry = state.expiry;
        if !self.limits.enabled || expiry.is_none() && request.max_queue.is_none() {
            return Ok(());
        }
        let estimated_wait = self.wait_of(now, position);
        let is_too_long = request.max_queue.is_some_and(|max| self.queue.len() > max as usize);
        let reason = match expiry {
            Some(expiry) if expiry.at <= now => expiry.reason,
            _ if is_too_long => RejectReason::MaxQueue,
            Some(expiry) if now + estimated_wait > expiry.at => expiry.reason,
            _ => return Ok(()),
        };
        Err(state.rejected(now, Duration::ZERO, reason, estimated_wait))
    }
}

/// Returns at most [`MAX_SAMPLES`] of the positions: the middle of each of [`RUNS`] equal parts, as runs without gaps, which keep the
/// order of different costs. `number` is the number of positions.
fn sample(number: usize, positions: impl Iterator<Item = QueuePosition>) -> impl Iterator<Item = QueuePosition> {
    let part = number.div_ceil(RUNS).max(1);
    let skipped = part.saturating_sub(MAX_SAMPLES / RUNS);
    let run = skipped / 2..part - skipped.div_ceil(2);
    positions.enumerate().filter_map(move |(index, position)| run.contains(&(index % part)).then_some(position))
}
