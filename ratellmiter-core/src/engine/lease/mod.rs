//! The lease of one process on a shared limiter, without a clock or a connection.
//!
//! A shared limiter has one schedule, in a document on a server. A *lease* grants one process, for a short time, slots (the times at
//! which its next calls may be sent) and room in the capacity shared by all processes; and it reports the fleet's pause. The next
//! [`LeaseRequest`] returns unused slots and the outcomes of calls.

mod protocol;
mod slots;

use std::{collections::BTreeMap, mem::take, time::Duration};

use slots::Slots;

#[cfg(feature = "redis")]
pub(crate) use crate::engine::lease::protocol::Conflict;
pub(crate) use crate::engine::lease::protocol::{
    Ages, ByLimit, CapacityMessage, LeaseGrant, LeaseRequest, Outcome, RampMessage, RateMessage, RefusalMessage,
};

use crate::engine::{congestion::throughput::Throughput, pace::gcra::nanos};

/// Time between reports of a busy process, unless the server sets a longer one.
pub(crate) const PERIOD: Duration = Duration::from_millis(250);
/// Time between reports of an idle process, which keep it in the fleet.
pub(crate) const KEEPALIVE: Duration = Duration::from_secs(1);
const SLOT_LIFETIME: Duration = Duration::from_secs(1);
/// Maximum delay behind its slots that a process makes up for. Less than for an unshared limiter, since all processes may be late at once.
pub(crate) const MAX_LATENESS_OF_SLOTS: Duration = Duration::from_millis(50);
/// Minimum time between two reports without news.
const MIN_POLL_INTERVAL: Duration = Duration::from_millis(5);
/// Time after which a grant that was not renewed expires, because the process has ended or cannot reach the server.
pub(crate) const GRANT_LIFETIME: Duration = Duration::from_secs(3);
/// Time for which one slot stays leased after a failed `try_acquire`.
const TRY_LIFETIME: Duration = Duration::from_secs(5);
/// Margin over the forecast demand, because arrivals are uneven.
const DEMAND_MARGIN: f64 = 1.25;
pub(crate) const IN_FLIGHT: &str = "in_flight";

/// The status of the processes that share a limiter.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct FleetStatus {
    /// Number of processes, including this one; 0 before the server's first reply.
    pub processes: u64,
    /// `true` while the server is unreachable: `processes` is from its last reply, and `FleetConfig::on_disconnect` applies.
    pub is_disconnected: bool,
}

/// State of the call that ends a pause, if this process is to send it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Canary {
    #[default]
    None,
    Granted,
    /// In flight, with the id of its call.
    Sent(u64),
    /// Replaced by a user's probe, which is running.
    Probing,
}

#[derive(Debug, Default)]
pub(crate) struct Lease {
    /// The last grant. Before the first one, it contains the number of processes with conflicting limits and an equal share.
    pub(crate) grant: LeaseGrant,
    /// Document of the current grant, or of the last lease before it.
    pub(crate) epoch: Option<String>,
    /// Time of the first grant from this document.
    since: Option<Duration>,
    slots: Slots,
    /// Maximum number of calls in flight.
    pub(crate) room: u64,
    canary: Canary,
    /// End of the fleet's pause.
    pub(crate) paused_until: Option<Duration>,
    reported_at: Option<Duration>,
    /// Time before which a lack of slots does not cause a report.
    retry_at: Duration,
    round_trip: Duration,
    is_resting: bool,
    // Reset by each report.
    refusals: Vec<RefusalMessage>,
    canary_outcome: Option<Outcome>,
    arrivals: u64,
    sent: Throughput,
    unused_slots: u64,
    backlogged: BTreeMap<&'static str, Duration>,
    has_changed: bool,
    /// Calls requested per second, averaged over about half a second.
    demand_per_second: f64,
    last_failed_try: Option<Duration>,
    /// Rate used while disconnected, in calls a minute. The fleet's ramp resumes there.
    pub(crate) carried_rate: f64,
}

