//! The limiters of a monitor by the name of their model.
//!
//! They are divided over several locks, so that calls of different models rarely share one. A limiter that no caller holds, and whose
//! behaviour equals that of a new one, is forgotten: programs may use a model name for each of their tenants.

use std::{
    collections::HashMap,
    hash::{BuildHasher as _, RandomState},
    sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard},
};

use crate::{limiter::Limiter, limits::Limits};

/// Number of locks.
const SHARDS: usize = 32;

/// Number of limiters of one lock up to which none is looked for that can be forgotten.
const MIN_FORGET: usize = 16;

#[derive(Debug)]
pub(super) struct Limiters {
    shards: [RwLock<Shard>; SHARDS],
    hasher: RandomState,
}

#[derive(Debug)]
struct Shard {
    entries: HashMap<Arc<str>, Entry>,
    /// Number of limiters from which on an insertion forgets others first. Twice the number that was left, so that the cost
    /// of an insertion does not depend on the number of limiters.
    forgets_from: usize,
}

#[derive(Debug)]
pub(super) struct Entry {
    pub(super) limiter: Limiter,
    /// Limits set by [`Monitor::set_limits`](super::Monitor::set_limits).
    pub(super) code_limits: Option<Limits>,
}

impl Limiters {
    pub(super) fn new() -> Self {
        let shard = || RwLock::new(Shard { entries: HashMap::new(), forgets_from: MIN_FORGET });
        Self { shards: std::array::from_fn(|_| shard()), hasher: RandomState::new() }
    }

    /// Returns the limiter of `model`, or `None` if there is none.
    pub(super) fn get(&self, model: &str) -> Option<Limiter> {
        read(self.shard(model)).entries.get(model).map(|entry| entry.limiter.clone())
    }

    /// Returns the limiter of `model`. If there is none, `create` is called for its entry.
    pub(super) fn get_or_insert(&self, model: &str, create: impl FnOnce(&Arc<str>) -> Entry) -> Limiter {
        let mut shard = write(self.shard(model));
        if !shard.entries.contains_key(model) && shard.entries.len() >= shard.forgets_from {
            shard.forget();
        }
        shard.entries.entry(model.into()).or_insert_with_key(create).limiter.clone()
    }

    /// Sets the limits in the code of a model that has a limiter.
    pub(super) fn set_code_limits(&self, model: &str, limits: Limits) {
        if let Some(entry) = write(self.shard(model)).entries.get_mut(model) {
            entry.code_limits = Some(limits);
        }
    }

    /// Calls `each` with all models and their entries, in any order.
    pub(super) fn for_each(&self, mut each: impl FnMut(&Arc<str>, &Entry)) {
        for shard in &self.shards {
            read(shard).entries.iter().for_each(|(model, entry)| each(model, entry));
        }
    }

    /// Forgets limiters of one lock in turn. With each `turn` it is the next lock.
    pub(super) fn forget_some(&self, turn: usize) {
        write(&self.shards[turn % SHARDS]).forget();
    }

    fn shard(&self, model: &str) -> &RwLock<Shard> {
        let hash = usize::try_from(self.hasher.hash_one(model) % SHARDS as u64).unwrap_or_default();
        &self.shards[hash]
    }
}

impl Shard {
    /// Removes the limiters that can be forgotten.
    fn forget(&mut self) {
        // No caller can get a limiter meanwhile, since the shard is locked.
        self.entries.retain(|_, entry| entry.code_limits.is_some() || entry.limiter.is_shared_or_remembers());
        self.entries.shrink_to(2 * self.entries.len());
        self.forgets_from = MIN_FORGET.max(2 * self.entries.len());
    }
}

fn read(shard: &RwLock<Shard>) -> RwLockReadGuard<'_, Shard> {
    shard.read().unwrap_or_else(PoisonError::into_inner)
}

fn write(shard: &RwLock<Shard>) -> RwLockWriteGuard<'_, Shard> {
    shard.write().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
