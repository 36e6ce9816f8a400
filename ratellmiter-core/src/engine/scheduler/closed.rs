//! Scheduling while the limiter is closed.

use std::time::{Duration, SystemTime};

use super::Scheduler;
use crate::{
    engine::{
        budgets::reservation::Reservation,
        call_id::{CallId, Grant},
        call_state::{CallEnd, CallState, Request},
        congestion::closed::Closed,
        lease::Lease,
        queue::QueuePosition,
    },
    limits::{on_exhausted::OnExhausted, request::Rejected},
};

impl<W> Scheduler<W> {
    /// Returns the state of a closed limiter, or `None` while it is open.
    pub(crate) fn closed(&self) -> Option<&Closed> {
        self.closing.closed().filter(|_| self.limits.enabled)
    }

    /// Returns `true` if the limiter is closed and calls do not wait for it to open.
    pub(crate) fn fails_calls(&self, now: Duration) -> bool {
        self.closed().is_some_and(|closed| !closed.waits(now, &self.limits))
    }

    /// Applies the changes of the closed state that are due by time alone.
    pub(super) fn update_closing(&mut self, now: Duration) {
        if let Some(at) = self.closing.opens_at().filter(|at| *at <= now) {
            self.open(at);
        }
        if self.queue.total() > 0 && self.gives_up_at().is_some_and(|at| at <= now) {
            self.closing.give_up(now);
            self.on_closed(now);
        }
    }

    /// Returns when the limiter closes if no call is accepted until then.
    pub(super) fn gives_up_at(&self) -> Option<Duration> {
        self.closing.gives_up_at(&self.limits).filter(|_| self.limits.enabled)
    }

    pub(super) fn open(&mut self, now: Duration) {
        self.closing.open(now);
        self.on_opened(now);
    }

    /// Sends one call after a closed limiter was opened, and more if it is accepted.
    pub(super) fn on_opened(&mut self, now: Duration) {
        self.congestion.reopen(now);
        self.update_lease(Lease::on_closing);
        self.unblocked_at = now;
    }

    /// Lets [`expire`](Self::expire) reject the queued calls that do not wait for a closed limiter.
    pub(super) fn on_closed(&mut self, now: Duration) {
        self.update_lease(Lease::on_closing);
        self.unblocked_at = now;
        self.rejects_queued = true;
    }

    /// Removes the queued calls that a closed limiter rejects, and passes each to `expired`.
    pub(super) fn reject_queued(&mut self, now: Duration, expired: &mut impl FnMut(CallId, Rejected, W)) {
        // Calls that wait are rejected when they have waited for too long.
        if !self.fails_calls(now) || !std::mem::take(&mut self.rejects_queued) {
            return;
        }
        let Some(rejected) = self.closed().map(|closed| rejection(now, closed)) else { return };
        let positions: Vec<_> =
            self.queue.positions().filter(|position| self.calls.get(position.id).can_fail).collect();
        for position in positions {
            let state = self.calls.remove(position.id);
            if let Some(queued) = self.queue.remove(position, state.expiry) {
                self.stats.counts.rejected += 1;
                let waited = state.waited + now.saturating_sub(queued.since);
                expired(position.id, Rejected { waited, ..rejected }, queued.payload);
            }
        }
    }

    /// Returns when a call may be sent while the limiter is closed, or `None` while another one is in flight.
    pub(super) fn due_while_closed(
        &self,
        closed: &Closed,
        call: &CallState,
        reservation: &Reservation,
    ) -> Option<Duration> {
        let as_probe = call.can_fail || closed.waits(self.last_advanced, &self.limits);
        let due = closed.due(as_probe)?.max(self.paced_until()).max(self.window.due());
        Some(due.max(self.budgets.due(reservation)).max(self.unblocked_at))
    }

