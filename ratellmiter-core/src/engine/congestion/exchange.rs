//! Switching between the local control and a lease.

use super::{CongestionControl, REQUESTS};
use crate::engine::lease::{IN_FLIGHT, Lease, exchange::LeaseGrant};

impl CongestionControl {
    /// Switches to leased control. The first lease is empty. `part` is the fraction of the limits that this process used alone,
    /// by which the ceilings of its limits and of its `budgets` are scaled up; `allowed` is its last rate in calls a minute.
    pub(crate) fn share<'a>(&mut self, part: f64, allowed: f64, budgets: impl Iterator<Item = (&'a str, f64)>) {
        let (rate, in_flight) = self.local.ceilings();
        let local =
            [(REQUESTS, rate), (IN_FLIGHT, in_flight)].into_iter().filter_map(|(key, ceiling)| Some((key, ceiling?)));
        let scaled = |ceiling: f64| ceiling / part.max(f64::MIN_POSITIVE);
        let ceilings = local.chain(budgets).map(|(key, ceiling)| (key.to_owned(), scaled(ceiling))).collect();
        let mut lease = match self.lease.take() {
            Some(before) => before.renewed(),
            None => Lease::new(ceilings, self.epoch.take()),
        };
        lease.exchange.carried_rate = allowed;
        lease.paused_until = self.local.end_pause().or(lease.paused_until);
        self.lease = Some(Box::new(lease));
    }

    /// Returns the results of this process by which refusals are attributed, or `None` before the first refusal.
    pub(crate) fn results(&self) -> Option<[f64; 5]> {
        self.attribution.report()
    }

    /// Applies the results of the other processes.
    pub(crate) fn apply_results(&mut self, grant: &LeaseGrant) {
        self.attribution.apply(grant.results);
    }

    /// Switches to local control and returns the lease, which the local control takes over. `None` if there was no lease.
    pub(crate) fn unshare(&mut self) -> Option<Box<Lease>> {
        let lease = self.lease.take()?;
        self.epoch.clone_from(&lease.exchange.epoch);
        self.attribution.leave_fleet();
        Some(lease)
    }
}
