//! Tests of `tail`.

use std::{
    fs::{self, OpenOptions},
    io::Write as _,
};

use super::*;

struct Log {
    directory: tempfile::TempDir,
    tail: Tail,
}

impl Log {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let tail = Tail::new(directory.path().join("1-1.jsonl"));
        Self { directory, tail }
    }

    fn write(&self, text: &str) {
        fs::write(self.tail.path(), text).unwrap();
    }

    fn append(&self, text: impl AsRef<[u8]>) {
        let mut file = OpenOptions::new().append(true).create(true).open(self.tail.path()).unwrap();
        file.write_all(text.as_ref()).unwrap();
    }

    /// Reads to the end and returns the events as text.
    fn read(&mut self) -> Vec<String> {
        let mut all = Vec::new();
        let found = |found: TailEvent<'_>| {
            all.push(match found {
                TailEvent::Restarted => "restarted".into(),
                TailEvent::Line(line) => String::from_utf8(line.to_owned()).unwrap(),
                TailEvent::TooLong => "too long".into(),
            });
        };
        assert_eq!(self.tail.read_new(found).unwrap(), Progress::CaughtUp);
        all
    }
}

const NONE: [&str; 0] = [];

#[test]
fn lines_are_found_once_when_complete() {
    let mut log = Log::new();
    assert_eq!(log.tail.read_new(|found| panic!("{found:?}")).unwrap(), Progress::Absent);
    log.append("");
    assert_eq!(log.read(), NONE);
    log.append("one\ntwo\nthr");
    assert_eq!(log.read(), ["one", "two"]);
    assert_eq!(log.read(), NONE);
    log.append("e");
    assert_eq!(log.read(), NONE);
    log.append("e\n\nfour\n");
    assert_eq!(log.read(), ["three", "", "four"]);
}

#[test]
fn truncated_log_restarts() {
    let mut log = Log::new();
    log.append("one\ntwo\nthr");
    log.read();
    log.write("");
    assert_eq!(log.read(), ["restarted"]);
    log.append("other\n");
    assert_eq!(log.read(), ["other"]);
}

#[test]
fn rewritten_log_of_any_length_restarts() {
    let mut log = Log::new();
    log.append("one\ntwo\n");
    log.read();
    log.write("1\n2\n3\n4\n5\n6\n");
    assert_eq!(log.read(), ["restarted", "1", "2", "3", "4", "5", "6"]);
}

#[test]
fn replaced_log_restarts() {
    let mut log = Log::new();
    log.append("one\n");
    log.read();
    let other = log.directory.path().join("other");
    fs::write(&other, "one\ntwo\n").unwrap();
    fs::rename(other, log.tail.path()).unwrap();
    assert_eq!(log.read(), ["restarted", "one", "two"]);
}

#[test]
fn deleted_log_restarts_when_recreated() {
    let mut log = Log::new();
    log.append("one\n");
    log.read();
    fs::remove_file(log.tail.path()).unwrap();
    assert_eq!(log.tail.read_new(|found| panic!("{found:?}")).unwrap(), Progress::Absent);
    log.append("one\n");
    assert_eq!(log.read(), ["restarted", "one"]);
}

#[test]
fn overlong_line_is_skipped_and_freed() {
    let mut log = Log::new();
    log.append("one\n");
    log.append(vec![b'x'; 3 << 20]);
    assert_eq!(log.read(), ["one"]);
    assert!(log.tail.open.as_ref().unwrap().lines.partial.capacity() == 0);
    log.append("xx\ntwo\n");
    assert_eq!(log.read(), ["too long", "two"]);
    // Lines of the Python package may be longer, also if they arrive in parts.
    let minute = format!("{{\"rate_limiter_name\":\"{}\"}}", "x".repeat(2 << 20));
    log.append(&minute[..1 << 20]);
    assert_eq!(log.read(), NONE);
    log.append(&minute[1 << 20..]);
    log.append("\n");
    assert_eq!(log.read(), [minute]);
    assert!(log.tail.open.as_ref().unwrap().lines.partial.capacity() <= CHUNK_BYTES);
}

#[test]
fn large_log_is_read_in_parts() {
    let mut log = Log::new();
    log.append("a line\n".repeat(1 << 20));
    let (mut lines, mut reads) = (0, 1);
    while log.tail.read_new(|_| lines += 1).unwrap() == Progress::More {
        reads += 1;
    }
    assert_eq!((lines, reads), (1 << 20, 2));
}

#[test]
fn unreadable_log_is_an_error() {
    let directory = tempfile::tempdir().unwrap();
    assert!(Tail::new(directory.path().into()).read_new(|_| {}).is_err());
}
