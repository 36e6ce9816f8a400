//! One limiter as a pure state machine that is told the time.
//!
//! There is no clock in here, no runtime and no waker: every method takes `now`, the time since the limiter's zero,
//! which never goes back. Those who wait carry a payload `W` (the shell's wakers; nothing in tests), which
//! [`advance`](Scheduler::advance) hands out with the ticket. The rule is: mutate, then `advance`, then sleep until
//! [`deadline`](Scheduler::deadline).
//!
//! A ticket goes when all of these allow it: the [gate](crate::engine::congestion) (pauses, ramp, calls in flight), the meter, the window and
//! the budgets of tokens and days. Meters and ramp count from the schedule and not from when a timer fired.

mod leased;
mod wait_estimate;

#[cfg(feature = "redis")]
pub(crate) use crate::engine::scheduler::leased::UNLIMITED;

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use crate::{
    engine::{
        budgets::{Budgets, Reservation},
        call_state::{CallState, CallTable},
        congestion::{CongestionControl, Passage, REQUESTS},
        lease::{self, FleetStatus, IN_FLIGHT, Lease},
        pace::{
            gcra::{Gcra, nanos},
            request_window::RequestWindow,
            server_limit::{Configured, ServerLimit},
        },
        stats::{Gauges, Second, SecondStats},
    },
    judge::{LimitKind, LimitReading, LimitUnit, Period, Verdict},
    limits::{
        Limits,
        cost::TokenEstimate,
        request::{Priority, RejectReason, Rejected},
    },
    log::row::{Bottleneck, BudgetKind as Kind},
    providers::{provider::TokenCharge, usage::Usage},
};

/// Names a call from its first asking to its end; smaller is older.
pub(crate) type CallId = u64;

/// How far behind its schedule a limiter makes up for lost time. When it is further behind, the schedule begins anew.
const MOST_LATENESS: Duration = Duration::from_millis(100);

/// Who was refused goes first, as if it had waited for so many microseconds.
const REFUSED_FIRST_MICROS: i64 = 1 << 50;

/// A place in the line. The order of places is the order of the line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct QueuePosition {
    /// Zero for who was refused, else when it counts as having asked, in nanoseconds, and one.
    rank: u64,
    pub(crate) id: CallId,
}

impl QueuePosition {
    /// For how many microseconds it counts as having waited: less than none if a plain call that asks now would go before it.
    fn waited(self, now: Duration) -> i64 {
        let micros = |nanos: u64| i64::try_from(nanos / 1000).unwrap_or(i64::MAX);
        let plain = nanos(now + Priority::Normal.handicap());
        self.rank.checked_sub(1).map_or(REFUSED_FIRST_MICROS, |since| micros(plain) - micros(since))
    }
}

/// How a call asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Request {
    pub(crate) cost: TokenEstimate,
    pub(crate) priority: Priority,
    /// How long it waits at most, and until when.
    pub(crate) max_wait: Option<Duration>,
    pub(crate) deadline: Option<Duration>,
    pub(crate) max_queue: Option<u32>,
}

/// When a call waits no longer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Expiry {
    pub(crate) at: Duration,
    pub(crate) reason: RejectReason,
}

/// Leave for one call, as the scheduler sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Grant {
    pub(crate) id: CallId,
    /// When it was issued.
    at: Duration,
    passage: Passage,
}

#[derive(Debug)]
struct Queued<W> {
    since: Duration,
    payload: W,
}

#[derive(Debug)]
pub(crate) struct Scheduler<W> {
    limits: Limits,
    meter: Gcra,
    window: RequestWindow,
    congestion: CongestionControl,
    /// When time under pressure was last counted.
    last_advanced: Duration,
    /// Who shares it. While they are out of reach, all of its limits, of which this part holds.
    fleet: Option<FleetStatus>,
    reduced: Option<(Limits, f64)>,
    /// Whether the user gives a probe, so that no canary is sent.
    has_probe: bool,
    budgets: Budgets,
    /// What the server's headers say of requests a minute.
    server_limit: ServerLimit,
    queue: BTreeMap<QueuePosition, Queued<W>>,
    /// What calls said that are in the line or out, if they said anything.
    details: CallTable,
    /// Those of the line who wait no longer than to a time.
    expiries: BTreeSet<(Duration, QueuePosition)>,
    in_flight: u64,
    /// How long calls are out, in the mean of the last.
    mean_latency: Duration,
    next: CallId,
    /// When an event last made it possible that somebody goes.
    unblocked_at: Duration,
    tally: SecondStats,
}

