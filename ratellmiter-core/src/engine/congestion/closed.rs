//! The closed state: no call is sent except one at a time, since the server will refuse calls for a long time.
//!
//! A limiter closes when a quota is spent, when the server asks for a wait of more than ten minutes, or when no call was accepted
//! for long. It opens at the time that the server named, or when a call that was sent while it was closed succeeds.

#[cfg(feature = "redis")]
pub(crate) mod shared;

use std::time::Duration;

use crate::{
    engine::{
        call_id::{CallId, Grant},
        congestion::backoff::{MAX_CANARY_TIMEOUT, MAX_HINT},
    },
    limits::{Limits, on_exhausted::OnExhausted, request::RejectReason},
    log::row::ClosedReason,
};

/// Time without an accepted call after which a limiter closes.
pub(crate) const GIVE_UP_AFTER: Duration = Duration::from_mins(15);
/// The same before the first accepted call.
pub(crate) const FIRST_GIVE_UP_AFTER: Duration = Duration::from_mins(2);
/// Refusals with more time between them, without the hints of the server, do not count as one series.
pub(crate) const MAX_REFUSAL_GAP: Duration = Duration::from_mins(3);
/// Time between probes if the end is not known.
pub(crate) const PROBE_INTERVAL: Duration = Duration::from_mins(1);
/// Time between probes if the end is known, in case that it is wrong.
pub(crate) const KNOWN_END_PROBE_INTERVAL: Duration = Duration::from_mins(10);
/// The longest time until a known end. The server is tried again after it in any case.
const MAX_CLOSED: Duration = Duration::from_hours(24 * 366);
/// Time between calls that cannot fail without a request.
pub(crate) const UNFAILING_INTERVAL: Duration = Duration::from_secs(1);
/// Waits that differ by less are the same, since servers round them to seconds.
const SAME_WAIT: Duration = Duration::from_secs(1);

/// The time at which a limiter closes, its closed state, and the refusals since the last accepted call.
#[derive(Debug, Default)]
pub(crate) struct Closing {
    closed: Option<Closed>,
    /// A call was accepted before.
    has_accepted: bool,
    series: Option<RefusalSeries>,
    /// Time at which the limiter last opened. Refusals of calls that were sent before it are outdated.
    opened_at: Duration,
    /// The limiter is shared: it sends calls while it is closed only if the fleet allows it.
    is_shared: bool,
    shared: SharedClosing,
}

/// The part of the closed state that a fleet exchanges.
#[derive(Debug, Default)]
#[cfg_attr(not(feature = "redis"), allow(dead_code))]
#[allow(clippy::struct_excessive_bools)] // They are independent of each other.
struct SharedClosing {
    /// The fleet's number of the closed state, or `None` before the fleet knows it.
    generation: Option<u64>,
    /// The last closed state that has ended in this process.
    opened: Option<u64>,
    /// The closed state has ended before the fleet's number of it was known.
    opens_next: bool,
    /// The closed state has started since the last report, or its end has changed.
    has_news: bool,
    /// This process has the permission to send calls.
    is_owner: bool,
    /// A call was sent since this process got the permission.
    has_sent: bool,
    /// Another process wants to send a call.
    is_wanted: bool,
    /// Time of the last accepted call since the last report.
    accepted_at: Option<Duration>,
}

/// The state of a closed limiter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Closed {
    pub(crate) reason: ClosedReason,
    pub(crate) since: Duration,
    /// Time at which the limiter opens, or `None` if only an accepted call opens it.
    pub(crate) opens_at: Option<Duration>,
    /// Time until `opens_at` when that was named; zero if it is not known.
    named_wait: Duration,
    /// Earliest time of the next probe.
    next_probe: Duration,
    /// Earliest time of the next call that cannot fail.
    next_unfailing: Duration,
    /// The call in flight, and the time at which it was sent.
    sent: Option<(CallId, Duration)>,
    /// Calls may be sent. `false` while only another process of the fleet may send calls.
    may_send: bool,
}

/// Refusals without an accepted call in between.
#[derive(Debug, Clone, Copy)]
struct RefusalSeries {
    first: Duration,
    last: Duration,
    /// The latest time that the server asked to wait for.
    hinted_until: Duration,
}

impl RefusalSeries {
    /// Returns the time after which a refusal starts another series.
    fn ends_at(&self) -> Duration {
        self.last.max(self.hinted_until).saturating_add(MAX_REFUSAL_GAP)
    }
}

impl Closing {
    /// Returns the state of a closed limiter, or `None` while it is open.
    pub(crate) fn closed(&self) -> Option<&Closed> {
        self.closed.as_ref()
    }

    /// Returns the time without an accepted call after which the limiter closes.
    fn give_up_after(&self, limits: &Limits) -> Duration {
        limits.give_up_after.unwrap_or(if self.has_accepted { GIVE_UP_AFTER } else { FIRST_GIVE_UP_AFTER })
    }

