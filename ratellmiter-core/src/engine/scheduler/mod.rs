//! One limiter as a state machine without a clock, a runtime or wakers.
//!
//! Every method takes `now`, the time since the limiter was created, which never decreases. A queued call has a payload `W` (a
//! waker in the limiter, nothing in tests), which [`advance`](Scheduler::advance) returns with the grant. A caller changes the
//! state, calls `advance`, and sleeps until [`deadline`](Scheduler::deadline).
//!
//! A call is sent when all of these allow it: [congestion control](crate::engine::congestion) (pause, ramp, calls in flight), the
//! meter, the request window and the budgets. Meters and the ramp count from the scheduled time of a call, not from the time at
//! which a timer fired.

mod advance;
mod closed;
#[cfg(feature = "redis")]
pub(crate) mod exchange;
mod forecast;
mod leased;
mod memory;
mod refusal;
mod status;
mod transient;
mod wait_estimate;

use std::time::Duration;

use self::memory::Memory;
use crate::{
    engine::{
        budgets::{
            Budgets,
            reservation::{OversizedEstimate, Reservation},
        },
        call_id::{CallId, Grant},
        call_state::{CallEnd, CallState, CallTable, Request},
        congestion::{CongestionControl, closed::Closing},
        lease::FleetStatus,
        pace::{
            gcra::Gcra,
            request_window::RequestWindow,
            server_limit::{Configured, ServerLimit},
        },
        queue::{Queue, QueuePosition},
        stats::SecondStats,
    },
    judge::{LimitReading, LimitUnit, Period, Verdict},
    limits::{Limits, cost::TokenEstimate, request::Rejected},
    providers::usage::Usage,
};

/// Usage of one call, in tokens, that is logged at most.
const MAX_LOGGED_TOKENS: u64 = 1 << 48;

#[derive(Debug)]
pub(crate) struct Scheduler<W> {
    limits: Limits,
    meter: Gcra,
    window: RequestWindow,
    congestion: CongestionControl,
    closing: Closing,
    /// Queued calls are to be rejected, since the limiter has closed.
    rejects_queued: bool,
    /// Time of the last [`advance_to`](Self::advance_to).
    last_advanced: Duration,
    /// The limiter was paused or closed when it last advanced.
    was_paused: bool,
    /// Time at which the last call was sent, or `None` before the first.
    last_sent: Option<Duration>,
    memory: Memory,
    /// The fleet, if the limiter is shared.
    fleet: Option<FleetStatus>,
    /// While the fleet is disconnected: the configured limits, and the fraction of them in force.
    reduced: Option<(Limits, f64)>,
    /// A user's probe replaces the canary.
    has_probe: bool,
    budgets: Budgets,
    /// The limit on requests a minute as response headers show it.
    server_limit: ServerLimit,
    queue: Queue<W>,
    /// The states of queued calls and of calls in flight.
    calls: CallTable,
    in_flight: u64,
    /// Mean latency of the last calls. Zero before the first has ended.
    mean_latency: Duration,
    last_id: CallId,
    /// Time of the last event after which a queued call may have become admissible. No call is scheduled before it.
    unblocked_at: Duration,
    stats: SecondStats,
}

impl<W> Scheduler<W> {
    /// Creates the scheduler. `offset` is the wall clock at time zero. `seed` makes the pauses of processes differ.
    pub(crate) fn new(limits: Limits, offset: Duration, seed: u64) -> Self {
        let mut meter = Gcra::new(limits.requests_per_minute.into());
        meter.set_burst(limits.burst_window);
        Self {
            limits,
            meter,
            window: RequestWindow::new(limits.requests_per_minute, limits.burst_window),
            congestion: CongestionControl::new(&limits, seed),
            closing: Closing::default(),
            rejects_queued: false,
            last_advanced: Duration::ZERO,
            was_paused: false,
            last_sent: None,
            memory: Memory::default(),
            fleet: None,
            reduced: None,
            has_probe: false,
            budgets: Budgets::new(&limits),
            server_limit: ServerLimit::default(),
            queue: Queue::default(),
            calls: CallTable::default(),
            in_flight: 0,
            mean_latency: Duration::ZERO,
            last_id: 0,
            unblocked_at: Duration::ZERO,
            stats: SecondStats::new(offset),
        }
    }

