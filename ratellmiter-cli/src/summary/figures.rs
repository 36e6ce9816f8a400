//! The figures of a run, and their measurement.

mod table;

use ratellmiter_core::log::{BudgetKind, ClosedReason};
use serde::{Serialize, Serializer};

pub(super) use self::table::{Figure, Unit, by_key, checkable, rows};

use crate::{
    series::{
        End, Second, Series, budgets::BudgetSummary, closed::ClosedSpan, conflicts::BudgetConflict,
        processes::Processes, times::Bounds,
    },
    summary::measures::{activity, burst, has_several_limits, tokens_per_call},
};

/// The run of one model. Times are in seconds. The field names are the keys of `-summary=json`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Summary {
    pub(crate) model: String,
    /// Time of the first row, since the epoch.
    pub(crate) started: u64,
    /// Time from the first row to the last, both included.
    pub(crate) duration: u64,
    pub(crate) calls: u64,
    pub(crate) finished: u64,
    /// Finished calls that ended with an error other than a refusal; `None` if the log does not contain them.
    pub(crate) failed: Option<u64>,
    /// Calls rejected by a wait limit, a queue limit, a deadline or a closed limiter.
    pub(crate) rejected: u64,
    /// Calls that neither finished nor were rejected, and were neither in flight nor queued at the end: dropped, or given up
    /// after refusals.
    pub(crate) given_up: u64,
    /// Calls that were queued when the log ended.
    pub(crate) waiting: u64,
    /// Calls that were in flight when the log ended.
    pub(crate) in_flight: u64,
    /// Calls beyond `calls` that ended, wait or are in flight: they were requested before the first row. A lower bound.
    #[serde(skip_serializing_if = "is_zero")]
    pub(crate) earlier: u64,
    pub(crate) refusals: u64,
    /// Refusals because of an overloaded server; `None` if the log does not contain them.
    pub(crate) overloaded: Option<u64>,
    /// Transient failures after which the call was sent again.
    pub(crate) transient: u64,
    pub(crate) refusals_per_call: f64,
    pub(crate) pauses: u64,
    /// Time in pauses in milliseconds, in JSON in seconds. Whole seconds for rows of earlier versions.
    #[serde(rename = "paused", serialize_with = "in_seconds")]
    pub(crate) paused_ms: u64,
    /// Spans in which the limiter was closed because a quota was spent.
    pub(crate) exhausted: u64,
    /// Time for which the limiter was closed.
    pub(crate) closed: u64,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) closed_spans: Vec<ClosedSpan>,
    /// Largest number of queued calls.
    pub(crate) line: u64,
    /// Mean wait of a ticket, or its upper bound if the log does not contain it exactly. For a log that contains counts alone, it
    /// is that of a call, from the length of the queue in each second.
    pub(crate) wait_mean: Option<f64>,
    /// Lower bound of `wait_mean`; `None` if that is exact.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) wait_mean_least: Option<f64>,
    /// 99th percentile of the waits, or its upper bound if the log does not contain it exactly.
    pub(crate) wait_p99: Option<f64>,
    /// Lower bound of `wait_p99`; `None` if that is exact.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) wait_p99_least: Option<f64>,
    /// 99th percentile of the latencies, or its upper bound if the log does not contain it exactly.
    pub(crate) call_p99: Option<f64>,
    /// Lower bound of `call_p99`; `None` if that is exact.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) call_p99_least: Option<f64>,
    /// Configured calls per minute.
    pub(crate) limit: Option<f64>,
    /// Configured calls per minute of the summed logs, if they differ.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) limit_conflict: Option<[f64; 2]>,
    /// Shortest time in which the served calls fit at the configured rate, after the burst that was sent at once. `None` if the
    /// rate was changed during the run.
    pub(crate) physical: Option<f64>,
    /// Calls in flight, averaged over the duration; `None` if the log does not contain them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) in_flight_mean: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) in_flight_most: Option<u32>,
    /// Input and output tokens reserved by tickets; `None` if the log contains no tokens.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) reserved_tokens: Option<u64>,
    /// Input and output tokens used by calls; `None` if the log contains no tokens.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) used_tokens: Option<u64>,
    /// Mean reservation of a ticket, over the seconds with reservations.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) reserved_per_call: Option<f64>,
    /// Mean usage of a call that did not fail, over the seconds with usage.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) used_per_call: Option<f64>,
    /// Used fraction of the budget of tokens per minute, over the seconds with activity. `None` without such a budget, without usage, or below 60 such seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) used_share: Option<f64>,
    /// Charged fraction of a budget, averaged over the rows: the highest of all budgets.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) budget_mean: Option<f64>,
    /// Largest charged fraction of any budget.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) budget_peak: Option<f64>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) budgets: Vec<BudgetSummary>,
    /// The budgets in which the summed logs differ. With any, there are no figures of budgets.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) budget_conflicts: Vec<BudgetConflict>,
    /// The processes of a shared limiter; `None` if it was not shared.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) processes: Option<Processes>,
    pub(crate) verdict: String,
}

