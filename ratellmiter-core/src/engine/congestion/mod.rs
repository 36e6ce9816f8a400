//! Congestion control: the pause after a refusal, the canary that ends it, the ramp, and the adapted limits on the rate and on
//! calls in flight.
//!
//! A limiter that is not shared decides these by [`LocalControl`]. A [`Lease`] of a shared limiter contains the decisions of the
//! fleet; the local control is then kept for the case that the lease is lost.

pub(crate) mod adaptive;
pub(crate) mod attribution;
pub(crate) mod backoff;
pub(crate) mod closed;
#[cfg(feature = "redis")]
mod exchange;
mod local;
pub(crate) mod throughput;
pub(crate) mod transient;

use std::{num::NonZeroU32, time::Duration};

#[cfg(feature = "redis")]
pub(crate) use crate::engine::congestion::local::{
    FAILED_TEST_MEMORY, IGNORED_AGAIN_AFTER, MIN_LONG_EPISODE, MIN_USED_SHARE, MIN_WRONG_HINTS, SERIES_GAP,
    SERIES_GROWTH, SLOW_CALLS_PER_MINUTE, TEST_PAUSE,
};
pub(crate) use crate::engine::congestion::local::{LocalControl, Phase, REQUESTS, Resumption};

use backoff::MAX_HINT;

use crate::{
    engine::{
        call_id::{CallId, Grant, Passage},
        call_state::RefusalHistory,
        congestion::attribution::Attribution,
        congestion::transient::{Failure, TransientFailures},
        lease::{IN_FLIGHT, Lease, Outcome},
    },
    judge::{LimitKind, Verdict},
    limits::Limits,
    log::row::Bottleneck,
};

#[derive(Debug)]
pub(crate) struct CongestionControl {
    local: LocalControl,
    transient: TransientFailures,
    lease: Option<Box<Lease>>,
    attribution: Attribution,
    /// The server's document from which the last lease was granted.
    #[cfg(feature = "redis")]
    epoch: Option<String>,
}

/// The effect of a refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct RefusalEffect {
    /// The refusal concerns all calls: the limiter pauses, or reports the refusal to the fleet.
    pub(crate) concerns_all: bool,
    /// The limit that the refusal is about is to be adapted: the refusal starts an episode, and the limiter is not leased.
    pub(crate) adapts: bool,
    /// The refused call is retried apart from others, after this time.
    pub(crate) apart_until: Option<Duration>,
}

impl CongestionControl {
    /// Creates the local control. `seed` makes the pauses of processes differ.
    pub(crate) fn new(limits: &Limits, seed: u64) -> Self {
        Self {
            local: LocalControl::new(limits, seed),
            transient: TransientFailures::default(),
            lease: None,
            attribution: Attribution::default(),
            #[cfg(feature = "redis")]
            epoch: None,
        }
    }

    /// Changes the limits.
    pub(crate) fn set(&mut self, now: Duration, limits: &Limits) {
        self.local.set(now, limits);
    }

    /// Returns the local control, or `None` if the limiter is leased.
    pub(crate) fn local(&mut self) -> Option<&mut LocalControl> {
        if self.lease.is_some() { None } else { Some(&mut self.local) }
    }

    pub(crate) fn lease(&self) -> Option<&Lease> {
        self.lease.as_deref()
    }

    pub(crate) fn lease_mut(&mut self) -> Option<&mut Lease> {
        self.lease.as_deref_mut()
    }

    /// Advances to `now`. `is_backlogged`: since the last call of this method, calls were queued for the rate or the ramp.
    pub(crate) fn advance_to(&mut self, now: Duration, is_backlogged: bool) {
        match &mut self.lease {
            Some(lease) => lease.drop_expired(now),
            None => self.local.advance_to(now, is_backlogged),
        }
    }

    /// Returns when the next call may be sent, or `None` if not before another event.
    pub(crate) fn due(&self) -> Option<Duration> {
        match &self.lease {
            Some(lease) => lease.due(),
            None => self.local.due(),
        }
    }

