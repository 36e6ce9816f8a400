//! What the budgets of days have taken, kept beside the logs, so that a restart does not forget it.
//!
//! Each monitor has a file of its own, `days-<start>-<process>-<number>.json`, and writes into it what its own calls took and
//! nothing else. At its start it counts what all other files say, whether their processes have ended or run still: the
//! account is theirs too. So no two write the same file, nothing is counted twice, and nobody has to know who is alive. A file
//! that says nothing of the last day is removed by whoever reads it next.
//!
//! A file is whole at any time. One that cannot be read is ignored.

use std::{
    collections::HashMap,
    fs, io,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant, SystemTime},
};

use crate::{
    limiter::Limiter,
    log::{fields::fields, row::BudgetKind},
};

const DAY: Duration = Duration::from_hours(24);
/// Calls of so many seconds may be one entry, which has the time of the last: a little more than a ledger's grain.
const GRAIN: u64 = 90;
/// By so many seconds two roundings of one moment may differ.
const ROUNDING: u64 = 2;

/// Seconds since the epoch and what was taken then, oldest first.
type Entries = Vec<(u64, u64)>;

/// What calls of one model took within a day.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct DayEntries {
    requests_per_day: Entries,
    tokens_per_day: Entries,
}

fields! { DayEntries { requests_per_day: sparse, tokens_per_day: sparse } }

/// By model.
pub(crate) type Journal = HashMap<String, DayEntries>;

/// What one limiter's budgets of days have taken: amounts by age, oldest first.
pub(crate) type Ages = Vec<(BudgetKind, Vec<(Duration, u64)>)>;

impl DayEntries {
    fn of(&mut self, meter: BudgetKind) -> Option<&mut Entries> {
        match meter {
            BudgetKind::RequestsPerDay => Some(&mut self.requests_per_day),
            BudgetKind::TokensPerDay => Some(&mut self.tokens_per_day),
            _ => None,
        }
    }

    fn each(&mut self) -> [&mut Entries; 2] {
        [&mut self.requests_per_day, &mut self.tokens_per_day]
    }

    fn is_empty(&self) -> bool {
        self.requests_per_day.is_empty() && self.tokens_per_day.is_empty()
    }

    /// Lets go of what is a day old at `now`, or later than that. `false`: nothing is left.
    fn prune(&mut self, now: u64) -> bool {
        let counts = |at: u64| now.checked_sub(at).is_some_and(|age| age < DAY.as_secs());
        self.each().into_iter().for_each(|entries| entries.retain(|(at, _)| counts(*at)));
        !self.is_empty()
    }
}

/// What a monitor knows of others' files, for as long as it lives.
#[derive(Debug)]
pub(crate) struct DayUsage {
    /// Its own file, in whatever directory.
    name: String,
    /// What other files said when they were last read: a second start counts only what has come since.
    seen: HashMap<String, Journal>,
    /// What others took of budgets that are not there yet.
    pending: Journal,
    /// What others took that is in the ledgers, and so is not ours to write.
    restored: HashMap<String, Vec<Restored>>,
}

/// What was put into one ledger. It keeps the limiter's time, as the wall clock may be set.
#[derive(Debug)]
struct Restored {
    meter: BudgetKind,
    at: Instant,
    /// By age at that time, oldest first.
    ages: Vec<(Duration, u64)>,
}

impl Restored {
    /// By the wall clock, which shows `now`. What is about to be a day old is left out.
    fn entries(&self, now: Duration) -> Entries {
        let passed = self.at.elapsed();
        let counting = self.ages.iter().map(|(age, amount)| (*age + passed, *amount));
        let counting = counting.filter(|(age, _)| *age + Duration::from_secs(ROUNDING) < DAY);
        counting.map(|(age, amount)| (now.saturating_sub(age).as_secs(), amount)).collect()
    }
}

impl DayUsage {
    pub(crate) fn new() -> Self {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        // Processes of several containers may share a directory and a number.
        let start = since_epoch().as_nanos();
        Self {
            name: format!("days-{start}-{}-{count}.json", std::process::id()),
            seen: HashMap::new(),
            pending: Journal::new(),
            restored: HashMap::new(),
        }
    }