    /// Returns when the limiter closes if no call is accepted until then. `None` if it is closed, if no call was refused lately, or
    /// if the server asked to wait longer, after which it closes by the next refusal.
    pub(crate) fn gives_up_at(&self, limits: &Limits) -> Option<Duration> {
        let series = self.series.filter(|_| self.closed.is_none())?;
        let at = series.first.saturating_add(self.give_up_after(limits));
        (at >= series.hinted_until && at <= series.ends_at()).then_some(at)
    }

    /// Closes the limiter after a time without an accepted call.
    pub(crate) fn give_up(&mut self, now: Duration) {
        self.close(now, ClosedReason::Unavailable, None);
    }

    /// Records that a call was refused because a quota is spent until `opens_at`, and closes the limiter. Returns `true` unless the
    /// call was sent before the limiter last opened.
    pub(crate) fn on_exhausted(&mut self, now: Duration, sent_at: Duration, opens_at: Option<Duration>) -> bool {
        let is_current = sent_at >= self.opened_at;
        if is_current {
            self.close(now, ClosedReason::Quota, opens_at.filter(|at| *at > now));
        }
        is_current
    }

    /// Records a refusal, with the wait that the server asked for. Closes the limiter if the wait is long, or if no call was
    /// accepted for long.
    pub(crate) fn on_refused(&mut self, now: Duration, sent_at: Duration, hint: Option<Duration>, limits: &Limits) {
        if sent_at < self.opened_at {
            return;
        }
        let hinted_until = now.saturating_add(hint.unwrap_or_default());
        let first = self.series.filter(|series| now <= series.ends_at()).map_or(now, |series| series.first);
        let hinted_before = self.series.map_or(Duration::ZERO, |series| series.hinted_until);
        let is_long = hint.is_some_and(|hint| hint > MAX_HINT);
        self.series = Some(RefusalSeries {
            first,
            last: now,
            // A long wait ends with the closed state.
            hinted_until: if is_long { now } else { hinted_until.max(hinted_before) },
        });
        if is_long {
            self.close(now, ClosedReason::Quota, Some(hinted_until));
        } else if self.closed.is_none() && now >= first.saturating_add(self.give_up_after(limits)) {
            self.give_up(now);
        }
    }

    fn close(&mut self, now: Duration, reason: ClosedReason, opens_at: Option<Duration>) {
        let opens_at = opens_at.map(|at| at.min(now + MAX_CLOSED));
        let interval = if opens_at.is_some() { KNOWN_END_PROBE_INTERVAL } else { PROBE_INTERVAL };
        let named = opens_at.filter(|at| self.closed.is_none_or(|closed| closed.is_new_end(now, *at)));
        self.shared.has_news |= self.closed.is_none() || named.is_some();
        if self.closed.is_none() {
            (self.shared.generation, self.shared.opens_next) = (None, false);
            (self.shared.is_owner, self.shared.has_sent, self.shared.is_wanted) = (false, false, false);
        }
        let closed = self.closed.get_or_insert(Closed {
            reason,
            since: now,
            opens_at,
            named_wait: Duration::ZERO,
            next_probe: now + interval,
            next_unfailing: now + UNFAILING_INTERVAL,
            sent: None,
            may_send: !self.is_shared,
        });
        if let Some(at) = named {
            (closed.opens_at, closed.named_wait) = (Some(at), at.saturating_sub(now));
        }
        if opens_at.is_some() {
            closed.reason = reason;
            closed.next_probe = closed.next_probe.max(now + interval);
        }
    }

    /// Records that a call was accepted. Returns `true` if the limiter opens: the call was sent while it was closed, or the server had
    /// accepted no call before.
    pub(crate) fn on_accepted(&mut self, now: Duration, grant: &Grant, failed: bool) -> bool {
        self.has_accepted |= !failed;
        self.shared.accepted_at = Some(now);
        match &mut self.closed {
            None => {
                self.series = None;
                false
            }
            Some(closed) if !failed && (closed.is_sent(grant.id) || closed.reason == ClosedReason::Unavailable) => {
                self.open(now);
                true
            }
            Some(closed) => {
                closed.end(grant.id);
                false
            }
        }
    }

    /// Records that the canary counts as accepted, since it was not refused in time.
    pub(crate) fn on_canary_expired(&mut self) {
        if self.closed.is_none() {
            self.series = None;
        }
    }

    /// Returns when the limiter opens by itself: at its known end, or when the call in flight counts as accepted.
    pub(crate) fn opens_at(&self) -> Option<Duration> {
        let closed = self.closed.as_ref()?;
        closed.opens_at.into_iter().chain(closed.sent.map(|(_, at)| at + MAX_CANARY_TIMEOUT)).min()
    }

