//! Start, stop, the registry of limiters, the second's rows, snapshots.

pub(crate) mod day_usage;
pub(crate) mod learned_limits;

use std::{
    collections::{BTreeMap, HashMap},
    error::Error,
    fmt, io,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, OnceLock, PoisonError, RwLock, RwLockWriteGuard,
        mpsc::{self, RecvTimeoutError},
    },
    thread,
    time::{Duration, SystemTime},
};

use tokio::sync::oneshot;

use crate::{
    config::{self, Config, ConfigError, Settings},
    engine::stats::Second,
    limiter::{Limiter, Snapshot},
    limits::Limits,
    log::LogWriter,
    monitor::{
        day_usage::{DayFile, DayUsage},
        learned_limits::{Memory, SavedLimits},
    },
};
#[cfg(feature = "redis")]
use crate::{fleet::Fleet, limits::fleet_config::FleetConfig};

/// The monitor of this process, the one that `#[ratellmiter]` uses.
#[must_use]
pub fn monitor() -> &'static Monitor {
    static MONITOR: OnceLock<Monitor> = OnceLock::new();
    MONITOR.get_or_init(Monitor::new)
}

/// Keeps a limiter for each model, and writes the log from [`start`](Self::start) to [`stop`](Self::stop).
///
/// Calls that are made before the start or after the stop are paced all the same, with the default limits before the
/// first start, and are not logged.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use ratellmiter_core::{Config, Monitor};
///
/// # let directory = tempfile::tempdir()?;
/// let monitor = Monitor::new();
/// let log = monitor.start(Config::new().log_directory(directory.path()))?;
/// monitor.limiter("gpt-4o").acquire().await.finish();
/// monitor.stop().await?;
/// assert!(std::fs::read_to_string(log)?.contains(r#""model":"gpt-4o","requested":1"#));
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct Monitor {
    registry: Arc<RwLock<Registry>>,
    writer: Mutex<Option<Writer>>,
}

#[derive(Debug)]
struct Registry {
    settings: Settings,
    limiters: HashMap<Arc<str>, Entry>,
    recording: bool,
    /// What earlier runs have learned of models that have no limiter yet.
    memory: Memory,
    /// What others took of the day.
    days: DayUsage,
    /// What the code asked for by [`Monitor::share_over`].
    #[cfg(feature = "redis")]
    shared: Option<FleetConfig>,
    #[cfg(feature = "redis")]
    fleet: Option<Fleet>,
}

#[derive(Debug)]
struct Entry {
    limiter: Limiter,
    /// What the code asked for by [`Monitor::set_limits`].
    asked: Option<Limits>,
}

/// The thread that writes the log, and how to end it.
#[derive(Debug)]
struct Writer {
    stop: mpsc::Sender<oneshot::Sender<io::Result<()>>>,
    path: PathBuf,
}

/// Why a monitor did not start.
#[derive(Debug)]
#[non_exhaustive]
pub enum StartError {
    /// It runs already.
    AlreadyStarted {
        /// Its log.
        path: PathBuf,
    },
    /// The configuration cannot be used.
    Config(ConfigError),
    /// The log cannot be made.
    Log {
        /// Where it was to be.
        directory: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AlreadyStarted { path } => {
                write!(f, "the monitor has been started already and writes {}; stop it first", path.display())
            }
            Self::Config(error) => error.fmt(f),
            Self::Log { directory, source } => write!(f, "cannot write a log into {}: {source}", directory.display()),
        }
    }
}

impl Error for StartError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::AlreadyStarted { .. } => None,
            // It has the same message.
            Self::Config(error) => error.source(),
            Self::Log { source, .. } => Some(source),
        }
    }
}

impl From<ConfigError> for StartError {
    fn from(error: ConfigError) -> Self {
        Self::Config(error)
    }
}

/// The last rows of the log could not be written. All calls are unharmed.
#[derive(Debug)]
pub struct StopError {
    path: PathBuf,
    source: io::Error,
}

impl fmt::Display for StopError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { path, source } = self;
        write!(f, "the last rows of the log {} could not be written: {source}", path.display())
    }
}

impl Error for StopError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.source)
    }
}

impl Monitor {
    /// A monitor of its own, for those who want no global one.
    #[must_use]
    pub fn new() -> Self {
        let registry = Registry {
            settings: Settings::before_start(),
            limiters: HashMap::new(),
            recording: false,
            memory: Memory::new(),
            days: DayUsage::new(),
            #[cfg(feature = "redis")]
            shared: None,
            #[cfg(feature = "redis")]
            fleet: None,
        };
        Self { registry: Arc::new(RwLock::new(registry)), writer: Mutex::new(None) }
    }

