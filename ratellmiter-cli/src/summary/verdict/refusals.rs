//! The conclusions that the refusals of a run allow.

use std::ops::Range;

use crate::{
    series::Second,
    summary::{
        figures::Summary,
        verdict::stretches::{self, Accepted, between, highest, lasted, longest},
    },
    words::{duration, plural},
};

/// Number of refusals below which no limit is suggested: a single one may have any cause.
const MIN_REFUSALS: u64 = 2;
/// Time over which the refused rate is averaged, in seconds, so that a burst the server lets through hardly counts.
const WINDOW_SECONDS: u64 = 20;
/// Number of calls for which the window may be longer, and its length then.
const WINDOW_CALLS: u64 = 10;
const MAX_WINDOW_SECONDS: u64 = 120;
/// Time over which the rate before a refusal is averaged, in seconds, to see a ramp.
const LAST_SECONDS: u64 = 5;
/// Factor between the refused rate and one accepted at other times from which on they contradict each other.
const CONTRADICTION: f64 = 1.25;
/// Time after which any limit per minute is refilled, in seconds.
const MINUTE: u64 = 60;
/// Part of the configured rate at which it counts as used.
const FULL: f64 = 0.99;
/// Part of a suggested rate that was accepted over some minute, pauses included, or the rate is not that of the server's limit: it
/// counts calls over a longer time.
const SUSTAINED: f64 = 2.0 / 3.0;
/// Factor between the refused rate and the calls accepted in a minute from which on the server counts by the minute.
const SPREAD: f64 = 1.15;
/// Part of the configured rate above which a suggested one needs refusals at several times.
const NEAR: f64 = 0.9;

/// Conclusion from the refusals of a run, and from the rates that were accepted.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Refusals {
    /// No refusals. If `is_full`, the server accepted the configured rate for a minute.
    None { is_full: bool },
    /// Refusals by an overloaded server alone.
    Overloads,
    /// Refusals at a `rate`, in calls per second, that support a lower limit of `per_minute`. `most` calls were accepted in a minute,
    /// if they are the measure.
    Limit { count: u64, rate: f64, per_minute: u64, most: Option<u64> },
    /// Refusals at a rate that the server accepted at another time, or a higher one.
    Contradicted { count: u64, accepted: Accepted, is_later: bool },
    /// Refusals that support no limit.
    Unexplained { count: u64 },
}

impl Refusals {
    pub(super) fn of(summary: &Summary, seconds: &[Second]) -> Self {
        let count = summary.refusals;
        if count == 0 {
            return Self::None { is_full: is_full(summary, seconds) };
        }
        if summary.only_overloads() {
            return Self::Overloads;
        }
        let unexplained = Self::Unexplained { count };
        let refused = Refused { seconds };
        let Some((first, last)) = refused.first_and_last() else {
            return unexplained;
        };
        let is_partial = summary.processes.is_some_and(crate::series::processes::Processes::is_part);
        let refused_rate = refused.rate();
        if refused_rate <= 0.0 {
            return unexplained;
        }
        // The mean of a ramp is lower than the rate that it has reached.
        let reached = refused_rate.max(refused.last_rate(last));
        if !is_partial && let Some((accepted, is_later)) = refused.contradiction(first, last, reached) {
            return Self::Contradicted { count, accepted, is_later };
        }
        // A rate that was accepted for a minute, or last, is not too high.
        let rate = rounded(refused.accepted_since(first, last).fold(refused_rate, f64::max));
        // A server that counts by the minute refuses at a higher rate than that of its limit: the calls of a minute are its measure.
        let most = refused.minute_before_refusals().filter(|minute| rate > minute * SPREAD);
        let later = refused.best_minute(first).unwrap_or(0.0);
        let per_minute = suggested_limit(most.unwrap_or(rate).max(later));
        let rate_refusals = count.saturating_sub(summary.overloaded.unwrap_or(0));
        let is_supported = summary.limit.is_some_and(|limit| {
            let suggested = as_float(per_minute);
            suggested < limit && (suggested <= limit * NEAR || refused.pauses() >= MIN_REFUSALS)
        });
        if is_supported && rate_refusals >= MIN_REFUSALS && refused.is_sustained(rate) {
            Self::Limit { count, rate, per_minute, most: most.map(calls_of_a_minute) }
        } else {
            unexplained
        }
    }

    /// Returns the largest number of calls that were accepted in a minute, if it is the measure of the suggested limit.
    pub(super) fn most_accepted(&self) -> Option<u64> {
        if let Self::Limit { most, .. } = self { *most } else { None }
    }

    /// Returns the clause of a verdict on the refusals, and the caution for a user who is about to change the setting in
    /// `before`.
    pub(super) fn clause(&self, before: &str) -> String {
        match *self {
            Self::None { .. } => "no refusals".into(),
            Self::Overloads => "all refusals were overloads".into(),
            Self::Contradicted { count, accepted, is_later } => format!(
                "{}, although the server accepted {} per second for {} {}",
                plural(count, "refusal"),
                decimal((accepted.rate * 10.0).round() / 10.0),
                duration(accepted.seconds),
                match (is_later, count) {
                    (false, _) => "before",
                    (true, 1) => "after it",
                    (true, _) => "after the first of them",
                },
            ),
            Self::Limit { count, .. } | Self::Unexplained { count } => caution(count, before),
        }
    }

