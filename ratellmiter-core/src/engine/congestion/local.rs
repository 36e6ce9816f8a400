//! Congestion control by this process alone.

#[cfg(feature = "redis")]
mod exchange;

use std::{num::NonZeroU32, time::Duration};

use crate::{
    engine::{
        call_id::{CallId, Grant, Passage},
        congestion::{
            adaptive::AdaptiveLimit,
            backoff::{Backoff, MAX_HINT},
            throughput::Throughput,
        },
        pace::ramp::RampState,
    },
    limits::Limits,
    log::row::Bottleneck,
};

/// The name of the rate among the names of limits.
pub(crate) const REQUESTS: &str = "requests";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    Flowing,
    /// No call is sent. After `until` one call is sent as the canary, or the user's probe runs.
    Paused {
        until: Duration,
    },
    /// The canary is in flight alone. Without a result until `expires_at` it counts as accepted.
    Canary {
        id: CallId,
        sent: Duration,
        expires_at: Duration,
    },
    /// The user's probe is running.
    Probing,
}

#[derive(Debug)]
pub(crate) struct LocalControl {
    /// Refusals pause the limiter.
    is_enabled: bool,
    phase: Phase,
    /// Number of episodes of refusals.
    episode: u64,
    backoff: Backoff,
    ramp: RampState,
    /// The rate in calls a minute.
    adaptive_rate: AdaptiveLimit,
    /// The limit on calls in flight.
    adaptive_in_flight: AdaptiveLimit,
    /// The rate in force, in calls a minute.
    pace: NonZeroU32,
    /// The limit on calls in flight that is in force.
    in_flight_limit: u64,
    throughput: Throughput,
    /// The last refusal that started an episode came before the throughput was known, and did not adapt the rate.
    ignored_early_refusal: bool,
}

impl LocalControl {
    pub(super) fn new(limits: &Limits, seed: u64) -> Self {
        let (adaptive_rate, adaptive_in_flight) = adaptive_limits(limits);
        Self {
            is_enabled: limits.enabled,
            phase: Phase::Flowing,
            episode: 0,
            backoff: Backoff::new(seed),
            ramp: RampState::new(limits.ramp, limits.requests_per_minute, limits.burst_window.is_zero()),
            adaptive_rate,
            adaptive_in_flight,
            pace: limits.requests_per_minute,
            in_flight_limit: limits.max_in_flight.map_or(u64::MAX, |max| max.get().into()),
            throughput: Throughput::default(),
            ignored_early_refusal: false,
        }
    }

    pub(super) fn set(&mut self, now: Duration, limits: &Limits) {
        self.is_enabled = limits.enabled;
        if !limits.adaptive {
            (self.adaptive_rate, self.adaptive_in_flight) = adaptive_limits(limits);
        }
        self.adaptive_rate.set_bounds(limits.requests_per_minute.get().into(), 1.0);
        self.adaptive_in_flight.set_bounds(max_in_flight(limits), 1.0);
        self.ramp.set(now, limits.ramp, limits.requests_per_minute, limits.burst_window.is_zero());
    }

    /// Adapts the limits to the ceilings of an earlier run or of a lease.
    pub(crate) fn restore(&mut self, rate: Option<f64>, in_flight: Option<f64>) {
        if let Some(ceiling) = rate {
            self.adaptive_rate.restore(ceiling);
        }
        if let Some(ceiling) = in_flight {
            self.adaptive_in_flight.restore(ceiling);
        }
    }

    pub(super) fn advance_to(&mut self, now: Duration, is_backlogged: bool) {
        self.ramp.advance_to(now, is_backlogged);
    }

