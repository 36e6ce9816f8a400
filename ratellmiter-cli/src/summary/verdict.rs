//! The verdict on a run: its bottleneck, and the setting to change if the rows support it.

mod headline;
mod refusals;
mod remarks;
mod stretches;
mod waiting;

pub(crate) use headline::headline;
use ratellmiter_core::log::{Bottleneck, BudgetKind};

use crate::{
    series::{Second, Series, budgets::BudgetSummary, processes::Processes},
    summary::{
        closed,
        figures::Summary,
        verdict::{
            refusals::{Refusals, decimal},
            remarks::{REJECTED, exhausted, failed, is_mostly_failed, limit_conflict, unfinished},
            waiting::{MIN_PERCENT, Waiting},
        },
    },
    words::{duration, plural},
};

/// Below this number of calls there is no verdict.
const MIN_CALLS: u64 = 10;
/// Below this duration, in seconds, there is no verdict.
const MIN_SECONDS: u64 = 5;
/// Largest number of configured rates that are listed if they changed.
const MAX_LIMITS: usize = 3;
/// Returns the bottleneck of a run and the setting to change, as a sentence without a full stop.
pub(super) fn verdict(summary: &Summary, series: &Series) -> String {
    let seconds = series.seconds();
    let Summary { calls, duration, .. } = *summary;
    let closed = closed::sentence(summary, MIN_PERCENT);
    if calls < MIN_CALLS || duration < MIN_SECONDS {
        let verdict = format!("too little data: {} in {}", plural(calls, "call"), in_words(duration));
        return [Some(verdict), closed].into_iter().flatten().collect::<Vec<_>>().join("; ");
    }
    let run = Run::of(summary, series);
    let (bottleneck, percent) = run.waiting.largest();
    // Without another bottleneck the refusals are those that closed the limiter, and not a sign of other clients.
    let is_mainly_closed = !run.is_limited()
        || percent * run.waiting.calls / 100.0 < closed_percent(summary)
        || bottleneck == Bottleneck::Closed;
    let (main, remark) =
        if is_mainly_closed && run.suggested_limit().is_none() { (closed, None) } else { (None, closed) };
    let (verdict, budget) = match (main, bottleneck) {
        (Some(closed), _) => (closed, None),
        (None, Bottleneck::Budget(kind)) if run.is_limited() => (run.limited_by_budget(kind, percent), Some(kind)),
        (None, Bottleneck::Server) if run.is_limited() => (limited_by_server(percent), None),
        _ => (run.limited_by_calls(), None),
    };
    let tickets = seconds.iter().map(Second::issued).fold(0, u64::saturating_add);
    // An exhausted daily budget is mentioned even if the run had another bottleneck.
    let others = summary.budgets.iter().filter(|other| Some(other.meter) != budget);
    let exhausted = others.filter_map(|budget| exhausted(summary, budget));
    let conflict = limit_conflict(summary).filter(|conflict| !verdict.starts_with(conflict.as_str()));
    let remarks = [conflict, failed(summary), remark]
        .into_iter()
        .flatten()
        .chain(unfinished(summary, tickets, &verdict))
        .chain(exhausted);
    remarks.fold(verdict, |verdict, remark| format!("{verdict}; {remark}"))
}

/// Returns the percentage of the time or of the calls, whichever is larger, for which the limiter was closed.
fn closed_percent(summary: &Summary) -> f64 {
    closed::percent(summary).max(percent(closed::rejected(summary), summary.calls))
}

#[allow(clippy::cast_precision_loss)] // Counts of a log.
fn percent(part: u64, whole: u64) -> f64 {
    part as f64 / whole.max(1) as f64 * 100.0
}

/// A run with enough data for a verdict.
struct Run<'a> {
    summary: &'a Summary,
    seconds: &'a [Second],
    waiting: Waiting,
    refusals: Refusals,
    /// `true` if calls waited for an adapted rate.
    has_adapted_rate: bool,
}