impl<W> Scheduler<W> {
    /// `offset` is the wall clock at time zero, `seed` spreads the pauses of many processes.
    pub(crate) fn new(limits: Limits, offset: Duration, seed: u64) -> Self {
        let mut meter = Gcra::new(limits.requests_per_minute.into());
        meter.set_burst(limits.burst_window);
        Self {
            limits,
            meter,
            window: RequestWindow::new(limits.requests_per_minute, limits.burst_window),
            congestion: CongestionControl::new(&limits, seed),
            last_advanced: Duration::ZERO,
            fleet: None,
            reduced: None,
            has_probe: false,
            budgets: Budgets::new(&limits),
            server_limit: ServerLimit::default(),
            queue: BTreeMap::new(),
            details: CallTable::default(),
            expiries: BTreeSet::new(),
            in_flight: 0,
            mean_latency: Duration::ZERO,
            next: 0,
            unblocked_at: Duration::ZERO,
            tally: SecondStats::new(offset),
        }
    }

    /// As they are configured.
    pub(crate) fn limits(&self) -> &Limits {
        self.reduced.as_ref().map_or(&self.limits, |(limits, _)| limits)
    }

    /// Changes the limits. The line keeps its order; the new rate holds from the next ticket on.
    pub(crate) fn set_limits(&mut self, now: Duration, limits: Limits) {
        self.advance_to(now);
        let mut limits = limits;
        if let Some((whole, share)) = &mut self.reduced {
            *whole = limits;
            limits = limits.scaled(*share);
        }
        self.limits = limits;
        self.congestion.set(now, &limits);
        self.apply_limits(now);
        self.budgets.set(now, &self.limits);
        self.meter.set_burst(limits.burst_window);
        self.window.set(limits.requests_per_minute, limits.burst_window);
        // What is leased is at the old rate.
        self.congestion.lease_mut().into_iter().for_each(Lease::retune);
        self.unblocked_at = now;
    }

    /// Has the user's probe asked in place of a canary.
    pub(crate) fn set_probe(&mut self, has_probe: bool) {
        self.has_probe = has_probe;
    }

    pub(crate) fn model(&self) -> &str {
        self.budgets.model()
    }

    /// Whether tokens are counted, and the call that is out did not say what it costs.
    pub(crate) fn has_no_estimate(&self, grant: &Grant) -> bool {
        self.budgets.count_tokens() && self.details.get(grant.id).cost == TokenEstimate::UNKNOWN
    }

    /// Whose calls these are.
    pub(crate) fn set_model(&mut self, model: &str) {
        self.budgets.set_model(model);
    }

    /// A call asks for a ticket and gets it at once, or not at all and is not counted.
    pub(crate) fn try_request(&mut self, now: Duration, wish: &Request) -> Option<Grant> {
        self.advance_to(now);
        if self.limits.enabled && wish.deadline.is_some_and(|deadline| deadline < now) {
            return None;
        }
        let price = self.budgets.reservation(wish.cost);
        if self.limits.enabled {
            if !self.queue.is_empty() {
                return None;
            }
            // Nobody was waiting: the schedule begins with this call.
            let before = std::mem::replace(&mut self.unblocked_at, now);
            if self.due(&price).is_none_or(|due| due > now) {
                self.unblocked_at = before;
                return None;
            }
        }
        self.tally.counts.requested += 1;
        self.congestion.on_requested();
        let id = self.new_id();
        Some(self.issue(id, now, now, CallState { price, ..wish.details() }))
    }

