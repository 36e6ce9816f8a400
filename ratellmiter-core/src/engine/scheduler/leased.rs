//! Scheduling of a shared limiter: reports, grants, and the limits without a lease.

use std::{collections::BTreeMap, time::Duration};

use super::{Grant, Reservation, Scheduler};
use crate::{
    engine::{
        congestion::REQUESTS,
        lease::{
            CapacityMessage, FleetStatus, IN_FLIGHT, Lease, LeaseGrant, LeaseRequest, RampMessage, RefusalMessage,
            micros,
        },
    },
    judge::{LimitKind, Verdict},
    limits::on_disconnect::OnDisconnect,
};

/// Number of queued calls whose mean cost is reported.
const MAX_COSTED_CALLS: usize = 64;
/// Number of queued calls whose urgency is reported.
const MAX_CLASSED_CALLS: usize = 4096;
/// Half of the difference between two priorities, in microseconds of waiting time.
const HALF_PRIORITY_MICROS: i64 = 30_000_000;
/// Limit on calls in flight if none is configured.
pub(crate) const UNLIMITED: u64 = 1_000_000_000;

impl<W> Scheduler<W> {
    /// Starts sharing: the full limits apply to all processes, and no call is sent before the first grant.
    pub(crate) fn join_fleet(&mut self, now: Duration) {
        self.advance_to(now);
        let reduced = self.reduced.take();
        let allowed = reduced.map_or(0.0, |_| self.rate() * 60.0);
        if let Some((limits, _)) = reduced {
            self.set_limits(now, limits);
        }
        self.congestion.share(reduced.map_or(1.0, |(_, part)| part), allowed, self.budgets.ceilings());
        self.fleet.get_or_insert(FleetStatus { processes: 0, is_disconnected: false });
        self.apply_limits(now);
        self.budgets.lease(now, Some(&LeaseGrant::default()));
    }

    /// Applies `policy` while the server is unreachable.
    pub(crate) fn lose_fleet(&mut self, now: Duration, policy: OnDisconnect) {
        self.advance_to(now);
        if let Some(fleet) = &mut self.fleet {
            fleet.is_disconnected = true;
        }
        match policy {
            OnDisconnect::Wait => self.update_lease(Lease::drop_slots),
            OnDisconnect::Degrade => self.continue_alone(now, |share| share),
            OnDisconnect::FullLimits => self.continue_alone(now, |_| 1.0),
        }
    }

    /// Sets the number of other processes, whose limits conflict with these.
    pub(crate) fn set_neighbours(&mut self, others: u64) {
        self.update_lease(|lease| lease.set_neighbours(others));
    }

    /// Stops sharing: this process uses the full limits.
    pub(crate) fn leave_fleet(&mut self, now: Duration) {
        self.advance_to(now);
        self.continue_alone(now, |_| 1.0);
        self.budgets.lease(now, None);
        if let Some((limits, _)) = self.reduced.take() {
            self.set_limits(now, limits);
        }
        self.fleet = None;
    }

    /// Continues without a lease. `part` maps this process's share to its fraction of the limits.
    fn continue_alone(&mut self, now: Duration, part: impl Fn(f64) -> f64) {
        let Some(lease) = self.congestion.unshare() else { return };
        // Shares by demand change, so over a day the sum of those of all processes could exceed the budget.
        #[allow(clippy::cast_precision_loss)]
        let equal = 1.0 / lease.members().max(1) as f64;
        self.budgets.scale_day(now, part(equal));
        let part = part(lease.grant.share);
        self.reduced = Some((self.limits, part));
        self.set_limits(now, self.limits);
        if let Some(local) = self.congestion.local() {
            local.take_over(now, &self.limits, &lease, part);
        }
        if self.limits.adaptive {
            self.budgets.restore_ceilings(now, |key| Some(lease.grant.ceilings.get(key)? * part));
        }
        self.apply_limits(now);
    }

    fn update_lease(&mut self, update: impl FnOnce(&mut Lease)) {
        if let Some(lease) = self.congestion.lease_mut() {
            update(lease);
        }
    }

    /// Returns when the next report is due, if nothing else happens; `None` without a lease.
    pub(crate) fn asks_at(&self) -> Option<Duration> {
        let lease = self.congestion.lease()?;
        let first = self.queue.first_key_value();
        let lacks_budget =
            first.is_some_and(|(first, _)| self.budgets.first_exhausted(&self.reservation_of(*first)).is_some());
        Some(lease.asks_at(self.queue.len() as u64, self.is_at_in_flight_limit() || lacks_budget))
    }

    /// Returns `true` if no call can be sent before the server replies.
    pub(super) fn waits_for_fleet(&self) -> bool {
        let is_disconnected = self.fleet.is_some_and(|fleet| fleet.is_disconnected);
        self.congestion.lease().is_some_and(|lease| is_disconnected || !lease.is_known())
    }

