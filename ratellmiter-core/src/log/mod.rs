//! Where logs lie, how a row is appended, how one is read, which file is newest.
//!
//! A log is named `<start, seconds since the epoch>-<process id>.jsonl`. Rows are appended and handed to the system by
//! the second, so a killed process loses at most the second under way, and at worst leaves a torn last line, which
//! readers skip. A broken log never breaks a call: [`Log::append`] reports, keeps what it could not write while that
//! is little, and tries again the next time.

pub(crate) mod fields;
pub(crate) mod row;

pub use row::{Bottleneck, BudgetKind, BudgetStatus, FORMAT, Header, LogLine, Quantiles, Row};

use std::{
    ffi::OsStr,
    fs::{self, File, OpenOptions},
    io::{self, Write as _},
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use serde_core::Serialize;

/// The directory logs are written to and read from when nobody says otherwise.
pub const DIRECTORY: &str = "ratellmiter_logs";

/// What may wait for a disk that refuses, in bytes: an hour of one busy model.
const BACKLOG: usize = 1 << 20;

/// A log that is being written.
#[derive(Debug)]
pub struct LogWriter {
    path: PathBuf,
    header: Vec<u8>,
    file: Option<File>,
    /// Whole lines not yet written.
    pending: Vec<u8>,
    /// Whether the last write broke off inside a line, so that the next must begin with a line break.
    torn: bool,
}

impl LogWriter {
    /// Names the log of this process in `directory`, creating the directory and the file with its header.
    ///
    /// # Errors
    /// The directory or the file cannot be made; nothing is left behind in the directory then.
    pub fn create(directory: &Path, started: SystemTime) -> io::Result<Self> {
        Self::of(directory, started, None)
    }

    /// The same for a process that shares its limiters under this name, if it does.
    pub(crate) fn of(directory: &Path, started: SystemTime, namespace: Option<String>) -> io::Result<Self> {
        let started = started.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
        let header = Header { format: FORMAT, started, library: env!("CARGO_PKG_VERSION").into(), namespace };
        let mut log = Self {
            path: unused(directory, started),
            header: line(&header),
            file: None,
            pending: Vec::new(),
            torn: false,
        };
        log.open()?;
        Ok(log)
    }

    /// Where the log lies.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Appends `rows` after whatever an earlier call could not write, and hands them to the system.
    ///
    /// # Errors
    /// The disk refused. Up to a mebibyte of rows waits for the next call, beyond that the oldest are dropped.
    pub fn append(&mut self, rows: &[Row<'_>]) -> io::Result<()> {
        for row in rows {
            self.pending.extend(line(row));
        }
        if self.pending.is_empty() {
            return Ok(());
        }
        // A directory removed under us takes the open file with it: writing on would succeed into nowhere.
        if self.file.is_none() || !self.path.exists() {
            self.open().inspect_err(|_| self.forget_oldest())?;
        }
        self.write().inspect_err(|_| self.forget_oldest())
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
                    // A line that was cut in two is written again, whole: readers skip the torn half.
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

    fn forget_oldest(&mut self) {
        if self.pending.len() > BACKLOG {
            let from = self.pending.len() - BACKLOG;
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

/// A monitor that is stopped and started within a second gets a name of its own: a later second's.
fn unused(directory: &Path, mut started: u64) -> PathBuf {
    loop {
        let path = directory.join(format!("{started}-{}.jsonl", std::process::id()));
        if !path.exists() {
            return path;
        }
        started += 1;
    }
}

/// The logs in `directory`, newest first: by the start in the name, for a log with another name by its last change.
///
/// # Errors
/// The directory cannot be read.
pub fn newest_first(directory: &Path) -> io::Result<Vec<PathBuf>> {
    let mut logs = Vec::new();
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        if path.extension() == Some(OsStr::new("jsonl")) && path.is_file() {
            logs.push((started(&path), path));
        }
    }
    logs.sort_unstable_by(|one, other| other.cmp(one));
    Ok(logs.into_iter().map(|(_, path)| path).collect())
}

fn started(path: &Path) -> Duration {
    let named = path
        .file_stem()
        .and_then(OsStr::to_str)
        .and_then(|stem| stem.split_once('-'))
        .and_then(|(start, process)| process.parse::<u32>().ok().and_then(|_| start.parse().ok()))
        .map(Duration::from_secs);
    let changed = || path.metadata().and_then(|data| data.modified()).ok()?.duration_since(SystemTime::UNIX_EPOCH).ok();
    named.or_else(changed).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::row::LogLine;

    fn row(at: u64) -> Row<'static> {
        Row { at, model: "m".into(), ..Row::default() }
    }

    /// The rows of a log, torn lines left out.
    fn rows(path: &Path) -> Vec<u64> {
        let text = fs::read_to_string(path).unwrap();
        let lines = text.lines().filter_map(|line| LogLine::parse(line).ok());
        lines.filter_map(|line| if let LogLine::Row(row) = line { Some(row.at) } else { None }).collect()
    }

    #[test]
    fn a_log_is_named_for_its_start_and_process_and_begins_with_a_header() {
        let directory = tempfile::tempdir().unwrap();
        let start = SystemTime::UNIX_EPOCH + Duration::from_secs(5);
        let mut log = LogWriter::create(&directory.path().join("a/b"), start).unwrap();
        assert_eq!(log.path(), directory.path().join(format!("a/b/5-{}.jsonl", std::process::id())));
        log.append(&[row(7), row(8)]).unwrap();
        let text = fs::read_to_string(log.path()).unwrap();
        let library = env!("CARGO_PKG_VERSION").into();
        let header = Header { format: FORMAT, started: 5, library, namespace: None };
        assert_eq!(LogLine::parse(text.lines().next().unwrap()).unwrap(), LogLine::Header(header));
        assert_eq!(rows(log.path()), [7, 8]);
        let second = LogWriter::create(&directory.path().join("a/b"), start).unwrap();
        assert_ne!(second.path(), log.path(), "an earlier log is never written over");
    }

    #[test]
    fn a_directory_that_cannot_be_made_is_an_error() {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("file"), "").unwrap();
        assert!(LogWriter::create(&directory.path().join("file"), SystemTime::now()).is_err());
    }

    #[test]
    fn a_directory_that_was_removed_comes_back_with_the_next_row() {
        let directory = tempfile::tempdir().unwrap();
        let mut log = LogWriter::create(&directory.path().join("logs"), SystemTime::now()).unwrap();
        log.append(&[row(1)]).unwrap();
        fs::remove_dir_all(directory.path().join("logs")).unwrap();
        log.append(&[row(2)]).unwrap();
        assert_eq!(rows(log.path()), [2]);
        // Now something else lies in its place for a while.
        fs::remove_dir_all(directory.path().join("logs")).unwrap();
        fs::write(directory.path().join("logs"), "").unwrap();
        assert!(log.append(&[row(3)]).is_err());
        fs::remove_file(directory.path().join("logs")).unwrap();
        log.append(&[row(4)]).unwrap();
        assert_eq!(rows(log.path()), [3, 4], "what could not be written is not lost");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_full_disk_loses_nothing_for_a_while_and_then_the_oldest() {
        let directory = tempfile::tempdir().unwrap();
        let mut log = LogWriter::create(directory.path(), SystemTime::now()).unwrap();
        let full = || Some(OpenOptions::new().append(true).open("/dev/full").unwrap());
        log.file = full();
        assert_eq!(log.append(&[row(1)]).unwrap_err().kind(), io::ErrorKind::StorageFull);
        assert!(log.append(&[row(2)]).is_err());
        log.file = None;
        log.append(&[row(3)]).unwrap();
        assert_eq!(rows(log.path()), [1, 2, 3]);
        log.file = full();
        let many: Vec<_> = (4..20_000).map(row).collect();
        assert!(log.append(&many).is_err());
        assert!(log.pending.len() <= BACKLOG);
        log.file = None;
        log.append(&[row(20_000)]).unwrap();
        let kept = rows(log.path());
        assert_eq!(kept[..3], [1, 2, 3]);
        assert!(kept[3] > 4 && kept[3..].windows(2).all(|pair| pair[0] + 1 == pair[1]), "the newest, whole");
        assert_eq!(kept.last(), Some(&20_000));
    }

    #[test]
    fn the_newest_is_first_whatever_the_name() {
        let directory = tempfile::tempdir().unwrap();
        // The last has no start in its name: it counts by its last change, which is now.
        for name in ["100-7.jsonl", "99-8.jsonl", "1000-6.jsonl", "notes.txt", "python.jsonl"] {
            fs::write(directory.path().join(name), "").unwrap();
        }
        let names: Vec<_> = newest_first(directory.path())
            .unwrap()
            .iter()
            .map(|path| path.file_name().unwrap().to_str().unwrap().to_owned())
            .collect();
        assert_eq!(names, ["python.jsonl", "1000-6.jsonl", "100-7.jsonl", "99-8.jsonl"]);
        assert!(newest_first(&directory.path().join("none")).is_err());
    }
}
