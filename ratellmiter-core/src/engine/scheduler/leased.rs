//! Scheduling with a lease: reports to the server of the fleet, its grants, and the time without either.

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

/// Queued calls whose costs are reported.
const PRICED: usize = 64;
/// Queued calls whose urgency is reported.
const CLASSED: usize = PRICED * PRICED;
/// Half of the waiting time that a priority is worth, in microseconds.
const CLEARLY: i64 = 30_000_000;
/// The limit of calls in flight if none is configured.
pub(crate) const UNLIMITED: u64 = 1_000_000_000;

impl<W> Scheduler<W> {
    /// Shares the limiter. The limits apply in full, and no call is sent before the first grant.
    pub(crate) fn join_fleet(&mut self, now: Duration) {
        self.advance_to(now);
        let degraded = self.reduced.take();
        let allowed = degraded.map_or(0.0, |_| self.rate() * 60.0);
        if let Some((limits, _)) = degraded {
            self.set_limits(now, limits);
        }
        self.congestion.share(degraded.map_or(1.0, |(_, part)| part), allowed, self.budgets.ceilings());
        let members = self.fleet.map_or(0, |fleet| fleet.processes);
        self.fleet = Some(FleetStatus {
            processes: members,
            is_disconnected: self.fleet.is_some_and(|fleet| fleet.is_disconnected),
        });
        self.apply_limits(now);
        self.budgets.lease(now, Some(&LeaseGrant::default()));
    }

    /// Applies the policy for a server that is out of reach.
    pub(crate) fn lose_fleet(&mut self, now: Duration, policy: OnDisconnect) {
        self.advance_to(now);
        self.fleet.iter_mut().for_each(|fleet| fleet.is_disconnected = true);
        match policy {
            OnDisconnect::Wait => self.congestion.lease_mut().into_iter().for_each(Lease::drop_slots),
            OnDisconnect::Degrade => self.go_alone(now, |share| share),
            OnDisconnect::FullLimits => self.go_alone(now, |_| 1.0),
        }
    }

    /// Sets the number of other processes, whose limits are in conflict with these.
    pub(crate) fn set_neighbours(&mut self, others: u64) {
        self.congestion.lease_mut().into_iter().for_each(|lease| lease.set_neighbours(others));
    }

    /// Ends the sharing. The limits apply in full.
    pub(crate) fn leave_fleet(&mut self, now: Duration) {
        self.advance_to(now);
        self.go_alone(now, |_| 1.0);
        self.budgets.lease(now, None);
        if let Some((limits, _)) = self.reduced.take() {
            self.set_limits(now, limits);
        }
        self.fleet = None;
    }

    /// Goes on without a lease, with `part` of the limits, as a function of this process's share.
    fn go_alone(&mut self, now: Duration, part: impl Fn(f64) -> f64) {
        let Some(lease) = self.congestion.unshare() else { return };
        // Shares by demand change, so their sum over time may be more than the whole. For a day that would matter.
        #[allow(clippy::cast_precision_loss)]
        let equal = 1.0 / lease.members().max(1) as f64;
        self.budgets.scale_day(now, part(equal));
        let part = part(lease.grant.share);
        self.reduced = Some((self.limits, part));
        self.set_limits(now, self.limits);
        if let Some(own) = self.congestion.local() {
            own.take_over(now, &self.limits, &lease, part);
        }
        if self.limits.adaptive {
            self.budgets.restore_ceilings(now, |key| Some(lease.grant.ceilings.get(key)? * part));
        }
        self.apply_limits(now);
    }

    /// Returns when the next report is due, if nothing else happens.
    pub(crate) fn asks_at(&self) -> Option<Duration> {
        let lease = self.congestion.lease()?;
        let first = self.queue.first_key_value();
        let lacks_budget =
            first.is_some_and(|(first, _)| self.budgets.first_exhausted(&self.reservation_of(*first)).is_some());
        Some(lease.asks_at(self.queue.len() as u64, self.is_at_in_flight_limit() || lacks_budget))
    }

    /// Returns `true` if no call is sent before the server replies.
    pub(super) fn waits_for_fleet(&self) -> bool {
        let is_lost = self.fleet.is_some_and(|fleet| fleet.is_disconnected);
        self.congestion.lease().is_some_and(|lease| is_lost || !lease.is_known())
    }

    /// Returns the number of queued calls of high, normal and low urgency. In a very long queue, those at its end count as its
    /// last classed call.
    fn classes(&self, now: Duration) -> [u64; 3] {
        let mut classes = [0; 3];
        let mut last = 1;
        for place in self.queue.keys().take(CLASSED) {
            last = match place.waited(now) {
                CLEARLY.. => 0,
                waited if waited > -CLEARLY => 1,
                _ => 2,
            };
            classes[last] += 1;
        }
        classes[last] += self.queue.len().saturating_sub(CLASSED) as u64;
        classes
    }