    /// Returns the configured limits.
    pub(crate) fn limits(&self) -> &Limits {
        self.reduced.as_ref().map_or(&self.limits, |(limits, _)| limits)
    }

    /// Changes the limits. The queue keeps its order; the new rate is in force from the next grant on.
    pub(crate) fn set_limits(&mut self, now: Duration, limits: Limits) {
        self.advance_to(now);
        let mut limits = limits;
        if let Some((configured, part)) = &mut self.reduced {
            *configured = limits;
            limits = limits.scaled(*part);
        }
        self.limits = limits;
        self.congestion.set(now, &limits);
        self.apply_limits(now);
        self.budgets.set(now, &self.limits);
        self.meter.set_burst(limits.burst_window);
        self.window.set(limits.requests_per_minute, limits.burst_window);
        // Leased slots are at the old rate.
        if let Some(lease) = self.congestion.lease_mut() {
            lease.retune();
        }
        self.unblocked_at = now;
    }

    /// Sets whether a user's probe replaces the canary.
    pub(crate) fn set_probe(&mut self, has_probe: bool) {
        self.has_probe = has_probe;
    }

    pub(crate) fn model(&self) -> &str {
        self.budgets.model()
    }

    /// Returns `true` if tokens are budgeted.
    pub(crate) fn counts_tokens(&self) -> bool {
        self.budgets.count_tokens()
    }

    /// Returns `true` if tokens are budgeted and the call in flight has no token estimate.
    pub(crate) fn has_no_estimate(&self, grant: &Grant) -> bool {
        self.budgets.count_tokens() && self.calls.get(grant.id).cost == TokenEstimate::UNKNOWN
    }

    /// Returns the first budget that is smaller than the estimate of a call, or `None` if there is none.
    pub(crate) fn oversized(&self, cost: TokenEstimate) -> Option<OversizedEstimate> {
        self.budgets.oversized(cost)
    }

    /// Returns the budget that the call in flight exceeds by its estimate alone, if it was refused for that reason. The refusal
    /// then concerns no other call, and no wait helps.
    pub(crate) fn refused_alone(&self, grant: &Grant, verdict: &Verdict) -> Option<OversizedEstimate> {
        // While the fleet is disconnected, the budgets are a part of the configured ones.
        if self.reduced.is_some() {
            return None;
        }
        self.budgets.refused_alone(self.calls.get(grant.id).cost, verdict)
    }

    pub(crate) fn set_model(&mut self, model: &str) {
        self.budgets.set_model(model);
    }

    /// Grants a call at once. Returns `None`, and does not count the request, if the call would be queued or its deadline has
    /// passed.
    pub(crate) fn try_request(&mut self, now: Duration, request: &Request) -> Option<Grant> {
        self.advance_to(now);
        if self.limits.enabled && request.deadline.is_some_and(|deadline| deadline < now) {
            return None;
        }
        let reservation = self.budgets.reservation(request.cost);
        if self.limits.enabled {
            if !self.queue.is_empty() {
                return None;
            }
            // The queue is empty, so the schedule starts with this call.
            let before = std::mem::replace(&mut self.unblocked_at, now);
            let due = match self.closed() {
                Some(closed) => self.due_while_closed(closed, &request.state(), &reservation),
                None => self.due(&reservation),
            };
            if due.is_none_or(|due| due > now) {
                self.unblocked_at = before;
                return None;
            }
        }
        self.memory.used_at = now;
        self.stats.counts.requested += 1;
        self.congestion.on_requested();
        self.stats.waits.add(Duration::ZERO);
        let position = QueuePosition::new(now, request.priority, self.new_id());
        Some(self.issue(position, now, now, CallState { reservation, ..request.state() }))
    }

