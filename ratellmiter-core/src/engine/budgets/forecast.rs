//! The future usage of the budgets, for estimates.

use super::{Budgets, budget::Budget, reservation::Reservation};
use crate::{
    engine::pace::{pacer_forecast::PacerForecast, window_forecast::WindowForecast},
    log::row::BudgetKind,
};

/// All budgets, run ahead of time.
///
/// Times are nanoseconds since the limiter was created.
#[derive(Debug)]
pub(crate) struct BudgetsForecast<'a>(Vec<BudgetForecast<'a>>);

/// One budget, run ahead of time.
#[derive(Debug)]
pub(super) struct BudgetForecast<'a> {
    pub(super) kind: BudgetKind,
    /// `None` for a daily budget.
    pub(super) meter: Option<PacerForecast>,
    pub(super) window: WindowForecast<'a>,
    /// Refunds that lower the charges of later calls.
    pub(super) credit: u64,
    /// When a shared budget has room for the next call.
    pub(super) frees_at: u64,
}

impl Budgets {
    /// Returns a view of the budgets that is run ahead of time.
    pub(crate) fn forecast(&self) -> BudgetsForecast<'_> {
        BudgetsForecast(self.all.iter().map(Budget::forecast).collect())
    }
}

impl BudgetsForecast<'_> {
    /// Returns when the meters of all budgets allow the next call.
    pub(crate) fn scheduled(&mut self) -> u64 {
        self.0.iter_mut().filter_map(|budget| Some(budget.meter.as_mut()?.due())).max().unwrap_or_default()
    }

    /// Returns when the windows of the budgets of a minute have room for a call.
    pub(crate) fn due(&mut self, call: &Reservation) -> u64 {
        let minutes = self.0.iter_mut().filter(|budget| budget.meter.is_some());
        minutes.map(|budget| budget.due(1, call)).max().unwrap_or_default()
    }

    /// Returns when the budgets of a day have room for `calls` such calls.
    pub(crate) fn due_of_day(&mut self, calls: u64, call: &Reservation) -> u64 {
        let days = self.0.iter_mut().filter(|budget| budget.meter.is_none());
        days.map(|budget| budget.due(calls, call)).max().unwrap_or_default()
    }

    /// Returns the number of such calls that the windows have room for at `now`.
    pub(crate) fn room(&mut self, now: u64, call: &Reservation) -> u64 {
        let room = |budget: &mut BudgetForecast<'_>| budget.window.room(now, budget.maximum(call));
        self.0.iter_mut().map(room).min().unwrap_or(u64::MAX)
    }

    /// Charges the meters for calls that are scheduled for `slot`.
    pub(crate) fn pace(&mut self, slot: u64, calls: u64, call: &Reservation) {
        for budget in &mut self.0 {
            let expected = budget.expected(call).saturating_mul(calls);
            let credit = budget.credit.min(expected);
            budget.credit -= credit;
            if let Some(meter) = &mut budget.meter {
                meter.admit(slot, expected - credit);
            }
        }
    }

    /// Charges the windows for calls that are sent at `at` and end after `latency`.
    pub(crate) fn charge(&mut self, at: u64, calls: u64, call: &Reservation, latency: u64) {
        for budget in &mut self.0 {
            let [maximum, expected] =
                [budget.maximum(call), budget.expected(call)].map(|amount| amount.saturating_mul(calls));
            budget.window.charge(at, maximum, expected, latency);
        }
    }

    /// Returns the largest number of such calls that may be taken together.
    pub(crate) fn calls_per_step(&self, call: &Reservation) -> u64 {
        self.0.iter().map(|budget| budget.window.calls_per_step(budget.maximum(call))).min().unwrap_or(u64::MAX)
    }

    /// Returns the time of such a call in the long run, in nanoseconds, apart from the budgets of a day.
    pub(crate) fn time_of(&self, call: &Reservation) -> f64 {
        let time = |budget: &BudgetForecast<'_>| {
            let expected = budget.expected(call);
            budget.meter.map(|meter| meter.time_of(expected).max(budget.window.time_of(expected)))
        };
        self.0.iter().filter_map(time).fold(0.0, f64::max)
    }

    /// Returns the time of such a call in the long run by the budgets of a day, in nanoseconds.
    pub(crate) fn time_of_day(&self, call: &Reservation) -> f64 {
        let days = self.0.iter().filter(|budget| budget.meter.is_none());
        days.map(|budget| budget.window.time_of(budget.expected(call))).fold(0.0, f64::max)
    }

    /// Drops the budgets of a minute. Returns `false` if none of a day is left.
    pub(crate) fn keep_days(&mut self) -> bool {
        self.0.retain(|budget| budget.meter.is_none());
        !self.0.is_empty()
    }
}

impl BudgetForecast<'_> {
    /// Returns when the window has room for `calls` such calls.
    fn due(&mut self, calls: u64, call: &Reservation) -> u64 {
        self.window.due(self.maximum(call).saturating_mul(calls)).max(self.frees_at)
    }

    fn expected(&self, call: &Reservation) -> u64 {
        self.kind.amount_of(&call.expected)
    }

    fn maximum(&self, call: &Reservation) -> u64 {
        self.kind.amount_of(&call.maximum)
    }
}
