//! The outcome of one attempt of a call.

use std::sync::Arc;

use crate::{
    call::{handover::TicketHandover, warnings::warn_unrecognised},
    engine::call_state::CallEnd,
    judge::{Classification, LimitReading, Verdict},
    providers::usage::Usage,
};

/// The outcome of one attempt.
pub(super) struct AttemptOutcome {
    pub(super) verdict: Verdict,
    /// The end of the call, unless it is refused.
    pub(super) end: CallEnd,
    pub(super) usage: Option<Usage>,
    pub(super) readings: Vec<LimitReading>,
    pub(super) handover: Option<Arc<TicketHandover>>,
}

impl AttemptOutcome {
    /// Returns `true` if the call can be sent again: it was refused, be it for seconds or until a quota is back, or it failed
    /// transiently.
    pub(super) fn may_be_retried(&self) -> bool {
        may_retry(self.verdict) || matches!(self.verdict, Verdict::QuotaExhausted { .. })
    }

    /// Adds the usage of an `earlier` part of the same attempt, and its header readings unless there are newer ones.
    pub(super) fn merge_earlier(&mut self, earlier: Self) {
        self.usage = Usage::of_both(earlier.usage, self.usage);
        if self.readings.is_empty() {
            self.readings = earlier.readings;
        }
    }
}

/// Returns `true` if a call with this verdict can be sent again after seconds.
pub(super) fn may_retry(verdict: Verdict) -> bool {
    verdict.is_retryable() || matches!(verdict, Verdict::Transient { .. })
}

/// Returns the verdict, or [`Verdict::Failed`] with a warning if there is none: unknown errors are never retried.
pub(super) fn known_or_failed(verdict: Option<Verdict>, classification: &Classification) -> Verdict {
    verdict.unwrap_or_else(|| {
        warn_unrecognised(classification.error_type);
        Verdict::Failed
    })
}
