//! Names and contents of the files that the command writes.

use std::{
    borrow::Cow,
    fs::{self, OpenOptions},
    io::{self, Write as _},
    path::Path,
};

use crate::{names::is_printable, read::is_stdin};

/// Longest file name that common file systems allow, in bytes.
const MAX_NAME_BYTES: usize = 255;
/// Number of links that a path may consist of, as on common systems.
const MAX_LINKS: usize = 40;

/// Returns the name of a picture without `-out`: `<log>-<model>_<lines>.<ending>`, or `<log>+<others>-...` if `others` more
/// logs are summed. Truncated to what file systems allow.
pub(crate) fn default_name(log: &Path, others: usize, model: &str, lines: &str, ending: &str) -> String {
    let log = match log.file_stem() {
        Some(stem) if !is_stdin(log) => stem.to_string_lossy(),
        Some(_) => Cow::Borrowed("stdin"),
        None => Cow::Borrowed("log"),
    };
    let others = if others == 0 { String::new() } else { format!("+{others}") };
    let mut name: String = format!("{log}{others}-{model}")
        .chars()
        // Path separators of any system, and characters that are invisible or change the direction of the text.
        .map(|letter| if matches!(letter, '/' | '\\' | ':') || !is_printable(letter) { '-' } else { letter })
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

/// Returns `true` if `path` leads to the standard output of this process, as `/dev/stdout` does.
pub(crate) fn is_stdout(path: &Path) -> bool {
    descriptor(path) == Some(1)
}

/// Returns the number of the open file of this process that `path` leads to, also through links; `None` for any other path.
fn descriptor(path: &Path) -> Option<u32> {
    // The directory has one entry for each open file, named by its number.
    let descriptors = Path::new("/dev/fd");
    let mut path = path.to_owned();
    for _ in 0..MAX_LINKS {
        let name = path.file_name()?;
        let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."));
        if let Some(number) = name.to_str().and_then(|name| name.parse().ok())
            && is_same_file(parent, descriptors)
        {
            return Some(number);
        }
        path = parent.join(fs::read_link(&path).ok()?);
    }
    None
}

/// Writes a file whole or not at all, by renaming a temporary file. Devices and pipes are written to directly.
///
/// The temporary file has an unpredictable name and is created exclusively, so that a link at its path is never followed.
pub(crate) fn write(content: &[u8], path: &Path) -> io::Result<()> {
    // A link is kept: its target is replaced.
    let target = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    match fs::metadata(&target) {
        Ok(there) if there.is_dir() => return Err(io::Error::new(io::ErrorKind::IsADirectory, "it is a directory")),
        // Renaming over a device or a pipe would replace it for every user of the system.
        Ok(there) if !there.is_file() => return OpenOptions::new().write(true).open(&target)?.write_all(content),
        _ => {}
    }
    if descriptor(path).is_some() {
        // An open file is written to, not replaced.
        return OpenOptions::new().append(true).open(path)?.write_all(content);
    }
    let directory = target.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."));
    // The error of the system, to which `tempfile` adds the path of a file that does not exist.
    let mut code = None;
    let create = |path: &Path| {
        let created = OpenOptions::new().write(true).create_new(true).open(path);
        created.inspect_err(|error| code = error.raw_os_error())
    };
    // Dropped after a failure, it is removed.
    let made = tempfile::Builder::new().prefix(".ratellmiter-").suffix(".tmp").make_in(directory, create);
    let mut unfinished = made.map_err(|error| code.map_or(error, io::Error::from_raw_os_error))?;
    // The errors of `tempfile` itself contain the name of a file that the user has never seen.
    unfinished.as_file_mut().write_all(content)?;
    unfinished.as_file().sync_all()?;
    unfinished.persist(&target).map_err(|error| error.error)?;
    Ok(())
}

#[cfg(test)]
mod tests;
