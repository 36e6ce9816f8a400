//! Sums the logs of processes that share their limiters into one run.
//!
//! Each second of the sum is made from the rows of that second. In a gap of a log its calls stay in flight until its next row,
//! its charges count for their minute or day, and a closed limiter stays closed until it opens. After the last row of a log none of its calls is in flight.

use std::{collections::BTreeMap, path::PathBuf};

use ratellmiter_core::log::{Bottleneck, BudgetStatus, ClosedReason, Sketch};
use thiserror::Error;

use crate::{
    read::Log,
    read::shown,
    series::{Second, Series, budgets::tokens_per_second},
    words::utc,
    write,
};

/// Longest time between two logs of one run, in seconds.
const MAX_GAP: u64 = 600;

/// The error of logs that cannot be summed.
#[derive(Debug, Error, PartialEq)]
pub(crate) enum CannotSum {
    #[error("{} is given twice; name each log once", shown(.0))]
    Twice(PathBuf),
    #[error("{} is a log of the Python package, which does not share limiters; only logs of one namespace can be summed", .0.display())]
    Python(PathBuf),
    #[error("{} has no namespace, since its process did not share its limiters; only logs of one namespace can be summed", .0.display())]
    Unshared(PathBuf),
    #[error("{} has no namespace and {} has the namespace {namespace:?}; only logs of one namespace can be summed", path.display(), other.display())]
    Without { path: PathBuf, other: PathBuf, namespace: String },
    #[error("{} ends at {ended} UTC and {} starts at {started} UTC, with no log between them; only logs of one run can be summed", earlier.display(), path.display())]
    Runs { earlier: PathBuf, path: PathBuf, ended: String, started: String },
    #[error("{} has the namespace {:?} and {} has {:?}; only logs of one namespace can be summed", paths[0].display(), namespaces[0], paths[1].display(), namespaces[1])]
    Namespaces { paths: [PathBuf; 2], namespaces: [String; 2] },
}

/// Returns an error if a file is given twice, also through links.
pub(crate) fn check_distinct(paths: &[PathBuf]) -> Result<(), CannotSum> {
    for (index, path) in paths.iter().enumerate() {
        if paths[..index].iter().any(|other| other == path || write::is_same_file(other, path)) {
            return Err(CannotSum::Twice(path.clone()));
        }
    }
    Ok(())
}

/// Returns an error unless all logs are of processes that shared their limiters with each other.
pub(crate) fn check_namespace(logs: &[(PathBuf, Log)]) -> Result<(), CannotSum> {
    if let Some((path, _)) = logs.iter().find(|(_, log)| log.is_python) {
        return Err(CannotSum::Python(path.clone()));
    }
    let shared = logs.iter().find_map(|(path, log)| Some((path, log.namespace.as_ref()?)));
    let Some((other, namespace)) = shared else {
        return logs.first().map_or(Ok(()), |(path, _)| Err(CannotSum::Unshared(path.clone())));
    };
    for (path, log) in logs {
        match &log.namespace {
            Some(own) if own == namespace => {}
            Some(own) => {
                let (paths, namespaces) = ([other.clone(), path.clone()], [namespace.clone(), own.clone()]);
                return Err(CannotSum::Namespaces { paths, namespaces });
            }
            None => {
                let (path, other, namespace) = (path.clone(), other.clone(), namespace.clone());
                return Err(CannotSum::Without { path, other, namespace });
            }
        }
    }
    Ok(())
}

/// Returns an error if no log covers the time between some of the logs and the others, so that they are of different runs.
pub(crate) fn check_one_run(logs: &[(PathBuf, Log)]) -> Result<(), CannotSum> {
    let span = |(path, log): &(PathBuf, Log)| {
        let seconds = || log.models.values().flat_map(Series::seconds).map(|second| second.at);
        Some((seconds().min()?, seconds().max()?, path.clone()))
    };
    let mut spans: Vec<_> = logs.iter().filter_map(span).collect();
    spans.sort();
    let mut last: Option<(u64, PathBuf)> = None;
    for (start, end, path) in spans {
        if let Some((before, earlier)) = last.as_ref().filter(|(before, _)| start.saturating_sub(*before) > MAX_GAP) {
            let (ended, started) = (utc(*before), utc(start));
            return Err(CannotSum::Runs { earlier: earlier.clone(), path, ended, started });
        }
        last = last.into_iter().chain([(end, path)]).max();
    }
    Ok(())
}