    /// Reads the configuration file and the environment, which win over `config`, and starts to write a log. Gives its path.
    /// Limiters that exist already get the limits that hold from now on.
    ///
    /// # Errors
    /// The monitor runs already; or the configuration, or the log's directory, cannot be used. Then nothing has changed.
    pub fn start(&self, config: Config) -> Result<PathBuf, StartError> {
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(Writer { path, .. }) = &*writer {
            return Err(StartError::AlreadyStarted { path: path.clone() });
        }
        let settings = Settings::load(config)?;
        settings.sharing.check(cfg!(feature = "redis"))?;
        let directory = settings.log_directory.clone();
        let failed = |source| StartError::Log { directory: directory.clone(), source };
        #[cfg(feature = "redis")]
        let namespace = {
            let registry = self.registry.read().unwrap_or_else(PoisonError::into_inner);
            settings.sharing.merged_with_code(registry.shared.as_ref()).map(|shared| shared.namespace)
        };
        #[cfg(not(feature = "redis"))]
        let namespace = None;
        let log = LogWriter::of(&directory, SystemTime::now(), namespace).map_err(failed)?;
        let path = log.path().to_owned();
        let now = epoch_seconds();
        let memory = learned_limits::read(&directory, now);
        let own = self.write_registry(|registry| registry.days.name().to_owned());
        let days = day_usage::read(&directory, &own, now);
        let (stop, stopped) = mpsc::channel();
        let registry = self.registry.clone();
        let thread = thread::Builder::new().name("ratellmiter-log".into());
        thread.spawn(move || write(&registry, log, &stopped)).map_err(failed)?;
        self.write_registry(|registry| {
            registry.settings = settings;
            registry.recording = true;
            registry.memory = memory;
            registry.days.import(days, now);
            registry.limiters.values().for_each(|entry| entry.limiter.record(true));
            registry.apply_settings();
            registry.restore_saved();
            #[cfg(feature = "redis")]
            registry.share();
        });
        *writer = Some(Writer { stop, path: path.clone() });
        Ok(path)
    }

    /// Writes the second under way and ends the log; gives its path, or `None` if the monitor was not running. Calls go
    /// on, paced as before.
    ///
    /// # Errors
    /// The last rows could not be written.
    ///
    /// # Cancel safety
    /// Once polled it stops, whether or not anybody waits for it.
    pub async fn stop(&self) -> Result<Option<PathBuf>, StopError> {
        let Some((path, written)) = self.end() else {
            return Ok(None);
        };
        finished(path, written.await)
    }

    /// Like [`stop`](Self::stop), blocking the thread for as long as the disk takes.
    ///
    /// # Errors
    /// The last rows could not be written.
    pub fn stop_blocking(&self) -> Result<Option<PathBuf>, StopError> {
        let Some((path, mut written)) = self.end() else {
            return Ok(None);
        };
        // `blocking_recv` would refuse inside a runtime, where a short wait does no harm.
        let result = loop {
            match written.try_recv() {
                Err(oneshot::error::TryRecvError::Empty) => thread::sleep(Duration::from_millis(1)),
                Err(oneshot::error::TryRecvError::Closed) => break None,
                Ok(result) => break Some(result),
            }
        };
        finished(path, result.ok_or(()))
    }

    /// Sets the limits of one model, also while calls wait. The configuration file wins where it names the model.
    pub fn set_limits(&self, model: &str, limits: Limits) {
        self.write_registry(|registry| {
            // One that is new has these limits from the first moment: others may share it.
            registry.add(model, Some(limits)).asked = Some(limits);
            registry.apply_settings();
        });
    }

    /// Shares all limiters with the processes that use the same namespace on the same server. Together they have one budget,
    /// and pause as one. The configuration file and the environment take precedence.
    ///
    /// Nothing is connected before this returns, and no call fails because of the server: see [`OnDisconnect`](crate::fleet::OnDisconnect) and
    /// [`Limiter::wait_until_shared`].
    ///
    /// When a `Monitor` of your own is dropped, its limiters are no longer shared, and their limits apply in full.
    #[cfg(feature = "redis")]
    pub fn share_over(&self, shared: FleetConfig) {
        self.write_registry(|registry| {
            registry.shared = Some(shared);
            registry.share();
        });
    }

