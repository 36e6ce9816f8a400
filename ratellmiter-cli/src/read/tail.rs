//! A log that is still being written: the lines that came since the last look.

use std::{
    fs::{File, Metadata},
    io::{self, Read, Seek as _, SeekFrom},
    path::{Path, PathBuf},
    time::SystemTime,
};

use crate::read;

/// How much is read before others have their turn.
const AT_ONCE: usize = 4 << 20;
const CHUNK: usize = 64 << 10;
/// How much of what was read last is compared, to see whether it is still there.
const COMPARED: usize = 64;

/// What a look may find.
#[derive(Debug, PartialEq)]
pub(crate) enum Found<'a> {
    /// The log was replaced, cut off or written anew: what was read of it no longer counts.
    Anew,
    /// A whole line, without its line break.
    Line(&'a [u8]),
    /// A line that is too long to be one of a log.
    TooLong,
}

/// How a look ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Looked {
    /// There is no such file.
    Absent,
    /// All that is there was read.
    Whole,
    /// There is more to be read at once.
    More,
}

/// One file, read as it grows.
#[derive(Debug)]
pub(crate) struct Tail {
    path: PathBuf,
    open: Option<Open>,
}

#[derive(Debug)]
struct Open {
    file: File,
    /// How far it was read.
    offset: u64,
    /// What was read last, to know it again.
    last: Vec<u8>,
    /// Length and time of change when all of it had been read.
    seen: Option<(u64, Option<SystemTime>)>,
    lines: Lines,
}

impl Tail {
    pub(crate) fn of(path: PathBuf) -> Self {
        Self { path, open: None }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Reads what came since the last look. A last line without its end waits for it.
    pub(crate) fn look(&mut self, mut found: impl FnMut(Found<'_>)) -> io::Result<Looked> {
        let data = match self.path.metadata() {
            Ok(data) => data,
            // What was read stays until something else is there.
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Looked::Absent),
            Err(error) => return Err(error),
        };
        if let Some(open) = &mut self.open {
            if !open.is_still(&data)? {
                self.open = None;
                found(Found::Anew);
            } else if open.seen == Some((data.len(), data.modified().ok())) {
                return Ok(Looked::Whole);
            }
        }
        let open = match &mut self.open {
            Some(open) => open,
            None => match File::open(&self.path) {
                Ok(file) => {
                    self.open.insert(Open { file, offset: 0, last: Vec::new(), seen: None, lines: Lines::default() })
                }
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Looked::Absent),
                Err(error) => return Err(error),
            },
        };
        open.read(&mut found)
    }
}

