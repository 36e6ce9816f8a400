//! What a run came to, in figures and in one sentence.

pub(crate) mod check;
pub(crate) mod render;

use hdrhistogram::Histogram;
use ratellmiter_core::log::{Bottleneck, BudgetKind};
use serde::Serialize;

use crate::{
    series::{
        Second, Series,
        budgets::{Filled, counts, per},
        processes::Processes,
    },
    summary::render::when,
};

/// One model's run. Times are seconds.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Summary {
    pub(crate) model: String,
    /// Since the epoch.
    pub(crate) started: u64,
    /// From the first second in which something happened to the last.
    pub(crate) duration: u64,
    pub(crate) calls: u64,
    pub(crate) finished: u64,
    /// Of those, the ones that ended with an error of their own; `None` in logs that do not tell.
    pub(crate) failed: Option<u64>,
    /// Told that they would wait too long.
    pub(crate) turned_away: u64,
    /// Neither ended, nor turned away, nor out, nor waiting at the end: dropped, or given up after refusals.
    pub(crate) given_up: u64,
    pub(crate) refusals: u64,
    /// Of those, the ones that were the server's overload; `None` in logs that do not tell.
    pub(crate) overloaded: Option<u64>,
    pub(crate) refusals_per_call: f64,
    pub(crate) pauses: u64,
    pub(crate) paused: u64,
    /// The longest line.
    pub(crate) line: u64,
    /// By the length of the line, second by second, for each call.
    pub(crate) wait_mean: Option<f64>,
    pub(crate) wait_p99: Option<f64>,
    pub(crate) call_p99: Option<f64>,
    /// The configured calls a minute, and the least time that so many tickets take at that rate.
    pub(crate) limit: Option<f64>,
    pub(crate) physical: Option<f64>,
    /// Calls out, over the time, and at most; `None` in logs that do not tell.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) in_flight_mean: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) in_flight_most: Option<u32>,
    /// Tokens in and out; `None` in logs that do not tell of any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) reserved_tokens: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) used_tokens: Option<u64>,
    /// What a ticket reserved, and what a call used that ended without an error of its own: in the seconds that tell.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) reserved_per_call: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) used_per_call: Option<f64>,
    /// The share that was used of a minute's budget of tokens in and out, in the time in which anything was going on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) used_share: Option<f64>,
    /// How much of the fullest budget was taken, as a share: in the mean of all rows, and at most.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) budget_mean: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) budget_peak: Option<f64>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) budgets: Vec<Filled>,
    /// Where processes shared the limiter.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) processes: Option<Processes>,
    pub(crate) verdict: String,
}

