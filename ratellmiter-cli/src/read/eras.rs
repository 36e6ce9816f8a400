//! The rows that belong to the run: the time from which most rows are, except for the time of a clock that is not set.
//!
//! A clock that is not set yet, or a damaged digit, leaves rows that are years away from the others. They are kept apart from the
//! first row on, so that no figure contains them.

use std::collections::BTreeMap;

/// Rows that are further from the first row of an era belong to another one, in seconds: a year.
const MAX_DISTANCE: u64 = 366 * 24 * 60 * 60;
/// Time before which no log was written: the start of 2020. A clock that is not set shows an earlier one.
const FIRST_LOG: u64 = 1_577_836_800;
/// Largest number of eras. Rows of further ones are only counted.
const MAX_ERAS: usize = 100;

/// The rows of a log by era, of which the one with the most rows is the run.
#[derive(Debug)]
pub(crate) struct Eras<T> {
    /// Eras by the time of their first row.
    eras: BTreeMap<u64, Era<T>>,
    /// Number of rows that belong to no era, and the time of the first of them.
    others: Option<FarRows>,
}

#[derive(Debug)]
struct Era<T> {
    rows: u64,
    content: T,
}

/// The rows that do not belong to the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FarRows {
    pub(crate) rows: u64,
    /// Time of one of them, since the epoch.
    pub(crate) at: u64,
}

impl<T> Default for Eras<T> {
    fn default() -> Self {
        Self { eras: BTreeMap::new(), others: None }
    }
}

impl<T: Default> Eras<T> {
    /// Counts a row and returns the content of its era; `None` if there are too many eras.
    pub(crate) fn add(&mut self, at: u64) -> Option<&mut T> {
        let era = self.era(at, 1)?;
        era.rows = era.rows.saturating_add(1);
        Some(&mut era.content)
    }

    /// Appends the eras of a later part of the log. `append` adds the content of one of them.
    pub(crate) fn append<U>(&mut self, later: Eras<U>, append: impl Fn(&mut T, U)) {
        for (at, era) in later.eras {
            if let Some(own) = self.era(at, era.rows) {
                own.rows = own.rows.saturating_add(era.rows);
                append(&mut own.content, era.content);
            }
        }
        if let Some(FarRows { rows, at }) = later.others {
            self.count_other(at, rows);
        }
    }

    /// Returns the era of a time, or a new one. Counts the `rows` rows and returns `None` if there are too many eras.
    fn era(&mut self, at: u64, rows: u64) -> Option<&mut Era<T>> {
        let near = at.saturating_sub(MAX_DISTANCE)..=at.saturating_add(MAX_DISTANCE);
        let first = match self.eras.range(near).next() {
            Some((first, _)) => *first,
            None if self.eras.len() < MAX_ERAS => at,
            None => {
                self.count_other(at, rows);
                return None;
            }
        };
        Some(self.eras.entry(first).or_insert_with(|| Era { rows: 0, content: T::default() }))
    }
}

impl<T> Eras<T> {
    fn count_other(&mut self, at: u64, rows: u64) {
        let others = self.others.get_or_insert(FarRows { rows: 0, at });
        others.rows = others.rows.saturating_add(rows);
    }

    /// Returns the first time of the era with the most rows; of equal ones the last. Rows of a clock that is not set are a run only if
    /// there are no others.
    fn run_start(&self) -> Option<u64> {
        self.eras.iter().max_by_key(|(first, era)| (**first >= FIRST_LOG, era.rows)).map(|(first, _)| *first)
    }

    /// Returns the content of the run; `None` without rows.
    #[cfg_attr(not(feature = "terminal"), allow(dead_code))]
    pub(crate) fn run(&self) -> Option<&T> {
        self.eras.get(&self.run_start()?).map(|era| &era.content)
    }

    /// Returns the rows that do not belong to the run; `None` if there are none.
    pub(crate) fn far_rows(&self) -> Option<FarRows> {
        let run = self.run_start()?;
        let far = self.eras.iter().filter(|(first, _)| **first != run);
        let far = far.map(|(first, era)| FarRows { rows: era.rows, at: *first }).chain(self.others);
        far.reduce(|sum, other| FarRows { rows: sum.rows.saturating_add(other.rows), at: sum.at })
    }

    /// Returns the content of the run; `None` without rows.
    pub(crate) fn into_run(mut self) -> Option<T> {
        let run = self.run_start()?;
        self.eras.remove(&run).map(|era| era.content)
    }
}

#[cfg(test)]
mod tests;
