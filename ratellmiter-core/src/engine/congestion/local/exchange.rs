//! The local control before and after a lease.

use std::time::Duration;

use super::{LocalControl, Phase, REQUESTS, adaptive_limits};
use crate::{
    engine::lease::{IN_FLIGHT, Lease},
    limits::{Limits, ramp::FULL_RATE},
};

impl LocalControl {
    /// Ends a local pause and returns when it would have ended.
    pub(crate) fn end_pause(&mut self) -> Option<Duration> {
        match std::mem::replace(&mut self.phase, Phase::Flowing) {
            Phase::Paused { until } => Some(until),
            _ => None,
        }
    }

    /// Takes over from a lease with `part` of its limits. If the lease was never granted, the ramp starts as from idle.
    pub(crate) fn take_over(&mut self, now: Duration, limits: &Limits, lease: &Lease, part: f64) {
        self.episode = lease.terms.episode;
        if let Some(left) = lease.paused_for(now) {
            self.phase = Phase::Paused { until: now + left };
        }
        let is_ramping = lease.terms.is_ramping || lease.exchange.epoch.is_none();
        // Every start is at least a thousandth, so the larger factor leads to the full rate.
        self.ramp.start(now, if is_ramping { 1 } else { FULL_RATE });
        self.throughput.clear();
        (self.adaptive_rate, self.adaptive_in_flight) = adaptive_limits(limits);
        if limits.adaptive {
            let [rate, in_flight] = [REQUESTS, IN_FLIGHT].map(|key| Some(lease.terms.ceilings.get(key)? * part));
            self.restore(rate, in_flight);
        }
    }
}
