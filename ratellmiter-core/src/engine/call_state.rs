//! What is kept of calls that say more than that they want a ticket, by id: calls that say nothing take no room for it.

use std::{
    collections::HashMap,
    hash::{BuildHasherDefault, Hasher},
    time::Duration,
};

use crate::{
    engine::{
        budgets::Reservation,
        scheduler::{CallId, Expiry},
    },
    limits::{cost::TokenEstimate, request::RejectReason},
};

/// What a call keeps from its asking to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct CallState {
    pub(crate) cost: TokenEstimate,
    /// How much longer it may wait, the time in which it was out left out.
    pub(crate) patience: Option<Duration>,
    pub(crate) deadline: Option<Duration>,
    /// When it leaves the line that it stands in.
    pub(crate) until: Option<Expiry>,
    /// What it was charged when it went.
    pub(crate) price: Reservation,
}

/// By the ids of calls that wait or are out.
#[derive(Debug, Default)]
pub(crate) struct CallTable(HashMap<CallId, CallState, BuildHasherDefault<IdHasher>>);

impl CallState {
    /// When one that joins the line now leaves it again.
    pub(crate) fn expiry(&self, now: Duration) -> Option<Expiry> {
        let by_wait = self.patience.map(|left| Expiry { at: now.saturating_add(left), reason: RejectReason::MaxWait });
        let by_deadline = self.deadline.map(|at| Expiry { at, reason: RejectReason::Deadline });
        by_wait.into_iter().chain(by_deadline).min_by_key(|until| until.at)
    }
}

impl CallTable {
    pub(crate) fn get(&self, id: CallId) -> CallState {
        if self.0.is_empty() { CallState::default() } else { self.0.get(&id).copied().unwrap_or_default() }
    }

    /// Keeps them until they are taken.
    pub(crate) fn keep(&mut self, id: CallId, details: CallState) {
        if details != CallState::default() {
            self.0.insert(id, details);
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

/// Ids are counted up by ourselves: nobody can choose them to collide.
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
        // The golden ratio: neighbours are spread over all bits.
        self.0 = id.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    }
}
