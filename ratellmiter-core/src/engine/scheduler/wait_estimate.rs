//! Estimates of the time until a queued call is sent, and the wait limits that are checked against them.

use std::time::Duration;

use super::Scheduler;
use crate::{
    engine::{call_state::Request, queue::QueuePosition},
    limits::request::{RejectReason, Rejected},
};

/// Queued calls whose costs are summed. Calls behind them count as their mean.
const MAX_SUMMED: usize = 256;

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
        let calls = if is_last { self.queue.len() } else { self.queue.up_to(position).count() } as u64;
        #[allow(clippy::cast_precision_loss)] // An estimate.
        let paced = Duration::from_secs_f64(
            (calls - self.slots_on_request(calls)) as f64 * 60.0 / self.congestion.expected_pace(),
        );
        let costs = self.queue.up_to(position).take(MAX_SUMMED).map(|position| self.reservation_of(position));
        let budgets = self.budgets.time_for(now, calls, costs);
        let rounds =
            if self.is_at_in_flight_limit() { calls.div_ceil(self.congestion.in_flight_limit().max(1)) } else { 0 };
        let in_flight = self.mean_latency.saturating_mul(u32::try_from(rounds).unwrap_or(u32::MAX));
        let limits = self.congestion.time_for(calls).max(paced).max(budgets).max(in_flight);
        self.paused_for(now).unwrap_or_default() + limits
    }

    /// Returns 1 for a call that is alone in the queue of a shared limiter without slots, and 0 otherwise: such a call is
    /// granted a slot as soon as it is requested, if other processes leave one.
    fn slots_on_request(&self, calls: u64) -> u64 {
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
        let expiry = self.calls.get(position.id).expiry;
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
        Err(Rejected::by_bound(reason, estimated_wait))
    }
}
