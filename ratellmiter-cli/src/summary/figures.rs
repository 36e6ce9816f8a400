//! The figures of a summary in one table, which serves the tables, the comparison and the conditions of `-check`.

use crate::summary::measures::Summary;

/// One figure of a summary.
pub(super) struct Figure {
    /// Key among the ratios of a comparison in JSON.
    pub(super) key: &'static str,
    /// Heading of its row in tables.
    pub(super) label: &'static str,
    /// Name in conditions of `-check`; `None` if it cannot be checked.
    pub(super) checked_as: Option<&'static str>,
    pub(super) unit: Unit,
    row: Row,
    value: fn(&Summary) -> Option<f64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unit {
    Count,
    /// A count divided by another.
    Ratio,
    Seconds,
    /// An average of counts.
    Mean,
    /// A fraction, shown in percent and checked as a fraction.
    Fraction,
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
    Figure { key, label, checked_as: None, unit, row: Row::IfKnown, value }
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

    const fn checked_as(self, name: &'static str) -> Self {
        Self { checked_as: Some(name), ..self }
    }

    /// Returns the value; `None` if the log does not contain it.
    pub(super) fn value(&self, run: &Summary) -> Option<f64> {
        (self.value)(run)
    }

    /// Returns the value as tables show it.
    pub(super) fn cell(&self, run: &Summary) -> Option<f64> {
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
pub(super) fn rows(runs: &[&Summary]) -> impl Iterator<Item = &'static Figure> {
    FIGURES.iter().filter(|figure| figure.has_row(runs))
}

/// Returns the figures that `-check` knows, with their names.
pub(super) fn checkable() -> impl Iterator<Item = (&'static str, &'static Figure)> {
    FIGURES.iter().filter_map(|figure| Some((figure.checked_as?, figure)))
}

/// All figures, in the order of the tables.
#[allow(clippy::cast_precision_loss)] // Counts of a log.
static FIGURES: [Figure; 28] = [
    figure("calls", "calls", Unit::Count, |run| Some(run.calls as f64)).always().checked_as("calls"),
    figure("finished", "finished", Unit::Count, |run| Some(run.finished as f64)).always().checked_as("finished"),
    figure("failed", "failed", Unit::Count, |run| run.failed.map(|failed| failed as f64)).always().checked_as("failed"),
    figure("given_up", "given up", Unit::Count, |run| Some(run.given_up as f64)).always().checked_as("given_up"),
    figure("refusals", "refusals", Unit::Count, |run| Some(run.refusals as f64)).always().checked_as("refusals"),
    figure("overloads", "overloads", Unit::Count, |run| run.overloaded.map(|overloads| overloads as f64))
        .always()
        .checked_as("overloads"),
    figure("refusals_per_call", "refusals per call", Unit::Ratio, |run| Some(run.refusals_per_call))
        .always()
        .checked_as("refusals_per_call"),
    figure("pauses", "pauses", Unit::Count, |run| Some(run.pauses as f64)).always().checked_as("pauses"),
    figure("paused", "paused", Unit::Seconds, |run| Some(run.paused as f64)).always().checked_as("paused"),
    figure("longest_line", "longest queue", Unit::Count, |run| Some(run.line as f64)).always().checked_as("line"),
    figure("mean_wait", "mean wait", Unit::Seconds, |run| run.wait_mean).always().checked_as("wait_mean"),
    figure("p99_wait", "p99 wait", Unit::Seconds, |run| run.wait_p99).always().checked_as("wait_p99"),
    figure("p99_latency", "p99 latency", Unit::Seconds, |run| run.call_p99).always().checked_as("call_p99"),
    figure("duration", "duration", Unit::Seconds, |run| Some(run.duration as f64)).always().checked_as("duration"),
    figure("turned_away", "rejected", Unit::Count, |run| Some(run.turned_away as f64))
        .if_positive()
        .checked_as("turned_away"),
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
