//! Which log is meant.

use std::path::{Path, PathBuf};

use ratellmiter_core::{config, log};

use crate::{cli::Source, failure::Failure, read::Log};

/// The model of calls that name none.
pub(crate) const DEFAULT: &str = "default";

/// Where logs are.
pub(crate) fn directory(named: Option<&Path>) -> Result<PathBuf, Failure> {
    Ok(match named {
        Some(directory) => directory.to_owned(),
        None => config::log_directory()?,
    })
}

/// The logs there, newest first.
pub(crate) fn all(directory: &Path) -> Result<Vec<PathBuf>, Failure> {
    log::newest_first(directory).map_err(|source| Failure::Directory { directory: directory.into(), source })
}

/// The log that is meant: the named one, else the newest that has data.
pub(crate) fn read(source: &Source) -> Result<(PathBuf, Log), Failure> {
    match &source.file {
        Some(file) => named(file, source),
        None => newest(&directory(source.directory.as_deref())?),
    }
}

/// The log of that name, here or among the logs.
pub(crate) fn named(file: &Path, source: &Source) -> Result<(PathBuf, Log), Failure> {
    let path = located(file, source)?;
    let log = Log::read(&path)?;
    if log.models.is_empty() {
        return Err(log.into_unreadable(&path).map_or(Failure::Empty(path), Failure::from));
    }
    Ok((path, log))
}

/// A file that is not here but among the logs is meant to be that.
pub(crate) fn located(file: &Path, source: &Source) -> Result<PathBuf, Failure> {
    if !file.exists() && file.components().count() == 1 {
        let among_logs = directory(source.directory.as_deref())?.join(file);
        if among_logs.exists() {
            return Ok(among_logs);
        }
    }
    Ok(file.to_owned())
}

fn newest(directory: &Path) -> Result<(PathBuf, Log), Failure> {
    let logs = all(directory)?;
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
