//! Grants of the calls that are due, and the state that changes with time alone.

use std::time::Duration;

use super::Scheduler;
use crate::{
    engine::{
        budgets::reservation::Reservation,
        call_id::Grant,
        call_state::CallState,
        congestion::{REQUESTS, closed::Closed},
        lease::{self, IN_FLIGHT, Lease},
        queue::{QueuePosition, Queued},
    },
    log::row::BudgetKind,
    providers::provider::TokenCharge,
};

/// How far behind its schedule a limiter makes up for lost time. When it is further behind, the schedule restarts.
const MAX_LATENESS: Duration = Duration::from_millis(100);

impl<W> Scheduler<W> {
    /// Grants all calls that are due, in the order of the queue, and passes each with its payload to `issued`. Returns `true` if
    /// the user's probe is to run now; its result goes to [`probed`](Self::probed).
    #[must_use]
    pub(crate) fn advance(&mut self, now: Duration, mut issued: impl FnMut(Grant, W)) -> bool {
        self.advance_to(now);
        self.join_apart(now);
        if self.closed().is_some() {
            if let Some((grant, payload)) = self.advance_closed(now) {
                issued(grant, payload);
            }
            return false;
        }
        while let Some((position, queued)) = self.next() {
            let waited = now.saturating_sub(queued.since);
            let mut state = self.calls.get(position.id);
            let reservation = self.budgets.reservation(state.cost);
            let scheduled = match (self.scheduled(), self.due(&reservation)) {
                _ if !self.limits.enabled => now,
                (Some(scheduled), Some(due)) if due <= now => scheduled,
                _ => break,
            };
            if self.has_probe && self.congestion.probe() {
                return true;
            }
            let Some(queued) = self.queue.remove(position, state.expiry) else {
                break;
            };
            let lateness = now.saturating_sub(scheduled);
            let slot = if lateness > MAX_LATENESS { now } else { scheduled };
            state.add_wait(waited);
            let state = CallState { expiry: None, reservation, ..state };
            let grant = self.issue(position, slot, now, state);
            if lateness > lease::MAX_LATENESS_OF_SLOTS
                && let Some(lease) = self.congestion.lease_mut()
            {
                lease.drop_late_slots(now);
            }
            self.stats.waits.add(waited);
            issued(grant, queued.payload);
        }
        false
    }

    /// Returns when to call [`advance`](Self::advance) again, or `None` if no call can be sent before another event.
    pub(crate) fn deadline(&self) -> Option<Duration> {
        let may_join = self.queue.is_empty() || self.congestion.is_flowing(self.last_advanced);
        let apart = self.queue.next_apart().filter(|_| may_join);
        if let Some(closed) = self.closed() {
            return self.closed_deadline(closed, apart);
        }
        let due = self.congestion.canary_expires_at().filter(|_| self.queue.total() > 0).or_else(|| {
            let (next, _) = self.next()?;
            let due = self.due(&self.reservation_of(next))?;
            // A rate that headers have lowered rises by itself.
            let rises = self.budgets.rises_at().into_iter().chain(self.server_limit.rises_at()).min();
            Some(rises.filter(|rises| *rises > self.last_advanced).map_or(due, |rises| due.min(rises)))
        });
        let gives_up = self.gives_up_at().filter(|_| self.queue.total() > 0);
        due.into_iter().chain(apart).chain(self.queue.next_expiry()).chain(gives_up).min()
    }

    /// Returns when to call [`advance`](Self::advance) again while the limiter is closed.
    fn closed_deadline(&self, closed: &Closed, apart: Option<Duration>) -> Option<Duration> {
        let due = self
            .next()
            .and_then(|(next, _)| self.due_while_closed(closed, &self.calls.get(next.id), &self.reservation_of(next)));
        let is_waiting = self.queue.total() > 0;
        let waits_until = closed.waits_until(&self.limits).filter(|until| *until > self.last_advanced);
        let changes = self.closing.opens_at().into_iter().chain(waits_until).filter(|_| is_waiting);
        due.into_iter().chain(apart).chain(self.queue.next_expiry()).chain(changes).min()
    }

    /// Lets the calls apart whose time has come join the queue. During a pause, they join only if no other call can be the canary.
    fn join_apart(&mut self, now: Duration) {
        while (self.queue.is_empty() || self.congestion.is_flowing(now))
            && self.queue.next_apart().is_some_and(|at| at <= now)
        {
            if self.queue.is_empty() {
                self.unblocked_at = now;
            }
            self.queue.join_apart(now);
            self.update_lease(Lease::on_rejoined);
        }
    }

    /// Advances congestion control, budgets and statistics to `now`, before anything else changes. While the ramp rises, it
    /// advances second by second.
    pub(crate) fn advance_to(&mut self, now: Duration) {
        while !self.queue.is_empty()
            && !self.is_at_in_flight_limit()
            && let Some(at) = self.congestion.local().and_then(|local| local.ramp_changes_at())
            && at < now
            && at > self.last_advanced
        {
            self.advance_step(at);
        }
        self.advance_step(now);
    }

