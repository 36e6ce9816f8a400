//! The logs of processes that share their limiters, summed: what all of them did, as one run.
//!
//! A second of the sum is what the logs say of that second. Where one of them says nothing nothing happened, but its calls stay
//! out until its next row, and what it took of a budget counts for its minute or day. After its last row nothing of it is out.

use std::{collections::BTreeMap, path::PathBuf};

use ratellmiter_core::log::{Bottleneck, BudgetStatus};
use thiserror::Error;

use crate::{
    read::Log,
    series::{
        Second, Series,
        budgets::{per, tightest},
    },
    write,
};

/// Why logs are not summed.
#[derive(Debug, Error, PartialEq)]
pub(crate) enum Apart {
    #[error("{} is given twice; each log is summed once", .0.display())]
    Twice(PathBuf),
    #[error("{} is a log of the Python package, which shares no limiters; only logs of one namespace are summed", .0.display())]
    Python(PathBuf),
    #[error("{} has no namespace: its process shared no limiter; only logs of one namespace are summed, give it alone", .0.display())]
    Unshared(PathBuf),
    #[error("{} has no namespace, and {} is of {namespace:?}; only logs of one namespace are summed", path.display(), other.display())]
    Without { path: PathBuf, other: PathBuf, namespace: String },
    #[error("{} is of the namespace {:?}, and {} of {:?}; only logs of one namespace are summed", paths[0].display(), namespaces[0], paths[1].display(), namespaces[1])]
    Namespaces { paths: [PathBuf; 2], namespaces: [String; 2] },
}

/// Whether no file is given twice, whatever links lead to it.
pub(crate) fn are_different(paths: &[PathBuf]) -> Result<(), Apart> {
    for (index, path) in paths.iter().enumerate() {
        if paths[..index].iter().any(|other| other == path || write::same(other, path)) {
            return Err(Apart::Twice(path.clone()));
        }
    }
    Ok(())
}

/// Whether all are of processes that shared their limiters with each other.
pub(crate) fn are_shared(logs: &[(PathBuf, Log)]) -> Result<(), Apart> {
    if let Some((path, _)) = logs.iter().find(|(_, log)| log.is_python) {
        return Err(Apart::Python(path.clone()));
    }
    let shared = logs.iter().find_map(|(path, log)| Some((path, log.namespace.as_ref()?)));
    let Some((other, namespace)) = shared else {
        return logs.first().map_or(Ok(()), |(path, _)| Err(Apart::Unshared(path.clone())));
    };
    for (path, log) in logs {
        match &log.namespace {
            Some(own) if own == namespace => {}
            Some(own) => {
                let (paths, namespaces) = ([other.clone(), path.clone()], [namespace.clone(), own.clone()]);
                return Err(Apart::Namespaces { paths, namespaces });
            }
            None => {
                let (path, other, namespace) = (path.clone(), other.clone(), namespace.clone());
                return Err(Apart::Without { path, other, namespace });
            }
        }
    }
    Ok(())
}

/// What they say together, by model.
pub(crate) fn sum(logs: &[(PathBuf, Log)]) -> BTreeMap<String, Series> {
    let mut models: BTreeMap<&str, Vec<&Series>> = BTreeMap::new();
    for (model, series) in logs.iter().flat_map(|(_, log)| &log.models) {
        models.entry(model).or_default().push(series);
    }
    models.into_iter().map(|(model, parts)| (model.to_owned(), together(&parts, logs.len()))).collect()
}

/// What several logs say of one model.
fn together(parts: &[&Series], logs: usize) -> Series {
    let mut seconds: Vec<u64> = parts.iter().flat_map(|part| part.seconds()).map(|second| second.at).collect();
    seconds.sort_unstable();
    seconds.dedup();
    let mut parts: Vec<Part<'_>> = parts.iter().map(|part| Part::of(part)).collect();
    let mut sum = Series::of_logs(logs);
    for at in seconds {
        parts.iter_mut().for_each(|part| part.go_to(at));
        let rows: Vec<&Second> = parts.iter().filter_map(|part| part.now).collect();
        let budgets = budgets(&parts, at);
        let mut second = summed(at, &rows);
        second.in_flight = parts.iter().fold(0, |sum, part| sum.saturating_add(part.in_flight()));
        second.budget = per_second(&budgets);
        sum.add_with(second, &budgets);
    }
    sum
}

#[allow(clippy::cast_possible_truncation)] // For a picture.
fn per_second(budgets: &[BudgetStatus]) -> f32 {
    tightest(budgets).map_or(f32::NAN, |budget| (budget / 60.0) as f32)
}

/// One log of a model, up to a second.
#[derive(Debug)]
struct Part<'a> {
    /// What comes after that second.
    seconds: &'a [Second],
    /// The row of that second, and the last that there was.
    now: Option<&'a Second>,
    last: Option<&'a Second>,
    /// The budgets after that second, and the last ones, with when they were told.
    kept: Vec<(u64, BudgetStatus)>,
    next: usize,
    budgets: Vec<(u64, BudgetStatus)>,
}

impl<'a> Part<'a> {
    fn of(series: &'a Series) -> Self {
        let mut kept = series.kept().to_vec();
        // Logs are in order, nearly always.
        kept.sort_by_key(|(at, _)| *at);
        Self { seconds: series.seconds(), now: None, last: None, kept, next: 0, budgets: Vec::new() }
    }

