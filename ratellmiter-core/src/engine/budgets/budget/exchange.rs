//! The exchange of one leased budget.

use std::time::Duration;

use super::{
    Budget, DAY, MINUTE, adaptive_limit,
    lease::{BudgetLease, DetachedDay},
};
use crate::engine::lease::exchange::{Ages, micros};

/// Number of equal parts in which usage is reported by age.
pub(crate) const REPORTED_AGES: usize = 24;

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

    /// Returns the limit and the pace a minute as response headers leave them.
    pub(crate) fn limits_now(&self, now: Duration) -> (u64, u64) {
        let limit = self.limit.get();
        (self.server_limit.limit(limit), self.server_limit.pace(now, limit))
    }

    /// Returns the sum of all charges and of `more`.
    pub(crate) fn charged_total(&self, more: u64) -> i64 {
        self.charged_total.saturating_add_unsigned(more)
    }

    /// Returns the throughput at the last refusal, or `None` if the budget is not adapted.
    pub(crate) fn ceiling(&self) -> Option<f64> {
        self.adaptive.ceiling()
    }

    /// Replaces the adaptation by one to this ceiling.
    pub(crate) fn restore_ceiling(&mut self, now: Duration, ceiling: Option<f64>) {
        self.adaptive = adaptive_limit(self.limit);
        if let Some(ceiling) = ceiling {
            self.adaptive.restore(ceiling);
        }
        self.apply_limits(now);
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
