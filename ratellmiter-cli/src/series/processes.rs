//! How many processes shared a limiter, and how many of them a run tells of.

use std::fmt;

use serde::Serialize;

use crate::series::Series;

/// Of one model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(crate) struct Processes {
    /// Of so many there is a log.
    pub(crate) logs: u32,
    /// So many shared the limiter at once, at most.
    pub(crate) members: u32,
    /// In so many seconds the server that it is shared on was out of reach.
    pub(crate) lost: u64,
}

impl Processes {
    /// `None` if the limiter was one process's own.
    pub(crate) fn of(series: &Series) -> Option<Self> {
        let seconds = series.seconds();
        let logs = series.logs();
        let members = seconds.iter().map(|second| second.members).max().unwrap_or(0);
        let lost = seconds.iter().filter(|second| second.is_lost).count() as u64;
        (logs > 1 || members > 0 || lost > 0).then_some(Self { logs, members, lost })
    }

    /// Others shared it whose logs are not among these.
    pub(crate) fn is_part(self) -> bool {
        self.members > self.logs
    }

    /// For a title. One that was alone, and never without the server, is as any other.
    pub(crate) fn title(self) -> Option<String> {
        let many = (self.logs > 1 || self.is_part()).then(|| self.to_string());
        let lost = (self.lost > 0).then(|| format!("{} s without the server", self.lost));
        let parts: Vec<_> = many.into_iter().chain(lost).collect();
        (!parts.is_empty()).then(|| parts.join(", "))
    }

    /// For the figures.
    pub(crate) fn told(self) -> String {
        let Self { logs, members, .. } = self;
        let summed = if logs > 1 { format!(", summed from {logs} logs") } else { String::new() };
        if self.is_part() {
            format!("{logs} of {members}{summed}; the limits are what all of them share")
        } else {
            format!("{logs}{summed}")
        }
    }

    /// What a reader of the verdict should know.
    pub(crate) fn remarks(self) -> impl Iterator<Item = String> {
        let Self { logs, members, lost } = self;
        let part = self.is_part().then(|| format!("seen by {logs} of the {members} processes that share it"));
        let lost =
            (lost > 0).then(|| format!("for {lost} s the server that the limiter is shared on was out of reach"));
        [part, lost].into_iter().flatten()
    }
}

/// As in "4 processes" and "1 of 4 processes".
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
    fn a_log_says_how_many_shared_and_when_their_server_was_out_of_reach() {
        assert_eq!(processes(&[(None, false)]), None);
        let four = processes(&[(Some(2), false), (Some(4), true), (Some(4), true), (Some(3), false)]).unwrap();
        assert_eq!(four, Processes { logs: 1, members: 4, lost: 2 });
        assert_eq!(four.title().unwrap(), "1 of 4 processes, 2 s without the server");
        assert_eq!(
            four.remarks().collect::<Vec<_>>(),
            [
                "seen by 1 of the 4 processes that share it",
                "for 2 s the server that the limiter is shared on was out of reach"
            ]
        );
    }

    #[test]
    fn whose_logs_are_all_there_are_so_many_and_one_alone_is_as_any_other() {
        let alone = processes(&[(Some(1), false)]).unwrap();
        assert_eq!((alone.title(), alone.remarks().count()), (None, 0));
        assert_eq!(Processes { lost: 5, ..alone }.title().unwrap(), "5 s without the server");
        let processes = |logs, members| Processes { logs, members, lost: 0 }.title().unwrap();
        assert_eq!(
            [processes(4, 4), processes(5, 4), processes(3, 0), processes(3, 4)],
            ["4 processes", "5 processes", "3 processes", "3 of 4 processes"]
        );
    }
}
