//! The queue of one limiter: calls in the order in which they are sent, and the times at which their waits expire.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use crate::{
    engine::{call_id::CallId, call_state::Expiry, pace::gcra::nanos},
    limits::request::Priority,
};

/// A position in the queue. Positions sort in the order in which calls are sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct QueuePosition {
    /// 0 for a refused call. Otherwise the time of the request in nanoseconds, after the priority's handicap, plus 1.
    pub(super) rank: u64,
    pub(crate) id: CallId,
}

/// A call in the queue.
#[derive(Debug)]
pub(super) struct Queued<W> {
    /// Time at which it was queued.
    pub(super) since: Duration,
    pub(super) payload: W,
}

/// The queued calls. Calls that are retried *apart* join the others at a time of their own.
#[derive(Debug)]
pub(super) struct Queue<W> {
    calls: BTreeMap<QueuePosition, Queued<W>>,
    apart: BTreeMap<QueuePosition, (Duration, Queued<W>)>,
    /// The calls apart, by the time at which they join the others.
    apart_until: BTreeSet<(Duration, QueuePosition)>,
    /// Queued calls that have a wait limit, ordered by when it expires.
    expiries: BTreeSet<(Duration, QueuePosition)>,
}

impl QueuePosition {
    /// The first possible position of a call that was never refused.
    const NEVER_REFUSED: Self = Self { rank: 1, id: 0 };

    /// Returns the position of a call that is requested now.
    pub(super) fn new(now: Duration, priority: Priority, id: CallId) -> Self {
        Self { rank: nanos(now + priority.handicap()) + 1, id }
    }

    /// Returns the position of a refused call, before all calls that were never refused.
    pub(super) fn refused(id: CallId) -> Self {
        Self { rank: 0, id }
    }

    /// Returns `true` for a refused call that is sent before all others.
    pub(crate) fn is_refused(self) -> bool {
        self.rank == 0
    }

    /// Returns the position of a refused call that is queued again `at` a later time, behind the calls that are queued until then.
    pub(super) fn apart(at: Duration, id: CallId) -> Self {
        Self::new(at, Priority::Normal, id)
    }
}

impl<W> Queue<W> {
    /// Returns the number of calls without those apart.
    pub(super) fn len(&self) -> usize {
        self.calls.len()
    }

    /// Returns the number of all calls.
    pub(super) fn total(&self) -> usize {
        self.calls.len() + self.apart.len()
    }

    /// Returns `true` if no calls are queued except those apart.
    pub(super) fn is_empty(&self) -> bool {
        self.calls.is_empty()
    }

    /// Adds a call, whose wait expires at `expiry`.
    pub(super) fn insert(&mut self, now: Duration, position: QueuePosition, expiry: Option<Expiry>, payload: W) {
        if let Some(expiry) = expiry {
            self.expiries.insert((expiry.at, position));
        }
        self.calls.insert(position, Queued { since: now, payload });
    }

    /// Adds a call apart, which joins the others at `until`.
    pub(super) fn insert_apart(
        &mut self,
        now: Duration,
        until: Duration,
        position: QueuePosition,
        expiry: Option<Expiry>,
        payload: W,
    ) {
        if let Some(expiry) = expiry {
            self.expiries.insert((expiry.at, position));
        }
        self.apart_until.insert((until, position));
        self.apart.insert(position, (until, Queued { since: now, payload }));
    }

    /// Returns when the next call apart joins the others.
    pub(super) fn next_apart(&self) -> Option<Duration> {
        self.apart_until.first().map(|(until, _)| *until)
    }

    /// Returns when a call joins the others, or `None` if it is not apart.
    pub(super) fn apart_until(&self, position: QueuePosition) -> Option<Duration> {
        self.apart.get(&position).map(|(until, _)| *until)
    }

    /// Moves the next call apart to the others if its time has come.
    pub(super) fn join_apart(&mut self, now: Duration) -> bool {
        if self.next_apart().is_none_or(|until| until > now) {
            return false;
        }
        let Some((_, position)) = self.apart_until.pop_first() else { return false };
        if let Some((_, queued)) = self.apart.remove(&position) {
            self.calls.insert(position, queued);
        }
        true
    }

    /// Removes a call. `expiry` is the one that it was inserted with.
    pub(super) fn remove(&mut self, position: QueuePosition, expiry: Option<Expiry>) -> Option<Queued<W>> {
        if let Some(expiry) = expiry {
            self.expiries.remove(&(expiry.at, position));
        }
        if let Some((until, queued)) = self.apart.remove(&position) {
            self.apart_until.remove(&(until, position));
            return Some(queued);
        }
        self.calls.remove(&position)
    }

    pub(super) fn get_mut(&mut self, position: QueuePosition) -> Option<&mut Queued<W>> {
        self.calls.get_mut(&position).or_else(|| self.apart.get_mut(&position).map(|(_, queued)| queued))
    }

    /// Returns the call that is sent next: the first one, or, if `skips_refused`, the first one that was never refused.
    pub(super) fn next(&self, skips_refused: bool) -> Option<(QueuePosition, &Queued<W>)> {
        let never_refused = || self.calls.range(QueuePosition::NEVER_REFUSED..).next();
        let next = skips_refused.then(never_refused).flatten().or_else(|| self.calls.first_key_value());
        next.map(|(position, queued)| (*position, queued))
    }

    pub(super) fn last(&self) -> Option<QueuePosition> {
        self.calls.last_key_value().map(|(last, _)| *last)
    }

    /// Returns the positions up to and including `last`, in order.
    pub(super) fn up_to(&self, last: QueuePosition) -> impl Iterator<Item = QueuePosition> {
        self.calls.range(..=last).map(|(position, _)| *position)
    }

    /// Returns the payloads in the order of the queue, those apart last.
    pub(super) fn payloads(&self) -> impl Iterator<Item = &W> {
        self.calls.values().chain(self.apart.values().map(|(_, queued)| queued)).map(|queued| &queued.payload)
    }

    /// Returns the positions of all calls, those apart last.
    pub(super) fn positions(&self) -> impl Iterator<Item = QueuePosition> {
        self.calls.keys().chain(self.apart.keys()).copied()
    }

    /// Returns when the next wait expires.
    pub(super) fn next_expiry(&self) -> Option<Duration> {
        self.expiries.first().map(|(at, _)| *at)
    }

    /// Removes the next expiry that is not after `now` and returns the position of its call, which stays in the queue.
    pub(super) fn pop_expiry(&mut self, now: Duration) -> Option<QueuePosition> {
        self.next_expiry().filter(|at| *at <= now)?;
        self.expiries.pop_first().map(|(_, position)| position)
    }

    #[cfg(test)]
    pub(super) fn expiries(&self) -> usize {
        self.expiries.len()
    }
}

impl<W> Default for Queue<W> {
    fn default() -> Self {
        let (calls, apart) = (BTreeMap::new(), BTreeMap::new());
        Self { calls, apart, apart_until: BTreeSet::new(), expiries: BTreeSet::new() }
    }
}
