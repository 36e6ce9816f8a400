//! Remarks beside the bottleneck: failed and unfinished calls, different limits, and exhausted budgets.

use crate::{
    series::budgets::BudgetSummary,
    summary::{closed, figures::Summary, verdict::percent},
    words::{plural, utc},
};

/// Percentage of the finished calls from which on failures are mentioned.
const MIN_FAILED_PERCENT: f64 = 50.0;
/// Percentage of the calls from which on calls that did not finish are mentioned.
const MIN_UNFINISHED_PERCENT: f64 = 50.0;

/// The state of calls that a bound on waiting has rejected.
pub(super) const REJECTED: &str = "rejected by max_wait, max_queue or a deadline";

/// Returns `true` if so many calls failed that the log contains hardly any evidence on the limits of the server.
pub(super) fn is_mostly_failed(summary: &Summary) -> bool {
    summary.failed.is_some_and(|failed| failed > 0 && percent(failed, summary.finished) >= MIN_FAILED_PERCENT)
}

/// Returns the clause on summed logs with different limits; `None` if they have the same, or for a single log.
pub(super) fn limit_conflict(summary: &Summary) -> Option<String> {
    let [one, other] = summary.limit_conflict?;
    Some(format!("the logs have different limits, from {one} to {other} calls per minute: they do not share one limit"))
}

/// Returns the remark on failed calls; `None` if most calls succeeded.
pub(super) fn failed(summary: &Summary) -> Option<String> {
    let failed = summary.failed.filter(|_| is_mostly_failed(summary))?;
    let finished = plural(summary.finished, "finished call");
    Some(if failed >= summary.finished {
        format!("all {finished} failed")
    } else {
        format!("{failed} of {finished} failed")
    })
}

/// Returns the remarks on calls that did not finish, unless they are few or `verdict` contains them. Calls that were given up are
/// mentioned if `tickets` were granted and no call finished.
pub(super) fn unfinished(summary: &Summary, tickets: u64, verdict: &str) -> impl Iterator<Item = String> + use<> {
    let rejected = summary.rejected.saturating_sub(closed::rejected(summary));
    let given_up = if tickets > 0 && summary.finished == 0 { summary.given_up } else { 0 };
    let states = [
        (summary.waiting, "still queued at the end"),
        (summary.in_flight, "still in flight at the end"),
        (if verdict.contains(REJECTED) { 0 } else { rejected }, REJECTED),
        (given_up, "given up or dropped"),
    ];
    let (calls, known) = (summary.calls, summary.known_calls());
    let states = states.into_iter().filter(move |(count, _)| percent(*count, calls) >= MIN_UNFINISHED_PERCENT);
    states.map(move |(count, state)| {
        format!("{count} of {} {state}", plural(if count > calls { known } else { calls }, "call"))
    })
}

/// Returns when a daily budget was exhausted; `None` if it was not, or if the budget is not daily.
pub(super) fn exhausted(summary: &Summary, budget: &BudgetSummary) -> Option<String> {
    let at = budget.spent?;
    let amount = budget.learned.map_or_else(|| budget.limit.to_string(), |adapted| format!("{adapted:.0}"));
    let time = utc(at);
    let time = match time.split_once(' ') {
        _ if at == summary.started => "in the first second".into(),
        Some((date, time)) if utc(summary.started).starts_with(date) => {
            format!("at {} UTC", &time[..time.len().min(5)])
        }
        _ => format!("at {time} UTC"),
    };
    Some(format!("the daily budget of {amount} {} was exhausted {time}", budget.meter.unit()))
}
