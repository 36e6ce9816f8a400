//! Results of a run.

use std::time::Duration;

use super::{Answer, Size, Workload};
use crate::providers::usage::Usage;

/// Results of a run. Times count from the start of the run, waits from the arrival of the call.
#[derive(Debug, Clone)]
pub struct Report {
    calls: Vec<Call>,
    requests: u64,
    refusals: u64,
    failures: u64,
}

#[derive(Debug, Clone, Copy)]
struct Call {
    arrived_at: Duration,
    size: Size,
    sent_at: Duration,
    finished_at: Option<Duration>,
}

impl Report {
    /// Creates an empty report, filled by [`sent`](Self::sent) and [`answered`](Self::answered). Use it instead of
    /// [`run`](super::run) for a client that needs a runtime.
    #[must_use]
    pub fn of(workload: &Workload) -> Self {
        let call = |arrival: &super::Arrival| Call {
            arrived_at: arrival.at,
            size: arrival.size,
            sent_at: Duration::ZERO,
            finished_at: None,
        };
        Self { calls: workload.arrivals().iter().map(call).collect(), requests: 0, refusals: 0, failures: 0 }
    }

    pub(super) fn size(&self, call: usize) -> Size {
        self.calls[call].size
    }

    /// Records that a call was sent, for the first time or again.
    pub fn sent(&mut self, now: Duration, call: usize) {
        self.calls[call].sent_at = now;
        self.requests += 1;
    }

    /// Records the answer to a call.
    pub fn answered(&mut self, now: Duration, call: usize, answer: Answer) {
        match answer {
            Answer::Finished { .. } => self.calls[call].finished_at = Some(now),
            Answer::Refused { .. } => self.refusals += 1,
            Answer::Failed { .. } => self.failures += 1,
        }
    }

    /// Returns the time at which the last successful call ended, or zero without one.
    #[must_use]
    pub fn last_finish(&self) -> Duration {
        self.calls.iter().filter_map(|call| call.finished_at).max().unwrap_or_default()
    }

    /// Returns the quantile `part` of the time from a call's arrival to its last sending. 0.5 is the median.
    ///
    /// Lost calls count as if they had waited until [`last_finish`](Self::last_finish).
    #[must_use]
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss)]
    pub fn wait(&self, part: f64) -> Duration {
        let last = self.last_finish();
        let wait =
            |call: &Call| if call.finished_at.is_some() { call.sent_at } else { last }.saturating_sub(call.arrived_at);
        let mut waits: Vec<_> = self.calls.iter().map(wait).collect();
        waits.sort_unstable();
        let rank = (part.clamp(0.0, 1.0) * waits.len() as f64).ceil() as usize;
        waits.get(rank.max(1) - 1).copied().unwrap_or_default()
    }

    /// Returns the number of requests, including refused and failed ones.
    #[must_use]
    pub fn requests(&self) -> u64 {
        self.requests
    }

    /// Returns the number of refused requests.
    #[must_use]
    pub fn refusals(&self) -> u64 {
        self.refusals
    }

    /// Returns the number of requests that failed.
    #[must_use]
    pub fn failures(&self) -> u64 {
        self.failures
    }

    /// Returns the number of refused requests divided by the number of calls in the workload.
    #[must_use]
    #[allow(clippy::cast_precision_loss)]
    pub fn refusals_per_call(&self) -> f64 {
        self.refusals as f64 / self.calls.len().max(1) as f64
    }

    /// Returns the tokens used by all successful calls.
    #[must_use]
    pub fn usage(&self) -> Usage {
        let answered = self.calls.iter().filter(|call| call.finished_at.is_some()).map(|call| call.size.usage());
        answered.fold(Usage::default(), |sum, usage| {
            Usage::new(sum.input + usage.input, sum.output + usage.output).cached(sum.cached + usage.cached)
        })
    }

    /// Returns the number of calls that did not succeed before the end of the run.
    #[must_use]
    pub fn lost(&self) -> usize {
        self.calls.iter().filter(|call| call.finished_at.is_none()).count()
    }
}
