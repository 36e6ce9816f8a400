//! One limiter as a pure state machine that is told the time.
//!
//! There is no clock in here, no runtime and no waker: every method takes `now`, the time since the limiter's zero,
//! which never goes back. Those who wait carry a payload `W` (the shell's wakers; nothing in tests), which
//! [`advance`](Scheduler::advance) hands out with the ticket. The rule is: mutate, then `advance`, then sleep until
//! [`deadline`](Scheduler::deadline).
//!
//! A ticket goes when all of these allow it: the phase (nobody in a pause, one canary after it), the calls in flight,
//! the meter, the ramp and the window. Meter and ramp count from the schedule and not from when a timer fired.

use std::{collections::BTreeMap, time::Duration};

use crate::{
    limits::Limits,
    meter::Meter,
    ramp::Ramp,
    recovery::{LONGEST_HINT, Recovery},
    tally::{Second, Standing, Tally},
    window::Window,
};

/// Names a call from its first asking to its end; smaller is older.
pub(crate) type Id = u64;

/// How far behind its schedule a limiter makes up for lost time. When it is further behind, the schedule begins anew.
const MOST_LATENESS: Duration = Duration::from_millis(100);

/// A place in the line. The order of places is the order of the line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    class: Class,
    pub(crate) id: Id,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Class {
    Refused,
    New,
}

/// Leave for one call, as the scheduler sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Grant {
    pub(crate) id: Id,
    /// When it was issued.
    at: Duration,
    /// How many pauses had begun by then.
    episode: u64,
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
    recovery: Recovery,
    phase: Phase,
    /// How many pauses have begun.
    episode: u64,
    /// Whether the user gives a probe, so that no canary is sent.
    has_probe: bool,
    line: BTreeMap<Place, Waiting<W>>,
    in_flight: u64,
    next: Id,
    /// When an event last made it possible that somebody goes.
    unblocked: Duration,
    tally: Tally,
}

impl<W> Scheduler<W> {
    /// `offset` is the wall clock at time zero, `seed` spreads the pauses of many processes.
    pub(crate) fn new(limits: Limits, offset: Duration, seed: u64) -> Self {
        Self {
            limits,
            meter: Meter::new(limits.requests_per_minute),
            window: Window::new(limits.requests_per_minute),
            ramp: Ramp::new(limits.ramp, limits.requests_per_minute),
            recovery: Recovery::new(seed),
            phase: Phase::Flowing,
            episode: 0,
            has_probe: false,
            line: BTreeMap::new(),
            in_flight: 0,
            next: 0,
            unblocked: Duration::ZERO,
            tally: Tally::new(offset),
        }
    }

    pub(crate) fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Changes the limits. The line keeps its order; the new rate holds from the next ticket on.
    pub(crate) fn set_limits(&mut self, now: Duration, limits: Limits) {
        self.roll(now);
        self.limits = limits;
        self.meter.set_rate(now, limits.requests_per_minute);
        self.window.set_rate(limits.requests_per_minute);
        self.ramp.set(now, limits.ramp, limits.requests_per_minute);
        self.unblocked = now;
    }

    /// Has the user's probe asked in place of a canary.
    pub(crate) fn set_probe(&mut self, has_probe: bool) {
        self.has_probe = has_probe;
    }

    /// A call asks for a ticket and gets it at once, or not at all and is not counted.
    pub(crate) fn try_request(&mut self, now: Duration) -> Option<Grant> {
        self.roll(now);
        if self.limits.enabled {
            if !self.line.is_empty() {
                return None;
            }
            // Nobody was waiting: the schedule begins with this call.
            let before = std::mem::replace(&mut self.unblocked, now);
            if self.due().is_none_or(|due| due > now) {
                self.unblocked = before;
                return None;
            }
        }
        self.tally.counts.requested += 1;
        let id = self.new_id();
        Some(self.issue(id, now, now))
    }