    /// Opens the limiter.
    pub(crate) fn open(&mut self, now: Duration) {
        if self.closed.take().is_some() {
            let shared = &mut self.shared;
            shared.opens_next = shared.generation.is_none() && !shared.has_news;
            shared.opened = shared.generation.or(shared.opened);
            (shared.generation, shared.has_news) = (None, false);
        }
        self.series = None;
        self.opened_at = now;
    }

    /// Records that a call is sent while the limiter is closed.
    pub(crate) fn on_sent(&mut self, now: Duration, id: CallId) {
        if let Some(closed) = &mut self.closed {
            self.shared.has_sent = true;
            // The next call is of another process that has one.
            closed.may_send &= !(self.is_shared && self.shared.is_wanted);
            closed.sent = Some((id, now));
            closed.next_unfailing = now + UNFAILING_INTERVAL;
            closed.next_probe = now + closed.probe_interval();
        }
    }

    /// Returns `true` if the call was sent while the limiter was closed, and it still is.
    pub(crate) fn is_sent(&self, id: CallId) -> bool {
        self.closed.as_ref().is_some_and(|closed| closed.is_sent(id))
    }

    /// Records that a call ended, other than by success.
    pub(crate) fn on_ended(&mut self, id: CallId) {
        if let Some(closed) = &mut self.closed {
            closed.end(id);
        }
    }

    /// Records that a call was not sent after all.
    pub(crate) fn on_canceled(&mut self, now: Duration, id: CallId) {
        if let Some(closed) = self.closed.as_mut().filter(|closed| closed.is_sent(id)) {
            closed.end(id);
            (closed.next_probe, closed.next_unfailing) = (now, now);
        }
    }
}

impl Closed {
    fn is_sent(&self, id: CallId) -> bool {
        self.sent.is_some_and(|(sent, _)| sent == id)
    }

    fn end(&mut self, id: CallId) {
        self.sent = self.sent.filter(|(sent, _)| *sent != id);
    }

    /// Returns `true` if a refusal at `now` that names the end `at` changes the known end: it is earlier, or the server asks for a
    /// longer wait than before. A server that names the same wait each time does not count down, and its first end is kept.
    fn is_new_end(&self, now: Duration, at: Duration) -> bool {
        let is_longer = at.saturating_sub(now) > self.named_wait.saturating_add(SAME_WAIT);
        self.opens_at.is_none_or(|known| at < known || is_longer)
    }

    fn probe_interval(&self) -> Duration {
        if self.opens_at.is_some() { KNOWN_END_PROBE_INTERVAL } else { PROBE_INTERVAL }
    }

    /// Returns when the next call may be sent, or `None` while one is in flight or only another process may send calls. `as_probe`:
    /// the call is sent only as a probe.
    pub(crate) fn due(&self, as_probe: bool) -> Option<Duration> {
        match self.sent {
            _ if !self.may_send => None,
            Some(_) => None,
            None if as_probe => Some(self.next_probe),
            None => Some(self.next_unfailing),
        }
    }

    /// Returns the remaining time until the limiter opens or sends a probe.
    pub(crate) fn time_left(&self, now: Duration) -> Duration {
        self.opens_at.unwrap_or(self.next_probe).saturating_sub(now)
    }

    /// Returns the time until the last of `calls` calls that cannot fail is sent, if none of them is accepted.
    pub(crate) fn wait_of_unfailing(&self, now: Duration, calls: usize) -> Duration {
        let others = u32::try_from(calls.saturating_sub(1)).unwrap_or(u32::MAX);
        self.next_unfailing.saturating_sub(now) + UNFAILING_INTERVAL.saturating_mul(others)
    }

    /// Returns when calls stop waiting for the limiter to open, or `None` if they wait for any time. Zero if they do not wait.
    pub(crate) fn waits_until(&self, limits: &Limits) -> Option<Duration> {
        if limits.on_exhausted != OnExhausted::Wait || self.reason != ClosedReason::Quota {
            return Some(Duration::ZERO);
        }
        let until = self.since.saturating_add(limits.wait_at_most?);
        // A known end that is too late is not waited for.
        Some(if self.opens_at.is_some_and(|opens_at| opens_at > until) { Duration::ZERO } else { until })
    }

    /// Returns `true` if calls wait for the limiter to open.
    pub(crate) fn waits(&self, now: Duration, limits: &Limits) -> bool {
        self.waits_until(limits).is_none_or(|until| now < until)
    }
}

impl From<ClosedReason> for RejectReason {
    fn from(reason: ClosedReason) -> Self {
        match reason {
            ClosedReason::Quota | ClosedReason::Other => Self::QuotaExhausted,
            ClosedReason::Unavailable => Self::Unavailable,
        }
    }
}

#[cfg(test)]
mod tests;
