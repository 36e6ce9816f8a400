//! Scheduling by a lease, if the limiter is shared.

use std::time::Duration;

use super::Scheduler;
use crate::engine::lease::Lease;

impl<W> Scheduler<W> {
    pub(super) fn update_lease(&mut self, update: impl FnOnce(&mut Lease)) {
        if let Some(lease) = self.congestion.lease_mut() {
            update(lease);
        }
    }

    /// Returns when the next report is due, if nothing else happens; `None` without a lease.
    pub(crate) fn asks_at(&self) -> Option<Duration> {
        let lease = self.congestion.lease()?;
        let lacks_budget =
            self.next().is_some_and(|(next, _)| self.budgets.first_exhausted(&self.reservation_of(next)).is_some());
        Some(lease.asks_at(self.queue.len() as u64, self.is_at_in_flight_limit() || lacks_budget))
    }

    /// Returns `true` if no call can be sent before the server replies.
    pub(super) fn waits_for_fleet(&self) -> bool {
        let is_disconnected = self.fleet.is_some_and(|fleet| fleet.is_disconnected);
        self.congestion.lease().is_some_and(|lease| is_disconnected || !lease.is_known())
    }

    /// Records that `try_acquire` failed.
    pub(crate) fn missed_try(&mut self, now: Duration) {
        self.update_lease(|lease| lease.missed_try(now));
    }
}
