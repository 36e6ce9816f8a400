//! The format of the log as serde types, which the library writes and the command reads.
//!
//! A log has one JSON object a line: first a [`Header`], then a [`Row`] for each model and second with an event or a queued
//! call. A second without a row has zero counts. Readers ignore unknown fields, and missing counts are zero, so that fields
//! can be added without breaking older or newer readers.

use std::borrow::Cow;

pub use crate::limits::budget_kind::BudgetKind;

use crate::log::{
    fields::{fields, serde_of_words, words},
    sketch::Sketch,
};

/// Version of the format that this library writes.
pub const FORMAT: u32 = 1;

/// First line of a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// Version of the format, see [`FORMAT`].
    pub format: u32,
    /// Start of the monitor, in seconds since the epoch.
    pub started: u64,
    /// Version of the library that wrote the log.
    pub library: String,
    /// Namespace of the shared limiters, or `None` if they are not shared.
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

/// Counts and gauges of one model in one second.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Row<'a> {
    /// Second, since the epoch.
    pub at: u64,
    /// Name of the model, as in the user's code.
    pub model: Cow<'a, str>,
    /// Calls that requested a ticket (`r`).
    pub requested: u64,
    /// Tickets granted (`i`), including tickets of retries.
    pub issued: u64,
    /// Refused calls (`e`).
    pub rate_limited: u64,
    /// Part of `rate_limited` that was refused because the server was overloaded.
    pub overloaded: u64,
    /// Calls that ended with success or with an error other than a refusal (`f`).
    pub finished: u64,
    /// Part of `finished` that ended with an error.
    pub failed: u64,
    /// Transient failures after which the call was queued again, to be sent once more. They are not in `finished`.
    pub transient: u64,
    /// Queued calls at the end of the second, including refused ones (`o`).
    pub overflow: u64,
    /// Allowed rate at the end of the second, in calls a second; zero during a pause. NaN if a line does not contain it.
    pub rate: f64,
    /// Time from the end of the second until the pause is over and the rate allows the next call, in seconds. While the limiter is
    /// closed, the time until it opens or, if that is not known, until the next call may be sent. `None` without a pause, and if
    /// the next call waits for another limit whose end is not known.
    pub paused_for: Option<f64>,
    /// Pauses that began in this second.
    pub pauses: u64,
    /// Part of the second in which the limiter was paused, in milliseconds.
    pub paused_ms: u64,
    /// Reason for which the limiter was closed at the end of the second, or `None` if it was open.
    pub closed: Option<ClosedReason>,
    /// Time from then until a closed limiter opens, in seconds, or `None` if it is not known.
    pub closed_for: Option<f64>,
    /// Time from then until the queue is empty if no more calls join it, in seconds.
    pub time_left: Option<f64>,
    /// Configured rate, in calls a second.
    pub limit: Option<f64>,
    /// Bottleneck of the first queued call at the end of the second.
    pub held: Option<Bottleneck>,
    /// Adapted rate, in calls a second, or `None` while the configured rate applies.
    pub learned_rate: Option<f64>,
    /// Adapted limit of calls in flight, or `None` while the configured one applies.
    pub learned_in_flight: Option<f64>,
    /// Calls in flight at the end of the second.
    pub in_flight: u64,
    /// Calls rejected because they would exceed a limit on waiting.
    pub rejected: u64,
    /// Input and output tokens reserved by the tickets granted in this second.
    pub reserved_tokens: u64,
    /// Input and output tokens used by the calls that ended in this second, as far as they reported usage.
    pub used_tokens: u64,
    /// Status of each token or daily budget.
    pub budgets: Vec<BudgetStatus>,
    /// Number of processes that shared the limiter at the end of the second, including this one, or `None` if it is not
    /// shared. In a shared limiter, `limit`, the limits of `budgets` and the adapted limits are totals of all processes; all
    /// other fields are of this process.
    pub members: Option<u64>,
    /// `true` if the server that shares the limiter was unavailable. `members` is then the last known number.
    pub is_lost: bool,
    /// Queueing times of the tickets granted in this second, in milliseconds.
    pub wait_ms: Quantiles,
    /// Durations of the calls that ended in this second, in milliseconds.
    pub call_ms: Quantiles,
    /// Sum of the queueing times in `wait_ms`, in milliseconds.
    pub wait_total_ms: u64,
    /// Numbers of the queueing times in `wait_ms`, by bucket.
    pub wait_buckets: Sketch,
    /// Numbers of the durations in `call_ms`, by bucket.
    pub call_buckets: Sketch,
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
        transient: sparse,
        overflow: always,
        rate: always(f64::NAN),
        paused_for: sparse,
        pauses: sparse,
        paused_ms: sparse,
        closed: sparse,
        closed_for: sparse,
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
        wait_total_ms: sparse,
        wait_buckets: sparse,
        call_buckets: sparse,
    }
}

