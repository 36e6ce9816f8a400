//! The rows of the log as serde types: the one definition that core writes and the command reads.
//!
//! A log is one JSON object a line: first a [`Header`], then a [`Row`] for each model and second in which something
//! happened or someone waited. A second without a row is all zeros. Readers ignore fields they do not know, and a
//! missing count is zero, so rows can grow without breaking older or newer readers.

use std::borrow::Cow;

use crate::log::fields::{fields, words};

/// The format this version writes.
pub const FORMAT: u32 = 1;

/// The first line of a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// The version of the format, [`FORMAT`].
    pub format: u32,
    /// When the monitor was started, in seconds since the epoch.
    pub started: u64,
    /// The version of the library that wrote the log.
    pub library: String,
    /// The namespace under which its limiters are shared with other processes, if they are.
    pub namespace: Option<String>,
}

fields! {
    Header {
        format: required,
        started: required,
        library: required,
        namespace: sparse,
    }
}

/// What one model did in one second.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Row<'a> {
    /// The second, since the epoch.
    pub at: u64,
    /// The model, as the user named it.
    pub model: Cow<'a, str>,
    /// Calls that asked for a ticket (`r`).
    pub requested: u64,
    /// Tickets given out (`i`); a call that is tried again gets a new one.
    pub issued: u64,
    /// Calls that came back refused (`e`).
    pub rate_limited: u64,
    /// Of those, the ones that were refused because the server was overloaded, whatever our rate.
    pub overloaded: u64,
    /// Calls that ended, whether well or with an error of their own (`f`).
    pub finished: u64,
    /// Of those that ended, the ones that ended with an error of their own.
    pub failed: u64,
    /// Calls still waiting when the second ended, refused ones included (`o`).
    pub overflow: u64,
    /// The rate allowed at the second's end, in calls a second; zero while paused. Not a number where a line does not tell.
    pub rate: f64,
    /// What was left of a pause when the second ended, in seconds.
    pub paused_for: Option<f64>,
    /// How long the line would take from then on if nothing else came, in seconds.
    pub time_left: Option<f64>,
    /// The configured rate, in calls a second.
    pub limit: Option<f64>,
    /// What the first in the line waited for when the second ended, if anybody did.
    pub held: Option<Bottleneck>,
    /// The rate that refusals have taught, in calls a second, where it is below the configured one.
    pub learned_rate: Option<f64>,
    /// The calls in flight that refusals have taught, where they are below the configured ones.
    pub learned_in_flight: Option<f64>,
    /// Calls out when the second ended.
    pub in_flight: u64,
    /// Calls that were turned away instead of waiting longer than they may.
    pub rejected: u64,
    /// Tokens that the tickets issued in this second reserved, in and out.
    pub reserved_tokens: u64,
    /// Tokens that the calls that ended in this second used, in and out, as far as they told.
    pub used_tokens: u64,
    /// Each budget of tokens or of a day.
    pub budgets: Vec<BudgetStatus>,
    /// How many processes shared the limiter when the second ended, this one included, if it is shared. The limits, `limit`
    /// and those of `budgets`, and what was learned are then what all of them share; everything else is this process's part.
    pub members: Option<u64>,
    /// The server that it is shared on was out of reach then: `members` were there when it was last seen.
    pub is_lost: bool,
    /// How long those who got a ticket in this second had waited for it, in milliseconds.
    pub wait_ms: Quantiles,
    /// How long the calls that ended in this second had been out, in milliseconds.
    pub call_ms: Quantiles,
}

fields! {
    Row<'a> {
        at: required,
        model: borrowed,
        requested: always,
        issued: always,
        rate_limited: always,
        overloaded: sparse,
        finished: always,
        failed: sparse,
        overflow: always,
        rate: always(f64::NAN),
        paused_for: sparse,
        time_left: sparse,
        limit: sparse,
        held: sparse,
        learned_rate: sparse,
        learned_in_flight: sparse,
        in_flight: always,
        rejected: sparse,
        reserved_tokens: sparse,
        used_tokens: sparse,
        budgets: sparse,
        members: sparse,
        is_lost: sparse,
        wait_ms: always,
        call_ms: always,
    }
}

