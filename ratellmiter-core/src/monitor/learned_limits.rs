//! Adapted limits, stored beside the logs for the next start.
//!
//! A directory has one JSON file for all models. A process that writes it keeps the entries of models it does not use.
//! Entries older than a day are ignored, and so is a file that cannot be read.

use std::{
    collections::HashMap,
    fs, io,
    path::{Path, PathBuf},
    time::Duration,
};

use crate::{limiter::Limiter, log::fields::fields};

/// Name of the file in the log directory.
const FILE: &str = "learned.json";
/// Age from which entries are ignored. Providers change limits within hours.
const MAX_AGE: Duration = Duration::from_hours(24);

/// Adapted limits of one model.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct SavedLimits {
    /// Time of saving, in seconds since the epoch.
    pub(crate) at: u64,
    /// Rate in calls a minute at which the server last refused a call.
    pub(crate) requests_per_minute: Option<f64>,
    /// Calls in flight at which the server last refused a call.
    pub(crate) in_flight: Option<f64>,
}

fields! { SavedLimits { at: required, requests_per_minute: sparse, in_flight: sparse } }

impl SavedLimits {
    /// Starts the limiter of `model` from these limits, and logs them.
    pub(crate) fn restore(self, model: &str, limiter: &Limiter) {
        let Self { requests_per_minute, in_flight, .. } = self;
        if requests_per_minute.is_some() || in_flight.is_some() {
            tracing::info!(
                model,
                requests_per_minute,
                in_flight,
                "starting below the limits at which the server refused calls in an earlier run"
            );
        }
        limiter.restore(requests_per_minute, in_flight);
    }
}

/// Saved limits by model.
pub(crate) type SavedLimitsByModel = HashMap<String, SavedLimits>;

/// Reads the entries that are not too old at `now`, in seconds since the epoch.
pub(crate) fn read(directory: &Path, now: u64) -> SavedLimitsByModel {
    let path = directory.join(FILE);
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return SavedLimitsByModel::new(),
        Err(error) => {
            tracing::warn!(file = %path.display(), %error, "cannot read the saved limits; starting without them");
            return SavedLimitsByModel::new();
        }
    };
    let mut saved = serde_json::from_str(&text).unwrap_or_else(|error| {
        // The message of the error may quote the file.
        tracing::warn!(file = %path.display(), line = error.line(), "the file of saved limits is damaged; starting without it");
        SavedLimitsByModel::new()
    });
    saved.retain(|_, limits| limits.at <= now + MAX_AGE.as_secs() && limits.at + MAX_AGE.as_secs() > now);
    saved
}

/// Merges `ours` into the file, replacing entries of the same models. The file is replaced atomically.
pub(crate) fn write(directory: &Path, ours: &SavedLimitsByModel, now: u64) -> io::Result<()> {
    let mut saved = read(directory, now);
    saved.extend(ours.iter().map(|(model, limits)| (model.clone(), *limits)));
    let text = serde_json::to_string(&saved).expect("names and finite numbers");
    let temporary: PathBuf = directory.join(format!(".{FILE}.{}", std::process::id()));
    let written = fs::write(&temporary, text).and_then(|()| fs::rename(&temporary, directory.join(FILE)));
    if written.is_err() {
        // The temporary file may not exist.
        let _ = fs::remove_file(&temporary);
    }
    written
}

#[cfg(test)]
mod tests;
