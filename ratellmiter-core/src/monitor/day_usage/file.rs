//! The files of day usage.

use std::{
    collections::HashMap,
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use super::{DAY, DayEntries, DayUsage, Journal, UsageByAge, prune};
use crate::log::row::BudgetKind;

/// Suffix of a file that is not completely written.
const TEMPORARY_SUFFIX: &str = ".new";

/// Writer of a monitor's own file.
#[derive(Debug)]
pub(crate) struct DayFile {
    directory: PathBuf,
    name: String,
    /// Usage of the limiters at the last write.
    written: Fingerprint,
    /// `true` if the last write left a file.
    exists: bool,
    pub(super) is_failing: bool,
}

/// Amounts charged to all limiters. Their times are rounded, so that they differ without a change.
type Fingerprint = Vec<(Arc<str>, Vec<(BudgetKind, Vec<u64>)>)>;

impl DayFile {
    pub(crate) fn new(directory: &Path, days: &DayUsage) -> Self {
        Self {
            directory: directory.to_owned(),
            name: days.name.clone(),
            written: Fingerprint::new(),
            exists: false,
            is_failing: false,
        }
    }

    /// Makes the next [`changed`](Self::changed) return the whole usage if the file was removed.
    pub(crate) fn check_file(&mut self) {
        if self.exists && !self.directory.join(&self.name).exists() {
            self.written.clear();
        }
    }

    /// Returns the content to write, or `None` if the usage has not changed since the last write.
    pub(crate) fn changed(
        &self,
        days: &DayUsage,
        mut limiters: Vec<(Arc<str>, UsageByAge)>,
    ) -> Option<(Fingerprint, Journal)> {
        limiters.retain(|(_, ages)| ages.iter().any(|(_, ages)| !ages.is_empty()));
        limiters.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
        let amounts = |ages: &[(Duration, u64)]| ages.iter().map(|(_, amount)| *amount).collect();
        let amounts = |ages: &UsageByAge| ages.iter().map(|(kind, ages)| (*kind, amounts(ages))).collect();
        let fingerprint: Fingerprint = limiters.iter().map(|(model, ages)| (model.clone(), amounts(ages))).collect();
        (fingerprint != self.written).then(|| (fingerprint, days.own_usage(&limiters)))
    }

    /// Writes the file. The first of several failures is logged, and the write is retried with the next change check.
    pub(crate) fn write(&mut self, (fingerprint, journal): (Fingerprint, Journal)) {
        match write(&self.directory, &self.name, &journal) {
            Ok(()) => {
                self.written = fingerprint;
                self.exists = !journal.is_empty();
                self.is_failing = false;
            }
            Err(error) if !self.is_failing => {
                let file = self.directory.join(&self.name);
                tracing::warn!(file = %file.display(), %error, "cannot write the usage of daily budgets; calls continue, and writing is retried");
                self.is_failing = true;
            }
            Err(_) => {}
        }
    }
}

/// Reads the files of other monitors than `own` by name, without entries older than a day. Files without an entry of the last
/// day are removed. `now` is in seconds since the epoch.
pub(crate) fn read(directory: &Path, own: &str, now: u64) -> HashMap<String, Journal> {
    let mut found = HashMap::new();
    // The log was created in this directory before, so errors are unlikely.
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        let path = entry.path();
        let Some(name) = path.file_name().and_then(|name| name.to_str()).filter(|name| *name != own) else {
            continue;
        };
        if name.strip_prefix('.').and_then(|name| name.strip_suffix(TEMPORARY_SUFFIX)).is_some_and(is_day_file) {
            remove_if_old(&path);
        }
        if !is_day_file(name) || !path.is_file() {
            continue;
        }
        match fs::read_to_string(&path) {
            Ok(text) => match serde_json::from_str::<Journal>(&text) {
                Ok(mut journal) => {
                    let latest =
                        journal.values_mut().flat_map(DayEntries::values_mut).flatten().map(|(at, _)| *at).max();
                    if latest.is_none_or(|at| at.saturating_add(DAY.as_secs()) <= now) {
                        // If its monitor writes it at the same time, that monitor notices the removal.
                        let _ = fs::remove_file(&path);
                    }
                    journal.retain(|_, usage| prune(usage, now));
                    if !journal.is_empty() {
                        found.insert(name.to_owned(), journal);
                    }
                }
                Err(error) => {
                    // The message of the error may quote the file.
                    tracing::warn!(file = %path.display(), line = error.line(), "a file with the usage of daily budgets is damaged and ignored");
                    remove_if_old(&path);
                }
            },
            // Another process has removed it.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => {
                tracing::warn!(file = %path.display(), %error, "cannot read a file with the usage of daily budgets; it is ignored");
                remove_if_old(&path);
            }
        }
    }
    found
}

/// Replaces the file atomically, or removes it if the journal is empty.
pub(super) fn write(directory: &Path, name: &str, journal: &Journal) -> io::Result<()> {
    let file = directory.join(name);
    if journal.is_empty() {
        return match fs::remove_file(file) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        };
    }
    let text = serde_json::to_string(journal).expect("names and numbers");
    let temporary = directory.join(format!(".{name}{TEMPORARY_SUFFIX}"));
    fs::create_dir_all(directory)?;
    let written = fs::write(&temporary, text).and_then(|()| fs::rename(&temporary, file));
    if written.is_err() {
        // The temporary file may not exist.
        let _ = fs::remove_file(&temporary);
    }
    written
}

/// Returns `true` if `name` is the name of a monitor's file.
fn is_day_file(name: &str) -> bool {
    let numbers = name.strip_prefix("days-").and_then(|name| name.strip_suffix(".json"));
    let is_number = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    numbers.is_some_and(|numbers| numbers.split('-').count() == 3 && numbers.split('-').all(is_number))
}

/// Removes an unreadable file a day after its last change, so that users have time to inspect it.
fn remove_if_old(path: &Path) {
    let changed = path.symlink_metadata().and_then(|data| data.modified()).ok();
    if changed.and_then(|changed| changed.elapsed().ok()).is_some_and(|age| age >= DAY) {
        let _ = fs::remove_file(path);
    }
}
