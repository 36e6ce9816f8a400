//! What a limiter decides that is a process's own.

use std::{num::NonZeroU32, time::Duration};

use super::Passage;
use crate::{
    engine::{
        congestion::{
            adaptive::{AdaptiveLimit, Throughput},
            backoff::{Backoff, MAX_HINT},
        },
        lease::{IN_FLIGHT, Lease},
        pace::ramp::RampState,
        scheduler::CallId,
    },
    limits::Limits,
    log::row::Bottleneck,
};

/// The name of the rate, where the others are those of budgets.
pub(crate) const REQUESTS: &str = "requests";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    Flowing,
    /// Nobody goes; after `until` one call goes as the canary, or the user's probe is asked.
    Paused {
        until: Duration,
    },
    /// One call is out alone; if nothing is heard of it until `accepted` it has been accepted.
    Canary {
        id: CallId,
        sent: Duration,
        accepted: Duration,
    },
    /// The user's probe is out.
    Probing,
}

#[derive(Debug)]
pub(crate) struct LocalControl {
    phase: Phase,
    /// How many pauses have begun.
    episode: u64,
    recovery: Backoff,
    ramp: RampState,
    /// The rate in calls a minute, and the calls in flight, that the server has taught us.
    rate: AdaptiveLimit,
    cap: AdaptiveLimit,
    /// What both allow, in whole calls.
    pace: NonZeroU32,
    room: u64,
    through: Throughput,
    /// The last refusal that began an episode came too early to teach anything.
    unexplained: bool,
}

impl LocalControl {
    pub(super) fn new(limits: &Limits, seed: u64) -> Self {
        let (rate, cap) = adaptive_limits(limits);
        Self {
            phase: Phase::Flowing,
            episode: 0,
            recovery: Backoff::new(seed),
            ramp: RampState::new(limits.ramp, limits.requests_per_minute, limits.burst_window.is_zero()),
            rate,
            cap,
            pace: limits.requests_per_minute,
            room: limits.max_in_flight.map_or(u64::MAX, |most| most.get().into()),
            through: Throughput::default(),
            unexplained: false,
        }
    }

    pub(super) fn set(&mut self, now: Duration, limits: &Limits) {
        if !limits.adaptive {
            (self.rate, self.cap) = adaptive_limits(limits);
        }
        self.rate.set_bounds(limits.requests_per_minute.get().into(), 1.0);
        self.cap.set_bounds(max_in_flight(limits), 1.0);
        self.ramp.set(now, limits.ramp, limits.requests_per_minute, limits.burst_window.is_zero());
    }

    /// Nobody is paused by us from now on. Until when all were.
    pub(super) fn end_pause(&mut self) -> Option<Duration> {
        match std::mem::replace(&mut self.phase, Phase::Flowing) {
            Phase::Paused { until } => Some(until),
            _ => None,
        }
    }

    /// Begins where a lease was, with this part of all that it had.
    pub(crate) fn take_over(&mut self, now: Duration, limits: &Limits, lease: &Lease, part: f64) {
        self.episode = lease.grant.episode;
        if let Some(left) = lease.paused_for(now) {
            self.phase = Phase::Paused { until: now + left };
        }
        // Where nobody ever said what all are at it is as from idle.
        self.ramp.take_over(now, lease.grant.is_ramping || lease.epoch.is_none());
        self.through.clear();
        (self.rate, self.cap) = adaptive_limits(limits);
        if limits.adaptive {
            let [rate, in_flight] = [REQUESTS, IN_FLIGHT].map(|key| Some(lease.grant.ceilings.get(key)? * part));
            self.restore(rate, in_flight);
        }
    }

    /// What the server has taught an earlier run, or those who shared the limiter.
    pub(crate) fn restore(&mut self, rate: Option<f64>, in_flight: Option<f64>) {
        rate.into_iter().for_each(|ceiling| self.rate.restore(ceiling));
        in_flight.into_iter().for_each(|ceiling| self.cap.restore(ceiling));
    }

    pub(super) fn advance_to(&mut self, now: Duration, pressed: bool) {
        self.ramp.advance_to(now, pressed);
    }

