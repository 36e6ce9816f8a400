//! Why something could not be done, in one line.

use std::{io, path::PathBuf};

use ratellmiter_core::config;
use thiserror::Error;

use crate::read::{Unreadable, merge::Apart};

#[derive(Debug, Error)]
pub(crate) enum Failure {
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
    #[error(transparent)]
    Apart(#[from] Apart),
    #[error("no model {model:?} in {log}; it has {present}: choose by -model=NAME, or -model=all")]
    NoModel { model: String, log: String, present: String },
    #[error("-compare takes one model; -model names {0}")]
    CompareSeveral(usize),
    #[error("cannot write the picture {}: {source}", path.display())]
    Write { path: PathBuf, source: io::Error },
    #[error("-out={} is the log; give the picture another name", .0.display())]
    OverLog(PathBuf),
    #[error("cannot write to stdout: {0}")]
    Stdout(io::Error),
    #[error("cannot draw: {0}")]
    Draw(String),
    #[error("cannot open {} with the system's viewer: {source}", path.display())]
    Open { path: PathBuf, source: io::Error },
    #[error("-follow needs a terminal: {0}")]
    Terminal(String),
    #[cfg(not(feature = "terminal"))]
    #[error("this program draws in no terminal: it is built without the feature `terminal` of ratellmiter-cli")]
    NoTerminal,
}
