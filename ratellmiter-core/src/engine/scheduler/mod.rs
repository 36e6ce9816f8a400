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
        budgets::{Budgets, Price},
        call_state::{AllDetails, Details},
        congestion::{Gate, Passage, REQUESTS},
        lease::{self, Fleet, IN_FLIGHT, Lease},
        pace::{
            gcra::{Meter, nanos},
            request_window::Window,
            server_limit::{Configured, Served},
        },
        stats::{Second, Standing, Tally},
    },
    judge::{Per, Reading, Scope, Unit, Verdict},
    limits::{
        Limits,
        cost::Cost,
        request::{Priority, Reason, Rejected},
    },
    log::row::{Held, Meter as Kind},
    providers::{contract::Charge, usage::Usage},
};

/// Names a call from its first asking to its end; smaller is older.
pub(crate) type Id = u64;

/// How far behind its schedule a limiter makes up for lost time. When it is further behind, the schedule begins anew.
const MOST_LATENESS: Duration = Duration::from_millis(100);

/// Who was refused goes first, as if it had waited for so many microseconds.
const LONGEST_WAIT: i64 = 1 << 50;

/// A place in the line. The order of places is the order of the line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    /// Zero for who was refused, else when it counts as having asked, in nanoseconds, and one.
    rank: u64,
    pub(crate) id: Id,
}

impl Place {
    /// For how many microseconds it counts as having waited: less than none if a plain call that asks now would go before it.
    fn waited(self, now: Duration) -> i64 {
        let micros = |nanos: u64| i64::try_from(nanos / 1000).unwrap_or(i64::MAX);
        let plain = nanos(now + Priority::Normal.handicap());
        self.rank.checked_sub(1).map_or(LONGEST_WAIT, |since| micros(plain) - micros(since))
    }
}

/// How a call asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Wish {
    pub(crate) cost: Cost,
    pub(crate) priority: Priority,
    /// How long it waits at most, and until when.
    pub(crate) max_wait: Option<Duration>,
    pub(crate) deadline: Option<Duration>,
    pub(crate) max_line: Option<u32>,
}

/// When a call waits no longer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Until {
    pub(crate) at: Duration,
    pub(crate) reason: Reason,
}

/// Leave for one call, as the scheduler sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Grant {
    pub(crate) id: Id,
    /// When it was issued.
    at: Duration,
    passage: Passage,
}

#[derive(Debug)]
struct Waiting<W> {
    since: Duration,
    payload: W,
}

#[derive(Debug)]
pub(crate) struct Scheduler<W> {
    limits: Limits,
    meter: Meter,
    window: Window,
    gate: Gate,
    /// When time under pressure was last counted.
    rolled: Duration,
    /// Who shares it. While they are out of reach, all of its limits, of which this part holds.
    fleet: Option<Fleet>,
    degraded: Option<(Limits, f64)>,
    /// Whether the user gives a probe, so that no canary is sent.
    has_probe: bool,
    budgets: Budgets,
    /// What the server's headers say of requests a minute.
    served: Served,
    line: BTreeMap<Place, Waiting<W>>,
    /// What calls said that are in the line or out, if they said anything.
    details: AllDetails,
    /// Those of the line who wait no longer than to a time.
    expiries: BTreeSet<(Duration, Place)>,
    in_flight: u64,
    /// How long calls are out, in the mean of the last.
    call_time: Duration,
    next: Id,
    /// When an event last made it possible that somebody goes.
    unblocked: Duration,
    tally: Tally,
}

impl<W> Scheduler<W> {
    /// `offset` is the wall clock at time zero, `seed` spreads the pauses of many processes.
    pub(crate) fn new(limits: Limits, offset: Duration, seed: u64) -> Self {
        let limits = limits.checked();
        let mut meter = Meter::new(limits.requests_per_minute.into());
        meter.set_burst(limits.burst);
        Self {
            limits,
            meter,
            window: Window::new(limits.requests_per_minute, limits.burst),
            gate: Gate::new(&limits, seed),
            rolled: Duration::ZERO,
            fleet: None,
            degraded: None,
            has_probe: false,
            budgets: Budgets::new(&limits),
            served: Served::default(),
            line: BTreeMap::new(),
            details: AllDetails::default(),
            expiries: BTreeSet::new(),
            in_flight: 0,
            call_time: Duration::ZERO,
            next: 0,
            unblocked: Duration::ZERO,
            tally: Tally::new(offset),
        }
    }