impl Summary {
    /// Returns the figures of a run, with an empty verdict.
    #[allow(clippy::cast_precision_loss)]
    pub(super) fn measure(model: &str, series: &Series) -> Self {
        let seconds = series.seconds();
        let sum = |of: fn(&Second) -> u64| seconds.iter().map(of).fold(0, u64::saturating_add);
        let (calls, issued) = (series.calls(), sum(Second::issued));
        let (refusals, finished) = (series.refusals(), sum(Second::finished));
        let queued_seconds = sum(Second::queued);
        let has_details = seconds.iter().any(|second| second.has_details);
        let End { waiting, in_flight } = series.end();
        let unfinished = waiting.saturating_add(in_flight);
        let limit = seconds.iter().rev().map(|second| second.limit).find(|limit| limit.is_finite());
        let limit = limit.filter(|_| series.limit_conflict().is_none());
        let served = if has_details { finished.saturating_add(in_flight) } else { calls.saturating_sub(waiting) };
        let physical = |limit: f64| {
            let paced = served.min(issued) as f64 - 1.0 - burst(seconds, limit);
            (paced.max(0.0) / limit).min(series.length() as f64)
        };
        let [wait_p99, call_p99] =
            [series.waits(), series.latencies()].map(|times| Bounded::of(times.percentile(99).filter(|_| has_details)));
        let wait_mean = if has_details {
            let waits = series.waits();
            Bounded { most: waits.mean(), least: None }.within(waits.mean_bounds())
        } else {
            Bounded { most: (calls > 0).then(|| queued_seconds as f64 / calls as f64), least: None }
        };
        let (active_seconds, in_flight_seconds) = activity(seconds);
        let tokens = |of: fn(&Second) -> u32| {
            let all = seconds.iter().fold(0, |sum: u64, second| sum.saturating_add(of(second).into()));
            Some(all).filter(|_| series.has_tokens())
        };
        let (reserved, used) = (tokens(|second| second.reserved_tokens), tokens(|second| second.used_tokens));
        let budget_conflicts = series.budget_conflicts();
        let budgets = if budget_conflicts.is_empty() { series.budgets().summaries() } else { Vec::new() };
        let highest = |of: fn(&BudgetSummary) -> f64| budgets.iter().map(of).reduce(f64::max);
        let rejected = sum(|second| second.rejected.into());
        let accounted = finished.saturating_add(rejected).saturating_add(unfinished);
        let given_up = calls.saturating_sub(accounted);
        let closed_spans = series.closed_spans();
        Self {
            model: model.to_owned(),
            started: series.start(),
            duration: series.length(),
            calls,
            finished,
            failed: has_details.then(|| sum(|second| second.failed)),
            rejected,
            given_up: if has_details { given_up } else { 0 },
            waiting,
            in_flight,
            earlier: accounted.saturating_sub(calls),
            refusals,
            overloaded: has_details.then(|| sum(|second| second.overloaded.into())),
            transient: sum(|second| second.transient.into()),
            refusals_per_call: refusals as f64 / calls.max(1) as f64,
            pauses: series.pauses_begun(),
            paused_ms: series.paused_ms(),
            exhausted: closed_spans.iter().filter(|span| span.reason == ClosedReason::Quota).count() as u64,
            closed: closed_spans.iter().map(ClosedSpan::length).fold(0, u64::saturating_add),
            closed_spans,
            line: seconds.iter().map(Second::queued).max().unwrap_or(0),
            wait_mean: wait_mean.most,
            wait_mean_least: wait_mean.least,
            wait_p99: wait_p99.most,
            wait_p99_least: wait_p99.least,
            call_p99: call_p99.most,
            call_p99_least: call_p99.least,
            limit: limit.map(|limit| (f64::from(limit) * 60.0).round()),
            limit_conflict: series.limit_conflict().map(|limits| limits.map(|limit| (f64::from(limit) * 60.0).round())),
            physical: limit
                .filter(|limit| *limit > 0.0 && !has_several_limits(seconds))
                .map(|limit| physical(limit.into())),
            in_flight_mean: (has_details && !seconds.is_empty())
                .then(|| in_flight_seconds as f64 / series.length() as f64),
            in_flight_most: seconds.iter().map(|second| second.in_flight).max().filter(|_| has_details),
            reserved_tokens: reserved,
            used_tokens: used,
            reserved_per_call: tokens_per_call(seconds, |second| (second.reserved_tokens, second.issued())),
            used_per_call: tokens_per_call(seconds, |second| {
                (second.used_tokens, second.finished().saturating_sub(second.failed))
            }),
            used_share: budgets
                .iter()
                .find(|budget| budget.meter == BudgetKind::TokensPerMinute && active_seconds >= 60)
                .zip(used.filter(|used| *used > 0))
                .map(|(budget, used)| used as f64 * 60.0 / (budget.limit.max(1) as f64 * active_seconds as f64)),
            budget_mean: highest(|budget| budget.mean),
            budget_peak: highest(|budget| budget.peak),
            budgets,
            budget_conflicts,
            processes: Processes::of(series),
            verdict: String::new(),
        }
    }

