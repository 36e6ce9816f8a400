//! The files of the log, and their format.
//!
//! A log is named `<start, seconds since the epoch>-<process id>.jsonl`. Rows are written every second, so a killed process
//! loses at most the current second, and may leave a torn last line, which readers skip. Errors do not affect calls:
//! [`LogWriter::append`] returns them, keeps up to a mebibyte of unwritten rows, and writes these with the next rows.

pub(crate) mod fields;
pub(crate) mod row;
pub(crate) mod sketch;

pub use row::{Bottleneck, BudgetKind, BudgetStatus, ClosedReason, FORMAT, Header, LogLine, Quantiles, Row};
pub use sketch::{Bucket, Sketch};

use std::{
    ffi::OsStr,
    fs::{self, File, OpenOptions},
    io::{self, Write as _},
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use serde_core::Serialize;

/// Default directory of logs.
pub const DIRECTORY: &str = "ratellmiter_logs";

/// Largest size of unwritten rows, in bytes: about an hour of one busy model.
const MAX_PENDING_BYTES: usize = 1 << 20;

/// Writer of a log.
#[derive(Debug)]
pub struct LogWriter {
    path: PathBuf,
    header: Vec<u8>,
    file: Option<File>,
    /// Complete lines that are not written yet.
    pending: Vec<u8>,
    /// The last write ended inside a line, so that the next must start with a line break.
    torn: bool,
}

impl LogWriter {
    /// Creates the log of this process in `directory`, with its header. Creates the directory if it does not exist.
    ///
    /// # Errors
    /// The directory or the file cannot be created, or the header cannot be written.
    pub fn create(directory: &Path, started: SystemTime) -> io::Result<Self> {
        Self::create_in_namespace(directory, started, None)
    }

    /// As [`create`](Self::create), for a process that shares its limiters in `namespace`, if it is given.
    pub(crate) fn create_in_namespace(
        directory: &Path,
        started: SystemTime,
        namespace: Option<String>,
    ) -> io::Result<Self> {
        let started = started.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
        let header = Header { format: FORMAT, started, library: env!("CARGO_PKG_VERSION").into(), namespace };
        let mut log = Self {
            path: unused_path(directory, started),
            header: line(&header),
            file: None,
            pending: Vec::new(),
            torn: false,
        };
        log.open()?;
        Ok(log)
    }

    /// Returns the path of the log.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Appends `rows`, after the rows that an earlier call could not write.
    ///
    /// # Errors
    /// The rows cannot be written. They are kept for the next call, up to a mebibyte; beyond that the oldest are dropped.
    pub fn append(&mut self, rows: &[Row<'_>]) -> io::Result<()> {
        for row in rows {
            self.pending.extend(line(row));
        }
        if self.pending.is_empty() {
            return Ok(());
        }
        // If the directory was removed, writing to the open file would succeed, and the rows would be lost.
        if self.file.is_none() || !self.path.exists() {
            self.open().inspect_err(|_| self.drop_oldest())?;
        }
        self.write().inspect_err(|_| self.drop_oldest())
    }

    fn open(&mut self) -> io::Result<()> {
        self.file = None;
        if let Some(directory) = self.path.parent() {
            fs::create_dir_all(directory)?;
        }
        let mut file = OpenOptions::new().create(true).append(true).open(&self.path)?;
        if file.metadata()?.len() == 0 {
            file.write_all(&self.header)?;
            self.torn = false;
        }
        self.file = Some(file);
        Ok(())
    }

    fn write(&mut self) -> io::Result<()> {
        let Some(file) = &mut self.file else {
            return Ok(());
        };
        while self.torn || !self.pending.is_empty() {
            if self.torn {
                file.write_all(b"\n")?;
                self.torn = false;
            }
            match file.write(&self.pending) {
                Ok(0) if !self.pending.is_empty() => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => {
                    // A line that was cut is written again as a whole. Readers skip the torn part.
                    let whole = self.pending[..written].iter().rposition(|&byte| byte == b'\n').map_or(0, |at| at + 1);
                    self.torn = whole < written;
                    self.pending.drain(..whole);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn drop_oldest(&mut self) {
        if self.pending.len() > MAX_PENDING_BYTES {
            let from = self.pending.len() - MAX_PENDING_BYTES;
            let start = self.pending[from..].iter().position(|&byte| byte == b'\n').map_or(0, |at| from + at + 1);
            self.pending.drain(..start);
        }
    }
}

fn line(value: &impl Serialize) -> Vec<u8> {
    let mut bytes = serde_json::to_vec(value).expect("headers and rows have string keys and finite numbers");
    bytes.push(b'\n');
    bytes
}

/// Returns a path that does not exist yet: a later second is used if a monitor was restarted within a second.
fn unused_path(directory: &Path, mut started: u64) -> PathBuf {
    loop {
        let path = directory.join(format!("{started}-{}.jsonl", std::process::id()));
        if !path.exists() {
            return path;
        }
        started += 1;
    }
}

/// Returns the logs in `directory`, newest first, by the start in their names. Logs with other names are ordered by their
/// last change.
///
/// # Errors
/// The directory cannot be read.
pub fn newest_first(directory: &Path) -> io::Result<Vec<PathBuf>> {
    let mut logs = Vec::new();
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        if path.extension() == Some(OsStr::new("jsonl")) && path.is_file() {
            logs.push((start_time(&path), path));
        }
    }
    logs.sort_unstable_by(|one, other| other.cmp(one));
    Ok(logs.into_iter().map(|(_, path)| path).collect())
}

fn start_time(path: &Path) -> Duration {
    let from_name = path
        .file_stem()
        .and_then(OsStr::to_str)
        .and_then(|stem| stem.split_once('-'))
        .and_then(|(start, process)| process.parse::<u32>().ok().and_then(|_| start.parse().ok()))
        .map(Duration::from_secs);
    let last_change =
        || path.metadata().and_then(|data| data.modified()).ok()?.duration_since(SystemTime::UNIX_EPOCH).ok();
    from_name.or_else(last_change).unwrap_or_default()
}

#[cfg(test)]
mod tests;
