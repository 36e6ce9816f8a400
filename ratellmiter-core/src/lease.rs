//! What one process may do for a while, of what it shares with others.
//!
//! A limiter that is shared has one schedule, on a server that all its processes ask. A *lease* is a process's part of it: slots,
//! which are the times at which its next calls may go, by the pace of calls and of tokens; the rooms that it has in what all take
//! together, calls out and the ledgers of budgets; and whether all pause. It tells in its next [`Report`] what came of it.
//!
//! There is no clock and no server in here either: whoever holds it brings reports away and answers back.

mod slots;
mod terms;

use std::time::Duration;

use slots::Slots;

#[cfg(feature = "redis")]
pub(crate) use terms::Conflict;
pub(crate) use terms::{Ages, Answer, Outcome, Pace, Ramp, Refusal, Report, Space, Told};

use crate::meter::nanos;

/// How often a busy process asks, if it is not told to do so less often.
pub(crate) const PERIOD: Duration = Duration::from_millis(250);
/// How often one asks that has nothing to do, so that the others know that it is there.
pub(crate) const KEEPALIVE: Duration = Duration::from_secs(1);
/// Slots can be used for so long after their time.
const LIFE: Duration = Duration::from_secs(1);
/// How far behind its slots a process makes up for lost time: less than one that is alone, as all may be late at once.
pub(crate) const MOST_LATENESS: Duration = Duration::from_millis(50);
/// Without a word from the server nobody asks again before that.
const LEAST: Duration = Duration::from_millis(5);

/// The processes that share a limiter.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Fleet {
    /// How many there are, this one included; 0 before the first answer of the server that they share it on.
    pub members: u64,
    /// That server is out of reach: `members` were there when it was last heard, and [`Shared::on_loss`] says what happens.
    ///
    /// [`Shared::on_loss`]: https://docs.rs/ratellmiter-core/latest/ratellmiter_core/struct.Shared.html#method.on_loss
    pub is_lost: bool,
}

/// The one call that goes to see if the way is free, while it is ours to send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Canary {
    None,
    Granted,
    /// Named by the call that it is.
    Out(u64),
    /// The user's probe is out in its place.
    Probing,
}

#[derive(Debug)]
#[allow(clippy::struct_excessive_bools)] // Each is one of the answer's or a call's own.
pub(crate) struct Lease {
    slots: Slots,
    /// The server's document that all this is from, and since when it is.
    epoch: Option<String>,
    since: Duration,
    episode: u64,
    canary: Canary,
    paused_until: Duration,
    is_paused: bool,
    /// How many calls may be out.
    room: u64,
    /// All in calls a minute: what the ramp allows the fleet now, what the limit is at present, what was learned.
    rate: f64,
    pace: f64,
    learned: Told,
    ceilings: Told,
    /// The budget that there were no more slots for.
    bound: Option<String>,
    is_ramping: bool,
    share: f64,
    members: u64,
    /// When it was last asked for, and when lack of slots is a reason to ask again.
    asked: Option<Duration>,
    again: Duration,
    period: Duration,
    /// What the next report tells.
    refusals: Vec<Refusal>,
    outcome: Option<Outcome>,
    arrived: u64,
    /// Calls a second that ask, of late.
    demand: f64,
    /// How long an answer takes.
    lag: Duration,
    /// Slots that nobody used.
    unused: u64,
    has_changed: bool,
    is_resting: bool,
    /// Whether there is a limit of calls out, or one was learned.
    is_room_limited: bool,
    /// Nobody waits for a place of ours.
    is_room_plenty: bool,
    /// When one last asked who does not wait.
    tried: Option<Duration>,
    /// How many calls a minute were allowed while the others were out of reach.
    brought: f64,
}

/// How the limiter stands that asks.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Need {
    pub(crate) line: u64,
    pub(crate) refused: u64,
}

impl Lease {
    /// Of nothing yet. What an earlier run has learned is told to the others, and the document that the last lease was from, so
    /// that they know if it is gone.
    pub(crate) fn new(ceilings: Told, epoch: Option<String>) -> Self {
        Self {
            slots: Slots::default(),
            epoch,
            since: Duration::MAX,
            episode: 0,
            canary: Canary::None,
            paused_until: Duration::ZERO,
            is_paused: false,
            room: 0,
            rate: 0.0,
            pace: 0.0,
            learned: Told::default(),
            bound: None,
            ceilings,
            is_ramping: false,
            share: 1.0,
            members: 0,
            asked: None,
            again: Duration::ZERO,
            period: PERIOD,
            refusals: Vec::new(),
            outcome: None,
            arrived: 0,
            demand: 0.0,
            lag: Duration::ZERO,
            unused: 0,
            has_changed: true,
            is_resting: false,
            is_room_limited: true,
            is_room_plenty: false,
            tried: None,
            brought: 0.0,
        }
    }

