//! The waiting of the calls of a run, and the limits that caused it.
//!
//! Rows with sketches of the waits contain the number of tickets that waited. For rows of earlier versions, the number is estimated:
//! the calls that are queued when a second begins are taken to be sent before the calls that join the queue in it. With priorities and
//! refused calls, which are sent first, fewer of these and more of the others may have waited.

use ratellmiter_core::log::{Bottleneck, BudgetKind};

use crate::{
    series::{Second, Series, times::Times},
    summary::measures::activity,
};

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
    /// Measures a run.
    pub(super) fn of(series: &Series) -> Self {
        let (seconds, waits, calls) = (series.seconds(), series.waits(), series.calls());
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
        let sum = |seconds: &mut dyn Iterator<Item = &Second>| {
            seconds.fold(0, |sum: u128, second| sum.saturating_add(queued(second).into()))
        };
        let of = |bottleneck| sum(&mut seconds.iter().filter(|second| second.bottleneck == Some(bottleneck)));
        let total = sum(&mut seconds.iter());
        let limited = seconds.iter().filter(|second| second.bottleneck.is_some()).count();
        let (_, in_flight) = activity(seconds);
        Self {
            by_bottleneck: order.map(|bottleneck| (bottleneck, of(bottleneck))).collect(),
            by_limit: by_limit(seconds),
            total,
            calls: percent(waiting_calls(seconds, waits), calls_or_tickets(seconds, calls)).min(100.0),
            time: percent(total, total.saturating_add(in_flight))
                .max(time_within(waits, series.latencies()))
                .max(least_time_within(seconds)),
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

    /// Returns the adapted limit on calls in flight in the last row in which calls waited for it, if they did for at least half of the
    /// time for which they waited for the limit on calls in flight.
    pub(super) fn adapted_in_flight(seconds: &[Second]) -> Option<f32> {
        let limited = || seconds.iter().filter(|second| second.bottleneck == Some(Bottleneck::InFlight));
        let adapted = || limited().filter(|second| second.adapted_in_flight.is_finite());
        let time = |seconds: &mut dyn Iterator<Item = &Second>| {
            seconds.fold(0, |sum: u128, second| sum.saturating_add(queued(second).into()))
        };
        let is_adapted = time(&mut adapted()).saturating_mul(2) >= time(&mut limited());
        adapted().next_back().map(|second| second.adapted_in_flight).filter(|_| is_adapted)
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

/// Returns the waiting time as a percentage of itself and the latencies. It includes waits within a second, after which no call is
/// queued. 0 if it is not known.
fn time_within(waits: &Times, latencies: &Times) -> f64 {
    let totals = waits.total().zip(latencies.total()).filter(|(waits, _)| *waits > 0.0);
    totals.map_or(0.0, |(waits, latencies)| waits / (waits + latencies) * 100.0)
}

/// Returns the least waiting time as a percentage of itself and the latencies that the quantiles of the rows allow. Rows of earlier
/// versions have no sums.
#[allow(clippy::cast_precision_loss)] // Counts of a log.
fn least_time_within(seconds: &[Second]) -> f64 {
    let half = |issued: u64| issued / 2 + issued % 2;
    let of_second = |second: &Second| {
        // A wait of zero is one that the row does not show.
        let waited = half(second.issued()) as f64 * f64::from(second.wait_ms[0]);
        (waited, second.finished() as f64 * f64::from(second.latency_ms[2]))
    };
    let sum = |(waits, latencies): (f64, f64), (wait, latency): (f64, f64)| (waits + wait, latencies + latency);
    let (waits, latencies) = seconds.iter().map(of_second).fold((0.0, 0.0), sum);
    if waits > 0.0 { waits / (waits + latencies) * 100.0 } else { 0.0 }
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
            Some((_, time)) => *time = time.saturating_add(queued(second).into()),
            None => limits.push((limit, queued(second).into())),
        }
    }
    limits
}

/// Returns the number of calls, or of tickets if there are more, because retries wait too.
fn calls_or_tickets(seconds: &[Second], calls: u64) -> u128 {
    let tickets = seconds.iter().fold(0_u128, |sum, second| sum.saturating_add(second.issued().into()));
    tickets.max(calls.into())
}

/// Returns the least number of calls that waited: sent after a wait, or queued at the end.
fn waiting_calls(seconds: &[Second], waits: &Times) -> u128 {
    let min_wait = min_wait_ms(seconds);
    let sent = match waits.at_least(min_wait) {
        (sent, true) => sent.into(),
        (least, false) => estimated_waits(seconds, min_wait).max(least.into()),
    };
    let most = seconds.iter().map(queued).max().unwrap_or(0);
    let queued_at_end = seconds.last().map_or(0, queued);
    sent.saturating_add(queued_at_end.into()).max(most.into())
}

/// Returns the estimated number of calls that were sent after a wait, within the bounds of the quantiles of the waits.
fn estimated_waits(seconds: &[Second], min_wait: f64) -> u128 {
    let has_quantiles = seconds.iter().any(|second| second.wait_ms[2] > 0);
    let mut queued_before = 0;
    let sent = seconds.iter().map(|second| {
        let before = std::mem::replace(&mut queued_before, queued(second));
        let (least, most) = waited_within(second, min_wait);
        let most = if has_quantiles && second.has_details { most } else { second.issued() };
        u128::from(before.max(least).min(most))
    });
    sent.fold(0, u128::saturating_add)
}

/// Returns the least and the largest number of tickets of a second that waited for at least `min_wait` milliseconds, as far as the
/// quantiles of the waits show it.
fn waited_within(second: &Second, min_wait: f64) -> (u64, u64) {
    let issued = second.issued();
    let [p50, p99, max] = second.wait_ms.map(|wait| f64::from(wait) >= min_wait);
    // Tickets after the rank of a percentile.
    let after = |percent: u128| {
        let rank = (u128::from(issued) * percent).div_ceil(100);
        issued.saturating_sub(u64::try_from(rank).unwrap_or(u64::MAX))
    };
    let (least, most) = match (p50, p99, max) {
        (true, ..) => (after(50).saturating_add(1), issued),
        (_, true, _) => (after(99).saturating_add(1), after(50)),
        (.., true) => (1, after(99)),
        _ => (0, 0),
    };
    (least.min(issued), most.max(least).min(issued))
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