impl Lease {
    /// Creates an empty lease. Its first report contains the `ceilings` of adapted limits and the last document, `epoch`.
    pub(crate) fn new(ceilings: ByLimit, epoch: Option<String>) -> Self {
        let grant = LeaseGrant { ceilings, share: 1.0, is_capacity_limited: true, ..LeaseGrant::default() };
        Self { grant, epoch, has_changed: true, ..Self::default() }
    }

    /// Sets the number of processes with conflicting limits. Without a lease ever granted, the share is then 1 / (`others` + 1).
    pub(crate) fn set_neighbours(&mut self, others: u64) {
        if !self.is_known() {
            #[allow(clippy::cast_precision_loss)]
            let processes = (others + 1) as f64;
            (self.grant.processes, self.grant.share) = (processes, 1.0 / processes);
        }
    }

    /// Returns the time of the next slot, if there is one.
    pub(crate) fn due(&self) -> Option<Duration> {
        self.slots.due()
    }

    pub(crate) fn drop_expired(&mut self, now: Duration) {
        self.unused_slots += self.slots.drop_before(now.saturating_sub(SLOT_LIFETIME));
    }

    /// Uses the next slot for the call `id`. Returns `true` if that call is the canary.
    pub(crate) fn use_slot(&mut self, now: Duration, id: u64) -> bool {
        self.slots.pop_first();
        self.sent.on_sent(now);
        self.has_changed = true;
        let is_canary = self.canary == Canary::Granted;
        if is_canary {
            self.canary = Canary::Sent(id);
        }
        is_canary
    }

    /// Discards slots that are overdue. They are not returned to the fleet.
    pub(crate) fn drop_late_slots(&mut self, now: Duration) {
        self.slots.drop_before(now);
        self.has_changed = true;
    }

    /// Returns the slot of the call `id`, which was not sent.
    pub(crate) fn cancel(&mut self, now: Duration, id: u64) {
        if self.canary == Canary::Sent(id) {
            self.end(id, Outcome::Lost);
        } else {
            self.slots.push_first(now);
        }
    }

    /// Freezes the in-flight limit until the next grant, at `in_flight` calls, plus those with slots if no other process waits.
    pub(crate) fn freeze_capacity(&mut self, in_flight: u64) {
        if self.grant.is_capacity_limited {
            let more = if self.grant.is_capacity_plentiful { self.slots.len() } else { 0 };
            self.room = self.room.min(in_flight + more);
        }
    }

    /// Gives up the lease of an idle process, which reports again when a call is requested. The displayed rate does not change.
    pub(crate) fn release(&mut self) {
        let LeaseGrant { rate, pace, share, .. } = self.grant;
        *self = self.renewed();
        (self.grant.rate, self.grant.pace, self.grant.share) = (rate, pace, share);
        self.is_resting = true;
    }

    /// Returns an empty lease to replace this one.
    pub(crate) fn renewed(&self) -> Self {
        Self::new(self.grant.ceilings.clone(), self.epoch.clone())
    }

    /// Records that `try_acquire` failed, so that the next report asks for a spare slot.
    pub(crate) fn missed_try(&mut self, now: Duration) {
        self.last_failed_try = Some(now);
    }

    pub(crate) fn on_requested(&mut self) {
        self.arrivals += 1;
    }

    /// Records that calls were queued for `limit` during `time`.
    pub(crate) fn on_backlogged(&mut self, limit: &'static str, time: Duration) {
        if !time.is_zero() {
            *self.backlogged.entry(limit).or_default() += time;
        }
    }

    /// Records that a call ended.
    pub(crate) fn end(&mut self, id: u64, outcome: Outcome) {
        self.has_changed = true;
        if self.canary == Canary::Sent(id) {
            self.canary = Canary::None;
            self.canary_outcome = Some(outcome);
        }
    }

    /// Records a refusal of the call `id`, or of an unknown call. Drops all slots unless the call was sent in an earlier episode.
    pub(crate) fn on_refusal(&mut self, id: Option<u64>, refusal: RefusalMessage) {
        self.has_changed = true;
        let is_canary = refusal.is_canary || id.is_some_and(|id| self.canary == Canary::Sent(id));
        if is_canary {
            self.canary = Canary::None;
        }
        if refusal.episode.is_none_or(|episode| episode == self.grant.episode) {
            self.drop_slots();
        }
        self.refusals.push(RefusalMessage { is_canary, ..refusal });
    }

