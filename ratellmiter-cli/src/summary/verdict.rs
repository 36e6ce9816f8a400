//! The verdict on a run: its bottleneck, and the setting to change.

use ratellmiter_core::log::{Bottleneck, BudgetKind};

use crate::{
    series::{Second, budgets::BudgetSummary, processes::Processes},
    summary::{closed, figures::Summary},
    words::{plural, utc},
};

/// Below this number of calls there is no verdict.
const MIN_CALLS: u64 = 10;
/// Below this duration, in seconds, there is no verdict.
const MIN_SECONDS: u64 = 5;
/// Up to this number of queued calls, the queue counts as empty.
const MAX_SHORT_QUEUE: u64 = 3;
/// Percentage of the time from which on a bottleneck counts.
const MIN_PERCENT: f64 = 5.0;

/// Returns the bottleneck of a run and the setting to change, as a sentence without a full stop.
pub(super) fn verdict(summary: &Summary, seconds: &[Second]) -> String {
    let Summary { calls, duration, .. } = *summary;
    let closed = closed::sentence(summary, MIN_PERCENT);
    if calls < MIN_CALLS || duration < MIN_SECONDS {
        let verdict = format!("too little data: {} in {}", plural(calls, "call"), plural(duration, "second"));
        return [Some(verdict), closed].into_iter().flatten().collect::<Vec<_>>().join("; ");
    }
    let shares = Shares::of(seconds, duration);
    let (bottleneck, percent) = shares.largest();
    // Without another bottleneck the refusals are those that closed the limiter, and not a sign of other clients.
    let is_mainly_closed = percent < MIN_PERCENT.max(closed::percent(summary)) || bottleneck == Bottleneck::Closed;
    let (main, remark) =
        if is_mainly_closed && !has_adapted_rate(summary, seconds) { (closed, None) } else { (None, closed) };
    let (verdict, budget) = match (main, bottleneck) {
        (Some(closed), _) => (closed, None),
        (None, Bottleneck::Budget(kind)) if percent >= MIN_PERCENT => {
            (limited_by_budget(summary, kind, percent), Some(kind))
        }
        (None, Bottleneck::Server) if percent >= MIN_PERCENT => (limited_by_server(percent), None),
        _ => (limited_by_calls(summary, seconds, &shares), None),
    };
    // An exhausted daily budget is mentioned even if the run had another bottleneck.
    let others = summary.budgets.iter().filter(|other| Some(other.meter) != budget);
    let exhausted = others.filter_map(|budget| exhausted(summary, budget));
    remark.into_iter().chain(exhausted).fold(verdict, |verdict, remark| format!("{verdict}; {remark}"))
}

/// Share of the duration for which the first queued call waited for each bottleneck, in percent.
struct Shares(Vec<(Bottleneck, f64)>);

impl Shares {
    #[allow(clippy::cast_precision_loss)]
    fn of(seconds: &[Second], duration: u64) -> Self {
        let bottlenecks = [
            Bottleneck::Pause,
            Bottleneck::Closed,
            Bottleneck::InFlight,
            Bottleneck::Rate,
            Bottleneck::Ramp,
            Bottleneck::Learned,
            Bottleneck::Server,
            Bottleneck::Fleet,
            Bottleneck::Other,
        ];
        let bottlenecks = bottlenecks.into_iter().chain(BudgetKind::ALL.map(Bottleneck::Budget).into_iter().rev());
        let percent = |bottleneck: Bottleneck| {
            let limited = seconds.iter().filter(|second| second.bottleneck == Some(bottleneck)).count();
            (limited as f64 / duration as f64 * 100.0).round()
        };
        Self(bottlenecks.map(|bottleneck| (bottleneck, percent(bottleneck))).collect())
    }

    /// Returns the bottleneck with the largest share; of equal ones the later one.
    fn largest(&self) -> (Bottleneck, f64) {
        let largest = self.0.iter().max_by(|(_, one), (_, other)| one.total_cmp(other));
        largest.copied().unwrap_or((Bottleneck::Other, 0.0))
    }
}

fn limited_by_server(percent: f64) -> String {
    format!(
        "limited by the server's rate-limit headers for {percent} % of the time: its limits are lower than the configured ones, or other clients use them too"
    )
}