    /// A call that did not get a ticket at once joins the line.
    pub(crate) fn enqueue(&mut self, now: Duration, payload: W) -> Place {
        self.roll(now);
        self.tally.counts.requested += 1;
        let place = Place { class: Class::New, id: self.new_id() };
        self.join(now, place, payload);
        place
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
        self.line.remove(&place).is_some()
    }

    /// A call ended, well or with an error of its own.
    pub(crate) fn finish(&mut self, now: Duration, grant: Grant) {
        self.roll(now);
        self.tally.counts.finished += 1;
        self.tally.calls.add(now.saturating_sub(grant.at));
        self.returned(now);
        self.accepted(now, grant.id);
    }

    /// A call ended and nobody knows how: its future was dropped.
    pub(crate) fn abandon(&mut self, now: Duration, grant: Grant) {
        self.roll(now);
        self.returned(now);
        self.canary_lost(now, grant.id);
    }

    /// A ticket was issued, and then the call was not made at all: its part of the rate is given back too.
    pub(crate) fn give_back(&mut self, now: Duration, grant: Grant) {
        self.roll(now);
        self.returned(now);
        self.meter.give_back();
        self.ramp.give_back();
        self.window.give_back(grant.at);
        self.canary_lost(now, grant.id);
        self.unblocked = now;
    }

    /// A call came back refused and joins the line again, before all that were never refused.
    /// `ours`: because of our rate, and not because the server is busy with everybody.
    pub(crate) fn refuse(&mut self, now: Duration, grant: Grant, hint: Option<Duration>, payload: W) -> Place {
        self.roll(now);
        self.tally.counts.rate_limited += 1;
        self.recovery.refused_after(now.saturating_sub(grant.at));
        self.returned(now);
        let is_new = match self.phase {
            Phase::Flowing => grant.episode == self.episode,
            Phase::Canary { id, .. } => id == grant.id,
            _ => false,
        };
        self.pause(now, hint, is_new);
        let place = Place { class: Class::Refused, id: grant.id };
        self.join(now, place, payload);
        place
    }

    /// A refusal was seen that belongs to no ticket.
    pub(crate) fn refused_elsewhere(&mut self, now: Duration, hint: Option<Duration>) {
        self.roll(now);
        self.pause(now, hint, self.phase == Phase::Flowing);
    }

    /// The user's probe has answered; `blocked`: the server still refuses.
    pub(crate) fn probed(&mut self, now: Duration, blocked: bool) {
        self.roll(now);
        if self.phase == Phase::Probing {
            if blocked {
                self.phase = Phase::Paused { until: now + self.recovery.pause(None) };
            } else {
                self.resume(now);
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
            let scheduled = match (self.scheduled(), self.due()) {
                _ if !self.limits.enabled => now,
                (Some(scheduled), Some(due)) if due <= now => scheduled,
                _ => break,
            };
            if self.has_probe && matches!(self.phase, Phase::Paused { .. }) {
                self.phase = Phase::Probing;
                return true;
            }
            let Some((_, waiting)) = self.line.pop_first() else {
                break;
            };
            let late = now.saturating_sub(scheduled) > MOST_LATENESS;
            let grant = self.issue(place.id, if late { now } else { scheduled }, now);
            self.tally.waits.add(now.saturating_sub(since));
            issued(grant, waiting.payload);
        }
        false
    }

    /// When to call [`advance`](Self::advance) again if nothing else happens. `None`: not before something does.
    pub(crate) fn deadline(&self) -> Option<Duration> {
        if self.line.is_empty() {
            return None;
        }
        match self.phase {
            Phase::Canary { accepted, .. } => Some(accepted),
            _ => self.due(),
        }
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
            self.tally.close(self.standing());
        }
        self.tally.take()
    }

    pub(crate) fn line_length(&self) -> usize {
        self.line.len()
    }

    pub(crate) fn in_flight(&self) -> u64 {
        self.in_flight
    }

