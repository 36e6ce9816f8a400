//! Congestion control by this process alone.

#[cfg(feature = "redis")]
mod exchange;

use std::{num::NonZeroU32, time::Duration};

use crate::{
    engine::{
        call_id::{CallId, Grant, Passage},
        congestion::{
            adaptive::{AdaptiveLimit, DECREASE_FACTOR},
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

/// Time after which a refused canary may again be followed by another one at once, if such a test has failed.
pub(crate) const FAILED_TEST_MEMORY: Duration = Duration::from_mins(10);

/// An episode of this length with this number of wrong hints adapts the rate to its whole time.
pub(crate) const MIN_LONG_EPISODE: Duration = Duration::from_secs(45);
pub(crate) const MIN_WRONG_HINTS: u32 = 2;

/// An adapted limit below this grows more slowly.
pub(crate) const SLOW_CALLS_PER_MINUTE: f64 = 12.0;

/// The throughput is a measure of the server's limit if it is at least this fraction of the rate that was allowed.
pub(crate) const MIN_USED_SHARE: f64 = 0.5;

/// An episode continues a series if it starts within this time of the end of the last one.
pub(crate) const SERIES_GAP: Duration = Duration::from_secs(5);

/// Each episode of a series lowers the rate by this number of times as many decreases as the one before.
pub(crate) const SERIES_GROWTH: f64 = 6.0;

/// Time after which a refusal may again be ignored because the throughput is no measure of the server's limit.
pub(crate) const IGNORED_AGAIN_AFTER: Duration = Duration::from_mins(1);

/// The first pause without a hint if single calls were responsible for refusals before.
pub(crate) const TEST_PAUSE: Duration = Duration::from_millis(500);

/// How a pause has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Resumption {
    /// A limit has caused the pause, or the cause is not known. The ramp starts.
    Limit,
    /// This call was responsible for the pause. The limits are as before, and the ramp is not lower.
    SingleCall(CallId),
}

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

/// The state before an episode, which is restored if a single call was responsible for the episode.
#[derive(Debug)]
struct Before {
    /// Time of the first refusal.
    at: Duration,
    ramp: RampState,
    adaptive_rate: AdaptiveLimit,
    adaptive_in_flight: AdaptiveLimit,
    ignored_refusal: Option<Duration>,
}

/// The cause of an episode of refusals: a limit, or a single call.
#[derive(Debug, Default)]
enum Cause {
    /// Not known.
    #[default]
    Open,
    /// A single call was refused, and refused again as the canary. Other calls are the next canaries, at once, as long as tests are
    /// left.
    Suspected { call: CallId, tests_left: usize },
    /// A limit, by the refusals of several calls.
    Limit,
}

/// The refusals from the start of a pause to its end.
#[derive(Debug, Default)]
struct Episode {
    /// The call whose refusal started the episode.
    first: Option<CallId>,
    started_at: Duration,
    cause: Cause,
    /// The refusals concern the rate.
    concerns_rate: bool,
    /// Number of canaries that were refused after the time of a hint.
    wrong_hints: u32,
    before: Option<Box<Before>>,
}

/// A series of episodes, with little time between them.
#[derive(Debug, Default)]
struct Series {
    since: Duration,
    episodes: u32,
    /// Calls sent since then that were not refused.
    accepted: u32,
    resumed_at: Duration,
}

impl Series {
    fn start_episode(&mut self, now: Duration) {
        if self.episodes == 0 || now > self.resumed_at + SERIES_GAP {
            *self = Self { since: now, ..Self::default() };
        }
        self.episodes += 1;
    }

    /// Returns the rate to which a refusal lowers the rate `current` if the throughput since the last pause is unknown. Each
    /// episode of a series lowers it more than the one before, down to the throughput of the series. Rates are in calls a minute.
    fn lowered(&self, now: Duration, current: f64) -> f64 {
        let steps = SERIES_GROWTH.powi(i32::try_from(self.episodes).unwrap_or(i32::MAX).saturating_sub(1));
        let factor = DECREASE_FACTOR.powf(steps - 1.0);
        let throughput = f64::from(self.accepted) / now.saturating_sub(self.since).as_secs_f64().max(1.0) * 60.0;
        (current * factor).max(throughput).min(current)
    }
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

    fn accept_canary(&mut self, now: Duration, id: CallId, sent: Duration) -> Resumption {
        let Episode { cause, before, concerns_rate, wrong_hints, started_at, .. } = std::mem::take(&mut self.refusals);
        let before = match cause {
            Cause::Suspected { call, .. } if call != id => before.map(|before| (call, before)),
            _ => None,
        };
        let throughput = self.throughput.rate_with_pauses(now).map(|per_second| per_second * 60.0);
        self.resume(now, sent);
        let Some((responsible, before)) = before else {
            if concerns_rate && wrong_hints >= MIN_WRONG_HINTS && now >= started_at + MIN_LONG_EPISODE {
                // Without hints that hold, the time of the whole pause is the best measure of the server's limit.
                let current = self.flowing_rate() * 60.0;
                self.adaptive_rate.on_refusal(throughput.map_or(current, |throughput| throughput.min(current)));
            }
            return Resumption::Limit;
        };
        let Before { at, ramp, adaptive_rate, adaptive_in_flight, ignored_refusal } = *before;
        if ramp.rate() > self.ramp.rate() {
            self.ramp = ramp;
            self.ramp.skip(now.saturating_sub(at));
        }
        (self.adaptive_rate, self.adaptive_in_flight) = (adaptive_rate, adaptive_in_flight);
        self.ignored_refusal = ignored_refusal;
        Resumption::SingleCall(responsible)
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
    /// A refused canary may be followed by other canaries at once; `tests` is their number if single calls were responsible for
    /// refusals before, and 0 otherwise.
    pub(super) fn on_refusal(
        &mut self,
        now: Duration,
        refused: Option<&Grant>,
        hint: Option<Duration>,
        tests: usize,
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
            && tests > 0
            && hint.is_none()
        {
            *until = (*until).min(now + TEST_PAUSE);
        }
        is_new && refused.is_none_or(|grant| !grant.passage.is_canary)
    }

    fn start_episode(&self, now: Duration, refused: Option<&Grant>) -> Episode {
        let before = Before {
            at: now,
            ramp: self.ramp.clone(),
            adaptive_rate: self.adaptive_rate.clone(),
            adaptive_in_flight: self.adaptive_in_flight.clone(),
            ignored_refusal: self.ignored_refusal,
        };
        Episode {
            first: refused.map(|grant| grant.id),
            started_at: now,
            before: Some(Box::new(before)),
            ..Episode::default()
        }
    }

    /// Decides whether another call is sent as the canary at once: the refused `canary` is the only call that was refused in this
    /// episode, or tests are left.
    fn suspect(&mut self, now: Duration, canary: CallId, tests: usize) -> bool {
        match &mut self.refusals.cause {
            Cause::Open if self.refusals.first == Some(canary) && (tests > 0 || now >= self.tests_again_at) => {
                self.refusals.cause = Cause::Suspected { call: canary, tests_left: tests.max(1) };
                return true;
            }
            Cause::Suspected { call, tests_left } if *call != canary => {
                *tests_left -= 1;
                if *tests_left > 0 {
                    return true;
                }
                self.tests_again_at = now + FAILED_TEST_MEMORY;
            }
            _ => {}
        }
        self.refusals.cause = Cause::Limit;
        false
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

    pub(super) fn time_for(&self, calls: u64) -> Duration {
        self.ramp.time_for(calls)
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
        self.refusals.concerns_rate = true;
        let current = self.flowing_rate() * 60.0;
        let throughput = self.throughput.rate(now).map(|per_second| per_second * 60.0);
        // One refusal before the throughput is known may be an accident. The throughput of a program that asks for little is no
        // measure of the server's limit, unless the limit was found before.
        let is_measure = |throughput| self.adaptive_rate.adapted().is_some() || throughput >= current * MIN_USED_SHARE;
        let is_known = throughput.is_some_and(is_measure);
        let is_ignored = !is_known && self.ignored_refusal.is_none_or(|at| at + IGNORED_AGAIN_AFTER <= now);
        self.ignored_refusal = if is_ignored { Some(now) } else { self.ignored_refusal };
        if !is_ignored {
            let lowered = || self.series.lowered(now, current);
            self.adaptive_rate.on_refusal(throughput.map_or_else(lowered, |throughput| throughput.min(current)));
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
            // A limit of few calls a minute grows more slowly, so that it is tested by some calls before it has doubled.
            let slowness = self.adaptive_rate.allowed() / SLOW_CALLS_PER_MINUTE;
            self.adaptive_rate.on_backlogged(time.mul_f64(slowness.min(1.0).powi(2)));
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

    #[cfg(test)]
    pub(super) fn phase(&self) -> Phase {
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
