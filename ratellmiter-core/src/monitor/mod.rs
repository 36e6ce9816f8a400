//! The monitor: a limiter for each model, and the log.

pub(crate) mod day_usage;
mod error;
pub(crate) mod learned_limits;
mod limiters;
mod registry;
pub(crate) mod writer;

use std::{
    collections::BTreeMap,
    io,
    path::PathBuf,
    sync::{Arc, Mutex, OnceLock, PoisonError, RwLock},
    thread,
    time::{Duration, SystemTime},
};

use tokio::sync::oneshot;

pub use self::error::{StartError, StopError};
use self::{
    limiters::Limiters,
    registry::Registry,
    writer::{Writer, epoch_seconds},
};
#[cfg(feature = "redis")]
use crate::limits::fleet_config::FleetConfig;
use crate::{
    config::{Config, Settings},
    limiter::{Limiter, Snapshot},
    limits::Limits,
    log::LogWriter,
};

/// Returns the monitor of this process, which `#[ratellmiter]` uses.
#[must_use]
pub fn monitor() -> &'static Monitor {
    static MONITOR: OnceLock<Monitor> = OnceLock::new();
    MONITOR.get_or_init(Monitor::new)
}

/// Keeps a limiter for each model, and writes the log from [`start`](Self::start) to [`stop`](Self::stop).
///
/// Calls before the start or after the stop are paced as well, but not logged. Before the first start the default limits
/// apply.
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
    /// The limiters of the registry. A call looks its limiter up without the registry's lock.
    limiters: Arc<Limiters>,
    writer: Mutex<Option<Writer>>,
}

impl Monitor {
    /// Creates a monitor that is separate from the global one.
    #[must_use]
    pub fn new() -> Self {
        let registry = Registry::new();
        let limiters = registry.limiters.clone();
        Self { registry: Arc::new(RwLock::new(registry)), limiters, writer: Mutex::new(None) }
    }

    /// Reads the configuration file and the environment, which take precedence over `config`, and starts a log. Returns
    /// its path.
    ///
    /// Existing limiters get the limits that apply from now on.
    ///
    /// # Errors
    /// The monitor is already running, the configuration is invalid, or the log cannot be created. Nothing has changed
    /// then.
    pub fn start(&self, config: Config) -> Result<PathBuf, StartError> {
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(writer) = &*writer {
            return Err(StartError::AlreadyStarted { path: writer.path().to_owned() });
        }
        let settings = Settings::load(config)?;
        settings.sharing.check(cfg!(feature = "redis"))?;
        let directory = settings.log_directory.clone();
        let log_error = |source| StartError::Log { directory: directory.clone(), source };
        #[cfg(feature = "redis")]
        let namespace = {
            let registry = registry::read(&self.registry);
            settings.sharing.merged_with_code(registry.fleet_config.as_ref()).map(|config| config.namespace)
        };
        #[cfg(not(feature = "redis"))]
        let namespace = None;
        let log = LogWriter::create_in_namespace(&directory, SystemTime::now(), namespace).map_err(log_error)?;
        let now = epoch_seconds();
        let saved_limits = learned_limits::read(&directory, now);
        let own_name = registry::read(&self.registry).days.name().to_owned();
        let days = day_usage::read(&directory, &own_name, now);
        let started = Writer::start(self.registry.clone(), log, settings.keep_logs).map_err(log_error)?;
        {
            let mut registry = registry::write(&self.registry);
            registry.settings = settings;
            registry.recording = true;
            registry.saved_limits = saved_limits;
            registry.days.import(days, now);
            registry.limiters.for_each(|_, entry| entry.limiter.record(true));
            registry.apply_settings();
            registry.restore_saved_limits();
            #[cfg(feature = "redis")]
            registry.share();
        }
        Ok(writer.insert(started).path().to_owned())
    }