impl Summary {
    #[allow(clippy::cast_precision_loss)]
    pub(crate) fn of(model: &str, series: &Series) -> Self {
        let seconds = series.seconds();
        let sum = |of: fn(&Second) -> u64| seconds.iter().map(of).fold(0, u64::saturating_add);
        let (calls, issued) = (series.calls(), sum(|second| second.counts[1]));
        let (refusals, finished) = (series.refusals(), sum(|second| second.counts[3]));
        let waited = sum(|second| second.counts[4]);
        let tells = seconds.iter().any(|second| second.measured);
        let still_there = seconds.last().map_or(0, |last| u64::from(last.in_flight).saturating_add(last.counts[4]));
        let limit = seconds.iter().rev().map(|second| second.limit).find(|limit| limit.is_finite());
        let pauses = series.pauses();
        let (busy, out) = busy(seconds);
        let tokens = |of: fn(&Second) -> u32| {
            let all = seconds.iter().fold(0, |sum: u64, second| sum.saturating_add(of(second).into()));
            Some(all).filter(|_| series.tells_tokens())
        };
        let (reserved, used) = (tokens(|second| second.reserved), tokens(|second| second.used));
        let budgets = series.budgets().filled();
        let fullest = |of: fn(&Filled) -> f64| budgets.iter().map(of).reduce(f64::max);
        let turned_away = sum(|second| second.rejected.into());
        let mut summary = Self {
            model: model.to_owned(),
            started: series.start(),
            duration: series.length(),
            calls,
            finished,
            failed: tells.then(|| sum(|second| second.failed)),
            turned_away,
            given_up: if tells { calls.saturating_sub(finished + turned_away).saturating_sub(still_there) } else { 0 },
            refusals,
            overloaded: tells.then(|| sum(|second| second.overloaded.into())),
            refusals_per_call: refusals as f64 / calls.max(1) as f64,
            pauses: pauses.len() as u64,
            paused: pauses.iter().map(|(from, to)| to - from + 1).sum(),
            line: seconds.iter().map(|second| second.counts[4]).max().unwrap_or(0),
            wait_mean: (calls > 0).then(|| waited as f64 / calls as f64),
            wait_p99: quantile(seconds.iter().map(|second| (second.counts[1], second.waits))).filter(|_| tells),
            call_p99: quantile(seconds.iter().map(|second| (second.counts[3], second.calls))).filter(|_| tells),
            limit: limit.map(|limit| (f64::from(limit) * 60.0).round()),
            physical: limit
                .filter(|limit| *limit > 0.0)
                .map(|limit| issued.saturating_sub(1) as f64 / f64::from(limit)),
            in_flight_mean: (tells && !seconds.is_empty()).then(|| out as f64 / series.length() as f64),
            in_flight_most: seconds.iter().map(|second| second.in_flight).max().filter(|_| tells),
            reserved_tokens: reserved,
            used_tokens: used,
            reserved_per_call: per_call(seconds, |second| (second.reserved, second.counts[1])),
            used_per_call: per_call(seconds, |second| (second.used, second.counts[3].saturating_sub(second.failed))),
            used_share: budgets
                .iter()
                .find(|budget| budget.meter == BudgetKind::TokensPerMinute && busy >= 60)
                .zip(used.filter(|used| *used > 0))
                .map(|(budget, used)| used as f64 * 60.0 / (budget.limit.max(1) as f64 * busy as f64)),
            budget_mean: fullest(|budget| budget.mean),
            budget_peak: fullest(|budget| budget.peak),
            budgets,
            processes: Processes::of(series),
            verdict: String::new(),
        };
        let remarks = summary.processes.into_iter().flat_map(Processes::remarks);
        summary.verdict = remarks.fold(verdict(&summary, seconds), |said, remark| format!("{said}; {remark}"));
        summary
    }
}

/// In how many seconds something happened, was out or waited, and the calls that were out in each of them, summed up. Between
/// rows calls stay out.
fn busy(seconds: &[Second]) -> (u64, u128) {
    let ends =
        seconds.iter().skip(1).map(|second| second.at).chain(seconds.last().map(|last| last.at.saturating_add(1)));
    seconds.iter().zip(ends).fold((0, 0), |(busy, out), (second, end)| {
        let lasted = if second.in_flight > 0 { end - second.at } else { 1 };
        (busy.saturating_add(lasted), out + u128::from(second.in_flight) * u128::from(lasted))
    })
}

/// Tokens by calls, in the seconds that tell of tokens.
#[allow(clippy::cast_precision_loss)]
fn per_call(seconds: &[Second], of: fn(&Second) -> (u32, u64)) -> Option<f64> {
    let told = seconds.iter().map(of).filter(|(tokens, _)| *tokens > 0);
    // Where there are tokens there was a call.
    let (tokens, calls) =
        told.fold((0.0, 0.0), |(all, calls), (tokens, count)| (all + f64::from(tokens), calls + count.max(1) as f64));
    (calls > 0.0).then(|| tokens / calls)
}