    pub(crate) fn drop_slots(&mut self) {
        self.unused_slots += self.slots.keep(0);
    }

    /// Returns the slots leased under other limits, and requests new ones as soon as a call is queued.
    pub(crate) fn retune(&mut self) {
        self.drop_slots();
        self.retry_at = Duration::ZERO;
    }

    /// Replaces a granted canary by the user's probe. Returns `true` if the probe is to run now.
    pub(crate) fn probe(&mut self) -> bool {
        let is_granted = self.canary == Canary::Granted;
        if is_granted {
            self.canary = Canary::Probing;
            self.drop_slots();
        }
        is_granted
    }

    /// Records the result of the user's probe; `blocked` extends the pause.
    pub(crate) fn probed(&mut self, blocked: bool) {
        if self.canary != Canary::Probing {
            return;
        }
        self.canary = Canary::None;
        if blocked {
            let episode = Some(self.grant.episode);
            self.on_refusal(None, RefusalMessage { episode, is_canary: true, ..RefusalMessage::default() });
        } else {
            self.canary_outcome = Some(Outcome::Accepted);
        }
    }

    /// Returns `true` if a call sent at `at` used a slot from this document.
    pub(crate) fn granted_at(&self, at: Duration) -> bool {
        self.since.is_some_and(|since| at >= since)
    }

    fn period(&self) -> Duration {
        duration(self.grant.period).clamp(PERIOD, KEEPALIVE)
    }

    /// Returns when the next report is due with `queued` calls. `lacks_capacity`: slots alone would not admit the first of them.
    pub(crate) fn asks_at(&self, queued: u64, lacks_capacity: bool) -> Duration {
        let is_wanted = queued > 0 || self.arrivals > 0 || self.last_failed_try.is_some();
        if self.is_resting && !is_wanted {
            return Duration::MAX;
        }
        let Some(reported_at) = self.reported_at else { return Duration::ZERO };
        if !self.refusals.is_empty() || self.canary_outcome.is_some() {
            return reported_at;
        }
        let is_busy = is_wanted || !self.slots.is_empty() || self.has_changed;
        let regular = reported_at + if is_busy { self.period() } else { KEEPALIVE };
        let is_stalled = queued > 0 && (self.slots.is_empty() || lacks_capacity) && self.canary == Canary::None;
        if is_stalled { regular.min(self.retry_at.max(reported_at + MIN_POLL_INTERVAL)) } else { regular }
    }

    /// Returns the next report with `queued` calls, and keeps only the slots that are needed.
    pub(crate) fn report(&mut self, now: Duration, queued: u64) -> LeaseRequest {
        self.drop_expired(now);
        let period = self.period();
        let since = self.reported_at.map_or(period, |at| now.saturating_sub(at)).max(Duration::from_millis(1));
        let is_in_force = self.reported_at.is_some() && since < GRANT_LIFETIME;
        let carried = take(&mut self.carried_rate);
        #[allow(clippy::cast_precision_loss)]
        let arriving = take(&mut self.arrivals) as f64 / since.as_secs_f64();
        // An exponential average over about half a second.
        self.demand_per_second += (arriving - self.demand_per_second) * (since.as_secs_f64() / 0.5).min(1.0);
        let calls_in = |time: Duration| self.demand_per_second * time.as_secs_f64();
        let ahead = calls_in(period + self.round_trip) * DEMAND_MARGIN;
        let ahead = if ahead < 0.5 { 0 } else { whole(ahead.min(1e12).ceil()) };
        self.last_failed_try = self.last_failed_try.filter(|at| *at + TRY_LIFETIME > now);
        let spare = u64::from(self.last_failed_try.is_some());
        let arriving = whole(calls_in(period)).max(spare);
        let target = (queued + ahead).max(spare);
        self.is_resting = false;
        if self.canary != Canary::Granted {
            self.unused_slots += self.slots.keep(target);
        } else if queued == 0 || self.slots.is_empty() {
            // The call that was to be the canary has left the queue, or has missed its slot.
            self.canary = Canary::None;
            self.canary_outcome = Some(Outcome::Lost);
            self.drop_slots();
        }
        let held_slots = self.slots.len();
        (self.reported_at, self.has_changed) = (Some(now), false);
        let is_kept = matches!(self.canary, Canary::Granted | Canary::Probing);
        LeaseRequest {
            epoch: self.epoch.clone(),
            is_new: !self.is_known(),
            queued,
            arriving,
            wanted: target.saturating_sub(held_slots),
            unused: take(&mut self.unused_slots),
            held_slots,
            sent: self.sent.drain().map(|(at, calls)| [micros(now.saturating_sub(at)), calls.into()]).collect(),
            lag: micros(self.round_trip),
            backlogged: take(&mut self.backlogged).into_iter().map(|(limit, time)| (limit, micros(time))).collect(),
            paused: micros(self.paused_for(now).unwrap_or_default()),
            ceilings: self.grant.ceilings.clone(),
            allowed: if is_in_force { self.rate() * self.grant.share } else { carried },
            refusals: take(&mut self.refusals),
            canary: self.canary_outcome.take().or_else(|| is_kept.then_some(Outcome::Kept)),
            ..LeaseRequest::default()
        }
    }

