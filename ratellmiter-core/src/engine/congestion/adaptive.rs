//! A limit that adapts to refusals. It never exceeds the configured limit.
//!
//! A refusal that starts an episode lowers the limit to [`DECREASE_FACTOR`] of the measured throughput, which is remembered as the
//! ceiling. The limit grows by the time in which calls are queued for this limit alone: along a cubic back to the ceiling, as in
//! TCP CUBIC, and exponentially beyond it, until the next refusal or the configured limit. If the next refusal is near the same
//! ceiling, the return takes longer; otherwise the old ceiling is forgotten. The rate and the calls in flight have one such
//! limit each, as does every budget.

use std::time::Duration;

/// The limit after a refusal, as a fraction of the throughput.
pub(crate) const DECREASE_FACTOR: f64 = 0.85;
/// Time of the return to the ceiling: the first, and the longest.
pub(crate) const FIRST_RETURN_SECONDS: f64 = 6.0;
pub(crate) const MAX_RETURN_SECONDS: f64 = 240.0;
/// Growth of that time with each refusal near the same ceiling.
pub(crate) const RETURN_FACTOR: f64 = 1.5;
/// Ceilings that differ by at most this factor are the same.
pub(crate) const SAME_CEILING: f64 = 1.25;
/// Growth beyond the ceiling, as a fraction of it, and the time in which it doubles.
pub(crate) const PROBE_STEP: f64 = 0.02;
pub(crate) const PROBE_DOUBLING_SECONDS: f64 = 2.0;

/// A configured limit and its adaptation.
#[derive(Debug, Clone)]
pub(crate) struct AdaptiveLimit {
    /// The configured limit, or infinity.
    configured: f64,
    /// The adapted limit is at least this.
    floor: f64,
    adapted: Option<Adapted>,
}

#[derive(Debug, Clone, Copy)]
struct Adapted {
    /// The limit right after the refusal.
    low: f64,
    /// Throughput at the last refusal.
    ceiling: f64,
    /// Seconds from the refusal until the ceiling is reached again.
    return_time: f64,
    /// Seconds since the refusal in which calls were queued for this limit.
    backlogged: f64,
}

impl AdaptiveLimit {
    pub(crate) fn new(configured: f64, floor: f64) -> Self {
        Self { configured, floor, adapted: None }
    }

    /// Changes the configured limit and the floor.
    pub(crate) fn set_bounds(&mut self, configured: f64, floor: f64) {
        (self.configured, self.floor) = (configured, floor);
    }

    /// Returns the limit in force.
    pub(crate) fn allowed(&self) -> f64 {
        self.adapted.map_or(self.configured, |adapted| adapted.allowed().max(self.floor).min(self.configured))
    }

    /// Returns the limit right after the last refusal.
    pub(crate) fn low(&self) -> f64 {
        self.adapted.map_or(self.configured, |adapted| adapted.low.max(self.floor))
    }

    /// Returns the adapted limit, or `None` if the configured limit is in force.
    pub(crate) fn adapted(&self) -> Option<f64> {
        Some(self.allowed()).filter(|allowed| *allowed < self.configured)
    }

    /// Returns the throughput at the last refusal, or `None` if the configured limit is in force.
    pub(crate) fn ceiling(&self) -> Option<f64> {
        self.adapted.map(|adapted| adapted.ceiling).filter(|_| self.allowed() < self.configured)
    }

    /// Adapts the limit to the ceiling of an earlier run as to a refusal, unless it is adapted already.
    pub(crate) fn restore(&mut self, ceiling: f64) {
        if self.adapted.is_none() && ceiling.is_finite() {
            self.on_refusal(ceiling);
        }
    }

    /// Grows the adapted limit by `time` in which calls were queued for this limit alone.
    pub(crate) fn on_backlogged(&mut self, time: Duration) {
        if let Some(adapted) = &mut self.adapted
            && adapted.allowed() < self.configured
        {
            adapted.backlogged += time.as_secs_f64();
        }
    }

    /// Lowers the limit after a refusal that starts an episode, at this throughput.
    pub(crate) fn on_refusal(&mut self, throughput: f64) {
        let ceiling = throughput.clamp(self.floor, self.configured);
        let return_time = match self.adapted {
            Some(Adapted { ceiling: last, return_time, .. })
                if (last / SAME_CEILING..=last * SAME_CEILING).contains(&ceiling) =>
            {
                (return_time * RETURN_FACTOR).min(MAX_RETURN_SECONDS)
            }
            _ => FIRST_RETURN_SECONDS,
        };
        self.adapted = Some(Adapted { low: ceiling * DECREASE_FACTOR, ceiling, return_time, backlogged: 0.0 });
    }
}

impl Adapted {
    fn allowed(&self) -> f64 {
        let Self { low, ceiling, return_time, backlogged } = *self;
        if backlogged < return_time {
            let left = 1.0 - backlogged / return_time;
            ceiling - (ceiling - low) * left * left * left
        } else {
            ceiling * (1.0 + PROBE_STEP * (((backlogged - return_time) / PROBE_DOUBLING_SECONDS).exp2() - 1.0))
        }
    }
}

#[cfg(test)]
mod tests;
