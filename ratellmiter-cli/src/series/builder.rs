//! Collects rows of one model in any order.

use ratellmiter_core::log::{Row, Sketch};

use crate::series::{Second, Series};

/// A series in the making. Rows are added in any order, and sorted once when all of them are known.
///
/// The result is that of [`Series::add_row`] for each row, which moves the later seconds for each row that is out of order.
#[derive(Debug, Default)]
pub(crate) struct SeriesBuilder {
    /// The rows in the order in which they were added. Consecutive rows of the same second are one.
    series: Series,
    is_out_of_order: bool,
}

impl SeriesBuilder {
    pub(crate) fn add_row(&mut self, row: &Row<'_>) {
        let second = Second::from_row(row);
        self.series.add_times(&second, &row.wait_buckets, &row.call_buckets, Some(row.wait_total_ms));
        self.series.budgets.add(row.at, &row.budgets);
        self.insert(second);
    }

    /// Keeps the budgets of a row, to be summed with those of other logs. Does not add the row.
    pub(crate) fn keep_budgets(&mut self, row: &Row<'_>) {
        self.series.keep_budgets(row);
    }

    /// Adds a row without sketches.
    pub(crate) fn add(&mut self, second: Second) {
        let none = Sketch::default();
        self.series.add_times(&second, &none, &none, None);
        self.insert(second);
    }

    fn insert(&mut self, second: Second) {
        self.series.has_tokens |= second.has_tokens();
        match self.series.seconds.last_mut() {
            Some(last) if last.at == second.at => last.add(&second),
            last => {
                self.is_out_of_order |= last.is_some_and(|last| last.at > second.at);
                self.series.seconds.push(second);
            }
        }
    }

    /// Appends the rows of a later part of the log.
    pub(crate) fn append(&mut self, later: Self) {
        self.is_out_of_order |= later.is_out_of_order;
        later.series.seconds.into_iter().for_each(|second| self.insert(second));
        self.series.budgets.append(&later.series.budgets);
        self.series.add_times_of(&later.series.waits, &later.series.latencies);
        self.series.kept_budgets.extend(later.series.kept_budgets);
        self.series.kept_sketches.extend(later.series.kept_sketches);
    }

    pub(crate) fn build(self) -> Series {
        let mut series = self.series;
        if self.is_out_of_order {
            // Stable: of several rows of a second, the one added last has the final gauges.
            series.seconds.sort_by_key(|second| second.at);
            series.seconds.dedup_by(|later, earlier| {
                let is_same = later.at == earlier.at;
                if is_same {
                    earlier.add(later);
                }
                is_same
            });
        }
        series
    }
}

#[cfg(test)]
mod tests;
