//! The rows of one model, by the second.

pub(crate) mod budgets;
mod builder;
pub(crate) mod closed;
pub(crate) mod conflicts;
mod lines;
pub(crate) mod pauses;
pub(crate) mod processes;
mod second;
pub(crate) mod times;

use ratellmiter_core::log::{BudgetStatus, Row, Sketch};

pub(crate) use {
    builder::SeriesBuilder,
    lines::{Axis, Color, LINES, Line, Lines, MODEL_COLORS, OTHERS_COLOR, color_of},
    second::{Counts, Second},
};

use crate::series::{
    budgets::Budgets,
    closed::ClosedSpan,
    conflicts::{BudgetConflict, LogBudgets},
    times::Times,
};

/// The seconds of one model, in order. In a second without a row no event occurred and no call was queued.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Series {
    seconds: Vec<Second>,
    budgets: Budgets,
    waits: Times,
    latencies: Times,
    /// `true` if any second contains tokens. Otherwise a usage of zero is unknown rather than zero.
    has_tokens: bool,
    /// Number of logs that were summed into this series, minus one.
    other_logs: u32,
    /// The budgets of each row with its time, if they are to be summed with those of other logs.
    kept_budgets: Vec<(u64, BudgetStatus)>,
    /// The sketches of waits and latencies of each row with its time, if they are to be summed with those of other logs.
    kept_sketches: Vec<(u64, [Sketch; 2])>,
    /// The ends of the logs that were summed; empty for a single log.
    ends: Vec<End>,
    /// Pauses that began, as the log with the most of them contains them; 0 for a single log.
    summed_pauses: u64,
    /// The limits in calls a second, if the logs that were summed differ in them.
    limit_conflict: Option<[f32; 2]>,
    /// The budgets of the logs that were summed; empty for a single log.
    log_budgets: Vec<LogBudgets>,
}

/// The calls that had not ended when a log ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct End {
    pub(crate) waiting: u64,
    pub(crate) in_flight: u64,
}

impl Series {
    /// Creates an empty series for the sum of `logs` logs.
    pub(crate) fn of_logs(logs: usize) -> Self {
        Self { other_logs: u32::try_from(logs.saturating_sub(1)).unwrap_or(u32::MAX), ..Self::default() }
    }

    #[cfg(test)]
    pub(crate) fn add_row(&mut self, row: &Row<'_>) {
        let second = Second::from_row(row);
        self.add_times(&second, &row.wait_buckets, &row.call_buckets, Some(row.wait_total_ms));
        self.add_with(second, &row.budgets);
    }

    fn add_times(&mut self, second: &Second, waits: &Sketch, latencies: &Sketch, waited: Option<u64>) {
        if !second.has_details {
            return;
        }
        match waits.count() {
            0 => self.waits.add_quantiles(second.issued(), second.wait_ms),
            _ => self.waits.add_sketch(waits, second.wait_ms[2].into(), waited),
        }
        match latencies.count() {
            0 => self.latencies.add_quantiles(second.finished(), second.latency_ms),
            _ => self.latencies.add_sketch(latencies, second.latency_ms[2].into(), None),
        }
    }

    /// Adds a second and its budgets, without its waits and latencies.
    pub(crate) fn add_with(&mut self, second: Second, budgets: &[BudgetStatus]) {
        self.budgets.add(second.at, budgets);
        self.insert(second);
    }

    /// Keeps the budgets and sketches of a row, to be summed with those of other logs. Does not add the row.
    pub(crate) fn keep_budgets(&mut self, row: &Row<'_>) {
        if row.wait_buckets.count() > 0 || row.call_buckets.count() > 0 {
            self.kept_sketches.push((row.at, [row.wait_buckets.clone(), row.call_buckets.clone()]));
        }
        self.kept_budgets.extend(row.budgets.iter().map(|budget| (row.at, *budget)));
    }

    /// Appends the seconds of a later part of the log.
    #[cfg(test)]
    pub(crate) fn append(&mut self, later: Self) {
        later.seconds.into_iter().for_each(|second| self.insert(second));
        self.budgets.append(&later.budgets);
        self.add_times_of(&later.waits, &later.latencies);
        self.kept_budgets.extend(later.kept_budgets);
        self.kept_sketches.extend(later.kept_sketches);
    }

    /// Adds the waits and latencies of another series.
    fn add_times_of(&mut self, waits: &Times, latencies: &Times) {
        self.waits.merge(waits);
        self.latencies.merge(latencies);
    }

