//! The errors of the command, each with a message of one line.

use std::{io, path::PathBuf};

use ratellmiter_core::config;
use thiserror::Error;

use crate::read::{Unreadable, merge::CannotSum, shown};

/// The end of the errors of a directory without a log to read.
const HINT: &str = "; name a log with -file=LOG, or see -help";

#[derive(Debug, Error)]
pub(crate) enum Failure {
    #[error(transparent)]
    Config(#[from] config::ConfigError),
    #[error("cannot list the logs in {}: {source}{HINT}", directory.display())]
    Directory { directory: PathBuf, source: io::Error },
    #[error("no logs in {}: log files end in .jsonl{HINT}", .0.display())]
    NoLog(PathBuf),
    #[error("no log in {} contains any rows{HINT}", .0.display())]
    NoRows(PathBuf),
    #[error("{} contains no rows", shown(.0))]
    Empty(PathBuf),
    #[error(transparent)]
    Unreadable(#[from] Unreadable),
    #[error(transparent)]
    CannotSum(#[from] CannotSum),
    #[error("no model {model:?} in {log}, which contains {present}; use -model=NAME or -model=all")]
    NoModel { model: String, log: String, present: String },
    #[error("-compare takes one model, but -model names {0}")]
    CompareSeveral(usize),
    #[error("cannot write the picture {}: {source}", path.display())]
    Write { path: PathBuf, source: io::Error },
    #[error("-out={} is the log itself; choose another name for the picture", .0.display())]
    OverLog(PathBuf),
    #[error("cannot write to stdout: {0}")]
    Stdout(io::Error),
    #[error("cannot draw: {0}")]
    Draw(String),
    #[error("cannot open {} with the system's viewer: {source}", path.display())]
    Open { path: PathBuf, source: io::Error },
    #[cfg(feature = "terminal")]
    #[error("-follow needs a terminal: {0}")]
    Terminal(String),
    #[cfg(not(feature = "terminal"))]
    #[error("this build cannot draw in a terminal: it lacks the feature `terminal` of ratellmiter-cli")]
    NoTerminal,
}