/// Returns the smallest and the largest limit, in calls a second, if two logs of the same time have no limit in common. A limit
/// that changed during the run is in both logs.
fn limit_conflict(series: &[&Series]) -> Option<[f32; 2]> {
    let limits = |series: &Series| {
        let mut limits: Vec<f32> = Vec::new();
        for limit in series.seconds().iter().map(|second| second.limit).filter(|limit| limit.is_finite()) {
            if !limits.iter().any(|known| is_same(*known, limit)) {
                limits.push(limit);
            }
        }
        limits
    };
    let logs: Vec<_> = series.iter().map(|series| (series, limits(series))).collect();
    let mut conflict: Option<[f32; 2]> = None;
    for (index, (one, of_one)) in logs.iter().enumerate() {
        for (other, of_other) in &logs[index + 1..] {
            let is_before = |one: &Series, other: &Series| one.start().saturating_add(one.length()) <= other.start();
            let is_apart = is_before(one, other) || is_before(other, one);
            let is_common = of_one.iter().any(|limit| of_other.iter().any(|other| is_same(*limit, *other)));
            if is_apart || is_common || of_one.is_empty() || of_other.is_empty() {
                continue;
            }
            for limit in of_one.iter().chain(of_other) {
                let [least, most] = conflict.unwrap_or([*limit; 2]);
                conflict = Some([least.min(*limit), most.max(*limit)]);
            }
        }
    }
    conflict
}

/// Returns `true` for limits that differ by rounding alone.
fn is_same(one: f32, other: f32) -> bool {
    (one - other).abs() <= one.abs().max(other.abs()) * 1e-3
}

/// Returns the sums of the logs, by model.
pub(crate) fn sum(logs: &[(PathBuf, Log)]) -> BTreeMap<String, Series> {
    let mut models: BTreeMap<&str, Vec<&Series>> = BTreeMap::new();
    for (model, series) in logs.iter().flat_map(|(_, log)| &log.models) {
        models.entry(model).or_default().push(series);
    }
    models.into_iter().map(|(model, series)| (model.to_owned(), sum_of_model(&series, logs.len()))).collect()
}

/// Returns the sum of the series of one model, of `logs` logs in total.
fn sum_of_model(series: &[&Series], logs: usize) -> Series {
    let mut seconds: Vec<u64> = series.iter().flat_map(|series| series.seconds()).map(|second| second.at).collect();
    seconds.sort_unstable();
    seconds.dedup();
    let sketches = summed_sketches(series);
    let mut cursors: Vec<LogCursor<'_>> = series.iter().map(|series| LogCursor::new(series)).collect();
    let mut sum = Series::of_logs(logs);
    series.iter().for_each(|log| sum.add_log(log));
    sum.set_limit_conflict(limit_conflict(series));
    for at in seconds {
        cursors.iter_mut().for_each(|cursor| cursor.advance_to(at));
        let rows: Vec<&Second> = cursors.iter().filter_map(|cursor| cursor.current).collect();
        let budgets = summed_budgets(&cursors, at);
        let mut second = summed_rows(at, &rows);
        if let Some([waits, latencies]) = sketches.get(&at) {
            second.wait_ms = with_sketch(second.wait_ms, second.issued(), waits);
            second.latency_ms = with_sketch(second.latency_ms, second.finished(), latencies);
        }
        second.in_flight = cursors.iter().fold(0, |sum, cursor| sum.saturating_add(cursor.in_flight()));
        second.token_budget = tokens_per_second(&budgets);
        // Closed if the limiter of any process is, until the last of them opens.
        for (reason, opens_at) in cursors.iter().filter_map(|cursor| cursor.closed(at)) {
            second.closed.get_or_insert(reason);
            second.opens_at = second.opens_at.max(opens_at);
        }
        sum.add_with(second, &budgets);
    }
    sum
}

