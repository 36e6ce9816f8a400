//! A whole log, whatever its length: read here, and parsed by as many threads as the machine has.

pub(crate) mod merge;
pub(crate) mod parse;
#[cfg(feature = "terminal")]
pub(crate) mod tail;

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    fs::File,
    io::{self, BufRead, BufReader, Read as _},
    ops::Range,
    path::{Path, PathBuf},
    thread,
};

use thiserror::Error;

use crate::{
    read::parse::{Parsed, parse},
    series::Series,
};

/// The longest line that is read.
const LONGEST: u64 = 1 << 20;
/// The longest of the Python package's: it holds a minute of one model with all that waited.
const LONGEST_MINUTE: u64 = 64 << 20;
/// How those begin.
const MINUTE: &[u8] = b"{\"rate_limiter_name\"";
/// A line that goes on for longer has no end: it is no log.
const ENDLESS: u64 = 256 << 20;

/// How much is parsed in one go.
const CHUNK: usize = 2 << 20;

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
    /// The first line that is too long to be one of a log, and how long lines may be.
    too_long: Option<(u64, u64)>,
    /// The last line was cut off in the writing.
    torn: bool,
    /// Under which its process shares its limiters, if it does.
    pub(crate) namespace: Option<String>,
    /// It has lines of the Python package's.
    pub(crate) is_python: bool,
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
    #[error("line {line} of {} is longer than {most} MiB; rows of a log are shorter", path.display())]
    TooLong { path: PathBuf, line: u64, most: u64 },
    #[error("{} is no log: line {line}: {problem}", path.display())]
    NoLog { path: PathBuf, line: u64, problem: String },
}

impl Log {
    pub(crate) fn read(path: &Path) -> Result<Self, Unreadable> {
        Self::open(path, false)
    }

    /// With the budgets of each row.
    pub(crate) fn read_to_sum(path: &Path) -> Result<Self, Unreadable> {
        Self::open(path, true)
    }

    fn open(path: &Path, keeps: bool) -> Result<Self, Unreadable> {
        let failed = |source| Unreadable::System { path: path.into(), source };
        let file = File::open(path).map_err(failed)?;
        let log = Self::of(BufReader::with_capacity(1 << 18, file), keeps).map_err(failed)?;
        if let Some((line, longest)) = log.too_long {
            return Err(Unreadable::TooLong { path: path.into(), line, most: longest >> 20 });
        }
        if log.understood > 0 || log.broken.is_empty() {
            return Ok(log);
        }
        log.unreadable(path).map_or_else(|| Ok(Self::default()), Err)
    }

    /// What is wrong with the first line that was not understood.
    pub(crate) fn unreadable(&self, path: &Path) -> Option<Unreadable> {
        let Broken { line, problem } = self.broken.first()?;
        Some(Unreadable::NoLog { path: path.into(), line: *line, problem: problem.clone() })
    }

