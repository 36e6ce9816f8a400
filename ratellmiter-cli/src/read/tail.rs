//! Reads the new lines of a log that is still being written.
//!
//! A pipe or a device is a stream: it has no length, is never rewritten, and reading it may wait for any time.

use std::{
    fs::{File, Metadata},
    io::{self, IsTerminal as _, Read, Seek as _, SeekFrom},
    path::{Path, PathBuf},
    time::SystemTime,
};

use crate::read;

/// Bytes that one call of [`Tail::read_new`] reads at most.
const MAX_BYTES_PER_READ: usize = 4 << 20;
const CHUNK_BYTES: usize = 64 << 10;
/// Bytes before the end of the read part that are compared to detect a rewritten log.
const COMPARED_BYTES: usize = 64;

/// An event found while reading.
#[derive(Debug, PartialEq)]
pub(crate) enum TailEvent<'a> {
    /// The log was replaced, truncated or rewritten. All earlier lines are obsolete.
    Restarted,
    /// A complete line, without its line break.
    Line(&'a [u8]),
    /// A line that is too long for a log.
    TooLong,
}

/// State of the log after reading.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Progress {
    /// The file does not exist.
    Absent,
    /// The whole file was read.
    CaughtUp,
    /// More can be read at once.
    More,
}

/// A file that is read as it grows.
#[derive(Debug)]
pub(crate) struct Tail {
    path: PathBuf,
    open: Option<Open>,
}

#[derive(Debug)]
struct Open {
    file: File,
    /// Number of bytes read.
    offset: u64,
    /// The last [`COMPARED_BYTES`] bytes read, to detect a rewritten log.
    last: Vec<u8>,
    /// Length and modification time when the whole file had been read.
    seen: Option<(u64, Option<SystemTime>)>,
    lines: LineBuffer,
    /// `true` for a pipe or a device.
    is_stream: bool,
}

impl Tail {
    pub(crate) fn new(path: PathBuf) -> Self {
        Self { path, open: None }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Reads what was appended since the last call and passes it to `found`. An incomplete last line is kept until it is complete.
    /// For a stream, waits until there is anything to read.
    pub(crate) fn read_new(&mut self, mut found: impl FnMut(TailEvent<'_>)) -> io::Result<Progress> {
        let data = match self.path.metadata() {
            Ok(data) => data,
            // The lines read so far stay valid until there is another file.
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Progress::Absent),
            Err(error) => return Err(error),
        };
        if let Some(open) = &mut self.open {
            if !open.is_still(&data)? {
                self.open = None;
                found(TailEvent::Restarted);
            } else if !open.is_stream && open.seen == Some((data.len(), data.modified().ok())) {
                return Ok(Progress::CaughtUp);
            }
        }
        let open = match &mut self.open {
            Some(open) => open,
            None => match File::open(&self.path) {
                // Its input is that of the keyboard.
                Ok(file) if file.is_terminal() => return Err(io::Error::other("it is a terminal")),
                Ok(file) => self.open.insert(Open {
                    is_stream: !data.is_file() && !data.is_dir(),
                    file,
                    offset: 0,
                    last: Vec::new(),
                    seen: None,
                    lines: LineBuffer::default(),
                }),
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Progress::Absent),
                Err(error) => return Err(error),
            },
        };
        open.read(&mut found)
    }
}

impl Open {
    /// Returns `true` if the file at the path is this one and still contains the part read last.
    fn is_still(&mut self, there: &Metadata) -> io::Result<bool> {
        if self.is_stream {
            return Ok(is_same_file(&self.file.metadata()?, there));
        }
        if !is_same_file(&self.file.metadata()?, there) || there.len() < self.offset {
            return Ok(false);
        }
        if self.seen == Some((there.len(), there.modified().ok())) {
            return Ok(true);
        }
        let mut before = vec![0; self.last.len()];
        self.file.seek(SeekFrom::Start(self.offset - self.last.len() as u64))?;
        match self.file.read_exact(&mut before) {
            Ok(()) => Ok(before == self.last),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn read(&mut self, found: &mut impl FnMut(TailEvent<'_>)) -> io::Result<Progress> {
        let data = self.file.metadata()?;
        let mut buffer = vec![0; CHUNK_BYTES];
        // What a stream contains is passed on before more of it is waited for.
        let mut left = if self.is_stream { 1 } else { MAX_BYTES_PER_READ };
        if !self.is_stream {
            self.file.seek(SeekFrom::Start(self.offset))?;
        }
        while left > 0 {
            let read = match self.file.read(&mut buffer) {
                Ok(0) => {
                    // Data appended since `data` was read changes length or time.
                    self.seen = Some((data.len(), data.modified().ok()));
                    return Ok(Progress::CaughtUp);
                }
                Ok(read) => read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            let chunk = &buffer[..read];
            self.offset += read as u64;
            self.last.extend(&chunk[read.saturating_sub(COMPARED_BYTES)..]);
            self.last.drain(..self.last.len().saturating_sub(COMPARED_BYTES));
            self.lines.add(chunk, found);
            left = left.saturating_sub(read);
        }
        Ok(Progress::More)
    }
}

#[cfg(unix)]
fn is_same_file(one: &Metadata, other: &Metadata) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    (one.dev(), one.ino()) == (other.dev(), other.ino())
}

#[cfg(not(unix))]
fn is_same_file(one: &Metadata, other: &Metadata) -> bool {
    one.created().ok() == other.created().ok()
}

/// Splits bytes into lines.
#[derive(Debug, Default)]
struct LineBuffer {
    /// The start of an incomplete line.
    partial: Vec<u8>,
    /// `true` while the rest of a line that is too long is dropped.
    is_skipping: bool,
}

impl LineBuffer {
    fn add(&mut self, chunk: &[u8], found: &mut impl FnMut(TailEvent<'_>)) {
        for piece in chunk.split_inclusive(|byte| *byte == b'\n') {
            let whole = piece.strip_suffix(b"\n");
            match (whole, self.is_skipping) {
                (None, true) => {}
                (Some(_), true) => {
                    self.is_skipping = false;
                    found(TailEvent::TooLong);
                }
                (Some(line), false) if self.partial.is_empty() => found(TailEvent::Line(line)),
                (_, false) => {
                    self.partial.extend(whole.unwrap_or(piece));
                    if self.partial.len() as u64 >= read::max_line_bytes(&self.partial) {
                        (self.partial, self.is_skipping) = (Vec::new(), whole.is_none());
                        if whole.is_some() {
                            found(TailEvent::TooLong);
                        }
                    } else if whole.is_some() {
                        found(TailEvent::Line(&self.partial));
                        self.partial.clear();
                    }
                }
            }
        }
        // The memory of a long line is freed.
        if self.partial.is_empty() && self.partial.capacity() > CHUNK_BYTES {
            self.partial = Vec::new();
        }
    }
}

#[cfg(test)]
mod tests;
