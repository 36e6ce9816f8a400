//! The summary of a run: figures and a verdict.

pub(crate) mod check;
mod closed;
mod figures;
mod measures;
pub(crate) mod render;
mod verdict;

pub(crate) use figures::Summary;
pub(crate) use verdict::headline;

use crate::series::{Series, conflicts::BudgetConflict, processes::Processes};

impl Summary {
    pub(crate) fn from_series(model: &str, series: &Series) -> Self {
        let mut summary = Self::measure(model, series);
        let verdict = verdict::verdict(&summary, series);
        let conflicts: Vec<_> = summary.budget_conflicts.iter().map(BudgetConflict::remark).collect();
        let remarks = conflicts.into_iter().chain(summary.processes.into_iter().flat_map(Processes::remarks));
        summary.verdict = remarks.fold(verdict, |verdict, remark| format!("{verdict}; {remark}"));
        summary
    }
}
