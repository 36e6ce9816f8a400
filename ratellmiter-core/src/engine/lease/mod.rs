//! The lease of one process on a shared limiter, without a clock or a connection.
//!
//! A shared limiter has one schedule, in a document on a server. A *lease* grants one process, for a short time, slots (the times at
//! which its next calls may be sent) and room in the capacity shared by all processes; and it reports the fleet's pause. The next
//! report returns unused slots and the outcomes of calls.
//!
//! This file paces calls by a lease. Leases are granted and reported in `exchange`, which needs the feature `redis`.

#[cfg(feature = "redis")]
pub(crate) mod exchange;
mod slots;

use std::{collections::BTreeMap, time::Duration};

use slots::Slots;

use crate::engine::congestion::throughput::Throughput;

/// Time between reports of a busy process, unless the server sets a longer one.
pub(crate) const PERIOD: Duration = Duration::from_millis(250);
/// Time between reports of an idle process, which keep it in the fleet.
pub(crate) const KEEPALIVE: Duration = Duration::from_secs(1);
const SLOT_LIFETIME: Duration = Duration::from_secs(1);
/// Maximum delay behind its slots that a process makes up for. Less than for an unshared limiter, since all processes may be late at once.
pub(crate) const MAX_LATENESS_OF_SLOTS: Duration = Duration::from_millis(50);
/// Minimum time between two reports without news.
const MIN_POLL_INTERVAL: Duration = Duration::from_millis(5);
pub(crate) const IN_FLIGHT: &str = "in_flight";

/// Amounts by the name of their limit.
pub(crate) type ByLimit = BTreeMap<String, f64>;

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

/// Result of the canary that this process has sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    Accepted,
    Lost,
}

/// The part of a grant that is in force until the next grant.
#[derive(Debug, Default)]
pub(crate) struct Terms {
    pub(crate) episode: u64,
    /// Time between reports of a busy process.
    period: Duration,
    /// Budget that limits this process.
    pub(crate) bottleneck: Option<String>,
    pub(crate) processes: u64,
    /// This process's fraction of all demand.
    pub(crate) share: f64,
    /// Limit of all processes, in calls a minute.
    pub(crate) pace: f64,
    /// Rate that the ramp allows all processes, in calls a minute.
    rate: f64,
    pub(crate) is_ramping: bool,
    pub(crate) ceilings: ByLimit,
    pub(crate) adapted: ByLimit,
}

#[derive(Debug, Default)]
#[allow(clippy::struct_excessive_bools)] // They are independent of each other.
pub(crate) struct Lease {
    /// The last grant. Before the first one, it contains the number of processes with conflicting limits and an equal share.
    pub(crate) terms: Terms,
    slots: Slots,
    /// Maximum number of calls in flight.
    pub(crate) room: u64,
    canary: Canary,
    /// End of the fleet's pause.
    pub(crate) paused_until: Option<Duration>,
    reported_at: Option<Duration>,
    /// Time before which a lack of slots does not cause a report.
    retry_at: Duration,
    is_resting: bool,
    // Reset by each report.
    has_refusals: bool,
    /// The limiter has closed or opened.
    has_closing_news: bool,
    canary_outcome: Option<Outcome>,
    /// The call of that canary.
    ended_canary: Option<u64>,
    arrivals: u64,
    sent: Throughput,
    unused_slots: u64,
    backlogged: BTreeMap<&'static str, Duration>,
    has_changed: bool,
    /// A refused call has joined the queue again.
    has_rejoined: bool,
    last_failed_try: Option<Duration>,
    #[cfg(feature = "redis")]
    pub(crate) exchange: exchange::Exchange,
}

impl Lease {
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

    /// Records that `try_acquire` failed, so that the next report asks for a spare slot.
    pub(crate) fn missed_try(&mut self, now: Duration) {
        self.last_failed_try = Some(now);
    }

