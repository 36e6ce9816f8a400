//! The state of a limiter at one moment.

use std::{
    fmt,
    time::{Duration, Instant, SystemTime},
};

use crate::{
    engine::{budgets::BudgetStatuses, lease::FleetStatus},
    limiter::{clock::Clock, driver::State},
    limits::request::RejectReason,
    log::row::BudgetStatus,
};

/// State of a limiter at one moment.
#[derive(Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Snapshot {
    /// Calls in the queue, including refused calls that will be sent again.
    pub queued: usize,
    /// Calls in flight.
    pub in_flight: u64,
    /// Current rate in calls a second. Below the limit while demand is ramped up, and zero during a pause.
    pub rate_per_second: f64,
    /// Adapted rate in calls a second, or `None` while the configured rate applies.
    pub adapted_rate_per_second: Option<f64>,
    /// Adapted limit of calls in flight, or `None` while the configured one applies.
    pub adapted_in_flight: Option<f64>,
    /// End of the pause after a refusal, or of the closed state or the time of its next probe, or `None` without either. The canary or the probe that follows is part of the
    /// pause. Never before the time of the snapshot: it is that time while the end is not known.
    pub paused_until: Option<Instant>,
    /// The reason for which the limiter is closed, or `None` if it is open.
    pub closed: Option<Closed>,
    /// Time until the queue is empty if no more calls join it and none is refused. While the limiter is closed, calls are expected
    /// to wait until it opens or until its next probe, and those that cannot fail to be sent one a second.
    pub estimated_drain: Duration,
    /// The fleet that shares the limiter, or `None` if it is not shared.
    pub fleet: Option<FleetStatus>,
    budgets: BudgetStatuses,
}

/// State of a closed limiter, whose server would refuse calls for a long time.
///
/// A limiter closes when a quota is spent, when the server asks for a wait of more than ten minutes, or when no call was accepted
/// for [`give_up_after`](crate::Limits::give_up_after). It opens at the time that the server named, or when a call that is sent as
/// a test succeeds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Closed {
    /// [`RejectReason::QuotaExhausted`] or [`RejectReason::Unavailable`].
    pub reason: RejectReason,
    /// The time at which the limiter opens, as the server named it, or `None` if it is not known.
    pub resumes_at: Option<SystemTime>,
}

impl Snapshot {
    pub(super) fn of(state: &mut State, now: Duration) -> Self {
        let State { scheduler, clock, .. } = state;
        scheduler.advance_to(now);
        let gauges = scheduler.gauges(now);
        let queued = scheduler.queue_length();
        // Without queued calls, a pause that is over waits for a call that is sent at once.
        let remaining_pause = gauges.paused_for.filter(|left| !left.is_zero() || queued > 0);
        Self {
            queued,
            in_flight: gauges.in_flight,
            rate_per_second: gauges.rate,
            adapted_rate_per_second: gauges.learned_rate,
            adapted_in_flight: gauges.learned_in_flight,
            paused_until: remaining_pause.map(|left| Clock::reading() + left),
            closed: gauges.closed.map(|(reason, left)| Closed {
                reason: reason.into(),
                resumes_at: left.map(|left| clock.wall_at(now + left)),
            }),
            estimated_drain: gauges.time_left.unwrap_or_default(),
            fleet: gauges.fleet,
            budgets: gauges.budgets,
        }
    }

    /// Returns the status of each configured budget of tokens or of a day.
    pub fn budgets(&self) -> impl Iterator<Item = &BudgetStatus> {
        self.budgets.iter().flatten()
    }
}

impl fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Snapshot")
            .field("queued", &self.queued)
            .field("in_flight", &self.in_flight)
            .field("rate_per_second", &self.rate_per_second)
            .field("adapted_rate_per_second", &self.adapted_rate_per_second)
            .field("adapted_in_flight", &self.adapted_in_flight)
            .field("paused_until", &self.paused_until)
            .field("closed", &self.closed)
            .field("estimated_drain", &self.estimated_drain)
            .field("fleet", &self.fleet)
            .field("budgets", &self.budgets().collect::<Vec<_>>())
            .finish()
    }
}
