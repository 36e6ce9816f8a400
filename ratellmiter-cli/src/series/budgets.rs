//! What counted against the budgets of a run, over all of its seconds.

use ratellmiter_core::log::{BudgetKind, BudgetStatus};
use serde::Serialize;

/// What became of one budget.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Filled {
    pub(crate) meter: BudgetKind,
    /// As configured at last, and what was learned below it.
    pub(crate) limit: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) learned: Option<f64>,
    /// What counted against it: the most, and as shares of the limit that held then, in the mean and at most.
    pub(crate) taken: u64,
    pub(crate) mean: f64,
    pub(crate) peak: f64,
    /// The first second at whose end all of a day's budget was taken.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) spent: Option<u64>,
}

/// The budgets of one model. There are a few at most.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Budgets(Vec<Tally>);

#[derive(Debug, Clone, PartialEq)]
struct Tally {
    last: BudgetStatus,
    taken: u64,
    peak: f64,
    /// Of the shares in so many rows.
    sum: f64,
    rows: u32,
    spent: Option<u64>,
}

impl Budgets {
    /// As they stood when the second ended.
    pub(crate) fn add(&mut self, at: u64, budgets: &[BudgetStatus]) {
        for budget in budgets.iter().filter(|budget| budget.meter != BudgetKind::Other) {
            let Some(share) = share(budget) else { continue };
            let spent = (per(budget.meter) == "day" && share >= 1.0).then_some(at);
            self.add_tally(&Tally { last: *budget, taken: counted(budget), peak: share, sum: share, rows: 1, spent });
        }
    }

    /// Adds what came later.
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

    pub(crate) fn filled(&self) -> Vec<Filled> {
        let filled = |Tally { last, taken, peak, sum, rows, spent }: &Tally| Filled {
            meter: last.meter,
            limit: last.limit,
            learned: learned(last),
            taken: *taken,
            mean: sum / f64::from(*rows),
            peak: *peak,
            spent: *spent,
        };
        self.0.iter().map(filled).collect()
    }
}

impl Filled {
    /// As in "80000 output tokens a minute".
    pub(crate) fn name(&self) -> String {
        format!("{} {} a {}", self.limit, counts(self.meter), per(self.meter))
    }
}

/// What a budget counts, in words.
pub(crate) const fn counts(meter: BudgetKind) -> &'static str {
    match meter {
        BudgetKind::RequestsPerDay => "requests",
        BudgetKind::TokensPerMinute | BudgetKind::TokensPerDay => "tokens",
        BudgetKind::InputTokensPerMinute => "input tokens",
        BudgetKind::OutputTokensPerMinute => "output tokens",
        BudgetKind::Other => "units",
    }
}

/// Over what time it counts.
pub(crate) fn per(meter: BudgetKind) -> &'static str {
    if matches!(meter, BudgetKind::RequestsPerDay | BudgetKind::TokensPerDay) { "day" } else { "minute" }
}

/// What was learned, where that is less than what is configured.
#[allow(clippy::cast_precision_loss)]
fn learned(budget: &BudgetStatus) -> Option<f64> {
    budget.learned.filter(|learned| *learned >= 1.0 && *learned < budget.limit as f64)
}

/// The limit that holds.
#[allow(clippy::cast_precision_loss)]
fn limit(budget: &BudgetStatus) -> f64 {
    learned(budget).unwrap_or(budget.limit as f64)
}

/// How much of a budget is taken; one of nothing has no shares.
#[allow(clippy::cast_precision_loss)]
fn share(budget: &BudgetStatus) -> Option<f64> {
    (limit(budget) > 0.0).then(|| counted(budget) as f64 / limit(budget))
}

/// What is taken, by whomever.
fn counted(budget: &BudgetStatus) -> u64 {
    budget.taken.saturating_add(budget.others)
}