/// A position in the series of one log.
#[derive(Debug)]
struct LogCursor<'a> {
    /// Seconds after the position.
    remaining: &'a [Second],
    /// Row at the position; `None` in a gap.
    current: Option<&'a Second>,
    /// Last row up to the position.
    last: Option<&'a Second>,
    /// All budgets with the times of their rows, in order.
    kept_budgets: Vec<(u64, BudgetStatus)>,
    /// Index in `kept_budgets` of the first one after the position.
    next: usize,
    /// Last status of each budget up to the position, with the time of its row.
    budgets: Vec<(u64, BudgetStatus)>,
}

impl<'a> LogCursor<'a> {
    fn new(series: &'a Series) -> Self {
        let mut kept_budgets = series.kept_budgets().to_vec();
        kept_budgets.sort_by_key(|(at, _)| *at);
        Self { remaining: series.seconds(), current: None, last: None, kept_budgets, next: 0, budgets: Vec::new() }
    }

    /// Moves to second `at`. Must be called for every second of the series, in order.
    fn advance_to(&mut self, at: u64) {
        self.current = None;
        if let Some((next, later)) = self.remaining.split_first().filter(|(next, _)| next.at == at) {
            (self.current, self.last, self.remaining) = (Some(next), Some(next), later);
        }
        while let Some(status) = self.kept_budgets.get(self.next).filter(|(reported, _)| *reported <= at) {
            match self.budgets.iter_mut().find(|(_, budget)| budget.meter == status.1.meter) {
                Some(last) => *last = *status,
                None => self.budgets.push(*status),
            }
            self.next += 1;
        }
    }

    /// Returns the calls in flight. In a gap they are those of the row before it.
    fn in_flight(&self) -> u32 {
        match (self.current, self.last) {
            (Some(current), _) => current.in_flight,
            (None, Some(last)) if !self.remaining.is_empty() => last.in_flight,
            _ => 0,
        }
    }

    /// Returns the reason for which the limiter is closed at the position `at`, and when it opens; `None` if it is open. In a
    /// gap it stays closed until it opens.
    fn closed(&self, at: u64) -> Option<(ClosedReason, u64)> {
        let row = match (self.current, self.last) {
            (None, Some(last)) if self.remaining.is_empty() || (1..=at).contains(&last.opens_at) => None,
            (current, last) => current.or(last),
        }?;
        row.closed.map(|reason| (reason, row.opens_at))
    }
}

