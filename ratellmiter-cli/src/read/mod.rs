//! Reads a whole log, of any length. The lines are parsed by as many threads as the machine has.

pub(crate) mod eras;
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

use ratellmiter_core::log::FORMAT;
use thiserror::Error;

use crate::{
    read::{
        eras::{Eras, FarRows},
        parse::{Parsed, Problem, parse},
    },
    series::{Series, SeriesBuilder},
    words::{plural, utc},
};

/// Longest line that is parsed, in bytes.
const MAX_ROW_BYTES: u64 = 1 << 20;
/// Longest line of the Python package, in bytes. It contains a minute of one model, with all calls that waited.
const MAX_MINUTE_BYTES: u64 = 64 << 20;
/// Start of the lines of the Python package.
const MINUTE_START: &[u8] = b"{\"rate_limiter_name\"";
/// Bytes without a line break after which a file is not a log.
const MAX_SKIPPED_BYTES: u64 = 256 << 20;

/// Bytes that one thread parses at once.
const CHUNK_BYTES: usize = 2 << 20;

/// Number of broken lines that are reported one by one.
const MAX_BROKEN_NOTES: usize = 3;

/// The content of a log.
#[derive(Debug, Default)]
pub(crate) struct Log {
    pub(crate) models: BTreeMap<String, Series>,
    /// The first [`MAX_BROKEN_NOTES`] lines that could not be parsed.
    broken: Vec<Broken>,
    broken_lines: u64,
    parsed_lines: u64,
    /// Number of the first line that is too long, and the limit in bytes.
    too_long: Option<(u64, u64)>,
    /// `true` if the last line is incomplete.
    is_torn: bool,
    /// Version of the format, if it is later than the known one.
    later_format: Option<u32>,
    /// The rows that were skipped since their time is far from that of the others.
    far_rows: Option<FarRows>,
    /// Namespace of the shared limiters; `None` if they were not shared.
    pub(crate) namespace: Option<String>,
    /// `true` if the log contains lines of the Python package.
    pub(crate) is_python: bool,
}

#[derive(Debug)]
struct Broken {
    line: u64,
    problem: Problem,
}

/// The error of a log that cannot be read.
#[derive(Debug, Error)]
pub(crate) enum Unreadable {
    #[error("cannot read the log {}: {source}", shown(path))]
    System { path: PathBuf, source: io::Error },
    #[error("line {line} of {} is longer than {limit} MiB, the limit for a row", shown(path))]
    TooLong { path: PathBuf, line: u64, limit: u64 },
    #[error("{} is not a log: {}", shown(path), problem.at(&format!("line {line}")))]
    NoLog { path: PathBuf, line: u64, problem: Problem },
}

/// Returns `true` if `path` is `-`, the name of stdin.
pub(crate) fn is_stdin(path: &Path) -> bool {
    path == Path::new("-")
}

/// Returns the name of a log in messages.
pub(crate) fn shown(path: &Path) -> String {
    if is_stdin(path) { "stdin".into() } else { path.display().to_string() }
}

impl Log {
    pub(crate) fn read(path: &Path) -> Result<Self, Unreadable> {
        Self::open(path, false)
    }

    /// Reads a log and keeps the budgets of each row, so that it can be summed with others.
    pub(crate) fn read_to_sum(path: &Path) -> Result<Self, Unreadable> {
        Self::open(path, true)
    }

    fn open(path: &Path, keeps_budgets: bool) -> Result<Self, Unreadable> {
        let failed = |source| Unreadable::System { path: path.into(), source };
        let source: Box<dyn io::Read> =
            if is_stdin(path) { Box::new(io::stdin()) } else { Box::new(File::open(path).map_err(failed)?) };
        let log = Self::of(BufReader::with_capacity(1 << 18, source), keeps_budgets).map_err(failed)?;
        if let Some((line, limit)) = log.too_long {
            return Err(Unreadable::TooLong { path: path.into(), line, limit: limit >> 20 });
        }
        if log.parsed_lines > 0 || log.broken.is_empty() {
            return Ok(log);
        }
        log.unreadable(path).map_or_else(|| Ok(Self::default()), Err)
    }

    /// Returns the error of the first broken line; `None` if there is none.
    pub(crate) fn unreadable(&self, path: &Path) -> Option<Unreadable> {
        let Broken { line, problem } = self.broken.first()?;
        Some(Unreadable::NoLog { path: path.into(), line: *line, problem: problem.clone() })
    }