    /// The rate allowed now, in calls a second; zero while paused.
    pub(crate) fn rate(&self) -> f64 {
        match self.phase {
            Phase::Flowing => self.ramp.rate(),
            _ => 0.0,
        }
    }

    /// What is left of a pause.
    pub(crate) fn paused_for(&self, now: Duration) -> Option<Duration> {
        match self.phase {
            Phase::Flowing => None,
            Phase::Paused { until } => Some(until.saturating_sub(now)),
            Phase::Canary { accepted, .. } => Some(accepted.saturating_sub(now)),
            Phase::Probing => Some(Duration::ZERO),
        }
    }

    /// How long until the line is empty, if no call is refused and none joins.
    pub(crate) fn time_left(&self, now: Duration) -> Duration {
        if self.line.is_empty() {
            return Duration::ZERO;
        }
        self.paused_for(now).unwrap_or_default() + self.ramp.time_for(self.line.len() as u64)
    }

    /// Brings ramp, phase and tally to `now`, before anything changes.
    pub(crate) fn roll(&mut self, now: Duration) {
        if let Phase::Canary { accepted, .. } = self.phase
            && accepted <= now
        {
            self.resume(accepted);
        }
        let blocked = self.phase != Phase::Flowing || self.line.is_empty() || self.full();
        self.ramp.roll(now, !blocked);
        let (overflow, in_flight, rate) = (self.line.len() as u64, self.in_flight, self.rate());
        self.tally.roll(now, || Standing { overflow, in_flight, rate });
    }

    fn standing(&self) -> Standing {
        Standing { overflow: self.line.len() as u64, in_flight: self.in_flight, rate: self.rate() }
    }

    fn new_id(&mut self) -> Id {
        self.next += 1;
        self.next
    }

    fn join(&mut self, now: Duration, place: Place, payload: W) {
        if self.line.is_empty() {
            self.unblocked = now;
        }
        self.line.insert(place, Waiting { since: now, payload });
    }

    fn full(&self) -> bool {
        self.limits.max_in_flight.is_some_and(|most| self.in_flight >= most.get().into())
    }

    /// When the head of the line may go, whoever it is. `None`: not before something else happens.
    fn due(&self) -> Option<Duration> {
        Some(self.scheduled()?.max(self.window.due()))
    }

    /// When the head of the line would go if timers were exact. The window only holds back what was late, and does not
    /// move the schedule.
    fn scheduled(&self) -> Option<Duration> {
        if self.full() {
            return None;
        }
        let phase = match self.phase {
            Phase::Flowing => Duration::ZERO,
            Phase::Paused { until } => until,
            Phase::Canary { .. } | Phase::Probing => return None,
        };
        Some(self.meter.due().max(self.ramp.due()).max(phase).max(self.unblocked))
    }

    fn issue(&mut self, id: Id, slot: Duration, now: Duration) -> Grant {
        if self.limits.enabled {
            if let Phase::Paused { .. } = self.phase {
                self.phase = Phase::Canary { id, accepted: now + self.recovery.patience() };
            }
            self.meter.take(slot);
            self.ramp.take(slot);
            self.window.take(now);
        }
        self.in_flight += 1;
        self.tally.counts.issued += 1;
        Grant { id, at: now, episode: self.episode }
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
        if matches!(self.phase, Phase::Canary { id, .. } if id == canary) {
            self.resume(now);
        }
    }

    /// The canary was dropped: the next in line goes in its place, at once.
    fn canary_lost(&mut self, now: Duration, canary: Id) {
        if matches!(self.phase, Phase::Canary { id, .. } if id == canary) {
            self.phase = Phase::Paused { until: now };
        }
    }

    fn resume(&mut self, now: Duration) {
        self.phase = Phase::Flowing;
        self.recovery.over();
        self.ramp.restart(now);
        self.unblocked = now;
    }
}

#[cfg(test)]
mod tests;