    fn advance_step(&mut self, now: Duration) {
        self.count_pauses(now);
        if let Some((at, resumption)) = self.congestion.local().and_then(|local| local.expire_canary(now)) {
            self.on_resumed(at, resumption);
            self.closing.on_canary_expired();
        }
        self.update_closing(now);
        let is_backlogged = self.congestion.is_flowing(now) && self.closed().is_none() && !self.queue.is_empty();
        self.congestion.advance_to(now, is_backlogged && !self.is_at_in_flight_limit());
        let time = now.saturating_sub(std::mem::replace(&mut self.last_advanced, now));
        if !self.budgets.is_empty() {
            self.budgets.advance_to(now);
        }
        if self.server_limit.advance_to(now) {
            self.apply_limits(now);
        }
        if is_backlogged {
            self.on_backlogged(now, time);
        }
        if self.stats.is_over(now) {
            let gauges = self.gauges(now);
            self.stats.advance_to(now, &gauges);
        }
    }

    /// Records the pause since the last step, as it was left by the last event. A canary that waits for another limit, or for a call
    /// to be requested, does not lengthen it.
    fn count_pauses(&mut self, now: Duration) {
        let is_open = self.closed().is_none();
        let is_paused = !self.congestion.is_flowing(self.last_advanced);
        if is_paused && is_open {
            let ends = self.congestion.pause_ends_at().into_iter().chain(self.congestion.canary_expires_at());
            self.stats.add_pause(self.last_advanced, ends.fold(now, Duration::min));
            self.stats.counts.pauses += u64::from(!self.was_paused);
        }
        self.was_paused = is_paused || !is_open;
    }

    /// Counts `time` in which calls were queued towards the limit that they waited for, which grows if it was adapted. A shared
    /// limiter reports the time.
    fn on_backlogged(&mut self, now: Duration, time: Duration) {
        let (is_full, budget) = (self.is_at_in_flight_limit(), self.exhausted_budget());
        if let Some(lease) = self.congestion.lease_mut() {
            let limit = if is_full { IN_FLIGHT } else { budget.map_or(REQUESTS, BudgetKind::key) };
            return lease.on_backlogged(limit, time);
        }
        let Some(local) = self.congestion.local() else { return };
        match budget {
            _ if is_full => local.on_backlogged_in_flight(time),
            Some(kind) => return self.budgets.on_backlogged(now, kind, time),
            None => local.on_backlogged_rate(time),
        }
        self.apply_limits(now);
    }

    /// Returns the queued call that is sent next.
    pub(super) fn next(&self) -> Option<(QueuePosition, &Queued<W>)> {
        self.queue.next(self.closed().is_none() && self.congestion.skips_refused(self.last_advanced))
    }

    /// Returns when a call with this reservation may be sent if it is first in the queue, or `None` if not before another event.
    pub(super) fn due(&self, reservation: &Reservation) -> Option<Duration> {
        if self.budgets.first_exhausted(reservation).is_some() {
            return None;
        }
        Some(self.scheduled()?.max(self.window.due()).max(self.budgets.due(reservation)))
    }

    /// Returns when the first queued call would be sent if timers were exact. Windows can delay a call beyond that, but do not
    /// move the schedule.
    fn scheduled(&self) -> Option<Duration> {
        if self.is_at_in_flight_limit() {
            return None;
        }
        let rate = self.meter.due().max(self.congestion.due()?);
        Some(rate.max(self.budgets.scheduled()).max(self.unblocked_at))
    }

    pub(super) fn issue(
        &mut self,
        position: QueuePosition,
        slot: Duration,
        now: Duration,
        mut state: CallState,
    ) -> Grant {
        let QueuePosition { rank, id } = position;
        let mut passage = self.congestion.unpaced_passage();
        if self.limits.enabled {
            if self.closed().is_some() {
                self.closing.on_sent(now, id);
                // A call that is no probe any more is rejected.
                self.rejects_queued = true;
            } else {
                passage = self.congestion.admit(now, slot, id, &state.refusals);
            }
            self.meter.admit(slot, 1);
            self.budgets.charge(now, slot, &mut state.reservation);
            self.window.admit(now);
            self.last_sent = Some(now);
            if state.retries > 0 {
                self.congestion.transient_mut().on_retry_sent(now);
            }
        }
        self.in_flight += 1;
        self.stats.counts.issued += 1;
        let TokenCharge { input, output, total } = state.reservation.estimated;
        self.stats.counts.reserved_tokens += total.max(input.saturating_add(output));
        self.calls.insert(id, state);
        Grant { id, rank, at: now, passage }
    }
}
