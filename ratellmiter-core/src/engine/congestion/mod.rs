//! What stands before all calls of a limiter alike: pauses and the canary, the ramp, and what was learned of the rate and of
//! calls in flight.
//!
//! A limiter that is a process's own decides these by itself. One that is shared has a [`Lease`], which says all of them; what
//! it would decide alone is kept for when the lease is lost.

pub(crate) mod adaptive;
pub(crate) mod backoff;
mod local;

use std::{num::NonZeroU32, time::Duration};

#[cfg(test)]
pub(crate) use crate::engine::congestion::local::Phase;
pub(crate) use crate::engine::congestion::local::{LocalControl, REQUESTS};

use crate::{
    engine::{
        lease::{IN_FLIGHT, Lease, Outcome},
        scheduler::CallId,
    },
    limits::Limits,
    log::row::Bottleneck,
};

#[derive(Debug)]
pub(crate) struct CongestionControl {
    local: LocalControl,
    lease: Option<Box<Lease>>,
    /// The server's document that the last lease was from.
    epoch: Option<String>,
}

/// How a call went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Passage {
    /// How many pauses had begun by then.
    pub(crate) episode: u64,
    /// It was sent to see if the way is free: its refusal teaches nothing about the rate.
    pub(crate) is_canary: bool,
}

impl CongestionControl {
    /// `seed` spreads the pauses of many processes.
    pub(crate) fn new(limits: &Limits, seed: u64) -> Self {
        Self { local: LocalControl::new(limits, seed), lease: None, epoch: None }
    }

    /// Changes the limits.
    pub(crate) fn set(&mut self, now: Duration, limits: &Limits) {
        self.local.set(now, limits);
    }

    /// By itself, unless it is shared.
    pub(crate) fn local(&mut self) -> Option<&mut LocalControl> {
        if self.lease.is_some() { None } else { Some(&mut self.local) }
    }

    pub(crate) fn lease(&self) -> Option<&Lease> {
        self.lease.as_deref()
    }

    pub(crate) fn lease_mut(&mut self) -> Option<&mut Lease> {
        self.lease.as_deref_mut()
    }

