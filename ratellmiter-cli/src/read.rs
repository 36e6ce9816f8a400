//! A log of either format, line by line: ours, and the Python package's.

use std::{
    borrow::Cow,
    collections::BTreeMap,
    fmt,
    fs::File,
    io::{self, BufRead, BufReader, Read as _},
    path::{Path, PathBuf},
};

use ratellmiter_core::record::{Line, Row};
use serde::{
    Deserialize,
    de::{Deserializer, IgnoredAny, SeqAccess, Visitor},
};
use thiserror::Error;

use crate::series::{Counts, Series};

/// The longest line that is read. One of the Python package's holds a minute of one model with all that waited.
const LONGEST: u64 = 64 << 20;

/// How many broken lines are told of one by one.
const TOLD: usize = 3;

/// What a log says.
#[derive(Debug, Default)]
pub(crate) struct Log {
    pub(crate) models: BTreeMap<String, Series>,
    /// Lines that were not understood: the first few, with what is wrong, and how many there are.
    broken: Vec<Broken>,
    broken_lines: u64,
    /// Lines that were.
    understood: u64,
    /// The last line was cut off in the writing.
    torn: bool,
}

#[derive(Debug)]
struct Broken {
    line: u64,
    problem: String,
}

/// Why a log cannot be read at all.
#[derive(Debug, Error)]
pub(crate) enum Unreadable {
    #[error("cannot read the log {}: {source}", path.display())]
    System { path: PathBuf, source: io::Error },
    #[error("{} is no log: line {line}: {problem}", path.display())]
    NoLog { path: PathBuf, line: u64, problem: String },
}

impl Log {
    pub(crate) fn read(path: &Path) -> Result<Self, Unreadable> {
        let failed = |source| Unreadable::System { path: path.into(), source };
        let file = File::open(path).map_err(failed)?;
        let mut log = Self::of(BufReader::with_capacity(1 << 20, file)).map_err(failed)?;
        match log.broken.first_mut() {
            Some(Broken { line, problem }) if log.understood == 0 => {
                Err(Unreadable::NoLog { path: path.into(), line: *line, problem: std::mem::take(problem) })
            }
            _ => Ok(log),
        }
    }

    fn of(mut source: impl BufRead) -> io::Result<Self> {
        let mut log = Self::default();
        let mut line = Vec::new();
        for number in 1.. {
            line.clear();
            let length = (&mut source).take(LONGEST).read_until(b'\n', &mut line)?;
            let whole = line.pop_if(|last| *last == b'\n').is_some();
            if length == 0 {
                break;
            }
            if !whole && length as u64 == LONGEST {
                skip_line(&mut source)?;
                log.add_broken(number, format!("the line is longer than {} MiB", LONGEST >> 20));
            } else if line.iter().all(u8::is_ascii_whitespace) {
                // Nothing was lost.
            } else if let Err(problem) = log.add(&line) {
                if whole || log.understood == 0 {
                    log.add_broken(number, problem);
                } else {
                    log.torn = true;
                }
            } else {
                log.understood += 1;
            }
        }
        Ok(log)
    }

    /// What a reader of the picture should know of the log.
    pub(crate) fn notes(&self, path: &Path) -> Vec<String> {
        let path = path.display();
        let mut notes: Vec<_> = self
            .broken
            .iter()
            .map(|Broken { line, problem }| format!("line {line} of {path} is broken and was skipped: {problem}"))
            .collect();
        if self.broken_lines > TOLD as u64 {
            notes.push(format!("{} more lines of {path} are broken and were skipped", self.broken_lines - TOLD as u64));
        }
        if self.torn {
            notes.push(format!("the last line of {path} is torn and was skipped"));
        }
        notes
    }

    fn add(&mut self, line: &[u8]) -> Result<(), String> {
        let line = str::from_utf8(line).map_err(|_| "it is not UTF-8".to_owned())?;
        match Line::parse(line) {
            Ok(Line::Row(row)) => {
                let Row { at, model, requested, issued, rate_limited, finished, overflow, .. } = row;
                self.series(&model).add(at, [requested, issued, rate_limited, finished, overflow]);
                Ok(())
            }
            Ok(Line::Header(_)) => Ok(()),
            // One of ours is complained of if it is neither.
            Err(error) => match serde_json::from_str::<Minute<'_>>(line) {
                Ok(minute) => {
                    let series = self.series(&minute.rate_limiter_name);
                    // It has all seconds of the minute, also those that had not come yet.
                    let seconds =
                        minute.second_bucket_list.iter().map(|second| (second.second_bucket_id, second.counts()));
                    series.extend(seconds.filter(|(_, counts)| *counts != [0; 5]));
                    Ok(())
                }
                Err(_) => Err(error.to_string()),
            },
        }
    }

    fn series(&mut self, model: &str) -> &mut Series {
        if !self.models.contains_key(model) {
            self.models.insert(model.to_owned(), Series::default());
        }
        self.models.get_mut(model).expect("it was just inserted")
    }

    fn add_broken(&mut self, line: u64, problem: String) {
        self.broken_lines += 1;
        if self.broken.len() < TOLD {
            self.broken.push(Broken { line, problem });
        }
    }
}

