//! The state of a limiter as logs and snapshots show it, and the parts of it that outlive a run.

use std::time::Duration;

use super::Scheduler;
use crate::{
    engine::stats::{Gauges, Second},
    log::row::{Bottleneck, BudgetKind},
};

impl<W> Scheduler<W> {
    /// Starts or stops keeping ended seconds for [`seconds`](Self::seconds).
    pub(crate) fn record(&mut self, now: Duration, recording: bool) {
        self.advance_to(now);
        self.stats.record(recording);
    }

    /// Drains the seconds that have ended. With `all`, the current second is closed and included.
    pub(crate) fn seconds(&mut self, now: Duration, all: bool) -> Vec<Second> {
        self.advance_to(now);
        if all {
            let gauges = self.gauges(now);
            self.stats.close(&gauges);
        }
        self.stats.drain()
    }

    pub(crate) fn queue_length(&self) -> usize {
        self.queue.total()
    }

    /// Returns the rate allowed now, in calls a second; 0 while paused.
    pub(crate) fn rate(&self) -> f64 {
        if self.closed().is_some() { 0.0 } else { self.congestion.rate() }
    }

    /// Returns the throughput at the last refusal in calls a minute, and the calls in flight at the last refusal.
    pub(crate) fn ceilings(&self) -> (Option<f64>, Option<f64>) {
        self.congestion.ceilings()
    }

    /// Starts with the ceilings of an earlier run. A shared limiter ignores them.
    pub(crate) fn restore(&mut self, now: Duration, rate: Option<f64>, in_flight: Option<f64>) {
        self.advance_to(now);
        self.memory.is_eventful |= rate.is_some() || in_flight.is_some();
        if self.limits.adaptive
            && let Some(local) = self.congestion.local()
        {
            local.restore(rate, in_flight);
            self.apply_limits(now);
        }
    }

    /// Returns the usage of the daily budgets by age, oldest first.
    pub(crate) fn day_usage(&mut self, now: Duration) -> Vec<(BudgetKind, Vec<(Duration, u64)>)> {
        self.budgets.day_usage(now)
    }

    /// Charges a daily budget for usage of an earlier run.
    pub(crate) fn restore_day(&mut self, now: Duration, kind: BudgetKind, age: Duration, amount: u64) {
        self.advance_to(now);
        self.memory.is_eventful = true;
        self.budgets.restore(now, kind, age, amount);
    }

    /// Returns the gauges of the current second.
    pub(crate) fn gauges(&mut self, now: Duration) -> Gauges {
        // While the fleet is disconnected, limits are still shown in full.
        let (limits, part) =
            self.reduced.map_or((self.limits, 1.0), |(limits, part)| (limits, part.max(f64::MIN_POSITIVE)));
        Gauges {
            overflow: self.queue.total() as u64,
            in_flight: self.in_flight,
            rate: self.rate(),
            paused_for: self.blocked_for(now),
            time_left: (!self.queue.is_empty()).then(|| self.time_left(now)),
            closed: self.closed().map(|closed| (closed.reason, closed.opens_at.map(|at| at.saturating_sub(now)))),
            limit: f64::from(limits.requests_per_minute.get()) / 60.0,
            held: self.bottleneck(now),
            budgets: self.budgets.status_of(now, &limits, part),
            fleet: self.fleet,
            learned_rate: self.congestion.adapted_rate().map(|per_minute| per_minute / part / 60.0),
            learned_in_flight: self.congestion.adapted_in_flight().map(|calls| (calls / part).round()),
        }
    }

    /// Returns the remaining time of a pause or of the closed state, or `None` if there is neither.
    pub(crate) fn paused_for(&self, now: Duration) -> Option<Duration> {
        self.closed().map(|closed| closed.time_left(now)).or_else(|| self.congestion.paused_for(now))
    }

    /// Returns the remaining time until a call may be sent during a pause or while the limiter is closed. After the pause the canary
    /// may still wait for the rate, the request window or a budget. While the limiter is closed and the time at which it opens is not
    /// known, a queued call may be sent as a probe. `None` if there is no pause, if it is over and no call is queued, or if the canary
    /// waits for an event.
    fn blocked_for(&self, now: Duration) -> Option<Duration> {
        let left = self.paused_for(now)?;
        if let Some(closed) = self.closed() {
            let probe = self.next().filter(|_| closed.opens_at.is_none()).and_then(|(next, _)| {
                let due = self.due_while_closed(closed, &self.calls.get(next.id), &self.reservation_of(next));
                due.or_else(|| self.closing.opens_at())
            });
            return Some(probe.map_or(left, |at| at.saturating_sub(now)));
        }
        let Some(ends_at) = self.congestion.pause_ends_at() else { return Some(left) };
        let due = self.next().and_then(|(next, _)| self.due(&self.reservation_of(next)));
        due.or_else(|| Some(ends_at).filter(|at| *at > now)).map(|at| at.saturating_sub(now).max(left))
    }

    /// Returns the limit that the first queued call waits for, or `None` if the queue is empty.
    pub(super) fn bottleneck(&self, now: Duration) -> Option<Bottleneck> {
        if self.queue.is_empty() {
            return None;
        }
        let limit = self.limits.requests_per_minute;
        Some(match self.exhausted_budget() {
            _ if self.closed().is_some() => Bottleneck::Closed,
            _ if self.waits_for_fleet() => Bottleneck::Fleet,
            _ if self.congestion.is_pausing(now) => Bottleneck::Pause,
            _ if self.is_at_in_flight_limit() => Bottleneck::InFlight,
            Some(kind) => self.budgets.bottleneck(now, kind),
            None => {
                self.congestion.bottleneck(self.meter.due(), limit, self.server_limit.pace(now, limit.get().into()))
            }
        })
    }

    /// Returns the budget that the first queued call waits for, or `None` if it waits longer for another limit.
    pub(super) fn exhausted_budget(&self) -> Option<BudgetKind> {
        if self.budgets.is_empty() {
            return None;
        }
        let (next, _) = self.next()?;
        // Leased budgets are granted with slots. Without slots, the last grant names the limit.
        let has_slots = self.congestion.lease().is_none_or(|lease| lease.due().is_some());
        if has_slots && let Some(kind) = self.budgets.first_exhausted(&self.reservation_of(next)) {
            return Some(kind);
        }
        if let Some(key) = self.congestion.lease().and_then(|lease| lease.terms.bottleneck.as_deref()) {
            return self.budgets.named(key);
        }
        let (due, budget) = self.budgets.binding(&self.reservation_of(next))?;
        let open_at = self.congestion.due().unwrap_or(Duration::MAX);
        let others = self.meter.due().max(open_at).max(self.window.due());
        (due > others).then_some(budget.kind)
    }
}
