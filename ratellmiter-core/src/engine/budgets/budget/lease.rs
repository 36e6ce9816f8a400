//! A process's share of a budget that is shared with other processes.

use std::time::Duration;

use super::{Budget, DAY, MINUTE, REPORTED_AGES};
use crate::engine::lease::{Ages, micros};

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
    pub(crate) overshoot: u64,
    /// When the next call is expected to fit.
    pub(crate) frees_at: Duration,
    /// The adapted budget of all processes together.
    pub(crate) adapted: Option<f64>,
}

impl Budget {
    /// Takes over the leased share, or ends the lease if there is none.
    pub(crate) fn lease(&mut self, now: Duration, lease: Option<BudgetLease>) {
        (self.lease, self.detached) = (lease, None);
        self.apply_limits(now);
    }

    /// Ends the lease while the fleet is disconnected. Of a daily budget, this process may use `part` of the remainder.
    #[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)] // It is not negative.
    pub(crate) fn scale_day(&mut self, now: Duration, part: f64) {
        let (others, overshoot) = self.lease.map_or((0, 0), |lease| (lease.others, lease.overshoot));
        let usage = self.window.total(now);
        self.lease(now, None);
        if self.is_of_day() {
            let left = self.limit.get().saturating_sub(others.saturating_add(overshoot).saturating_add(usage));
            self.detached = Some(DetachedDay { others, max_usage: usage.saturating_add((left as f64 * part) as u64) });
        }
    }

    /// Limits the leased room to `more` beyond the present usage, until the next grant.
    pub(crate) fn freeze_room(&mut self, more: u64) {
        let max_usage = self.window.last_total().saturating_add(more);
        if let Some(lease) = &mut self.lease {
            lease.room = lease.room.min(max_usage);
        }
    }

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

    /// Returns the usage in parts of equal age, for a report.
    pub(crate) fn reported_ages(&mut self, now: Duration) -> Ages {
        let width = micros(if self.is_of_day() { DAY } else { MINUTE });
        let oldest = self.window.ages(now).next().map_or(0, |(age, _)| micros(age));
        // The oldest usage, which is the next to expire, is at the start of the last part.
        let grain = (oldest / (REPORTED_AGES as u64 - 1)).max(1);
        let index = |age: u64| usize::try_from(age / grain).unwrap_or(REPORTED_AGES).min(REPORTED_AGES - 1);
        let mut parts = vec![0; index(oldest) + 1];
        self.window.ages(now).for_each(|(age, amount)| parts[index(micros(age))] += amount);
        Ages { window: width, grain, parts }
    }
}