/// How one budget of tokens or of a day stood when the second ended.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BudgetStatus {
    /// Which.
    pub meter: BudgetKind,
    /// What is configured, for its minute or day.
    pub limit: u64,
    /// What counts against it of this process.
    pub taken: u64,
    /// What counts against it of others that share it, as far as the process has heard.
    pub others: u64,
    /// What refusals have taught or headers show, where it is less than what is configured.
    pub learned: Option<f64>,
}

fields! {
    BudgetStatus {
        meter: required,
        limit: required,
        taken: required,
        others: sparse,
        learned: sparse,
    }
}

/// What a budget counts, and over which time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BudgetKind {
    /// Requests a day.
    RequestsPerDay,
    /// Tokens a minute, in and out.
    TokensPerMinute,
    /// Input tokens a minute.
    InputTokensPerMinute,
    /// Output tokens a minute.
    OutputTokensPerMinute,
    /// Tokens a day, in and out.
    TokensPerDay,
    /// Something that a later version knows.
    Other,
}

words! {
    BudgetKind {
        RequestsPerDay = "requests_per_day",
        TokensPerMinute = "tokens_per_minute",
        InputTokensPerMinute = "input_tokens_per_minute",
        OutputTokensPerMinute = "output_tokens_per_minute",
        TokensPerDay = "tokens_per_day",
        Other = "other",
    }
}

/// What holds the line back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bottleneck {
    /// A refusal: nobody goes, or one alone.
    Pause,
    /// The calls in flight, configured or learned.
    InFlight,
    /// The ramp.
    Ramp,
    /// The rate that refusals have taught.
    Learned,
    /// The configured rate.
    Rate,
    /// What the server's headers show to be left.
    Server,
    /// The requests of a day.
    RequestsPerDay,
    /// The tokens of a minute.
    TokensPerMinute,
    /// The input tokens of a minute.
    InputTokensPerMinute,
    /// The output tokens of a minute.
    OutputTokensPerMinute,
    /// The tokens of a day.
    TokensPerDay,
    /// The server that the limiter is shared on, which does not answer.
    Fleet,
    /// Something that a later version knows.
    Other,
}

words! {
    Bottleneck {
        Pause = "pause",
        InFlight = "in_flight",
        Ramp = "ramp",
        Learned = "learned",
        Rate = "rate",
        Server = "server",
        RequestsPerDay = "requests_per_day",
        TokensPerMinute = "tokens_per_minute",
        InputTokensPerMinute = "input_tokens_per_minute",
        OutputTokensPerMinute = "output_tokens_per_minute",
        TokensPerDay = "tokens_per_day",
        Fleet = "fleet",
        Other = "other",
    }
}

/// The middle, the tail and the worst of one second, in milliseconds; all zero when nothing was measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Quantiles {
    /// The median.
    pub p50: u64,
    /// The 99th percentile.
    pub p99: u64,
    /// The largest.
    pub max: u64,
}

fields! {
    Quantiles {
        p50: always,
        p99: always,
        max: always,
    }
}

/// One line of a log.
#[derive(Debug, Clone, PartialEq)]
#[allow(clippy::large_enum_variant)] // Rows are a million to one header.
pub enum LogLine<'a> {
    /// The first line.
    Header(Header),
    /// Any other line.
    Row(Row<'a>),
}

