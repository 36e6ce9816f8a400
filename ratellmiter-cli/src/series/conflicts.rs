//! Budgets in which summed logs differ.

use ratellmiter_core::log::{BudgetKind, BudgetStatus};
use serde::Serialize;

/// The configured limits of one budget, in which logs of the same time differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(crate) struct BudgetConflict {
    pub(crate) meter: BudgetKind,
    /// The smallest and the largest limit.
    pub(crate) limits: [u64; 2],
}

impl BudgetConflict {
    /// Returns the limits with unit and period, as in "from 1000 to 2000 tokens per minute".
    pub(crate) fn description(&self) -> String {
        let [least, most] = self.limits;
        format!("from {least} to {most} {} per {}", self.meter.unit(), self.meter.period())
    }

    /// Returns the clause on this conflict for the verdict.
    pub(crate) fn remark(&self) -> String {
        format!("the logs have different budgets, {}: they do not share one budget", self.description())
    }
}

/// The budgets of one log, and its time.
#[derive(Debug, Default, PartialEq)]
pub(super) struct LogBudgets {
    from: u64,
    /// First second after the log.
    to: u64,
    /// All configured limits, each once.
    limits: Vec<(BudgetKind, u64)>,
}

impl LogBudgets {
    pub(super) fn new(from: u64, length: u64, budgets: &[(u64, BudgetStatus)]) -> Self {
        let mut limits: Vec<(BudgetKind, u64)> = Vec::new();
        for budget in budgets.iter().map(|(_, budget)| (budget.meter, budget.limit)) {
            if budget.0 != BudgetKind::Other && !limits.contains(&budget) {
                limits.push(budget);
            }
        }
        limits.sort_unstable();
        Self { from, to: from.saturating_add(length), limits }
    }

    fn of(&self, meter: BudgetKind) -> impl Iterator<Item = u64> + Clone {
        self.limits.iter().filter(move |(of, _)| *of == meter).map(|(_, limit)| *limit)
    }

    /// Returns `true` if both logs are of the same time and have no limit of `meter` in common. A limit that changed during the run is
    /// in both logs.
    fn differs(&self, other: &Self, meter: BudgetKind) -> bool {
        let (ours, theirs) = (self.of(meter), other.of(meter));
        let is_apart = self.to <= other.from || other.to <= self.from;
        let is_unknown = ours.clone().next().is_none() || theirs.clone().next().is_none();
        !is_apart && !is_unknown && !ours.into_iter().any(|limit| theirs.clone().any(|other| other == limit))
    }
}

/// Returns the budgets in which logs of the same time differ.
pub(super) fn conflicts(logs: &[LogBudgets]) -> Vec<BudgetConflict> {
    let mut meters: Vec<_> = logs.iter().flat_map(|log| &log.limits).map(|(meter, _)| *meter).collect();
    meters.sort_unstable();
    meters.dedup();
    let conflict = |meter| {
        let pairs =
            logs.iter().enumerate().flat_map(|(index, one)| logs[index + 1..].iter().map(move |other| [one, other]));
        let differing = pairs.filter(|[one, other]| one.differs(other, meter)).flatten();
        let limits = differing.flat_map(|log| log.of(meter));
        let bounds = limits.fold(None, |bounds: Option<[u64; 2]>, limit| {
            let [least, most] = bounds.unwrap_or([limit; 2]);
            Some([least.min(limit), most.max(limit)])
        });
        bounds.map(|limits| BudgetConflict { meter, limits })
    };
    meters.into_iter().filter_map(conflict).collect()
}

#[cfg(test)]
mod tests;