    /// Returns `true` if no call may be sent beside `in_flight` calls in flight.
    pub(crate) fn is_full(&self, in_flight: u64) -> bool {
        in_flight >= self.in_flight_limit()
    }

    /// Returns the number of calls that may be in flight.
    pub(crate) fn in_flight_limit(&self) -> u64 {
        self.lease.as_ref().map_or_else(|| self.local.in_flight_limit(), |lease| lease.room)
    }

    /// Records that a call was requested.
    pub(crate) fn on_requested(&mut self) {
        if let Some(lease) = &mut self.lease {
            lease.on_requested();
        }
    }

    /// Admits a call that is sent now, and was scheduled for `slot`.
    pub(crate) fn admit(&mut self, now: Duration, slot: Duration, id: CallId, refusals: &RefusalHistory) -> Passage {
        self.attribution.on_sent(now, refusals);
        match &mut self.lease {
            Some(lease) => Passage { episode: lease.terms.episode, is_canary: lease.use_slot(now, id) },
            None => self.local.admit(now, slot, id),
        }
    }

    /// Returns the passage of a call that is sent without regard to limits.
    pub(crate) fn unpaced_passage(&self) -> Passage {
        Passage { episode: self.local.episode(), is_canary: false }
    }

    /// Takes back the admission of a call that was not sent.
    pub(crate) fn cancel(&mut self, now: Duration, id: CallId) {
        match &mut self.lease {
            Some(lease) => lease.cancel(now, id),
            None => self.local.cancel(),
        }
        self.drop_canary(now, id);
    }

    /// Records that a call with these refusals was accepted. Returns how a pause has ended, if the call was the canary.
    pub(crate) fn on_success(&mut self, now: Duration, grant: &Grant, refusals: &RefusalHistory) -> Option<Resumption> {
        self.attribution.on_accepted(grant, refusals);
        if let Some(lease) = &mut self.lease {
            lease.end(grant.id, Outcome::Accepted);
        }
        self.local.on_success(now, grant.id)
    }

    /// Returns the number of other canaries that may follow a refused one at once, if single calls were responsible for refusals
    /// before, and 0 otherwise. `None` if the server is overloaded: a refused canary shows that it still is.
    pub(crate) fn tests(&self, verdict: &Verdict) -> Option<usize> {
        (!matches!(verdict, Verdict::Overloaded { .. })).then(|| self.attribution.max_in_a_row())
    }

    /// Returns `true` if a call that was never refused is to be sent next, although refused calls are queued before it.
    pub(crate) fn skips_refused(&self, now: Duration) -> bool {
        self.attribution.skips_refused(!self.is_flowing(now))
    }

    /// Records that a call is responsible for its refusals.
    pub(crate) fn on_responsible(&mut self, refusals: &mut RefusalHistory) {
        self.attribution.on_responsible(refusals);
    }

    /// Records that a call ended with an unknown result. If it was the canary, another call takes its place.
    pub(crate) fn drop_canary(&mut self, now: Duration, id: CallId) {
        if let Some(lease) = &mut self.lease {
            lease.end(id, Outcome::Lost);
        }
        self.local.drop_canary(now, id);
    }

    /// Decides about a refusal of a call with these refusals before.
    pub(crate) fn on_refusal(
        &mut self,
        now: Duration,
        grant: &Grant,
        refusals: &mut RefusalHistory,
        verdict: &Verdict,
    ) -> RefusalEffect {
        let hint = verdict.retry_after().filter(|hint| *hint <= MAX_HINT);
        self.local.record_refusal(now, grant.at);
        let is_canary =
            self.lease.as_ref().map_or_else(|| self.local.is_canary(grant.id), |lease| lease.is_canary(grant.id));
        let is_alone = self.attribution.on_refusal(now, grant, refusals, self.local.refusal_time())
            && !is_canary
            && concerns_single_calls(verdict);
        refusals.last = Some(now);
        let pause = refusals.pauses.next(hint);
        let mut effect = RefusalEffect::default();
        if is_alone || is_canary {
            effect.apart_until = Some(now + self.local.with_jitter(pause));
        }
        if is_canary {
            refusals.canary_episode = grant.passage.episode;
        }
        if !is_alone {
            effect.concerns_all = true;
            let tests = self.tests(verdict);
            effect.adapts = self.lease.is_none() && self.local.on_refusal(now, Some(grant), hint, tests);
        }
        effect
    }

