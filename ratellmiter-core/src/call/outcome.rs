//! The outcome of one attempt of a call.

use std::sync::Arc;

use crate::{
    call::{
        handover::TicketHandover,
        warnings::{warn_of_unknown_code, warn_unrecognised},
    },
    engine::call_state::CallEnd,
    judge::{Classification, LimitReading, Verdict},
    limiter::Ticket,
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

    /// Returns the outcome as a failure of this call if no wait helps it: its maximum output does not fit into the whole budget.
    pub(super) fn unless_refused_alone(mut self, ticket: &Ticket) -> Self {
        if self.verdict.is_retryable() {
            // The limit in the headers of the refusal counts.
            ticket.read(&std::mem::take(&mut self.readings));
            if ticket.is_refused_alone(&self.verdict) {
                return Self { verdict: Verdict::Failed, end: CallEnd::Uncharged, ..self };
            }
        }
        self
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
/// Warns as well of a refusal whose code is unknown.
pub(super) fn known_or_failed(verdict: Option<Verdict>, classification: &Classification) -> Verdict {
    if classification.has_unknown_code && verdict.is_some_and(Verdict::is_retryable) {
        warn_of_unknown_code(classification.error_type);
    }
    verdict.unwrap_or_else(|| {
        warn_unrecognised(classification.error_type);
        Verdict::Failed
    })
}