    /// A call that did not get a ticket at once joins the line.
    ///
    /// # Errors
    /// It would wait for longer than it may, as far as can be told.
    pub(crate) fn enqueue(&mut self, now: Duration, wish: &Request, payload: W) -> Result<QueuePosition, Rejected> {
        self.advance_to(now);
        self.tally.counts.requested += 1;
        self.congestion.on_requested();
        let handicap = wish.priority.handicap();
        let place = QueuePosition { rank: nanos(now + handicap) + 1, id: self.new_id() };
        self.join(now, place, wish.details(), payload);
        if let Err(rejected) = self.bounded(now, place, wish) {
            self.leave(now, place);
            self.tally.counts.rejected += 1;
            // There is a slot for the next, if it comes soon.
            self.missed_try(now);
            return Err(rejected);
        }
        Ok(place)
    }

    /// What a waiter left behind; `None` when it waits no longer.
    pub(crate) fn payload(&mut self, place: QueuePosition) -> Option<&mut W> {
        self.queue.get_mut(&place).map(|waiting| &mut waiting.payload)
    }

    /// Everybody's payload, in the order of the line.
    pub(crate) fn payloads(&self) -> impl Iterator<Item = &W> {
        self.queue.values().map(|waiting| &waiting.payload)
    }

    /// Somebody leaves the line. `false`: they were not in it.
    pub(crate) fn leave(&mut self, now: Duration, place: QueuePosition) -> bool {
        self.advance_to(now);
        if self.queue.remove(&place).is_none() {
            return false;
        }
        if let Some(until) = self.details.remove(place.id).until {
            self.expiries.remove(&(until.at, place));
        }
        true
    }

    /// Takes out of the line all whose time is over by now, or before what others left of a day is enough, and tells each by how
    /// much longer it would have waited.
    pub(crate) fn expire(&mut self, now: Duration, mut expired: impl FnMut(CallId, Rejected, W)) {
        let over = now.max(self.budgets.exhausted_until());
        while let Some(&(at, place)) = self.expiries.first()
            && at <= over
        {
            self.advance_to(now);
            let estimated_wait = self.wait_of(now, place);
            self.expiries.pop_first();
            let until = self.details.remove(place.id).until;
            if let (Some(until), Some(waiting)) = (until, self.queue.remove(&place)) {
                self.tally.counts.rejected += 1;
                expired(place.id, Rejected { reason: until.reason, estimated_wait }, waiting.payload);
            }
            self.unblocked_at = now;
        }
    }

    /// A call ended, well or with an error of its own. `false`: what it says that it used is not to be believed.
    pub(crate) fn finish(&mut self, now: Duration, grant: Grant, failed: bool, usage: Option<Usage>) -> bool {
        self.advance_to(now);
        if let Some(usage) = usage {
            self.tally.counts.used_tokens += usage.input.saturating_add(usage.output).min(MOST_TOKENS);
        }
        let price = self.details.remove(grant.id).price;
        let plausible = !self.limits.enabled || self.budgets.finish(now, grant.at, &price, usage);
        self.tally.counts.finished += 1;
        self.tally.counts.failed += u64::from(failed);
        let time = now.saturating_sub(grant.at);
        self.tally.calls.add(time);
        self.mean_latency = if self.mean_latency.is_zero() { time } else { self.mean_latency * 7 / 8 + time / 8 };
        self.on_returned(now);
        if self.congestion.on_success(now, grant.id) {
            self.unblocked_at = now;
        }
        plausible
    }

    /// Reads what the answer to a call shows of limits. `false`: some of it is not to be believed.
    pub(crate) fn apply_headers(&mut self, now: Duration, grant: &Grant, readings: &[LimitReading]) -> bool {
        if readings.is_empty() {
            return true;
        }
        self.advance_to(now);
        let mut believed = true;
        for reading in readings {
            believed &= if reading.unit == LimitUnit::Requests && reading.per != Period::Day {
                let limits = Configured { limit: u64::from(self.limits.requests_per_minute.get()), rounded: 1 };
                self.server_limit.apply_header(now, grant.at, reading, limits, self.window.due_after(grant.at))
            } else {
                self.budgets.apply_headers(now, grant.at, reading)
            };
        }
        self.apply_limits(now);
        believed
    }