    /// The limiter of one model, made when it is first asked for.
    #[must_use]
    pub fn limiter(&self, model: &str) -> Limiter {
        let registry = self.registry.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(entry) = registry.limiters.get(model) {
            return entry.limiter.clone();
        }
        drop(registry);
        self.write_registry(|registry| registry.add(model, None).limiter.clone())
    }

    /// How each model stands, by name.
    #[must_use]
    pub fn snapshot(&self) -> BTreeMap<String, Snapshot> {
        let registry = self.registry.read().unwrap_or_else(PoisonError::into_inner);
        registry.limiters.iter().map(|(model, entry)| (model.to_string(), entry.limiter.snapshot())).collect()
    }

    fn write_registry<T>(&self, change: impl FnOnce(&mut Registry) -> T) -> T {
        change(&mut self.registry.write().unwrap_or_else(PoisonError::into_inner))
    }

    /// Tells the writer to end.
    fn end(&self) -> Option<(PathBuf, oneshot::Receiver<io::Result<()>>)> {
        #[cfg(feature = "redis")]
        if let Some(fleet) = &self.registry.read().unwrap_or_else(PoisonError::into_inner).fleet {
            fleet.rest();
        }
        let Writer { stop, path } = self.writer.lock().unwrap_or_else(PoisonError::into_inner).take()?;
        let (answer, written) = oneshot::channel();
        // A writer that is gone answers by dropping this.
        let _ = stop.send(answer);
        Some((path, written))
    }
}

impl Default for Monitor {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Monitor {
    fn drop(&mut self) {
        // Nobody is left to hear of it.
        let _ = self.stop_blocking();
    }
}

impl Registry {
    /// The limiter of this name, made as `asked` if it is not there.
    fn add(&mut self, model: &str, asked: Option<Limits>) -> &mut Entry {
        let is_shared = self.is_shared();
        let Self { settings, limiters, recording, memory, days, .. } = self;
        #[cfg(feature = "redis")]
        let fleet = self.fleet.as_ref();
        limiters.entry(model.into()).or_insert_with_key(|model| {
            let limits = settings.limits(model, asked);
            warn_about(model, &limits);
            let limiter = Limiter::new(limits);
            limiter.set_model(model);
            limiter.record(*recording);
            if !is_shared {
                days.restore(model, &limiter);
            }
            if let Some(learned) = memory.remove(&**model) {
                limiter.restore(&learned);
            }
            #[cfg(feature = "redis")]
            if let Some(fleet) = fleet.filter(|_| limits.enabled) {
                fleet.join(model, &limiter);
            }
            Entry { limiter, asked }
        })
    }

    /// Shares limiters as it is asked for now.
    #[cfg(feature = "redis")]
    fn share(&mut self) {
        let shared = self.settings.sharing.merged_with_code(self.shared.as_ref());
        if self.fleet.as_ref().map(|fleet| &fleet.shared) == shared.as_ref() {
            return;
        }
        // All have left before any joins elsewhere.
        drop(self.fleet.take());
        let fleet = shared.map(Fleet::start);
        if let Some(fleet) = &fleet {
            let limiters = self.limiters.iter().filter(|(_, entry)| entry.limiter.limits().enabled);
            limiters.for_each(|(model, entry)| fleet.join(model, &entry.limiter));
        }
        self.fleet = fleet;
    }

    /// Gives limiters that exist already what earlier runs have learned.
    fn restore_saved(&mut self) {
        for (model, entry) in &self.limiters {
            if let Some(learned) = self.memory.remove(&**model) {
                entry.limiter.restore(&learned);
            }
        }
    }

    fn apply_settings(&mut self) {
        for (model, entry) in &self.limiters {
            let limits = self.settings.limits(model, entry.asked);
            if limits != entry.limiter.limits() {
                warn_about(model, &limits);
            }
            entry.limiter.set_limits(limits);
        }
        self.restore_days();
    }

    /// Whether limiters are shared: then the server knows what others took.
    #[cfg_attr(not(feature = "redis"), allow(clippy::unused_self))]
    fn is_shared(&self) -> bool {
        #[cfg(feature = "redis")]
        return self.fleet.is_some();
        #[cfg(not(feature = "redis"))]
        return false;
    }

