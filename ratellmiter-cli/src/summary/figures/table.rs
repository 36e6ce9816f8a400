//! The one table of the figures, for text, Markdown, JSON and `-check`.

use crate::{series::times::Bounds, summary::figures::Summary};

/// One figure of a summary.
pub(in crate::summary) struct Figure {
    /// Key among the ratios of a comparison in JSON.
    pub(in crate::summary) key: &'static str,
    /// Heading of its row in tables.
    pub(in crate::summary) label: &'static str,
    /// Name in conditions of `-check`; `None` if it cannot be checked.
    pub(in crate::summary) checked_as: Option<&'static str>,
    pub(in crate::summary) unit: Unit,
    row: Row,
    value: fn(&Summary) -> Option<f64>,
    /// Lower bound if the value is an upper bound.
    least: fn(&Summary) -> Option<f64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::summary) enum Unit {
    Count,
    /// A count divided by another.
    Ratio,
    Seconds,
    /// Seconds that are known to the millisecond.
    Millis,
    /// An average of counts.
    Mean,
    /// A fraction, shown in percent and checked as a fraction.
    Fraction,
}

impl Unit {
    pub(in crate::summary) fn is_time(self) -> bool {
        matches!(self, Self::Seconds | Self::Millis)
    }
}

/// Condition for the row of a figure in tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Row {
    Always,
    /// If any run has a value.
    IfKnown,
    /// If any run has a value above zero.
    IfPositive,
    Never,
}

const fn figure(key: &'static str, label: &'static str, unit: Unit, value: fn(&Summary) -> Option<f64>) -> Figure {
    Figure { key, label, checked_as: None, unit, row: Row::IfKnown, value, least: |_| None }
}

impl Figure {
    const fn always(self) -> Self {
        Self { row: Row::Always, ..self }
    }

    const fn if_positive(self) -> Self {
        Self { row: Row::IfPositive, ..self }
    }

    const fn only_checked(self) -> Self {
        Self { row: Row::Never, ..self }
    }

    const fn at_least(self, least: fn(&Summary) -> Option<f64>) -> Self {
        Self { least, ..self }
    }

    const fn checked_as(self, name: &'static str) -> Self {
        Self { checked_as: Some(name), ..self }
    }

    /// Returns the value; `None` if the log does not contain it.
    pub(in crate::summary) fn value(&self, run: &Summary) -> Option<f64> {
        (self.value)(run)
    }

    /// Returns the bounds of the value, which are equal if it is known; `None` if the log does not contain it.
    pub(in crate::summary) fn bounds(&self, run: &Summary) -> Option<Bounds> {
        let most = self.value(run)?;
        Some(Bounds { least: (self.least)(run).unwrap_or(most), most })
    }

    /// Returns the value as tables show it.
    pub(in crate::summary) fn cell(&self, run: &Summary) -> Option<f64> {
        self.value(run).filter(|value| self.row != Row::IfPositive || *value > 0.0)
    }

    fn has_row(&self, runs: &[&Summary]) -> bool {
        match self.row {
            Row::Always => true,
            Row::IfKnown | Row::IfPositive => runs.iter().any(|run| self.cell(run).is_some()),
            Row::Never => false,
        }
    }
}

/// Returns the figures that have a row in a table of `runs`.
pub(in crate::summary) fn rows(runs: &[&Summary]) -> impl Iterator<Item = &'static Figure> {
    FIGURES.iter().filter(|figure| figure.has_row(runs))
}

/// Returns the figure with a key among the ratios of a comparison.
pub(in crate::summary) fn by_key(key: &str) -> Option<&'static Figure> {
    FIGURES.iter().find(|figure| figure.key == key)
}

/// Returns the figures that `-check` knows, with their names.
pub(in crate::summary) fn checkable() -> impl Iterator<Item = (&'static str, &'static Figure)> {
    FIGURES.iter().filter_map(|figure| Some((figure.checked_as?, figure)))
}

