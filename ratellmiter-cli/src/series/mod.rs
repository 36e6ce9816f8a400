//! The rows of one model, by the second.

pub(crate) mod budgets;
pub(crate) mod closed;
mod lines;
pub(crate) mod processes;
mod second;

use ratellmiter_core::log::{BudgetStatus, Row};

pub(crate) use {
    lines::{Axis, Color, LINES, Line, Lines, MODEL_COLORS, OTHERS_COLOR, color_of},
    second::{Counts, Second},
};

use crate::series::{budgets::Budgets, closed::ClosedSpan};

/// The seconds of one model, in order. In a second without a row no event occurred and no call was queued.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Series {
    seconds: Vec<Second>,
    budgets: Budgets,
    /// `true` if any second contains tokens. Otherwise a usage of zero is unknown rather than zero.
    has_tokens: bool,
    /// Number of logs that were summed into this series, minus one.
    other_logs: u32,
    /// The budgets of each row with its time, if they are to be summed with those of other logs.
    kept_budgets: Vec<(u64, BudgetStatus)>,
}

impl Series {
    /// Creates an empty series for the sum of `logs` logs.
    pub(crate) fn of_logs(logs: usize) -> Self {
        Self { other_logs: u32::try_from(logs.saturating_sub(1)).unwrap_or(u32::MAX), ..Self::default() }
    }

    pub(crate) fn add_row(&mut self, row: &Row<'_>) {
        self.add_with(Second::from_row(row), &row.budgets);
    }

    /// Adds a second and its budgets.
    pub(crate) fn add_with(&mut self, second: Second, budgets: &[BudgetStatus]) {
        self.budgets.add(second.at, budgets);
        self.add(second);
    }

    /// Keeps the budgets of a row, to be summed with those of other logs. Does not add the row.
    pub(crate) fn keep_budgets(&mut self, row: &Row<'_>) {
        self.kept_budgets.extend(row.budgets.iter().map(|budget| (row.at, *budget)));
    }

    /// Appends the seconds of a later part of the log.
    pub(crate) fn append(&mut self, later: Self) {
        later.seconds.into_iter().for_each(|second| self.add(second));
        self.budgets.append(&later.budgets);
        self.kept_budgets.extend(later.kept_budgets);
    }

    /// Adds a second. If there is one for the same time, the two are summed.
    pub(crate) fn add(&mut self, second: Second) {
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

    /// Drops all but the last `rows` rows if there are at least twice as many.
    #[cfg(feature = "terminal")]
    pub(crate) fn keep_last(&mut self, rows: usize) {
        if self.seconds.len() >= 2 * rows {
            self.seconds.drain(..self.seconds.len() - rows);
        }
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

    /// Returns the number of calls.
    pub(crate) fn calls(&self) -> u64 {
        self.seconds.iter().map(Second::requested).fold(0, u64::saturating_add)
    }

    /// Returns the number of refusals. For a log that contains the refused calls in the queue instead, this is the sum of the
    /// increases of that number, a lower bound.
    pub(crate) fn refusals(&self) -> u64 {
        let mut refused_queued = 0;
        self.seconds.iter().fold(0, |sum: u64, second| {
            let before = if second.has_details { 0 } else { std::mem::replace(&mut refused_queued, second.refused()) };
            sum.saturating_add(second.refused().saturating_sub(before))
        })
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

    /// Returns the value of a line in a gap after `last`: counts are zero, calls stay in flight, and other values are unknown.
    fn value_in_gap(&self, last: &Second, letter: char) -> Option<f64> {
        match letter {
            'r' | 'i' | 'e' | 'f' | 'o' => Some(0.0),
            't' | 'u' => self.has_tokens.then_some(0.0),
            'n' => last.value(letter),
            _ => None,
        }
    }

    /// Returns the first and last second of each pause.
    pub(crate) fn pauses(&self) -> Vec<(u64, u64)> {
        let mut pauses: Vec<(u64, u64)> = Vec::new();
        for second in self.seconds.iter().filter(|second| second.is_paused()) {
            match pauses.last_mut() {
                Some((_, last)) if *last + 1 == second.at => *last = second.at,
                _ => pauses.push((second.at, second.at)),
            }
        }
        pauses
    }

    /// Returns the spans in which the limiter was closed, in order.
    pub(crate) fn closed_spans(&self) -> Vec<ClosedSpan> {
        closed::spans(&self.seconds)
    }
}

impl FromIterator<Second> for Series {
    fn from_iter<T: IntoIterator<Item = Second>>(rows: T) -> Self {
        let mut series = Self::default();
        rows.into_iter().for_each(|second| series.add(second));
        series
    }
}

impl<'a> FromIterator<Row<'a>> for Series {
    fn from_iter<T: IntoIterator<Item = Row<'a>>>(rows: T) -> Self {
        let mut series = Self::default();
        rows.into_iter().for_each(|row| series.add_row(&row));
        series
    }
}

#[cfg(test)]
mod tests;
