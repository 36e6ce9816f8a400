//! Usage of daily budgets, stored beside the logs so that a restart continues the day.
//!
//! Each monitor writes the usage of its own calls to a file of its own, `days-<start>-<process>-<number>.json`. At its start it
//! imports the files of all other monitors, ended or running, since they use the same account. No file has two writers, and
//! no usage is counted twice. A file without entries of the last day is removed by the next monitor that reads it.
//!
//! Files are replaced atomically. A file that cannot be read is ignored.

mod file;

use std::{
    collections::{BTreeMap, HashMap},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant, SystemTime},
};

pub(super) use self::file::{DayFile, read};
use crate::{limiter::Limiter, log::row::BudgetKind};

const DAY: Duration = Duration::from_hours(24);

/// Calls within this time may share an entry, which has the time of the last. Slightly above the resolution of a sliding
/// window.
const ENTRY_SECONDS: u64 = 90;

/// Largest difference between two roundings of one time.
const ROUNDING_SECONDS: u64 = 2;

/// Times in seconds since the epoch with the amounts charged then, oldest first.
type Entries = Vec<(u64, u64)>;

/// Usage of one model, by the key of the budget.
pub(crate) type DayEntries = BTreeMap<BudgetKind, Entries>;

/// Usage by model.
pub(crate) type Journal = HashMap<String, DayEntries>;

/// Amounts charged to the daily budgets of one limiter, by age, oldest first.
pub(crate) type UsageByAge = Vec<(BudgetKind, Vec<(Duration, u64)>)>;

/// Removes entries that are a day old at `now`, or in the future, and those of kinds of a later version. Returns `true` if any are
/// left.
fn prune(usage: &mut DayEntries, now: u64) -> bool {
    let is_current = |at: u64| now.checked_sub(at).is_some_and(|age| age < DAY.as_secs());
    usage.retain(|kind, entries| {
        entries.retain(|(at, _)| is_current(*at));
        kind.is_daily() && !entries.is_empty()
    });
    !usage.is_empty()
}

/// Usage by other monitors, as far as this monitor has imported it.
#[derive(Debug)]
pub(crate) struct DayUsage {
    /// Name of this monitor's own file.
    name: String,
    /// Content of other files when they were last read, so that another start imports only new usage.
    imported: HashMap<String, Journal>,
    /// Imported usage of budgets that are not configured yet.
    pending: Journal,
    /// Imported usage by model that is charged to limiters, and so is not written to the own file.
    restored: HashMap<String, Vec<Restored>>,
}

/// Imported usage that was charged to one budget. It is kept by the monotonic clock, as the wall clock may be set.
#[derive(Debug)]
struct Restored {
    kind: BudgetKind,
    at: Instant,
    /// Amounts by their age at `at`, oldest first.
    ages: Vec<(Duration, u64)>,
}

impl Restored {
    /// Returns the entries by the wall clock, which shows `now`, without entries about to be a day old.
    fn entries(&self, now: Duration) -> Entries {
        let elapsed = self.at.elapsed();
        let current = self.ages.iter().map(|(age, amount)| (*age + elapsed, *amount));
        let current = current.filter(|(age, _)| *age + Duration::from_secs(ROUNDING_SECONDS) < DAY);
        current.map(|(age, amount)| (now.saturating_sub(age).as_secs(), amount)).collect()
    }
}

impl DayUsage {
    pub(crate) fn new() -> Self {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        // Processes in several containers may share a directory and have the same process id.
        let start = since_epoch().as_nanos();
        Self {
            name: format!("days-{start}-{}-{count}.json", std::process::id()),
            imported: HashMap::new(),
            pending: Journal::new(),
            restored: HashMap::new(),
        }
    }

