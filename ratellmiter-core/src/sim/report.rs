//! What came of a run.

use std::time::Duration;

use super::{Answer, Size, Workload};
use crate::providers::usage::Usage;

/// What came of a run. Times are since its start, waits since the call was made.
#[derive(Debug, Clone)]
pub struct Report {
    calls: Vec<Call>,
    requests: u64,
    refusals: u64,
}

#[derive(Debug, Clone, Copy)]
struct Call {
    made: Duration,
    size: Size,
    sent: Duration,
    finished: Option<Duration>,
}

impl Report {
    /// One to fill in, by [`sent`](Self::sent) and [`answered`](Self::answered): [`run`](super::run) does so, and so may you, if
    /// your client needs a runtime.
    #[must_use]
    pub fn of(workload: &Workload) -> Self {
        let call = |arrival: &super::Arrival| Call {
            made: arrival.at,
            size: arrival.size,
            sent: Duration::ZERO,
            finished: None,
        };
        Self { calls: workload.arrivals().iter().map(call).collect(), requests: 0, refusals: 0 }
    }

    pub(super) fn size(&self, call: usize) -> Size {
        self.calls[call].size
    }

    /// A call was sent, for the first time or again.
    pub fn sent(&mut self, now: Duration, call: usize) {
        self.calls[call].sent = now;
        self.requests += 1;
    }

    /// A call that was sent has been answered.
    pub fn answered(&mut self, now: Duration, call: usize, answer: Answer) {
        match answer {
            Answer::Finished { .. } => self.calls[call].finished = Some(now),
            Answer::Refused { .. } => self.refusals += 1,
        }
    }

    /// When the last call ended that did.
    #[must_use]
    pub fn last(&self) -> Duration {
        self.calls.iter().filter_map(|call| call.finished).max().unwrap_or_default()
    }

    /// How long calls waited until they were sent for the last time: the given part of them waited no longer. 0.5 is the
    /// median. Calls that were lost count as if they had waited to the end of the run.
    #[must_use]
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss)]
    pub fn wait(&self, part: f64) -> Duration {
        let last = self.last();
        let wait = |call: &Call| if call.finished.is_some() { call.sent } else { last }.saturating_sub(call.made);
        let mut waits: Vec<_> = self.calls.iter().map(wait).collect();
        waits.sort_unstable();
        let rank = (part.clamp(0.0, 1.0) * waits.len() as f64).ceil() as usize;
        waits.get(rank.max(1) - 1).copied().unwrap_or_default()
    }

    /// Requests that the server saw.
    #[must_use]
    pub fn requests(&self) -> u64 {
        self.requests
    }

    /// Requests that the server refused.
    #[must_use]
    pub fn refusals(&self) -> u64 {
        self.refusals
    }

    /// Requests that the server refused, for each call of the workload.
    #[must_use]
    #[allow(clippy::cast_precision_loss)]
    pub fn refusals_per_call(&self) -> f64 {
        self.refusals as f64 / self.calls.len().max(1) as f64
    }

    /// The tokens of all calls that were answered.
    #[must_use]
    pub fn usage(&self) -> Usage {
        let answered = self.calls.iter().filter(|call| call.finished.is_some()).map(|call| call.size.usage());
        answered.fold(Usage::default(), |sum, usage| {
            Usage::new(sum.input + usage.input, sum.output + usage.output).cached(sum.cached + usage.cached)
        })
    }

    /// Calls that never got an answer but refusals.
    #[must_use]
    pub fn lost(&self) -> usize {
        self.calls.iter().filter(|call| call.finished.is_none()).count()
    }
}