/// Returns the budgets that any log reports in second `at`. Limits are shared, so they are not summed; the charges of each
/// process are. `others` is what processes without a log have charged, derived from the largest total reported.
fn summed_budgets(cursors: &[LogCursor<'_>], at: u64) -> Vec<BudgetStatus> {
    let mut sum: Vec<BudgetStatus> = Vec::new();
    let budgets = || cursors.iter().flat_map(|cursor| &cursor.budgets);
    for (_, budget) in budgets().filter(|(reported, _)| *reported == at) {
        match sum.iter_mut().find(|sum| sum.meter == budget.meter) {
            Some(sum) => {
                sum.limit = sum.limit.max(budget.limit);
                sum.learned = [sum.learned, budget.learned].into_iter().flatten().reduce(f64::min);
            }
            None => sum.push(BudgetStatus { taken: 0, others: 0, ..*budget }),
        }
    }
    for (reported, budget) in budgets() {
        if let Some(sum) = sum.iter_mut().find(|sum| sum.meter == budget.meter) {
            sum.taken = sum.taken.saturating_add(still_charged(budget, at - reported));
        }
    }
    for (reported, budget) in budgets() {
        if let Some(sum) = sum.iter_mut().find(|sum| sum.meter == budget.meter && *reported == at) {
            let total = budget.taken.saturating_add(budget.others);
            sum.others = sum.others.max(total.saturating_sub(sum.taken));
        }
    }
    sum
}

/// Returns the part of a charge that still counts `age` seconds later. A charge per minute expires evenly, one per day at once.
fn still_charged(budget: &BudgetStatus, age: u64) -> u64 {
    const DAY: u64 = 24 * 60 * 60;
    if budget.meter.is_daily() {
        return if age < DAY { budget.taken } else { 0 };
    }
    let left = u128::from(budget.taken) * u128::from(60 - age.min(60)) / 60;
    u64::try_from(left).unwrap_or(u64::MAX)
}

/// Returns the sum of the rows of one second, without calls in flight and budgets.
fn summed_rows(at: u64, rows: &[&Second]) -> Second {
    let mut sum = Second::from_counts(at, [0; 5]);
    for row in rows {
        sum.add_counts(row);
        sum.rate = [sum.rate, row.rate]
            .into_iter()
            .filter(|rate| rate.is_finite())
            .reduce(|one, other| one + other)
            .unwrap_or(f32::NAN);
        // `max` and `min` ignore `NAN`.
        sum.limit = sum.limit.max(row.limit);
        sum.adapted = sum.adapted.min(row.adapted);
        sum.adapted_in_flight = sum.adapted_in_flight.min(row.adapted_in_flight);
        sum.has_details |= row.has_details;
        sum.processes = sum.processes.max(row.processes);
        // The processes of a fleet pause together.
        sum.pauses = sum.pauses.max(row.pauses);
        sum.paused_ms = sum.paused_ms.max(row.paused_ms);
        sum.is_disconnected |= row.is_disconnected;
    }
    sum.bottleneck = main_bottleneck(rows);
    sum.wait_ms = quantiles(rows.iter().map(|row| (row.issued(), row.wait_ms)));
    sum.latency_ms = quantiles(rows.iter().map(|row| (row.finished(), row.latency_ms)));
    sum
}

/// Returns the sums of the sketches of waits and latencies, by second.
fn summed_sketches(series: &[&Series]) -> BTreeMap<u64, [Sketch; 2]> {
    let mut sums: BTreeMap<u64, [Sketch; 2]> = BTreeMap::new();
    for (at, sketches) in series.iter().flat_map(|series| series.kept_sketches()) {
        sums.entry(*at).or_default().iter_mut().zip(sketches).for_each(|(sum, sketch)| sum.merge(sketch));
    }
    sums
}

/// Returns the median and 99th percentile of a sketch of all `calls`, with the maximum of `quantiles`. Returns `quantiles` if the
/// sketch lacks some calls, of logs without sketches.
fn with_sketch(quantiles: [u32; 3], calls: u64, sketch: &Sketch) -> [u32; 3] {
    let max = quantiles[2];
    let quantile = |of| sketch.quantile(of).map(|bucket| u32::try_from(bucket.to).unwrap_or(u32::MAX).min(max));
    match (quantile(0.5), quantile(0.99)) {
        (Some(p50), Some(p99)) if sketch.count() >= calls => [p50, p99, max],
        _ => quantiles,
    }
}

/// Returns the bottleneck with the most queued calls; of equal ones the first.
fn main_bottleneck(rows: &[&Second]) -> Option<Bottleneck> {
    let queued = |bottleneck| {
        let limited = rows.iter().filter(|row| row.bottleneck == Some(bottleneck));
        limited.fold(0_u64, |sum, row| sum.saturating_add(row.queued()))
    };
    rows.iter().rev().filter_map(|row| row.bottleneck).max_by_key(|bottleneck| queued(*bottleneck))
}

/// Returns the mean of the medians, weighted by the number of calls, and the largest of the other quantiles.
fn quantiles(parts: impl Iterator<Item = (u64, [u32; 3])>) -> [u32; 3] {
    let (mut calls, mut millis, mut combined) = (0_u128, 0_u128, [0; 3]);
    for (count, quantiles) in parts {
        calls += u128::from(count);
        millis = millis.saturating_add(u128::from(count) * u128::from(quantiles[0]));
        combined.iter_mut().zip(quantiles).for_each(|(max, one): (&mut u32, _)| *max = one.max(*max));
    }
    if let Some(mean) = millis.checked_div(calls) {
        combined[0] = u32::try_from(mean).unwrap_or(u32::MAX);
    }
    combined
}

#[cfg(test)]
mod tests;