    /// Returns the report for the server.
    pub(crate) fn report(&mut self, now: Duration) -> Option<LeaseRequest> {
        self.advance_to(now);
        let queued = self.queue.len() as u64;
        let mut report = self.congestion.lease_mut()?.report(now, queued);
        let calls = report.wanted + report.held_slots;
        let limit = self.limits.max_in_flight.map_or(UNLIMITED, |most| most.get().into());
        let head = u64::from(calls > 0);
        let space = CapacityMessage {
            limit,
            taken: self.in_flight,
            wanted: calls,
            head_cost: head,
            max_cost: head,
            ages: None,
        };
        let configured = self.limits.requests_per_minute;
        let served = self.server_limit.pace(now, configured.get().into());
        report = LeaseRequest {
            refused: self.queue.keys().take_while(|place| place.rank == 0).count() as u64,
            limits: self.limits.fingerprint(),
            rate: configured.get(),
            burst: micros(self.limits.burst_window),
            ramp: self.limits.ramp.map(|ramp| RampMessage { start: ramp.start, step: ramp.step }),
            adapts: self.limits.adaptive,
            served: Some(served).filter(|served| *served < configured.get().into()),
            call_time: micros(self.mean_latency),
            wait: self.queue.first_key_value().map_or(0, |(first, _)| first.waited(now)),
            classes: self.classes(now),
            capacity: BTreeMap::from([(IN_FLIGHT, space)]),
            ..report
        };
        let first: Vec<Reservation> = self.queue.keys().take(PRICED).map(|place| self.reservation_of(*place)).collect();
        self.budgets.fill_request(now, calls, report.held_slots, &first, &mut report);
        // Capacity that the server takes away is not used while its grant is on its way.
        self.congestion.lease_mut().into_iter().for_each(|lease| lease.freeze_capacity(self.in_flight));
        Some(report)
    }

    /// Gives up the lease of an idle limiter. Returns the last report, or `None` while calls are queued or in flight.
    pub(crate) fn release_lease(&mut self, now: Duration) -> Option<LeaseRequest> {
        if !self.queue.is_empty() || self.in_flight > 0 {
            return None;
        }
        self.congestion.lease_mut()?.drop_slots();
        let report = self.report(now)?;
        self.congestion.lease_mut().into_iter().for_each(Lease::release);
        Some(report)
    }

    /// Records that a call could not be sent at once and did not wait.
    pub(crate) fn missed_try(&mut self, now: Duration) {
        self.congestion.lease_mut().into_iter().for_each(|lease| lease.missed_try(now));
    }

    /// Takes over a grant.
    pub(crate) fn renew(&mut self, now: Duration, answer: &LeaseGrant) {
        self.advance_to(now);
        let Some(lease) = self.congestion.lease_mut() else { return };
        lease.renew(now, answer);
        self.fleet = Some(FleetStatus { processes: lease.members(), is_disconnected: false });
        self.budgets.lease(now, Some(answer));
        self.unblocked_at = now;
    }

    /// Records the refusal of a call, or of a call of another process.
    pub(super) fn refused_in_fleet(&mut self, of: Option<(&Grant, Duration)>, now: Duration, verdict: &Verdict) {
        self.meter.drop_burst(now);
        let (teaches, budgets) = match verdict {
            Verdict::RateLimited { scope, .. } if self.limits.adaptive => match scope {
                LimitKind::Concurrency => (Some(IN_FLIGHT), BTreeMap::new()),
                LimitKind::Growth | LimitKind::Daily | LimitKind::Billing => (None, BTreeMap::new()),
                scope => (Some(REQUESTS), self.budgets.candidates(now, *scope)),
            },
            _ => (None, BTreeMap::new()),
        };
        let refusal = RefusalMessage {
            episode: of.filter(|(grant, _)| self.is_from_fleet(grant)).map(|(grant, _)| grant.passage.episode),
            hint: verdict.retry_after().map(micros),
            after: of.map_or(0, |(_, after)| micros(after)),
            teaches,
            in_flight: self.in_flight,
            budgets,
            ..RefusalMessage::default()
        };
        let id = of.map(|(grant, _)| grant.id);
        self.congestion.lease_mut().into_iter().for_each(|lease| lease.on_refusal(id, refusal.clone()));
    }

    fn is_from_fleet(&self, grant: &Grant) -> bool {
        self.congestion.lease().is_some_and(|lease| lease.granted_at(grant.at))
    }
}
