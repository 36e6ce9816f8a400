//! The figures of a run, measured from its rows.

use hdrhistogram::Histogram;
use ratellmiter_core::log::BudgetKind;
use serde::Serialize;

use crate::series::{Second, Series, budgets::BudgetSummary, processes::Processes};

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
    /// Calls rejected by a wait limit, queue limit or deadline.
    pub(crate) turned_away: u64,
    /// Calls that neither finished nor were rejected, and were neither in flight nor queued at the end: dropped, or given up
    /// after refusals.
    pub(crate) given_up: u64,
    pub(crate) refusals: u64,
    /// Refusals because of an overloaded server; `None` if the log does not contain them.
    pub(crate) overloaded: Option<u64>,
    pub(crate) refusals_per_call: f64,
    pub(crate) pauses: u64,
    pub(crate) paused: u64,
    /// Largest number of queued calls.
    pub(crate) line: u64,
    /// Mean wait of a call, from the length of the queue in each second.
    pub(crate) wait_mean: Option<f64>,
    pub(crate) wait_p99: Option<f64>,
    /// 99th percentile of the latencies.
    pub(crate) call_p99: Option<f64>,
    /// Configured calls per minute.
    pub(crate) limit: Option<f64>,
    /// Shortest time in which the issued tickets fit at the configured rate.
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
        let unfinished = seconds.last().map_or(0, |last| u64::from(last.in_flight).saturating_add(last.queued()));
        let limit = seconds.iter().rev().map(|second| second.limit).find(|limit| limit.is_finite());
        let pauses = series.pauses();
        let (active_seconds, in_flight_seconds) = activity(seconds);
        let tokens = |of: fn(&Second) -> u32| {
            let all = seconds.iter().fold(0, |sum: u64, second| sum.saturating_add(of(second).into()));
            Some(all).filter(|_| series.has_tokens())
        };
        let (reserved, used) = (tokens(|second| second.reserved_tokens), tokens(|second| second.used_tokens));
        let budgets = series.budgets().summaries();
        let highest = |of: fn(&BudgetSummary) -> f64| budgets.iter().map(of).reduce(f64::max);
        let turned_away = sum(|second| second.rejected.into());
        let given_up = calls.saturating_sub(finished + turned_away).saturating_sub(unfinished);
        Self {
            model: model.to_owned(),
            started: series.start(),
            duration: series.length(),
            calls,
            finished,
            failed: has_details.then(|| sum(|second| second.failed)),
            turned_away,
            given_up: if has_details { given_up } else { 0 },
            refusals,
            overloaded: has_details.then(|| sum(|second| second.overloaded.into())),
            refusals_per_call: refusals as f64 / calls.max(1) as f64,
            pauses: pauses.len() as u64,
            paused: pauses.iter().map(|(from, to)| to - from + 1).sum(),
            line: seconds.iter().map(Second::queued).max().unwrap_or(0),
            wait_mean: (calls > 0).then(|| queued_seconds as f64 / calls as f64),
            wait_p99: p99(seconds.iter().map(|second| (second.issued(), second.wait_ms))).filter(|_| has_details),
            call_p99: p99(seconds.iter().map(|second| (second.finished(), second.latency_ms))).filter(|_| has_details),
            limit: limit.map(|limit| (f64::from(limit) * 60.0).round()),
            physical: limit
                .filter(|limit| *limit > 0.0)
                .map(|limit| issued.saturating_sub(1) as f64 / f64::from(limit)),
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
            processes: Processes::of(series),
            verdict: String::new(),
        }
    }

    /// Returns `true` if all refusals were overloads, so that the limit is not too high.
    pub(super) fn only_overloads(&self) -> bool {
        self.overloaded == Some(self.refusals)
    }
}

/// Returns the number of seconds with activity, and the sum of the calls in flight over these seconds. Calls stay in flight in
/// the seconds between two rows.
fn activity(seconds: &[Second]) -> (u64, u128) {
    let ends =
        seconds.iter().skip(1).map(|second| second.at).chain(seconds.last().map(|last| last.at.saturating_add(1)));
    seconds.iter().zip(ends).fold((0, 0), |(active, in_flight), (second, end)| {
        let lasted = if second.in_flight > 0 { end - second.at } else { 1 };
        (active.saturating_add(lasted), in_flight + u128::from(second.in_flight) * u128::from(lasted))
    })
}

/// Returns the tokens per call over the seconds with tokens. `of` returns the tokens and calls of a second.
#[allow(clippy::cast_precision_loss)]
fn tokens_per_call(seconds: &[Second], of: fn(&Second) -> (u32, u64)) -> Option<f64> {
    let with_tokens = seconds.iter().map(of).filter(|(tokens, _)| *tokens > 0);
    // A second with tokens had at least one call.
    let (tokens, calls) = with_tokens
        .fold((0.0, 0.0), |(sum, calls), (tokens, count)| (sum + f64::from(tokens), calls + count.max(1) as f64));
    (calls > 0.0).then(|| tokens / calls)
}

/// Number of values by which [`p99`] represents the calls of a second between its median and its 99th percentile.
const STEPS: u64 = 16;

/// Returns the 99th percentile over all seconds, in seconds, from the number of calls and the median, 99th percentile and
/// maximum of each second in milliseconds.
///
/// It is an estimate: one call took the maximum, half of the calls took the median, and the others are spread evenly between
/// median and 99th percentile.
#[allow(clippy::cast_precision_loss)]
fn p99(seconds: impl Iterator<Item = (u64, [u32; 3])>) -> Option<f64> {
    let mut all: Histogram<u64> = Histogram::new_with_max(u32::MAX.into(), 3).ok()?;
    for (count, [p50, p99, max]) in seconds.filter(|(count, _)| *count > 0) {
        let upper = count / 2;
        all.saturating_record_n(p50.into(), count - upper.max(1));
        let steps = (upper.saturating_sub(1)).min(STEPS);
        let (mut left, spread) = (upper.saturating_sub(1), u64::from(p99.saturating_sub(p50)));
        for step in 1..=steps {
            let some = left / (steps - step + 1);
            left -= some;
            all.saturating_record_n(u64::from(p50) + spread * step / steps, some);
        }
        all.saturating_record_n(max.into(), 1);
    }
    (!all.is_empty()).then(|| all.value_at_quantile(0.99) as f64 / 1000.0)
}

#[cfg(test)]
pub(super) mod tests;