    /// Returns when the rate allows the next call while the limiter is closed. Leased slots follow an adapted rate, but a closed fleet
    /// leases none.
    pub(super) fn paced_until(&self) -> Duration {
        let interval = self.congestion.lease().and_then(Lease::interval);
        let paced = self.last_sent.zip(interval).map(|(sent, interval)| sent.saturating_add(interval));
        self.meter.due().max(paced.unwrap_or_default())
    }

    /// Returns `true` if the limiter is closed and rejects a call that is requested now: it can fail, and is no probe.
    pub(super) fn rejects(&self, now: Duration, request: &Request) -> Option<Rejected> {
        let closed = self.closed().filter(|closed| request.can_fail && !closed.waits(now, &self.limits))?;
        let is_probe = self.queue.is_empty() && closed.due(true).is_some_and(|due| due <= now);
        (!is_probe).then(|| rejection(now, closed))
    }

    /// Grants the first queued call if it is due while the limiter is closed. Returns the grant with the payload.
    pub(super) fn advance_closed(&mut self, now: Duration) -> Option<(Grant, W)> {
        let closed = self.closed()?;
        let (position, queued) = self.next()?;
        let waited = now.saturating_sub(queued.since);
        let mut state = self.calls.get(position.id);
        let reservation = self.budgets.reservation(state.cost);
        if self.due_while_closed(closed, &state, &reservation)? > now {
            return None;
        }
        let queued = self.queue.remove(position, state.expiry)?;
        state.add_wait(waited);
        let state = CallState { expiry: None, reservation, ..state };
        let grant = self.issue(position, now, now, state);
        self.stats.waits.add(waited);
        Some((grant, queued.payload))
    }

    /// Closes the limiter after a refusal of a call without a grant of this limiter, whose quota is spent until `opens_at`.
    pub(crate) fn on_unattributed_exhaustion(&mut self, now: Duration, opens_at: Option<Duration>) {
        self.advance_to(now);
        (self.memory.is_eventful, self.memory.used_at) = (true, now);
        if self.limits.enabled && self.closing.on_exhausted(now, now, opens_at) {
            self.on_closed(now);
        }
    }

    /// Ends the attempt of a call that was refused because a quota is spent until `opens_at`, and closes the limiter. Returns the
    /// position of the call if it waits for the quota, or `None` if the call has ended.
    pub(crate) fn exhaust(
        &mut self,
        now: Duration,
        grant: Grant,
        opens_at: Option<Duration>,
        payload: W,
    ) -> Option<QueuePosition> {
        if !self.limits.enabled {
            self.finish(now, grant, CallEnd::QuotaExhausted, None);
            return None;
        }
        self.advance_to(now);
        self.memory.is_eventful = true;
        let state = self.calls.remove(grant.id);
        self.budgets.refuse(now, grant.at, &state.reservation);
        self.congestion.drop_canary(now, grant.id);
        self.on_returned(now);
        self.closing.on_ended(grant.id);
        if self.closing.on_exhausted(now, grant.at, opens_at) {
            self.on_closed(now);
        }
        // A call that was sent before the limiter opened again is retried as well.
        let is_retried = self.limits.on_exhausted == OnExhausted::Wait && !self.fails_calls(now);
        if !is_retried {
            self.stats.counts.finished += 1;
            self.stats.counts.failed += 1;
            self.stats.calls.add(now.saturating_sub(grant.at));
            return None;
        }
        self.stats.counts.rate_limited += 1;
        let position = QueuePosition::refused(grant.id);
        self.push(now, position, CallState { reservation: Reservation::default(), ..state }, payload);
        Some(position)
    }
}

/// Returns the rejection of a call by a closed limiter. Its time counts from the creation of the limiter.
fn rejection(now: Duration, closed: &Closed) -> Rejected {
    let resumes_at = closed.opens_at.map(|at| SystemTime::UNIX_EPOCH + at);
    let (waited, allowed_wait) = (Duration::ZERO, None);
    Rejected { reason: closed.reason.into(), waited, allowed_wait, estimated_wait: closed.time_left(now), resumes_at }
}