impl<'a> LogLine<'a> {
    /// Reads one line, without its line break.
    ///
    /// # Errors
    /// The line is no JSON object, or neither a header nor a row.
    pub fn parse(line: &'a str) -> Result<Self, serde_json::Error> {
        // Rows are a million to one header: try them first.
        match serde_json::from_str(line) {
            Ok(row) => Ok(Self::Row(row)),
            Err(error) => serde_json::from_str(line).map(Self::Header).map_err(|_| error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_written_as_documented_and_read_back() {
        let row = Row {
            at: 1_795_502_413,
            model: "gpt-4o".into(),
            requested: 100,
            issued: 1,
            overflow: 99,
            rate: 5.0,
            in_flight: 1,
            call_ms: Quantiles { p50: 1, p99: 2, max: 3 },
            ..Row::default()
        };
        let text = serde_json::to_string(&row).unwrap();
        assert_eq!(
            text,
            r#"{"at":1795502413,"model":"gpt-4o","requested":100,"issued":1,"rate_limited":0,"finished":0,"overflow":99,"rate":5.0,"in_flight":1,"wait_ms":{"p50":0,"p99":0,"max":0},"call_ms":{"p50":1,"p99":2,"max":3}}"#
        );
        assert_eq!(LogLine::parse(&text).unwrap(), LogLine::Row(row));
    }

    #[test]
    fn what_held_the_line_back_is_a_word_and_may_be_a_new_one() {
        let row = Row { held: Some(Bottleneck::InFlight), limit: Some(5.0), failed: 2, ..Row::default() };
        let text = serde_json::to_string(&row).unwrap();
        assert!(text.contains(r#""failed":2"#) && text.contains(r#""limit":5.0,"held":"in_flight""#), "{text}");
        assert_eq!(LogLine::parse(&text).unwrap(), LogLine::Row(row));
        let LogLine::Row(row) = LogLine::parse(r#"{"at":7,"model":"m","held":"tokens"}"#).unwrap() else {
            panic!("a row")
        };
        assert_eq!(row.held, Some(Bottleneck::Other));
    }

    #[test]
    fn tokens_and_budgets_are_told_where_there_are_any() {
        let budget = |meter, learned| BudgetStatus { meter, limit: 80_000, taken: 79_000, others: 0, learned };
        let row = Row {
            held: Some(Bottleneck::OutputTokensPerMinute),
            reserved_tokens: 4096,
            used_tokens: 400,
            budgets: vec![
                budget(BudgetKind::OutputTokensPerMinute, None),
                budget(BudgetKind::TokensPerDay, Some(500.5)),
            ],
            ..Row::default()
        };
        let text = serde_json::to_string(&row).unwrap();
        let expected = r#""reserved_tokens":4096,"used_tokens":400,"budgets":[{"meter":"output_tokens_per_minute","limit":80000,"taken":79000},{"meter":"tokens_per_day","limit":80000,"taken":79000,"learned":500.5}],"#;
        assert!(text.contains(expected) && text.contains(r#""held":"output_tokens_per_minute""#), "{text}");
        assert_eq!(LogLine::parse(&text).unwrap(), LogLine::Row(row));
        let later =
            r#"{"at":7,"model":"m","held":"server","budgets":[{"meter":"images_per_week","limit":5,"taken":1,"x":2}]}"#;
        let LogLine::Row(row) = LogLine::parse(later).unwrap() else { panic!("a row") };
        assert_eq!((row.held, row.budgets[0].meter), (Some(Bottleneck::Server), BudgetKind::Other));
    }

    #[test]
    fn unknown_fields_are_ignored_and_missing_counts_are_zero() {
        let LogLine::Row(row) = LogLine::parse(r#"{"at":7,"model":"m","later":[1,2],"issued":3}"#).unwrap() else {
            panic!("a row")
        };
        assert!(row.rate.is_nan(), "which is not a pause");
        assert_eq!(Row { rate: 0.0, ..row }, Row { at: 7, model: "m".into(), issued: 3, ..Row::default() });
    }

    #[test]
    fn a_header_is_told_from_a_row_and_junk_from_both() {
        let header = Header { format: FORMAT, started: 5, library: "0.1.0".into(), namespace: None };
        let text = serde_json::to_string(&header).unwrap();
        assert_eq!(LogLine::parse(&text).unwrap(), LogLine::Header(header));
        assert!(LogLine::parse(r#"{"hello":1}"#).is_err());
        assert!(LogLine::parse(r#"{"at":7,"mod"#).is_err());
    }

    #[test]
    fn a_model_name_with_escapes_is_read_whole() {
        let row = Row { at: 1, model: "a\n\"b\" 🦀".into(), ..Row::default() };
        let text = serde_json::to_string(&row).unwrap();
        assert_eq!(LogLine::parse(&text).unwrap(), LogLine::Row(row));
    }
}