    /// No second that has a row may be left out.
    fn go_to(&mut self, at: u64) {
        self.now = None;
        if let Some((next, later)) = self.seconds.split_first().filter(|(next, _)| next.at == at) {
            (self.now, self.last, self.seconds) = (Some(next), Some(next), later);
        }
        while let Some(told) = self.kept.get(self.next).filter(|(told, _)| *told <= at) {
            match self.budgets.iter_mut().find(|(_, budget)| budget.meter == told.1.meter) {
                Some(last) => *last = *told,
                None => self.budgets.push(*told),
            }
            self.next += 1;
        }
    }

    /// Calls that are out.
    fn in_flight(&self) -> u32 {
        match (self.now, self.last) {
            (Some(now), _) => now.in_flight,
            (None, Some(last)) if !self.seconds.is_empty() => last.in_flight,
            _ => 0,
        }
    }
}

/// The budgets that any log tells of in this second: what all share is told by each, what was taken by each for itself. What
/// processes took of which there is no log is what others say beyond that.
fn budgets(parts: &[Part<'_>], at: u64) -> Vec<BudgetStatus> {
    let mut sum: Vec<BudgetStatus> = Vec::new();
    for (_, budget) in parts.iter().flat_map(|part| &part.budgets).filter(|(told, _)| *told == at) {
        match sum.iter_mut().find(|sum| sum.meter == budget.meter) {
            Some(sum) => {
                sum.limit = sum.limit.max(budget.limit);
                sum.learned = [sum.learned, budget.learned].into_iter().flatten().reduce(f64::min);
            }
            None => sum.push(BudgetStatus { taken: 0, others: 0, ..*budget }),
        }
    }
    for (told, budget) in parts.iter().flat_map(|part| &part.budgets) {
        if let Some(sum) = sum.iter_mut().find(|sum| sum.meter == budget.meter) {
            sum.taken = sum.taken.saturating_add(left(budget, at - told));
        }
    }
    for (told, budget) in parts.iter().flat_map(|part| &part.budgets) {
        if let Some(sum) = sum.iter_mut().find(|sum| sum.meter == budget.meter && *told == at) {
            let all = budget.taken.saturating_add(budget.others);
            sum.others = sum.others.max(all.saturating_sub(sum.taken));
        }
    }
    sum
}

/// What still counts of what was taken so many seconds ago: that of a minute goes evenly, that of a day all at once.
fn left(budget: &BudgetStatus, ago: u64) -> u64 {
    const DAY: u64 = 24 * 60 * 60;
    if per(budget.meter) == "day" {
        return if ago < DAY { budget.taken } else { 0 };
    }
    let left = u128::from(budget.taken) * u128::from(60 - ago.min(60)) / 60;
    u64::try_from(left).unwrap_or(u64::MAX)
}

/// The rows of one second, but for calls in flight and budgets.
fn summed(at: u64, rows: &[&Second]) -> Second {
    let mut sum = Second::counted(at, [0; 5]);
    for row in rows {
        sum.counts.iter_mut().zip(row.counts).for_each(|(sum, count)| *sum = sum.saturating_add(count));
        sum.failed = sum.failed.saturating_add(row.failed);
        sum.overloaded = sum.overloaded.saturating_add(row.overloaded);
        sum.rejected = sum.rejected.saturating_add(row.rejected);
        sum.reserved = sum.reserved.saturating_add(row.reserved);
        sum.used = sum.used.saturating_add(row.used);
        sum.rate = [sum.rate, row.rate]
            .into_iter()
            .filter(|rate| rate.is_finite())
            .reduce(|one, other| one + other)
            .unwrap_or(f32::NAN);
        // What is not a number is less than any.
        sum.limit = sum.limit.max(row.limit);
        sum.measured |= row.measured;
        sum.members = sum.members.max(row.members);
        sum.is_lost |= row.is_lost;
    }
    sum.held = held(rows);
    sum.waits = quantiles(rows.iter().map(|row| (row.counts[1], row.waits)));
    sum.calls = quantiles(rows.iter().map(|row| (row.counts[3], row.calls)));
    sum
}

/// What most calls wait for in all rows together, and the first of those that are alike.
fn held(rows: &[&Second]) -> Option<Bottleneck> {
    let waits_for = |reason| {
        let alike = rows.iter().filter(|row| row.held == Some(reason));
        alike.fold(0_u64, |sum, row| sum.saturating_add(row.counts[4]))
    };
    rows.iter().rev().filter_map(|row| row.held).max_by_key(|reason| waits_for(*reason))
}

/// The median as the mean of all medians, each as often as there were calls; of the others the largest.
fn quantiles(parts: impl Iterator<Item = (u64, [u32; 3])>) -> [u32; 3] {
    let (mut calls, mut millis, mut sum) = (0_u128, 0_u128, [0; 3]);
    for (count, quantiles) in parts {
        calls += u128::from(count);
        millis = millis.saturating_add(u128::from(count) * u128::from(quantiles[0]));
        sum.iter_mut().zip(quantiles).for_each(|(sum, one): (&mut u32, _)| *sum = one.max(*sum));
    }
    if let Some(mean) = millis.checked_div(calls) {
        sum[0] = u32::try_from(mean).unwrap_or(u32::MAX);
    }
    sum
}

#[cfg(test)]
mod tests;
