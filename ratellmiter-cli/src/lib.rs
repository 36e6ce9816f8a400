//! The `ratellmiter` command: draws what a rateLLMiter log says.
//!
//! From the top down: `cli` (what was typed, and what it means), `read` (a log of either format, line by line),
//! `series` (rows to the lines of a picture), `chart` (lines to pixels; all of plotters is in there), `png` (pixels to a file).

mod chart;
mod cli;
mod png;
mod read;
mod series;

use std::{
    ffi::OsString,
    io::{self, Write},
    path::{Path, PathBuf},
};

use ratellmiter_core::{config, log};
use thiserror::Error;

use cli::{Parsed, Plot};
use read::{Log, Unreadable};

/// It was drawn.
pub const DRAWN: u8 = 0;
/// It could not be drawn; one line on stderr says why.
pub const FAILED: u8 = 1;
/// What was typed makes no sense.
pub const USAGE: u8 = 2;

/// Runs the command: `args` begin with its own name. Gives the exit code, [`DRAWN`], [`FAILED`] or [`USAGE`].
///
/// The path of the picture goes to `stdout`, everything else to `stderr`.
pub fn run<A>(args: impl IntoIterator<Item = A>, stdout: &mut dyn Write, stderr: &mut dyn Write) -> u8
where
    A: Into<OsString>,
{
    let plot = match cli::parse(args.into_iter().map(Into::into)) {
        Parsed::Plot(plot) => plot,
        // Help that nobody reads to its end is no failure.
        Parsed::Help(text) => {
            let _ = write!(stdout, "{text}");
            return DRAWN;
        }
        Parsed::Wrong(text) => {
            let _ = write!(stderr, "{text}");
            return USAGE;
        }
    };
    match draw(&plot, &mut |note| drop(writeln!(stderr, "note: {note}"))) {
        Ok(path) => match writeln!(stdout, "{}", path.display()) {
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
                let _ = writeln!(stderr, "error: cannot write the path of the picture to stdout: {error}");
                FAILED
            }
            _ => DRAWN,
        },
        Err(failure) => {
            let _ = writeln!(stderr, "error: {}", one_line(&failure.to_string()));
            FAILED
        }
    }
}

/// Why nothing was drawn.
#[derive(Debug, Error)]
enum Failure {
    #[error(transparent)]
    Config(#[from] config::ConfigError),
    #[error("cannot look for logs in {}: {source}", directory.display())]
    Directory { directory: PathBuf, source: io::Error },
    #[error("no log in {}: a log ends in .jsonl", .0.display())]
    NoLog(PathBuf),
    #[error("no log in {} has any rows: no model did anything", .0.display())]
    NoRows(PathBuf),
    #[error("{} is empty: no model did anything in it", .0.display())]
    Empty(PathBuf),
    #[error(transparent)]
    Unreadable(#[from] Unreadable),
    #[error("no model {model:?} in {}; it has {present}", log.display())]
    NoModel { model: String, log: PathBuf, present: String },
    #[error("cannot write the picture {}: {source}", path.display())]
    Write { path: PathBuf, source: io::Error },
    #[error("cannot draw: {0}")]
    Draw(String),
}

fn draw(plot: &Plot, note: &mut dyn FnMut(String)) -> Result<PathBuf, Failure> {
    let (path, log) = match &plot.file {
        Some(file) => named(plot, file)?,
        None => newest(&directory(plot)?)?,
    };
    log.notes(&path).into_iter().for_each(|text| note(one_line(&text)));
    let (model, series) = match (&plot.model, log.models.len()) {
        (None, 1) if !log.models.contains_key(DEFAULT) => {
            let (model, series) = log.models.iter().next().expect("there is one");
            note(format!("{} has no model {DEFAULT:?}; drawing its only one, {model:?}", path.display()));
            (model.as_str(), series)
        }
        (model, _) => {
            let model = model.as_deref().unwrap_or(DEFAULT);
            let series = log.models.get(model).ok_or_else(|| Failure::NoModel {
                model: model.to_owned(),
                log: path.clone(),
                present: present(&log),
            })?;
            (model, series)
        }
    };
    let picture = chart::draw(model, series, &plot.lines).map_err(Failure::Draw)?;
    let out = plot.out.clone().unwrap_or_else(|| png::name(&path, model, &plot.lines).into());
    png::write(&picture, &out).map_err(|source| Failure::Write { path: out.clone(), source })?;
    Ok(out)
}

/// The model of calls that name none.
const DEFAULT: &str = "default";

fn directory(plot: &Plot) -> Result<PathBuf, Failure> {
    Ok(match &plot.directory {
        Some(directory) => directory.clone(),
        None => config::log_directory()?,
    })
}

/// The log of that name, here or among the logs.
fn named(plot: &Plot, file: &Path) -> Result<(PathBuf, Log), Failure> {
    let mut path = file.to_owned();
    if !path.exists() && file.components().count() == 1 {
        let among_logs = directory(plot)?.join(file);
        if among_logs.exists() {
            path = among_logs;
        }
    }
    let log = Log::read(&path)?;
    if log.models.is_empty() {
        return Err(Failure::Empty(path));
    }
    Ok((path, log))
}

/// The newest log that has data.
fn newest(directory: &Path) -> Result<(PathBuf, Log), Failure> {
    let logs =
        log::newest_first(directory).map_err(|source| Failure::Directory { directory: directory.into(), source })?;
    if logs.is_empty() {
        return Err(Failure::NoLog(directory.into()));
    }
    for path in logs {
        let log = Log::read(&path)?;
        if !log.models.is_empty() {
            return Ok((path, log));
        }
    }
    Err(Failure::NoRows(directory.into()))
}

fn present(log: &Log) -> String {
    log.models.keys().map(|model| format!("{model:?}")).collect::<Vec<_>>().join(", ")
}

/// Paths and system messages may have line breaks.
fn one_line(text: &str) -> String {
    text.split(['\n', '\r']).map(str::trim).filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ")
}
