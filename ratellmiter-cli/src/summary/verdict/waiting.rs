//! The waiting of the calls of a run, and the limits that caused it.

use ratellmiter_core::log::{Bottleneck, BudgetKind};

use crate::{series::Second, summary::measures::activity};

/// Percentage from which on a share of the calls or of their time counts.
pub(super) const MIN_PERCENT: f64 = 5.0;
/// Percentage of the rows with a bottleneck from which on even short waits count, because the queue is hardly ever empty.
const MIN_SATURATED_PERCENT: f64 = 50.0;
/// Percentage of the mean latency from which on a single wait counts.
const MIN_WAIT_PERCENT: f64 = 5.0;

/// Time that calls waited, in call-seconds: the sum of the queued calls over the seconds.
pub(super) struct Waiting {
    /// Call-seconds by the bottleneck of the first queued call.
    by_bottleneck: Vec<(Bottleneck, u128)>,
    /// Call-seconds by configured rate, in calls per minute, for the bottleneck [`Bottleneck::Rate`], in order of time.
    by_limit: Vec<(u64, u128)>,
    total: u128,
    /// Percentage of the calls that waited, a lower bound.
    pub(super) calls: f64,
    /// Waiting time as a percentage of the waiting time and the time in flight.
    time: f64,
    /// Percentage of the rows with a bottleneck.
    rows: f64,
}

impl Waiting {
    /// Measures a run of `calls` calls.
    pub(super) fn of(seconds: &[Second], calls: u64) -> Self {
        let order = [
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
        let order = order.into_iter().chain(BudgetKind::ALL.map(Bottleneck::Budget).into_iter().rev());
        let sum = |seconds: &mut dyn Iterator<Item = &Second>| seconds.map(|second| u128::from(queued(second))).sum();
        let of = |bottleneck| sum(&mut seconds.iter().filter(|second| second.bottleneck == Some(bottleneck)));
        let total: u128 = sum(&mut seconds.iter());
        let limited = seconds.iter().filter(|second| second.bottleneck.is_some()).count();
        let (_, in_flight) = activity(seconds);
        Self {
            by_bottleneck: order.map(|bottleneck| (bottleneck, of(bottleneck))).collect(),
            by_limit: by_limit(seconds),
            total,
            calls: percent(waiting_calls(seconds), calls_or_tickets(seconds, calls)).min(100.0),
            time: percent(total, total.saturating_add(in_flight)),
            rows: percent(limited as u128, seconds.len() as u128),
        }
    }

    /// Returns `true` if enough calls waited, for a notable part of their time or at a queue that was hardly ever empty.
    pub(super) fn is_notable(&self) -> bool {
        self.calls >= MIN_PERCENT && self.is_long()
    }

    /// Returns `true` if the waits are a notable part of the time that calls took.
    pub(super) fn is_long(&self) -> bool {
        self.time >= MIN_PERCENT || self.rows >= MIN_SATURATED_PERCENT
    }

    /// Returns the bottleneck with the largest share of the waiting time and that share in percent; of equal ones the later
    /// one.
    pub(super) fn largest(&self) -> (Bottleneck, f64) {
        let largest = self.by_bottleneck.iter().max_by_key(|(_, time)| *time);
        largest.map_or((Bottleneck::Other, 0.0), |(bottleneck, time)| (*bottleneck, percent(*time, self.total).round()))
    }

    /// Returns the bottlenecks with their shares of the waiting time in percent.
    pub(super) fn shares(&self) -> impl Iterator<Item = (Bottleneck, f64)> {
        self.by_bottleneck.iter().map(|(bottleneck, time)| (*bottleneck, percent(*time, self.total).round()))
    }

    /// Returns the configured rates for which calls waited, in calls per minute, each with its share of the waiting time in
    /// percent.
    pub(super) fn limits(&self) -> impl Iterator<Item = (u64, f64)> {
        self.by_limit.iter().map(|(limit, time)| (*limit, percent(*time, self.total).round()))
    }
}

/// Returns the queued calls of a second. The bottleneck is that of a queued call, so that there is at least one.
fn queued(second: &Second) -> u64 {
    second.queued().max(second.bottleneck.is_some().into())
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // Rounded and not negative.
fn by_limit(seconds: &[Second]) -> Vec<(u64, u128)> {
    let mut limits: Vec<(u64, u128)> = Vec::new();
    for second in seconds.iter().filter(|second| second.bottleneck == Some(Bottleneck::Rate)) {
        let limit = (f64::from(second.limit) * 60.0).round();
        if !limit.is_finite() {
            continue;
        }
        let limit = limit as u64;
        match limits.iter_mut().find(|(known, _)| *known == limit) {
            Some((_, time)) => *time += u128::from(queued(second)),
            None => limits.push((limit, queued(second).into())),
        }
    }
    limits
}

/// Returns the number of calls, or of tickets if there are more, because retries wait too.
fn calls_or_tickets(seconds: &[Second], calls: u64) -> u128 {
    let tickets: u128 = seconds.iter().map(|second| u128::from(second.issued())).sum();
    tickets.max(calls.into())
}

/// Returns the least number of calls that waited.
///
/// Calls that are queued when a second begins are sent before those that join the queue in it. Waits within a second are
/// counted by the quantiles of the waits.
fn waiting_calls(seconds: &[Second]) -> u128 {
    let min_wait = min_wait_ms(seconds);
    let mut queued_before = 0;
    let sent: u128 = seconds
        .iter()
        .map(|second| {
            let before = std::mem::replace(&mut queued_before, queued(second));
            u128::from(second.issued().min(before.max(waited_within(second, min_wait))))
        })
        .sum();
    let most = seconds.iter().map(queued).max().unwrap_or(0);
    sent.saturating_add(queued_before.into()).max(most.into())
}

/// Returns the least number of tickets of a second that waited for at least `min_wait` milliseconds.
fn waited_within(second: &Second, min_wait: f64) -> u64 {
    let [p50, p99, max] = second.wait_ms.map(|wait| f64::from(wait) >= min_wait);
    let above = |percent: u64| {
        let rank = u128::from(second.issued()) * u128::from(percent);
        second.issued() - u64::try_from(rank.div_ceil(100)).unwrap_or(u64::MAX).min(second.issued()) + 1
    };
    match (p50, p99, max) {
        (true, ..) => above(50),
        (_, true, _) => above(99),
        (.., true) => 1,
        _ => 0,
    }
}

/// Returns the wait in milliseconds from which on a call counts as waiting.
#[allow(clippy::cast_precision_loss)]
fn min_wait_ms(seconds: &[Second]) -> f64 {
    let (sum, finished) = seconds.iter().fold((0.0, 0.0), |(sum, finished), second| {
        (sum + f64::from(second.latency_ms[0]) * second.finished() as f64, finished + second.finished() as f64)
    });
    let mean: f64 = if finished > 0.0 { sum / finished } else { 0.0 };
    (mean * MIN_WAIT_PERCENT / 100.0).max(1.0)
}

#[allow(clippy::cast_precision_loss)]
fn percent(part: u128, whole: u128) -> f64 {
    part as f64 / whole.max(1) as f64 * 100.0
}

#[cfg(test)]
mod tests;
