//! Congestion control by this process alone.

mod adaptation;
mod episode;
#[cfg(feature = "redis")]
mod exchange;
mod series;

use std::{num::NonZeroU32, time::Duration};

pub(crate) use self::episode::Resumption;
#[cfg(feature = "redis")]
pub(crate) use self::episode::{FAILED_TEST_MEMORY, MIN_LONG_EPISODE, MIN_WRONG_HINTS};
#[cfg(feature = "redis")]
pub(crate) use self::{
    adaptation::{IGNORED_AGAIN_AFTER, MIN_USED_SHARE, SLOW_CALLS_PER_MINUTE},
    series::{SERIES_GAP, SERIES_GROWTH},
};
use self::{
    adaptation::{adaptive_limits, max_in_flight},
    episode::{Cause, Episode},
    series::Series,
};
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

/// The first pause without a hint if single calls were responsible for refusals before.
pub(crate) const TEST_PAUSE: Duration = Duration::from_millis(500);

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
    refusals: Episode,
    series: Series,
    /// Time until which a refused canary is not followed by another one at once, since the last such test has failed. It does not
    /// apply if single calls are expected to be refused.
    tests_again_at: Duration,
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
    /// Time of the last refusal that started an episode and did not adapt the rate, since the throughput was no measure of the limit.
    ignored_refusal: Option<Duration>,
}

impl LocalControl {
    pub(super) fn new(limits: &Limits, seed: u64) -> Self {
        let (adaptive_rate, adaptive_in_flight) = adaptive_limits(limits);
        Self {
            is_enabled: limits.enabled,
            phase: Phase::Flowing,
            episode: 0,
            refusals: Episode::default(),
            series: Series::default(),
            tests_again_at: Duration::ZERO,
            backoff: Backoff::new(seed),
            ramp: RampState::new(limits.ramp, limits.requests_per_minute, limits.burst_window.is_zero()),
            adaptive_rate,
            adaptive_in_flight,
            pace: limits.requests_per_minute,
            in_flight_limit: limits.max_in_flight.map_or(u64::MAX, |max| max.get().into()),
            throughput: Throughput::default(),
            ignored_refusal: None,
        }
    }

    pub(super) fn set(&mut self, now: Duration, limits: &Limits) {
        self.is_enabled = limits.enabled;
        self.refusals.before = None;
        if !limits.adaptive {
            (self.adaptive_rate, self.adaptive_in_flight) = adaptive_limits(limits);
        }
        self.adaptive_rate.set_bounds(limits.requests_per_minute.get().into(), 1.0);
        self.adaptive_in_flight.set_bounds(max_in_flight(limits), 1.0);
        self.ramp.set(now, limits.ramp, limits.requests_per_minute, limits.burst_window.is_zero());
    }

    pub(super) fn advance_to(&mut self, now: Duration, is_backlogged: bool) {
        self.ramp.advance_to(now, is_backlogged);
    }

    /// Ends the pause if the canary has timed out by `now`, and returns when it did and how the pause has ended. `None` if it has
    /// not.
    pub(crate) fn expire_canary(&mut self, now: Duration) -> Option<(Duration, Resumption)> {
        let Phase::Canary { id, sent, expires_at } = self.phase else { return None };
        (expires_at <= now).then(|| (expires_at, self.accept_canary(expires_at, id, sent)))
    }

    pub(super) fn due(&self) -> Option<Duration> {
        match self.phase {
            Phase::Flowing => Some(self.ramp.due()),
            // The canary is sent alone, so the ramp does not apply to it.
            Phase::Paused { until } => Some(until),
            Phase::Canary { .. } | Phase::Probing => None,
        }
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
        self.series.accepted = self.series.accepted.saturating_add(1);
        self.ramp.count(slot);
        Passage { episode: self.episode, is_canary }
    }

    pub(super) fn cancel(&mut self) {
        self.ramp.uncount();
    }

    /// Returns how the pause has ended, or `None` unless the call was the canary.
    pub(super) fn on_success(&mut self, now: Duration, accepted: CallId) -> Option<Resumption> {
        match self.phase {
            Phase::Canary { id, sent, .. } if id == accepted => Some(self.accept_canary(now, id, sent)),
            _ => None,
        }
    }

