//! One episode of refusals, from the start of a pause to its end.

use std::time::Duration;

use super::LocalControl;
use crate::engine::{
    call_id::{CallId, Grant},
    congestion::adaptive::AdaptiveLimit,
    pace::ramp::RampState,
};

/// Time after which a refused canary may again be followed by another one at once, if such a test has failed.
pub(crate) const FAILED_TEST_MEMORY: Duration = Duration::from_mins(10);

/// An episode of this length with this number of wrong hints adapts the rate to its whole time.
pub(crate) const MIN_LONG_EPISODE: Duration = Duration::from_secs(45);
pub(crate) const MIN_WRONG_HINTS: u32 = 2;

/// How a pause has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Resumption {
    /// A limit has caused the pause, or the cause is not known. The ramp starts.
    Limit,
    /// This call was responsible for the pause. The limits are as before, and the ramp is not lower.
    SingleCall(CallId),
}

/// The state before an episode, which is restored if a single call was responsible for the episode.
#[derive(Debug)]
pub(super) struct Before {
    /// Time of the first refusal.
    pub(super) at: Duration,
    pub(super) ramp: RampState,
    pub(super) adaptive_rate: AdaptiveLimit,
    pub(super) adaptive_in_flight: AdaptiveLimit,
    pub(super) ignored_refusal: Option<Duration>,
}

/// The cause of an episode of refusals: a limit, or a single call.
#[derive(Debug, Default)]
pub(super) enum Cause {
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
pub(super) struct Episode {
    /// The call whose refusal started the episode.
    pub(super) first: Option<CallId>,
    pub(super) started_at: Duration,
    pub(super) cause: Cause,
    /// Other canaries were sent at once, since single calls were responsible for refusals before.
    pub(super) is_tested: bool,
    /// The refusals concern the rate.
    pub(super) concerns_rate: bool,
    /// Number of canaries that were refused after the time of a hint.
    pub(super) wrong_hints: u32,
    pub(super) before: Option<Box<Before>>,
}

impl LocalControl {
    pub(super) fn start_episode(&self, now: Duration, refused: Option<&Grant>) -> Episode {
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
    /// episode, or single calls were responsible for refusals before, or tests are left.
    pub(super) fn suspect(&mut self, now: Duration, canary: CallId, tests: Option<usize>) -> bool {
        let refusals = &mut self.refusals;
        match (&mut refusals.cause, tests) {
            (_, None) => {}
            (Cause::Open, Some(0)) if refusals.first == Some(canary) && now >= self.tests_again_at => {
                refusals.cause = Cause::Suspected { call: canary, tests_left: 1 };
                return true;
            }
            (Cause::Open | Cause::Limit, Some(tests @ 1..)) if !refusals.is_tested => {
                refusals.is_tested = true;
                refusals.cause = Cause::Suspected { call: canary, tests_left: tests };
                return true;
            }
            (Cause::Suspected { call, tests_left }, _) if *call != canary => {
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

    pub(super) fn accept_canary(&mut self, now: Duration, id: CallId, sent: Duration) -> Resumption {
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
}
