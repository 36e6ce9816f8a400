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

#[derive(Debug)]
pub(super) struct Queue<W> {
    calls: BTreeMap<QueuePosition, Queued<W>>,
    /// Queued calls that have a wait limit, ordered by when it expires.
    expiries: BTreeSet<(Duration, QueuePosition)>,
}

impl QueuePosition {
    /// Returns the position of a call that is requested now.
    pub(super) fn new(now: Duration, priority: Priority, id: CallId) -> Self {
        Self { rank: nanos(now + priority.handicap()) + 1, id }
    }

    /// Returns the position of a refused call, before all calls that were never refused.
    pub(super) fn refused(id: CallId) -> Self {
        Self { rank: 0, id }
    }

    /// Returns `true` if the call was refused.
    pub(crate) fn is_refused(self) -> bool {
        self.rank == 0
    }
}

impl<W> Queue<W> {
    pub(super) fn len(&self) -> usize {
        self.calls.len()
    }

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

    /// Removes a call. `expiry` is the one that it was inserted with.
    pub(super) fn remove(&mut self, position: QueuePosition, expiry: Option<Expiry>) -> Option<Queued<W>> {
        if let Some(expiry) = expiry {
            self.expiries.remove(&(expiry.at, position));
        }
        self.calls.remove(&position)
    }

    pub(super) fn get_mut(&mut self, position: QueuePosition) -> Option<&mut Queued<W>> {
        self.calls.get_mut(&position)
    }

    pub(super) fn first_key_value(&self) -> Option<(&QueuePosition, &Queued<W>)> {
        self.calls.first_key_value()
    }

    pub(super) fn last(&self) -> Option<QueuePosition> {
        self.calls.last_key_value().map(|(last, _)| *last)
    }

    /// Returns the positions up to and including `last`, in order.
    pub(super) fn up_to(&self, last: QueuePosition) -> impl Iterator<Item = QueuePosition> {
        self.calls.range(..=last).map(|(position, _)| *position)
    }

    /// Returns the payloads in the order of the queue.
    pub(super) fn payloads(&self) -> impl Iterator<Item = &W> {
        self.calls.values().map(|queued| &queued.payload)
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
        Self { calls: BTreeMap::new(), expiries: BTreeSet::new() }
    }
}