    /// Returns the numbers of queued calls of high, normal and low urgency. Calls beyond the maximum count like the last classed one.
    fn classes(&self, now: Duration) -> [u64; 3] {
        let mut classes = [0; 3];
        let mut last = 1;
        for position in self.queue.keys().take(MAX_CLASSED_CALLS) {
            last = match position.waited(now) {
                HALF_PRIORITY_MICROS.. => 0,
                waited if waited > -HALF_PRIORITY_MICROS => 1,
                _ => 2,
            };
            classes[last] += 1;
        }
        classes[last] += self.queue.len().saturating_sub(MAX_CLASSED_CALLS) as u64;
        classes
    }

    /// Returns the next report, or `None` without a lease.
    pub(crate) fn report(&mut self, now: Duration) -> Option<LeaseRequest> {
        self.advance_to(now);
        let queued = self.queue.len() as u64;
        let mut report = self.congestion.lease_mut()?.report(now, queued);
        let calls = report.wanted + report.held_slots;
        let limit = self.limits.max_in_flight.map_or(UNLIMITED, |limit| limit.get().into());
        let cost = u64::from(calls > 0);
        let (taken, head_cost, max_cost) = (self.in_flight, cost, cost);
        let in_flight = CapacityMessage { limit, taken, wanted: calls, head_cost, max_cost, ages: None };
        let configured = self.limits.requests_per_minute;
        let served = self.server_limit.pace(now, configured.get().into());
        report = LeaseRequest {
            refused: self.queue.keys().take_while(|position| position.rank == 0).count() as u64,
            limits: self.limits.to_string(),
            rate: configured.get(),
            burst: micros(self.limits.burst_window),
            ramp: self.limits.ramp.map(|ramp| RampMessage { start: ramp.start, step: ramp.step }),
            adapts: self.limits.adaptive,
            served: Some(served).filter(|served| *served < configured.get().into()),
            call_time: micros(self.mean_latency),
            wait: self.queue.first_key_value().map_or(0, |(first, _)| first.waited(now)),
            classes: self.classes(now),
            capacity: BTreeMap::from([(IN_FLIGHT, in_flight)]),
            ..report
        };
        let first = self.queue.keys().take(MAX_COSTED_CALLS);
        let first: Vec<Reservation> = first.map(|position| self.reservation_of(*position)).collect();
        self.budgets.fill_request(now, calls, report.held_slots, &first, &mut report);
        // The server may reduce the capacity before its grant arrives.
        let in_flight = self.in_flight;
        self.update_lease(|lease| lease.freeze_capacity(in_flight));
        Some(report)
    }

    /// Gives up the lease of an idle limiter and returns the final report. `None` while calls are queued or in flight.
    pub(crate) fn release_lease(&mut self, now: Duration) -> Option<LeaseRequest> {
        if !self.queue.is_empty() || self.in_flight > 0 {
            return None;
        }
        self.congestion.lease_mut()?.drop_slots();
        let report = self.report(now)?;
        self.congestion.lease_mut()?.release();
        Some(report)
    }

    /// Records that `try_acquire` failed.
    pub(crate) fn missed_try(&mut self, now: Duration) {
        self.update_lease(|lease| lease.missed_try(now));
    }

    /// Applies a grant.
    pub(crate) fn renew(&mut self, now: Duration, grant: &LeaseGrant) {
        self.advance_to(now);
        let Some(lease) = self.congestion.lease_mut() else { return };
        lease.renew(now, grant);
        self.fleet = Some(FleetStatus { processes: lease.members(), is_disconnected: false });
        self.budgets.lease(now, Some(grant));
        self.unblocked_at = now;
    }

    /// Records a refusal while sharing. `of` is the refused call and its latency, if it is known.
    pub(super) fn refused_in_fleet(&mut self, of: Option<(&Grant, Duration)>, now: Duration, verdict: &Verdict) {
        self.meter.drop_burst(now);
        let (teaches, budgets) = match verdict {
            Verdict::RateLimited { limit, .. } if self.limits.adaptive => match limit {
                LimitKind::Concurrency => (Some(IN_FLIGHT), BTreeMap::new()),
                LimitKind::Growth | LimitKind::Daily | LimitKind::Billing => (None, BTreeMap::new()),
                limit => (Some(REQUESTS), self.budgets.candidates(now, *limit)),
            },
            _ => (None, BTreeMap::new()),
        };
        let grant = of.map(|(grant, _)| grant);
        let is_known = |grant: &&Grant| self.congestion.lease().is_some_and(|lease| lease.granted_at(grant.at));
        let refusal = RefusalMessage {
            episode: grant.filter(is_known).map(|grant| grant.passage.episode),
            hint: verdict.retry_after().map(micros),
            after: of.map_or(0, |(_, latency)| micros(latency)),
            teaches,
            in_flight: self.in_flight,
            budgets,
            ..RefusalMessage::default()
        };
        self.update_lease(|lease| lease.on_refusal(grant.map(|grant| grant.id), refusal));
    }
}
