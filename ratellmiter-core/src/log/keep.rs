//! Old logs: the rule for the logs that are kept, and the removal of the others.

use std::{
    error::Error,
    fmt, fs, io,
    path::{Path, PathBuf},
    str::FromStr,
    time::{Duration, SystemTime},
};

use super::{newest_first, start_in_name};

/// Time since the last row during which no log is removed, since another process may be writing it.
const IN_USE: Duration = Duration::from_hours(1);

const MEGABYTE: u64 = 1_000_000;

/// The rule for the logs that are kept. While a monitor runs, it removes the others from its directory, at its start and once an
/// hour.
///
/// Only files with the name of a log (`<start>-<process id>.jsonl`) are removed, and none that was written within the last hour.
///
/// ```
/// use ratellmiter_core::log::KeepLogs;
///
/// assert_eq!("7 days".parse(), Ok(KeepLogs::Days(7)));
/// assert_eq!("500 MB".parse(), Ok(KeepLogs::Megabytes(500)));
/// assert_eq!(KeepLogs::default(), KeepLogs::Days(30));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum KeepLogs {
    /// No log is removed.
    All,
    /// Logs whose last row is older than this number of days are removed.
    Days(u32),
    /// The oldest logs are removed until the size of all is at most this number of megabytes.
    Megabytes(u32),
}

impl KeepLogs {
    /// The values that can be parsed.
    pub(crate) const ALLOWED: &str = "\"all\", a number of days such as \"30 days\", or a size such as \"500 MB\"";
}

impl Default for KeepLogs {
    fn default() -> Self {
        Self::Days(30)
    }
}

impl fmt::Display for KeepLogs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str("all"),
            Self::Days(1) => f.write_str("1 day"),
            Self::Days(days) => write!(f, "{days} days"),
            Self::Megabytes(size) => write!(f, "{size} MB"),
        }
    }
}

/// Error of a text that is no rule for logs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidKeepLogs {
    text: String,
}

impl fmt::Display for InvalidKeepLogs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} is not {}", self.text, KeepLogs::ALLOWED)
    }
}

impl Error for InvalidKeepLogs {}

impl FromStr for KeepLogs {
    type Err = InvalidKeepLogs;

    fn from_str(text: &str) -> Result<Self, InvalidKeepLogs> {
        let word = text.trim();
        let digits = word.trim_start_matches(|letter: char| letter.is_ascii_digit());
        let number = word[..word.len() - digits.len()].parse().ok().filter(|number| *number > 0);
        match (number, digits.trim_start().to_ascii_lowercase().as_str()) {
            (None, "all") => Ok(Self::All),
            (Some(days), "day" | "days" | "d") => Ok(Self::Days(days)),
            (Some(size), "mb") => Ok(Self::Megabytes(size)),
            _ => Err(InvalidKeepLogs { text: text.to_owned() }),
        }
    }
}

/// A log with the time of its last row.
#[derive(Debug, Clone, PartialEq)]
struct OldLog {
    path: PathBuf,
    written: SystemTime,
    bytes: u64,
}

/// Removes the logs of a directory that `keep` excludes, except `own`. Returns the number of removed logs.
///
/// # Errors
/// The directory cannot be read, or a log cannot be removed. The other logs are removed nevertheless.
pub(crate) fn remove_old(directory: &Path, keep: KeepLogs, own: &Path, now: SystemTime) -> io::Result<usize> {
    if keep == KeepLogs::All {
        return Ok(0);
    }
    let logs = newest_first(directory)?.into_iter().filter_map(|path| {
        // A link is not followed.
        let data = path.symlink_metadata().ok().filter(|data| data.is_file() && start_in_name(&path).is_some())?;
        Some(OldLog { written: data.modified().ok()?, bytes: data.len(), path })
    });
    let mut removed = 0;
    let mut failed = Ok(());
    for log in excluded(logs.collect(), keep, own, now) {
        match fs::remove_file(&log.path) {
            Ok(()) => removed += 1,
            // Another process has removed it.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => failed = Err(error),
        }
    }
    failed.map(|()| removed)
}

/// Returns the logs that are removed, from `logs` with the newest first.
fn excluded(logs: Vec<OldLog>, keep: KeepLogs, own: &Path, now: SystemTime) -> Vec<OldLog> {
    let mut sum = 0_u64;
    let mut is_excluded = |log: &OldLog| {
        sum = sum.saturating_add(log.bytes);
        // A time in the future is that of another clock.
        let age = now.duration_since(log.written).unwrap_or_default();
        let is_old = match keep {
            KeepLogs::All => false,
            KeepLogs::Days(days) => age > Duration::from_hours(24).saturating_mul(days),
            KeepLogs::Megabytes(size) => sum > MEGABYTE.saturating_mul(size.into()),
        };
        is_old && age > IN_USE && log.path != own
    };
    logs.into_iter().filter(|log| is_excluded(log)).collect()
}

#[cfg(test)]
mod tests;