    /// As they are configured.
    pub(crate) fn limits(&self) -> &Limits {
        self.degraded.as_ref().map_or(&self.limits, |(limits, _)| limits)
    }

    /// Changes the limits. The line keeps its order; the new rate holds from the next ticket on.
    pub(crate) fn set_limits(&mut self, now: Duration, limits: Limits) {
        self.roll(now);
        let mut limits = limits.checked();
        if let Some((whole, share)) = &mut self.degraded {
            *whole = limits;
            limits = limits.part(*share);
        }
        self.limits = limits;
        self.gate.set(now, &limits);
        self.relearn(now);
        self.budgets.set(now, &self.limits);
        self.meter.set_burst(limits.burst);
        self.window.set(limits.requests_per_minute, limits.burst);
        // What is leased is at the old rate.
        self.gate.lease_mut().into_iter().for_each(Lease::retune);
        self.unblocked = now;
    }

    /// Has the user's probe asked in place of a canary.
    pub(crate) fn set_probe(&mut self, has_probe: bool) {
        self.has_probe = has_probe;
    }

    pub(crate) fn model(&self) -> &str {
        self.budgets.model()
    }

    /// Whether tokens are counted, and the call that is out did not say what it costs.
    pub(crate) fn is_told_nothing(&self, grant: &Grant) -> bool {
        self.budgets.count_tokens() && self.details.get(grant.id).cost == Cost::UNKNOWN
    }

    /// Whose calls these are.
    pub(crate) fn set_model(&mut self, model: &str) {
        self.budgets.set_model(model);
    }

    /// A call asks for a ticket and gets it at once, or not at all and is not counted.
    pub(crate) fn try_request(&mut self, now: Duration, wish: &Wish) -> Option<Grant> {
        self.roll(now);
        if self.limits.enabled && wish.deadline.is_some_and(|deadline| deadline < now) {
            return None;
        }
        let price = self.budgets.price(wish.cost);
        if self.limits.enabled {
            if !self.line.is_empty() {
                return None;
            }
            // Nobody was waiting: the schedule begins with this call.
            let before = std::mem::replace(&mut self.unblocked, now);
            if self.due(&price).is_none_or(|due| due > now) {
                self.unblocked = before;
                return None;
            }
        }
        self.tally.counts.requested += 1;
        self.gate.asked();
        let id = self.new_id();
        Some(self.issue(id, now, now, Details { price, ..wish.details() }))
    }

    /// A call that did not get a ticket at once joins the line.
    ///
    /// # Errors
    /// It would wait for longer than it may, as far as can be told.
    pub(crate) fn enqueue(&mut self, now: Duration, wish: &Wish, payload: W) -> Result<Place, Rejected> {
        self.roll(now);
        self.tally.counts.requested += 1;
        self.gate.asked();
        let handicap = wish.priority.handicap();
        let place = Place { rank: nanos(now + handicap) + 1, id: self.new_id() };
        self.join(now, place, wish.details(), payload);
        if let Err(rejected) = self.bounded(now, place, wish) {
            self.leave(now, place);
            self.tally.counts.rejected += 1;
            // There is a slot for the next, if it comes soon.
            self.tried(now);
            return Err(rejected);
        }
        Ok(place)
    }

    /// What a waiter left behind; `None` when it waits no longer.
    pub(crate) fn payload(&mut self, place: Place) -> Option<&mut W> {
        self.line.get_mut(&place).map(|waiting| &mut waiting.payload)
    }

    /// Everybody's payload, in the order of the line.
    pub(crate) fn payloads(&self) -> impl Iterator<Item = &W> {
        self.line.values().map(|waiting| &waiting.payload)
    }

    /// Somebody leaves the line. `false`: they were not in it.
    pub(crate) fn leave(&mut self, now: Duration, place: Place) -> bool {
        self.roll(now);
        if self.line.remove(&place).is_none() {
            return false;
        }
        if let Some(until) = self.details.take(place.id).until {
            self.expiries.remove(&(until.at, place));
        }
        true
    }

