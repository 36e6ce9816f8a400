//! Parses one line of a log, of this library or of the Python package.

use std::{borrow::Cow, fmt};

use ratellmiter_core::log::{Bottleneck, Header, LogLine, Row};
use serde::{
    Deserialize,
    de::{Deserializer, IgnoredAny, SeqAccess, Visitor},
};

use crate::series::{Counts, Second};

/// The content of a line.
#[derive(Debug)]
#[allow(clippy::large_enum_variant)] // Rows are a million to one header.
pub(crate) enum Parsed<'a> {
    Header(Header),
    Row(Row<'a>),
    /// A minute of the Python package: the model, and the seconds with events.
    Minute(Cow<'a, str>, Vec<Second>),
}

/// The reason why a line could not be parsed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Problem {
    /// From 1 on; `None` for the line as a whole.
    column: Option<usize>,
    text: String,
}

/// Types in messages of serde, and what they mean to the author of a log.
const TYPES: [(&str, &str); 5] = [
    ("expected u64", "expected a whole number from 0 on"),
    ("expected u32", "expected a whole number from 0 on"),
    ("expected u8", "expected a whole number from 0 on"),
    ("expected f32", "expected a number"),
    ("expected f64", "expected a number"),
];

impl Problem {
    fn of(error: &serde_json::Error) -> Self {
        let (text, column) = (error.to_string(), error.column());
        // The line is that of the log, of which serde knows one alone.
        let text = text.strip_suffix(&format!(" at line {} column {column}", error.line())).unwrap_or(&text);
        let text = TYPES.iter().fold(text.to_owned(), |text, (name, meaning)| text.replace(name, meaning));
        Self { column: (column > 0).then_some(column), text }
    }

    /// Returns the problem after the place of its line.
    pub(crate) fn at(&self, line: &str) -> String {
        let Self { column, text } = self;
        column.map_or_else(|| format!("{line}: {text}"), |column| format!("{line}, column {column}: {text}"))
    }
}

/// Parses one line, without its line break. Some editors put a mark of the byte order before the first.
pub(crate) fn parse(line: &[u8]) -> Result<Parsed<'_>, Problem> {
    let line = str::from_utf8(line).map_err(|_| Problem { column: None, text: "it is not UTF-8".into() })?;
    let line = line.strip_prefix('\u{feff}').unwrap_or(line);
    match LogLine::parse(line) {
        Ok(LogLine::Row(row)) => Ok(Parsed::Row(row)),
        Ok(LogLine::Header(header)) => Ok(Parsed::Header(header)),
        // If the line fits neither format, the error is that of the format of this library.
        Err(error) => match serde_json::from_str::<Minute<'_>>(line) {
            Ok(minute) => {
                // A minute contains all its seconds, also those still to come when it was written.
                let buckets = minute.second_bucket_list.iter().filter(|bucket| bucket.counts() != [0; 5]);
                let seconds = buckets.map(|bucket| bucket.second(minute.max_tickets_per_second)).collect();
                Ok(Parsed::Minute(minute.rate_limiter_name, seconds))
            }
            Err(_) => Err(Problem::of(&error)),
        },
    }
}

/// A line of the Python package: one model and one minute.
#[derive(Deserialize)]
struct Minute<'a> {
    #[serde(borrow)]
    rate_limiter_name: Cow<'a, str>,
    #[serde(default)]
    max_tickets_per_second: Option<f32>,
    second_bucket_list: Vec<Bucket>,
}

#[derive(Deserialize)]
struct Bucket {
    second_bucket_id: u64,
    second_requested_ticket_count: u64,
    /// Tickets allowed in this second; zero in a pause.
    #[serde(default)]
    ticket_count: Option<f32>,
    issued_ticket_count: u64,
    rate_limited_request_list: Vec<Limited>,
    finished_ticket_list: Length,
    overflow_request_list: Length,
}

impl Bucket {
    fn second(&self, limit: Option<f32>) -> Second {
        let (limit, rate) = (limit.unwrap_or(f32::NAN), self.ticket_count.unwrap_or(f32::NAN));
        let counts = self.counts();
        let has_queue = counts[2] > 0 || counts[4] > 0;
        let bottleneck = if rate <= 0.0 {
            Some(Bottleneck::Pause)
        } else if rate < limit {
            Some(Bottleneck::Ramp)
        } else {
            (rate >= limit).then_some(Bottleneck::Rate)
        };
        Second {
            rate,
            limit,
            bottleneck: bottleneck.filter(|_| has_queue),
            newly_refused: self.newly_refused(),
            ..Second::from_counts(self.second_bucket_id, counts)
        }
    }

    /// Returns the number of listed calls whose last refusal was in this second; `None` if the times of refusals are missing.
    fn newly_refused(&self) -> Option<u32> {
        let times: Option<Vec<u64>> = self.rate_limited_request_list.iter().map(Limited::last_refused).collect();
        let joined = times?.into_iter().filter(|at| *at == self.second_bucket_id).count();
        u32::try_from(joined).ok()
    }

    fn counts(&self) -> Counts {
        [
            self.second_requested_ticket_count,
            self.issued_ticket_count,
            self.rate_limited_request_list.len() as u64,
            self.finished_ticket_list.0,
            self.overflow_request_list.0,
        ]
    }
}

/// A refused call that waits to be sent again.
#[derive(Deserialize)]
#[serde(untagged)]
enum Limited {
    Known { rate_limit_event_list: Vec<Refusal> },
    Unknown(IgnoredAny),
}

#[derive(Deserialize)]
struct Refusal {
    second_bucket_ticket_was_limited: u64,
}

impl Limited {
    /// Returns the second of its last refusal.
    fn last_refused(&self) -> Option<u64> {
        match self {
            Self::Known { rate_limit_event_list } => {
                rate_limit_event_list.iter().map(|refusal| refusal.second_bucket_ticket_was_limited).max()
            }
            Self::Unknown(_) => None,
        }
    }
}

/// The length of a list, without its items.
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