/// How many tokens the budgets allow in a minute, in and out together as they are counted: the sum where they are apart.
pub(crate) fn tightest(budgets: &[BudgetStatus]) -> Option<f64> {
    let of = |meter| budgets.iter().find(|budget| budget.meter == meter).map(limit);
    let (input, output) = (of(BudgetKind::InputTokensPerMinute), of(BudgetKind::OutputTokensPerMinute));
    let apart = match (input, output) {
        (Some(input), Some(output)) => Some(input + output),
        (one, other) => one.or(other),
    };
    of(BudgetKind::TokensPerMinute).into_iter().chain(apart).reduce(f64::min)
}

/// How much is taken of the budget that is taken the most of.
pub(crate) fn fullest(budgets: &[BudgetStatus]) -> Option<f64> {
    budgets.iter().filter_map(share).reduce(f64::max)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn budget(meter: BudgetKind, limit: u64, taken: u64) -> BudgetStatus {
        BudgetStatus { meter, limit, taken, others: 0, learned: None }
    }

    fn budgets(rows: &[(u64, &[BudgetStatus])]) -> Budgets {
        let mut all = Budgets::default();
        rows.iter().for_each(|(at, budgets)| all.add(*at, budgets));
        all
    }

    #[test]
    fn each_budget_has_its_mean_and_its_most() {
        let output = |taken| budget(BudgetKind::OutputTokensPerMinute, 1000, taken);
        let mut all =
            budgets(&[(7, &[output(500), budget(BudgetKind::TokensPerMinute, 9000, 90)]), (8, &[output(1000)])]);
        all.append(&budgets(&[(9, &[output(0)]), (10, &[])]));
        let filled = all.filled();
        assert_eq!(
            filled.iter().map(Filled::name).collect::<Vec<_>>().join(", "),
            "1000 output tokens a minute, 9000 tokens a minute"
        );
        assert_eq!((filled[0].taken, filled[0].mean, filled[0].peak, filled[0].spent), (1000, 0.5, 1.0, None));
        assert_eq!((filled[1].taken, filled[1].mean), (90, 0.01));
    }

    #[test]
    fn shares_are_of_what_was_learned() {
        let learned =
            |learned| BudgetStatus { learned: Some(learned), ..budget(BudgetKind::TokensPerMinute, 1000, 300) };
        let filled = budgets(&[(7, &[learned(600.0)])]).filled();
        assert_eq!((filled[0].limit, filled[0].learned, filled[0].peak), (1000, Some(600.0), 0.5));
        for nothing in [0.0, f64::NAN, 1000.0, 5000.0] {
            assert_eq!(budgets(&[(7, &[learned(nothing)])]).filled()[0].learned, None, "{nothing}");
        }
        assert_eq!(
            budgets(&[(7, &[budget(BudgetKind::TokensPerMinute, 0, 5), budget(BudgetKind::Other, 5, 5)])]).filled(),
            []
        );
    }

    #[test]
    fn a_day_is_spent_when_all_of_it_is_taken() {
        let day = |taken| budget(BudgetKind::RequestsPerDay, 10, taken);
        let mut all = budgets(&[(7, &[day(9)]), (8, &[day(10)]), (9, &[day(10)])]);
        all.append(&budgets(&[(10, &[day(10)])]));
        assert_eq!(all.filled()[0].spent, Some(8));
    }

    #[test]
    fn the_tightest_allows_the_fewest_tokens_and_the_fullest_has_the_least_left() {
        let all = [
            budget(BudgetKind::InputTokensPerMinute, 400_000, 300_000),
            BudgetStatus { learned: Some(50_000.0), ..budget(BudgetKind::OutputTokensPerMinute, 80_000, 10_000) },
            budget(BudgetKind::RequestsPerDay, 5, 1),
        ];
        assert_eq!((tightest(&all), fullest(&all)), (Some(450_000.0), Some(0.75)), "in and out together");
        assert_eq!(tightest(&all[1..]), Some(50_000.0));
        assert_eq!((tightest(&all[2..]), fullest(&[])), (None, None));
    }
}
