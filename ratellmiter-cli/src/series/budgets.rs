//! The budgets of a run: their limits, and the amounts charged to them.

use ratellmiter_core::log::{BudgetKind, BudgetStatus};
use serde::Serialize;

/// One budget over a whole run. The field names are keys of `-summary=json`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct BudgetSummary {
    pub(crate) meter: BudgetKind,
    /// Configured limit in the last row.
    pub(crate) limit: u64,
    /// Adapted limit in the last row, if it is below the configured one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) learned: Option<f64>,
    /// Largest amount charged.
    pub(crate) taken: u64,
    /// Charged fraction of the limit, averaged over the rows.
    pub(crate) mean: f64,
    /// Largest charged fraction of the limit.
    pub(crate) peak: f64,
    /// First second at whose end a daily budget was exhausted, since the epoch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) spent: Option<u64>,
}

/// Accumulated budgets of one model.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Budgets(Vec<Tally>);

#[derive(Debug, Clone, PartialEq)]
struct Tally {
    last: BudgetStatus,
    taken: u64,
    peak: f64,
    /// Sum of the charged fractions in `rows` rows.
    sum: f64,
    rows: u32,
    spent: Option<u64>,
}

impl Budgets {
    /// Adds the budgets at the end of second `at`.
    pub(crate) fn add(&mut self, at: u64, budgets: &[BudgetStatus]) {
        for budget in budgets.iter().filter(|budget| budget.meter != BudgetKind::Other) {
            let Some(fraction) = charged_fraction(budget) else { continue };
            let spent = (budget.meter.is_daily() && fraction >= 1.0).then_some(at);
            let taken = charged(budget);
            self.add_tally(&Tally { last: *budget, taken, peak: fraction, sum: fraction, rows: 1, spent });
        }
    }

    /// Adds the budgets of a later part of the log.
    pub(crate) fn append(&mut self, later: &Self) {
        later.0.iter().for_each(|tally| self.add_tally(tally));
    }

    fn add_tally(&mut self, later: &Tally) {
        let Some(tally) = self.0.iter_mut().find(|tally| tally.last.meter == later.last.meter) else {
            self.0.push(later.clone());
            return;
        };
        tally.last = later.last;
        tally.taken = tally.taken.max(later.taken);
        tally.peak = tally.peak.max(later.peak);
        tally.sum += later.sum;
        tally.rows = tally.rows.saturating_add(later.rows);
        tally.spent = [tally.spent, later.spent].into_iter().flatten().min();
    }

    pub(crate) fn summaries(&self) -> Vec<BudgetSummary> {
        let summary = |Tally { last, taken, peak, sum, rows, spent }: &Tally| BudgetSummary {
            meter: last.meter,
            limit: last.limit,
            learned: adapted_limit(last),
            taken: *taken,
            mean: sum / f64::from(*rows),
            peak: *peak,
            spent: *spent,
        };
        self.0.iter().map(summary).collect()
    }
}

impl BudgetSummary {
    /// Returns limit, unit and period, as in "80000 output tokens per minute".
    pub(crate) fn name(&self) -> String {
        format!("{} {} per {}", self.limit, self.meter.unit(), self.meter.period())
    }
}

/// Returns the adapted limit; `None` unless it is below the configured one.
#[allow(clippy::cast_precision_loss)]
fn adapted_limit(budget: &BudgetStatus) -> Option<f64> {
    budget.learned.filter(|learned| *learned >= 1.0 && *learned < budget.limit as f64)
}

/// Returns the adapted limit if there is one, else the configured one.
#[allow(clippy::cast_precision_loss)]
fn effective_limit(budget: &BudgetStatus) -> f64 {
    adapted_limit(budget).unwrap_or(budget.limit as f64)
}

/// Returns the charged fraction of the effective limit; `None` if the limit is zero.
#[allow(clippy::cast_precision_loss)]
fn charged_fraction(budget: &BudgetStatus) -> Option<f64> {
    (effective_limit(budget) > 0.0).then(|| charged(budget) as f64 / effective_limit(budget))
}

/// Returns the amount charged by all processes.
fn charged(budget: &BudgetStatus) -> u64 {
    budget.taken.saturating_add(budget.others)
}

/// Returns the tokens that the budgets allow per minute, input and output together. Separate budgets of input and output are
/// summed. `None` without a budget of tokens per minute.
fn tokens_per_minute(budgets: &[BudgetStatus]) -> Option<f64> {
    let limit = |kind| budgets.iter().find(|budget| budget.meter == kind).map(effective_limit);
    let (input, output) = (limit(BudgetKind::InputTokensPerMinute), limit(BudgetKind::OutputTokensPerMinute));
    let separate = match (input, output) {
        (Some(input), Some(output)) => Some(input + output),
        (one, other) => one.or(other),
    };
    limit(BudgetKind::TokensPerMinute).into_iter().chain(separate).reduce(f64::min)
}

/// Returns the tokens that the budgets allow per second; `NAN` without a budget of tokens per minute.
#[allow(clippy::cast_possible_truncation)] // Precise enough for a chart.
pub(crate) fn tokens_per_second(budgets: &[BudgetStatus]) -> f32 {
    tokens_per_minute(budgets).map_or(f32::NAN, |budget| (budget / 60.0) as f32)
}

/// Returns the charged fraction of the fullest budget; `None` without a budget.
#[cfg(feature = "terminal")]
pub(crate) fn max_charged_fraction(budgets: &[BudgetStatus]) -> Option<f64> {
    budgets.iter().filter_map(charged_fraction).reduce(f64::max)
}

#[cfg(test)]
mod tests;
