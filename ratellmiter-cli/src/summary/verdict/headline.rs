//! The short form of a verdict, for the line below the title of a picture.

use ratellmiter_core::log::Bottleneck;

use crate::{
    series::{Series, processes::Processes},
    summary::{
        closed,
        figures::Summary,
        verdict::{MIN_CALLS, MIN_SECONDS, Run, refusals::decimal, remarks::exhausted, waiting::MIN_PERCENT},
    },
    words::{duration, plural, precise_duration},
};

/// Number of bottlenecks whose shares of the waiting time are given. The others are summed.
const MAX_SHARES: usize = 3;

/// Returns the limit, the events and the bottlenecks of a run, or what else the verdict is.
pub(crate) fn headline(summary: &Summary, series: &Series) -> Vec<String> {
    let limit = summary.limit.map(|limit| format!("limit {limit} a minute"));
    let clause = summary.verdict.split(';').next().map(str::trim).unwrap_or_default().to_owned();
    let rest = if summary.calls < MIN_CALLS || summary.duration < MIN_SECONDS {
        vec![clause]
    } else if closed::sentence(summary, MIN_PERCENT).is_some_and(|closed| summary.verdict.starts_with(&closed)) {
        // The refusal that closed the limiter is a part of it.
        vec![clause]
    } else {
        let run = Run::of(summary, series);
        let bottlenecks = run.suggestion().or_else(|| run.shares());
        let clause = if bottlenecks.is_none() { clause } else { String::new() };
        [events(summary).unwrap_or_default(), bottlenecks.unwrap_or_default(), clause].into()
    };
    limit.into_iter().chain(rest).filter(|part| !part.is_empty()).collect()
}

/// Returns the refusals, overloads and pauses; `None` without any.
fn events(summary: &Summary) -> Option<String> {
    let overloads = summary.overloaded.unwrap_or(0).min(summary.refusals);
    let refusals = summary.refusals - overloads;
    let paused = match summary.pauses {
        0 => None,
        1 => Some(format!("1 pause of {}", paused_time(summary.paused_ms))),
        pauses => Some(format!("{pauses} pauses of {} in total", paused_time(summary.paused_ms))),
    };
    let of = |count, name| (count > 0).then(|| plural(count, name));
    let events: Vec<_> = [of(refusals, "refusal"), of(overloads, "overload"), paused].into_iter().flatten().collect();
    (!events.is_empty()).then(|| events.join(", "))
}

/// Formats the time in pauses in whole seconds, or in tenths below a second.
#[allow(clippy::cast_precision_loss)] // Below a second.
fn paused_time(millis: u64) -> String {
    if millis < 1000 {
        precise_duration(millis as f64 / 1000.0, 1)
    } else {
        duration(millis.saturating_add(500) / 1000)
    }
}

impl Run<'_> {
    /// Returns the limit that the refusals suggest; `None` if the rows support none.
    fn suggestion(&self) -> Option<String> {
        let is_whole = !self.summary.processes.is_some_and(Processes::is_part);
        let (rate, per_minute) = self.suggested_limit().filter(|_| is_whole && self.summary.limit.is_some())?;
        Some(format!("refused at {} a second, suggested limit: {per_minute} a minute", decimal(rate)))
    }

    /// Returns the shares of the waiting time by bottleneck, 100 % in total; `None` if calls hardly waited, or if the verdict
    /// does not contain one.
    fn shares(&self) -> Option<String> {
        let (largest, _) = self.waiting.largest();
        let is_of_budget = matches!(largest, Bottleneck::Budget(_));
        let is_exhausted =
            is_of_budget && self.summary.budgets.iter().any(|budget| exhausted(self.summary, budget).is_some());
        let is_known = self.summary.limit.is_some() || is_of_budget || largest == Bottleneck::Server;
        if !self.is_limited() || is_exhausted || !is_known || self.suggested_limit().is_some() {
            return None;
        }
        let mut shares: Vec<_> = self.waiting.shares().filter(|(_, percent)| *percent >= 1.0).collect();
        shares.sort_by(|(_, one), (_, other)| other.total_cmp(one));
        shares.truncate(MAX_SHARES);
        let rest = 100.0 - shares.iter().map(|(_, percent)| percent).sum::<f64>();
        let shares = shares.into_iter().map(|(bottleneck, percent)| (name(bottleneck), percent));
        let rest = (rest >= 1.0).then(|| ("other".to_owned(), rest));
        let shares: Vec<_> = shares.chain(rest).map(|(name, percent)| format!("{percent} % {name}")).collect();
        Some(format!("waiting: {}", shares.join(", ")))
    }
}

fn name(bottleneck: Bottleneck) -> String {
    match bottleneck {
        Bottleneck::Rate => "limit".into(),
        Bottleneck::Learned => "adapted limit".into(),
        Bottleneck::Ramp => "ramp".into(),
        Bottleneck::Pause => "pauses".into(),
        Bottleneck::Closed => "closed".into(),
        Bottleneck::InFlight => "calls in flight".into(),
        Bottleneck::Server => "server's headers".into(),
        Bottleneck::Fleet => "Redis".into(),
        Bottleneck::Budget(kind) => format!("{} per {}", kind.unit(), kind.period()),
        Bottleneck::Other => "unknown".into(),
    }
}

#[cfg(test)]
mod tests;