    /// Whether anything of others is known.
    pub(crate) fn is_empty(&self) -> bool {
        self.pending.is_empty() && self.restored.is_empty()
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Counts what other files say, as far as it is new.
    pub(crate) fn import(&mut self, found: HashMap<String, Journal>, now: u64) {
        self.seen.retain(|_, journal| journal.values_mut().any(|taken| taken.prune(now)));
        for (name, journal) in found {
            let seen = self.seen.entry(name).or_default();
            let before = std::mem::replace(seen, journal.clone());
            for (model, mut taken) in journal {
                let mut known = before.get(&model).cloned().unwrap_or_default();
                let pending = self.pending.entry(model).or_default();
                for ((entries, known), pending) in taken.each().into_iter().zip(known.each()).zip(pending.each()) {
                    subtract(entries, known);
                    pending.append(entries);
                    merge(pending);
                }
            }
        }
        self.pending.retain(|_, taken| taken.prune(now));
    }

    /// Gives the budgets of a limiter what others took of them, once they are there.
    pub(crate) fn restore(&mut self, model: &str, limiter: &Limiter) {
        if !self.pending.contains_key(model) && !self.restored.contains_key(model) {
            return;
        }
        let now = since_epoch();
        let there: Vec<_> = limiter.day_usage().into_iter().map(|(meter, _)| meter).collect();
        let pending = self.pending.entry(model.to_owned()).or_default();
        let restored = self.restored.entry(model.to_owned()).or_default();
        // A budget that was taken away forgets; if it comes again, it begins with what others took again.
        for gone in restored.extract_if(.., |restored| !there.contains(&restored.meter)) {
            if let Some(entries) = pending.of(gone.meter) {
                entries.extend(gone.entries(now));
                merge(entries);
            }
        }
        pending.prune(now.as_secs());
        for meter in there {
            let entries = pending.of(meter).map(std::mem::take).unwrap_or_default();
            if entries.is_empty() {
                continue;
            }
            let age = |at| now.saturating_sub(Duration::from_secs(at));
            let ages: Vec<_> = entries.into_iter().map(|(at, amount)| (age(at), amount)).collect();
            limiter.restore_day(meter, &ages);
            restored.push(Restored { meter, at: Instant::now(), ages });
        }
        restored.retain(|restored| !restored.entries(now).is_empty());
        if pending.is_empty() {
            self.pending.remove(model);
        }
        if self.restored.get(model).is_some_and(Vec::is_empty) {
            self.restored.remove(model);
        }
    }

    /// What our own calls took, of what the ledgers hold.
    fn own(&self, ledgers: &[(Arc<str>, Ages)]) -> Journal {
        let now = since_epoch();
        let mut journal = Journal::new();
        for (model, ages) in ledgers {
            let mut taken = DayEntries::default();
            for (meter, ages) in ages {
                let Some(entries) = taken.of(*meter) else { continue };
                *entries = ages.iter().map(|(age, amount)| (now.saturating_sub(*age).as_secs(), *amount)).collect();
                let restored = self.restored.get(&**model).into_iter().flatten();
                for restored in restored.filter(|restored| restored.meter == *meter) {
                    subtract(entries, &restored.entries(now));
                }
            }
            if !taken.is_empty() {
                journal.insert(model.to_string(), taken);
            }
        }
        journal
    }
}

/// Writes a monitor's own file when it has changed, or is no longer there.
#[derive(Debug)]
pub(crate) struct DayFile {
    directory: PathBuf,
    name: String,
    /// What the ledgers held when it was written last.
    kept: Fingerprint,
    /// Whether the file should be there.
    written: bool,
    broken: bool,
}

/// The amounts in all ledgers. Their times are rounded, and so no sign of a change.
type Fingerprint = Vec<(Arc<str>, Vec<(BudgetKind, Vec<u64>)>)>;

impl DayFile {
    pub(crate) fn new(directory: &Path, days: &DayUsage) -> Self {
        Self {
            directory: directory.to_owned(),
            name: days.name.clone(),
            kept: Fingerprint::new(),
            written: false,
            broken: false,
        }
    }

    /// Looks whether the file is still there.
    pub(crate) fn look(&mut self) {
        if self.written && !self.directory.join(&self.name).exists() {
            self.kept.clear();
        }
    }

    /// What is to be written, if anything is.
    pub(crate) fn changed(
        &self,
        days: &DayUsage,
        mut ledgers: Vec<(Arc<str>, Ages)>,
    ) -> Option<(Fingerprint, Journal)> {
        ledgers.retain(|(_, ages)| ages.iter().any(|(_, ages)| !ages.is_empty()));
        ledgers.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
        let amounts = |ages: &[(Duration, u64)]| ages.iter().map(|(_, amount)| *amount).collect();
        let amounts = |ages: &Ages| ages.iter().map(|(meter, ages)| (*meter, amounts(ages))).collect();
        let state: Fingerprint = ledgers.iter().map(|(model, ages)| (model.clone(), amounts(ages))).collect();
        (state != self.kept).then(|| (state, days.own(&ledgers)))
    }