impl<'a> Run<'a> {
    fn of(summary: &'a Summary, series: &'a Series) -> Self {
        let seconds = series.seconds();
        Self {
            summary,
            seconds,
            waiting: Waiting::of(series),
            refusals: Refusals::of(summary, seconds),
            has_adapted_rate: seconds.iter().any(|second| second.bottleneck == Some(Bottleneck::Learned)),
        }
    }
}

impl Run<'_> {
    /// Returns `true` if calls waited for a notable time, and for a known bottleneck.
    fn is_limited(&self) -> bool {
        self.waiting.is_notable() && self.waiting.largest().1 >= MIN_PERCENT
    }

    /// Returns the rate of the refused calls in calls per second and the limit in calls per minute that they suggest; `None` if
    /// the rows support no lower limit.
    fn suggested_limit(&self) -> Option<(f64, u64)> {
        match self.refusals {
            Refusals::Limit { rate, per_minute, .. } if self.has_adapted_rate => Some((rate, per_minute)),
            _ => None,
        }
    }

    fn limited_by_budget(&self, kind: BudgetKind, percent: f64) -> String {
        let summary = self.summary;
        let budget = summary.budgets.iter().find(|budget| budget.meter == kind);
        if let Some(exhausted) = budget.and_then(|budget| exhausted(summary, budget)) {
            return format!("{exhausted}, and calls waited for it for {percent} % of the waiting time");
        }
        let name = match budget {
            Some(BudgetSummary { learned: Some(adapted), limit, .. }) => format!(
                "the adapted budget of {adapted:.0} {} per {}, below the configured {limit},",
                kind.unit(),
                kind.period()
            ),
            Some(budget) => format!("the budget of {}", budget.name()),
            None => format!("the budget of {} per {}", kind.unit(), kind.period()),
        };
        let limited = format!("limited by {name} for {percent} % of the waiting time");
        // A lower max_tokens reduces neither prompts nor the number of requests.
        let depends_on_max_tokens = match kind {
            BudgetKind::TokensPerMinute | BudgetKind::OutputTokensPerMinute | BudgetKind::TokensPerDay => true,
            BudgetKind::InputTokensPerMinute | BudgetKind::RequestsPerDay | BudgetKind::Other => false,
        };
        if let Some((reserved, used)) = summary.reserved_per_call.zip(summary.used_per_call)
            && depends_on_max_tokens
            && used * 2.0 < reserved
            && has_usage(self.seconds)
        {
            return format!(
                "{limited}; calls reserved {reserved:.0} tokens on average and reported {used:.0} as used: lower max_tokens"
            );
        }
        if budget.is_some_and(|budget| budget.learned.is_some()) {
            return limited;
        }
        format!("{limited}; {}", self.refusals.clause_on_budget(summary, "raising it"))
    }

    /// Returns the verdict on a run that was limited neither by a budget nor by the server's headers.
    fn limited_by_calls(&self) -> String {
        let Self { summary, waiting, .. } = self;
        let Summary { refusals, line: max_queued, calls, .. } = **summary;
        let refused = plural(refusals, if self.refusals == Refusals::Overloads { "overload" } else { "refusal" });
        let is_idle = max_queued == 0 && waiting.calls <= 0.0;
        let Some(limit) = summary.limit else {
            return match refusals {
                0 if is_idle => not_limited(),
                _ if self.is_limited() && summary.limit_conflict.is_none() && !is_of_rate(waiting.largest().0) => {
                    let (bottleneck, percent) = waiting.largest();
                    self.limited_by(bottleneck, percent, f64::NAN)
                }
                _ => {
                    let cause = limit_conflict(summary).unwrap_or_else(|| "the log does not contain the limit".into());
                    format!("{cause}; {refused}")
                }
            };
        };
        if let Some((rate, per_minute)) = self.suggested_limit() {
            let rate = decimal(rate);
            if summary.processes.is_some_and(Processes::is_part) {
                return format!(
                    "the server refused calls at {rate} per second from these processes alone: sum the logs of all processes to find the limit"
                );
            }
            let most = self
                .refusals
                .most_accepted()
                .map_or_else(String::new, |calls| format!(" and accepted at most {calls} in a minute"));
            return format!("the server refused calls at {rate} per second{most}: set {per_minute} per minute");
        }
        if self.is_limited() {
            let (bottleneck, percent) = waiting.largest();
            return self.limited_by(bottleneck, percent, limit);
        }
        if waiting.is_notable() {
            let at_once = match max_queued {
                0 => "none of them at the end of a second".into(),
                _ => format!("up to {max_queued} at once"),
            };
            return format!(
                "{:.0} % of the calls waited, {at_once}, for a reason not in the log; {refused}",
                waiting.calls
            );
        }
        let rejected = summary.rejected.saturating_sub(closed::rejected(summary));
        if refusals == 0 && rejected > 0 {
            return format!("{rejected} of {} were {REJECTED}", plural(calls, "call"));
        }
        match refusals {
            0 if is_idle => not_limited(),
            0 => format!("{}, {}: the limit is rarely the bottleneck", queue_text(max_queued), self.extent()),
            _ if is_idle => format!("{refused} in {}, although no call was queued", plural(calls, "call")),
            _ => format!(
                "{refused} in {}, although {}, {}",
                plural(calls, "call"),
                queue_text(max_queued),
                self.extent()
            ),
        }
    }

    /// Returns the extent of waits that are not notable.
    fn extent(&self) -> &'static str {
        if self.waiting.calls < MIN_PERCENT {
            "and less than 5 % of the calls waited"
        } else {
            "and calls waited for less than 5 % of the time that they took"
        }
    }

    /// Returns the verdict for the `bottleneck` that caused `percent` of the waiting time. `limit` is in calls per minute.
    fn limited_by(&self, bottleneck: Bottleneck, percent: f64, limit: f64) -> String {
        let Self { summary, seconds, refusals, .. } = self;
        let is_clean = matches!(refusals, Refusals::None { .. } | Refusals::Overloads) && !is_mostly_failed(summary);
        let time = format!("for {percent} % of the waiting time");
        match bottleneck {
            Bottleneck::Rate => match refusals {
                Refusals::None { is_full: true } if is_constant(seconds) => {
                    format!("{}; no refusals: the server's limit is not lower", self.limited_by_rate(&time, limit))
                }
                _ => format!("{}; {}", self.limited_by_rate(&time, limit), refusals.clause("raising the limit")),
            },
            Bottleneck::Learned => {
                let adapted = format!(
                    "limited by the rate adapted after earlier refusals {time}, below the configured {limit} calls per minute"
                );
                if summary.refusals == 0 {
                    adapted
                } else {
                    format!("{adapted}; {}", refusals.clause("raising the limit"))
                }
            }
            Bottleneck::InFlight => {
                let limited = seconds.iter().filter(|second| second.bottleneck == Some(bottleneck));
                let max = limited.map(|second| second.in_flight).max().unwrap_or(0);
                let clause = refusals.clause("allowing more");
                if let Some(adapted) = Waiting::adapted_in_flight(seconds) {
                    let limited =
                        format!("limited by {adapted} calls in flight, a limit adapted after earlier refusals, {time}");
                    return if summary.refusals == 0 { limited } else { format!("{limited}; {clause}") };
                }
                let remedy = ": shorter answers, or more calls in flight if the server accepts them, shorten the wait";
                let limit = match max {
                    0 => "the calls in flight".into(),
                    _ => format!("{max} calls in flight"),
                };
                format!("limited by {limit} {time}; {clause}{}", if is_clean { remedy } else { "" })
            }
            Bottleneck::Ramp => {
                let clause = refusals.clause("making it steeper");
                let remedy = ": a steeper ramp or burst_window shortens the wait if the server accepts bursts";
                format!("limited by the ramp {time}; {clause}{}", if is_clean { remedy } else { "" })
            }
            Bottleneck::Server => limited_by_server(percent),
            Bottleneck::Fleet => format!("waited for Redis {time}"),
            Bottleneck::Closed => format!("calls waited for the closed limiter {time}"),
            Bottleneck::Budget(_) | Bottleneck::Other => {
                format!("limited {time} by a bottleneck that this version does not know")
            }
            Bottleneck::Pause => match refusals {
                Refusals::None { .. } => match summary.transient.saturating_add(summary.failed.unwrap_or(0)) {
                    failures @ 1.. if summary.processes.is_none() => {
                        format!("paused {time} after {}", plural(failures, "failed attempt"))
                    }
                    _ => format!("paused {time} by refusals that are not in this log"),
                },
                Refusals::Overloads => format!("paused {time} while the server was overloaded"),
                Refusals::Contradicted { .. } => format!("paused {time}; {}", refusals.clause("raising the limit")),
                _ => format!("paused {time} after {}", plural(summary.refusals, "refusal")),
            },
        }
    }

    /// Returns the part of a verdict on the configured rate, with each rate for which calls waited if it changed.
    fn limited_by_rate(&self, time: &str, limit: f64) -> String {
        // The Python package rounds the limit to whole calls per second, so that it may differ from the configured one.
        let configured = if self.summary.overloaded.is_some() { "the configured" } else { "the" };
        let mut limits: Vec<_> = self.waiting.limits().collect();
        limits.sort_by(|(_, one), (_, other)| other.total_cmp(one));
        match limits[..] {
            [] => format!("limited by {configured} {limit} calls per minute {time}"),
            [(only, _)] if is_constant(self.seconds) => {
                format!("limited by {configured} {only} calls per minute {time}")
            }
            _ => {
                let shares: Vec<_> =
                    limits.iter().take(MAX_LIMITS).map(|(limit, percent)| format!("{limit} for {percent} %")).collect();
                let others = if limits.len() > MAX_LIMITS { " and others" } else { "" };
                format!(
                    "limited by {configured} calls per minute, which changed in the run, {time}: {}{others}",
                    shares.join(", ")
                )
            }
        }
    }
}