    /// A call ended and nobody knows how: its future was dropped.
    pub(crate) fn abandon(&mut self, now: Duration, grant: Grant) {
        self.advance_to(now);
        // What it was charged stays: the request may have left.
        self.details.remove(grant.id);
        self.on_returned(now);
        self.congestion.drop_canary(now, grant.id);
    }

    /// A ticket was issued, and then the call was not made at all: its part of the rate is given back too.
    pub(crate) fn cancel(&mut self, now: Duration, grant: Grant) {
        self.advance_to(now);
        self.on_returned(now);
        self.meter.refund(1);
        self.congestion.cancel(now, grant.id);
        self.window.cancel(grant.at);
        let price = self.details.remove(grant.id).price;
        self.budgets.refund(grant.at, &price);
        self.unblocked_at = now;
    }

    /// A call came back refused and joins the line again, before all that were never refused.
    pub(crate) fn requeue(&mut self, now: Duration, grant: Grant, verdict: &Verdict, payload: W) -> QueuePosition {
        self.advance_to(now);
        self.tally.counts.rate_limited += 1;
        self.tally.counts.overloaded += u64::from(matches!(verdict, Verdict::Overloaded { .. }));
        self.congestion.on_refusal(now, grant.at);
        let details = self.details.remove(grant.id);
        self.budgets.refuse(now, grant.at, &details.price);
        self.on_returned(now);
        let place = QueuePosition { rank: 0, id: grant.id };
        let details = CallState { price: Reservation::default(), ..details };
        self.pause(now, Some(&grant), verdict);
        self.join(now, place, details, payload);
        place
    }

    /// A refusal was seen that belongs to no ticket.
    pub(crate) fn on_unattributed_refusal(&mut self, now: Duration, verdict: &Verdict) {
        self.advance_to(now);
        self.pause(now, None, verdict);
    }

    /// The user's probe has answered; `blocked`: the server still refuses.
    pub(crate) fn probed(&mut self, now: Duration, blocked: bool) {
        self.advance_to(now);
        if self.congestion.probed(now, blocked) {
            self.unblocked_at = now;
        }
    }

    /// Issues every ticket that is due, in the order of the line, and hands each with its waiter's payload to `issued`.
    /// `true`: the user's probe is to be asked now, and its answer brought to [`probed`](Self::probed).
    #[must_use]
    pub(crate) fn advance(&mut self, now: Duration, mut issued: impl FnMut(Grant, W)) -> bool {
        self.advance_to(now);
        while let Some((&place, waiting)) = self.queue.first_key_value() {
            let since = waiting.since;
            let details = self.details.get(place.id);
            let price = self.budgets.reservation(details.cost);
            let scheduled = match (self.scheduled(), self.due(&price)) {
                _ if !self.limits.enabled => now,
                (Some(scheduled), Some(due)) if due <= now => scheduled,
                _ => break,
            };
            if self.has_probe && self.congestion.probe() {
                return true;
            }
            let Some((_, waiting)) = self.queue.pop_first() else {
                break;
            };
            if let Some(until) = details.until {
                self.expiries.remove(&(until.at, place));
            }
            let late = now.saturating_sub(scheduled) > MOST_LATENESS;
            let patience = details.patience.map(|left| left.saturating_sub(now.saturating_sub(since)));
            let details = CallState { patience, until: None, ..details };
            let grant = self.issue(place.id, if late { now } else { scheduled }, now, CallState { price, ..details });
            if now.saturating_sub(scheduled) > lease::MOST_LATENESS {
                self.congestion.lease_mut().into_iter().for_each(|lease| lease.drop_late_slots(now));
            }
            self.tally.waits.add(now.saturating_sub(since));
            issued(grant, waiting.payload);
        }
        false
    }

    /// When to call [`advance`](Self::advance) again if nothing else happens. `None`: not before something does.
    pub(crate) fn deadline(&self) -> Option<Duration> {
        let (first, _) = self.queue.first_key_value()?;
        let due = self.congestion.accepted_at().or_else(|| {
            let due = self.due(&self.reservation_of(*first))?;
            // What headers say holds for a time.
            let rises = self.budgets.rises_at().into_iter().chain(self.server_limit.rises_at()).min();
            Some(rises.filter(|rises| *rises > self.last_advanced).map_or(due, |rises| due.min(rises)))
        });
        let expiry = self.expiries.first().map(|(at, _)| *at);
        due.into_iter().chain(expiry).min()
    }

