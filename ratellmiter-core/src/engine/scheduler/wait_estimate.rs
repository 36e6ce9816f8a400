//! How long one in the line waits yet, as far as can be told, and whether it may.

use std::time::Duration;

use super::{QueuePosition, Request, Scheduler};
use crate::limits::request::{RejectReason, Rejected};

/// So many of those before a call are looked at, to tell how long it waits.
const MAX_SIMULATED: usize = 256;

impl<W> Scheduler<W> {
    /// Whether one that waits again after a refusal will have its ticket in time, as far as can be told.
    pub(crate) fn is_in_time(&self, now: Duration, place: QueuePosition) -> bool {
        let until = self.details.get(place.id).until;
        until.is_none_or(|until| now + self.wait_of(now, place) <= until.at)
    }

    /// How long until the line is empty, if no call is refused and none joins.
    pub(crate) fn time_left(&self, now: Duration) -> Duration {
        self.queue.last_key_value().map_or(Duration::ZERO, |(last, _)| self.wait_of(now, *last))
    }

    /// How long until this one has its ticket, if no call is refused and all before it wait on.
    pub(super) fn wait_of(&self, now: Duration, place: QueuePosition) -> Duration {
        let is_last = self.queue.last_key_value().is_some_and(|(last, _)| *last == place);
        let calls = if is_last { self.queue.len() } else { self.queue.range(..=place).count() } as u64;
        #[allow(clippy::cast_precision_loss)] // For people to read.
        let learned =
            Duration::from_secs_f64((calls - self.fetched(calls)) as f64 * 60.0 / self.congestion.expected_pace());
        // The nearest are looked at, and the others are taken to be like them.
        let ahead = self.queue.range(..=place).take(MAX_SIMULATED).map(|(place, _)| self.reservation_of(*place));
        let budgets = self.budgets.time_for(now, calls, ahead);
        let rounds = if self.is_at_in_flight_limit() { calls.div_ceil(self.congestion.room().max(1)) } else { 0 };
        let out = self.mean_latency.saturating_mul(u32::try_from(rounds).unwrap_or(u32::MAX));
        self.paused_for(now).unwrap_or_default() + self.congestion.time_for(calls).max(learned).max(budgets).max(out)
    }

    /// One that is alone in the line of a shared limiter without slots gets one as soon as that is asked for, if others leave any.
    fn fetched(&self, calls: u64) -> u64 {
        u64::from(calls == 1 && self.congestion.lease().is_some_and(|lease| lease.is_known() && lease.due().is_none()))
    }

    /// Whether one that has just joined the line may wait there.
    pub(super) fn bounded(&self, now: Duration, place: QueuePosition, wish: &Request) -> Result<(), Rejected> {
        let until = self.details.get(place.id).until;
        if !self.limits.enabled || until.is_none() && wish.max_queue.is_none() {
            return Ok(());
        }
        let estimated_wait = self.wait_of(now, place);
        let too_many = wish.max_queue.is_some_and(|most| self.queue.len() > most as usize);
        let reason = match until {
            Some(until) if until.at <= now => until.reason,
            _ if too_many => RejectReason::MaxLine,
            Some(until) if now + estimated_wait > until.at => until.reason,
            _ => return Ok(()),
        };
        Err(Rejected { reason, estimated_wait })
    }
}
