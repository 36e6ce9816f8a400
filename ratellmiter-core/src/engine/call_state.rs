//! The state of calls with options, by id. Calls without options use no memory here.

use std::{
    collections::HashMap,
    hash::{BuildHasherDefault, Hasher},
    time::Duration,
};

use crate::{
    engine::{budgets::reservation::Reservation, call_id::CallId, congestion::backoff::Pauses},
    limits::{
        cost::TokenEstimate,
        request::{Priority, RejectReason, Rejected},
    },
};

/// The options of a call that is requested.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Request {
    pub(crate) cost: TokenEstimate,
    pub(crate) priority: Priority,
    /// Longest total time in the queue, over all attempts.
    pub(crate) max_wait: Option<Duration>,
    /// Time by which the call is to be sent.
    pub(crate) deadline: Option<Duration>,
    /// Longest queue, this call included, that it joins.
    pub(crate) max_queue: Option<u32>,
    /// The call can be rejected while the limiter is closed.
    pub(crate) can_fail: bool,
}

/// The end of a call that is not queued again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CallEnd {
    Succeeded,
    /// The server may have worked on the request before the call failed, so its reservation is kept.
    Failed,
    /// The server found the request invalid, or the transport failed before a response. No tokens are charged.
    Uncharged,
    /// The server refused the request because a quota is exhausted. It is charged as other refusals are.
    QuotaExhausted,
}

/// The end of a call's wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Expiry {
    pub(crate) at: Duration,
    pub(crate) reason: RejectReason,
}

/// The refusals of one call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct RefusalHistory {
    /// Time of the last refusal, or `None` before the first.
    pub(crate) last: Option<Duration>,
    /// The pauses of this call, if it is retried apart from others.
    pub(crate) pauses: Pauses,
    /// Number of the last episode in which the call was refused as the canary; 0 if there is none.
    pub(crate) canary_episode: u64,
    /// The call was refused while others were accepted, so that its refusals do not concern other calls.
    pub(crate) is_responsible: bool,
}

/// The state of a call from its request to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct CallState {
    pub(crate) cost: TokenEstimate,
    /// Longest total time in the queue, over all attempts.
    pub(crate) max_wait: Option<Duration>,
    /// Time that a call with a wait limit has spent in the queue for earlier attempts.
    pub(crate) waited: Duration,
    pub(crate) deadline: Option<Duration>,
    /// End of its wait, while it is queued.
    pub(crate) expiry: Option<Expiry>,
    /// Its charge, while it is in flight.
    pub(crate) reservation: Reservation,
    pub(crate) refusals: RefusalHistory,
    /// Number of times that it was sent again after a transient failure.
    pub(crate) retries: u32,
    /// The call can be rejected while the limiter is closed.
    pub(crate) can_fail: bool,
}

/// The states of queued calls and of calls in flight, by id.
#[derive(Debug, Default)]
pub(crate) struct CallTable(HashMap<CallId, CallState, BuildHasherDefault<IdHasher>>);

impl Request {
    /// A request without options.
    pub(crate) const PLAIN: Self = Self {
        cost: TokenEstimate::UNKNOWN,
        priority: Priority::Normal,
        max_wait: None,
        deadline: None,
        max_queue: None,
        can_fail: false,
    };

    /// Returns the state of a call with these options.
    pub(super) fn state(&self) -> CallState {
        let Self { cost, max_wait, deadline, can_fail, .. } = *self;
        CallState { cost, max_wait, deadline, can_fail, ..CallState::default() }
    }
}

impl CallState {
    /// Returns the end of the call's wait if it is queued now, or `None` if it may wait for any time.
    pub(super) fn next_expiry(&self, now: Duration) -> Option<Expiry> {
        let left = self.max_wait.map(|max| max.saturating_sub(self.waited));
        let by_wait = left.map(|left| Expiry { at: now.saturating_add(left), reason: RejectReason::MaxWait });
        let by_deadline = self.deadline.map(|at| Expiry { at, reason: RejectReason::Deadline });
        by_wait.into_iter().chain(by_deadline).min_by_key(|expiry| expiry.at)
    }

    /// Adds the `time` of an attempt in the queue, if the wait is limited.
    pub(super) fn add_wait(&mut self, time: Duration) {
        if self.max_wait.is_some() || self.deadline.is_some() {
            self.waited += time;
        }
    }

    /// Returns the rejection of the call, which is queued for the present attempt for a time of `queued`.
    pub(super) fn rejected(
        &self,
        now: Duration,
        queued: Duration,
        reason: RejectReason,
        estimated_wait: Duration,
    ) -> Rejected {
        let waited = self.waited + queued;
        let allowed_wait = match reason {
            RejectReason::MaxWait => self.max_wait,
            RejectReason::Deadline => self.deadline.map(|deadline| (waited + deadline).saturating_sub(now)),
            RejectReason::MaxQueue | RejectReason::QuotaExhausted | RejectReason::Unavailable => None,
        };
        Rejected { reason, waited, allowed_wait, estimated_wait, resumes_at: None }
    }
}

impl CallTable {
    /// Returns the state of a call, which is the default for a call without options.
    pub(crate) fn get(&self, id: CallId) -> CallState {
        if self.0.is_empty() { CallState::default() } else { self.0.get(&id).copied().unwrap_or_default() }
    }

    /// Returns the refusals of a call, or `None` if the call has ended.
    pub(crate) fn refusals_mut(&mut self, id: CallId) -> Option<&mut RefusalHistory> {
        self.0.get_mut(&id).map(|state| &mut state.refusals)
    }

    /// Stores a state unless it is the default.
    pub(crate) fn insert(&mut self, id: CallId, state: CallState) {
        if state != CallState::default() {
            self.0.insert(id, state);
        }
    }

    pub(crate) fn remove(&mut self, id: CallId) -> CallState {
        if self.0.is_empty() { CallState::default() } else { self.0.remove(&id).unwrap_or_default() }
    }

    #[cfg(test)]
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Hashes ids by one multiplication. Ids are counted up, so no caller can choose them to collide.
#[derive(Debug, Default)]
pub(crate) struct IdHasher(u64);

impl Hasher for IdHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.write_u64(self.0 << 8 | u64::from(*byte)));
    }

    fn write_u64(&mut self, id: u64) {
        // Multiplying by 2^64 / the golden ratio spreads neighbours over all bits.
        self.0 = id.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    }
}
