//! Files as values.

use std::{
    env, fs,
    path::{Path, PathBuf},
};

/// Returns the paths that begin with `typed`, sorted. Directories end with a slash, and files are limited to those that
/// `is_offered` accepts.
pub(super) fn beginning_with(typed: &str, is_offered: impl Fn(&Path) -> bool) -> Vec<String> {
    let (parent, name) = typed.rfind('/').map_or(("", typed), |slash| typed.split_at(slash + 1));
    let Ok(entries) = fs::read_dir(expanded(parent)) else { return Vec::new() };
    let mut found: Vec<_> = entries
        .filter_map(|entry| {
            let path = entry.ok()?.path();
            let entry = path.file_name()?.to_str()?;
            // Hidden files are offered if their dot is typed.
            let is_hidden = entry.starts_with('.') && !name.starts_with('.');
            let is_directory = path.is_dir();
            let is_wanted = entry.starts_with(name) && !is_hidden && (is_directory || is_offered(&path));
            is_wanted.then(|| format!("{parent}{entry}{}", if is_directory { "/" } else { "" }))
        })
        .collect();
    found.sort();
    found
}

/// Returns the directory of a path as typed, in which `~/` is the home directory.
fn expanded(parent: &str) -> PathBuf {
    match (parent.strip_prefix("~/"), env::var_os("HOME")) {
        (Some(rest), Some(home)) => Path::new(&home).join(rest),
        _ if parent.is_empty() => ".".into(),
        _ => parent.into(),
    }
}
