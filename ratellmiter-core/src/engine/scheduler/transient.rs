//! Calls that failed transiently.

use std::time::Duration;

use super::Scheduler;
use crate::{
    engine::{
        budgets::reservation::Reservation,
        call_id::Grant,
        call_state::{CallEnd, CallState},
        congestion::transient::Failure,
        queue::QueuePosition,
    },
    judge::Verdict,
};

impl<W> Scheduler<W> {
    /// Ends the attempt of a call that failed transiently, and queues it again at its former rank, after a wait without a place in
    /// flight. The attempt is charged by `end`. `hint` is the wait that the server asks for. The call is sent again at most `max_retries` times. Returns `None` if it
    /// has ended.
    pub(crate) fn retry_transient(
        &mut self,
        now: Duration,
        grant: Grant,
        end: CallEnd,
        hint: Option<Duration>,
        max_retries: u32,
        payload: W,
    ) -> Option<QueuePosition> {
        self.advance_to(now);
        let CallState { retries, deadline, .. } = self.calls.get(grant.id);
        let max_retries = if self.limits.enabled && !self.fails_calls(now) { max_retries } else { 0 };
        let failure = Failure { call: grant.id, hint, retries, max_retries, deadline };
        let sent = self.window.sent_in_last_minute(now);
        let wait = self.congestion.on_transient_failure(now, &failure, sent);
        let state = self.finish_transient(now, grant, end, hint, wait.is_some());
        let until = now + wait?;
        let position = QueuePosition { rank: grant.rank, id: grant.id };
        // The wait is no time in the queue.
        let expiry = state.next_expiry(until);
        let state = CallState { retries: retries + 1, expiry, reservation: Reservation::default(), ..state };
        self.calls.insert(grant.id, state);
        self.queue.insert_apart(until, until, position, expiry, payload);
        Some(position)
    }

    /// Ends the attempt of a call that failed transiently, and with it the call unless it `is_retried`. Pauses the limiter if the
    /// server fails every call. Returns the state of the call.
    fn finish_transient(
        &mut self,
        now: Duration,
        grant: Grant,
        end: CallEnd,
        hint: Option<Duration>,
        is_retried: bool,
    ) -> CallState {
        let state = self.calls.remove(grant.id);
        self.memory.is_eventful = true;
        if is_retried {
            self.stats.counts.transient += 1;
        } else {
            self.stats.counts.finished += 1;
            self.stats.counts.failed += 1;
            self.record_latency(now.saturating_sub(grant.at));
        }
        if is_retried && end == CallEnd::Failed {
            self.budgets.refuse(now, grant.at, &state.reservation);
        } else if self.limits.enabled {
            self.budgets.end(now, grant.at, &state.reservation, end, None);
        }
        self.on_returned(now);
        self.closing.on_ended(grant.id);
        let may_pause = self.limits.enabled && self.closed().is_none() && self.limits.transient_attempts > 0;
        if may_pause && self.congestion.transient_mut().is_failing(self.in_flight) {
            self.closing.on_refused(now, grant.at, hint, &self.limits);
            if self.closed().is_some() {
                self.on_closed(now);
            }
            let effect = self.congestion.on_failing_server(now, &grant, hint);
            self.apply_refusal(now, Some(&grant), &Verdict::Overloaded { retry_after: hint }, effect);
        } else {
            // The failure does not show whether the pause is over.
            self.congestion.drop_canary(now, grant.id);
        }
        state
    }
}