    /// Returns the number of calls whose end or state the log contains.
    pub(super) fn known_calls(&self) -> u64 {
        self.calls.saturating_add(self.earlier)
    }

    /// Returns `true` if all refusals were overloads, so that the limit is not too high.
    pub(super) fn only_overloads(&self) -> bool {
        self.overloaded == Some(self.refusals)
    }
}

#[allow(clippy::trivially_copy_pass_by_ref)] // As serde requires.
fn is_zero(count: &u64) -> bool {
    *count == 0
}

/// Serializes milliseconds as seconds, and whole seconds as integers.
#[allow(clippy::cast_precision_loss, clippy::trivially_copy_pass_by_ref)] // As serde requires.
fn in_seconds<S: Serializer>(millis: &u64, serializer: S) -> Result<S::Ok, S::Error> {
    match millis % 1000 {
        0 => serializer.serialize_u64(millis / 1000),
        _ => serializer.serialize_f64(*millis as f64 / 1000.0),
    }
}

/// A time in seconds that the log may not contain exactly.
#[derive(Debug, Clone, Copy, Default)]
struct Bounded {
    /// The value, or its upper bound.
    most: Option<f64>,
    /// The lower bound if the value is not known.
    least: Option<f64>,
}

impl Bounded {
    fn of(bounds: Option<Bounds>) -> Self {
        Self { most: bounds.and_then(Bounds::value), least: None }.within(bounds)
    }

    /// Returns the bounds in place of the value if they are too far apart for one.
    fn within(self, bounds: Option<Bounds>) -> Self {
        match bounds.filter(|bounds| bounds.value().is_none()) {
            Some(Bounds { least, most }) => Self { most: Some(most), least: Some(least) },
            None => self,
        }
    }
}

#[cfg(test)]
pub(super) mod tests;