/// Returns `true` for the bottlenecks whose verdict contains the configured rate.
fn is_of_rate(bottleneck: Bottleneck) -> bool {
    matches!(bottleneck, Bottleneck::Rate | Bottleneck::Learned)
}

fn limited_by_server(percent: f64) -> String {
    format!(
        "limited by the server's rate-limit headers for {percent} % of the waiting time: they left less than the configured limits"
    )
}

/// Returns a short duration in words, and others as everywhere.
fn in_words(seconds: u64) -> String {
    if seconds < 60 { plural(seconds, "second") } else { duration(seconds) }
}

/// Returns `true` if most successful calls ended in seconds with a usage, so that it is that of most calls.
fn has_usage(seconds: &[Second]) -> bool {
    let successful = |second: &Second| u128::from(second.finished().saturating_sub(second.failed));
    let sum = |sum: u128, second: &Second| sum.saturating_add(successful(second));
    let with_usage = seconds.iter().filter(|second| second.used_tokens > 0).fold(0, sum);
    with_usage.saturating_mul(2) > seconds.iter().fold(0, sum)
}

/// Returns `true` if the configured rate is the same in all rows that contain it.
fn is_constant(seconds: &[Second]) -> bool {
    let mut limits = seconds.iter().map(|second| second.limit).filter(|limit| limit.is_finite());
    let first = limits.next();
    limits.all(|limit| first.is_none_or(|first| (first - limit).abs() * 60.0 < 0.5))
}

fn not_limited() -> String {
    "no call was queued: the limit is not the bottleneck".into()
}

fn queue_text(max_queued: u64) -> String {
    match max_queued {
        0 => "no call was queued at the end of a second".into(),
        1 => "at most 1 call was queued".into(),
        _ => format!("at most {max_queued} calls were queued"),
    }
}

#[cfg(test)]
mod tests;
