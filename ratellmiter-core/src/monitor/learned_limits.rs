//! What was learned, kept beside the logs for the next start.
//!
//! One small JSON file for all models of a directory. Whoever writes it keeps what others wrote of models it does not know.
//! What is older than a day is ignored, and so is a file that cannot be read: it is a memory, not a configuration.

use std::{
    collections::HashMap,
    fs, io,
    path::{Path, PathBuf},
    time::Duration,
};

use crate::log::fields::fields;

/// The name of the file in the log directory.
const FILE: &str = "learned.json";
/// What is older is ignored: limits are changed by people, in hours.
const OLDEST: Duration = Duration::from_hours(24);

/// What has been learned of one model.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct SavedLimits {
    /// When, in seconds since the epoch.
    pub(crate) at: u64,
    /// The rate at which the server refused last.
    pub(crate) requests_per_minute: Option<f64>,
    /// The calls in flight at which it did.
    pub(crate) in_flight: Option<f64>,
}

fields! { SavedLimits { at: required, requests_per_minute: sparse, in_flight: sparse } }

/// By model.
pub(crate) type Memory = HashMap<String, SavedLimits>;

/// What is still worth knowing at `now`, in seconds since the epoch.
pub(crate) fn read(directory: &Path, now: u64) -> Memory {
    let path = directory.join(FILE);
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Memory::new(),
        Err(error) => {
            tracing::warn!(file = %path.display(), %error, "cannot read what was learned; it is learned anew");
            return Memory::new();
        }
    };
    let mut memory = serde_json::from_str(&text).unwrap_or_else(|error| {
        // The error's text would show what stands there.
        tracing::warn!(file = %path.display(), line = error.line(), "what was learned is damaged; it is learned anew");
        Memory::new()
    });
    memory.retain(|_, learned| learned.at <= now + OLDEST.as_secs() && learned.at + OLDEST.as_secs() > now);
    memory
}

/// Writes `ours` over what the file says of the same models. The file is whole at any time.
pub(crate) fn write(directory: &Path, ours: &Memory, now: u64) -> io::Result<()> {
    let mut memory = read(directory, now);
    memory.extend(ours.iter().map(|(model, learned)| (model.clone(), *learned)));
    let text = serde_json::to_string(&memory).expect("names and finite numbers");
    let new: PathBuf = directory.join(format!(".{FILE}.{}", std::process::id()));
    let written = fs::write(&new, text).and_then(|()| fs::rename(&new, directory.join(FILE)));
    if written.is_err() {
        // It may not be there at all.
        let _ = fs::remove_file(&new);
    }
    written
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_795_502_413;

    fn learned(at: u64) -> SavedLimits {
        SavedLimits { at, requests_per_minute: Some(290.5), in_flight: None }
    }

    fn one(model: &str, at: u64) -> Memory {
        Memory::from([(model.to_owned(), learned(at))])
    }

    #[test]
    fn what_others_wrote_is_kept_and_what_is_a_day_old_is_not() {
        let directory = tempfile::tempdir().unwrap();
        assert_eq!(read(directory.path(), NOW), Memory::new(), "there is no file yet");
        write(directory.path(), &one("a", NOW - 86_399), NOW).unwrap();
        write(directory.path(), &one("b", NOW), NOW).unwrap();
        let both = Memory::from([("a".to_owned(), learned(NOW - 86_399)), ("b".to_owned(), learned(NOW))]);
        assert_eq!(read(directory.path(), NOW), both);
        assert_eq!(read(directory.path(), NOW + 1), one("b", NOW), "a day old");
        assert_eq!(read(directory.path(), NOW - 90_000), one("a", NOW - 86_399), "a clock that was set back by a day");
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1, "nothing else is left behind");
    }

    #[test]
    fn a_damaged_file_is_forgotten_and_written_anew() {
        let directory = tempfile::tempdir().unwrap();
        for text in ["", "{", "[]", "\u{0}", r#"{"m": {"at": -1}}"#, r#"{"m": {"at": 1e400}}"#] {
            fs::write(directory.path().join(FILE), text).unwrap();
            assert_eq!(read(directory.path(), NOW), Memory::new(), "{text}");
        }
        fs::write(directory.path().join(FILE), [0xff, 0xfe]).unwrap();
        assert_eq!(read(directory.path(), NOW), Memory::new());
        write(directory.path(), &one("m", NOW), NOW).unwrap();
        assert_eq!(read(directory.path(), NOW), one("m", NOW));
    }

    #[test]
    fn a_directory_that_is_gone_is_an_error_and_leaves_nothing() {
        let directory = tempfile::tempdir().unwrap();
        assert!(write(&directory.path().join("gone"), &one("m", NOW), NOW).is_err());
        fs::create_dir(directory.path().join(FILE)).unwrap();
        assert!(write(directory.path(), &one("m", NOW), NOW).is_err(), "a directory lies in its place");
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
    }
}
