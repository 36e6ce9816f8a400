//! Names and contents of the files that the command writes.

use std::{
    borrow::Cow,
    fs::{self, File, OpenOptions},
    io::{self, Write as _},
    path::Path,
    process,
};

/// Longest file name that common file systems allow, in bytes.
const MAX_NAME_BYTES: usize = 255;

/// Returns the name of a picture without `-out`: `<log>-<model>_<lines>.<ending>`, or `<log>+<others>-...` if `others` more
/// logs are summed. Truncated to what file systems allow.
pub(crate) fn default_name(log: &Path, others: usize, model: &str, lines: &str, ending: &str) -> String {
    let log = log.file_stem().map_or(Cow::Borrowed("log"), |stem| stem.to_string_lossy());
    let others = if others == 0 { String::new() } else { format!("+{others}") };
    let mut name: String = format!("{log}{others}-{model}")
        .chars()
        // Path separators of any system, and control characters.
        .map(|letter| if matches!(letter, '/' | '\\' | ':') || letter.is_control() { '-' } else { letter })
        .collect();
    let end = format!("_{lines}.{ending}");
    name.truncate(name.floor_char_boundary(MAX_NAME_BYTES.saturating_sub(end.len())));
    name + &end
}

/// Returns `true` if both paths lead to the same file, also through links.
pub(crate) fn is_same_file(one: &Path, other: &Path) -> bool {
    #[cfg(unix)]
    if let (Ok(one), Ok(other)) = (fs::metadata(one), fs::metadata(other)) {
        use std::os::unix::fs::MetadataExt as _;
        return (one.dev(), one.ino()) == (other.dev(), other.ino());
    }
    matches!((fs::canonicalize(one), fs::canonicalize(other)), (Ok(one), Ok(other)) if one == other)
}

/// Writes a file whole or not at all, by renaming a temporary file. Devices and pipes are written to directly.
pub(crate) fn write(content: &[u8], path: &Path) -> io::Result<()> {
    // A link is kept: its target is replaced.
    let target = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    match fs::metadata(&target) {
        Ok(there) if there.is_dir() => return Err(io::Error::new(io::ErrorKind::IsADirectory, "it is a directory")),
        // Renaming over a device or a pipe would replace it for every user of the system.
        Ok(there) if !there.is_file() => return OpenOptions::new().write(true).open(&target)?.write_all(content),
        _ => {}
    }
    let directory = target.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."));
    let unfinished = directory.join(format!(".ratellmiter-{}.tmp", process::id()));
    let written = File::create(&unfinished)
        .and_then(|mut file| file.write_all(content).and_then(|()| file.sync_all()))
        .and_then(|()| fs::rename(&unfinished, &target));
    if written.is_err() {
        // Best effort: the write has failed already.
        let _ = fs::remove_file(&unfinished);
    }
    written
}

#[cfg(test)]
mod tests;
