//! One limiter as a pure state machine that is told the time.
//!
//! There is no clock in here, no runtime and no waker: every method takes `now`, the time since the limiter's zero,
//! which never goes back. Those who wait carry a payload `W` (the shell's wakers; nothing in tests), which
//! [`advance`](Scheduler::advance) hands out with the ticket. The rule is: mutate, then `advance`, then sleep until
//! [`deadline`](Scheduler::deadline).
//!
//! A ticket goes when all of these allow it: the phase (nobody in a pause, one canary after it), the calls in flight,
//! the meter, the ramp, the window and the budgets of tokens and days. Meters and ramp count from the schedule and not from
//! when a timer fired.

mod fleet;
mod waits;

use std::{
    collections::{BTreeMap, BTreeSet},
    num::{NonZeroU32, NonZeroU64},
    time::Duration,
};

use crate::{
    ask::{Priority, Reason, Rejected},
    budgets::{Budgets, Price},
    contract::Charge,
    cost::Cost,
    details::{AllDetails, Details},
    judge::{Per, Reading, Scope, Unit, Verdict},
    learn::{Learner, Through},
    lease::{Fleet, IN_FLIGHT, Lease},
    limits::Limits,
    meter::{Meter, nanos},
    ramp::Ramp,
    record::{Held, Meter as Kind},
    recovery::{LONGEST_HINT, Recovery},
    served::{Configured, Served},
    tally::{Second, Standing, Tally},
    usage::Usage,
    window::Window,
};

/// Names a call from its first asking to its end; smaller is older.
pub(crate) type Id = u64;

/// How far behind its schedule a limiter makes up for lost time. When it is further behind, the schedule begins anew.
const MOST_LATENESS: Duration = Duration::from_millis(100);

/// A place in the line. The order of places is the order of the line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    /// Zero for who was refused, else when it counts as having asked, in nanoseconds, and one.
    rank: u64,
    pub(crate) id: Id,
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
    /// How many pauses had begun by then.
    episode: u64,
    /// Whether it was sent to see if the way is free: its refusal teaches nothing about the rate.
    is_canary: bool,
}

#[derive(Debug)]
struct Waiting<W> {
    since: Duration,
    payload: W,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Flowing,
    /// Nobody goes; after `until` one call goes as the canary, or the user's probe is asked.
    Paused {
        until: Duration,
    },
    /// One call is out alone; if nothing is heard of it until `accepted` it has been accepted.
    Canary {
        id: Id,
        sent: Duration,
        accepted: Duration,
    },
    /// The user's probe is out.
    Probing,
}

