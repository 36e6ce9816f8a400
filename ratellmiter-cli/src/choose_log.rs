//! Which log is meant, or which several.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use ratellmiter_core::{config, log};

use crate::{
    args::Source,
    failure::Failure,
    read::{Log, merge},
    series::Series,
};

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

/// A log, or several that are summed.
#[derive(Debug)]
pub(crate) struct Logs {
    /// One at least.
    pub(crate) paths: Vec<PathBuf>,
    pub(crate) models: BTreeMap<String, Series>,
    /// What a reader of the picture should know of them.
    pub(crate) notes: Vec<String>,
}

impl Logs {
    fn one(path: PathBuf, log: Log) -> Self {
        Self { notes: log.notes(&path), paths: vec![path], models: log.models }
    }

    /// The first.
    pub(crate) fn path(&self) -> &Path {
        &self.paths[0]
    }

    /// How many are summed beside the first.
    pub(crate) fn others(&self) -> usize {
        self.paths.len() - 1
    }

    /// Their name in figures, without where they are.
    pub(crate) fn name(&self) -> String {
        self.and_others(&name_of(self.path()))
    }

    /// Where they are.
    pub(crate) fn place(&self) -> String {
        self.and_others(&self.path().display().to_string())
    }

    fn and_others(&self, first: &str) -> String {
        match self.others() {
            0 => first.to_owned(),
            others => format!("{first} and {others} more"),
        }
    }
}

pub(crate) fn name_of(path: &Path) -> String {
    path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
}

/// The logs that are meant: the named ones, else the newest that has data.
pub(crate) fn read(source: &Source) -> Result<Logs, Failure> {
    match &source.files[..] {
        [] => newest(&directory(source.directory.as_deref())?),
        [file] => named(file, source),
        files => several(files, source),
    }
}

/// The log of that name, here or among the logs.
pub(crate) fn named(file: &Path, source: &Source) -> Result<Logs, Failure> {
    let path = located(file, source)?;
    let log = Log::read(&path)?;
    if log.models.is_empty() {
        return Err(log.unreadable(&path).map_or(Failure::Empty(path), Failure::from));
    }
    Ok(Logs::one(path, log))
}

/// The sum of those of these names. A process that did nothing adds nothing.
fn several(files: &[PathBuf], source: &Source) -> Result<Logs, Failure> {
    let paths = files.iter().map(|file| located(file, source)).collect::<Result<Vec<_>, _>>()?;
    merge::are_different(&paths)?;
    let mut logs = Vec::with_capacity(paths.len());
    for path in &paths {
        let log = Log::read_to_sum(path)?;
        if let Some(unreadable) = log.unreadable(path).filter(|_| log.models.is_empty()) {
            return Err(unreadable.into());
        }
        logs.push((path.clone(), log));
    }
    merge::are_shared(&logs)?;
    if logs.iter().all(|(_, log)| log.models.is_empty()) {
        return Err(Failure::Empty(paths[0].clone()));
    }
    let notes = logs.iter().flat_map(|(path, log)| log.notes(path)).collect();
    Ok(Logs { paths, models: merge::sum(&logs), notes })
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

fn newest(directory: &Path) -> Result<Logs, Failure> {
    let logs = all(directory)?;
    if logs.is_empty() {
        return Err(Failure::NoLog(directory.into()));
    }
    for path in logs {
        let log = Log::read(&path)?;
        if !log.models.is_empty() {
            return Ok(Logs::one(path, log));
        }
    }
    Err(Failure::NoRows(directory.into()))
}