    /// Returns the clause of a verdict on a run that was limited by a budget: the rates of the calls are no evidence on it.
    pub(super) fn clause_on_budget(&self, summary: &Summary, before: &str) -> String {
        match self {
            Self::None { .. } | Self::Overloads => self.clause(before),
            _ => caution(summary.refusals, before),
        }
    }
}

fn caution(count: u64, before: &str) -> String {
    format!("{}: find the cause before {before}", plural(count, "refusal"))
}

/// Returns `true` if successful calls ended at the configured rate for a minute.
fn is_full(summary: &Summary, seconds: &[Second]) -> bool {
    let Some(limit) = summary.limit.filter(|limit| *limit > 0.0) else {
        return false;
    };
    let successful = |second: &Second| second.finished().saturating_sub(second.failed);
    highest(seconds, 0..seconds.len(), MINUTE, successful).is_some_and(|rate| rate * 60.0 >= limit * FULL)
}

/// The refusals because of a rate, in the rows of a run.
struct Refused<'a> {
    seconds: &'a [Second],
}

impl Refused<'_> {
    /// Returns the refusals of a row that neither an overload nor a spent quota caused.
    fn count(&self, row: usize) -> u64 {
        let second = &self.seconds[row];
        if second.closed.is_some() {
            return 0;
        }
        let before = row.checked_sub(1).map(|before| &self.seconds[before]);
        second.newly_refused(before).saturating_sub(second.overloaded.into())
    }

    fn first_and_last(&self) -> Option<(usize, usize)> {
        let mut rows = (0..self.seconds.len()).filter(|row| self.count(*row) > 0);
        let first = rows.next()?;
        Some((first, rows.next_back().unwrap_or(first)))
    }

    /// Returns the number of pauses that refusals began.
    fn pauses(&self) -> u64 {
        (0..self.seconds.len()).filter(|row| self.starts_pause(*row)).count() as u64
    }

    /// Returns `true` if calls were refused in a row before which the limiter was not paused. A refusal during a pause is that
    /// of a canary.
    fn starts_pause(&self, row: usize) -> bool {
        self.count(row) > 0 && (row == 0 || !self.seconds[row - 1].is_paused() && self.count(row - 1) == 0)
    }

    /// Returns `true` unless pauses kept the accepted calls of each minute far below a `rate` in calls per second.
    fn is_sustained(&self, rate: f64) -> bool {
        self.best_minute(0).is_none_or(|minute| minute >= rate * SUSTAINED)
    }

    /// Returns the highest rate that was accepted over the minute before a refusal, in calls per second; `None` if there was no such
    /// minute.
    fn minute_before_refusals(&self) -> Option<f64> {
        let seconds = self.seconds;
        let first = seconds.first()?.at;
        let accepted = |row: usize| seconds[row].issued().saturating_sub(self.count(row));
        let refused = (0..seconds.len())
            .filter(|row| self.count(*row) > 0 && seconds[*row].at.saturating_sub(first) + 1 >= MINUTE);
        let minutes = refused.map(|row| {
            let from = seconds.partition_point(|second| second.at.saturating_add(MINUTE) <= seconds[row].at);
            as_float((from..=row).map(accepted).fold(0, u64::saturating_add)) / as_float(MINUTE)
        });
        minutes.reduce(f64::max)
    }

    /// Returns the highest rate that was accepted over a minute from the row `from` on, in calls per second; `None` if less than a minute
    /// is left.
    fn best_minute(&self, from: usize) -> Option<f64> {
        let accepted =
            |second: &Second| second.issued().saturating_sub(if second.has_details { second.refused() } else { 0 });
        highest(self.seconds, from..self.seconds.len(), MINUTE, accepted)
    }

    /// Returns the rate over the last seconds before the end of a row, in calls per second.
    fn last_rate(&self, row: usize) -> f64 {
        let from = (0..row).rev().take_while(|from| lasted(self.seconds, *from, row + 1) <= LAST_SECONDS).last();
        let from = from.unwrap_or(row);
        let calls = self.seconds[from..=row].iter().map(Second::issued).fold(0, u64::saturating_add);
        as_float(calls) / as_float(lasted(self.seconds, from, row + 1).clamp(1, LAST_SECONDS))
    }

    fn is_break(&self, row: usize) -> bool {
        let second = &self.seconds[row];
        self.count(row) > 0 || second.is_paused() || second.closed.is_some()
    }

    /// Returns the highest accepted rate of each stretch, with the time for which it was accepted.
    fn stretches(&self, rows: Range<usize>) -> impl Iterator<Item = Accepted> {
        between(rows, |row| self.is_break(row)).into_iter().filter_map(|stretch| {
            let rate = highest(self.seconds, stretch.clone(), stretches::MIN_SECONDS, Second::issued)?;
            let steady = longest(self.seconds, stretch, rate * 0.98)?;
            Some(Accepted { rate: rate.max(steady.rate), ..steady })
        })
    }

    /// Returns the rates that were accepted after the first refusal for a minute, and after the last one for a shorter time.
    fn accepted_since(&self, first: usize, last: usize) -> impl Iterator<Item = f64> {
        let in_between = between(first..last, |row| self.is_break(row));
        let in_between =
            in_between.into_iter().filter_map(|stretch| highest(self.seconds, stretch, MINUTE, Second::issued));
        in_between.chain(self.stretches(last + 1..self.seconds.len()).map(|accepted| accepted.rate))
    }

    /// Returns an accepted rate that contradicts a limit of `rate`, and `true` if it was accepted after the first refusal.
    fn contradiction(&self, first: usize, last: usize, rate: f64) -> Option<(Accepted, bool)> {
        let seconds = self.seconds;
        let end = seconds.len();
        let longest_first = |one: &Accepted, other: &Accepted| one.seconds.cmp(&other.seconds);
        let is_higher = |accepted: &Accepted| accepted.rate > rate * CONTRADICTION;
        if let Some(accepted) = self.stretches(first..end).filter(is_higher).max_by(longest_first) {
            return Some((accepted, true));
        }
        // The refused rate was accepted for longer than it was refused, and later.
        let refused_seconds = lasted(seconds, first, last + 1);
        let after = between(last + 1..end, |row| self.is_break(row));
        let same = after.into_iter().filter_map(|stretch| longest(seconds, stretch, rate));
        let same = same.filter(|same| same.rate >= rate && same.seconds > refused_seconds).max_by(longest_first);
        if let Some(accepted) = same {
            return Some((accepted, true));
        }
        // A server may have let through the unused calls of a minute before, but no more.
        let rest = lasted(seconds, first, end);
        let is_no_burst = |accepted: &Accepted| {
            let calls = accepted.rate * as_float(accepted.seconds);
            accepted.seconds > rest || calls > rate * as_float(accepted.seconds.saturating_add(MINUTE)) * 1.1
        };
        let before = self.stretches(0..first).filter(|accepted| is_higher(accepted) && is_no_burst(accepted));
        before.max_by(longest_first).map(|accepted| (accepted, false))
    }

    /// Returns the rate that the server accepted before the last refusal, in calls per second.
    ///
    /// The last refusal is used because the ramp is over by then.
    fn rate(&self) -> f64 {
        let seconds = self.seconds;
        let is_refused = |row: &usize| self.count(*row) > 0;
        let rows = || (0..seconds.len()).rev();
        let last = rows().find(|row| self.starts_pause(*row)).or_else(|| rows().find(is_refused)).unwrap_or(0);
        // A slow refusal arrives in a second in which no call is sent: the calls before the pause count.
        let is_flowing = |row: &usize| seconds[*row].issued() > 0 && !self.is_break(*row);
        let last = if seconds.get(last).is_some_and(|second| second.issued() > 0) {
            last
        } else {
            (0..last).rev().find(is_flowing).unwrap_or(last)
        };
        let accepted = |row: usize| seconds[row].issued().saturating_sub(self.count(row));
        let (mut from, mut calls) = (last, accepted(last));
        while from > 0 && !self.is_break(from - 1) {
            let time = lasted(seconds, from - 1, last + 1);
            if time > MAX_WINDOW_SECONDS || (time > WINDOW_SECONDS && calls >= WINDOW_CALLS) {
                break;
            }
            from -= 1;
            calls = calls.saturating_add(accepted(from));
        }
        // The last row lasts for a second here, since the pause follows.
        let time = seconds.get(last).map_or(1, |row| row.at.saturating_sub(seconds[from].at).saturating_add(1));
        rounded(as_float(calls) / as_float(time))
    }
}

/// Rounds a rate down to the printed digits, so that the suggested limit matches the printed rate.
fn rounded(rate: f64) -> f64 {
    let digits = if rate < 1.0 { 100.0 } else { 10.0 };
    (rate * digits + 1e-6).floor() / digits
}

/// Formats a rate in calls per second.
pub(super) fn decimal(rate: f64) -> String {
    if rate < 1.0 { format!("{rate:.2}") } else { format!("{rate:.1}") }
}

/// Returns the whole calls of a minute at a rate per second.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
fn calls_of_a_minute(rate: f64) -> u64 {
    (rate * 60.0 + 1e-6) as u64
}

/// Returns a rate in calls per minute, rounded down to a round number of at least 1.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
fn suggested_limit(per_second: f64) -> u64 {
    let per_minute = per_second * 60.0 + 1e-6;
    let step = match per_minute {
        ..20.0 => 1.0,
        ..200.0 => 5.0,
        ..2000.0 => 10.0,
        _ => 100.0,
    };
    ((per_minute / step).floor() * step).max(1.0) as u64
}

#[allow(clippy::cast_precision_loss)] // Counts of a log.
fn as_float(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests;
