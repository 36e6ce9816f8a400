//! The adapted limits of the local control: on the rate, and on calls in flight.

use std::{num::NonZeroU32, time::Duration};

use super::LocalControl;
use crate::{engine::congestion::adaptive::AdaptiveLimit, limits::Limits};

/// An adapted limit below this grows more slowly.
pub(crate) const SLOW_CALLS_PER_MINUTE: f64 = 12.0;

/// The throughput is a measure of the server's limit if it is at least this fraction of the rate that was allowed.
pub(crate) const MIN_USED_SHARE: f64 = 0.5;

/// Time after which a refusal may again be ignored because the throughput is no measure of the server's limit.
pub(crate) const IGNORED_AGAIN_AFTER: Duration = Duration::from_mins(1);

impl LocalControl {
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

    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // The casts saturate, and limits are at least 1.
    pub(crate) fn apply_limits(&mut self, server_limit: u64) {
        let pace = (self.adaptive_rate.allowed() as u32).min(u32::try_from(server_limit).unwrap_or(u32::MAX));
        self.pace = NonZeroU32::new(pace).unwrap_or(NonZeroU32::MIN);
        self.in_flight_limit = self.adaptive_in_flight.allowed().round() as u64;
    }

    pub(crate) fn adapted_rate(&self) -> Option<f64> {
        self.adaptive_rate.adapted()
    }

    pub(crate) fn adapted_in_flight(&self) -> Option<f64> {
        self.adaptive_in_flight.adapted()
    }

    pub(crate) fn ceilings(&self) -> (Option<f64>, Option<f64>) {
        (self.adaptive_rate.ceiling(), self.adaptive_in_flight.ceiling())
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
}

/// Returns the limits on the rate, in calls a minute, and on calls in flight.
pub(super) fn adaptive_limits(limits: &Limits) -> (AdaptiveLimit, AdaptiveLimit) {
    (AdaptiveLimit::new(limits.requests_per_minute.get().into(), 1.0), AdaptiveLimit::new(max_in_flight(limits), 1.0))
}

pub(super) fn max_in_flight(limits: &Limits) -> f64 {
    limits.max_in_flight.map_or(f64::INFINITY, |max| f64::from(max.get()))
}