    /// The canary of which nothing was heard has been accepted. `Some`: that was then.
    pub(crate) fn expire_canary(&mut self, now: Duration) -> Option<Duration> {
        let Phase::Canary { sent, accepted, .. } = self.phase else { return None };
        (accepted <= now).then(|| {
            self.resume(accepted, sent);
            accepted
        })
    }

    pub(super) fn due(&self) -> Option<Duration> {
        let phase = match self.phase {
            Phase::Flowing => Duration::ZERO,
            Phase::Paused { until } => until,
            Phase::Canary { .. } | Phase::Probing => return None,
        };
        Some(phase.max(self.ramp.due()))
    }

    pub(super) fn ramp_due(&self) -> Duration {
        self.ramp.due()
    }

    /// Returns when the ramp next changes, if it does.
    pub(crate) fn ramp_changes_at(&self) -> Option<Duration> {
        self.ramp.changes_at()
    }

    pub(super) fn accepted_at(&self) -> Option<Duration> {
        if let Phase::Canary { accepted, .. } = self.phase { Some(accepted) } else { None }
    }

    pub(super) fn admit(&mut self, now: Duration, slot: Duration, id: CallId) -> Passage {
        let is_canary = matches!(self.phase, Phase::Paused { .. });
        if is_canary {
            self.phase = Phase::Canary { id, sent: now, accepted: now + self.recovery.canary_timeout() };
        }
        self.through.on_sent(now);
        self.ramp.count(slot);
        Passage { episode: self.episode, is_canary }
    }

    pub(super) fn cancel(&mut self) {
        self.ramp.uncount();
    }

    pub(super) fn on_success(&mut self, now: Duration, canary: CallId) -> bool {
        match self.phase {
            Phase::Canary { id, sent, .. } if id == canary => self.resume(now, sent),
            _ => return false,
        }
        true
    }

    /// If the canary was dropped the next in line goes in its place, at once.
    pub(super) fn drop_canary(&mut self, now: Duration, canary: CallId) {
        if matches!(self.phase, Phase::Canary { id, .. } if id == canary) {
            self.phase = Phase::Paused { until: now };
        }
    }

    pub(super) fn on_refusal(&mut self, now: Duration, at: Duration) {
        self.recovery.on_refusal_latency(now.saturating_sub(at));
        self.through.refused(at);
    }

    /// Whether a refusal begins an episode or shows that it goes on, be it of a call that went in such an episode or of none of
    /// ours. Else it comes from before the pause.
    pub(crate) fn starts_episode(&self, of: Option<(CallId, u64)>) -> bool {
        match (self.phase, of) {
            (Phase::Flowing, of) => of.is_none_or(|(_, episode)| episode == self.episode),
            (Phase::Canary { id, .. }, Some((refused, _))) => id == refused,
            _ => false,
        }
    }

    /// Nobody goes. A refusal that is not [new](Self::is_new) may only show that it lasts longer.
    pub(crate) fn pause(&mut self, now: Duration, hint: Option<Duration>, is_new: bool) {
        let hint = hint.filter(|&hint| hint <= MAX_HINT);
        if is_new {
            self.episode += u64::from(self.phase == Phase::Flowing);
            self.phase = Phase::Paused { until: now + self.recovery.pause(hint) };
        } else if let Phase::Paused { until } = &mut self.phase {
            *until = (*until).max(now + hint.unwrap_or_default());
        }
    }

    pub(super) fn probe(&mut self) -> bool {
        let probes = matches!(self.phase, Phase::Paused { .. });
        if probes {
            self.phase = Phase::Probing;
        }
        probes
    }

    pub(super) fn probed(&mut self, now: Duration, blocked: bool) -> bool {
        if self.phase != Phase::Probing {
            return false;
        }
        if blocked {
            self.phase = Phase::Paused { until: now + self.recovery.pause(None) };
        } else {
            self.resume(now, now);
        }
        !blocked
    }

    /// The way is free: the first to have gone it went at `sent`.
    fn resume(&mut self, now: Duration, sent: Duration) {
        self.phase = Phase::Flowing;
        self.recovery.reset();
        self.ramp.resume(sent.max(now.saturating_sub(Duration::from_secs(1))));
        self.through.clear();
    }