    /// Keeps the seconds that end, for [`seconds`](Self::seconds) to take, or stops to.
    pub(crate) fn record(&mut self, now: Duration, recording: bool) {
        self.advance_to(now);
        self.tally.record(recording);
    }

    /// Takes the seconds that are over; with `all`, also the one under way.
    pub(crate) fn seconds(&mut self, now: Duration, all: bool) -> Vec<Second> {
        self.advance_to(now);
        if all {
            let standing = self.gauges(now);
            self.tally.close(&standing);
        }
        self.tally.take()
    }

    pub(crate) fn queue_length(&self) -> usize {
        self.queue.len()
    }

    /// The rate allowed now, in calls a second; zero while paused.
    pub(crate) fn rate(&self) -> f64 {
        self.congestion.rate()
    }

    /// Where the server refused last, for the rate in calls a minute and for the calls in flight.
    pub(crate) fn ceilings(&self) -> (Option<f64>, Option<f64>) {
        self.congestion.ceilings()
    }

    /// Begins with the ceilings of an earlier run.
    pub(crate) fn restore(&mut self, now: Duration, rate: Option<f64>, in_flight: Option<f64>) {
        self.advance_to(now);
        // Those who share know better than an earlier run.
        if self.limits.adaptive
            && let Some(own) = self.congestion.local()
        {
            own.restore(rate, in_flight);
            self.apply_limits(now);
        }
    }

    /// What the budgets of days have taken, by age, oldest first.
    pub(crate) fn day_usage(&mut self, now: Duration) -> Vec<(Kind, Vec<(Duration, u64)>)> {
        self.budgets.day_usage(now)
    }

    /// Counts what an earlier run took of a day.
    pub(crate) fn restore_day(&mut self, now: Duration, kind: Kind, age: Duration, amount: u64) {
        self.advance_to(now);
        self.budgets.restore(now, kind, age, amount);
    }

    pub(crate) fn gauges(&mut self, now: Duration) -> Gauges {
        // Cut off from those who share it, all of it is told, as before.
        let (whole, part) =
            self.reduced.map_or((self.limits, 1.0), |(whole, part)| (whole, part.max(f64::MIN_POSITIVE)));
        Gauges {
            overflow: self.queue.len() as u64,
            in_flight: self.in_flight,
            rate: self.rate(),
            paused_for: self.paused_for(now),
            time_left: (!self.queue.is_empty()).then(|| self.time_left(now)),
            limit: f64::from(whole.requests_per_minute.get()) / 60.0,
            held: self.bottleneck(now),
            budgets: self.budgets.status_of(now, &whole, part),
            fleet: self.fleet,
            learned_rate: self.congestion.adapted_rate().map(|per_minute| per_minute / part / 60.0),
            learned_in_flight: self.congestion.adapted_in_flight().map(|calls| (calls / part).round()),
        }
    }

    /// What is left of a pause.
    pub(crate) fn paused_for(&self, now: Duration) -> Option<Duration> {
        self.congestion.paused_for(now)
    }

    /// Brings gate, budgets and tally to `now`, before anything changes: second by second while the ramp rises.
    pub(crate) fn advance_to(&mut self, now: Duration) {
        while !self.queue.is_empty()
            && !self.is_at_in_flight_limit()
            && let Some(at) = self.congestion.local().and_then(|own| own.ramp_changes_at())
            && at < now
            && at > self.last_advanced
        {
            self.advance_second(at);
        }
        self.advance_second(now);
    }

