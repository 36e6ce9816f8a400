//! The files of the log, and their format.
//!
//! A log is named `<start, seconds since the epoch>-<process id>.jsonl`. Rows are written every second, so a killed process
//! loses at most the current second, and may leave a torn last line, which readers skip. Errors do not affect calls:
//! [`LogWriter::append`] returns them, keeps up to a mebibyte of unwritten rows, and writes these with the next rows.

pub(crate) mod fields;
pub(crate) mod keep;
pub(crate) mod row;
pub(crate) mod sketch;

pub use keep::{InvalidKeepLogs, KeepLogs};
pub use row::{Bottleneck, BudgetKind, BudgetStatus, ClosedReason, FORMAT, Header, LogLine, Quantiles, Row};
pub use sketch::{Bucket, Sketch};

use std::{
    ffi::OsStr,
    fs::{self, File, OpenOptions},
    io::{self, Read as _, Seek as _, SeekFrom, Write as _},
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
    /// Size of the file after the last write, in bytes.
    length: u64,
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
        fs::create_dir_all(directory)?;
        let (path, file) = create_unused(directory, started)?;
        let header = line(&header);
        let mut log = Self { path, header, file: Some(file), pending: Vec::new(), torn: false, length: 0 };
        log.start()?;
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
        if self.file.is_none() || self.is_cut() || !self.path.exists() {
            self.open().inspect_err(|_| self.drop_oldest())?;
        }
        let written = self.write();
        self.measure();
        written.inspect_err(|_| self.drop_oldest())
    }

    fn open(&mut self) -> io::Result<()> {
        self.file = None;
        if let Some(directory) = self.path.parent() {
            fs::create_dir_all(directory)?;
        }
        let file = OpenOptions::new().read(true).create(true).append(true).open(&self.path)?;
        self.torn = ends_within_line(&file).unwrap_or(true);
        self.file = Some(file);
        self.start()
    }

    /// Writes the header if the file is empty.
    fn start(&mut self) -> io::Result<()> {
        if let Some(file) = &mut self.file
            && file.metadata()?.len() == 0
        {
            file.write_all(&self.header)?;
            self.torn = false;
        }
        self.measure();
        Ok(())
    }

    /// Records the size of the file.
    fn measure(&mut self) {
        self.length = self.size().unwrap_or_default();
    }

    /// Returns `true` if another program has shortened the file.
    fn is_cut(&self) -> bool {
        self.size().is_some_and(|size| size < self.length)
    }

    fn size(&self) -> Option<u64> {
        self.file.as_ref()?.metadata().ok().map(|data| data.len())
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

/// Creates a file that did not exist. A later second is used if a monitor was restarted within a second, or if the process of
/// another container has the same id.
fn create_unused(directory: &Path, mut started: u64) -> io::Result<(PathBuf, File)> {
    loop {
        let path = directory.join(format!("{started}-{}.jsonl", std::process::id()));
        match OpenOptions::new().read(true).append(true).create_new(true).open(&path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => started += 1,
            file => return Ok((path, file?)),
        }
    }
}

/// Returns `true` if the last byte of a file is no end of a line.
fn ends_within_line(mut file: &File) -> io::Result<bool> {
    if file.seek(SeekFrom::End(0))? == 0 {
        return Ok(false);
    }
    file.seek(SeekFrom::End(-1))?;
    let mut last = [0];
    file.read_exact(&mut last)?;
    Ok(last != *b"\n")
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

/// Returns the start in the name of a log, or `None` if a file has another name.
fn start_in_name(path: &Path) -> Option<Duration> {
    let (start, process) = path.file_stem().and_then(OsStr::to_str)?.split_once('-')?;
    process.parse::<u32>().ok()?;
    start.parse().ok().map(Duration::from_secs)
}

fn start_time(path: &Path) -> Duration {
    let from_name = start_in_name(path);
    let last_change =
        || path.metadata().and_then(|data| data.modified()).ok()?.duration_since(SystemTime::UNIX_EPOCH).ok();
    from_name.or_else(last_change).unwrap_or_default()
}

#[cfg(test)]
mod tests;