    /// Applies a grant.
    pub(crate) fn renew(&mut self, now: Duration, grant: &LeaseGrant) {
        if let Some(at) = self.reported_at {
            let trip = now.saturating_sub(at).min(Duration::from_secs(2));
            self.round_trip = if trip > self.round_trip { trip } else { (self.round_trip * 7 + trip) / 8 };
        }
        if self.since.is_none() || self.epoch.as_ref() != Some(&grant.epoch) {
            // Slots of another document cannot be returned.
            (self.slots, self.unused_slots, self.canary) = (Slots::default(), 0, Canary::None);
            (self.epoch, self.since) = (Some(grant.epoch.clone()), Some(now));
        }
        if grant.episode != self.grant.episode || grant.paused.is_some() && self.paused_until.is_none() {
            self.drop_slots();
        }
        if self.paused_until.is_some() && grant.paused.is_none() {
            self.sent.clear();
        }
        self.grant = grant.clone();
        self.grant.is_capacity_limited |= grant.adapted.contains_key(IN_FLIGHT);
        self.paused_until = grant.paused.map(|rest| now + duration(rest));
        self.room = grant.capacity.get(IN_FLIGHT).map_or(u64::MAX, |room| whole(*room));
        self.retry_at = now + duration(grant.poll_in);
        if grant.is_canary {
            self.canary = Canary::Granted;
        }
        for &[offset, gap, count] in &grant.slot_runs {
            self.slots.push(now + duration(offset), duration(gap), whole(count));
        }
    }

    /// Returns the rest of the fleet's pause, including the time in which the canary is in flight. `None` if there is no pause.
    pub(crate) fn paused_for(&self, now: Duration) -> Option<Duration> {
        self.paused_until.map(|until| until.saturating_sub(now))
    }

    /// Returns `true` if a lease was granted.
    pub(crate) fn is_known(&self) -> bool {
        self.grant.pace > 0.0
    }

    /// Returns the rate that the ramp allows all processes now, in calls a minute; 0 during a pause.
    pub(crate) fn rate(&self) -> f64 {
        if self.paused_until.is_some() { 0.0 } else { self.grant.rate }
    }

    pub(crate) fn members(&self) -> u64 {
        whole(self.grant.processes)
    }
}

pub(crate) fn micros(time: Duration) -> u64 {
    nanos(time) / 1000
}

pub(crate) fn duration(micros: f64) -> Duration {
    Duration::try_from_secs_f64(micros / 1e6).unwrap_or_default()
}

/// Rounds a number of the script, which has floating-point numbers only.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // It saturates.
pub(crate) fn whole(number: f64) -> u64 {
    number.round() as u64
}

#[cfg(test)]
mod tests;