    /// Takes out of the line all whose time is over by now, or before what others left of a day is enough, and tells each by how
    /// much longer it would have waited.
    pub(crate) fn expire(&mut self, now: Duration, mut expired: impl FnMut(Id, Rejected, W)) {
        let over = now.max(self.budgets.spent_until());
        while let Some(&(at, place)) = self.expiries.first()
            && at <= over
        {
            self.roll(now);
            let estimated_wait = self.wait_of(now, place);
            self.expiries.pop_first();
            let until = self.details.take(place.id).until;
            if let (Some(until), Some(waiting)) = (until, self.line.remove(&place)) {
                self.tally.counts.rejected += 1;
                expired(place.id, Rejected { reason: until.reason, estimated_wait }, waiting.payload);
            }
            self.unblocked = now;
        }
    }

    /// A call ended, well or with an error of its own. `false`: what it says that it used is not to be believed.
    pub(crate) fn finish(&mut self, now: Duration, grant: Grant, failed: bool, usage: Option<Usage>) -> bool {
        self.roll(now);
        if let Some(usage) = usage {
            self.tally.counts.used_tokens += usage.input.saturating_add(usage.output).min(MOST_TOKENS);
        }
        let price = self.details.take(grant.id).price;
        let plausible = !self.limits.enabled || self.budgets.finish(now, grant.at, &price, usage);
        self.tally.counts.finished += 1;
        self.tally.counts.failed += u64::from(failed);
        let time = now.saturating_sub(grant.at);
        self.tally.calls.add(time);
        self.call_time = if self.call_time.is_zero() { time } else { self.call_time * 7 / 8 + time / 8 };
        self.returned(now);
        if self.gate.ended(now, grant.id) {
            self.unblocked = now;
        }
        plausible
    }

    /// Reads what the answer to a call shows of limits. `false`: some of it is not to be believed.
    pub(crate) fn read(&mut self, now: Duration, grant: &Grant, readings: &[Reading]) -> bool {
        if readings.is_empty() {
            return true;
        }
        self.roll(now);
        let mut believed = true;
        for reading in readings {
            believed &= if reading.unit == Unit::Requests && reading.per != Per::Day {
                let limits = Configured { limit: u64::from(self.limits.requests_per_minute.get()), rounded: 1 };
                self.served.read(now, grant.at, reading, limits, self.window.after(grant.at))
            } else {
                self.budgets.read(now, grant.at, reading)
            };
        }
        self.relearn(now);
        believed
    }

    /// A call ended and nobody knows how: its future was dropped.
    pub(crate) fn abandon(&mut self, now: Duration, grant: Grant) {
        self.roll(now);
        // What it was charged stays: the request may have left.
        self.details.take(grant.id);
        self.returned(now);
        self.gate.lost(now, grant.id);
    }

    /// A ticket was issued, and then the call was not made at all: its part of the rate is given back too.
    pub(crate) fn give_back(&mut self, now: Duration, grant: Grant) {
        self.roll(now);
        self.returned(now);
        self.meter.give_back(1);
        self.gate.give_back(now, grant.id);
        self.window.give_back(grant.at);
        let price = self.details.take(grant.id).price;
        self.budgets.give_back(grant.at, &price);
        self.unblocked = now;
    }

    /// A call came back refused and joins the line again, before all that were never refused.
    pub(crate) fn refuse(&mut self, now: Duration, grant: Grant, verdict: &Verdict, payload: W) -> Place {
        self.roll(now);
        self.tally.counts.rate_limited += 1;
        self.tally.counts.overloaded += u64::from(matches!(verdict, Verdict::Overloaded { .. }));
        self.gate.saw_refusal(now, grant.at);
        let details = self.details.take(grant.id);
        self.budgets.refuse(now, grant.at, &details.price);
        self.returned(now);
        let place = Place { rank: 0, id: grant.id };
        let details = Details { price: Price::default(), ..details };
        self.pause(now, Some(&grant), verdict);
        self.join(now, place, details, payload);
        place
    }

    /// A refusal was seen that belongs to no ticket.
    pub(crate) fn refused_elsewhere(&mut self, now: Duration, verdict: &Verdict) {
        self.roll(now);
        self.pause(now, None, verdict);
    }

    /// The user's probe has answered; `blocked`: the server still refuses.
    pub(crate) fn probed(&mut self, now: Duration, blocked: bool) {
        self.roll(now);
        if self.gate.probed(now, blocked) {
            self.unblocked = now;
        }
    }