    /// Returns `true` if the call is the canary in flight.
    pub(super) fn is_canary(&self, call: CallId) -> bool {
        matches!(self.phase, Phase::Canary { id, .. } if id == call)
    }

    /// Lets the next call be the canary at once, if the call was the canary.
    pub(super) fn drop_canary(&mut self, now: Duration, dropped: CallId) {
        if matches!(self.phase, Phase::Canary { id, .. } if id == dropped) {
            self.phase = Phase::Paused { until: now };
        }
    }

    /// Starts a pause that ends with the next call, which is the canary.
    pub(super) fn reopen(&mut self, now: Duration) {
        self.backoff.reset();
        self.refusals = Episode { cause: Cause::Limit, ..Episode::default() };
        self.phase = Phase::Paused { until: now };
    }

    /// Returns a time in flight within which nearly all refusals arrive, as far as is known.
    pub(super) fn refusal_time(&self) -> Duration {
        self.backoff.refusal_time()
    }

    /// Adds a random time to a pause.
    pub(super) fn with_jitter(&mut self, pause: Duration) -> Duration {
        self.backoff.with_jitter(pause)
    }

    /// Measures a refused call, whether or not this control decides about it.
    pub(super) fn record_refusal(&mut self, now: Duration, sent_at: Duration) {
        self.backoff.on_refusal_latency(now.saturating_sub(sent_at));
        self.throughput.on_refusal(sent_at);
        self.series.accepted = self.series.accepted.saturating_sub(1);
    }

    /// Starts or extends the pause after a refusal, which is of an unknown call if `refused` is `None`. Returns `true` if the
    /// limits are to be adapted: the refusal starts an episode.
    /// A refused canary may be followed by other canaries at once, unless `tests` is `None`. It is their number if single calls were
    /// responsible for refusals before, and 0 otherwise.
    pub(super) fn on_refusal(
        &mut self,
        now: Duration,
        refused: Option<&Grant>,
        hint: Option<Duration>,
        tests: Option<usize>,
    ) -> bool {
        if !self.is_enabled {
            return false;
        }
        let is_new = match (self.phase, refused) {
            // A refusal of a call that was sent before the last pause belongs to that pause.
            (Phase::Flowing, refused) => refused.is_none_or(|grant| grant.passage.episode == self.episode),
            (Phase::Canary { id, .. }, Some(grant)) => id == grant.id,
            _ => false,
        };
        let hint = hint.filter(|&hint| hint <= MAX_HINT);
        if self.phase == Phase::Flowing {
            if is_new {
                self.series.start_episode(now);
                self.refusals = self.start_episode(now, refused);
            }
        } else if let Some(canary) = refused.filter(|grant| self.is_canary(grant.id)) {
            self.refusals.wrong_hints += u32::from(hint.is_some());
            if self.suspect(now, canary.id, tests) {
                self.phase = Phase::Paused { until: now + hint.unwrap_or_default() };
                return false;
            }
        } else {
            self.refusals.cause = Cause::Limit;
        }
        let is_start = self.phase == Phase::Flowing;
        self.pause(now, hint, is_new);
        if let Phase::Paused { until } = &mut self.phase
            && is_start
            && tests.is_some_and(|tests| tests > 0)
            && hint.is_none()
        {
            *until = (*until).min(now + TEST_PAUSE);
        }
        is_new && refused.is_none_or(|grant| !grant.passage.is_canary)
    }

    /// Pauses for a new refusal. Another refusal can only extend a pause, by its hint.
    fn pause(&mut self, now: Duration, hint: Option<Duration>, is_new: bool) {
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
        self.refusals.cause = Cause::Limit;
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
        self.series.resumed_at = now;
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

    pub(super) fn bottleneck(&self, due: Duration, limit: NonZeroU32, server_limit: u64) -> Bottleneck {
        // The ramp does not apply to a canary.
        if self.phase == Phase::Flowing && self.ramp.due() > due {
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