    fn of(source: impl BufRead, keeps_budgets: bool) -> io::Result<Self> {
        let mut log = Self::default();
        let mut chunks = Chunks { source, line: 0, keeps_budgets };
        let workers = thread::available_parallelism().map_or(1, usize::from);
        let mut eras = Eras::default();
        // Results are added in the order of the lines.
        thread::scope(|scope| -> io::Result<()> {
            let mut parsing = VecDeque::new();
            while let Some(chunk) = chunks.next()? {
                if parsing.len() == workers {
                    log.add(joined(parsing.pop_front()), &mut eras);
                }
                parsing.push_back(scope.spawn(move || chunk.parse()));
            }
            while !parsing.is_empty() {
                log.add(joined(parsing.pop_front()), &mut eras);
            }
            Ok(())
        })?;
        log.far_rows = eras.far_rows();
        let builders = eras.into_run().unwrap_or_default();
        log.models = builders.into_iter().map(|(model, builder)| (model, builder.build())).collect();
        Ok(log)
    }

    /// Returns the number of lines that could not be read, apart from an incomplete last one.
    pub(crate) fn unreadable_lines(&self) -> u64 {
        self.broken_lines
    }

    /// Returns remarks on lines that were skipped.
    pub(crate) fn notes(&self, path: &Path) -> Vec<String> {
        let path = shown(path);
        let mut notes: Vec<_> = self
            .broken
            .iter()
            .map(|Broken { line, problem }| problem.at(&format!("skipped broken line {line} of {path}")))
            .collect();
        if self.broken_lines > MAX_BROKEN_NOTES as u64 {
            notes.push(format!("skipped {} more broken lines of {path}", self.broken_lines - MAX_BROKEN_NOTES as u64));
        }
        if let Some(format) = self.later_format {
            notes.push(format!(
                "{path} has version {format} of the format, and this command reads version {FORMAT}: figures may be missing"
            ));
        }
        if let Some(FarRows { rows, at }) = self.far_rows {
            notes.push(format!(
                "skipped {} of {path} far from the time of the others, at {} UTC",
                plural(rows, "row"),
                utc(at)
            ));
        }
        if self.is_torn {
            notes.push(format!("skipped the incomplete last line of {path}"));
        }
        notes
    }

    /// Adds all but the rows of a part, which are added to `eras`.
    fn add(&mut self, part: Part, eras: &mut Eras<BTreeMap<String, SeriesBuilder>>) {
        eras.append(part.eras, |builders, models| {
            for (model, rows) in models {
                builders.entry(model).or_default().append(rows);
            }
        });
        self.parsed_lines += part.parsed_lines;
        self.is_python |= part.is_python;
        self.namespace = self.namespace.take().or(part.namespace);
        self.later_format = self.later_format.max(part.later_format);
        self.too_long = self.too_long.or(part.too_long);
        self.broken_lines += part.broken_lines;
        let room = MAX_BROKEN_NOTES - self.broken.len();
        self.broken.extend(part.broken.into_iter().take(room));
        if let Some(unfinished) = part.unfinished {
            // In a log without any parsed line, the incomplete line is the problem to report.
            if self.parsed_lines == 0 {
                self.broken_lines += 1;
                self.broken.extend((self.broken.len() < MAX_BROKEN_NOTES).then_some(unfinished));
            } else {
                self.is_torn = true;
            }
        }
    }
}