    /// Issues every ticket that is due, in the order of the line, and hands each with its waiter's payload to `issued`.
    /// `true`: the user's probe is to be asked now, and its answer brought to [`probed`](Self::probed).
    #[must_use]
    pub(crate) fn advance(&mut self, now: Duration, mut issued: impl FnMut(Grant, W)) -> bool {
        self.roll(now);
        while let Some((&place, waiting)) = self.line.first_key_value() {
            let since = waiting.since;
            let details = self.details.get(place.id);
            let price = self.budgets.price(details.cost);
            let scheduled = match (self.scheduled(), self.due(&price)) {
                _ if !self.limits.enabled => now,
                (Some(scheduled), Some(due)) if due <= now => scheduled,
                _ => break,
            };
            if self.has_probe && self.gate.probe() {
                return true;
            }
            let Some((_, waiting)) = self.line.pop_first() else {
                break;
            };
            if let Some(until) = details.until {
                self.expiries.remove(&(until.at, place));
            }
            let late = now.saturating_sub(scheduled) > MOST_LATENESS;
            let patience = details.patience.map(|left| left.saturating_sub(now.saturating_sub(since)));
            let details = Details { patience, until: None, ..details };
            let grant = self.issue(place.id, if late { now } else { scheduled }, now, Details { price, ..details });
            if now.saturating_sub(scheduled) > lease::MOST_LATENESS {
                self.gate.lease_mut().into_iter().for_each(|lease| lease.drop_late_slots(now));
            }
            self.tally.waits.add(now.saturating_sub(since));
            issued(grant, waiting.payload);
        }
        false
    }

    /// When to call [`advance`](Self::advance) again if nothing else happens. `None`: not before something does.
    pub(crate) fn deadline(&self) -> Option<Duration> {
        let (first, _) = self.line.first_key_value()?;
        let due = self.gate.accepted_at().or_else(|| {
            let due = self.due(&self.price_of(*first))?;
            // What headers say holds for a time.
            let rises = self.budgets.until().into_iter().chain(self.served.until()).min();
            Some(rises.filter(|rises| *rises > self.rolled).map_or(due, |rises| due.min(rises)))
        });
        let expiry = self.expiries.first().map(|(at, _)| *at);
        due.into_iter().chain(expiry).min()
    }

    /// Keeps the seconds that end, for [`seconds`](Self::seconds) to take, or stops to.
    pub(crate) fn record(&mut self, now: Duration, recording: bool) {
        self.roll(now);
        self.tally.record(recording);
    }

    /// Takes the seconds that are over; with `all`, also the one under way.
    pub(crate) fn seconds(&mut self, now: Duration, all: bool) -> Vec<Second> {
        self.roll(now);
        if all {
            let standing = self.standing(now);
            self.tally.close(&standing);
        }
        self.tally.take()
    }

    pub(crate) fn line_length(&self) -> usize {
        self.line.len()
    }

    /// The rate allowed now, in calls a second; zero while paused.
    pub(crate) fn rate(&self) -> f64 {
        self.gate.rate()
    }

    /// Where the server refused last, for the rate in calls a minute and for the calls in flight.
    pub(crate) fn ceilings(&self) -> (Option<f64>, Option<f64>) {
        self.gate.ceilings()
    }

    /// Begins with the ceilings of an earlier run.
    pub(crate) fn restore(&mut self, now: Duration, rate: Option<f64>, in_flight: Option<f64>) {
        self.roll(now);
        // Those who share know better than an earlier run.
        if self.limits.learn
            && let Some(own) = self.gate.own()
        {
            own.restore(rate, in_flight);
            self.relearn(now);
        }
    }

    /// What the budgets of days have taken, by age, oldest first.
    pub(crate) fn days(&mut self, now: Duration) -> Vec<(Kind, Vec<(Duration, u64)>)> {
        self.budgets.days(now)
    }

    /// Counts what an earlier run took of a day.
    pub(crate) fn restore_day(&mut self, now: Duration, kind: Kind, age: Duration, amount: u64) {
        self.roll(now);
        self.budgets.restore(now, kind, age, amount);
    }

    pub(crate) fn standing(&mut self, now: Duration) -> Standing {
        // Cut off from those who share it, all of it is told, as before.
        let (whole, part) =
            self.degraded.map_or((self.limits, 1.0), |(whole, part)| (whole, part.max(f64::MIN_POSITIVE)));
        Standing {
            overflow: self.line.len() as u64,
            in_flight: self.in_flight,
            rate: self.rate(),
            paused_for: self.paused_for(now),
            time_left: (!self.line.is_empty()).then(|| self.time_left(now)),
            limit: f64::from(whole.requests_per_minute.get()) / 60.0,
            held: self.held(now),
            budgets: self.budgets.levels_of(now, &whole, part),
            fleet: self.fleet,
            learned_rate: self.gate.learned_rate().map(|per_minute| per_minute / part / 60.0),
            learned_in_flight: self.gate.learned_in_flight().map(|calls| (calls / part).round()),
        }
    }

