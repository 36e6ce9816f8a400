//! The thread that writes the log, the adapted limits and the day usage, once a second.

use std::{
    io,
    path::{Path, PathBuf},
    sync::{
        Arc, RwLock, RwLockWriteGuard,
        mpsc::{self, RecvTimeoutError},
    },
    thread,
    time::{Duration, Instant, SystemTime},
};

use tokio::sync::oneshot;

use super::registry::{self, Registry};
use crate::{
    engine::stats::Second,
    log::{KeepLogs, LogWriter, keep},
    monitor::{
        day_usage::DayFile,
        learned_limits::{self, SavedLimits, SavedLimitsByModel},
    },
};

/// Delay after the end of a second before its rows are written, so that they are complete.
const WRITE_DELAY: Duration = Duration::from_millis(10);

const TIME_BETWEEN_REMOVALS: Duration = Duration::from_hours(1);

/// Handle of the writer thread.
#[derive(Debug)]
pub(super) struct Writer {
    stop: mpsc::Sender<oneshot::Sender<io::Result<()>>>,
    path: PathBuf,
}

impl Writer {
    /// Starts the thread.
    ///
    /// # Errors
    /// The thread cannot be spawned.
    pub(super) fn start(registry: Arc<RwLock<Registry>>, log: LogWriter, keep: KeepLogs) -> io::Result<Self> {
        let path = log.path().to_owned();
        let (stop, stopped) = mpsc::channel();
        let thread = thread::Builder::new().name("ratellmiter-log".into());
        thread.spawn(move || run(&registry, log, keep, &stopped))?;
        Ok(Self { stop, path })
    }

    /// Returns the path of the log.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Makes the thread write the current second and end. Returns the path of the log, and a receiver of the result, which
    /// is closed without one if the thread has panicked.
    pub(super) fn stop(self) -> (PathBuf, oneshot::Receiver<io::Result<()>>) {
        let (reply, written) = oneshot::channel();
        // If the thread is gone, this drops `reply`, which closes the receiver.
        let _ = self.stop.send(reply);
        (self.path, written)
    }
}

fn run(
    registry: &RwLock<Registry>,
    mut log: LogWriter,
    keep: KeepLogs,
    stop: &mpsc::Receiver<oneshot::Sender<io::Result<()>>>,
) {
    let (mut is_failing, mut turn) = (false, 0_usize);
    let mut removal = OldLogs { keep, next: Some(Instant::now()) };
    let mut saved = SavedLimitsByModel::new();
    let mut day_file = log.path().parent().map(|directory| DayFile::new(directory, &registry::read(registry).days));
    loop {
        removal.remove_if_due(log.path());
        let reply = stop.recv_timeout(until_next_write());
        let is_last = !matches!(reply, Err(RecvTimeoutError::Timeout));
        let seconds = drain_seconds(registry, is_last);
        let rows: Vec<_> = seconds.iter().map(|(model, second)| second.row(model)).collect();
        let written = log.append(&rows);
        match &written {
            Err(error) if !is_failing => {
                tracing::warn!(log = %log.path().display(), %error, "cannot write the log; calls continue, and writing is retried");
            }
            Ok(()) if is_failing => {
                tracing::info!(log = %log.path().display(), "the log is written again");
            }
            _ => {}
        }
        is_failing = written.is_err();
        save_limits(registry, log.path(), &mut saved);
        if let Some(day_file) = &mut day_file {
            save_day_usage(registry, day_file);
        }
        turn = turn.wrapping_add(1);
        registry::read(registry).limiters.forget_some(turn);
        if let Ok(reply) = reply {
            let _ = reply.send(written);
        }
        if is_last {
            return;
        }
    }
}

/// The removal of old logs, at the start and once an hour.
struct OldLogs {
    keep: KeepLogs,
    /// The time of the next removal, or `None` after one has failed.
    next: Option<Instant>,
}

impl OldLogs {
    /// Removes old logs beside `own` if an hour has passed. A failure is logged once, and ends the removals.
    fn remove_if_due(&mut self, own: &Path) {
        let now = Instant::now();
        let Some(directory) = own.parent().filter(|_| self.next.is_some_and(|next| next <= now)) else { return };
        match keep::remove_old(directory, self.keep, own, SystemTime::now()) {
            Ok(removed) => {
                self.next = Some(now + TIME_BETWEEN_REMOVALS);
                if removed > 0 {
                    tracing::info!(directory = %directory.display(), keep = %self.keep, removed, "old logs are removed");
                }
            }
            Err(error) => {
                self.next = None;
                tracing::warn!(directory = %directory.display(), %error, "cannot remove old logs");
            }
        }
    }
}

/// Takes the finished seconds of all limiters, ordered by time and model. With `is_last`, also the current second, and
/// recording ends.
fn drain_seconds(registry: &RwLock<Registry>, is_last: bool) -> Vec<(Arc<str>, Second)> {
    let limiters = registry::read(registry).limiters.clone();
    let mut seconds = Vec::new();
    limiters.for_each(|model, entry| {
        seconds.extend(entry.limiter.seconds(is_last).into_iter().map(|second| (model.clone(), second)));
        if is_last {
            entry.limiter.record(false);
        }
    });
    seconds.sort_by(|(one_model, one), (other_model, other)| (one.at, one_model).cmp(&(other.at, other_model)));
    seconds
}

/// Saves adapted limits that differ from `saved`. A failed write is not logged, because the log fails then too.
fn save_limits(registry: &RwLock<Registry>, log: &Path, saved: &mut SavedLimitsByModel) {
    let registry = registry::read(registry);
    let at = epoch_seconds();
    let mut changed = SavedLimitsByModel::new();
    registry.limiters.for_each(|model, entry| {
        let (requests_per_minute, in_flight) = entry.limiter.ceilings();
        let limits = SavedLimits { at, requests_per_minute, in_flight };
        let before =
            saved.get(&**model).copied().unwrap_or(SavedLimits { at, requests_per_minute: None, in_flight: None });
        if (SavedLimits { at: before.at, ..limits }) != before {
            changed.insert(model.to_string(), limits);
        }
    });
    drop(registry);
    if let Some(directory) = log.parent().filter(|_| !changed.is_empty())
        && learned_limits::write(directory, &changed, at).is_ok()
    {
        saved.extend(changed);
    }
}

/// Writes the day usage if it has changed.
fn save_day_usage(registry: &RwLock<Registry>, day_file: &mut DayFile) {
    day_file.check_file();
    let registry = {
        let mut registry = registry::write(registry);
        // A user may have given a limiter a new budget.
        registry.restore_days();
        RwLockWriteGuard::downgrade(registry)
    };
    let mut usage = Vec::new();
    registry.limiters.for_each(|model, entry| usage.push((model.clone(), entry.limiter.day_usage())));
    let changed = day_file.changed(&registry.days, usage);
    drop(registry);
    if let Some(changed) = changed {
        day_file.write(changed);
    }
}

pub(super) fn epoch_seconds() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs()
}

/// Returns the time until [`WRITE_DELAY`] into the next second of the wall clock.
fn until_next_write() -> Duration {
    let into = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().subsec_nanos();
    (Duration::from_secs(1) + WRITE_DELAY).saturating_sub(Duration::from_nanos(into.into()))
}