    /// Adds the waits, latencies and ends of a log that is summed into this series.
    pub(crate) fn add_log(&mut self, log: &Self) {
        self.add_times_of(&log.waits, &log.latencies);
        self.summed_pauses = self.summed_pauses.max(log.pauses_begun());
        self.ends.push(log.end());
        self.log_budgets.push(LogBudgets::new(log.start(), log.length(), &log.kept_budgets));
    }

    /// Adds a second. If there is one for the same time, the two are summed. For many rows in any order, see [`SeriesBuilder`].
    pub(crate) fn add(&mut self, second: Second) {
        let none = Sketch::default();
        self.add_times(&second, &none, &none, None);
        self.insert(second);
    }

    fn insert(&mut self, second: Second) {
        self.has_tokens |= second.has_tokens();
        let seconds = &mut self.seconds;
        match seconds.last_mut() {
            Some(last) if last.at == second.at => last.add(&second),
            // Rare: logs are in order of time.
            Some(last) if last.at > second.at => match seconds.binary_search_by_key(&second.at, |second| second.at) {
                Ok(index) => seconds[index].add(&second),
                Err(index) => seconds.insert(index, second),
            },
            _ => seconds.push(second),
        }
    }

    /// Returns `true` if there are `rows` rows after `at`, so that [`keep_last`](Self::keep_last) would drop one of that second.
    #[cfg(feature = "terminal")]
    pub(crate) fn is_beyond_last(&self, rows: usize, at: u64) -> bool {
        let first = self.seconds.len().checked_sub(rows).and_then(|first| self.seconds.get(first));
        first.is_some_and(|first| at < first.at)
    }

    /// Drops all but the last `rows` rows if there are at least twice as many.
    #[cfg(feature = "terminal")]
    pub(crate) fn keep_last(&mut self, rows: usize) {
        if self.seconds.len() >= 2 * rows {
            self.seconds.drain(..self.seconds.len() - rows);
        }
    }

    /// Returns `true` if the log contains the refused calls in the queue in place of the number of refusals.
    pub(crate) fn has_refused_queue(&self) -> bool {
        self.seconds.iter().any(|second| second.newly_refused.is_some())
    }

    pub(crate) fn seconds(&self) -> &[Second] {
        &self.seconds
    }

    pub(crate) fn budgets(&self) -> &Budgets {
        &self.budgets
    }

    /// Returns `true` if the log contains tokens.
    pub(crate) fn has_tokens(&self) -> bool {
        self.has_tokens
    }

    /// Returns the number of logs that were summed.
    pub(crate) fn logs(&self) -> u32 {
        self.other_logs.saturating_add(1)
    }

    /// Returns the budgets kept by [`keep_budgets`](Self::keep_budgets), each with the time of its row.
    pub(crate) fn kept_budgets(&self) -> &[(u64, BudgetStatus)] {
        &self.kept_budgets
    }

    /// Returns the waits of the tickets that were granted.
    pub(crate) fn waits(&self) -> &Times {
        &self.waits
    }

    pub(crate) fn latencies(&self) -> &Times {
        &self.latencies
    }

    /// Returns the calls that had not ended when the log, or each of the summed logs, ended.
    pub(crate) fn end(&self) -> End {
        if self.ends.is_empty() {
            let last = self.seconds.last();
            return last
                .map_or_else(End::default, |last| End { waiting: last.queued(), in_flight: last.in_flight.into() });
        }
        self.ends.iter().fold(End::default(), |sum, end| End {
            waiting: sum.waiting.saturating_add(end.waiting),
            in_flight: sum.in_flight.saturating_add(end.in_flight),
        })
    }

    /// Returns the limits in calls a second if the summed logs differ in them.
    pub(crate) fn limit_conflict(&self) -> Option<[f32; 2]> {
        self.limit_conflict
    }

    pub(crate) fn set_limit_conflict(&mut self, conflict: Option<[f32; 2]>) {
        self.limit_conflict = conflict;
    }

    /// Returns the budgets in which the summed logs differ.
    pub(crate) fn budget_conflicts(&self) -> Vec<BudgetConflict> {
        conflicts::conflicts(&self.log_budgets)
    }

    /// Returns the sketches of waits and latencies kept by [`keep_budgets`](Self::keep_budgets), each with the time of its row.
    pub(crate) fn kept_sketches(&self) -> &[(u64, [Sketch; 2])] {
        &self.kept_sketches
    }

    /// Returns the number of calls.
    pub(crate) fn calls(&self) -> u64 {
        self.seconds.iter().map(Second::requested).fold(0, u64::saturating_add)
    }

    /// Returns the number of refusals. For a log that contains the refused calls in the queue instead, it is the number of calls that
    /// joined these. If they are not known, it is the sum of the increases, a lower bound.
    pub(crate) fn refusals(&self) -> u64 {
        let before = std::iter::once(None).chain(self.seconds.iter().map(Some));
        let refused = self.seconds.iter().zip(before).map(|(second, before)| second.newly_refused(before));
        refused.fold(0, u64::saturating_add)
    }

