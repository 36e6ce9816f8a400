//! The exchange of leases: reports, grants, and the limits without a lease.

use std::{collections::BTreeMap, time::Duration};

use super::{Grant, Reservation, Scheduler};
use crate::{
    engine::{
        congestion::{REQUESTS, closed::shared::Change},
        lease::{
            FleetStatus, IN_FLIGHT, Lease,
            exchange::{CapacityMessage, LeaseGrant, LeaseRequest, RampMessage, RefusalMessage, micros, whole},
        },
        pace::gcra::nanos,
        queue::QueuePosition,
    },
    judge::{LimitKind, Verdict},
    limits::{on_disconnect::OnDisconnect, request::Priority},
};

/// Number of queued calls whose mean cost is reported.
const MAX_COSTED_CALLS: usize = 64;
/// Number of queued calls whose urgency is reported.
const MAX_CLASSED_CALLS: usize = 4096;
/// Half of the difference between two priorities, in microseconds of waiting time.
const HALF_PRIORITY_MICROS: i64 = 30_000_000;
/// Queueing age, in microseconds, reported for a refused call, so that refused calls sort before all others.
const REFUSED_FIRST_MICROS: i64 = 1 << 50;
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
        self.closing.join_fleet();
        self.apply_limits(now);
        self.budgets.lease(now, Some(&LeaseGrant::default()));
    }

    /// Applies `policy` while the server is unreachable.
    pub(crate) fn lose_fleet(&mut self, now: Duration, policy: OnDisconnect) {
        self.advance_to(now);
        if let Some(fleet) = &mut self.fleet {
            fleet.is_disconnected = true;
        }
        self.closing.leave_fleet();
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
        self.closing.leave_fleet();
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
        let equal = 1.0 / lease.terms.processes.max(1) as f64;
        self.budgets.scale_day(now, part(equal));
        let part = part(lease.terms.share);
        self.reduced = Some((self.limits, part));
        self.set_limits(now, self.limits);
        if let Some(local) = self.congestion.local() {
            local.take_over(now, &self.limits, &lease, part);
        }
        if self.limits.adaptive {
            self.budgets.restore_ceilings(now, |key| Some(lease.terms.ceilings.get(key)? * part));
        }
        self.apply_limits(now);
    }

    /// Returns the positions of all queued calls, in order.
    fn positions(&self) -> impl Iterator<Item = QueuePosition> {
        self.queue.last().into_iter().flat_map(|last| self.queue.up_to(last))
    }

    /// Returns the numbers of queued calls of high, normal and low urgency. Calls beyond the maximum count like the last classed one.
    fn classes(&self, now: Duration) -> [u64; 3] {
        let mut classes = [0; 3];
        let mut last = 1;
        for position in self.positions().take(MAX_CLASSED_CALLS) {
            last = match waited(position, now) {
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
        let wants_probe = self.wants_probe(now);
        let mut report = self.congestion.lease_mut()?.report(now, queued);
        let calls = report.wanted + report.held_slots;
        let limit = self.limits.max_in_flight.map_or(UNLIMITED, |limit| limit.get().into());
        let cost = u64::from(calls > 0);
        let (taken, head_cost, max_cost) = (self.in_flight, cost, cost);
        let in_flight = CapacityMessage { limit, taken, wanted: calls, head_cost, max_cost, ages: None };
        let configured = self.limits.requests_per_minute;
        let served = self.server_limit.pace(now, configured.get().into());
        report = LeaseRequest {
            refused: self.positions().take_while(|position| position.rank == 0).count() as u64,
            limits: self.limits.to_string(),
            rate: configured.get(),
            burst: micros(self.limits.burst_window),
            ramp: self.limits.ramp.map(|ramp| RampMessage { start: ramp.start, step: ramp.step }),
            adapts: self.limits.adaptive,
            served: Some(served).filter(|served| *served < configured.get().into()),
            call_time: micros(self.mean_latency),
            wait: self.next().map_or(0, |(next, _)| waited(next, now)),
            classes: self.classes(now),
            capacity: BTreeMap::from([(IN_FLIGHT, in_flight)]),
            opened: self.closing.opened(),
            paced: self.closing.opened().map(|_| micros(self.paced_until().saturating_sub(now))),
            closed: self.closing.report(now, wants_probe, self.paced_until()),
            accepted: self.closing.take_accepted(now),
            results: self.congestion.results(),
            ..report
        };
        let first = self.positions().take(MAX_COSTED_CALLS);
        let first: Vec<Reservation> = first.map(|position| self.reservation_of(position)).collect();
        self.budgets.fill_request(now, calls, report.held_slots, &first, &mut report);
        // The server may reduce the capacity before its grant arrives.
        let in_flight = self.in_flight;
        self.update_lease(|lease| lease.freeze_capacity(in_flight));
        Some(report)
    }

    /// Gives up the lease of an idle limiter and returns the final report. `None` while calls are queued or in flight.
    pub(crate) fn release_lease(&mut self, now: Duration) -> Option<LeaseRequest> {
        if self.queue.total() > 0 || self.in_flight > 0 {
            return None;
        }
        self.congestion.lease_mut()?.drop_slots();
        let report = self.report(now)?;
        self.congestion.lease_mut()?.release();
        self.closing.join_fleet();
        Some(report)
    }

    /// Applies a grant.
    pub(crate) fn renew(&mut self, now: Duration, grant: &LeaseGrant) {
        self.advance_to(now);
        if self.congestion.lease().is_none() {
            return;
        }
        self.apply_closing(now, grant);
        self.congestion.apply_results(grant);
        let Some(lease) = self.congestion.lease_mut() else { return };
        lease.renew(now, grant);
        self.fleet = Some(FleetStatus { processes: lease.terms.processes, is_disconnected: false });
        if let Some(refusals) = grant.responsible.and_then(|call| self.calls.refusals_mut(whole(call))) {
            self.congestion.on_responsible(refusals);
        }
        self.budgets.lease(now, Some(grant));
        self.unblocked_at = now;
    }

    /// Closes or opens with the fleet.
    fn apply_closing(&mut self, now: Duration, grant: &LeaseGrant) {
        match self.closing.apply(now, grant) {
            Change::None => return,
            Change::Closed => self.on_closed(now),
            Change::Opened => self.on_opened(now),
        }
        // The fleet knows it already.
        self.update_lease(Lease::on_closing_reported);
    }

    /// Returns `true` if a call could be sent soon while the limiter is closed, if no other process sends one.
    fn wants_probe(&self, now: Duration) -> bool {
        let Some(closed) = self.closed() else { return false };
        match self.next() {
            Some((next, _)) => {
                let can_fail = self.calls.get(next.id).can_fail;
                closed.is_near(now, can_fail || closed.waits(now, &self.limits))
            }
            // Calls were rejected that could have been the probe.
            None => self.congestion.lease().is_some_and(Lease::has_arrivals) && closed.is_near(now, true),
        }
    }

    /// Records a refusal, which is of an unknown call if `refused` is `None`, for the next report. Does nothing without a lease.
    pub(super) fn report_refusal(&mut self, now: Duration, refused: Option<&Grant>, verdict: &Verdict) {
        let Some(lease) = self.congestion.lease() else { return };
        let is_known = |grant: &&Grant| lease.granted_at(grant.at);
        let episode = refused.filter(is_known).map(|grant| grant.passage.episode);
        self.meter.drop_burst(now);
        let (teaches, budgets) = match verdict {
            Verdict::RateLimited { limit, .. } if self.limits.adaptive => match limit {
                LimitKind::Concurrency => (Some(IN_FLIGHT), BTreeMap::new()),
                LimitKind::Growth | LimitKind::Daily | LimitKind::Billing => (None, BTreeMap::new()),
                limit => (Some(REQUESTS), self.budgets.candidates(now, *limit)),
            },
            _ => (None, BTreeMap::new()),
        };
        let refusal = RefusalMessage {
            episode,
            tests: self.congestion.tests(verdict),
            hint: verdict.retry_after().map(micros),
            after: refused.map_or(0, |grant| micros(now.saturating_sub(grant.at))),
            teaches,
            in_flight: self.in_flight,
            budgets,
            ..RefusalMessage::default()
        };
        self.update_lease(|lease| lease.on_refusal(refused.map(|grant| grant.id), refusal));
    }

    /// Records the result of the user's probe for the next report. `blocked`: the server still refuses.
    pub(super) fn report_probe(&mut self, blocked: bool) {
        self.update_lease(|lease| lease.probed(blocked));
    }
}

/// Returns the effective time in the queue in microseconds, after the priority's handicap. Negative if a normal-priority call that
/// is queued now would be sent first.
fn waited(position: QueuePosition, now: Duration) -> i64 {
    let micros = |nanos: u64| i64::try_from(nanos / 1000).unwrap_or(i64::MAX);
    let normal = nanos(now + Priority::Normal.handicap());
    position.rank.checked_sub(1).map_or(REFUSED_FIRST_MICROS, |since| micros(normal) - micros(since))
}