    /// From now on a lease says all, which is of nothing yet. What was learned, also of these budgets, was of this part of the
    /// limits, and so many calls a minute were `allowed` by it.
    pub(crate) fn share<'a>(&mut self, part: f64, allowed: f64, budgets: impl Iterator<Item = (&'a str, f64)>) {
        let (rate, in_flight) = self.local.ceilings();
        let own =
            [(REQUESTS, rate), (IN_FLIGHT, in_flight)].into_iter().filter_map(|(key, ceiling)| Some((key, ceiling?)));
        let whole = |ceiling: f64| ceiling / part.max(f64::MIN_POSITIVE);
        let ceilings = own.chain(budgets).map(|(key, ceiling)| (key.to_owned(), whole(ceiling))).collect();
        let mut lease = match self.lease.take() {
            Some(before) => before.renewed(),
            None => Lease::new(ceilings, self.epoch.take()),
        };
        lease.carried_rate = allowed;
        lease.paused_until = self.local.end_pause().or(lease.paused_until);
        self.lease = Some(Box::new(lease));
    }

    /// From now on it decides by itself. Gives the lease, from which it is to [begin](Own::begin).
    pub(crate) fn unshare(&mut self) -> Option<Box<Lease>> {
        let lease = self.lease.take()?;
        self.epoch.clone_from(&lease.epoch);
        Some(lease)
    }

    /// Brings it to `now`: `pressed`, while calls wait for nothing but it and the rate.
    pub(crate) fn advance_to(&mut self, now: Duration, pressed: bool) {
        match &mut self.lease {
            Some(lease) => lease.drop_expired(now),
            None => self.local.advance_to(now, pressed),
        }
    }

    /// When the next call may go, as far as this is concerned. `None`: not before something else happens.
    pub(crate) fn due(&self) -> Option<Duration> {
        match &self.lease {
            Some(lease) => lease.due(),
            None => self.local.due(),
        }
    }

    /// From when on calls may go, pauses left aside.
    pub(crate) fn ramp_due(&self) -> Duration {
        match &self.lease {
            Some(lease) => lease.due().unwrap_or(Duration::MAX),
            None => self.local.ramp_due(),
        }
    }

    /// Whether so many calls out are all there may be.
    pub(crate) fn is_full(&self, out: u64) -> bool {
        out >= self.room()
    }

    /// How many calls may be out.
    pub(crate) fn room(&self) -> u64 {
        self.lease.as_ref().map_or_else(|| self.local.room(), |lease| lease.room)
    }

    /// A call asks.
    pub(crate) fn on_requested(&mut self) {
        self.lease.iter_mut().for_each(|lease| lease.on_requested());
    }

    /// A call goes, by the schedule at `slot`.
    pub(crate) fn admit(&mut self, now: Duration, slot: Duration, id: CallId) -> Passage {
        match &mut self.lease {
            Some(lease) => Passage { episode: lease.grant.episode, is_canary: lease.use_slot(now, id) },
            None => self.local.admit(now, slot, id),
        }
    }

    /// What a call that goes past all limits goes by.
    pub(crate) fn unpaced_passage(&self) -> Passage {
        Passage { episode: self.local.episode(), is_canary: false }
    }

    /// A call that was to go was never made.
    pub(crate) fn cancel(&mut self, now: Duration, id: CallId) {
        match &mut self.lease {
            Some(lease) => lease.cancel(now, id),
            None => self.local.cancel(),
        }
        self.drop_canary(now, id);
    }

    /// A call ended well. `true`: the pause is over by that.
    pub(crate) fn on_success(&mut self, now: Duration, id: CallId) -> bool {
        self.lease.iter_mut().for_each(|lease| lease.end(id, Outcome::Accepted));
        self.local.on_success(now, id)
    }

    /// Nobody knows how a call ended.
    pub(crate) fn drop_canary(&mut self, now: Duration, id: CallId) {
        self.lease.iter_mut().for_each(|lease| lease.end(id, Outcome::Lost));
        self.local.drop_canary(now, id);
    }

    /// A call that went at `at` was refused now.
    pub(crate) fn on_refusal(&mut self, now: Duration, at: Duration) {
        self.local.on_refusal(now, at);
    }

    /// Whether the user's probe is to be asked now, in place of the canary.
    pub(crate) fn probe(&mut self) -> bool {
        self.lease.as_mut().map_or_else(|| self.local.probe(), |lease| lease.probe())
    }

    /// The user's probe has answered; `blocked`: the server still refuses. `true`: the pause is over by that.
    pub(crate) fn probed(&mut self, now: Duration, blocked: bool) -> bool {
        self.lease.iter_mut().for_each(|lease| lease.probed(blocked));
        self.local.probed(now, blocked)
    }

    pub(crate) fn is_flowing(&self, now: Duration) -> bool {
        self.paused_for(now).is_none()
    }

    /// What is left of a pause, and of the time in which one call is out alone.
    pub(crate) fn paused_for(&self, now: Duration) -> Option<Duration> {
        match &self.lease {
            Some(lease) => lease.paused_for(now),
            None => self.local.paused_for(now),
        }
    }

    /// When a canary of which nothing is heard has been accepted.
    pub(crate) fn accepted_at(&self) -> Option<Duration> {
        self.local.accepted_at()
    }

    /// The rate allowed now, in calls a second; zero while paused.
    pub(crate) fn rate(&self) -> f64 {
        match &self.lease {
            Some(lease) if lease.is_known() => lease.rate() * lease.grant.share / 60.0,
            _ => self.local.rate(),
        }
    }

    /// The rate at which our line is served, in calls a minute.
    pub(crate) fn expected_pace(&self) -> f64 {
        match &self.lease {
            Some(lease) if lease.members() > 0 => (lease.grant.pace * lease.grant.share).max(1e-3),
            _ => self.local.pace().get().into(),
        }
    }

    /// How long so many calls take on the ramp.
    pub(crate) fn time_for(&self, calls: u64) -> Duration {
        if self.lease.is_some() { Duration::ZERO } else { self.local.time_for(calls) }
    }

    /// Takes over what was learned, where the server's headers leave `served` calls a minute of `limit`: the pace in calls a
    /// minute that calls are spread by.
    pub(crate) fn apply_limits(&mut self, limit: NonZeroU32, served: u64) -> NonZeroU32 {
        // The lease has both.
        let served = if self.lease.is_some() { limit.get().into() } else { served };
        self.local.apply_limits(served);
        if self.lease.is_some() { limit } else { self.local.pace() }
    }

    pub(crate) fn adapted_rate(&self) -> Option<f64> {
        self.lease
            .as_ref()
            .map_or_else(|| self.local.adapted_rate(), |lease| lease.grant.adapted.get(REQUESTS).copied())
    }

    pub(crate) fn adapted_in_flight(&self) -> Option<f64> {
        self.lease
            .as_ref()
            .map_or_else(|| self.local.adapted_in_flight(), |lease| lease.grant.adapted.get(IN_FLIGHT).copied())
    }

    /// Where the server refused last, for the rate in calls a minute and for the calls in flight.
    pub(crate) fn ceilings(&self) -> (Option<f64>, Option<f64>) {
        match &self.lease {
            Some(lease) => (lease.grant.ceilings.get(REQUESTS).copied(), lease.grant.ceilings.get(IN_FLIGHT).copied()),
            None => self.local.ceilings(),
        }
    }

    /// Why the next call does not go, if no pause, no call that is out and no budget holds it. The meter lets it go at `due`; of
    /// `limit` calls a minute the server's headers leave `served`.
    pub(crate) fn bottleneck(&self, due: Duration, limit: NonZeroU32, served: u64) -> Bottleneck {
        let Some(lease) = &self.lease else { return self.local.bottleneck(due, limit, served) };
        if lease.grant.is_ramping {
            Bottleneck::Ramp
        } else if lease.grant.pace >= f64::from(limit.get()) {
            Bottleneck::Rate
        } else if lease.grant.adapted.get(REQUESTS).copied().is_some_and(|learned| learned <= lease.grant.pace) {
            Bottleneck::Learned
        } else {
            Bottleneck::Server
        }
    }
}

#[cfg(test)]
impl CongestionControl {
    pub(crate) fn phase(&self) -> Phase {
        self.local.phase()
    }

    pub(crate) fn disable_jitter(&mut self) {
        self.local.disable_jitter();
    }

    pub(crate) fn episode(&self) -> u64 {
        self.lease.as_ref().map_or_else(|| self.local.episode(), |lease| lease.grant.episode)
    }
}