    fn advance_second(&mut self, now: Duration) {
        if let Some(at) = self.congestion.local().and_then(|own| own.expire_canary(now)) {
            self.unblocked_at = at;
        }
        let flowing = self.congestion.is_flowing(now) && !self.queue.is_empty();
        self.congestion.advance_to(now, flowing && !self.is_at_in_flight_limit());
        let time = now.saturating_sub(std::mem::replace(&mut self.last_advanced, now));
        if !self.budgets.is_empty() {
            self.budgets.advance_to(now);
        }
        if self.server_limit.advance_to(now) {
            self.apply_limits(now);
        }
        if flowing {
            self.on_backlogged(now, time);
        }
        if self.tally.is_over(now) {
            let standing = self.gauges(now);
            self.tally.advance_to(now, &standing);
        }
    }

    /// Calls have waited for such a time. Those who share a limiter count that together.
    fn on_backlogged(&mut self, now: Duration, time: Duration) {
        let (is_full, budget) = (self.is_at_in_flight_limit(), self.exhausted_budget());
        if let Some(lease) = self.congestion.lease_mut() {
            let limit = if is_full { IN_FLIGHT } else { budget.map_or(REQUESTS, Kind::key) };
            return lease.on_backlogged(limit, time);
        }
        let Some(own) = self.congestion.local() else { return };
        match budget {
            _ if is_full => own.on_backlogged_in_flight(time),
            Some(kind) => return self.budgets.on_backlogged(now, kind, time),
            None => own.on_backlogged_rate(time),
        }
        self.apply_limits(now);
    }

    /// What the first in the line waits for.
    fn bottleneck(&self, now: Duration) -> Option<Bottleneck> {
        if self.queue.is_empty() {
            return None;
        }
        let limit = self.limits.requests_per_minute;
        Some(match self.exhausted_budget() {
            _ if self.waits_for_fleet() => Bottleneck::Fleet,
            _ if !self.congestion.is_flowing(now) => Bottleneck::Pause,
            _ if self.is_at_in_flight_limit() => Bottleneck::InFlight,
            Some(kind) => self.budgets.bottleneck(now, kind),
            None => {
                self.congestion.bottleneck(self.meter.due(), limit, self.server_limit.pace(now, limit.get().into()))
            }
        })
    }

    /// The budget that the first in the line waits for, if it waits for none of the others as long.
    fn exhausted_budget(&self) -> Option<Kind> {
        if self.budgets.is_empty() {
            return None;
        }
        let (first, _) = self.queue.first_key_value()?;
        // Room is granted together with slots: without them it is the server that knows the reason.
        let has_slots = self.congestion.lease().is_none_or(|lease| lease.due().is_some());
        if has_slots && let Some(kind) = self.budgets.first_exhausted(&self.reservation_of(*first)) {
            return Some(kind);
        }
        if let Some(key) = self.congestion.lease().and_then(|lease| lease.grant.bottleneck.as_deref()) {
            return self.budgets.named(key);
        }
        let (due, budget) = self.budgets.binding(&self.reservation_of(*first))?;
        let others = self.meter.due().max(self.congestion.ramp_due()).max(self.window.due());
        (due > others).then_some(budget.kind)
    }

    fn new_id(&mut self) -> CallId {
        self.next += 1;
        self.next
    }

    /// What one in the line costs.
    fn reservation_of(&self, place: QueuePosition) -> Reservation {
        self.budgets.reservation(self.details.get(place.id).cost)
    }

    fn join(&mut self, now: Duration, place: QueuePosition, mut details: CallState, payload: W) {
        details.until = details.expiry(now);
        if self.queue.is_empty() {
            self.unblocked_at = now;
        }
        if let Some(until) = details.until {
            self.expiries.insert((until.at, place));
        }
        self.details.keep(place.id, details);
        self.queue.insert(place, Queued { since: now, payload });
    }

    fn is_at_in_flight_limit(&self) -> bool {
        self.congestion.is_full(self.in_flight)
    }

    /// Takes over what was learned.
    fn apply_limits(&mut self, now: Duration) {
        let limit = self.limits.requests_per_minute;
        let served = self.server_limit.pace(now, limit.get().into());
        let pace = self.congestion.apply_limits(limit, served);
        self.meter.set_rate(now, pace.into());
    }