    /// Queues a call that was not granted at once.
    ///
    /// # Errors
    /// The call's options bound its wait, and the estimated wait is longer, or the limiter is closed and the call can fail.
    pub(crate) fn enqueue(&mut self, now: Duration, request: &Request, payload: W) -> Result<QueuePosition, Rejected> {
        self.advance_to(now);
        self.memory.used_at = now;
        self.stats.counts.requested += 1;
        self.congestion.on_requested();
        if let Some(rejected) = self.rejects(now, request) {
            self.stats.counts.rejected += 1;
            return Err(rejected);
        }
        let position = QueuePosition::new(now, request.priority, self.new_id());
        self.push(now, position, request.state(), payload);
        if let Err(rejected) = self.check_wait_limits(now, position, request) {
            self.leave(now, position);
            self.stats.counts.rejected += 1;
            // The next lease has a slot for the next call, if that comes soon.
            self.missed_try(now);
            return Err(rejected);
        }
        Ok(position)
    }

    /// Queues a refused call again that was rejected but can wait for any time, without its options.
    pub(crate) fn readmit(&mut self, now: Duration, rejected: QueuePosition, payload: W) {
        self.advance_to(now);
        self.push(now, rejected, CallState::default(), payload);
    }

    /// Returns the payload of a queued call, or `None` if it is no longer queued.
    pub(crate) fn payload(&mut self, position: QueuePosition) -> Option<&mut W> {
        self.queue.get_mut(position).map(|queued| &mut queued.payload)
    }

    /// Returns the payloads of all queued calls, in the order of the queue.
    pub(crate) fn payloads(&self) -> impl Iterator<Item = &W> {
        self.queue.payloads()
    }

    /// Removes a call from the queue. Returns `false` if it was not in the queue.
    pub(crate) fn leave(&mut self, now: Duration, position: QueuePosition) -> bool {
        self.advance_to(now);
        if self.queue.get_mut(position).is_none() {
            return false;
        }
        let expiry = self.calls.remove(position.id).expiry;
        self.queue.remove(position, expiry).is_some()
    }

    /// Removes the queued calls whose wait has expired, or will expire before the pause or the closed state ends or a daily budget that other processes
    /// have used up is free again, and passes each to `expired` with the estimate of its remaining wait.
    pub(crate) fn expire(&mut self, now: Duration, mut expired: impl FnMut(CallId, Rejected, W)) {
        self.reject_queued(now, &mut expired);
        // A call whose wait expires at the end of the pause may still be sent then.
        let pause =
            self.congestion.pause_ends_at().map_or(Duration::ZERO, |at| at.saturating_sub(Duration::from_nanos(1)));
        let closed = self.closed().filter(|closed| closed.waits(now, &self.limits)).and_then(|closed| closed.opens_at);
        let over = now.max(self.budgets.exhausted_until()).max(pause).max(closed.unwrap_or_default());
        while let Some(position) = self.queue.pop_expiry(over) {
            self.advance_to(now);
            let estimated_wait = self.wait_of(now, position);
            let state = self.calls.remove(position.id);
            if let (Some(expiry), Some(queued)) = (state.expiry, self.queue.remove(position, None)) {
                self.stats.counts.rejected += 1;
                let rejected = state.rejected(now, now.saturating_sub(queued.since), expiry.reason, estimated_wait);
                expired(position.id, rejected, queued.payload);
            }
            self.unblocked_at = now;
        }
    }

    /// Ends a call that is not queued again. Without a usage, the tokens that the provider does not charge for a failed call are
    /// refunded at once. Returns `false` if the usage is implausible.
    pub(crate) fn finish(&mut self, now: Duration, grant: Grant, end: CallEnd, usage: Option<Usage>) -> bool {
        self.advance_to(now);
        if let Some(usage) = usage {
            self.stats.counts.used_tokens += usage.input.saturating_add(usage.output).min(MAX_LOGGED_TOKENS);
        }
        let CallState { reservation, refusals, .. } = self.calls.remove(grant.id);
        let plausible = !self.limits.enabled || self.budgets.end(now, grant.at, &reservation, end, usage);
        let failed = end != CallEnd::Succeeded;
        self.memory.is_eventful |= failed || usage.is_some();
        self.stats.counts.finished += 1;
        self.stats.counts.failed += u64::from(failed);
        self.record_latency(now.saturating_sub(grant.at));
        self.on_returned(now);
        if !failed {
            self.congestion.transient_mut().on_success();
        }
        if self.closing.on_accepted(now, &grant, failed) {
            self.on_opened(now);
        } else if let Some(resumption) = self.congestion.on_success(now, &grant, &refusals) {
            self.on_resumed(now, resumption);
        }
        plausible
    }