    /// So many others make calls too, though nothing is shared with them: of one that never had a part it is an equal one.
    pub(crate) fn beside(&mut self, others: u64) {
        if !self.is_known() {
            self.members = others + 1;
            #[allow(clippy::cast_precision_loss)]
            {
                self.share = 1.0 / self.members as f64;
            }
        }
    }

    /// Where this one goes on alone until now, at so many calls a minute, all go on.
    pub(crate) fn bring(&mut self, rate: f64) {
        self.brought = rate;
    }

    /// When the next call may go, as far as slots are concerned.
    pub(crate) fn due(&self) -> Option<Duration> {
        self.slots.due()
    }

    /// How many calls may be out.
    pub(crate) fn room(&self) -> u64 {
        self.room
    }

    /// Lets go of slots that are too old.
    pub(crate) fn roll(&mut self, now: Duration) {
        self.unused += self.slots.drop_before(now.saturating_sub(LIFE));
    }

    /// A call goes. `true`: as the canary.
    pub(crate) fn take(&mut self, id: u64) -> bool {
        self.slots.take();
        self.has_changed = true;
        let is_canary = self.canary == Canary::Granted;
        if is_canary {
            self.canary = Canary::Out(id);
        }
        is_canary
    }

    /// Lost time is not made up for: slots before `now` are of no use, and nobody gets them back.
    pub(crate) fn skip(&mut self, now: Duration) {
        self.slots.drop_before(now);
        self.has_changed = true;
    }

    /// A call that had a slot was never made.
    pub(crate) fn give_back(&mut self, now: Duration, id: u64) {
        if self.canary == Canary::Out(id) {
            self.lost(id);
        } else {
            self.slots.push_first(now);
        }
    }

    /// No more calls than these may be out, until our part is known again; where nobody waits for a place, also those for which
    /// there are slots. Where nobody limits them, they go on.
    pub(crate) fn hold_room(&mut self, out: u64) {
        if self.is_room_limited {
            let more = if self.is_room_plenty { self.slots.len() } else { 0 };
            self.room = self.room.min(out + more);
        }
    }

    /// Nobody makes calls for now: nothing is asked for before somebody does. What is allowed is said to be as it was.
    pub(crate) fn rest(&mut self) {
        let (rate, pace, share) = (self.rate, self.pace, self.share);
        *self = Self { rate, pace, share, is_resting: true, ..self.again() };
    }

    /// One that is to be asked for anew, after this one.
    pub(crate) fn again(&self) -> Self {
        Self::new(self.ceilings.clone(), self.epoch())
    }

    /// The server's document that it is from.
    pub(crate) fn epoch(&self) -> Option<String> {
        self.epoch.clone()
    }

    /// Somebody would have gone at once, and could not.
    pub(crate) fn tried(&mut self, now: Duration) {
        self.tried = Some(now);
    }

    /// A call asked.
    pub(crate) fn asked(&mut self) {
        self.arrived += 1;
    }

    /// A call ended.
    pub(crate) fn ended(&mut self, id: u64) {
        self.has_changed = true;
        if self.canary == Canary::Out(id) {
            self.canary = Canary::None;
            self.outcome = Some(Outcome::Accepted);
        }
    }

    /// Nobody knows how a call ended.
    pub(crate) fn lost(&mut self, id: u64) {
        self.has_changed = true;
        if self.canary == Canary::Out(id) {
            self.canary = Canary::None;
            self.outcome = Some(Outcome::Lost);
        }
    }

    /// A call came back refused, or somebody saw that one was: nobody goes before the server has said what follows.
    pub(crate) fn refused(&mut self, id: Option<u64>, refusal: Refusal) {
        self.has_changed = true;
        let is_canary = refusal.is_canary || id.is_some_and(|id| self.canary == Canary::Out(id));
        if is_canary {
            self.canary = Canary::None;
        }
        if refusal.episode.is_none_or(|episode| episode == self.episode) {
            self.drop_slots();
        }
        self.refusals.push(Refusal { is_canary, ..refusal });
    }