    /// Writes the current second and ends the log. Returns the path of the log, or `None` if the monitor was not running.
    ///
    /// Calls are paced as before.
    ///
    /// # Errors
    /// The last rows could not be written.
    ///
    /// # Cancel safety
    /// The monitor stops once the future was polled, even if the future is dropped then.
    pub async fn stop(&self) -> Result<Option<PathBuf>, StopError> {
        let Some((path, written)) = self.stop_writer() else {
            return Ok(None);
        };
        finished(path, written.await)
    }

    /// Stops the monitor as [`stop`](Self::stop), blocking the thread until the last rows are written.
    ///
    /// # Errors
    /// The last rows could not be written.
    pub fn stop_blocking(&self) -> Result<Option<PathBuf>, StopError> {
        let Some((path, mut written)) = self.stop_writer() else {
            return Ok(None);
        };
        // `blocking_recv` panics inside a runtime, where a short wait is harmless.
        let result = loop {
            match written.try_recv() {
                Err(oneshot::error::TryRecvError::Empty) => thread::sleep(Duration::from_millis(1)),
                Err(oneshot::error::TryRecvError::Closed) => break None,
                Ok(result) => break Some(result),
            }
        };
        finished(path, result.ok_or(()))
    }

    /// Sets the limits of `model`, also while calls are queued. The configuration file takes precedence if it names the
    /// model.
    pub fn set_limits(&self, model: &str, limits: Limits) {
        let mut registry = registry::write(&self.registry);
        // A new limiter starts with these limits, because it may join a fleet at once.
        // It is held until its limits are set, so that it is not forgotten before.
        let limiter = registry.get_or_insert(model, Some(limits));
        registry.limiters.set_code_limits(model, limits);
        drop(limiter);
        registry.apply_settings();
    }

    /// Shares all limiters with the processes that use the same namespace on the same server: one budget, and one pause
    /// after a refusal. The configuration file and the environment take precedence over `config`.
    ///
    /// This does not wait for a connection, and no call fails because of the server: see
    /// [`OnDisconnect`](crate::fleet::OnDisconnect) and [`Limiter::wait_until_shared`].
    ///
    /// When a `Monitor` of your own is dropped, its limiters are no longer shared, and their limits apply in full.
    #[cfg(feature = "redis")]
    pub fn share_over(&self, config: FleetConfig) {
        let mut registry = registry::write(&self.registry);
        registry.fleet_config = Some(config);
        registry.share();
    }

    /// Returns the limiter of `model`, creating it if there is none.
    ///
    /// Any number of names may be used, for example one for each tenant. A limiter that no caller holds and that has been unused for
    /// longer than its windows, pauses and days is forgotten: two minutes after successful calls, and a quarter of an hour after
    /// failures, refusals or a usage. Limiters with adapted limits, limits in the code, or a place in a fleet are kept.
    #[must_use]
    pub fn limiter(&self, model: &str) -> Limiter {
        self.limiters.get(model).unwrap_or_else(|| registry::write(&self.registry).get_or_insert(model, None))
    }

    /// Returns the state of each limiter by model, except limiters that are [forgotten](Self::limiter).
    #[must_use]
    pub fn snapshot(&self) -> BTreeMap<String, Snapshot> {
        let mut snapshots = BTreeMap::new();
        self.limiters.for_each(|model, entry| _ = snapshots.insert(model.to_string(), entry.limiter.snapshot()));
        snapshots
    }

    fn stop_writer(&self) -> Option<(PathBuf, oneshot::Receiver<io::Result<()>>)> {
        #[cfg(feature = "redis")]
        if let Some(fleet) = &registry::read(&self.registry).fleet {
            fleet.rest();
        }
        Some(self.writer.lock().unwrap_or_else(PoisonError::into_inner).take()?.stop())
    }
}

impl Default for Monitor {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Monitor {
    fn drop(&mut self) {
        // There is no way to report an error from here.
        let _ = self.stop_blocking();
    }
}

fn finished<E>(path: PathBuf, written: Result<io::Result<()>, E>) -> Result<Option<PathBuf>, StopError> {
    match written.unwrap_or_else(|_| Err(io::Error::other("the thread that writes it has panicked"))) {
        Ok(()) => Ok(Some(path)),
        Err(source) => Err(StopError { path, source }),
    }
}