    /// Returns the time of the first second, since the epoch.
    pub(crate) fn start(&self) -> u64 {
        self.seconds.first().map_or(0, |second| second.at)
    }

    /// Returns the number of seconds from the first to the last, both included.
    pub(crate) fn length(&self) -> u64 {
        self.seconds.last().map_or(0, |last| (last.at - self.start()).saturating_add(1))
    }

    /// Returns the value of a line in `second`; `None` if it has none.
    pub(crate) fn value(&self, second: &Second, letter: char) -> Option<f64> {
        let is_known = self.has_tokens || !matches!(letter, 't' | 'u');
        second.value(letter).filter(|_| is_known)
    }

    /// Returns the corners of a line as seconds and values. A gap between rows contributes its first and last second only.
    pub(crate) fn corners(&self, letter: char) -> impl Iterator<Item = (u64, f64)> {
        let mut before: Option<&Second> = None;
        self.seconds.iter().flat_map(move |second| {
            let gap = before.replace(second).filter(|last| last.at + 1 < second.at);
            let height = gap.and_then(|last| self.value_in_gap(last, letter));
            let ends = gap.zip(height).map(|(last, height)| [(last.at + 1, height), (second.at - 1, height)]);
            ends.into_iter().flatten().chain(self.value(second, letter).map(|height| (second.at, height)))
        })
    }

    /// Returns the name of a line in a picture. In logs of the Python package, `e` is a level.
    pub(crate) fn name_of(&self, line: &Line) -> &'static str {
        if self.has_refused_queue() && line.letter == 'e' { "waiting after a refusal" } else { line.name }
    }

    /// Returns the values of a line with their first and last seconds. A gap between rows is one piece, unless the value is
    /// unknown in it.
    pub(crate) fn pieces(&self, letter: char) -> impl Iterator<Item = (u64, u64, f64)> {
        let mut before: Option<&Second> = None;
        self.seconds.iter().flat_map(move |second| {
            let gap = before.replace(second).filter(|last| last.at + 1 < second.at);
            let gap = gap.and_then(|last| Some((last.at + 1, second.at - 1, self.value_in_gap(last, letter)?)));
            let value = self.value(second, letter).map(|value| (second.at, second.at, value));
            gap.into_iter().chain(value)
        })
    }

    /// Returns the value of a line in a gap after `last`: counts are zero, calls stay in flight, and other values are unknown. While
    /// calls are queued each second has a row, so that after such a row all values are unknown. Logs of the Python package
    /// have no such rows.
    pub(crate) fn value_in_gap(&self, last: &Second, letter: char) -> Option<f64> {
        match letter {
            _ if last.has_details && last.queued() > 0 => None,
            'r' | 'i' | 'e' | 'f' | 'o' => Some(0.0),
            't' | 'u' => self.has_tokens.then_some(0.0),
            'n' => last.value(letter),
            _ => None,
        }
    }

    /// Returns the first and last second of each span that is shaded as a pause: of the seconds that were paused for the most part.
    pub(crate) fn pauses(&self) -> Vec<(u64, u64)> {
        pauses::spans(&self.seconds)
    }

    /// Returns the paused parts of the seconds.
    pub(crate) fn paused_parts(&self) -> Vec<pauses::Pause> {
        pauses::parts(&self.seconds)
    }

    /// Returns the number of pauses that began.
    pub(crate) fn pauses_begun(&self) -> u64 {
        if self.ends.is_empty() { pauses::begun(&self.seconds) } else { self.summed_pauses }
    }

    /// Returns the time spent in pauses, in milliseconds.
    pub(crate) fn paused_ms(&self) -> u64 {
        pauses::total_ms(&self.seconds)
    }

    /// Returns the spans in which the limiter was closed, in order.
    pub(crate) fn closed_spans(&self) -> Vec<ClosedSpan> {
        closed::spans(&self.seconds)
    }
}

impl FromIterator<Second> for Series {
    fn from_iter<T: IntoIterator<Item = Second>>(rows: T) -> Self {
        let mut builder = SeriesBuilder::default();
        rows.into_iter().for_each(|second| builder.add(second));
        builder.build()
    }
}

impl<'a> FromIterator<Row<'a>> for Series {
    fn from_iter<T: IntoIterator<Item = Row<'a>>>(rows: T) -> Self {
        let mut builder = SeriesBuilder::default();
        rows.into_iter().for_each(|row| builder.add_row(&row));
        builder.build()
    }
}

#[cfg(test)]
mod tests;