fn joined(thread: Option<thread::ScopedJoinHandle<'_, Part>>) -> Part {
    // A panic of the parser is a bug.
    thread.map_or_else(Part::default, |thread| thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
}

/// Returns the longest allowed length of a line that starts with `line`, in bytes.
pub(crate) fn max_line_bytes(line: &[u8]) -> u64 {
    if line.starts_with(MINUTE_START) { MAX_MINUTE_BYTES } else { MAX_ROW_BYTES }
}

/// Splits a source into chunks of whole lines.
struct Chunks<R> {
    source: R,
    /// Number of lines read.
    line: u64,
    keeps_budgets: bool,
}

/// Consecutive lines of a log.
#[derive(Debug, Default)]
struct Chunk {
    bytes: Vec<u8>,
    /// Number and range in `bytes` of each line, without its line break. `Err` with the limit in bytes for a line that is too long.
    lines: Vec<(u64, Result<Range<usize>, u64>)>,
    /// `true` if the last line has no line break.
    unfinished: bool,
    keeps_budgets: bool,
}

impl<R: BufRead> Chunks<R> {
    fn next(&mut self) -> io::Result<Option<Chunk>> {
        let bytes = Vec::with_capacity(CHUNK_BYTES + CHUNK_BYTES / 8);
        let mut chunk = Chunk { bytes, keeps_budgets: self.keeps_budgets, ..Chunk::default() };
        while chunk.bytes.len() < CHUNK_BYTES {
            let start = chunk.bytes.len();
            let mut length = (&mut self.source).take(MAX_ROW_BYTES).read_until(b'\n', &mut chunk.bytes)?;
            let limit = max_line_bytes(&chunk.bytes[start..]);
            if length as u64 == MAX_ROW_BYTES && limit > MAX_ROW_BYTES && !chunk.bytes.ends_with(b"\n") {
                length += (&mut self.source).take(limit - MAX_ROW_BYTES).read_until(b'\n', &mut chunk.bytes)?;
            }
            if length == 0 {
                break;
            }
            self.line += 1;
            let whole = chunk.bytes.ends_with(b"\n");
            if !whole && length as u64 == limit {
                // The memory of a long line is freed.
                chunk.bytes.truncate(start);
                chunk.bytes.shrink_to(CHUNK_BYTES);
                chunk.lines.push((self.line, Err(limit)));
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

/// Skips the rest of a line. Returns an error after [`MAX_SKIPPED_BYTES`] without a line break.
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
        if skipped > MAX_SKIPPED_BYTES {
            let problem = format!("line {line} has no line break within {} MiB", MAX_SKIPPED_BYTES >> 20);
            return Err(io::Error::new(io::ErrorKind::InvalidData, problem));
        }
    }
}

/// The content of a chunk.
#[derive(Debug, Default)]
struct Part {
    eras: Eras<HashMap<String, SeriesBuilder>>,
    broken: Vec<Broken>,
    broken_lines: u64,
    parsed_lines: u64,
    too_long: Option<(u64, u64)>,
    /// A last line without a line break that could not be parsed.
    unfinished: Option<Broken>,
    namespace: Option<String>,
    later_format: Option<u32>,
    is_python: bool,
    keeps_budgets: bool,
}

impl Chunk {
    fn parse(self) -> Part {
        let mut part = Part { keeps_budgets: self.keeps_budgets, ..Part::default() };
        let last = self.lines.len() - 1;
        for (index, (line, range)) in self.lines.into_iter().enumerate() {
            let parsed = match range {
                Ok(range) if self.bytes[range.clone()].iter().all(u8::is_ascii_whitespace) => continue,
                Ok(range) => parse(&self.bytes[range]),
                Err(limit) => {
                    part.too_long = part.too_long.or(Some((line, limit)));
                    continue;
                }
            };
            match parsed {
                Ok(parsed) => {
                    part.parsed_lines += 1;
                    part.add(parsed);
                }
                Err(problem) if self.unfinished && index == last => part.unfinished = Some(Broken { line, problem }),
                Err(problem) => {
                    part.broken_lines += 1;
                    part.broken.extend((part.broken.len() < MAX_BROKEN_NOTES).then_some(Broken { line, problem }));
                }
            }
        }
        part
    }
}

impl Part {
    fn add(&mut self, parsed: Parsed<'_>) {
        match parsed {
            Parsed::Header(header) => {
                self.later_format = self.later_format.max(Some(header.format).filter(|format| *format > FORMAT));
                self.namespace = self.namespace.take().or(header.namespace);
            }
            Parsed::Row(row) => {
                let keeps_budgets = self.keeps_budgets;
                if let Some(series) = self.series(&row.model, row.at) {
                    series.add_row(&row);
                    if keeps_budgets {
                        series.keep_budgets(&row);
                    }
                }
            }
            Parsed::Minute(model, seconds) => {
                self.is_python = true;
                for second in seconds {
                    if let Some(series) = self.series(&model, second.at) {
                        series.add(second);
                    }
                }
            }
        }
    }

    /// Returns the rows of a model in the era of a row; `None` if there are too many eras.
    fn series(&mut self, model: &str, at: u64) -> Option<&mut SeriesBuilder> {
        let models = self.eras.add(at)?;
        if !models.contains_key(model) {
            models.insert(model.to_owned(), SeriesBuilder::default());
        }
        models.get_mut(model)
    }
}

#[cfg(test)]
mod tests;
