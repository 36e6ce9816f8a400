//! The closed state of a limiter that is shared with other processes.
//!
//! The fleet closes and opens as a whole. While it is closed, at most one process may send calls.

use std::time::Duration;

use super::{Closing, UNFAILING_INTERVAL};
use crate::{
    engine::lease::exchange::{ClosedGrant, ClosedMessage, LeaseGrant, duration, micros, whole},
    log::row::ClosedReason,
};

/// Ends that differ by less are the same, as in the script of the fleet.
const SAME_END: Duration = Duration::from_secs(1);

/// Change of the closed state by a grant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Change {
    None,
    Closed,
    Opened,
}

impl Closing {
    /// Starts sharing. No call is sent while the limiter is closed before the fleet allows it.
    pub(crate) fn join_fleet(&mut self) {
        self.is_shared = true;
        (self.shared.has_news, self.shared.is_owner) = (true, false);
        if let Some(closed) = &mut self.closed {
            closed.may_send = false;
        }
    }

    /// Closes and opens alone from now on.
    pub(crate) fn leave_fleet(&mut self) {
        self.is_shared = false;
        if let Some(closed) = &mut self.closed {
            closed.may_send = true;
        }
    }

    /// Returns the closed state for the next report, or `None` while the limiter is open. `wants`: a call could be sent soon. Returns
    /// the permission to send calls if another process wants it more. The rate allows the next call at `paced_until`.
    pub(crate) fn report(&mut self, now: Duration, wants: bool, paced_until: Duration) -> Option<ClosedMessage> {
        let closed = self.closed.as_mut()?;
        let shared = &mut self.shared;
        let releases = shared.is_owner && shared.is_wanted && closed.sent.is_none() && (!wants || shared.has_sent);
        if releases {
            (shared.is_owner, closed.may_send) = (false, false);
        }
        Some(ClosedMessage {
            generation: shared.generation,
            is_news: std::mem::take(&mut shared.has_news),
            reason: closed.reason,
            opens_in: closed.opens_at.map(|at| micros(at.saturating_sub(now))),
            probes: closed.sent.is_some(),
            wants,
            releases,
            next_probe: micros(closed.next_probe.max(paced_until).saturating_sub(now)),
            next_unfailing: micros(closed.next_unfailing.max(paced_until).saturating_sub(now)),
        })
    }

    /// Returns the closed state of the fleet that this process has opened last.
    pub(crate) fn opened(&self) -> Option<u64> {
        self.shared.opened
    }

    /// Returns the time since the last accepted call, if there is one since the last report.
    pub(crate) fn take_accepted(&mut self, now: Duration) -> Option<u64> {
        self.shared.accepted_at.take().map(|at| micros(now.saturating_sub(at)))
    }

    /// Applies the closed state and the last accepted call of the fleet.
    pub(crate) fn apply(&mut self, now: Duration, grant: &LeaseGrant) -> Change {
        if let Some(age) = grant.accepted {
            self.on_accepted_elsewhere(now.saturating_sub(duration(age)));
        }
        if let Some(fleet) = &grant.closed {
            return self.apply_closed(now, fleet);
        }
        self.shared.opens_next = false;
        // A closed state without a generation is not reported yet.
        if self.closed.is_some() && self.shared.generation.is_some() {
            self.open(now);
            return Change::Opened;
        }
        Change::None
    }

    fn apply_closed(&mut self, now: Duration, fleet: &ClosedGrant) -> Change {
        let generation = whole(fleet.generation);
        if std::mem::take(&mut self.shared.opens_next) {
            self.shared.opened = Some(generation);
        }
        if self.shared.opened == Some(generation) {
            return Change::None;
        }
        let was_closed = self.closed.is_some();
        // A change since the report is newer than the grant.
        if !was_closed || self.shared.generation != Some(generation) && !self.shared.has_news {
            let opens_at = fleet.opens_in.map(|left| now + duration(left));
            // The end that this process has reported does not start the time until the next probe again.
            if !self.closed.is_some_and(|closed| closed.is_same(fleet.reason, opens_at)) {
                self.close(now, fleet.reason, opens_at);
                self.shared.has_news = false;
            }
        }
        self.shared.generation = Some(generation);
        self.shared.is_wanted = fleet.is_wanted;
        if let Some(closed) = &mut self.closed {
            if !self.shared.is_owner {
                closed.next_probe = now + duration(fleet.next_probe);
                closed.next_unfailing = now + duration(fleet.next_unfailing);
                self.shared.has_sent = false;
            }
            self.shared.is_owner = fleet.may_send;
            closed.may_send = fleet.may_send && !(fleet.is_wanted && self.shared.has_sent);
        }
        if was_closed { Change::None } else { Change::Closed }
    }

    /// Records that another process had a call accepted at `at`: refusals before it do not close the limiter.
    fn on_accepted_elsewhere(&mut self, at: Duration) {
        self.has_accepted = true;
        if let Some(series) = self.series.as_mut().filter(|_| self.closed.is_none()) {
            series.first = series.first.max(at);
        }
    }
}

impl super::Closed {
    /// Returns `true` if the reason and the end are the same as `reason` and `opens_at`, apart from the time of a message.
    fn is_same(&self, reason: ClosedReason, opens_at: Option<Duration>) -> bool {
        let is_near = |(one, other): (Duration, Duration)| one.abs_diff(other) <= SAME_END;
        self.reason == reason && self.opens_at.zip(opens_at).map_or(self.opens_at == opens_at, is_near)
    }

    /// Returns `true` if a call could be sent within a second, apart from calls of other processes.
    pub(crate) fn is_near(&self, now: Duration, as_probe: bool) -> bool {
        let due = if as_probe { self.next_probe } else { self.next_unfailing };
        self.sent.is_none() && due <= now + UNFAILING_INTERVAL
    }
}

#[cfg(test)]
mod tests;
