//! Finds and reads the logs that the arguments select.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use ratellmiter_core::{config, log};

use crate::{
    args::Source,
    failure::Failure,
    read::{Log, is_stdin, merge, shown},
    series::Series,
};

/// Model of calls without a model name.
pub(crate) const DEFAULT: &str = "default";

/// Returns the directory of the logs: `named`, or the configured one.
pub(crate) fn directory(named: Option<&Path>) -> Result<PathBuf, Failure> {
    Ok(match named {
        Some(directory) => directory.to_owned(),
        None => config::log_directory()?,
    })
}

/// Returns the logs in a directory, newest first.
pub(crate) fn newest_first(directory: &Path) -> Result<Vec<PathBuf>, Failure> {
    log::newest_first(directory).map_err(|source| Failure::Directory { directory: directory.into(), source })
}

/// One log, or the sum of several.
#[derive(Debug)]
pub(crate) struct Logs {
    /// The files; at least one.
    pub(crate) paths: Vec<PathBuf>,
    pub(crate) models: BTreeMap<String, Series>,
    /// Remarks on the logs, such as skipped lines.
    pub(crate) notes: Vec<String>,
    /// Number of lines that could not be read.
    pub(crate) unreadable: u64,
}

impl Logs {
    fn one(path: PathBuf, log: Log) -> Self {
        Self { notes: log.notes(&path), unreadable: log.unreadable_lines(), paths: vec![path], models: log.models }
    }

    /// Returns the path of the first log.
    pub(crate) fn path(&self) -> &Path {
        &self.paths[0]
    }

    /// Returns the number of logs that are summed with the first.
    pub(crate) fn others(&self) -> usize {
        self.paths.len() - 1
    }

    /// Returns the name of the logs in summaries: the file name of the first, and the number of others.
    pub(crate) fn name(&self) -> String {
        self.with_others(&name_of(self.path()))
    }

    /// Returns the name of the logs in messages: the path of the first, and the number of others.
    pub(crate) fn path_text(&self) -> String {
        self.with_others(&shown(self.path()))
    }

    fn with_others(&self, first: &str) -> String {
        match self.others() {
            0 => first.to_owned(),
            others => format!("{first} and {others} more"),
        }
    }
}

pub(crate) fn name_of(path: &Path) -> String {
    if is_stdin(path) {
        return shown(path);
    }
    path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
}

/// Reads the logs named by `-file`, or the newest log that contains rows.
pub(crate) fn read(source: &Source) -> Result<Logs, Failure> {
    match &source.files[..] {
        [] => read_newest(&directory(source.directory.as_deref())?),
        [file] => read_named(file, source),
        files => read_several(files, source),
    }
}

/// Reads one log, found as by [`locate`].
pub(crate) fn read_named(file: &Path, source: &Source) -> Result<Logs, Failure> {
    let path = locate(file, source)?;
    let log = Log::read(&path)?;
    if log.models.is_empty() {
        return Err(log.unreadable(&path).map_or(Failure::Empty(path), Failure::from));
    }
    Ok(Logs::one(path, log))
}

/// Reads several logs and sums them. A log without rows counts as a log and adds nothing.
fn read_several(files: &[PathBuf], source: &Source) -> Result<Logs, Failure> {
    let paths = files.iter().map(|file| locate(file, source)).collect::<Result<Vec<_>, _>>()?;
    merge::check_distinct(&paths)?;
    let mut logs = Vec::with_capacity(paths.len());
    for path in &paths {
        let log = Log::read_to_sum(path)?;
        if let Some(unreadable) = log.unreadable(path).filter(|_| log.models.is_empty()) {
            return Err(unreadable.into());
        }
        logs.push((path.clone(), log));
    }
    merge::check_namespace(&logs)?;
    if logs.iter().all(|(_, log)| log.models.is_empty()) {
        return Err(Failure::Empty(paths[0].clone()));
    }
    merge::check_one_run(&logs)?;
    let mut notes: Vec<_> = logs.iter().flat_map(|(path, log)| log.notes(path)).collect();
    let unreadable = logs.iter().map(|(_, log)| log.unreadable_lines()).sum();
    let models = merge::sum(&logs);
    let conflicts = models.iter().filter_map(|(model, series)| Some((model, series.limit_conflict()?)));
    notes.extend(conflicts.map(|(model, limits)| {
        let [one, other] = limits.map(|limit| (f64::from(limit) * 60.0).round());
        format!("the logs have different limits for {model:?}, from {one} to {other} per minute: they do not share one limit")
    }));
    let conflicts = models
        .iter()
        .flat_map(|(model, series)| series.budget_conflicts().into_iter().map(move |conflict| (model, conflict)));
    notes.extend(conflicts.map(|(model, conflict)| {
        let limits = conflict.description();
        format!("the logs have different budgets for {model:?}, {limits}: they do not share one budget")
    }));
    Ok(Logs { paths, models, notes, unreadable })
}

/// Returns the path of a log: stdin, in the working directory, or, for a bare file name, in the directory of the logs.
pub(crate) fn locate(file: &Path, source: &Source) -> Result<PathBuf, Failure> {
    if is_stdin(file) {
        return Ok(file.to_owned());
    }
    if !file.exists() && file.components().count() == 1 {
        let among_logs = directory(source.directory.as_deref())?.join(file);
        if among_logs.exists() {
            return Ok(among_logs);
        }
    }
    Ok(file.to_owned())
}

fn read_newest(directory: &Path) -> Result<Logs, Failure> {
    let logs = newest_first(directory)?;
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