    /// Applies the limits that the headers of a response show. Returns `false` if one of them is implausible.
    pub(crate) fn apply_headers(&mut self, now: Duration, grant: &Grant, readings: &[LimitReading]) -> bool {
        if readings.is_empty() {
            return true;
        }
        self.advance_to(now);
        self.memory.is_eventful = true;
        let mut plausible = true;
        for reading in readings {
            plausible &= if reading.unit == LimitUnit::Requests && reading.per != Period::Day {
                let limits = Configured { limit: u64::from(self.limits.requests_per_minute.get()), rounded: 1 };
                self.server_limit.apply_header(now, grant.at, reading, limits, self.window.sent_since(grant.at))
            } else {
                self.budgets.apply_headers(now, grant.at, reading)
            };
        }
        self.apply_limits(now);
        plausible
    }

    /// Ends a call with an unknown result, because its future was dropped. Its charge is kept: the request may have been sent.
    pub(crate) fn abandon(&mut self, now: Duration, grant: Grant) {
        self.advance_to(now);
        self.calls.remove(grant.id);
        self.on_returned(now);
        self.closing.on_ended(grant.id);
        self.congestion.drop_canary(now, grant.id);
    }

    /// Ends a call that was granted but not sent. Its charge and its part of the rate are refunded.
    pub(crate) fn cancel(&mut self, now: Duration, grant: Grant) {
        self.advance_to(now);
        self.on_returned(now);
        self.meter.refund(1);
        self.closing.on_canceled(now, grant.id);
        self.congestion.cancel(now, grant.id);
        self.window.cancel(grant.at);
        let CallState { reservation, retries, .. } = self.calls.remove(grant.id);
        if retries > 0 {
            self.congestion.transient_mut().on_retry_cancelled(grant.at);
        }
        self.budgets.refund(grant.at, &reservation);
        self.unblocked_at = now;
    }

    fn record_latency(&mut self, latency: Duration) {
        self.stats.calls.add(latency);
        self.mean_latency = if self.mean_latency.is_zero() { latency } else { self.mean_latency * 7 / 8 + latency / 8 };
    }

    fn new_id(&mut self) -> CallId {
        self.last_id += 1;
        self.last_id
    }

    fn reservation_of(&self, position: QueuePosition) -> Reservation {
        self.budgets.reservation(self.calls.get(position.id).cost)
    }

    fn push(&mut self, now: Duration, position: QueuePosition, mut state: CallState, payload: W) {
        state.expiry = state.next_expiry(now);
        if self.queue.is_empty() {
            self.unblocked_at = now;
        }
        self.calls.insert(position.id, state);
        self.queue.insert(now, position, state.expiry, payload);
    }

    fn is_at_in_flight_limit(&self) -> bool {
        self.congestion.is_full(self.in_flight)
    }

    /// Applies the adapted limits and those of response headers to the pace.
    fn apply_limits(&mut self, now: Duration) {
        let limit = self.limits.requests_per_minute;
        let server_limit = self.server_limit.pace(now, limit.get().into());
        let pace = self.congestion.apply_limits(limit, server_limit);
        self.meter.set_rate(now, pace.into());
    }

    /// Records that a call is no longer in flight.
    fn on_returned(&mut self, now: Duration) {
        self.memory.used_at = now;
        if self.is_at_in_flight_limit() {
            self.unblocked_at = now;
        }
        self.in_flight -= 1;
    }
}

#[cfg(all(test, feature = "redis"))]
impl<W> Scheduler<W> {
    /// Makes pauses exact.
    pub(crate) fn disable_jitter(&mut self) {
        self.congestion.disable_jitter();
    }

    /// Returns the number of pauses that have started.
    pub(crate) fn episode(&self) -> u64 {
        self.congestion.episode()
    }
}

#[cfg(test)]
mod tests;