    /// Warns once if it cannot write; what was not written has still changed the next time.
    pub(crate) fn write(&mut self, (state, journal): (Fingerprint, Journal)) {
        match write(&self.directory, &self.name, &journal) {
            Ok(()) => {
                self.kept = state;
                self.written = !journal.is_empty();
                self.broken = false;
            }
            Err(error) if !self.broken => {
                let file = self.directory.join(&self.name);
                tracing::warn!(file = %file.display(), %error, "cannot keep what was taken of the day; calls go on, and so do attempts to write");
                self.broken = true;
            }
            Err(_) => {}
        }
    }
}

/// What other files than `own` say of the day before `now`, in seconds since the epoch. Files that say nothing of it are
/// removed.
pub(crate) fn read(directory: &Path, own: &str, now: u64) -> HashMap<String, Journal> {
    let mut found = HashMap::new();
    // The log has just been made there: it can be read.
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        let path = entry.path();
        let Some(name) = path.file_name().and_then(|name| name.to_str()).filter(|name| *name != own) else {
            continue;
        };
        if name.strip_prefix('.').and_then(|name| name.strip_suffix(NEW)).is_some_and(is_name) {
            remove_if_old(&path);
        }
        if !is_name(name) || !path.is_file() {
            continue;
        }
        match fs::read_to_string(&path) {
            Ok(text) => match serde_json::from_str::<Journal>(&text) {
                Ok(mut journal) => {
                    let latest = journal.values_mut().flat_map(DayEntries::each).flatten().map(|(at, _)| *at).max();
                    if latest.is_none_or(|at| at.saturating_add(DAY.as_secs()) <= now) {
                        // Should its process write it just now, that sees that it is gone.
                        let _ = fs::remove_file(&path);
                    }
                    journal.retain(|_, taken| taken.prune(now));
                    if !journal.is_empty() {
                        found.insert(name.to_owned(), journal);
                    }
                }
                Err(error) => {
                    // The error's text would show what stands there.
                    tracing::warn!(file = %path.display(), line = error.line(), "what was taken of the day is damaged; it is not counted");
                    remove_if_old(&path);
                }
            },
            // Somebody else has removed it.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => {
                tracing::warn!(file = %path.display(), %error, "cannot read what was taken of the day; it is not counted");
                remove_if_old(&path);
            }
        }
    }
    found
}

/// What ends the name of a file that is not whole yet.
const NEW: &str = ".new";

/// The file is whole at any time, and is not there if there is nothing to say.
fn write(directory: &Path, name: &str, journal: &Journal) -> io::Result<()> {
    let file = directory.join(name);
    if journal.is_empty() {
        return match fs::remove_file(file) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        };
    }
    let text = serde_json::to_string(journal).expect("names and numbers");
    let new = directory.join(format!(".{name}{NEW}"));
    fs::create_dir_all(directory)?;
    let written = fs::write(&new, text).and_then(|()| fs::rename(&new, file));
    if written.is_err() {
        // It may not be there at all.
        let _ = fs::remove_file(&new);
    }
    written
}

/// Whether this is the name of a monitor's file.
fn is_name(name: &str) -> bool {
    let numbers = name.strip_prefix("days-").and_then(|name| name.strip_suffix(".json"));
    let is_number = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    numbers.is_some_and(|numbers| numbers.split('-').count() == 3 && numbers.split('-').all(is_number))
}

/// What nobody can read is kept for a day, for those who want to see it.
fn remove_if_old(path: &Path) {
    let changed = path.symlink_metadata().and_then(|data| data.modified()).ok();
    if changed.and_then(|changed| changed.elapsed().ok()).is_some_and(|age| age >= DAY) {
        let _ = fs::remove_file(path);
    }
}

/// Takes out of `entries` what `others` say of the same times, as far as it is there.
fn subtract(entries: &mut Entries, others: &[(u64, u64)]) {
    for &(at, amount) in others {
        let mut left = amount;
        let from = entries.partition_point(|(time, _)| time.saturating_add(ROUNDING) < at);
        for (_, amount) in entries[from..].iter_mut().take_while(|(time, _)| *time <= at.saturating_add(GRAIN)) {
            let part = left.min(*amount);
            *amount -= part;
            left -= part;
        }
    }
    entries.retain(|(_, amount)| *amount > 0);
}

/// Sorts, and makes one entry of those of one grain, with the time of the last.
fn merge(entries: &mut Entries) {
    entries.sort_unstable();
    entries.dedup_by(|(at, amount), (last, sum)| {
        let same = *at / GRAIN == *last / GRAIN;
        if same {
            *last = *at;
            *sum = sum.saturating_add(*amount);
        }
        same
    });
}

fn since_epoch() -> Duration {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default()
}

#[cfg(test)]
mod tests;