fn limited_by_budget(summary: &Summary, kind: BudgetKind, percent: f64) -> String {
    let budget = summary.budgets.iter().find(|budget| budget.meter == kind);
    if let Some(exhausted) = budget.and_then(|budget| exhausted(summary, budget)) {
        return format!("{exhausted}, and calls waited for it for {percent} % of the time");
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
    let limited = format!("limited by {name} for {percent} % of the time");
    // A lower max_tokens reduces neither prompts nor the number of requests.
    let depends_on_max_tokens = match kind {
        BudgetKind::TokensPerMinute | BudgetKind::OutputTokensPerMinute | BudgetKind::TokensPerDay => true,
        BudgetKind::InputTokensPerMinute | BudgetKind::RequestsPerDay | BudgetKind::Other => false,
    };
    if let Some((reserved, used)) = summary.reserved_per_call.zip(summary.used_per_call)
        && depends_on_max_tokens
        && used * 2.0 < reserved
    {
        return format!(
            "{limited}; calls reserved {reserved:.0} tokens on average and reported {used:.0} as used: lower max_tokens"
        );
    }
    match summary.refusals {
        _ if budget.is_some_and(|budget| budget.learned.is_some()) => limited,
        0 => format!("{limited}; no refusals: raise it if the account allows more"),
        _ if summary.only_overloads() => {
            format!("{limited}; all refusals were overloads: raise it if the account allows more")
        }
        refusals => format!("{limited}; {} before raising it", find_the_cause(refusals)),
    }
}

/// Returns when a daily budget was exhausted; `None` if it was not, or if the budget is not daily.
fn exhausted(summary: &Summary, budget: &BudgetSummary) -> Option<String> {
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

fn find_the_cause(refusals: u64) -> String {
    format!("{}: find the cause", plural(refusals, "refusal"))
}

/// Returns `true` if calls waited for a rate that was adapted after refusals in this run.
fn has_adapted_rate(summary: &Summary, seconds: &[Second]) -> bool {
    summary.refusals > 0 && seconds.iter().any(|second| second.bottleneck == Some(Bottleneck::Learned))
}

/// Returns the verdict on a run that was limited neither by a budget nor by the server's headers.
#[allow(clippy::cast_precision_loss)]
fn limited_by_calls(summary: &Summary, seconds: &[Second], shares: &Shares) -> String {
    let Summary { duration, refusals, line: max_queued, .. } = *summary;
    let refused = plural(refusals, "refusal");
    let Some(limit) = summary.limit else {
        return if refusals == 0 && max_queued <= MAX_SHORT_QUEUE {
            not_limited(max_queued)
        } else {
            format!("the log does not contain the limit; {refused}")
        };
    };
    if has_adapted_rate(summary, seconds) {
        let rate = rate_at_refusal(seconds);
        if summary.processes.is_some_and(Processes::is_part) {
            return format!(
                "the server refused calls at {rate:.1} per second from these processes alone: sum the logs of all processes to find the limit"
            );
        }
        return format!("the server refused calls at {rate:.1} per second: set {} per minute", suggested_limit(rate));
    }
    let (bottleneck, percent) = shares.largest();
    let queued_seconds = seconds.iter().filter(|second| second.queued() > MAX_SHORT_QUEUE).count();
    let queued_percent = queued_seconds as f64 / duration as f64 * 100.0;
    if percent < MIN_PERCENT && queued_percent >= MIN_PERCENT {
        return format!(
            "calls were queued for {queued_percent:.0} % of the time, up to {max_queued} at once, for a reason not in the log; {refused}"
        );
    }
    let hardly_limited = max_queued <= MAX_SHORT_QUEUE || percent < MIN_PERCENT;
    let rejected = summary.rejected.saturating_sub(closed::rejected(summary));
    if hardly_limited && refusals == 0 && rejected > 0 {
        return format!(
            "{rejected} of {} were rejected by max_wait, max_queue or a deadline: raise the limit or the allowed wait",
            plural(summary.calls, "call")
        );
    }
    if max_queued > MAX_SHORT_QUEUE && percent < MIN_PERCENT && refusals == 0 {
        return format!(
            "up to {max_queued} calls were queued, for less than 5 % of the time: the limit is rarely the bottleneck"
        );
    }
    if hardly_limited {
        return match refusals {
            0 => not_limited(max_queued),
            _ => format!(
                "{refused}, although {} and the limit is rarely the bottleneck: other clients use the same limit",
                queue_text(max_queued)
            ),
        };
    }
    limited_by(summary, seconds, bottleneck, percent, limit)
}

/// Returns the verdict for the `bottleneck` that limited a run for `percent` of the time. `limit` is in calls per minute.
fn limited_by(summary: &Summary, seconds: &[Second], bottleneck: Bottleneck, percent: f64, limit: f64) -> String {
    let refusals = summary.refusals;
    let only_overloads = summary.only_overloads();
    let is_clean = refusals == 0 || only_overloads;
    let cause = find_the_cause(refusals);
    // The Python package rounds the limit to whole calls per second, so that it may differ from the configured one.
    let configured = if summary.overloaded.is_some() { "the configured" } else { "the" };
    let paced = format!("limited by {configured} {limit} calls per minute for {percent} % of the time");
    match bottleneck {
        Bottleneck::Rate if refusals == 0 => format!("{paced}; no refusals: the limit can be raised"),
        Bottleneck::Rate if only_overloads => {
            format!("{paced}; all refusals were overloads: the limit can be raised")
        }
        Bottleneck::Rate => format!("{paced}; {cause} before raising the limit"),
        Bottleneck::Learned => format!(
            "limited by the rate adapted after earlier refusals for {percent} % of the time, below the configured {limit} calls per minute"
        ),
        Bottleneck::InFlight => {
            let max = seconds.iter().map(|second| second.in_flight).max().unwrap_or(0);
            let limited = format!("limited by {max} calls in flight for {percent} % of the time");
            if is_clean {
                format!("{limited}: allow more of them, or request shorter answers")
            } else {
                format!("{limited}; {cause} before allowing more")
            }
        }
        Bottleneck::Ramp if is_clean => format!(
            "limited by the ramp for {percent} % of the time: demand comes in bursts; set burst_window or a steeper ramp"
        ),
        Bottleneck::Ramp => {
            format!("limited by the ramp for {percent} % of the time; {cause} before making it steeper")
        }
        Bottleneck::Server => limited_by_server(percent),
        Bottleneck::Fleet => format!("waited for Redis for {percent} % of the time"),
        Bottleneck::Closed => format!("calls waited for the closed limiter for {percent} % of the time"),
        Bottleneck::Budget(_) | Bottleneck::Other => {
            format!("limited for {percent} % of the time by a bottleneck that this version does not know")
        }
        Bottleneck::Pause if refusals == 0 => {
            format!("paused for {percent} % of the time by refusals that are not in this log")
        }
        Bottleneck::Pause if only_overloads => {
            format!("paused for {percent} % of the time while the server was overloaded")
        }
        Bottleneck::Pause => format!(
            "paused for {percent} % of the time after {}: the server's limit is lower than configured, or other clients use it too",
            plural(refusals, "refusal")
        ),
    }
}

fn not_limited(max_queued: u64) -> String {
    format!("{}: the limit is not the bottleneck", queue_text(max_queued))
}

fn queue_text(max_queued: u64) -> String {
    match max_queued {
        0 => "no call was queued".into(),
        1 => "at most 1 call was queued".into(),
        _ => format!("at most {max_queued} calls were queued"),
    }
}

/// Returns the rate that the server accepted before the last refusal caused by the rate, in calls per second.
///
/// Averaged over at most 20 seconds, so that a burst the server lets through hardly counts. The last refusal is used because the
/// ramp is over by then.
#[allow(clippy::cast_precision_loss)]
fn rate_at_refusal(seconds: &[Second]) -> f64 {
    const WINDOW_SECONDS: usize = 20;
    let is_refused = |second: &Second| second.refused() > 0;
    // A refusal during a pause is that of a canary.
    let starts_pause = |at: usize| is_refused(&seconds[at]) && (at == 0 || !seconds[at - 1].is_paused());
    let last = (0..seconds.len()).rev().find(|at| starts_pause(*at));
    let last = last.or_else(|| seconds.iter().rposition(is_refused)).unwrap_or(0);
    // A slow refusal arrives in a second in which no call is sent: the calls before the pause count.
    let is_flowing = |second: &Second| second.issued() > 0 && !is_refused(second) && !second.is_paused();
    let last = if seconds.get(last).is_some_and(|second| second.issued() > 0) {
        last
    } else {
        seconds[..last].iter().rposition(is_flowing).unwrap_or(last)
    };
    let before = seconds[..last].iter().rev().take_while(|second| !is_refused(second) && !second.is_paused());
    let window: Vec<_> = seconds[last..=last].iter().chain(before.take(WINDOW_SECONDS - 1)).collect();
    let accepted: u64 = window.iter().map(|second| second.issued().saturating_sub(second.refused())).sum();
    // Rounded to the printed digits, so that the suggested limit matches the printed rate.
    (accepted as f64 / window.len() as f64 * 10.0).floor() / 10.0
}

/// Returns a rate in calls per minute, rounded down to a round number of at least 1.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
fn suggested_limit(per_second: f64) -> u64 {
    let per_minute = per_second * 60.0 + 1e-6;
    let step = match per_minute {
        ..20.0 => 1.0,
        ..200.0 => 5.0,
        ..2000.0 => 10.0,
        _ => 100.0,
    };
    ((per_minute / step).floor() * step).max(1.0) as u64
}

#[cfg(test)]
mod tests;
