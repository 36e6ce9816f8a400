//! What is kept of calls that say more than that they want a ticket, by id: calls that say nothing take no room for it.

use std::{
    collections::HashMap,
    hash::{BuildHasherDefault, Hasher},
    time::Duration,
};

use crate::{
    engine::{
        budgets::Price,
        scheduler::{Id, Until},
    },
    limits::{cost::Cost, request::Reason},
};

/// What a call keeps from its asking to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Details {
    pub(crate) cost: Cost,
    /// How much longer it may wait, the time in which it was out left out.
    pub(crate) patience: Option<Duration>,
    pub(crate) deadline: Option<Duration>,
    /// When it leaves the line that it stands in.
    pub(crate) until: Option<Until>,
    /// What it was charged when it went.
    pub(crate) price: Price,
}

/// By the ids of calls that wait or are out.
#[derive(Debug, Default)]
pub(crate) struct AllDetails(HashMap<Id, Details, BuildHasherDefault<ById>>);

impl Details {
    /// When one that joins the line now leaves it again.
    pub(crate) fn until(&self, now: Duration) -> Option<Until> {
        let by_wait = self.patience.map(|left| Until { at: now.saturating_add(left), reason: Reason::MaxWait });
        let by_deadline = self.deadline.map(|at| Until { at, reason: Reason::Deadline });
        by_wait.into_iter().chain(by_deadline).min_by_key(|until| until.at)
    }
}

impl AllDetails {
    pub(crate) fn get(&self, id: Id) -> Details {
        if self.0.is_empty() { Details::default() } else { self.0.get(&id).copied().unwrap_or_default() }
    }

    /// Keeps them until they are taken.
    pub(crate) fn keep(&mut self, id: Id, details: Details) {
        if details != Details::default() {
            self.0.insert(id, details);
        }
    }

    pub(crate) fn take(&mut self, id: Id) -> Details {
        if self.0.is_empty() { Details::default() } else { self.0.remove(&id).unwrap_or_default() }
    }

    #[cfg(test)]
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Ids are counted up by ourselves: nobody can choose them to collide.
#[derive(Debug, Default)]
pub(crate) struct ById(u64);

impl Hasher for ById {
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