/// Skips what is left of a line, without keeping it.
fn skip_line(source: &mut impl BufRead) -> io::Result<()> {
    loop {
        let buffer = source.fill_buf()?;
        if buffer.is_empty() {
            return Ok(());
        }
        let end = buffer.iter().position(|byte| *byte == b'\n');
        let used = end.map_or(buffer.len(), |end| end + 1);
        source.consume(used);
        if end.is_some() {
            return Ok(());
        }
    }
}

/// A line of the Python package's: one model, one minute.
#[derive(Deserialize)]
struct Minute<'a> {
    #[serde(borrow)]
    rate_limiter_name: Cow<'a, str>,
    second_bucket_list: Vec<Bucket>,
}

#[derive(Deserialize)]
struct Bucket {
    second_bucket_id: u64,
    second_requested_ticket_count: u64,
    issued_ticket_count: u64,
    rate_limited_request_list: Length,
    finished_ticket_list: Length,
    overflow_request_list: Length,
}

impl Bucket {
    fn counts(&self) -> Counts {
        [
            self.second_requested_ticket_count,
            self.issued_ticket_count,
            self.rate_limited_request_list.0,
            self.finished_ticket_list.0,
            self.overflow_request_list.0,
        ]
    }
}

/// How long a list is, without the list.
struct Length(u64);

impl<'de> Deserialize<'de> for Length {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Count;
        impl<'de> Visitor<'de> for Count {
            type Value = Length;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list")
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Length, A::Error> {
                let mut length = 0;
                while list.next_element::<IgnoredAny>()?.is_some() {
                    length += 1;
                }
                Ok(Length(length))
            }
        }
        deserializer.deserialize_seq(Count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(rows: &[(u64, Counts)]) -> Series {
        rows.iter().copied().collect()
    }

    fn read(text: &[u8]) -> Log {
        Log::of(text).unwrap()
    }

    const HEADER: &str = r#"{"format":1,"started":7,"library":"0.1.0"}"#;

    #[test]
    fn our_rows_are_read_and_added_up() {
        let text = format!(
            "{HEADER}\n{}\n{}\n\n{}\n",
            r#"{"at":7,"model":"m","requested":3,"issued":1,"overflow":2,"rate":5.0}"#,
            r#"{"at":7,"model":"other","finished":1}"#,
            r#"{"at":8,"model":"m","issued":1,"rate_limited":1,"overflow":1,"new":{"in":["later"]}}"#,
        );
        let log = read(text.as_bytes());
        assert_eq!(log.models["m"], series(&[(7, [3, 1, 0, 0, 2]), (8, [0, 1, 1, 0, 1])]));
        assert_eq!(log.models["other"], series(&[(7, [0, 0, 0, 1, 0])]));
        assert!(log.notes(Path::new("x")).is_empty());
    }

    #[test]
    fn a_minute_of_the_python_package_is_counted_by_the_length_of_its_lists() {
        let text = r#"{"rate_limiter_name":"a\/b","second_bucket_list":[
            {"second_bucket_id":5,"second_requested_ticket_count":4,"issued_ticket_count":2,"issued_ticket_list":[{},{}],
             "overflow_request_list":[{"request_id":1},{"x":[1,2,3]}],"rate_limited_request_list":[{}],"finished_ticket_list":[]}]}"#;
        let log = read(text.replace('\n', "").as_bytes());
        assert_eq!(log.models["a/b"], series(&[(5, [4, 2, 1, 0, 2])]));
    }

    #[test]
    fn a_torn_last_line_and_broken_ones_are_skipped_and_told() {
        let row = r#"{"at":7,"model":"m","issued":1}"#;
        let torn = format!("{HEADER}\n{row}\n{}", &row[..20]);
        let log = read(torn.as_bytes());
        assert_eq!(log.notes(Path::new("x")), ["the last line of x is torn and was skipped"]);
        assert_eq!(log.models["m"], series(&[(7, [0, 1, 0, 0, 0])]));

        let mut broken = format!("{HEADER}\n{}\n{row}\n", &row[..20]).into_bytes();
        broken.extend(b"\xff\xfe\n{}\n[]\n7\n");
        let log = read(&broken);
        let notes = log.notes(Path::new("x"));
        assert_eq!(notes.len(), 4);
        assert!(notes[0].starts_with("line 2 of x is broken and was skipped: EOF while parsing"), "{notes:?}");
        assert_eq!(notes[1], "line 4 of x is broken and was skipped: it is not UTF-8");
        assert!(notes[2].starts_with("line 5 of x is broken and was skipped: missing field `at`"), "{notes:?}");
        assert_eq!(notes[3], "2 more lines of x are broken and were skipped");
        assert_eq!(log.models["m"], series(&[(7, [0, 1, 0, 0, 0])]));
    }

    /// Gives the same byte for ever, and then a line break and a row.
    #[test]
    fn a_line_without_end_takes_no_more_than_its_bound() {
        let row = b"\n{\"at\":7,\"model\":\"m\",\"issued\":1}\n";
        let endless = io::repeat(b'x').take(3 * LONGEST + 17);
        let log = Log::of(BufReader::new(endless.chain(&row[..]))).unwrap();
        assert_eq!(
            log.notes(Path::new("x")),
            ["line 1 of x is broken and was skipped: the line is longer than 64 MiB"]
        );
        assert_eq!(log.models["m"], series(&[(7, [0, 1, 0, 0, 0])]));
    }
}
