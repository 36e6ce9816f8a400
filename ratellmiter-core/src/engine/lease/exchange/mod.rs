//! The exchange of leases with the server of a fleet: reports, and the grants that reply to them.
//!
//! A [`LeaseRequest`] reports the demand of one process and the outcomes of its calls. The reply is a [`LeaseGrant`].

mod protocol;

use std::{mem::take, time::Duration};

pub(crate) use self::protocol::{
    Ages, CanaryMessage, CapacityMessage, ClosedGrant, ClosedMessage, Conflict, LeaseGrant, LeaseRequest, RampMessage,
    RateMessage, RefusalMessage,
};

use super::{ByLimit, Canary, IN_FLIGHT, Lease, Outcome, Terms, slots::Slots};
use crate::engine::pace::gcra::nanos;

/// Time after which a grant that was not renewed expires, because the process has ended or cannot reach the server.
pub(crate) const GRANT_LIFETIME: Duration = Duration::from_secs(3);
/// Time for which one slot stays leased after a failed `try_acquire`.
const TRY_LIFETIME: Duration = Duration::from_secs(5);
/// Margin over the forecast demand, because arrivals are uneven.
const DEMAND_MARGIN: f64 = 1.25;

/// The state of a lease that only reports and grants use.
#[derive(Debug, Default)]
pub(crate) struct Exchange {
    /// Document of the current grant, or of the last lease before it.
    pub(crate) epoch: Option<String>,
    /// Time of the first grant from this document.
    since: Option<Duration>,
    is_capacity_limited: bool,
    /// `true` if no other process is waiting for in-flight capacity.
    is_capacity_plentiful: bool,
    round_trip: Duration,
    /// Refusals since the last report.
    refusals: Vec<RefusalMessage>,
    /// Calls requested per second, averaged over about half a second.
    demand_per_second: f64,
    /// Rate used while disconnected, in calls a minute. The fleet's ramp resumes there.
    pub(crate) carried_rate: f64,
}

impl Lease {
    /// Creates an empty lease. Its first report contains the `ceilings` of adapted limits and the last document, `epoch`.
    pub(crate) fn new(ceilings: ByLimit, epoch: Option<String>) -> Self {
        let terms = Terms { ceilings, share: 1.0, ..Terms::default() };
        let exchange = Exchange { epoch, is_capacity_limited: true, ..Exchange::default() };
        Self { terms, has_changed: true, exchange, ..Self::default() }
    }

    /// Sets the number of processes with conflicting limits. Without a lease ever granted, the share is then 1 / (`others` + 1).
    pub(crate) fn set_neighbours(&mut self, others: u64) {
        if !self.is_known() {
            self.terms.processes = others + 1;
            #[allow(clippy::cast_precision_loss)]
            let share = 1.0 / self.terms.processes as f64;
            self.terms.share = share;
        }
    }

    /// Freezes the in-flight limit until the next grant, at `in_flight` calls, plus those with slots if no other process waits.
    pub(crate) fn freeze_capacity(&mut self, in_flight: u64) {
        if self.exchange.is_capacity_limited {
            let more = if self.exchange.is_capacity_plentiful { self.slots.len() } else { 0 };
            self.room = self.room.min(in_flight + more);
        }
    }

    /// Gives up the lease of an idle process, which reports again when a call is requested. The displayed rate does not change.
    pub(crate) fn release(&mut self) {
        let Terms { rate, pace, share, .. } = self.terms;
        *self = self.renewed();
        (self.terms.rate, self.terms.pace, self.terms.share) = (rate, pace, share);
        self.is_resting = true;
    }

    /// Returns an empty lease to replace this one.
    pub(crate) fn renewed(&self) -> Self {
        Self::new(self.terms.ceilings.clone(), self.exchange.epoch.clone())
    }

    /// Records a refusal that concerns the refused call alone, and came `after` the call was sent.
    pub(crate) fn on_refusal_alone(&mut self, after: Duration) {
        let refusal = RefusalMessage { is_alone: true, after: micros(after), ..RefusalMessage::default() };
        self.exchange.refusals.push(refusal);
    }

    /// Records a refusal of the call `id`, or of an unknown call. Drops all slots unless the call was sent in an earlier episode.
    pub(crate) fn on_refusal(&mut self, id: Option<u64>, refusal: RefusalMessage) {
        self.has_changed = true;
        let is_canary = refusal.is_canary || id.is_some_and(|id| self.canary == Canary::Sent(id));
        if is_canary {
            self.canary = Canary::None;
        }
        if refusal.episode.is_none_or(|episode| episode == self.terms.episode) {
            self.drop_slots();
        }
        self.has_refusals = true;
        self.exchange.refusals.push(RefusalMessage { is_canary, call: id, ..refusal });
    }

    /// Records the result of the user's probe; `blocked` extends the pause.
    pub(crate) fn probed(&mut self, blocked: bool) {
        if self.canary != Canary::Probing {
            return;
        }
        self.canary = Canary::None;
        if blocked {
            let episode = Some(self.terms.episode);
            self.on_refusal(None, RefusalMessage { episode, is_canary: true, ..RefusalMessage::default() });
        } else {
            self.canary_outcome = Some(Outcome::Accepted);
        }
    }

    /// Returns `true` if a call sent at `at` used a slot from this document.
    pub(crate) fn granted_at(&self, at: Duration) -> bool {
        self.exchange.since.is_some_and(|since| at >= since)
    }

