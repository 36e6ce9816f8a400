//! The processes that shared a limiter.

use std::fmt;

use serde::Serialize;

use crate::{series::Series, words::duration};

/// The processes that shared the limiter of one model. The field names are keys of `-summary=json`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(crate) struct Processes {
    /// Number of processes with a log.
    pub(crate) logs: u32,
    /// Largest number of processes that shared the limiter at once.
    pub(crate) members: u32,
    /// Number of seconds in which Redis was unreachable.
    pub(crate) lost: u64,
}

impl Processes {
    /// Returns the processes of a series; `None` if the limiter was not shared.
    pub(crate) fn of(series: &Series) -> Option<Self> {
        let seconds = series.seconds();
        let logs = series.logs();
        let members = seconds.iter().map(|second| second.processes).max().unwrap_or(0);
        let lost = seconds.iter().filter(|second| second.is_disconnected).count() as u64;
        (logs > 1 || members > 0 || lost > 0).then_some(Self { logs, members, lost })
    }

    /// Returns `true` if other processes shared the limiter whose logs are missing.
    pub(crate) fn is_part(self) -> bool {
        self.members > self.logs
    }

    /// Returns the words for the title of a chart; `None` for a single process that never lost Redis.
    pub(crate) fn title(self) -> Option<String> {
        let many = (self.logs > 1 || self.is_part()).then(|| self.to_string());
        let lost = (self.lost > 0).then(|| format!("Redis unreachable for {}", duration(self.lost)));
        let parts: Vec<_> = many.into_iter().chain(lost).collect();
        (!parts.is_empty()).then(|| parts.join(", "))
    }

    /// Returns the words for the summary.
    pub(crate) fn description(self) -> String {
        let Self { logs, members, .. } = self;
        let summed = if logs > 1 { format!(", summed from {logs} logs") } else { String::new() };
        if self.is_part() {
            format!("{logs} of {members}{summed}; the limits are those of all {members} together")
        } else {
            format!("{logs}{summed}")
        }
    }

    /// Returns remarks that belong to the verdict.
    pub(crate) fn remarks(self) -> impl Iterator<Item = String> {
        let Self { logs, members, lost } = self;
        let part = self.is_part().then(|| format!("covers {logs} of the {members} processes that share the limiter"));
        let lost = (lost > 0).then(|| format!("Redis was unreachable for {}", duration(lost)));
        [part, lost].into_iter().flatten()
    }
}

/// Writes "4 processes" or "1 of 4 processes".
impl fmt::Display for Processes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_part() {
            write!(f, "{} of {} processes", self.logs, self.members)
        } else {
            write!(f, "{} process{}", self.logs, if self.logs == 1 { "" } else { "es" })
        }
    }
}

#[cfg(test)]
mod tests {
    use ratellmiter_core::log::Row;

    use super::*;

    fn processes(rows: &[(Option<u64>, bool)]) -> Option<Processes> {
        let row = |(at, (members, is_lost))| Row { at, members, is_lost, ..Row::default() };
        Processes::of(&(7..).zip(rows.iter().copied()).map(row).collect())
    }

    #[test]
    fn shared_log_counts_processes_and_seconds_without_redis() {
        assert_eq!(processes(&[(None, false)]), None);
        let four = processes(&[(Some(2), false), (Some(4), true), (Some(4), true), (Some(3), false)]).unwrap();
        assert_eq!(four, Processes { logs: 1, members: 4, lost: 2 });
        assert_eq!(four.title().unwrap(), "1 of 4 processes, Redis unreachable for 2 s");
        assert_eq!(
            four.remarks().collect::<Vec<_>>(),
            ["covers 1 of the 4 processes that share the limiter", "Redis was unreachable for 2 s"]
        );
    }

    #[test]
    fn title_names_processes_unless_there_is_one() {
        let alone = processes(&[(Some(1), false)]).unwrap();
        assert_eq!((alone.title(), alone.remarks().count()), (None, 0));
        assert_eq!(Processes { lost: 5, ..alone }.title().unwrap(), "Redis unreachable for 5 s");
        let processes = |logs, members| Processes { logs, members, lost: 0 }.title().unwrap();
        assert_eq!(
            [processes(4, 4), processes(5, 4), processes(3, 0), processes(3, 4)],
            ["4 processes", "5 processes", "3 processes", "3 of 4 processes"]
        );
    }
}