    pub(crate) fn drop_slots(&mut self) {
        self.unused += self.slots.keep(0);
    }

    /// Whether the user's probe is to be asked now, in place of the canary.
    pub(crate) fn probe(&mut self) -> bool {
        let probes = self.canary == Canary::Granted;
        if probes {
            self.canary = Canary::Probing;
            self.drop_slots();
        }
        probes
    }

    /// The user's probe has answered.
    pub(crate) fn probed(&mut self, blocked: bool) {
        if self.canary != Canary::Probing {
            return;
        }
        self.canary = Canary::None;
        if blocked {
            let (episode, after) = (Some(self.episode), 0);
            self.refused(None, Refusal { episode, after, is_canary: true, ..Refusal::default() });
        } else {
            self.outcome = Some(Outcome::Accepted);
        }
    }

    /// How many pauses have begun.
    pub(crate) fn episode(&self) -> u64 {
        self.episode
    }

    /// Whether a call that went at `at` had its slot from here.
    pub(crate) fn is_from_here(&self, at: Duration) -> bool {
        at >= self.since
    }

    /// There is a pause already.
    pub(crate) fn pause(&mut self, until: Duration) {
        (self.is_paused, self.paused_until) = (true, until);
    }

    /// When it is to be asked again, if nothing else happens.
    pub(crate) fn asks_at(&self, need: &Need, is_held: bool) -> Duration {
        if self.is_resting && need.line == 0 && self.arrived == 0 && self.tried.is_none() {
            return Duration::MAX;
        }
        let Some(asked) = self.asked else { return Duration::ZERO };
        if !self.refusals.is_empty() || self.outcome.is_some() {
            return asked;
        }
        let waits = need.line > 0 && (self.slots.is_empty() || is_held) && self.canary == Canary::None;
        let lacks = waits.then(|| self.again.max(asked + LEAST));
        let regular = if need.line > 0
            || self.tried.is_some()
            || !self.slots.is_empty()
            || self.arrived > 0
            || self.has_changed
        {
            self.period
        } else {
            KEEPALIVE
        };
        let regular = asked + regular;
        lacks.map_or(regular, |lacks| lacks.min(regular))
    }

    /// What the server is told of slots; `served` is what headers leave of calls a minute.
    pub(crate) fn report(&mut self, now: Duration, need: Need) -> Report {
        self.roll(now);
        let since = self.asked.map_or(self.period, |asked| now.saturating_sub(asked)).max(Duration::from_millis(1));
        let is_recent = self.asked.is_some() && since < RECENT;
        let brought = std::mem::take(&mut self.brought);
        let allowed = if is_recent { self.rate() * self.share } else { brought };
        #[allow(clippy::cast_precision_loss)]
        let arriving = std::mem::take(&mut self.arrived) as f64 / since.as_secs_f64();
        // Quick to rise, slow to fall, over about a second.
        let weight = (since.as_secs_f64() / 0.5).min(1.0);
        self.demand += (arriving - self.demand) * weight;
        let ahead = (self.demand * (self.period + self.lag).as_secs_f64() * AHEAD).min(1e12);
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // It is not negative, and small.
        let ahead = if ahead < 0.5 { 0 } else { ahead.ceil() as u64 };
        // One slot is kept for those who do not wait, for as long as they come.
        self.tried = self.tried.filter(|tried| *tried + TRIES > now);
        let target = (need.line + ahead).max(u64::from(self.tried.is_some()));
        self.is_resting = false;
        if self.canary != Canary::Granted {
            self.unused += self.slots.keep(target);
        } else if need.line == 0 {
            // Whoever was to go has left.
            self.canary = Canary::None;
            self.outcome = Some(Outcome::Lost);
            self.drop_slots();
        }
        let held = self.slots.len();
        self.asked = Some(now);
        self.has_changed = false;
        #[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let recent = (self.demand * self.period.as_secs_f64()).round() as u64;
        // One that comes and goes away again wants something all the same.
        let recent = recent.max(u64::from(self.tried.is_some()));
        let is_kept = matches!(self.canary, Canary::Granted | Canary::Probing);
        let canary = self.outcome.take().or(if is_kept { Some(Outcome::Kept) } else { None });
        Report {
            epoch: self.epoch.clone(),
            anew: self.pace == 0.0,
            line: need.line,
            refused: need.refused,
            recent,
            wants: target.saturating_sub(held),
            unused: std::mem::take(&mut self.unused),
            held_slots: held,
            lag: micros(self.lag),
            paused: if self.is_paused { micros(self.paused_until.saturating_sub(now)) } else { 0 },
            ceilings: self.ceilings.clone(),
            allowed,
            refusals: std::mem::take(&mut self.refusals),
            canary,
            ..Report::default()
        }
    }