    /// What is left of a pause.
    pub(crate) fn paused_for(&self, now: Duration) -> Option<Duration> {
        self.gate.paused_for(now)
    }

    /// Brings gate, budgets and tally to `now`, before anything changes: second by second while the ramp rises.
    pub(crate) fn roll(&mut self, now: Duration) {
        while !self.line.is_empty()
            && !self.full()
            && let Some(at) = self.gate.own().and_then(|own| own.ramp_changes_at())
            && at < now
            && at > self.rolled
        {
            self.roll_to(at);
        }
        self.roll_to(now);
    }

    fn roll_to(&mut self, now: Duration) {
        if let Some(at) = self.gate.own().and_then(|own| own.settle(now)) {
            self.unblocked = at;
        }
        let flowing = self.gate.is_flowing(now) && !self.line.is_empty();
        self.gate.roll(now, flowing && !self.full());
        let time = now.saturating_sub(std::mem::replace(&mut self.rolled, now));
        if !self.budgets.is_empty() {
            self.budgets.roll(now);
        }
        if self.served.roll(now) {
            self.relearn(now);
        }
        if flowing {
            self.pressed(now, time);
        }
        if self.tally.is_over(now) {
            let standing = self.standing(now);
            self.tally.roll(now, &standing);
        }
    }

    /// Calls have waited for such a time. Those who share a limiter count that together.
    fn pressed(&mut self, now: Duration, time: Duration) {
        let (is_full, budget) = (self.full(), self.held_by_budget());
        if let Some(lease) = self.gate.lease_mut() {
            let limit = if is_full { IN_FLIGHT } else { budget.map_or(REQUESTS, Kind::key) };
            return lease.backlogged(limit, time);
        }
        let Some(own) = self.gate.own() else { return };
        match budget {
            _ if is_full => own.pressed_in_flight(time),
            Some(kind) => return self.budgets.pressed(now, kind, time),
            None => own.pressed_rate(time),
        }
        self.relearn(now);
    }

    /// What the first in the line waits for.
    fn held(&self, now: Duration) -> Option<Held> {
        if self.line.is_empty() {
            return None;
        }
        let limit = self.limits.requests_per_minute;
        Some(match self.held_by_budget() {
            _ if self.waits_for_fleet() => Held::Fleet,
            _ if !self.gate.is_flowing(now) => Held::Pause,
            _ if self.full() => Held::InFlight,
            Some(kind) => self.budgets.held(now, kind),
            None => self.gate.held(self.meter.due(), limit, self.served.pace(now, limit.get().into())),
        })
    }

    /// The budget that the first in the line waits for, if it waits for none of the others as long.
    fn held_by_budget(&self) -> Option<Kind> {
        if self.budgets.is_empty() {
            return None;
        }
        let (first, _) = self.line.first_key_value()?;
        // Room is granted together with slots: without them it is the server that knows the reason.
        let has_slots = self.gate.lease().is_none_or(|lease| lease.due().is_some());
        if has_slots && let Some(kind) = self.budgets.lacking(&self.price_of(*first)) {
            return Some(kind);
        }
        if let Some(key) = self.gate.lease().and_then(|lease| lease.grant.bottleneck.as_deref()) {
            return self.budgets.named(key);
        }
        let (due, budget) = self.budgets.binding(&self.price_of(*first))?;
        let others = self.meter.due().max(self.gate.opens()).max(self.window.due());
        (due > others).then_some(budget.kind)
    }

    fn new_id(&mut self) -> Id {
        self.next += 1;
        self.next
    }

    /// What one in the line costs.
    fn price_of(&self, place: Place) -> Price {
        self.budgets.price(self.details.get(place.id).cost)
    }

    fn join(&mut self, now: Duration, place: Place, mut details: Details, payload: W) {
        details.until = details.until(now);
        if self.line.is_empty() {
            self.unblocked = now;
        }
        if let Some(until) = details.until {
            self.expiries.insert((until.at, place));
        }
        self.details.keep(place.id, details);
        self.line.insert(place, Waiting { since: now, payload });
    }