    /// Returns the next report with `queued` calls, and keeps only the slots that are needed.
    pub(crate) fn report(&mut self, now: Duration, queued: u64) -> LeaseRequest {
        self.drop_expired(now);
        let period = self.period();
        let since = self.reported_at.map_or(period, |at| now.saturating_sub(at)).max(Duration::from_millis(1));
        let is_in_force = self.reported_at.is_some() && since < GRANT_LIFETIME;
        let exchange = &mut self.exchange;
        let carried = take(&mut exchange.carried_rate);
        #[allow(clippy::cast_precision_loss)]
        let arriving = take(&mut self.arrivals) as f64 / since.as_secs_f64();
        // An exponential average over about half a second.
        exchange.demand_per_second += (arriving - exchange.demand_per_second) * (since.as_secs_f64() / 0.5).min(1.0);
        let calls_in = |time: Duration| exchange.demand_per_second * time.as_secs_f64();
        let ahead = calls_in(period + exchange.round_trip) * DEMAND_MARGIN;
        let ahead = if ahead < 0.5 { 0 } else { whole(ahead.min(1e12).ceil()) };
        self.last_failed_try = self.last_failed_try.filter(|at| *at + TRY_LIFETIME > now);
        let spare = u64::from(self.last_failed_try.is_some());
        let arriving = whole(calls_in(period)).max(spare);
        let target = (queued + ahead).max(spare);
        self.is_resting = false;
        if self.canary != Canary::Granted {
            self.unused_slots += self.slots.keep(target);
        } else if queued == 0 || self.slots.is_empty() {
            // The call that was to be the canary has left the queue, or has missed its slot.
            self.canary = Canary::None;
            self.canary_outcome = Some(Outcome::Lost);
            self.drop_slots();
        }
        let held_slots = self.slots.len();
        (self.reported_at, self.has_changed, self.has_refusals) = (Some(now), false, false);
        (self.has_rejoined, self.has_closing_news) = (false, false);
        let canary_call = match self.canary {
            Canary::Sent(call) => Some(call),
            _ => self.ended_canary.take(),
        };
        let canary = match self.canary_outcome.take() {
            Some(Outcome::Accepted) => Some(CanaryMessage::Accepted),
            Some(Outcome::Lost) => Some(CanaryMessage::Lost),
            None => matches!(self.canary, Canary::Granted | Canary::Probing).then_some(CanaryMessage::Kept),
        };
        LeaseRequest {
            epoch: self.exchange.epoch.clone(),
            is_new: !self.is_known(),
            queued,
            arriving,
            wanted: target.saturating_sub(held_slots),
            unused: take(&mut self.unused_slots),
            held_slots,
            sent: self.sent.drain().map(|(at, calls)| [micros(now.saturating_sub(at)), calls.into()]).collect(),
            lag: micros(self.exchange.round_trip),
            backlogged: take(&mut self.backlogged).into_iter().map(|(limit, time)| (limit, micros(time))).collect(),
            paused: micros(self.paused_for(now).unwrap_or_default()),
            ceilings: self.terms.ceilings.clone(),
            allowed: if is_in_force { self.rate() * self.terms.share } else { carried },
            refusals: take(&mut self.exchange.refusals),
            canary,
            canary_call,
            ..LeaseRequest::default()
        }
    }

    /// Applies a grant.
    pub(crate) fn renew(&mut self, now: Duration, grant: &LeaseGrant) {
        if let Some(at) = self.reported_at {
            let trip = now.saturating_sub(at).min(Duration::from_secs(2));
            let average = &mut self.exchange.round_trip;
            *average = if trip > *average { trip } else { (*average * 7 + trip) / 8 };
        }
        if self.exchange.since.is_none() || self.exchange.epoch.as_ref() != Some(&grant.epoch) {
            // Slots of another document cannot be returned.
            (self.slots, self.unused_slots, self.canary) = (Slots::default(), 0, Canary::None);
            (self.exchange.epoch, self.exchange.since) = (Some(grant.epoch.clone()), Some(now));
        }
        if grant.episode != self.terms.episode || grant.paused.is_some() && self.paused_until.is_none() {
            self.drop_slots();
        }
        if self.paused_until.is_some() && grant.paused.is_none() {
            self.sent.clear();
        }
        self.terms = Terms {
            episode: grant.episode,
            period: duration(grant.period),
            bottleneck: grant.bottleneck.clone(),
            processes: whole(grant.processes),
            share: grant.share,
            pace: grant.pace,
            rate: grant.rate,
            is_ramping: grant.is_ramping,
            ceilings: grant.ceilings.clone(),
            adapted: grant.adapted.clone(),
        };
        self.exchange.is_capacity_limited = grant.is_capacity_limited || grant.adapted.contains_key(IN_FLIGHT);
        self.exchange.is_capacity_plentiful = grant.is_capacity_plentiful;
        self.paused_until = grant.paused.map(|rest| now + duration(rest));
        self.room = grant.capacity.get(IN_FLIGHT).map_or(u64::MAX, |room| whole(*room));
        // The grant does not count a call that has joined the queue since the report.
        self.retry_at = if self.has_rejoined { now } else { now + duration(grant.poll_in) };
        if grant.is_canary {
            self.canary = Canary::Granted;
        }
        for &[offset, gap, count] in &grant.slot_runs {
            self.slots.push(now + duration(offset), duration(gap), whole(count));
        }
    }
}

pub(crate) fn micros(time: Duration) -> u64 {
    nanos(time) / 1000
}

pub(crate) fn duration(micros: f64) -> Duration {
    Duration::try_from_secs_f64(micros / 1e6).unwrap_or_default()
}

/// Rounds a number of the script, which has floating-point numbers only.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // It saturates.
pub(crate) fn whole(number: f64) -> u64 {
    number.round() as u64
}

#[cfg(test)]
mod tests;
