//! Scheduling with a lease: reports to the server of the fleet, its grants, and the time without either.

use std::{collections::BTreeMap, time::Duration};

use super::{Grant, Price, Scheduler};
use crate::{
    config::Loss,
    engine::{
        congestion::REQUESTS,
        lease::{Answer, Fleet, IN_FLIGHT, Lease, Ramp, Refusal, Report, Space, micros},
    },
    judge::{Scope, Verdict},
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
        self.roll(now);
        let degraded = self.degraded.take();
        let allowed = degraded.map_or(0.0, |_| self.rate() * 60.0);
        if let Some((limits, _)) = degraded {
            self.set_limits(now, limits);
        }
        self.gate.share(degraded.map_or(1.0, |(_, part)| part), allowed, self.budgets.ceilings());
        let members = self.fleet.map_or(0, |fleet| fleet.members);
        self.fleet = Some(Fleet { members, is_lost: self.fleet.is_some_and(|fleet| fleet.is_lost) });
        self.relearn(now);
        self.budgets.lease(now, Some(&Answer::default()));
    }

    /// Applies the policy for a server that is out of reach.
    pub(crate) fn lose_fleet(&mut self, now: Duration, policy: Loss) {
        self.roll(now);
        self.fleet.iter_mut().for_each(|fleet| fleet.is_lost = true);
        match policy {
            Loss::Closed => self.gate.lease_mut().into_iter().for_each(Lease::drop_slots),
            Loss::Degrade => self.go_alone(now, |share| share),
            Loss::Open => self.go_alone(now, |_| 1.0),
        }
    }

    /// Sets the number of other processes, whose limits are in conflict with these.
    pub(crate) fn found_others(&mut self, others: u64) {
        self.gate.lease_mut().into_iter().for_each(|lease| lease.set_neighbours(others));
    }

    /// Ends the sharing. The limits apply in full.
    pub(crate) fn leave_fleet(&mut self, now: Duration) {
        self.roll(now);
        self.go_alone(now, |_| 1.0);
        self.budgets.lease(now, None);
        if let Some((limits, _)) = self.degraded.take() {
            self.set_limits(now, limits);
        }
        self.fleet = None;
    }

    /// Goes on without a lease, with `part` of the limits, as a function of this process's share.
    fn go_alone(&mut self, now: Duration, part: impl Fn(f64) -> f64) {
        let Some(lease) = self.gate.unshare() else { return };
        // Shares by demand change, so their sum over time may be more than the whole. For a day that would matter.
        #[allow(clippy::cast_precision_loss)]
        let equal = 1.0 / lease.members().max(1) as f64;
        self.budgets.part(now, part(equal));
        let part = part(lease.grant.share);
        self.degraded = Some((self.limits, part));
        self.set_limits(now, self.limits);
        if let Some(own) = self.gate.own() {
            own.begin(now, &self.limits, &lease, part);
        }
        if self.limits.learn {
            self.budgets.restore_ceilings(now, |key| Some(lease.grant.ceilings.get(key)? * part));
        }
        self.relearn(now);
    }

    /// Returns when the next report is due, if nothing else happens.
    pub(crate) fn asks_at(&self) -> Option<Duration> {
        let lease = self.gate.lease()?;
        let first = self.line.first_key_value();
        let lacks_budget = first.is_some_and(|(first, _)| self.budgets.lacking(&self.price_of(*first)).is_some());
        Some(lease.asks_at(self.line.len() as u64, self.full() || lacks_budget))
    }

    /// Returns `true` if no call is sent before the server replies.
    pub(super) fn waits_for_fleet(&self) -> bool {
        let is_lost = self.fleet.is_some_and(|fleet| fleet.is_lost);
        self.gate.lease().is_some_and(|lease| is_lost || !lease.is_known())
    }

    /// Returns the number of queued calls of high, normal and low urgency. In a very long queue, those at its end count as its
    /// last classed call.
    fn classes(&self, now: Duration) -> [u64; 3] {
        let mut classes = [0; 3];
        let mut last = 1;
        for place in self.line.keys().take(CLASSED) {
            last = match place.waited(now) {
                CLEARLY.. => 0,
                waited if waited > -CLEARLY => 1,
                _ => 2,
            };
            classes[last] += 1;
        }
        classes[last] += self.line.len().saturating_sub(CLASSED) as u64;
        classes
    }

    /// Returns the report for the server.
    pub(crate) fn report(&mut self, now: Duration) -> Option<Report> {
        self.roll(now);
        let queued = self.line.len() as u64;
        let mut report = self.gate.lease_mut()?.report(now, queued);
        let calls = report.wanted + report.held_slots;
        let limit = self.limits.max_in_flight.map_or(UNLIMITED, |most| most.get().into());
        let head = u64::from(calls > 0);
        let space = Space { limit, taken: self.in_flight, wanted: calls, head_cost: head, max_cost: head, ages: None };
        let configured = self.limits.requests_per_minute;
        let served = self.served.pace(now, configured.get().into());
        report = Report {
            refused: self.line.keys().take_while(|place| place.rank == 0).count() as u64,
            limits: self.limits.in_words(),
            rate: configured.get(),
            burst: micros(self.limits.burst),
            ramp: self.limits.ramp.map(|ramp| Ramp { start: ramp.start, step: ramp.step }),
            adapts: self.limits.learn,
            served: Some(served).filter(|served| *served < configured.get().into()),
            call_time: micros(self.call_time),
            wait: self.line.first_key_value().map_or(0, |(first, _)| first.waited(now)),
            classes: self.classes(now),
            capacity: BTreeMap::from([(IN_FLIGHT, space)]),
            ..report
        };
        let first: Vec<Price> = self.line.keys().take(PRICED).map(|place| self.price_of(*place)).collect();
        self.budgets.tell(now, calls, report.held_slots, &first, &mut report);
        // Capacity that the server takes away is not used while its grant is on its way.
        self.gate.lease_mut().into_iter().for_each(|lease| lease.freeze_capacity(self.in_flight));
        Some(report)
    }

    /// Gives up the lease of an idle limiter. Returns the last report, or `None` while calls are queued or in flight.
    pub(crate) fn rest(&mut self, now: Duration) -> Option<Report> {
        if !self.line.is_empty() || self.in_flight > 0 {
            return None;
        }
        self.gate.lease_mut()?.drop_slots();
        let report = self.report(now)?;
        self.gate.lease_mut().into_iter().for_each(Lease::rest);
        Some(report)
    }

    /// Records that a call could not be sent at once and did not wait.
    pub(crate) fn tried(&mut self, now: Duration) {
        self.gate.lease_mut().into_iter().for_each(|lease| lease.tried(now));
    }

    /// Takes over a grant.
    pub(crate) fn renew(&mut self, now: Duration, answer: &Answer) {
        self.roll(now);
        let Some(lease) = self.gate.lease_mut() else { return };
        lease.renew(now, answer);
        self.fleet = Some(Fleet { members: lease.members(), is_lost: false });
        self.budgets.lease(now, Some(answer));
        self.unblocked = now;
    }

    /// Records the refusal of a call, or of a call of another process.
    pub(super) fn refused_in_fleet(&mut self, of: Option<(&Grant, Duration)>, now: Duration, verdict: &Verdict) {
        self.meter.forget_saved(now);
        let (teaches, budgets) = match verdict {
            Verdict::RateLimited { scope, .. } if self.limits.learn => match scope {
                Scope::Concurrency => (Some(IN_FLIGHT), BTreeMap::new()),
                Scope::Acceleration | Scope::Day | Scope::Billing => (None, BTreeMap::new()),
                scope => (Some(REQUESTS), self.budgets.meant(now, *scope)),
            },
            _ => (None, BTreeMap::new()),
        };
        let refusal = Refusal {
            episode: of.filter(|(grant, _)| self.is_from_fleet(grant)).map(|(grant, _)| grant.passage.episode),
            hint: verdict.retry_after().map(micros),
            after: of.map_or(0, |(_, after)| micros(after)),
            teaches,
            in_flight: self.in_flight,
            budgets,
            ..Refusal::default()
        };
        let id = of.map(|(grant, _)| grant.id);
        self.gate.lease_mut().into_iter().for_each(|lease| lease.refused(id, refusal.clone()));
    }

    fn is_from_fleet(&self, grant: &Grant) -> bool {
        self.gate.lease().is_some_and(|lease| lease.is_from_here(grant.at))
    }
}