#[derive(Debug)]
pub(crate) struct Scheduler<W> {
    limits: Limits,
    meter: Meter,
    window: Window,
    ramp: Ramp,
    /// The rate in calls a minute, and the calls in flight, that the server has taught us.
    rate: Learner,
    cap: Learner,
    /// What both allow, in whole calls.
    pace: NonZeroU32,
    room: u64,
    through: Through,
    /// The last refusal that began an episode came too early to teach anything.
    unexplained: bool,
    /// When time under pressure was last counted.
    rolled: Duration,
    recovery: Recovery,
    phase: Phase,
    /// How many pauses have begun.
    episode: u64,
    /// Where the limiter is shared: then this says what ramp, learners and phase say of one that is not.
    lease: Option<Box<Lease>>,
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
        let (rate, cap) = learners(&limits);
        let mut meter = Meter::new(limits.requests_per_minute.into());
        meter.set_burst(limits.burst);
        Self {
            limits,
            meter,
            window: Window::new(limits.requests_per_minute, limits.burst),
            ramp: Ramp::new(limits.ramp, limits.requests_per_minute, limits.burst.is_zero()),
            rate,
            cap,
            pace: limits.requests_per_minute,
            room: limits.max_in_flight.map_or(u64::MAX, |most| most.get().into()),
            through: Through::default(),
            unexplained: false,
            rolled: Duration::ZERO,
            recovery: Recovery::new(seed),
            phase: Phase::Flowing,
            episode: 0,
            lease: None,
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
        if !limits.learn {
            (self.rate, self.cap) = learners(&limits);
        }
        self.rate.set_most(limits.requests_per_minute.get().into());
        self.cap.set_most(most_in_flight(&limits));
        self.relearn(now);
        self.budgets.set(now, &self.limits);
        self.meter.set_burst(limits.burst);
        self.window.set(limits.requests_per_minute, limits.burst);
        self.ramp.set(now, limits.ramp, limits.requests_per_minute, limits.burst.is_zero());
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
        self.lease.iter_mut().for_each(|lease| lease.asked());
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
        self.lease.iter_mut().for_each(|lease| lease.asked());
        let handicap = wish.priority.handicap();
        let place = Place { rank: nanos(now + handicap) + 1, id: self.new_id() };
        self.join(now, place, wish.details(), payload);
        if let Err(rejected) = self.bounded(now, place, wish) {
            self.leave(now, place);
            self.tally.counts.rejected += 1;
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

    /// Takes out of the line all whose time is over by now, and tells each by how much longer it would have waited.
    pub(crate) fn expire(&mut self, now: Duration, mut expired: impl FnMut(Id, Rejected, W)) {
        while let Some(&(at, place)) = self.expiries.first()
            && at <= now
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
        self.accepted(now, grant.id);
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
        self.canary_lost(now, grant.id);
    }

    /// A ticket was issued, and then the call was not made at all: its part of the rate is given back too.
    pub(crate) fn give_back(&mut self, now: Duration, grant: Grant) {
        self.roll(now);
        self.returned(now);
        self.meter.give_back(1);
        match &mut self.lease {
            Some(lease) => lease.give_back(now, grant.id),
            None => self.ramp.give_back(),
        }
        self.window.give_back(grant.at);
        let price = self.details.take(grant.id).price;
        self.budgets.give_back(grant.at, &price);
        self.canary_lost(now, grant.id);
        self.unblocked = now;
    }

    /// A call came back refused and joins the line again, before all that were never refused.
    pub(crate) fn refuse(&mut self, now: Duration, grant: Grant, verdict: &Verdict, payload: W) -> Place {
        self.roll(now);
        self.tally.counts.rate_limited += 1;
        self.tally.counts.overloaded += u64::from(matches!(verdict, Verdict::Overloaded { .. }));
        self.recovery.refused_after(now.saturating_sub(grant.at));
        self.through.refused(grant.at);
        let details = self.details.take(grant.id);
        self.budgets.refuse(now, grant.at, &details.price);
        self.returned(now);
        let place = Place { rank: 0, id: grant.id };
        let details = Details { price: Price::default(), ..details };
        if self.lease.is_some() {
            self.refused_in_fleet(Some((&grant, now.saturating_sub(grant.at))), now, verdict);
            self.join(now, place, details, payload);
            return place;
        }
        let is_new = match self.phase {
            Phase::Flowing => grant.episode == self.episode,
            Phase::Canary { id, .. } => id == grant.id,
            _ => false,
        };
        if is_new && !grant.is_canary {
            self.learn(now, verdict);
        }
        self.pause(now, verdict.retry_after(), is_new);
        self.join(now, place, details, payload);
        place
    }

    /// A refusal was seen that belongs to no ticket.
    pub(crate) fn refused_elsewhere(&mut self, now: Duration, verdict: &Verdict) {
        self.roll(now);
        if self.lease.is_some() {
            self.refused_in_fleet(None, now, verdict);
            return;
        }
        let is_new = self.phase == Phase::Flowing;
        if is_new {
            self.learn(now, verdict);
        }
        self.pause(now, verdict.retry_after(), is_new);
    }

    /// The user's probe has answered; `blocked`: the server still refuses.
    pub(crate) fn probed(&mut self, now: Duration, blocked: bool) {
        self.roll(now);
        self.lease.iter_mut().for_each(|lease| lease.probed(blocked));
        if self.phase == Phase::Probing {
            if blocked {
                self.phase = Phase::Paused { until: now + self.recovery.pause(None) };
            } else {
                self.resume(now, now);
            }
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
            if self.has_probe && self.lease.as_mut().is_some_and(|lease| lease.probe()) {
                return true;
            }
            if self.has_probe && matches!(self.phase, Phase::Paused { .. }) {
                self.phase = Phase::Probing;
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
            self.tally.waits.add(now.saturating_sub(since));
            issued(grant, waiting.payload);
        }
        false
    }

    /// When to call [`advance`](Self::advance) again if nothing else happens. `None`: not before something does.
    pub(crate) fn deadline(&self) -> Option<Duration> {
        let (first, _) = self.line.first_key_value()?;
        let due = match self.phase {
            Phase::Canary { accepted, .. } => Some(accepted),
            // What headers say holds for a time.
            _ => self.due(&self.price_of(*first)).map(|due| {
                let rises = self.budgets.until().into_iter().chain(self.served.until()).min();
                rises.filter(|rises| *rises > self.rolled).map_or(due, |rises| due.min(rises))
            }),
        };
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
        match self.phase {
            _ if let Some(lease) = &self.lease => lease.rate() * lease.share() / 60.0,
            Phase::Flowing => self.ramp.rate().min(f64::from(self.pace.get()) / 60.0),
            _ => 0.0,
        }
    }

    /// Where the server refused last, for the rate in calls a minute and for the calls in flight.
    pub(crate) fn ceilings(&self) -> (Option<f64>, Option<f64>) {
        match &self.lease {
            Some(lease) => (lease.ceiling(REQUESTS), lease.ceiling(IN_FLIGHT)),
            None => (self.rate.ceiling(), self.cap.ceiling()),
        }
    }

    /// Begins with the ceilings of an earlier run.
    pub(crate) fn restore(&mut self, now: Duration, rate: Option<f64>, in_flight: Option<f64>) {
        self.roll(now);
        // Those who share know better than an earlier run.
        if self.limits.learn && self.lease.is_none() {
            rate.into_iter().for_each(|ceiling| self.rate.restore(ceiling));
            in_flight.into_iter().for_each(|ceiling| self.cap.restore(ceiling));
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
        Standing {
            overflow: self.line.len() as u64,
            in_flight: self.in_flight,
            rate: self.rate(),
            paused_for: self.paused_for(now),
            time_left: (!self.line.is_empty()).then(|| self.time_left(now)),
            limit: f64::from(self.limits.requests_per_minute.get()) / 60.0,
            held: self.held(now),
            budgets: self.budgets.levels(now),
            fleet: self.fleet,
            learned_rate: self.learned_rate().map(|per_minute| per_minute / 60.0),
            learned_in_flight: self.learned_in_flight().map(f64::round),
        }
    }

    /// What is left of a pause.
    pub(crate) fn paused_for(&self, now: Duration) -> Option<Duration> {
        match self.phase {
            _ if let Some(lease) = &self.lease => lease.paused_for(now),
            Phase::Flowing => None,
            Phase::Paused { until } => Some(until.saturating_sub(now)),
            Phase::Canary { accepted, .. } => Some(accepted.saturating_sub(now)),
            Phase::Probing => Some(Duration::ZERO),
        }
    }

    /// Brings ramp, phase and tally to `now`, before anything changes.
    pub(crate) fn roll(&mut self, now: Duration) {
        if let Phase::Canary { sent, accepted, .. } = self.phase
            && accepted <= now
        {
            self.resume(accepted, sent);
        }
        if self.lease.is_some() {
            self.roll_in_fleet(now);
            return;
        }
        let flowing = self.phase == Phase::Flowing && !self.line.is_empty();
        self.ramp.roll(now, flowing && !self.full());
        let time = now.saturating_sub(std::mem::replace(&mut self.rolled, now));
        if !self.budgets.is_empty() {
            self.budgets.roll(now);
        }
        if self.served.roll(now) {
            self.relearn(now);
        }
        if flowing && self.full() {
            self.cap.pressed(time);
            self.relearn(now);
        } else if let Some(kind) = self.held_by_budget().filter(|_| flowing) {
            self.budgets.pressed(now, kind, time);
        } else if flowing && self.ramp.rate() * 60.0 >= self.rate.allowed() {
            self.rate.pressed(time);
            self.relearn(now);
        }
        self.roll_tally(now);
    }

    fn roll_tally(&mut self, now: Duration) {
        if self.tally.is_over(now) {
            let standing = self.standing(now);
            self.tally.roll(now, &standing);
        }
    }

    /// What the first in the line waits for.
    fn held(&self, now: Duration) -> Option<Held> {
        if self.line.is_empty() {
            return None;
        }
        let rate = self.limits.requests_per_minute;
        Some(match self.phase {
            _ if let Some(lease) = &self.lease => self.held_in_fleet(now, lease),
            Phase::Flowing if self.full() => Held::InFlight,
            Phase::Flowing if let Some(kind) = self.held_by_budget() => self.budgets.held(now, kind),
            Phase::Flowing if self.ramp.due() > self.meter.due() => Held::Ramp,
            Phase::Flowing
                if self.served.pace(now, rate.get().into()) == u64::from(self.pace.get()) && self.pace < rate =>
            {
                Held::Server
            }
            Phase::Flowing if self.pace < rate => Held::Learned,
            Phase::Flowing => Held::Rate,
            _ => Held::Pause,
        })
    }

    /// The budget that the first in the line waits for, if it waits for none of the others as long.
    fn held_by_budget(&self) -> Option<Kind> {
        if self.budgets.is_empty() {
            return None;
        }
        let (first, _) = self.line.first_key_value()?;
        if let Some(kind) = self.budgets.lacking(&self.price_of(*first)) {
            return Some(kind);
        }
        let (due, budget) = self.budgets.binding(&self.price_of(*first))?;
        let others = self.meter.due().max(self.ramp.due()).max(self.window.due());
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
        match &self.lease {
            Some(lease) => lease.is_full(self.in_flight),
            None => self.in_flight >= self.room,
        }
    }

    /// Takes over what the learners allow.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // They saturate, and the least is 1.
    fn relearn(&mut self, now: Duration) {
        if self.lease.is_some() {
            self.pace = self.limits.requests_per_minute;
            self.meter.set_rate(now, NonZeroU64::from(self.pace));
            return;
        }
        let served = self.served.pace(now, self.limits.requests_per_minute.get().into());
        let pace = NonZeroU32::new((self.rate.allowed() as u32).min(u32::try_from(served).unwrap_or(u32::MAX)));
        let pace = pace.unwrap_or(NonZeroU32::MIN);
        if pace != self.pace {
            self.pace = pace;
            self.meter.set_rate(now, NonZeroU64::from(pace));
        }
        self.room = self.cap.allowed().round() as u64;
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
        match scope {
            #[allow(clippy::cast_precision_loss)]
            Scope::Concurrency => self.cap.refused(self.in_flight as f64),
            // The ramp, which starts anew, is the answer to growth; no rate is the answer to a spent day.
            Scope::Acceleration | Scope::Day | Scope::Billing => {}
            // Fewer tokens are, and not fewer calls, where they are budgeted.
            scope if self.budgets.learn(now, *scope) => {}
            _ => {
                let current = self.rate() * 60.0;
                let through = self.through.rate(now).map(|through| through * 60.0);
                // Refused before enough went to tell how much goes: once that is an accident.
                self.unexplained = through.is_none() && !self.unexplained;
                if !self.unexplained {
                    self.rate.refused(through.map_or(current, |through| through.min(current)));
                }
            }
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
        let phase = match self.phase {
            _ if let Some(lease) = &self.lease => lease.due()?,
            Phase::Flowing => Duration::ZERO,
            Phase::Paused { until } => until,
            Phase::Canary { .. } | Phase::Probing => return None,
        };
        let ramp = if self.lease.is_some() { Duration::ZERO } else { self.ramp.due() };
        let rate = self.meter.due().max(ramp);
        Some(rate.max(self.budgets.scheduled()).max(phase).max(self.unblocked))
    }

    fn issue(&mut self, id: Id, slot: Duration, now: Duration, mut details: Details) -> Grant {
        let mut is_canary = matches!(self.phase, Phase::Paused { .. });
        let mut episode = self.episode;
        if self.limits.enabled {
            if let Some(lease) = &mut self.lease {
                (episode, is_canary) = (lease.episode(), lease.take(id));
            } else {
                if is_canary {
                    self.phase = Phase::Canary { id, sent: now, accepted: now + self.recovery.patience() };
                }
                self.through.went(now);
                self.ramp.take(slot);
            }
            self.meter.take(slot, 1);
            self.budgets.take(now, slot, &mut details.price);
            self.window.take(now);
        }
        self.in_flight += 1;
        self.tally.counts.issued += 1;
        let Charge { input, output, total } = details.price.thought;
        self.tally.counts.reserved_tokens += total.max(input.saturating_add(output));
        self.details.keep(id, details);
        Grant { id, at: now, episode, is_canary }
    }

    /// Nobody goes. `is_new`: the refusal begins an episode, or shows that it goes on; else it came from before the pause and
    /// may only show that it lasts longer.
    fn pause(&mut self, now: Duration, hint: Option<Duration>, is_new: bool) {
        let hint = hint.filter(|&hint| hint <= LONGEST_HINT);
        if !self.limits.enabled {
            return;
        }
        if is_new {
            self.episode += u64::from(self.phase == Phase::Flowing);
            self.phase = Phase::Paused { until: now + self.recovery.pause(hint) };
        } else if let Phase::Paused { until } = &mut self.phase {
            *until = (*until).max(now + hint.unwrap_or_default());
        }
    }

    /// A call is out no longer.
    fn returned(&mut self, now: Duration) {
        if self.full() {
            self.unblocked = now;
        }
        self.in_flight -= 1;
    }

    fn accepted(&mut self, now: Duration, canary: Id) {
        self.lease.iter_mut().for_each(|lease| lease.ended(canary));
        if let Phase::Canary { id, sent, .. } = self.phase
            && id == canary
        {
            self.resume(now, sent);
        }
    }

    /// The canary was dropped: the next in line goes in its place, at once.
    fn canary_lost(&mut self, now: Duration, canary: Id) {
        self.lease.iter_mut().for_each(|lease| lease.lost(canary));
        if matches!(self.phase, Phase::Canary { id, .. } if id == canary) {
            self.phase = Phase::Paused { until: now };
        }
    }

    /// The way is free: the first to have gone it went at `sent`.
    fn resume(&mut self, now: Duration, sent: Duration) {
        self.phase = Phase::Flowing;
        self.recovery.over();
        self.ramp.resume(sent.max(now.saturating_sub(Duration::from_secs(1))));
        self.through.clear();
        self.unblocked = now;
    }
}

/// The name of the rate, where the others are those of budgets.
const REQUESTS: &str = "requests";

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

/// For the rate in calls a minute, and for the calls in flight.
fn learners(limits: &Limits) -> (Learner, Learner) {
    (Learner::new(limits.requests_per_minute.get().into(), 1.0), Learner::new(most_in_flight(limits), 1.0))
}

fn most_in_flight(limits: &Limits) -> f64 {
    limits.max_in_flight.map_or(f64::INFINITY, |most| f64::from(most.get()))
}

#[cfg(test)]
mod tests;