    /// Decides about a refusal of an unknown call.
    pub(crate) fn on_unattributed_refusal(&mut self, now: Duration, verdict: &Verdict) -> RefusalEffect {
        let adapts = self.lease.is_none() && self.local.on_refusal(now, None, verdict.retry_after(), None);
        RefusalEffect { concerns_all: true, adapts, apart_until: None }
    }

    /// Decides about a transient failure of a server that fails every call, as about an overload.
    pub(crate) fn on_failing_server(&mut self, now: Duration, grant: &Grant, hint: Option<Duration>) -> RefusalEffect {
        self.local.record_refusal(now, grant.at);
        let adapts = self.lease.is_none() && self.local.on_refusal(now, Some(grant), hint, None);
        RefusalEffect { concerns_all: true, adapts, apart_until: None }
    }

    pub(crate) fn transient_mut(&mut self) -> &mut TransientFailures {
        &mut self.transient
    }

    /// Decides about a transient failure, of which `sent` calls were sent in the last minute. Returns the wait until the call is
    /// sent again, or `None` if its error is to be returned.
    pub(crate) fn on_transient_failure(&mut self, now: Duration, failure: &Failure, sent: u64) -> Option<Duration> {
        let wait = self.transient.on_failure(now, failure, sent)?;
        Some(self.local.with_jitter(wait))
    }

    /// Lets the next call be the canary, when a closed limiter opens.
    pub(crate) fn reopen(&mut self, now: Duration) {
        if self.lease.is_none() {
            self.local.reopen(now);
        }
    }

    /// Returns `true` if the user's probe is to run now, in place of the canary.
    pub(crate) fn probe(&mut self) -> bool {
        self.lease.as_mut().map_or_else(|| self.local.probe(), |lease| lease.probe())
    }

    /// Records the result of the user's probe. `blocked`: the server still refuses. Returns `true` if the pause is over.
    pub(crate) fn probed(&mut self, now: Duration, blocked: bool) -> bool {
        self.local.probed(now, blocked)
    }

    pub(crate) fn is_flowing(&self, now: Duration) -> bool {
        self.paused_for(now).is_none()
    }

    /// Returns `true` during a pause and while its canary is in flight. `false` if the time of the pause is over and the canary has
    /// not been sent, since no call is queued or another limit delays it.
    pub(crate) fn is_pausing(&self, now: Duration) -> bool {
        !self.is_flowing(now) && self.pause_ends_at().is_none_or(|at| at > now)
    }

    /// Returns the remaining time of a pause, or of the canary's timeout. `None` if there is no pause.
    pub(crate) fn paused_for(&self, now: Duration) -> Option<Duration> {
        match &self.lease {
            Some(lease) => lease.paused_for(now),
            None => self.local.paused_for(now),
        }
    }

    /// Returns when the pause ends at the earliest, or `None` if there is no pause or a canary may end it at any time.
    pub(crate) fn pause_ends_at(&self) -> Option<Duration> {
        match (&self.lease, self.local.phase()) {
            (Some(lease), _) => lease.pause_ends_at(),
            (None, Phase::Paused { until }) => Some(until),
            (None, _) => None,
        }
    }

    /// Returns when the canary counts as accepted, or `None` if this process has not sent it.
    pub(crate) fn canary_expires_at(&self) -> Option<Duration> {
        self.local.canary_expires_at()
    }