    pub(crate) fn on_requested(&mut self) {
        self.arrivals += 1;
        if self.paused_until.is_some() {
            // It may be the canary that the pause waits for.
            self.on_rejoined();
        }
    }

    /// Records that a refused call has joined the queue again. A lack of slots for it is reported at once.
    pub(crate) fn on_rejoined(&mut self) {
        self.retry_at = Duration::ZERO;
        self.has_rejoined = true;
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
            self.ended_canary = Some(id);
        }
    }

    /// Returns `true` if the call is the canary in flight.
    pub(crate) fn is_canary(&self, id: u64) -> bool {
        self.canary == Canary::Sent(id)
    }

    pub(crate) fn drop_slots(&mut self) {
        self.unused_slots += self.slots.keep(0);
    }

    /// Returns the slots leased under other limits, and requests new ones as soon as a call is queued.
    pub(crate) fn retune(&mut self) {
        self.drop_slots();
        self.retry_at = Duration::ZERO;
    }

    /// Records that the limiter has closed or opened, which is reported at once. Returns its slots.
    pub(crate) fn on_closing(&mut self) {
        self.retune();
        self.has_closing_news = true;
    }

    /// Records that the fleet knows that the limiter has closed or opened.
    #[cfg(feature = "redis")]
    pub(crate) fn on_closing_reported(&mut self) {
        self.has_closing_news = false;
    }

    /// Returns `true` if calls were requested since the last report.
    #[cfg(feature = "redis")]
    pub(crate) fn has_arrivals(&self) -> bool {
        self.arrivals > 0
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

    fn period(&self) -> Duration {
        self.terms.period.clamp(PERIOD, KEEPALIVE)
    }

    /// Returns when the next report is due with `queued` calls. `lacks_capacity`: slots alone would not admit the first of them.
    pub(crate) fn asks_at(&self, queued: u64, lacks_capacity: bool) -> Duration {
        let is_wanted = queued > 0 || self.arrivals > 0 || self.last_failed_try.is_some();
        if self.is_resting && !is_wanted {
            return Duration::MAX;
        }
        let Some(reported_at) = self.reported_at else { return Duration::ZERO };
        if self.has_refusals || self.has_closing_news || self.canary_outcome.is_some() {
            return reported_at;
        }
        let is_busy = is_wanted || !self.slots.is_empty() || self.has_changed;
        let regular = reported_at + if is_busy { self.period() } else { KEEPALIVE };
        let next = match self.canary {
            Canary::None if queued > 0 && (self.slots.is_empty() || lacks_capacity) => Some(self.retry_at),
            // The canary counts as accepted then.
            Canary::Sent(_) if queued > 0 => self.paused_until,
            _ => None,
        };
        next.map_or(regular, |next| regular.min(next.max(reported_at + MIN_POLL_INTERVAL)))
    }

    /// Returns the rest of the fleet's pause, including the time in which the canary is in flight. `None` if there is no pause.
    pub(crate) fn paused_for(&self, now: Duration) -> Option<Duration> {
        self.paused_until.map(|until| until.saturating_sub(now))
    }

    /// Returns the end of the fleet's pause, or `None` if there is no pause or this process ends it by the canary.
    pub(crate) fn pause_ends_at(&self) -> Option<Duration> {
        self.paused_until.filter(|_| self.canary == Canary::None)
    }

    /// Returns `true` if a lease was granted.
    pub(crate) fn is_known(&self) -> bool {
        self.terms.pace > 0.0
    }

    /// Returns the time between calls at the limit of all processes, or `None` before the first grant.
    pub(crate) fn interval(&self) -> Option<Duration> {
        let interval = Duration::try_from_secs_f64(60.0 / self.terms.pace).ok()?;
        self.is_known().then_some(interval)
    }

    /// Returns the rate that the ramp allows all processes now, in calls a minute; 0 during a pause.
    pub(crate) fn rate(&self) -> f64 {
        if self.paused_until.is_some() { 0.0 } else { self.terms.rate }
    }
}
