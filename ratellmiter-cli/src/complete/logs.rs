//! The models and logs that a command line may select.

use std::path::{Path, PathBuf};

use crate::{
    args::Source,
    choose_log,
    read::{Log, is_stdin},
};

/// Number of the newest logs that are searched for one with rows.
const MAX_LOGS: usize = 8;

/// Returns the models of the first log that the line selects, or of the newest one that has rows.
pub(super) fn models(source: &Source) -> Vec<String> {
    let paths = match &source.files[..] {
        [] => choose_log::directory(source.directory.as_deref())
            .and_then(|directory| choose_log::newest_first(&directory))
            .unwrap_or_default(),
        files => files.iter().filter_map(|file| choose_log::locate(file, source).ok()).collect(),
    };
    // Reading a pipe or a device might never end.
    let logs = paths.iter().filter(|path| !is_stdin(path) && path.is_file()).take(MAX_LOGS);
    let models = logs.filter_map(|path| Log::read(path).ok()).map(|log| log.models).find(|models| !models.is_empty());
    models.unwrap_or_default().into_keys().collect()
}

/// Returns the names of the logs in the directory of the logs, newest first. They can be named without the directory.
pub(super) fn names(directory: Option<&Path>) -> Vec<String> {
    let logs: Vec<PathBuf> =
        choose_log::directory(directory).and_then(|directory| choose_log::newest_first(&directory)).unwrap_or_default();
    logs.iter().filter_map(|log| Some(log.file_name()?.to_str()?.to_owned())).collect()
}
