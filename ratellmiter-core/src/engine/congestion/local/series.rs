//! Episodes of refusals that follow each other closely.

use std::time::Duration;

use crate::engine::congestion::adaptive::DECREASE_FACTOR;

/// An episode continues a series if it starts within this time of the end of the last one.
pub(crate) const SERIES_GAP: Duration = Duration::from_secs(5);

/// Each episode of a series lowers the rate by this number of times as many decreases as the one before.
pub(crate) const SERIES_GROWTH: f64 = 6.0;

/// A series of episodes, with little time between them.
#[derive(Debug, Default)]
pub(super) struct Series {
    pub(super) since: Duration,
    pub(super) episodes: u32,
    /// Calls sent since then that were not refused.
    pub(super) accepted: u32,
    pub(super) resumed_at: Duration,
}

impl Series {
    pub(super) fn start_episode(&mut self, now: Duration) {
        if self.episodes == 0 || now > self.resumed_at + SERIES_GAP {
            *self = Self { since: now, ..Self::default() };
        }
        self.episodes += 1;
    }

    /// Returns the rate to which a refusal lowers the rate `current` if the throughput since the last pause is unknown. Each
    /// episode of a series lowers it more than the one before, down to the throughput of the series. Rates are in calls a minute.
    pub(super) fn lowered(&self, now: Duration, current: f64) -> f64 {
        let steps = SERIES_GROWTH.powi(i32::try_from(self.episodes).unwrap_or(i32::MAX).saturating_sub(1));
        let factor = DECREASE_FACTOR.powf(steps - 1.0);
        let throughput = f64::from(self.accepted) / now.saturating_sub(self.since).as_secs_f64().max(1.0) * 60.0;
        (current * factor).max(throughput).min(current)
    }
}