/// Status of one token or daily budget at the end of a second.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BudgetStatus {
    /// Kind of the budget.
    pub meter: BudgetKind,
    /// Configured limit of its minute or day.
    pub limit: u64,
    /// Amount charged by this process.
    pub taken: u64,
    /// Amount charged by other processes that share the budget, as last reported to this process.
    pub others: u64,
    /// Limit adapted to refusals or shown by headers, if it is below the configured one.
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

serde_of_words!(BudgetKind);

/// Limit that the first queued call waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bottleneck {
    /// The pause after a refusal, or the canary that ends it.
    Pause,
    /// The closed limiter.
    Closed,
    /// The configured or adapted limit of calls in flight.
    InFlight,
    /// The ramp after a jump in demand.
    Ramp,
    /// The adapted rate.
    Learned,
    /// The configured rate.
    Rate,
    /// The remaining amount shown by the server's headers.
    Server,
    /// A budget of tokens or of a day.
    Budget(BudgetKind),
    /// The server that shares the limiter, while it is unavailable.
    Fleet,
    /// Word of a later version.
    Other,
}

words! {
    Bottleneck {
        Pause = "pause",
        Closed = "closed",
        InFlight = "in_flight",
        Ramp = "ramp",
        Learned = "learned",
        Rate = "rate",
        Server = "server",
        Fleet = "fleet",
        Other = "other",
    } or Budget(BudgetKind)
}

/// Reason for which a limiter is closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClosedReason {
    /// A quota is spent, or the server asked for a wait of more than ten minutes.
    Quota,
    /// The server accepted no call for a long time.
    Unavailable,
    /// Word of a later version.
    Other,
}

words! {
    ClosedReason {
        Quota = "quota",
        Unavailable = "unavailable",
        Other = "other",
    }
}

/// Quantiles of the times measured in one second, in milliseconds. All are zero without a measurement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Quantiles {
    /// Median.
    pub p50: u64,
    /// 99th percentile.
    pub p99: u64,
    /// Maximum.
    pub max: u64,
}

fields! {
    Quantiles {
        p50: always,
        p99: always,
        max: always,
    }
}

/// Line of a log.
#[derive(Debug, Clone, PartialEq)]
#[allow(clippy::large_enum_variant)] // Nearly all lines are rows.
pub enum LogLine<'a> {
    /// First line.
    Header(Header),
    /// Any other line.
    Row(Row<'a>),
}

impl<'a> LogLine<'a> {
    /// Parses a line without its line break.
    ///
    /// # Errors
    /// The line is not a JSON object, or neither a header nor a row.
    pub fn parse(line: &'a str) -> Result<Self, serde_json::Error> {
        // Nearly all lines are rows.
        match serde_json::from_str(line) {
            Ok(row) => Ok(Self::Row(row)),
            Err(error) => serde_json::from_str(line).map(Self::Header).map_err(|_| error),
        }
    }
}

#[cfg(test)]
mod tests;