/// All figures, in the order of the tables.
#[allow(clippy::cast_precision_loss)] // Counts of a log.
static FIGURES: [Figure; 34] = [
    figure("calls", "calls", Unit::Count, |run| Some(run.calls as f64)).always().checked_as("calls"),
    figure("finished", "finished", Unit::Count, |run| Some(run.finished as f64)).always().checked_as("finished"),
    figure("failed", "failed", Unit::Count, |run| run.failed.map(|failed| failed as f64)).always().checked_as("failed"),
    figure("given_up", "given up", Unit::Count, |run| Some(run.given_up as f64)).always().checked_as("given_up"),
    figure("earlier", "requested before", Unit::Count, |run| Some(run.earlier as f64)).if_positive(),
    figure("waiting", "waiting at the end", Unit::Count, |run| Some(run.waiting as f64)).if_positive(),
    figure("in_flight_at_end", "in flight at the end", Unit::Count, |run| Some(run.in_flight as f64)).if_positive(),
    figure("refusals", "refusals", Unit::Count, |run| Some(run.refusals as f64)).always().checked_as("refusals"),
    figure("overloads", "overloads", Unit::Count, |run| run.overloaded.map(|overloads| overloads as f64))
        .always()
        .checked_as("overloads"),
    figure("refusals_per_call", "refusals per call", Unit::Ratio, |run| Some(run.refusals_per_call))
        .always()
        .checked_as("refusals_per_call"),
    figure("pauses", "pauses", Unit::Count, |run| Some(run.pauses as f64)).always().checked_as("pauses"),
    figure("paused", "paused", Unit::Millis, |run| Some(run.paused_ms as f64 / 1000.0)).always().checked_as("paused"),
    figure("longest_line", "longest queue", Unit::Count, |run| Some(run.line as f64)).always().checked_as("line"),
    figure("mean_wait", "mean wait", Unit::Seconds, |run| run.wait_mean)
        .at_least(|run| run.wait_mean_least)
        .always()
        .checked_as("wait_mean"),
    figure("p99_wait", "p99 wait", Unit::Seconds, |run| run.wait_p99)
        .at_least(|run| run.wait_p99_least)
        .always()
        .checked_as("wait_p99"),
    figure("p99_latency", "p99 latency", Unit::Seconds, |run| run.call_p99)
        .at_least(|run| run.call_p99_least)
        .always()
        .checked_as("call_p99"),
    figure("duration", "duration", Unit::Seconds, |run| Some(run.duration as f64)).always().checked_as("duration"),
    figure("rejected", "rejected", Unit::Count, |run| Some(run.rejected as f64)).if_positive().checked_as("rejected"),
    figure("exhausted", "quotas spent", Unit::Count, |run| Some(run.exhausted as f64))
        .if_positive()
        .checked_as("exhausted"),
    figure("closed", "closed", Unit::Seconds, |run| Some(run.closed as f64)).if_positive().checked_as("closed"),
    figure("transient", "transient failures", Unit::Count, |run| Some(run.transient as f64))
        .if_positive()
        .checked_as("transient"),
    figure("mean_in_flight", "mean in flight", Unit::Mean, |run| run.in_flight_mean),
    figure("most_in_flight", "max in flight", Unit::Count, |run| run.in_flight_most.map(f64::from))
        .checked_as("in_flight"),
    figure("reserved_tokens", "reserved tokens", Unit::Count, |run| run.reserved_tokens.map(|tokens| tokens as f64))
        .checked_as("reserved_tokens"),
    figure("used_tokens", "used tokens", Unit::Count, |run| run.used_tokens.map(|tokens| tokens as f64))
        .checked_as("used_tokens"),
    figure("reserved_tokens_per_call", "reserved tokens per call", Unit::Mean, |run| run.reserved_per_call),
    figure("used_tokens_per_call", "used tokens per call", Unit::Mean, |run| run.used_per_call),
    figure("tokens_a_minute_used", "tokens per minute, used", Unit::Fraction, |run| run.used_share),
    figure("fullest_budget_mean", "fullest budget, mean", Unit::Fraction, |run| run.budget_mean)
        .checked_as("budget_mean"),
    figure("fullest_budget_peak", "fullest budget, peak", Unit::Fraction, |run| run.budget_peak)
        .checked_as("budget_peak"),
    figure("processes", "processes", Unit::Count, |run| run.processes.map(|processes| processes.members.into())),
    figure("logs", "logs", Unit::Count, |run| run.processes.map(|processes| processes.logs.into())),
    figure("server_out_of_reach", "Redis unreachable", Unit::Seconds, |run| {
        run.processes.map(|processes| processes.lost as f64)
    }),
    figure("slowdown", "slowdown", Unit::Ratio, |run| {
        run.physical.filter(|minimum| *minimum > 0.0).map(|minimum| run.duration as f64 / minimum)
    })
    .only_checked()
    .checked_as("slowdown"),
];