/// The 99th percentile of all, in seconds, estimated from what is known of each second: one call was the longest, half
/// were at most the median, and the others lie between the median and the 99th percentile.
#[allow(clippy::cast_precision_loss)]
fn quantile(seconds: impl Iterator<Item = (u64, [u32; 3])>) -> Option<f64> {
    let mut all: Histogram<u64> = Histogram::new_with_max(u32::MAX.into(), 3).ok()?;
    for (count, [p50, p99, max]) in seconds.filter(|(count, _)| *count > 0) {
        let upper = count / 2;
        all.saturating_record_n(p50.into(), count - upper.max(1));
        // The upper half but the longest in equal steps; more than a few of them change nothing.
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

/// Into how many steps the calls between median and 99th percentile of a second are laid.
const STEPS: u64 = 16;

/// Fewer calls or seconds say nothing.
const FEW_CALLS: u64 = 10;
const FEW_SECONDS: u64 = 5;
/// A line that was never longer is none.
const SHORT_LINE: u64 = 3;

/// What bound the run, and what would help.
fn verdict(summary: &Summary, seconds: &[Second]) -> String {
    let Summary { calls, duration, .. } = *summary;
    if calls < FEW_CALLS || duration < FEW_SECONDS {
        return format!("too little data: {} in {}", counted(calls, "call"), counted(duration, "second"));
    }
    let shares = Shares::of(seconds, duration);
    let (held, part) = shares.most();
    let of_budget = METERS.iter().find(|(_, of)| *of == held).filter(|_| part >= 5.0);
    let (bound, meter) = match of_budget {
        Some((meter, _)) => (bound_by_budget(summary, *meter, part), Some(*meter)),
        None if held == Bottleneck::Server && part >= 5.0 => (bound_by_server(part), None),
        None => (bound_by_calls(summary, seconds, &shares), None),
    };
    // A day that was spent is worth telling, whatever bound the time before.
    let others = summary.budgets.iter().filter(|budget| Some(budget.meter) != meter);
    others.filter_map(|budget| spent(summary, budget)).fold(bound, |said, spent| format!("{said}; {spent}"))
}

/// For what part of the time the first in the line waited for what, in percent.
struct Shares(Vec<(Bottleneck, f64)>);

impl Shares {
    #[allow(clippy::cast_precision_loss)]
    fn of(seconds: &[Second], duration: u64) -> Self {
        let calls = [
            Bottleneck::Pause,
            Bottleneck::InFlight,
            Bottleneck::Rate,
            Bottleneck::Ramp,
            Bottleneck::Learned,
            Bottleneck::Server,
        ];
        let reasons = calls.into_iter().chain([Bottleneck::Fleet, Bottleneck::Other]);
        let reasons = reasons.chain(METERS.map(|(_, held)| held));
        let share = |held: Bottleneck| {
            let held = seconds.iter().filter(|second| second.held == Some(held)).count();
            (held as f64 / duration as f64 * 100.0).round()
        };
        Self(reasons.map(|held| (held, share(held))).collect())
    }

    /// Of two that are alike the later one.
    fn most(&self) -> (Bottleneck, f64) {
        let most = self.0.iter().max_by(|(_, one), (_, other)| one.total_cmp(other));
        most.copied().unwrap_or((Bottleneck::Other, 0.0))
    }
}

/// What holds the line back when a budget does.
const METERS: [(BudgetKind, Bottleneck); 5] = [
    (BudgetKind::TokensPerDay, Bottleneck::TokensPerDay),
    (BudgetKind::RequestsPerDay, Bottleneck::RequestsPerDay),
    (BudgetKind::InputTokensPerMinute, Bottleneck::InputTokensPerMinute),
    (BudgetKind::OutputTokensPerMinute, Bottleneck::OutputTokensPerMinute),
    (BudgetKind::TokensPerMinute, Bottleneck::TokensPerMinute),
];

fn bound_by_server(part: f64) -> String {
    format!(
        "bound for {part} % of the time by what the server's headers said: its limits are lower than what is configured, or others use them too"
    )
}

fn bound_by_budget(summary: &Summary, meter: BudgetKind, part: f64) -> String {
    let budget = summary.budgets.iter().find(|budget| budget.meter == meter);
    if let Some(spent) = budget.and_then(|budget| spent(summary, budget)) {
        return format!("{spent}, and calls waited for more for {part} % of the time");
    }
    let name = match budget {
        Some(budget @ Filled { learned: Some(learned), .. }) => {
            format!(
                "the {learned:.0} {} a {} that were learned, below the configured {},",
                counts(meter),
                per(meter),
                budget.limit
            )
        }
        Some(budget) => format!("the budget of {}", budget.name()),
        None => format!("the budget of {} a {}", counts(meter), per(meter)),
    };
    let bound = format!("bound by {name} for {part} % of the time");
    // A lower max_tokens does nothing for prompts, nor for a count of calls.
    let by_answers =
        matches!(meter, BudgetKind::TokensPerMinute | BudgetKind::OutputTokensPerMinute | BudgetKind::TokensPerDay);
    if let Some((reserved, used)) = summary.reserved_per_call.zip(summary.used_per_call)
        && by_answers
        && used * 2.0 < reserved
    {
        return format!(
            "{bound}; a call reserved {reserved:.0} tokens and used {used:.0}, as far as calls told: lower max_tokens"
        );
    }
    match summary.refusals {
        _ if budget.is_some_and(|budget| budget.learned.is_some()) => bound,
        0 => format!("{bound}; refusals 0: raise it if the account has more"),
        _ if summary.only_overloads() => {
            format!("{bound}; refused only while the server was overloaded: raise it if the account has more")
        }
        refusals => format!("{bound}; {} before raising it", find_out_why(refusals)),
    }
}

/// When all of a day's budget was taken, if it was.
fn spent(summary: &Summary, budget: &Filled) -> Option<String> {
    let at = budget.spent?;
    let all = budget.learned.map_or_else(|| budget.limit.to_string(), |learned| format!("{learned:.0}"));
    let time = when(at);
    // The date where it is another day's.
    let time = match time.split_once(' ') {
        _ if at == summary.started => "by the end of the first second".into(),
        Some((date, time)) if when(summary.started).starts_with(date) => {
            format!("at {} UTC", &time[..time.len().min(5)])
        }
        _ => format!("at {time} UTC"),
    };
    Some(format!("the day's {all} {} were spent {time}", counts(budget.meter)))
}

fn find_out_why(refusals: u64) -> String {
    format!("{} came back refused: find out why", counted(refusals, "call"))
}

impl Summary {
    /// Whether the limits are not at fault for any of the refusals.
    fn only_overloads(&self) -> bool {
        self.overloaded == Some(self.refusals)
    }
}

/// The verdict where no budget bound the run.
#[allow(clippy::cast_precision_loss)]
fn bound_by_calls(summary: &Summary, seconds: &[Second], shares: &Shares) -> String {
    let Summary { duration, refusals, line, .. } = *summary;
    let busy = summary.only_overloads();
    let refused = || find_out_why(refusals);
    let Some(limit) = summary.limit else {
        return if refusals == 0 && line <= SHORT_LINE {
            format!("the line was never longer than {line}: the limit does not bind")
        } else {
            format!("this log does not tell the limit; {} came back refused", counted(refusals, "call"))
        };
    };
    // The Python package keeps whole tickets a second, whatever is configured.
    let paced = if summary.overloaded.is_some() { format!("configured {limit}") } else { limit.to_string() };
    if refusals > 0 && seconds.iter().any(|second| second.held == Some(Bottleneck::Learned)) {
        let at = refused_at(seconds);
        if summary.processes.is_some_and(Processes::is_part) {
            return format!("the server refused while {at:.1}/s went from here: sum all logs to see what to set");
        }
        return format!("the server refused from {at:.1}/s on: set {} a minute", suggested(at));
    }
    let (held, part) = shares.most();
    let waited = seconds.iter().filter(|second| second.counts[4] > SHORT_LINE).count() as f64 / duration as f64 * 100.0;
    if part < 5.0 && waited >= 5.0 {
        return format!(
            "calls waited for {:.0} % of the time, {line} at most, and the log does not tell what for; {} came back refused",
            waited,
            counted(refusals, "call")
        );
    }
    let hardly = line <= SHORT_LINE || part < 5.0;
    if hardly && refusals == 0 && summary.turned_away > 0 {
        return format!(
            "{} of {} turned away, which would have waited for longer than they may: raise the limit, or how long they wait",
            summary.turned_away,
            counted(summary.calls, "call")
        );
    }
    if line > SHORT_LINE && part < 5.0 && refusals == 0 {
        return format!(
            "the line was {line} long at most, and waited for less than 5 % of the time: the limit hardly binds"
        );
    }
    if hardly {
        return match refusals {
            0 => format!("the line was never longer than {line}: the limit does not bind"),
            _ => format!(
                "{} refused, though the limit hardly binds and the line was never longer than {line}: others use it too",
                counted(refusals, "call")
            ),
        };
    }
    match held {
        Bottleneck::Rate if refusals == 0 => {
            format!("bound by the {paced} a minute for {part} % of the time; refusals 0: the limit can be raised")
        }
        Bottleneck::Rate if busy => format!(
            "bound by the {paced} a minute for {part} % of the time; refused only while the server was overloaded: the limit can be raised"
        ),
        Bottleneck::Rate => {
            format!("bound by the {paced} a minute for {part} % of the time; {} before raising it", refused())
        }
        Bottleneck::Learned => format!(
            "bound for {part} % of the time by what earlier refusals taught, below the configured {limit} a minute"
        ),
        Bottleneck::InFlight => {
            let most = seconds.iter().map(|second| second.in_flight).max().unwrap_or(0);
            let bound = format!("bound by the {most} calls in flight for {part} % of the time");
            if refusals == 0 || busy {
                format!("{bound}: allow more of them, or shorten the answers")
            } else {
                format!("{bound}; {} before allowing more", refused())
            }
        }
        Bottleneck::Ramp if refusals == 0 || busy => {
            format!("bound by the ramp for {part} % of the time: demand comes in bursts; set burst, or a steeper ramp")
        }
        Bottleneck::Ramp => {
            format!("bound by the ramp for {part} % of the time; {} before making it steeper", refused())
        }
        Bottleneck::Server => bound_by_server(part),
        Bottleneck::Fleet => format!("waited for {part} % of the time for the server that the limiter is shared on"),
        Bottleneck::RequestsPerDay
        | Bottleneck::TokensPerMinute
        | Bottleneck::InputTokensPerMinute
        | Bottleneck::OutputTokensPerMinute
        | Bottleneck::TokensPerDay
        | Bottleneck::Other => format!("bound for {part} % of the time by something that this version does not know"),
        Bottleneck::Pause if refusals == 0 => {
            format!("paused for {part} % of the time by refusals that are not in this log")
        }
        Bottleneck::Pause if busy => format!("paused for {part} % of the time, while the server was overloaded"),
        Bottleneck::Pause => format!(
            "paused for {part} % of the time after {}: the limit is lower than it seems, or others use it too",
            counted(refusals, "refusal")
        ),
    }
}

/// What went through up to the last refusal that the rate was at fault for, in calls a second: over so long a time that what
/// a server lets through at once does not count for much. The last knows best, since the ramp is over by then.
#[allow(clippy::cast_precision_loss)]
fn refused_at(seconds: &[Second]) -> f64 {
    const LONGEST: usize = 20;
    let refused = |second: &Second| second.counts[2] > 0;
    // One that comes in a pause is of a call that was sent to see if it is over.
    let begins = |at: usize| refused(&seconds[at]) && (at == 0 || !seconds[at - 1].is_paused());
    let last = (0..seconds.len()).rev().find(|at| begins(*at));
    let last = last.or_else(|| seconds.iter().rposition(refused)).unwrap_or(0);
    // A slow refusal comes when nothing goes any more: what went before the pause counts.
    let flowing = |second: &Second| second.counts[1] > 0 && !refused(second) && !second.is_paused();
    let last = if seconds.get(last).is_some_and(|second| second.counts[1] > 0) {
        last
    } else {
        seconds[..last].iter().rposition(flowing).unwrap_or(last)
    };
    let before = seconds[..last].iter().rev().take_while(|second| !refused(second) && !second.is_paused());
    let window: Vec<_> = seconds[last..=last].iter().chain(before.take(LONGEST - 1)).collect();
    let went: u64 = window.iter().map(|second| second.counts[1].saturating_sub(second.counts[2])).sum();
    // What is printed, so that the sentence adds up.
    (went as f64 / window.len() as f64 * 10.0).floor() / 10.0
}

/// What went through, rounded down to calls a minute that one would write down.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
fn suggested(per_second: f64) -> u64 {
    let per_minute = per_second * 60.0 + 1e-6;
    let step = match per_minute {
        ..20.0 => 1.0,
        ..200.0 => 5.0,
        ..2000.0 => 10.0,
        _ => 100.0,
    };
    ((per_minute / step).floor() * step).max(1.0) as u64
}

pub(crate) fn counted(count: u64, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
}

#[cfg(test)]
mod tests;
