//! Refused calls and the user's probe.

use std::time::Duration;

use super::Scheduler;
use crate::{
    engine::{
        budgets::reservation::Reservation,
        call_id::Grant,
        call_state::CallState,
        congestion::{RefusalEffect, Resumption},
        queue::QueuePosition,
    },
    judge::{LimitKind, Verdict},
    providers::usage::Usage,
};

impl<W> Scheduler<W> {
    /// Ends the attempt of a refused call and queues it again, before all calls that were never refused.
    pub(crate) fn requeue(&mut self, now: Duration, grant: Grant, verdict: &Verdict, payload: W) -> QueuePosition {
        let (state, effect) = self.end_refused(now, grant, verdict);
        self.rejects_queued |= state.can_fail;
        self.requeue_refused(now, &grant, state, effect, payload)
    }

    fn requeue_refused(
        &mut self,
        now: Duration,
        grant: &Grant,
        state: CallState,
        effect: RefusalEffect,
        payload: W,
    ) -> QueuePosition {
        let mut state = CallState { reservation: Reservation::default(), ..state };
        let Some(until) = effect.apart_until else {
            let position = QueuePosition::refused(grant.id);
            self.push(now, position, state, payload);
            return position;
        };
        let position =
            if effect.concerns_all { QueuePosition::refused(grant.id) } else { QueuePosition::apart(until, grant.id) };
        state.expiry = state.next_expiry(now);
        self.calls.insert(grant.id, state);
        self.queue.insert_apart(now, until, position, state.expiry, payload);
        position
    }

    /// Ends the attempt of a refused call, and queues it again unless the limiter is closed. Returns `None` if the call has ended.
    pub(crate) fn retry(
        &mut self,
        now: Duration,
        grant: Grant,
        verdict: &Verdict,
        payload: W,
    ) -> Option<QueuePosition> {
        let (state, effect) = self.end_refused(now, grant, verdict);
        if self.fails_calls(now) { None } else { Some(self.requeue_refused(now, &grant, state, effect, payload)) }
    }

    /// Ends a refused call that is not queued again.
    pub(crate) fn finish_refused(&mut self, now: Duration, grant: Grant, verdict: &Verdict) {
        self.end_refused(now, grant, verdict);
    }

    /// Ends a call that was refused in its stream. The `usage` of the items before stays charged.
    pub(crate) fn finish_refused_midway(
        &mut self,
        now: Duration,
        grant: Grant,
        verdict: &Verdict,
        usage: Option<Usage>,
    ) {
        self.end_refused_midway(now, grant, verdict, usage);
    }

    /// Ends the attempt of a refused call. Returns its state, and the effect of the refusal.
    fn end_refused(&mut self, now: Duration, grant: Grant, verdict: &Verdict) -> (CallState, RefusalEffect) {
        self.end_refused_midway(now, grant, verdict, None)
    }

    fn end_refused_midway(
        &mut self,
        now: Duration,
        grant: Grant,
        verdict: &Verdict,
        usage: Option<Usage>,
    ) -> (CallState, RefusalEffect) {
        self.advance_to(now);
        self.memory.is_eventful = true;
        self.stats.counts.rate_limited += 1;
        self.stats.counts.overloaded += u64::from(matches!(verdict, Verdict::Overloaded { .. }));
        let mut state = self.calls.remove(grant.id);
        self.budgets.refuse_midway(now, grant.at, &state.reservation, usage);
        self.on_returned(now);
        let was_sent_while_closed = self.closing.is_sent(grant.id);
        self.closing.on_ended(grant.id);
        if self.limits.enabled {
            let was_closed = self.closed().is_some();
            self.closing.on_refused(now, grant.at, verdict.retry_after(), &self.limits);
            if !was_closed && self.closed().is_some() {
                self.on_closed(now);
            }
        }
        if was_sent_while_closed {
            // The closed state stands in for congestion control.
            state.refusals.last = Some(now);
            return (state, RefusalEffect::default());
        }
        let effect = self.congestion.on_refusal(now, &grant, &mut state.refusals, verdict);
        self.apply_refusal(now, Some(&grant), verdict, effect);
        (state, effect)
    }

    /// Records a refusal of a call without a grant of this limiter.
    pub(crate) fn on_unattributed_refusal(&mut self, now: Duration, verdict: &Verdict) {
        self.advance_to(now);
        (self.memory.is_eventful, self.memory.used_at) = (true, now);
        if self.limits.enabled && self.closed().is_none() {
            self.closing.on_refused(now, now, verdict.retry_after(), &self.limits);
            if self.closed().is_some() {
                self.on_closed(now);
            }
        }
        let effect = self.congestion.on_unattributed_refusal(now, verdict);
        self.apply_refusal(now, None, verdict, effect);
    }

    /// Adapts the limits, or reports the refusal if the limiter is shared.
    pub(super) fn apply_refusal(
        &mut self,
        now: Duration,
        refused: Option<&Grant>,
        verdict: &Verdict,
        effect: RefusalEffect,
    ) {
        #[cfg(feature = "redis")]
        if effect.concerns_all {
            self.report_refusal(now, refused, verdict);
        } else if let Some(grant) = refused {
            self.update_lease(|lease| lease.on_refusal_alone(now.saturating_sub(grant.at)));
        }
        #[cfg(not(feature = "redis"))]
        let _ = refused;
        if effect.adapts {
            self.budgets.start_episode();
            self.adapt(now, verdict);
        }
    }

    /// Applies the end of a pause.
    pub(super) fn on_resumed(&mut self, now: Duration, resumption: Resumption) {
        self.unblocked_at = now;
        if let Resumption::SingleCall(responsible) = resumption {
            self.budgets.undo_adaptation(now);
            self.apply_limits(now);
            if let Some(refusals) = self.calls.refusals_mut(responsible) {
                self.congestion.on_responsible(refusals);
            }
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
