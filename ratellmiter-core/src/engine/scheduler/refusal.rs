//! Refused calls and the user's probe.

use std::time::Duration;

use super::Scheduler;
use crate::{
    engine::{budgets::reservation::Reservation, call_id::Grant, call_state::CallState, queue::QueuePosition},
    judge::{LimitKind, Verdict},
};

impl<W> Scheduler<W> {
    /// Ends the attempt of a refused call and queues it again, before all calls that were never refused.
    pub(crate) fn requeue(&mut self, now: Duration, grant: Grant, verdict: &Verdict, payload: W) -> QueuePosition {
        let state = self.finish_refused(now, grant, verdict);
        let position = QueuePosition::refused(grant.id);
        self.push(now, position, CallState { reservation: Reservation::default(), ..state }, payload);
        position
    }

    /// Ends a refused call that is not queued again. Returns its state.
    pub(crate) fn finish_refused(&mut self, now: Duration, grant: Grant, verdict: &Verdict) -> CallState {
        self.advance_to(now);
        self.stats.counts.rate_limited += 1;
        self.stats.counts.overloaded += u64::from(matches!(verdict, Verdict::Overloaded { .. }));
        let state = self.calls.remove(grant.id);
        self.budgets.refuse(now, grant.at, &state.reservation);
        self.on_returned(now);
        self.on_refusal(now, Some(&grant), verdict);
        state
    }

    /// Records a refusal of a call without a grant of this limiter.
    pub(crate) fn on_unattributed_refusal(&mut self, now: Duration, verdict: &Verdict) {
        self.advance_to(now);
        self.on_refusal(now, None, verdict);
    }

    /// Pauses the limiter, or reports the refusal if the limiter is shared.
    pub(super) fn on_refusal(&mut self, now: Duration, refused: Option<&Grant>, verdict: &Verdict) {
        #[cfg(feature = "redis")]
        self.report_refusal(now, refused, verdict);
        if self.congestion.on_refusal(now, refused, verdict.retry_after()) {
            self.adapt(now, verdict);
        }
    }

    /// Lowers the limit that a refusal is about.
    fn adapt(&mut self, now: Duration, verdict: &Verdict) {
        self.meter.drop_burst(now);
        let Verdict::RateLimited { limit, .. } = verdict else {
            // The server is overloaded, whatever this limiter's rate.
            return;
        };
        if !self.limits.adaptive {
            return;
        }
        let Some(local) = self.congestion.local() else { return };
        match limit {
            LimitKind::Concurrency => local.adapt_in_flight(self.in_flight),
            // The ramp, which restarts, answers fast growth. A lower rate does not restore an exhausted quota.
            LimitKind::Growth | LimitKind::Daily | LimitKind::Billing => {}
            // With a token budget, the tokens are lowered instead of the calls.
            scope if self.budgets.adapt(now, *scope) => {}
            _ => local.adapt_rate(now),
        }
        self.apply_limits(now);
    }

    /// Records the result of the user's probe. `blocked`: the server still refuses.
    pub(crate) fn probed(&mut self, now: Duration, blocked: bool) {
        self.advance_to(now);
        #[cfg(feature = "redis")]
        self.report_probe(blocked);
        if self.congestion.probed(now, blocked) {
            self.unblocked_at = now;
        }
    }
}