    /// Takes from a refusal that begins an episode what it teaches.
    fn adapt(&mut self, now: Duration, verdict: &Verdict) {
        self.meter.drop_burst(now);
        let Verdict::RateLimited { limit: scope, .. } = verdict else {
            // The server is busy with everybody: our rate is not at fault.
            return;
        };
        if !self.limits.adaptive {
            return;
        }
        let Some(own) = self.congestion.local() else { return };
        match scope {
            LimitKind::Concurrency => own.adapt_in_flight(self.in_flight),
            // The ramp, which starts anew, is the answer to growth; no rate is the answer to a spent day.
            LimitKind::Growth | LimitKind::Daily | LimitKind::Billing => {}
            // Fewer tokens are, and not fewer calls, where they are budgeted.
            scope if self.budgets.adapt(now, *scope) => {}
            _ => own.adapt_rate(now),
        }
        self.apply_limits(now);
    }

    /// When the head of the line may go, whoever it is. `None`: not before something else happens.
    fn due(&self, price: &Reservation) -> Option<Duration> {
        if self.budgets.first_exhausted(price).is_some() {
            return None;
        }
        Some(self.scheduled()?.max(self.window.due()).max(self.budgets.due(price)))
    }

    /// When the head of the line would go if timers were exact. The window and the ledgers of budgets only hold back what
    /// would be too much, and do not move the schedule.
    fn scheduled(&self) -> Option<Duration> {
        if self.is_at_in_flight_limit() {
            return None;
        }
        let rate = self.meter.due().max(self.congestion.due()?);
        Some(rate.max(self.budgets.scheduled()).max(self.unblocked_at))
    }

    fn issue(&mut self, id: CallId, slot: Duration, now: Duration, mut details: CallState) -> Grant {
        let mut passage = self.congestion.unpaced_passage();
        if self.limits.enabled {
            passage = self.congestion.admit(now, slot, id);
            self.meter.admit(slot, 1);
            self.budgets.charge(now, slot, &mut details.price);
            self.window.admit(now);
        }
        self.in_flight += 1;
        self.tally.counts.issued += 1;
        let TokenCharge { input, output, total } = details.price.thought;
        self.tally.counts.reserved_tokens += total.max(input.saturating_add(output));
        self.details.keep(id, details);
        Grant { id, at: now, passage }
    }

    /// The server refused a call, or one that is none of ours: nobody goes.
    fn pause(&mut self, now: Duration, of: Option<&Grant>, verdict: &Verdict) {
        let Some(own) = self.congestion.local() else {
            return self.refused_in_fleet(of.map(|grant| (grant, now.saturating_sub(grant.at))), now, verdict);
        };
        let is_new = own.starts_episode(of.map(|grant| (grant.id, grant.passage.episode)));
        // That a canary is refused teaches nothing of the rate.
        if is_new && of.is_none_or(|grant| !grant.passage.is_canary) {
            self.adapt(now, verdict);
        }
        if let Some(own) = self.congestion.local().filter(|_| self.limits.enabled) {
            own.pause(now, verdict.retry_after(), is_new);
        }
    }

    /// A call is out no longer.
    fn on_returned(&mut self, now: Duration) {
        if self.is_at_in_flight_limit() {
            self.unblocked_at = now;
        }
        self.in_flight -= 1;
    }
}

/// What a row counts at most of one call.
const MOST_TOKENS: u64 = 1 << 48;

impl Request {
    pub(crate) const PLAIN: Self = Self {
        cost: TokenEstimate::UNKNOWN,
        priority: Priority::Normal,
        max_wait: None,
        deadline: None,
        max_queue: None,
    };

    fn details(&self) -> CallState {
        let Self { cost, max_wait, deadline, .. } = *self;
        CallState { cost, patience: max_wait, deadline, ..CallState::default() }
    }
}

#[cfg(test)]
impl<W> Scheduler<W> {
    /// Makes pauses exact.
    pub(crate) fn disable_jitter(&mut self) {
        self.congestion.disable_jitter();
    }

    /// How many pauses have begun.
    pub(crate) fn episode(&self) -> u64 {
        self.congestion.episode()
    }
}

#[cfg(test)]
mod tests;
