//! The `ratellmiter` command: draws what a rateLLMiter log says, and says what bound the run.
//!
//! From the top down: `cli` (what was typed, and what it means); the jobs `report` (pictures, figures, conditions), `list`
//! and `follow`; `logs` (which log is meant, or which several, summed by `merge`) over `read` (a whole log) and `parse` (a line
//! of either format), and `series` (its rows, by the second); `summary` (a run in figures and one sentence, with how many
//! `processes` it tells of), written by `figures` and held to conditions by `check`; `graph` (what is to be drawn, whatever
//! with), drawn by `chart` (with plotters, on `paper`), by `plot` (into the cells of a terminal) and by `html`; `term` (cells as
//! text) and `panel` (cells with the status above); `live` (a run under way) over `tail` (a log as it grows); `png` (pixels
//! encoded) and `file` (written whole or not at all). All of ratatui is in `plot`, `term`, `panel` and `follow`, which are there with the feature `terminal`, as by default.

// What only the terminal needs is not used without it.
#![cfg_attr(not(feature = "terminal"), allow(dead_code))]

mod args;
mod choose_log;
mod draw;
mod failure;
mod list;
#[cfg(feature = "terminal")]
mod live;
mod output;
mod read;
mod report;
mod series;
mod summary;
mod write;

use std::{ffi::OsString, io::Write};

use crate::args::{Job, Parsed};
use output::Output;

/// It was done; for pictures: drawn.
pub const DONE: u8 = 0;
/// It could not be done; one line on stderr says why.
pub const FAILED: u8 = 1;
/// What was typed makes no sense.
pub const USAGE: u8 = 2;
/// A condition of `-check` does not hold.
pub const BROKEN: u8 = 3;

/// Runs the command: `args` begin with its own name. Gives the exit code: [`DONE`], [`FAILED`], [`USAGE`] or [`BROKEN`].
///
/// What was asked for goes to `stdout`: the figures, else the path of the picture. Everything else goes to `stderr`.
/// A reader of `stdout` that goes away is no failure.
pub fn run<A>(args: impl IntoIterator<Item = A>, stdout: &mut dyn Write, stderr: &mut dyn Write) -> u8
where
    A: Into<OsString>,
{
    let mut output = Output { stdout, stderr };
    let done = match args::parse(args.into_iter().map(Into::into)) {
        Parsed::Text(text) => output.print(&text).map(|()| DONE),
        Parsed::Wrong(text) => {
            output.complain(&text);
            return USAGE;
        }
        Parsed::Job(Job::Report(report)) => report::run(&report, &mut output),
        Parsed::Job(Job::List { directory }) => list::run(directory.as_deref(), &mut output),
        #[cfg(feature = "terminal")]
        Parsed::Job(Job::Follow { source, models, lines }) => live::run(&source, models, lines),
        #[cfg(not(feature = "terminal"))]
        Parsed::Job(Job::Follow { .. }) => Err(failure::Failure::NoTerminal),
    };
    done.unwrap_or_else(|failure| {
        output.complain(&format!("error: {}\n", output::one_line(&failure.to_string())));
        FAILED
    })
}