    /// Takes over an answer that came now.
    pub(crate) fn renew(&mut self, now: Duration, answer: &Answer) {
        if let Some(asked) = self.asked {
            let lag = now.saturating_sub(asked).min(Duration::from_secs(2));
            self.lag = if lag > self.lag { lag } else { (self.lag * 7 + lag) / 8 };
        }
        if self.since == Duration::MAX || self.epoch.as_ref() != Some(&answer.epoch) {
            // The server has forgotten what it gave.
            self.slots = Slots::default();
            self.unused = 0;
            self.canary = Canary::None;
            self.epoch = Some(answer.epoch.clone());
            self.since = now;
        }
        if answer.episode != self.episode || answer.paused.is_some() && !self.is_paused {
            self.drop_slots();
        }
        self.episode = answer.episode;
        self.is_paused = answer.paused.is_some();
        self.paused_until = now + duration(answer.paused.unwrap_or_default());
        self.is_room_limited = answer.is_room_limited || answer.learned.contains_key(IN_FLIGHT);
        self.is_room_plenty = answer.is_room_plenty;
        self.room = answer.spaces.get(IN_FLIGHT).map_or(u64::MAX, |room| whole(*room));
        (self.rate, self.pace, self.is_ramping) = (answer.rate, answer.pace, answer.is_ramping);
        (self.share, self.members) = (answer.share, whole(answer.members));
        self.learned.clone_from(&answer.learned);
        self.ceilings.clone_from(&answer.ceilings);
        self.bound.clone_from(&answer.bound);
        self.again = now + duration(answer.again);
        self.period = answer.period.map_or(PERIOD, duration).clamp(PERIOD, KEEPALIVE);
        if answer.is_canary {
            self.canary = Canary::Granted;
        }
        for &[offset, gap, count] in &answer.spans {
            self.slots.push(now + duration(offset), duration(gap), whole(count));
        }
    }

    /// What is left of a pause, or of the time in which one call is out alone.
    pub(crate) fn paused_for(&self, now: Duration) -> Option<Duration> {
        self.is_paused.then(|| self.paused_until.saturating_sub(now))
    }

    /// Whether anything is known of what all may do.
    pub(crate) fn is_known(&self) -> bool {
        self.pace > 0.0
    }

    /// The fleet's rate and limit at present, in calls a minute, of which [`share`](Self::share) is ours.
    pub(crate) fn rate(&self) -> f64 {
        if self.is_paused { 0.0 } else { self.rate }
    }

    pub(crate) fn pace(&self) -> f64 {
        self.pace
    }

    pub(crate) fn learned(&self, key: &str) -> Option<f64> {
        self.learned.get(key).copied()
    }

    pub(crate) fn ceiling(&self, key: &str) -> Option<f64> {
        self.ceilings.get(key).copied()
    }

    /// The budget that calls wait for which have no slots.
    pub(crate) fn bound(&self) -> Option<&str> {
        self.bound.as_deref().filter(|_| self.slots.is_empty())
    }

    pub(crate) fn is_ramping(&self) -> bool {
        self.is_ramping
    }

    /// What part of all demand is ours; 1 before the first answer.
    pub(crate) fn share(&self) -> f64 {
        self.share
    }

    pub(crate) fn members(&self) -> u64 {
        self.members
    }
}

/// What the server allowed is of the past after so long without a word from it.
const RECENT: Duration = Duration::from_secs(3);

/// Those who do not wait are expected again for so long.
const TRIES: Duration = Duration::from_secs(5);

/// So much more than is thought to be needed is leased: demand is not even.
const AHEAD: f64 = 1.25;

/// The key of the calls in flight, where the others are the names of budgets.
pub(crate) const IN_FLIGHT: &str = "in_flight";

pub(crate) fn micros(time: Duration) -> u64 {
    nanos(time) / 1000
}

pub(crate) fn duration(micros: f64) -> Duration {
    Duration::try_from_secs_f64(micros / 1e6).unwrap_or_default()
}

/// Of what the server says, of which all is a number.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // It saturates.
pub(crate) fn whole(number: f64) -> u64 {
    number.round() as u64
}

#[cfg(test)]
mod tests;
