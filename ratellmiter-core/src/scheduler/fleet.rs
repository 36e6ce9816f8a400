//! A limiter that is shared: what its lease says instead of ramp, learners and phase, and what it tells and is told.

use std::{collections::BTreeMap, time::Duration};

use super::{Grant, Price, Scheduler};
use crate::{
    gate::REQUESTS,
    judge::{Scope, Verdict},
    lease::{Answer, Fleet, IN_FLIGHT, Lease, Need, Ramp, Refusal, Report, Space, micros},
};

/// So many of the line are looked at, to tell what the next calls cost.
const LOOKED_AT: usize = 64;
/// Half of what a priority is worth, in microseconds.
const CLEARLY: i64 = 30_000_000;
/// Where nobody limits the calls in flight.
pub(crate) const UNLIMITED: u64 = 1_000_000_000;

impl<W> Scheduler<W> {
    /// From now on it is shared, and all of its limits hold: nobody goes before the first answer.
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

    /// Those who share it are out of reach: `part` says what part of the limits holds meanwhile, none lets all wait. Of a day it is
    /// that part of what was left.
    pub(crate) fn lose_fleet(&mut self, now: Duration, part: Option<impl Fn(f64) -> f64>) {
        self.roll(now);
        self.fleet.iter_mut().for_each(|fleet| fleet.is_lost = true);
        let Some(part) = part else {
            self.gate.lease_mut().into_iter().for_each(Lease::drop_slots);
            return;
        };
        self.go_alone(now, part);
    }

    /// So many others make calls too, and have other limits.
    pub(crate) fn found_others(&mut self, others: u64) {
        self.gate.lease_mut().into_iter().for_each(|lease| lease.set_neighbours(others));
    }

    /// It is shared no longer, and all of its limits hold.
    pub(crate) fn leave_fleet(&mut self, now: Duration) {
        self.roll(now);
        self.go_alone(now, |_| 1.0);
        self.budgets.lease(now, None);
        if let Some((limits, _)) = self.degraded.take() {
            self.set_limits(now, limits);
        }
        self.fleet = None;
    }

    fn go_alone(&mut self, now: Duration, part: impl Fn(f64) -> f64) {
        let Some(lease) = self.gate.unshare() else { return };
        // Parts by demand change: all of them together may be more than the whole, which a day does not forget.
        #[allow(clippy::cast_precision_loss)]
        let equal = 1.0 / lease.members().max(1) as f64;
        self.budgets.part(now, part(equal));
        let part = part(lease.share());
        self.degraded = Some((self.limits, part));
        self.set_limits(now, self.limits);
        if let Some(own) = self.gate.own() {
            own.begin(now, &self.limits, &lease, part);
        }
        if self.limits.learn {
            self.budgets.restore_ceilings(now, |key| Some(lease.ceiling(key)? * part));
        }
        self.relearn(now);
    }

    /// When the server is to be asked again, if nothing else happens.
    pub(crate) fn asks_at(&self) -> Option<Duration> {
        let lease = self.gate.lease()?;
        let is_held = self.full() || self.lacks_budget();
        Some(lease.asks_at(&self.need(), is_held))
    }

    /// The server does not answer, and nothing goes before it does.
    pub(super) fn waits_for_fleet(&self) -> bool {
        let is_lost = self.fleet.is_some_and(|fleet| fleet.is_lost);
        self.gate.lease().is_some_and(|lease| is_lost || !lease.is_known())
    }

    fn lacks_budget(&self) -> bool {
        let first = self.line.first_key_value();
        first.is_some_and(|(first, _)| self.budgets.lacking(&self.price_of(*first)).is_some())
    }

    /// How many wait that are urgent, plain, and neither. Where very many wait, those that are not looked at are taken to be as the
    /// last one that is.
    fn classes(&self, now: Duration) -> [u64; 3] {
        let mut classes = [0; 3];
        let mut last = 1;
        for place in self.line.keys().take(LOOKED_AT * LOOKED_AT) {
            last = match place.waited(now) {
                waited if waited >= CLEARLY => 0,
                waited if waited > -CLEARLY => 1,
                _ => 2,
            };
            classes[last] += 1;
        }
        classes[last] += (self.line.len() as u64).saturating_sub((LOOKED_AT * LOOKED_AT) as u64);
        classes
    }

    fn need(&self) -> Need {
        let refused = self.line.keys().take_while(|place| place.rank == 0).count() as u64;
        Need { queued: self.line.len() as u64, refused }
    }

    /// What the others who share it are told.
    pub(crate) fn report(&mut self, now: Duration) -> Option<Report> {
        self.roll(now);
        let need = self.need();
        let mut report = self.gate.lease_mut()?.report(now, need);
        report.limits = self.limits.in_words();
        report.rate = self.limits.requests_per_minute.get();
        report.burst = micros(self.limits.burst);
        report.ramp = self.limits.ramp.map(|ramp| Ramp { start: ramp.start, step: ramp.step });
        report.adapts = self.limits.learn;
        let most = u64::from(report.rate);
        #[allow(clippy::cast_precision_loss)]
        {
            report.served = Some(self.served.pace(now, most)).filter(|pace| *pace < most).map(|pace| pace as f64);
        }
        report.call_time = micros(self.call_time);
        report.wait = self.line.first_key_value().map_or(0, |(first, _)| first.waited(now));
        report.classes = self.classes(now);
        let calls = report.wanted + report.held_slots;
        let limit = self.limits.max_in_flight.map_or(UNLIMITED, |most| most.get().into());
        let head = u64::from(calls > 0);
        let space = Space { limit, taken: self.in_flight, wanted: calls, head_cost: head, max_cost: head, ages: None };
        report.capacity.insert(IN_FLIGHT, space);
        let first: Vec<Price> = self.line.keys().take(LOOKED_AT).map(|place| self.price_of(*place)).collect();
        self.budgets.tell(now, calls, report.held_slots, &first, &mut report);
        // What the server takes away is not used while its answer is on its way.
        self.gate.lease_mut().into_iter().for_each(|lease| lease.freeze_capacity(self.in_flight));
        Some(report)
    }

    /// Nobody makes calls for now: what is to be told to that end. `None`: somebody does.
    pub(crate) fn rest(&mut self, now: Duration) -> Option<Report> {
        if !self.line.is_empty() || self.in_flight > 0 {
            return None;
        }
        self.gate.lease_mut()?.drop_slots();
        let report = self.report(now)?;
        self.gate.lease_mut().into_iter().for_each(Lease::rest);
        Some(report)
    }

    /// Somebody would have gone at once, and could not.
    pub(crate) fn tried(&mut self, now: Duration) {
        self.gate.lease_mut().into_iter().for_each(|lease| lease.tried(now));
    }

    /// Takes over what the server answers.
    pub(crate) fn renew(&mut self, now: Duration, answer: &Answer) {
        self.roll(now);
        let Some(lease) = self.gate.lease_mut() else { return };
        lease.renew(now, answer);
        self.fleet = Some(Fleet { members: lease.members(), is_lost: false });
        self.budgets.lease(now, Some(answer));
        self.unblocked = now;
    }

    /// A call came back refused, or, without one, it was seen that the server refuses.
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