    pub(super) fn paused_for(&self, now: Duration) -> Option<Duration> {
        match self.phase {
            Phase::Flowing => None,
            Phase::Paused { until } => Some(until.saturating_sub(now)),
            Phase::Canary { accepted, .. } => Some(accepted.saturating_sub(now)),
            Phase::Probing => Some(Duration::ZERO),
        }
    }

    pub(super) fn rate(&self) -> f64 {
        if self.phase == Phase::Flowing { self.ramp.rate().min(f64::from(self.pace.get()) / 60.0) } else { 0.0 }
    }

    pub(super) fn time_for(&self, calls: u64) -> Duration {
        self.ramp.time_for(calls)
    }

    pub(super) fn episode(&self) -> u64 {
        self.episode
    }

    pub(super) fn pace(&self) -> NonZeroU32 {
        self.pace
    }

    pub(super) fn room(&self) -> u64 {
        self.room
    }

    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // They saturate, and the least is 1.
    pub(super) fn apply_limits(&mut self, served: u64) {
        let pace = (self.rate.allowed() as u32).min(u32::try_from(served).unwrap_or(u32::MAX));
        self.pace = NonZeroU32::new(pace).unwrap_or(NonZeroU32::MIN);
        self.room = self.cap.allowed().round() as u64;
    }

    pub(super) fn adapted_rate(&self) -> Option<f64> {
        self.rate.adapted()
    }

    pub(super) fn adapted_in_flight(&self) -> Option<f64> {
        self.cap.adapted()
    }

    pub(super) fn ceilings(&self) -> (Option<f64>, Option<f64>) {
        (self.rate.ceiling(), self.cap.ceiling())
    }

    /// A refusal that begins an episode came, and it was of the rate.
    pub(crate) fn adapt_rate(&mut self, now: Duration) {
        let current = self.rate() * 60.0;
        let through = self.through.rate(now).map(|through| through * 60.0);
        // Refused before enough went to tell how much goes: once that is an accident.
        self.unexplained = through.is_none() && !self.unexplained;
        if !self.unexplained {
            self.rate.on_refusal(through.map_or(current, |through| through.min(current)));
        }
    }

    /// A refusal that begins an episode came, and it was of so many calls out at once.
    #[allow(clippy::cast_precision_loss)]
    pub(crate) fn adapt_in_flight(&mut self, out: u64) {
        self.cap.on_refusal(out as f64);
    }

    /// Calls have waited for such a time because so many are out.
    pub(crate) fn on_backlogged_in_flight(&mut self, time: Duration) {
        self.cap.on_backlogged(time);
    }

    /// Grows the adapted rate by time with a queue, unless the ramp alone has kept the calls back.
    pub(crate) fn on_backlogged_rate(&mut self, time: Duration) {
        if self.ramp.rate() * 60.0 >= self.rate.low() {
            self.rate.on_backlogged(time);
        }
    }

    pub(super) fn bottleneck(&self, due: Duration, limit: NonZeroU32, served: u64) -> Bottleneck {
        if self.ramp.due() > due {
            Bottleneck::Ramp
        } else if self.pace >= limit {
            Bottleneck::Rate
        } else if served == u64::from(self.pace.get()) {
            Bottleneck::Server
        } else {
            Bottleneck::Learned
        }
    }

    #[cfg(test)]
    pub(super) fn phase(&self) -> Phase {
        self.phase
    }

    #[cfg(test)]
    pub(super) fn disable_jitter(&mut self) {
        self.recovery.disable_jitter();
    }
}

/// For the rate in calls a minute, and for the calls in flight.
fn adaptive_limits(limits: &Limits) -> (AdaptiveLimit, AdaptiveLimit) {
    (AdaptiveLimit::new(limits.requests_per_minute.get().into(), 1.0), AdaptiveLimit::new(max_in_flight(limits), 1.0))
}

fn max_in_flight(limits: &Limits) -> f64 {
    limits.max_in_flight.map_or(f64::INFINITY, |most| f64::from(most.get()))
}
