//! The log that is followed: the rows of its run so far, and the lines that are skipped. Does no I/O and has no clock.

use std::time::Duration;

use crate::{
    live::run::{Run, Selection, View},
    read::{
        eras::Eras,
        parse::{Parsed, parse},
    },
    series::Lines,
    words::{duration, plural},
};

/// A log that is followed.
#[derive(Debug, Default)]
pub(crate) struct Live {
    eras: Eras<Run>,
    /// `true` if the log was read to its end, so that further rows have just been written.
    caught_up: bool,
    /// Number of lines that could not be parsed.
    broken_lines: u64,
}

impl Live {
    /// Adds a line of the log that was read at `now`.
    pub(crate) fn add(&mut self, line: &[u8], now: Duration) {
        let is_new = self.caught_up;
        match parse(line) {
            Ok(Parsed::Header(_)) => {}
            Ok(Parsed::Row(row)) => {
                if let Some(run) = self.eras.add(row.at) {
                    run.add_row(&row, now, is_new);
                }
            }
            Ok(Parsed::Minute(model, seconds)) => {
                for second in seconds {
                    if let Some(run) = self.eras.add(second.at) {
                        run.add_counts(&model, second, now, is_new);
                    }
                }
            }
            Err(_) if line.iter().all(u8::is_ascii_whitespace) => {}
            Err(_) => self.add_broken(),
        }
    }

    pub(crate) fn add_broken(&mut self) {
        self.broken_lines = self.broken_lines.saturating_add(1);
    }

    /// Notes that the log was read to its end. Rows added from now on have just been written.
    pub(crate) fn caught_up(&mut self) {
        self.caught_up = true;
    }

    /// Returns the rows of the run; `None` without rows.
    pub(super) fn run(&self) -> Option<&Run> {
        self.eras.run()
    }

    /// Returns the models in alphabetical order.
    pub(crate) fn models(&self) -> impl Iterator<Item = &str> {
        self.run().into_iter().flat_map(Run::models)
    }

    /// Returns the selected models; `None` unless all of them have rows.
    pub(crate) fn chosen<'a>(&'a self, selection: &'a Selection) -> Option<Vec<&'a str>> {
        self.run()?.chosen(selection)
    }

    /// Returns the view of the selected models at `now`, on a screen with room for `room` seconds.
    pub(crate) fn view(&self, selection: &Selection, lines: &Lines, room: u64, now: Duration) -> View {
        match self.run() {
            Some(run) => run.view(selection, lines, room, now),
            None => View::Waiting("waiting for the first row".into()),
        }
    }

    /// Returns a remark for the footer: the time since the last row, and the numbers of rows and lines that are skipped.
    pub(crate) fn note(&self, now: Duration) -> Option<String> {
        let idle = self.run()?.seconds_without_row(now);
        let idle = (idle >= 3).then(|| format!("no row for {}", duration(idle)));
        let far = self.eras.far_rows().map(|far| format!("{} of another time", plural(far.rows, "row")));
        let broken = (self.broken_lines > 0).then(|| plural(self.broken_lines, "broken line"));
        let notes: Vec<_> = [idle, far, broken].into_iter().flatten().collect();
        (!notes.is_empty()).then(|| notes.join(", "))
    }
}
