//! A process's share of a budget that is shared with other processes.

use std::time::Duration;

use super::Budget;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct DetachedDay {
    /// Usage by other processes at the time of the disconnection.
    pub(super) others: u64,
    /// Usage that this process may have.
    pub(super) max_usage: u64,
}

/// A process's share of a budget.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct BudgetLease {
    /// Tokens a minute of all processes together, which slots enforce.
    pub(crate) pace: u64,
    /// Fraction of the demand for this budget that is from this process.
    pub(crate) share: f64,
    /// Usage that this process may have.
    pub(crate) room: u64,
    /// Usage by other processes.
    pub(crate) others: u64,
    /// Usage that other processes may add before they notice that the server is unreachable.
    #[cfg(feature = "redis")]
    pub(crate) overshoot: u64,
    /// When the next call is expected to fit.
    pub(crate) frees_at: Duration,
    /// The adapted budget of all processes together.
    pub(crate) adapted: Option<f64>,
}

impl Budget {
    /// Returns `true` if a call with this maximum charge fits the leased share now, or the share of a disconnected process at all.
    pub(crate) fn fits(&self, maximum: u64) -> bool {
        if let Some(detached) = self.detached {
            return maximum <= detached.max_usage;
        }
        self.lease.is_none_or(|lease| self.window.last_total().saturating_add(maximum) <= lease.room)
    }

    /// Returns when a daily budget, as other processes have used it, has room for the next call. `None` if it is not shared.
    pub(crate) fn exhausted_until(&self) -> Option<Duration> {
        self.lease.map(|lease| lease.frees_at).filter(|_| self.is_of_day())
    }
}