impl Open {
    /// Whether the file at the path is this one, and begins with what was read of it.
    fn is_still(&mut self, there: &Metadata) -> io::Result<bool> {
        if !same(&self.file.metadata()?, there) || there.len() < self.offset {
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

    fn read(&mut self, found: &mut impl FnMut(Found<'_>)) -> io::Result<Looked> {
        let data = self.file.metadata()?;
        let mut buffer = vec![0; CHUNK];
        let mut left = AT_ONCE;
        self.file.seek(SeekFrom::Start(self.offset))?;
        while left > 0 {
            let read = match self.file.read(&mut buffer) {
                Ok(0) => {
                    // What was written in the meantime has another length or time.
                    self.seen = Some((data.len(), data.modified().ok()));
                    return Ok(Looked::Whole);
                }
                Ok(read) => read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            let chunk = &buffer[..read];
            self.offset += read as u64;
            self.last.extend(&chunk[read.saturating_sub(COMPARED)..]);
            self.last.drain(..self.last.len().saturating_sub(COMPARED));
            self.lines.add(chunk, found);
            left = left.saturating_sub(read);
        }
        Ok(Looked::More)
    }
}

#[cfg(unix)]
fn same(one: &Metadata, other: &Metadata) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    (one.dev(), one.ino()) == (other.dev(), other.ino())
}

#[cfg(not(unix))]
fn same(one: &Metadata, other: &Metadata) -> bool {
    one.created().ok() == other.created().ok()
}

/// Bytes to lines.
#[derive(Debug, Default)]
struct Lines {
    /// The beginning of a line whose end has not come.
    begun: Vec<u8>,
    /// The line is too long: all of it up to its end is dropped.
    skips: bool,
}

impl Lines {
    fn add(&mut self, chunk: &[u8], found: &mut impl FnMut(Found<'_>)) {
        for piece in chunk.split_inclusive(|byte| *byte == b'\n') {
            let whole = piece.strip_suffix(b"\n");
            match (whole, self.skips) {
                (None, true) => {}
                (Some(_), true) => {
                    self.skips = false;
                    found(Found::TooLong);
                }
                (Some(line), false) if self.begun.is_empty() => found(Found::Line(line)),
                (_, false) => {
                    self.begun.extend(whole.unwrap_or(piece));
                    if self.begun.len() as u64 >= read::longest(&self.begun) {
                        (self.begun, self.skips) = (Vec::new(), whole.is_none());
                        if whole.is_some() {
                            found(Found::TooLong);
                        }
                    } else if whole.is_some() {
                        found(Found::Line(&self.begun));
                        self.begun.clear();
                    }
                }
            }
        }
        // The memory of a long line is not kept.
        if self.begun.is_empty() && self.begun.capacity() > CHUNK {
            self.begun = Vec::new();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        fs::{self, OpenOptions},
        io::Write as _,
    };

    use super::*;

    struct Place {
        directory: tempfile::TempDir,
        tail: Tail,
    }

    impl Place {
        fn new() -> Self {
            let directory = tempfile::tempdir().unwrap();
            let tail = Tail::of(directory.path().join("1-1.jsonl"));
            Self { directory, tail }
        }

        fn write(&self, text: &str) {
            fs::write(self.tail.path(), text).unwrap();
        }

        fn append(&self, text: impl AsRef<[u8]>) {
            let mut file = OpenOptions::new().append(true).create(true).open(self.tail.path()).unwrap();
            file.write_all(text.as_ref()).unwrap();
        }

        /// What a look finds, in short.
        fn look(&mut self) -> Vec<String> {
            let mut all = Vec::new();
            let found = |found: Found<'_>| {
                all.push(match found {
                    Found::Anew => "anew".into(),
                    Found::Line(line) => String::from_utf8(line.to_owned()).unwrap(),
                    Found::TooLong => "too long".into(),
                });
            };
            assert_eq!(self.tail.look(found).unwrap(), Looked::Whole);
            all
        }
    }

    const NOTHING: [&str; 0] = [];

    #[test]
    fn lines_are_found_once_and_whole() {
        let mut place = Place::new();
        assert_eq!(place.tail.look(|found| panic!("{found:?}")).unwrap(), Looked::Absent);
        place.append("");
        assert_eq!(place.look(), NOTHING);
        place.append("one\ntwo\nthr");
        assert_eq!(place.look(), ["one", "two"]);
        assert_eq!(place.look(), NOTHING);
        place.append("e");
        assert_eq!(place.look(), NOTHING);
        place.append("e\n\nfour\n");
        assert_eq!(place.look(), ["three", "", "four"]);
    }

    #[test]
    fn a_log_that_was_cut_off_begins_anew() {
        let mut place = Place::new();
        place.append("one\ntwo\nthr");
        place.look();
        place.write("");
        assert_eq!(place.look(), ["anew"]);
        place.append("other\n");
        assert_eq!(place.look(), ["other"]);
    }

    #[test]
    fn a_log_that_was_written_anew_is_known_by_its_bytes_however_long_it_is() {
        let mut place = Place::new();
        place.append("one\ntwo\n");
        place.look();
        place.write("1\n2\n3\n4\n5\n6\n");
        assert_eq!(place.look(), ["anew", "1", "2", "3", "4", "5", "6"]);
    }

    #[test]
    fn a_log_that_was_replaced_begins_anew() {
        let mut place = Place::new();
        place.append("one\n");
        place.look();
        let other = place.directory.path().join("other");
        fs::write(&other, "one\ntwo\n").unwrap();
        fs::rename(other, place.tail.path()).unwrap();
        assert_eq!(place.look(), ["anew", "one", "two"]);
    }

    #[test]
    fn a_log_that_was_deleted_counts_until_there_is_another() {
        let mut place = Place::new();
        place.append("one\n");
        place.look();
        fs::remove_file(place.tail.path()).unwrap();
        assert_eq!(place.tail.look(|found| panic!("{found:?}")).unwrap(), Looked::Absent);
        place.append("one\n");
        assert_eq!(place.look(), ["anew", "one"]);
    }

    #[test]
    fn a_line_that_is_too_long_is_skipped_and_not_kept() {
        let mut place = Place::new();
        place.append("one\n");
        place.append(vec![b'x'; 3 << 20]);
        assert_eq!(place.look(), ["one"]);
        assert!(place.tail.open.as_ref().unwrap().lines.begun.capacity() == 0);
        place.append("xx\ntwo\n");
        assert_eq!(place.look(), ["too long", "two"]);
        // The Python package's are longer, and torn or not they are read whole.
        let minute = format!("{{\"rate_limiter_name\":\"{}\"}}", "x".repeat(2 << 20));
        place.append(&minute[..1 << 20]);
        assert_eq!(place.look(), NOTHING);
        place.append(&minute[1 << 20..]);
        place.append("\n");
        assert_eq!(place.look(), [minute]);
        assert!(place.tail.open.as_ref().unwrap().lines.begun.capacity() <= CHUNK);
    }

    #[test]
    fn a_large_log_is_read_by_and_by() {
        let mut place = Place::new();
        place.append("a line\n".repeat(1 << 20));
        let (mut lines, mut looks) = (0, 1);
        while place.tail.look(|_| lines += 1).unwrap() == Looked::More {
            looks += 1;
        }
        assert_eq!((lines, looks), (1 << 20, 2));
    }

    #[test]
    fn what_cannot_be_read_is_an_error() {
        let directory = tempfile::tempdir().unwrap();
        assert!(Tail::of(directory.path().into()).look(|_| {}).is_err());
    }
}