    fn full(&self) -> bool {
        self.gate.is_full(self.in_flight)
    }

    /// Takes over what was learned.
    fn relearn(&mut self, now: Duration) {
        let limit = self.limits.requests_per_minute;
        let served = self.served.pace(now, limit.get().into());
        let pace = self.gate.relearn(limit, served);
        self.meter.set_rate(now, pace.into());
    }

    /// Takes from a refusal that begins an episode what it teaches.
    fn learn(&mut self, now: Duration, verdict: &Verdict) {
        self.meter.forget_saved(now);
        let Verdict::RateLimited { scope, .. } = verdict else {
            // The server is busy with everybody: our rate is not at fault.
            return;
        };
        if !self.limits.learn {
            return;
        }
        let Some(own) = self.gate.own() else { return };
        match scope {
            Scope::Concurrency => own.learn_in_flight(self.in_flight),
            // The ramp, which starts anew, is the answer to growth; no rate is the answer to a spent day.
            Scope::Acceleration | Scope::Day | Scope::Billing => {}
            // Fewer tokens are, and not fewer calls, where they are budgeted.
            scope if self.budgets.learn(now, *scope) => {}
            _ => own.learn_rate(now),
        }
        self.relearn(now);
    }

    /// When the head of the line may go, whoever it is. `None`: not before something else happens.
    fn due(&self, price: &Price) -> Option<Duration> {
        if self.budgets.lacking(price).is_some() {
            return None;
        }
        Some(self.scheduled()?.max(self.window.due()).max(self.budgets.due(price)))
    }

    /// When the head of the line would go if timers were exact. The window and the ledgers of budgets only hold back what
    /// would be too much, and do not move the schedule.
    fn scheduled(&self) -> Option<Duration> {
        if self.full() {
            return None;
        }
        let rate = self.meter.due().max(self.gate.due()?);
        Some(rate.max(self.budgets.scheduled()).max(self.unblocked))
    }

    fn issue(&mut self, id: Id, slot: Duration, now: Duration, mut details: Details) -> Grant {
        let mut passage = self.gate.pass();
        if self.limits.enabled {
            passage = self.gate.take(now, slot, id);
            self.meter.take(slot, 1);
            self.budgets.take(now, slot, &mut details.price);
            self.window.take(now);
        }
        self.in_flight += 1;
        self.tally.counts.issued += 1;
        let Charge { input, output, total } = details.price.thought;
        self.tally.counts.reserved_tokens += total.max(input.saturating_add(output));
        self.details.keep(id, details);
        Grant { id, at: now, passage }
    }

    /// The server refused a call, or one that is none of ours: nobody goes.
    fn pause(&mut self, now: Duration, of: Option<&Grant>, verdict: &Verdict) {
        let Some(own) = self.gate.own() else {
            return self.refused_in_fleet(of.map(|grant| (grant, now.saturating_sub(grant.at))), now, verdict);
        };
        let is_new = own.is_new(of.map(|grant| (grant.id, grant.passage.episode)));
        // That a canary is refused teaches nothing of the rate.
        if is_new && of.is_none_or(|grant| !grant.passage.is_canary) {
            self.learn(now, verdict);
        }
        if let Some(own) = self.gate.own().filter(|_| self.limits.enabled) {
            own.pause(now, verdict.retry_after(), is_new);
        }
    }

    /// A call is out no longer.
    fn returned(&mut self, now: Duration) {
        if self.full() {
            self.unblocked = now;
        }
        self.in_flight -= 1;
    }
}

/// What a row counts at most of one call.
const MOST_TOKENS: u64 = 1 << 48;

impl Wish {
    pub(crate) const PLAIN: Self =
        Self { cost: Cost::UNKNOWN, priority: Priority::Normal, max_wait: None, deadline: None, max_line: None };

    fn details(&self) -> Details {
        let Self { cost, max_wait, deadline, .. } = *self;
        Details { cost, patience: max_wait, deadline, ..Details::default() }
    }
}

#[cfg(test)]
impl<W> Scheduler<W> {
    /// Makes pauses exact.
    pub(crate) fn disable_jitter(&mut self) {
        self.gate.disable_jitter();
    }

    /// How many pauses have begun.
    pub(crate) fn episode(&self) -> u64 {
        self.gate.episode()
    }
}

#[cfg(test)]
mod tests;