    /// Returns the rate allowed now, in calls a second; 0 while paused.
    pub(crate) fn rate(&self) -> f64 {
        match &self.lease {
            Some(lease) if lease.is_known() => lease.rate() * lease.terms.share / 60.0,
            _ => self.local.rate(),
        }
    }

    /// Returns the rate at which the queue is expected to be served, in calls a minute.
    pub(crate) fn expected_pace(&self) -> f64 {
        match &self.lease {
            Some(lease) if lease.terms.processes > 0 => (lease.terms.pace * lease.terms.share).max(1e-3),
            _ => self.local.pace().get().into(),
        }
    }

    /// Returns the local control for reading, or `None` if the limiter is leased.
    pub(crate) fn as_local(&self) -> Option<&LocalControl> {
        if self.lease.is_some() { None } else { Some(&self.local) }
    }

    /// Applies the adapted limits and the `server_limit` of response headers, in calls a minute. Returns the pace in calls a
    /// minute, which is the configured `limit` if leased slots already follow both.
    pub(crate) fn apply_limits(&mut self, limit: NonZeroU32, server_limit: u64) -> NonZeroU32 {
        let server_limit = if self.lease.is_some() { limit.get().into() } else { server_limit };
        self.local.apply_limits(server_limit);
        if self.lease.is_some() { limit } else { self.local.pace() }
    }

    /// Returns the adapted rate in calls a minute, or `None` if the configured rate is in force.
    pub(crate) fn adapted_rate(&self) -> Option<f64> {
        self.lease
            .as_ref()
            .map_or_else(|| self.local.adapted_rate(), |lease| lease.terms.adapted.get(REQUESTS).copied())
    }

    /// Returns the adapted limit on calls in flight, or `None` if the configured limit is in force.
    pub(crate) fn adapted_in_flight(&self) -> Option<f64> {
        self.lease
            .as_ref()
            .map_or_else(|| self.local.adapted_in_flight(), |lease| lease.terms.adapted.get(IN_FLIGHT).copied())
    }

    /// Returns the ceilings of the rate, in calls a minute, and of the calls in flight.
    pub(crate) fn ceilings(&self) -> (Option<f64>, Option<f64>) {
        match &self.lease {
            Some(lease) => (lease.terms.ceilings.get(REQUESTS).copied(), lease.terms.ceilings.get(IN_FLIGHT).copied()),
            None => self.local.ceilings(),
        }
    }

    /// Returns the limit that the next call waits for, apart from pauses, calls in flight and budgets. `due` is the time at which
    /// the meter allows the call. Response headers leave `server_limit` of the `limit` calls a minute.
    pub(crate) fn bottleneck(&self, due: Duration, limit: NonZeroU32, server_limit: u64) -> Bottleneck {
        let Some(lease) = &self.lease else { return self.local.bottleneck(due, limit, server_limit) };
        if lease.terms.is_ramping {
            Bottleneck::Ramp
        } else if lease.terms.pace >= f64::from(limit.get()) {
            Bottleneck::Rate
        } else if lease.terms.adapted.get(REQUESTS).copied().is_some_and(|adapted| adapted <= lease.terms.pace) {
            Bottleneck::Learned
        } else {
            Bottleneck::Server
        }
    }
}

/// Returns `true` if such a refusal may be caused by the refused call alone.
fn concerns_single_calls(verdict: &Verdict) -> bool {
    !matches!(verdict, Verdict::RateLimited { limit: LimitKind::Concurrency | LimitKind::Growth, .. })
}

#[cfg(test)]
impl CongestionControl {
    pub(crate) fn phase(&self) -> Phase {
        self.local.phase()
    }
}

#[cfg(all(test, feature = "redis"))]
impl CongestionControl {
    pub(crate) fn disable_jitter(&mut self) {
        self.local.disable_jitter();
    }

    pub(crate) fn episode(&self) -> u64 {
        self.lease.as_ref().map_or_else(|| self.local.episode(), |lease| lease.terms.episode)
    }
}