    /// Returns `true` if there is no usage by other monitors.
    pub(crate) fn is_empty(&self) -> bool {
        self.pending.is_empty() && self.restored.is_empty()
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Imports the files of other monitors by name, without the usage imported before.
    pub(crate) fn import(&mut self, found: HashMap<String, Journal>, now: u64) {
        self.imported.retain(|_, journal| journal.values_mut().any(|usage| prune(usage, now)));
        for (name, journal) in found {
            let imported = self.imported.entry(name).or_default();
            let before = std::mem::replace(imported, journal.clone());
            for (model, usage) in journal {
                let known = before.get(&model);
                let pending = self.pending.entry(model).or_default();
                for (kind, mut entries) in usage {
                    subtract(&mut entries, known.and_then(|known| known.get(&kind)).map_or(&[], Vec::as_slice));
                    let pending = pending.entry(kind).or_default();
                    pending.append(&mut entries);
                    merge(pending);
                }
            }
        }
        self.pending.retain(|_, usage| prune(usage, now));
    }

    /// Charges the pending usage of `model` to the budgets of its limiter, as far as they are configured.
    pub(crate) fn restore(&mut self, model: &str, limiter: &Limiter) {
        if !self.pending.contains_key(model) && !self.restored.contains_key(model) {
            return;
        }
        let now = since_epoch();
        let configured: Vec<_> = limiter.day_usage().into_iter().map(|(kind, _)| kind).collect();
        let pending = self.pending.entry(model.to_owned()).or_default();
        let restored = self.restored.entry(model.to_owned()).or_default();
        // A removed budget loses its usage. If it is configured again, the imported usage is charged again.
        for removed in restored.extract_if(.., |restored| !configured.contains(&restored.kind)) {
            let entries = pending.entry(removed.kind).or_default();
            entries.extend(removed.entries(now));
            merge(entries);
        }
        prune(pending, now.as_secs());
        for kind in configured {
            let Some(entries) = pending.remove(&kind) else { continue };
            let age = |at| now.saturating_sub(Duration::from_secs(at));
            let ages: Vec<_> = entries.into_iter().map(|(at, amount)| (age(at), amount)).collect();
            limiter.restore_day(kind, &ages);
            restored.push(Restored { kind, at: Instant::now(), ages });
        }
        restored.retain(|restored| !restored.entries(now).is_empty());
        if pending.is_empty() {
            self.pending.remove(model);
        }
        if self.restored.get(model).is_some_and(Vec::is_empty) {
            self.restored.remove(model);
        }
    }

    /// Returns the usage of this monitor's own calls: the usage of its limiters without the imported part.
    fn own_usage(&self, limiters: &[(Arc<str>, UsageByAge)]) -> Journal {
        let now = since_epoch();
        let mut journal = Journal::new();
        for (model, ages) in limiters {
            let mut usage = DayEntries::default();
            for (kind, ages) in ages {
                let at = |age: Duration| now.saturating_sub(age).as_secs();
                let mut entries: Entries = ages.iter().map(|(age, amount)| (at(*age), *amount)).collect();
                let restored = self.restored.get(&**model).into_iter().flatten();
                for restored in restored.filter(|restored| restored.kind == *kind) {
                    subtract(&mut entries, &restored.entries(now));
                }
                if !entries.is_empty() {
                    usage.insert(*kind, entries);
                }
            }
            if !usage.is_empty() {
                journal.insert(model.to_string(), usage);
            }
        }
        journal
    }
}

/// Subtracts the amounts of `others` from the entries at the same times, down to zero.
fn subtract(entries: &mut Entries, others: &[(u64, u64)]) {
    for &(at, amount) in others {
        let mut left = amount;
        let from = entries.partition_point(|(time, _)| time.saturating_add(ROUNDING_SECONDS) < at);
        for (_, amount) in entries[from..].iter_mut().take_while(|(time, _)| *time <= at.saturating_add(ENTRY_SECONDS))
        {
            let part = left.min(*amount);
            *amount -= part;
            left -= part;
        }
    }
    entries.retain(|(_, amount)| *amount > 0);
}

/// Sorts the entries, and merges entries within the same [`ENTRY_SECONDS`] into one with the time of the last.
fn merge(entries: &mut Entries) {
    entries.sort_unstable();
    entries.dedup_by(|(at, amount), (last, sum)| {
        let is_same = *at / ENTRY_SECONDS == *last / ENTRY_SECONDS;
        if is_same {
            *last = *at;
            *sum = sum.saturating_add(*amount);
        }
        is_same
    });
}

fn since_epoch() -> Duration {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default()
}

#[cfg(test)]
mod tests;
