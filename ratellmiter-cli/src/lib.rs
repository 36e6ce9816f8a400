//! The `ratellmiter` command: draws rateLLMiter logs and reports what limited a run.
//!
//! From top to bottom: `args` parses the arguments into a job. The jobs are `report` (pictures, summaries, conditions), `list`
//! and `live` (a chart that follows a running program). `choose_log` finds the logs and `read` reads them: a whole log, a log
//! that grows, or the sum of several. `series` holds the rows of one model by the second. `summary` turns them into figures and
//! a verdict, renders these and checks conditions. `draw` turns them into a `graph` and renders it with plotters (`chart`), in
//! the cells of a terminal (`cells`, `terminal`) or as a page (`html`). `write` writes files, whole or not at all. `names` escapes
//! names for each output. `complete` completes the words of a command line in a shell.
//!
//! All of plotters is in `draw::chart` and `draw::theme`, all of ratatui in `draw::cells`, `draw::terminal` and `live`, which
//! need the default feature `terminal`.

mod args;
mod choose_log;
mod complete;
mod draw;
mod exit_code;
mod failure;
mod list;
#[cfg(feature = "terminal")]
mod live;
mod names;
mod output;
mod read;
mod report;
mod series;
mod summary;
mod words;
mod write;

use std::{ffi::OsString, io::Write};

pub use exit_code::{BROKEN, DONE, FAILED, USAGE};

use crate::{
    args::{Job, Parsed},
    failure::Failure,
    output::Output,
};

/// Runs the command with `args`, of which the first is its own name, and returns the exit code: [`DONE`], [`FAILED`], [`USAGE`]
/// or [`BROKEN`].
///
/// Results are written to `stdout`: the summary if there is one, else the path of the picture. Everything else is written to
/// `stderr`. A reader that closes `stdout` early is not an error.
pub fn run<A>(args: impl IntoIterator<Item = A>, stdout: &mut dyn Write, stderr: &mut dyn Write) -> u8
where
    A: Into<OsString>,
{
    let mut output = Output { stdout, stderr };
    let done = match args::parse(args.into_iter().map(Into::into)) {
        Parsed::Text(text) => output.print(&text).map(|()| DONE).map_err(Failure::Stdout),
        Parsed::Error(text) => {
            output.print_error(&text);
            return USAGE;
        }
        Parsed::Job(Job::Report(report)) => report::run(&report, &mut output),
        Parsed::Job(Job::List { directory }) => list::run(directory.as_deref(), &mut output),
        Parsed::Job(Job::Script(shell)) => {
            output.print(complete::script(shell)).map(|()| DONE).map_err(Failure::Stdout)
        }
        Parsed::Job(Job::Complete(line)) => complete::run(&line, &mut output),
        #[cfg(feature = "terminal")]
        Parsed::Job(Job::Follow { source, models, lines }) => live::run(&source, models, lines),
        #[cfg(not(feature = "terminal"))]
        Parsed::Job(Job::Follow { .. }) => Err(Failure::NoTerminal),
    };
    done.unwrap_or_else(|failure| {
        output.print_error(&format!("error: {failure}"));
        FAILED
    })
}