    fn of(source: impl BufRead, keeps: bool) -> io::Result<Self> {
        let mut log = Self::default();
        let mut chunks = Chunks { source, line: 0, keeps };
        let workers = thread::available_parallelism().map_or(1, usize::from);
        // What is parsed is added in the order of the lines.
        thread::scope(|scope| {
            let mut parsing = VecDeque::new();
            while let Some(chunk) = chunks.next()? {
                if parsing.len() == workers {
                    log.add(finished(parsing.pop_front()));
                }
                parsing.push_back(scope.spawn(move || chunk.parse()));
            }
            while !parsing.is_empty() {
                log.add(finished(parsing.pop_front()));
            }
            Ok(log)
        })
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

    fn add(&mut self, part: Part) {
        for (model, series) in part.models {
            self.models.entry(model).or_default().append(series);
        }
        self.understood += part.understood;
        self.is_python |= part.is_python;
        self.namespace = self.namespace.take().or(part.namespace);
        self.too_long = self.too_long.or(part.too_long);
        self.broken_lines += part.broken_lines;
        let room = TOLD - self.broken.len();
        self.broken.extend(part.broken.into_iter().take(room));
        if let Some(unfinished) = part.unfinished {
            // Nothing else was understood: then it is what is wrong.
            if self.understood == 0 {
                self.broken_lines += 1;
                self.broken.extend((self.broken.len() < TOLD).then_some(unfinished));
            } else {
                self.torn = true;
            }
        }
    }
}

fn finished(thread: Option<thread::ScopedJoinHandle<'_, Part>>) -> Part {
    // A parser that panics is a bug; let it be seen as what it is.
    thread.map_or_else(Part::default, |thread| thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
}

/// How long a line that begins so may be.
pub(crate) fn longest(line: &[u8]) -> u64 {
    if line.starts_with(MINUTE) { LONGEST_MINUTE } else { LONGEST }
}

/// A source in pieces of whole lines.
struct Chunks<R> {
    source: R,
    /// How many lines there were.
    line: u64,
    /// The budgets of each row are kept.
    keeps: bool,
}

/// Some lines.
#[derive(Debug, Default)]
struct Chunk {
    bytes: Vec<u8>,
    /// Where in `bytes` they are, without their line breaks; those too long are `Err` with how long lines may be.
    lines: Vec<(u64, Result<Range<usize>, u64>)>,
    /// The last of them has no line break.
    unfinished: bool,
    keeps: bool,
}

impl<R: BufRead> Chunks<R> {
    fn next(&mut self) -> io::Result<Option<Chunk>> {
        let mut chunk = Chunk { bytes: Vec::with_capacity(CHUNK + CHUNK / 8), keeps: self.keeps, ..Chunk::default() };
        while chunk.bytes.len() < CHUNK {
            let start = chunk.bytes.len();
            let mut length = (&mut self.source).take(LONGEST).read_until(b'\n', &mut chunk.bytes)?;
            let longest = longest(&chunk.bytes[start..]);
            if length as u64 == LONGEST && longest > LONGEST && !chunk.bytes.ends_with(b"\n") {
                length += (&mut self.source).take(longest - LONGEST).read_until(b'\n', &mut chunk.bytes)?;
            }
            if length == 0 {
                break;
            }
            self.line += 1;
            let whole = chunk.bytes.ends_with(b"\n");
            if !whole && length as u64 == longest {
                // The memory of a line that long is not kept.
                chunk.bytes.truncate(start);
                chunk.bytes.shrink_to(CHUNK);
                chunk.lines.push((self.line, Err(longest)));
                skip_line(&mut self.source, self.line)?;
                continue;
            }
            chunk.unfinished = !whole;
            let end = chunk.bytes.len() - usize::from(whole);
            chunk.lines.push((self.line, Ok(start..end)));
        }
        Ok(Some(chunk).filter(|chunk| !chunk.lines.is_empty()))
    }
}

/// Skips what is left of a line, without keeping it.
fn skip_line(source: &mut impl BufRead, line: u64) -> io::Result<()> {
    let mut skipped = 0;
    loop {
        let buffer = source.fill_buf()?;
        if buffer.is_empty() {
            return Ok(());
        }
        let end = buffer.iter().position(|byte| *byte == b'\n');
        let used = end.map_or(buffer.len(), |end| end + 1);
        source.consume(used);
        skipped += used as u64;
        if end.is_some() {
            return Ok(());
        }
        if skipped > ENDLESS {
            let problem = format!("line {line} has no end: {} MiB and no line break", ENDLESS >> 20);
            return Err(io::Error::new(io::ErrorKind::InvalidData, problem));
        }
    }
}

/// What some lines say, in their order.
#[derive(Debug, Default)]
struct Part {
    models: HashMap<String, Series>,
    broken: Vec<Broken>,
    broken_lines: u64,
    understood: u64,
    too_long: Option<(u64, u64)>,
    /// A last line that has no end and was not understood.
    unfinished: Option<Broken>,
    namespace: Option<String>,
    is_python: bool,
    keeps: bool,
}

impl Chunk {
    fn parse(self) -> Part {
        let mut part = Part { keeps: self.keeps, ..Part::default() };
        let last = self.lines.len() - 1;
        for (index, (line, place)) in self.lines.into_iter().enumerate() {
            let said = match place {
                Ok(place) if self.bytes[place.clone()].iter().all(u8::is_ascii_whitespace) => continue,
                Ok(place) => parse(&self.bytes[place]),
                Err(longest) => {
                    part.too_long = part.too_long.or(Some((line, longest)));
                    continue;
                }
            };
            match said {
                Ok(said) => {
                    part.understood += 1;
                    part.add(said);
                }
                Err(problem) if self.unfinished && index == last => part.unfinished = Some(Broken { line, problem }),
                Err(problem) => {
                    part.broken_lines += 1;
                    part.broken.extend((part.broken.len() < TOLD).then_some(Broken { line, problem }));
                }
            }
        }
        part
    }
}

impl Part {
    fn add(&mut self, said: Parsed<'_>) {
        match said {
            Parsed::Header(header) => self.namespace = self.namespace.take().or(header.namespace),
            Parsed::Row(row) => {
                let keeps = self.keeps;
                let series = self.series(&row.model);
                series.add_row(&row);
                if keeps {
                    series.keep(&row);
                }
            }
            Parsed::Minute(model, seconds) => {
                self.is_python = true;
                let series = self.series(&model);
                seconds.into_iter().for_each(|second| series.add(second));
            }
        }
    }

    fn series(&mut self, model: &str) -> &mut Series {
        if !self.models.contains_key(model) {
            self.models.insert(model.to_owned(), Series::default());
        }
        self.models.get_mut(model).expect("it was just inserted")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::series::Counts;

    fn counts(log: &Log, model: &str) -> Vec<(u64, Counts)> {
        log.models[model].seconds().iter().map(|second| (second.at, second.counts)).collect()
    }

    fn read(text: &[u8]) -> Log {
        Log::of(text, false).unwrap()
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
        assert_eq!(counts(&log, "m"), [(7, [3, 1, 0, 0, 2]), (8, [0, 1, 1, 0, 1])]);
        assert_eq!(counts(&log, "other"), [(7, [0, 0, 0, 1, 0])]);
        assert!(log.notes(Path::new("x")).is_empty());
    }

    #[test]
    fn the_header_says_the_namespace_and_budgets_are_kept_for_a_sum_alone() {
        let row = r#"{"at":7,"model":"m","budgets":[{"meter":"tokens_per_day","limit":9,"taken":1}]}"#;
        let text = format!("{}\n{row}\n", HEADER.replace('}', r#","namespace":"team-a"}"#));
        let kept = |keeps| {
            let log = Log::of(text.as_bytes(), keeps).unwrap();
            assert_eq!((log.namespace.as_deref(), log.is_python), (Some("team-a"), false));
            log.models["m"].kept().len()
        };
        assert_eq!((kept(true), kept(false)), (1, 0));
        assert_eq!(read(HEADER.as_bytes()).namespace, None);
    }

    #[test]
    fn a_minute_of_the_python_package_is_counted_by_the_length_of_its_lists() {
        let text = r#"{"rate_limiter_name":"a\/b","second_bucket_list":[
            {"second_bucket_id":5,"second_requested_ticket_count":4,"issued_ticket_count":2,"issued_ticket_list":[{},{}],
             "overflow_request_list":[{"request_id":1},{"x":[1,2,3]}],"rate_limited_request_list":[{}],"finished_ticket_list":[]}]}"#;
        let log = read(text.replace('\n', "").as_bytes());
        assert_eq!(counts(&log, "a/b"), [(5, [4, 2, 1, 0, 2])]);
        assert!(log.is_python);
    }

    #[test]
    fn a_torn_last_line_and_broken_ones_are_skipped_and_told() {
        let row = r#"{"at":7,"model":"m","issued":1}"#;
        let torn = format!("{HEADER}\n{row}\n{}", &row[..20]);
        let log = read(torn.as_bytes());
        assert_eq!(log.notes(Path::new("x")), ["the last line of x is torn and was skipped"]);
        assert_eq!(counts(&log, "m"), [(7, [0, 1, 0, 0, 0])]);

        let mut broken = format!("{HEADER}\n{}\n{row}\n", &row[..20]).into_bytes();
        broken.extend(b"\xff\xfe\n{}\n[]\n7\n");
        let log = read(&broken);
        let notes = log.notes(Path::new("x"));
        assert_eq!(notes.len(), 4);
        assert!(notes[0].starts_with("line 2 of x is broken and was skipped: EOF while parsing"), "{notes:?}");
        assert_eq!(notes[1], "line 4 of x is broken and was skipped: it is not UTF-8");
        assert!(notes[2].starts_with("line 5 of x is broken and was skipped: missing field `at`"), "{notes:?}");
        assert_eq!(notes[3], "2 more lines of x are broken and were skipped");
        assert_eq!(counts(&log, "m"), [(7, [0, 1, 0, 0, 0])]);
    }

    /// Gives the same byte for ever, and then a line break and a row.
    #[test]
    fn a_line_without_end_takes_no_more_than_its_bound() {
        let row = b"\n{\"at\":7,\"model\":\"m\",\"issued\":1}\n";
        let endless = io::repeat(b'x').take(3 * LONGEST + 17);
        let log = Log::of(BufReader::new(endless.chain(&row[..])), false).unwrap();
        assert_eq!(log.too_long, Some((1, LONGEST)));
        assert_eq!(counts(&log, "m"), [(7, [0, 1, 0, 0, 0])]);
    }
}