    /// Ends the pause if the canary has timed out by `now`, and returns when it did. `None` if it has not.
    pub(crate) fn expire_canary(&mut self, now: Duration) -> Option<Duration> {
        let Phase::Canary { sent, expires_at, .. } = self.phase else { return None };
        (expires_at <= now).then(|| {
            self.resume(expires_at, sent);
            expires_at
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

    /// Returns when the ramp next changes, or `None` at the full rate.
    pub(crate) fn ramp_changes_at(&self) -> Option<Duration> {
        self.ramp.changes_at()
    }

    pub(super) fn canary_expires_at(&self) -> Option<Duration> {
        if let Phase::Canary { expires_at, .. } = self.phase { Some(expires_at) } else { None }
    }

    pub(super) fn admit(&mut self, now: Duration, slot: Duration, id: CallId) -> Passage {
        let is_canary = matches!(self.phase, Phase::Paused { .. });
        if is_canary {
            self.phase = Phase::Canary { id, sent: now, expires_at: now + self.backoff.canary_timeout() };
        }
        self.throughput.on_sent(now);
        self.ramp.count(slot);
        Passage { episode: self.episode, is_canary }
    }

    pub(super) fn cancel(&mut self) {
        self.ramp.uncount();
    }

    pub(super) fn on_success(&mut self, now: Duration, accepted: CallId) -> bool {
        match self.phase {
            Phase::Canary { id, sent, .. } if id == accepted => self.resume(now, sent),
            _ => return false,
        }
        true
    }

    /// Lets the next call be the canary at once, if the call was the canary.
    pub(super) fn drop_canary(&mut self, now: Duration, dropped: CallId) {
        if matches!(self.phase, Phase::Canary { id, .. } if id == dropped) {
            self.phase = Phase::Paused { until: now };
        }
    }

    /// Measures a refused call, whether or not this control decides about it.
    pub(super) fn record_refusal(&mut self, now: Duration, sent_at: Duration) {
        self.backoff.on_refusal_latency(now.saturating_sub(sent_at));
        self.throughput.on_refusal(sent_at);
    }

    /// Starts or extends the pause after a refusal, which is of an unknown call if `refused` is `None`. Returns `true` if the
    /// limits are to be adapted: the refusal starts an episode.
    pub(super) fn on_refusal(&mut self, now: Duration, refused: Option<&Grant>, hint: Option<Duration>) -> bool {
        let is_new = match (self.phase, refused) {
            // A refusal of a call that was sent before the last pause belongs to that pause.
            (Phase::Flowing, refused) => refused.is_none_or(|grant| grant.passage.episode == self.episode),
            (Phase::Canary { id, .. }, Some(grant)) => id == grant.id,
            _ => false,
        };
        if self.is_enabled {
            self.pause(now, hint, is_new);
        }
        is_new && refused.is_none_or(|grant| !grant.passage.is_canary)
    }

    /// Pauses for a new refusal. Another refusal can only extend a pause, by its hint.
    fn pause(&mut self, now: Duration, hint: Option<Duration>, is_new: bool) {
        let hint = hint.filter(|&hint| hint <= MAX_HINT);
        if is_new {
            self.episode += u64::from(self.phase == Phase::Flowing);
            self.phase = Phase::Paused { until: now + self.backoff.pause(hint) };
        } else if let Phase::Paused { until } = &mut self.phase {
            *until = (*until).max(now + hint.unwrap_or_default());
        }
    }

    pub(super) fn probe(&mut self) -> bool {
        let is_due = matches!(self.phase, Phase::Paused { .. });
        if is_due {
            self.phase = Phase::Probing;
        }
        is_due
    }

    pub(super) fn probed(&mut self, now: Duration, blocked: bool) -> bool {
        if self.phase != Phase::Probing {
            return false;
        }
        if blocked {
            self.phase = Phase::Paused { until: now + self.backoff.pause(None) };
        } else {
            self.resume(now, now);
        }
        !blocked
    }

    /// Ends the pause. The ramp starts with the call or probe that was sent at `sent`, at most one second ago.
    fn resume(&mut self, now: Duration, sent: Duration) {
        self.phase = Phase::Flowing;
        self.backoff.reset();
        self.ramp.resume(sent.max(now.saturating_sub(Duration::from_secs(1))));
        self.throughput.clear();
    }

    pub(super) fn paused_for(&self, now: Duration) -> Option<Duration> {
        match self.phase {
            Phase::Flowing => None,
            Phase::Paused { until } => Some(until.saturating_sub(now)),
            Phase::Canary { expires_at, .. } => Some(expires_at.saturating_sub(now)),
            Phase::Probing => Some(Duration::ZERO),
        }
    }

    pub(super) fn rate(&self) -> f64 {
        if self.phase == Phase::Flowing { self.flowing_rate() } else { 0.0 }
    }

    /// Returns the rate without a pause, in calls a second.
    fn flowing_rate(&self) -> f64 {
        self.ramp.rate().min(f64::from(self.pace.get()) / 60.0)
    }

    /// Returns the ramp, for estimates.
    pub(crate) fn ramp(&self) -> &RampState {
        &self.ramp
    }

    /// Returns the time in flight after which a canary that is sent now counts as accepted.
    pub(crate) fn canary_timeout(&self) -> Duration {
        self.backoff.canary_timeout()
    }

    pub(super) fn episode(&self) -> u64 {
        self.episode
    }

    pub(super) fn pace(&self) -> NonZeroU32 {
        self.pace
    }

    pub(super) fn in_flight_limit(&self) -> u64 {
        self.in_flight_limit
    }

    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // The casts saturate, and limits are at least 1.
    pub(super) fn apply_limits(&mut self, server_limit: u64) {
        let pace = (self.adaptive_rate.allowed() as u32).min(u32::try_from(server_limit).unwrap_or(u32::MAX));
        self.pace = NonZeroU32::new(pace).unwrap_or(NonZeroU32::MIN);
        self.in_flight_limit = self.adaptive_in_flight.allowed().round() as u64;
    }

    pub(super) fn adapted_rate(&self) -> Option<f64> {
        self.adaptive_rate.adapted()
    }

    pub(super) fn adapted_in_flight(&self) -> Option<f64> {
        self.adaptive_in_flight.adapted()
    }

    pub(super) fn ceilings(&self) -> (Option<f64>, Option<f64>) {
        (self.adaptive_rate.ceiling(), self.adaptive_in_flight.ceiling())
    }

    /// Lowers the rate after a refusal that started an episode.
    pub(crate) fn adapt_rate(&mut self, now: Duration) {
        let current = self.flowing_rate() * 60.0;
        let throughput = self.throughput.rate(now).map(|per_second| per_second * 60.0);
        // One refusal before the throughput is known may be an accident.
        self.ignored_early_refusal = throughput.is_none() && !self.ignored_early_refusal;
        if !self.ignored_early_refusal {
            self.adaptive_rate.on_refusal(throughput.map_or(current, |throughput| throughput.min(current)));
        }
    }

    /// Lowers the limit on calls in flight after a refusal that started an episode with `in_flight` other calls in flight.
    #[allow(clippy::cast_precision_loss)]
    pub(crate) fn adapt_in_flight(&mut self, in_flight: u64) {
        self.adaptive_in_flight.on_refusal(in_flight as f64);
    }

    /// Grows the adapted limit on calls in flight by `time` in which calls were queued for it.
    pub(crate) fn on_backlogged_in_flight(&mut self, time: Duration) {
        self.adaptive_in_flight.on_backlogged(time);
    }

    /// Grows the adapted rate by `time` in which calls were queued for it, unless the ramp alone has delayed them.
    pub(crate) fn on_backlogged_rate(&mut self, time: Duration) {
        if self.ramp.rate() * 60.0 >= self.adaptive_rate.low() {
            self.adaptive_rate.on_backlogged(time);
        }
    }

    pub(super) fn bottleneck(&self, due: Duration, limit: NonZeroU32, server_limit: u64) -> Bottleneck {
        if self.ramp.due() > due {
            Bottleneck::Ramp
        } else if self.pace >= limit {
            Bottleneck::Rate
        } else if server_limit == u64::from(self.pace.get()) {
            Bottleneck::Server
        } else {
            Bottleneck::Learned
        }
    }

    pub(crate) fn phase(&self) -> Phase {
        self.phase
    }

    #[cfg(all(test, feature = "redis"))]
    pub(super) fn disable_jitter(&mut self) {
        self.backoff.disable_jitter();
    }
}

/// Returns the limits on the rate, in calls a minute, and on calls in flight.
fn adaptive_limits(limits: &Limits) -> (AdaptiveLimit, AdaptiveLimit) {
    (AdaptiveLimit::new(limits.requests_per_minute.get().into(), 1.0), AdaptiveLimit::new(max_in_flight(limits), 1.0))
}

fn max_in_flight(limits: &Limits) -> f64 {
    limits.max_in_flight.map_or(f64::INFINITY, |max| f64::from(max.get()))
}