    /// Gives budgets what others took of them.
    fn restore_days(&mut self) {
        if !self.is_shared() && !self.days.is_empty() {
            self.limiters.iter().for_each(|(model, entry)| self.days.restore(model, &entry.limiter));
        }
    }
}

/// Warns of limits that will hardly do what is wanted of them.
fn warn_about(model: &str, limits: &Limits) {
    config::warnings(limits).into_iter().for_each(|doubt| tracing::warn!(model, "{doubt}"));
}

fn finished<E>(path: PathBuf, written: Result<io::Result<()>, E>) -> Result<Option<PathBuf>, StopError> {
    match written.unwrap_or_else(|_| Err(io::Error::other("the thread that writes it has ended"))) {
        Ok(()) => Ok(Some(path)),
        Err(source) => Err(StopError { path, source }),
    }
}

/// Writes the rows of each second shortly after it is over, until it is told to stop.
fn write(registry: &RwLock<Registry>, mut log: LogWriter, stop: &mpsc::Receiver<oneshot::Sender<io::Result<()>>>) {
    let mut broken = false;
    let mut memory = Memory::new();
    let mut keeper = log.path().parent().map(|directory| {
        let registry = registry.read().unwrap_or_else(PoisonError::into_inner);
        DayFile::new(directory, &registry.days)
    });
    loop {
        let told = stop.recv_timeout(until_next_second());
        let last = !matches!(told, Err(RecvTimeoutError::Timeout));
        let seconds = take(registry, last);
        let rows: Vec<_> = seconds.iter().map(|(model, second)| second.row(model)).collect();
        let written = log.append(&rows);
        match &written {
            Err(error) if !broken => {
                tracing::warn!(log = %log.path().display(), %error, "cannot write the log; calls go on, and so do attempts to write");
            }
            Ok(()) if broken => {
                tracing::info!(log = %log.path().display(), "the log is written again");
            }
            _ => {}
        }
        broken = written.is_err();
        save_limits(registry, log.path(), &mut memory);
        keeper.iter_mut().for_each(|keeper| save_day_usage(registry, keeper));
        if let Ok(answer) = told {
            let _ = answer.send(written);
        }
        if last {
            return;
        }
    }
}

/// Writes what has been learned, if it is something new. It is a memory: if the disk refuses, the log says so already.
fn save_limits(registry: &RwLock<Registry>, log: &Path, kept: &mut Memory) {
    let registry = registry.read().unwrap_or_else(PoisonError::into_inner);
    let at = epoch_seconds();
    let mut new = Memory::new();
    for (model, entry) in &registry.limiters {
        let (requests_per_minute, in_flight) = entry.limiter.ceilings();
        let learned = SavedLimits { at, requests_per_minute, in_flight };
        let known =
            kept.get(&**model).copied().unwrap_or(SavedLimits { at, requests_per_minute: None, in_flight: None });
        if (SavedLimits { at: known.at, ..learned }) != known {
            new.insert(model.to_string(), learned);
        }
    }
    drop(registry);
    if let Some(directory) = log.parent().filter(|_| !new.is_empty())
        && learned_limits::write(directory, &new, at).is_ok()
    {
        kept.extend(new);
    }
}

/// Writes what has been taken of the day, if it is something new.
fn save_day_usage(registry: &RwLock<Registry>, keeper: &mut DayFile) {
    keeper.look();
    let registry = {
        let mut registry = registry.write().unwrap_or_else(PoisonError::into_inner);
        // Whoever holds a limiter may have given it a budget.
        registry.restore_days();
        RwLockWriteGuard::downgrade(registry)
    };
    let ledgers = registry.limiters.iter().map(|(model, entry)| (model.clone(), entry.limiter.day_usage())).collect();
    let changed = keeper.changed(&registry.days, ledgers);
    drop(registry);
    changed.into_iter().for_each(|changed| keeper.write(changed));
}

fn epoch_seconds() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs()
}

/// A little into the next second of the wall clock, when the last one's rows are complete.
fn until_next_second() -> Duration {
    let into = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().subsec_nanos();
    Duration::from_nanos(1_010_000_000 - u64::from(into))
}

fn take(registry: &RwLock<Registry>, last: bool) -> Vec<(Arc<str>, Second)> {
    let limiters: Vec<_> = {
        let registry = registry.read().unwrap_or_else(PoisonError::into_inner);
        registry.limiters.iter().map(|(model, entry)| (model.clone(), entry.limiter.clone())).collect()
    };
    let mut seconds = Vec::new();
    for (model, limiter) in limiters {
        seconds.extend(limiter.seconds(last).into_iter().map(|second| (model.clone(), second)));
        if last {
            limiter.record(false);
        }
    }
    seconds.sort_by(|(one_model, one), (other_model, other)| (one.at, one_model).cmp(&(other.at, other_model)));
    seconds
}
