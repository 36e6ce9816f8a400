//! Synchronization of a limiter: one lock, the waiting tasks and threads, and one driver with one timer.
//!
//! An operation takes the lock, changes the scheduler, lets it [`advance`](Scheduler::advance), and wakes the waiters that
//! were granted a ticket after it has released the lock. While the scheduler has a deadline, one *driver* does the same
//! at each deadline. A driver is a task, or a thread where a task cannot run. Operations are [`update`](Inner::update), and
//! [`update_as_waiter`](Inner::update_as_waiter) for a caller that is about to wait.
//!
//! | event | effect on the driver |
//! |---|---|
//! | An operation leaves a deadline and there is no driver | It starts one: a task on the current runtime; a thread if there is no runtime, a thread is blocked, a runtime without timers was met, or panics abort the process. |
//! | The same after a driver was lost | Only a waiter starts one: the runtime that drops other callers may be the one that is shutting down. |
//! | An operation leaves a deadline before the driver's timer | It wakes the driver, which resets its timer. |
//! | A thread blocks while the driver is a task | A thread replaces the task, since the blocked thread may be the only one of its runtime. |
//! | The driver finds no deadline | It ends. |
//! | The driver finds that it was replaced (another [`generation`](State::generation)) | It ends. |
//! | The driver is dropped: its runtime has shut down, its runtime has no timers, or its thread could not be spawned | It is lost: its guard wakes all waiters, and the first to poll starts another. |
//!
//! The driver is separate from all waiters, so that dropping a waiter never stops it.

use std::{
    collections::HashMap,
    fmt,
    future::Future,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::Waker,
    thread::{self, Thread},
    time::{Duration, Instant, SystemTime},
};

use tokio::{runtime::Handle, sync::Notify, time::timeout_at};

use crate::{
    engine::{
        call_id::{CallId, Grant},
        scheduler::Scheduler,
    },
    limiter::{call_settings::CallSettings, clock::Clock, warnings::Warnings},
    limits::request::Rejected,
};

/// The longest sleep of a driver. The timer of a runtime stands still while the machine is suspended, and so does that of a thread.
const MAX_SLEEP: Duration = Duration::from_secs(5);

/// State that all clones of a limiter share.
pub(crate) struct Inner {
    state: Mutex<State>,
    /// Wakes a driver task before its timer.
    driver_wakeup: Notify,
    pub(super) call_settings: CallSettings,
    #[cfg(test)]
    pub(crate) locks: std::sync::atomic::AtomicUsize,
}

pub(crate) struct State {
    pub(crate) clock: Clock,
    pub(crate) scheduler: Scheduler<Waiter>,
    /// Results (a grant or a rejection) that their waiters have not picked up yet.
    pub(crate) results: HashMap<CallId, Result<Grant, Rejected>>,
    /// Number of threads blocked in the queue.
    pub(crate) blocked_threads: usize,
    pub(crate) probe: Option<Probe>,
    /// Link to the fleet task, or `None` if the limiter is not shared.
    pub(crate) fleet: Option<FleetLink>,
    pub(crate) warnings: Warnings,
    driver: DriverState,
    /// Number of drivers started so far, by which a replaced driver notices that it was replaced.
    generation: u64,
    /// Deadline that the driver sleeps until, or `None` before it has set its timer.
    timer_at: Option<Duration>,
    /// Set once a runtime without timers was met, which shows only by a panic. Drivers are threads from then on.
    without_timers: bool,
}

impl State {
    /// Converts the time in a rejection by the scheduler, which counts from the creation of the limiter, to the wall clock.
    pub(crate) fn with_wall_clock(&mut self, mut rejected: Rejected) -> Rejected {
        rejected.resumes_at = rejected.resumes_at.map(|at| {
            let time = at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
            self.clock.wall_at(time)
        });
        rejected
    }

    /// Wakes the fleet task if the next report is due earlier than it knows.
    pub(crate) fn wake_fleet(&mut self) {
        if let Some(fleet) = &mut self.fleet
            && let Some(asks_at) = self.scheduler.asks_at()
            && asks_at < fleet.next_report_at
        {
            fleet.next_report_at = asks_at;
            fleet.wakeup.notify_one();
        }
    }
}

/// Link from a limiter to the fleet task that reports for it.
#[derive(Debug)]
pub(crate) struct FleetLink {
    pub(crate) wakeup: Arc<Notify>,
    /// Time of the next report as far as the task knows.
    pub(crate) next_report_at: Duration,
    /// Result of joining the fleet.
    #[cfg(feature = "redis")]
    pub(crate) join_state: tokio::sync::watch::Receiver<crate::limiter::join_error::JoinState>,
}

/// A user's health check, which returns `true` while the server is blocked.
pub(crate) type Probe = Arc<dyn Fn() -> Pin<Box<dyn Future<Output = bool> + Send>> + Send + Sync>;

/// A waiting task or thread.
#[derive(Debug, Clone)]
pub(crate) enum Waiter {
    Task(Waker),
    Thread(Thread),
}

impl Waiter {
    fn wake(self) {
        match self {
            Self::Task(waker) => waker.wake(),
            Self::Thread(thread) => thread.unpark(),
        }
    }
}

enum DriverState {
    None,
    /// The last driver was dropped before it ended, and all waiters were woken. Only a waiter starts the next one.
    Lost,
    Task,
    /// Holds the handle of the thread once it runs.
    Thread(Option<Thread>),
}

impl Inner {
    pub(crate) fn new(clock: Clock, scheduler: Scheduler<Waiter>) -> Arc<Self> {
        Arc::new(Self {
            call_settings: CallSettings::new(scheduler.limits()),
            #[cfg(test)]
            locks: std::sync::atomic::AtomicUsize::default(),
            state: Mutex::new(State {
                clock,
                scheduler,
                results: HashMap::new(),
                blocked_threads: 0,
                probe: None,
                fleet: None,
                warnings: Warnings::default(),
                driver: DriverState::None,
                generation: 0,
                timer_at: None,
                // A panic would end the process, so runtimes are not tried.
                without_timers: cfg!(panic = "abort"),
            }),
            driver_wakeup: Notify::new(),
        })
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        #[cfg(test)]
        self.locks.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        // A panic under the lock is a bug. It is better to keep pacing than to fail every call.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Applies `change` to the state, grants the tickets that are due then, and wakes their waiters.
    pub(crate) fn update<T>(self: &Arc<Self>, change: impl FnOnce(&mut State, Duration) -> T) -> T {
        self.update_as(false, change)
    }

    /// As [`update`](Self::update), for a caller that is about to wait: it may start a driver even after the last one was
    /// lost.
    pub(crate) fn update_as_waiter<T>(self: &Arc<Self>, change: impl FnOnce(&mut State, Duration) -> T) -> T {
        self.update_as(true, change)
    }

    fn update_as<T>(self: &Arc<Self>, is_waiter: bool, change: impl FnOnce(&mut State, Duration) -> T) -> T {
        let mut state = self.lock();
        let now = state.clock.now();
        let result = change(&mut state, now);
        let mut after_unlock = self.advance(&mut state, now);
        after_unlock.driver = self.driver_needed(&mut state, is_waiter);
        drop(state);
        after_unlock.run();
        result
    }

    fn advance(self: &Arc<Self>, state: &mut State, now: Duration) -> AfterUnlock {
        let mut woken = Vec::new();
        let State { scheduler, results, .. } = state;
        let mut probe_due = false;
        loop {
            probe_due |= scheduler.advance(now, |grant, waiter| {
                results.insert(grant.id, Ok(grant));
                woken.push(waiter);
            });
            // A call that leaves the queue may make room for the calls behind it.
            let before = woken.len();
            scheduler.expire(now, |id, rejected, waiter| {
                results.insert(id, Err(rejected));
                woken.push(waiter);
            });
            if woken.len() == before {
                break;
            }
        }
        state.wake_fleet();
        let probe = state.probe.clone().filter(|_| probe_due);
        AfterUnlock {
            woken,
            driver: None,
            probe: probe.map(|probe| (ProbeRun { inner: self.clone(), is_blocked: true }, probe)),
        }
    }

    /// Returns a driver to start, or wakes the present one if its timer is too late.
    fn driver_needed(self: &Arc<Self>, state: &mut State, is_waiter: bool) -> Option<DriverGuard> {
        let deadline = state.scheduler.deadline()?;
        let on_thread = state.blocked_threads > 0 || state.without_timers;
        match &state.driver {
            // The task notices that it was replaced, and ends.
            DriverState::Task if on_thread => self.driver_wakeup.notify_one(),
            DriverState::Lost if !is_waiter => return None,
            DriverState::None | DriverState::Lost => {}
            _ if state.timer_at.is_none_or(|timer_at| timer_at <= deadline) => return None,
            DriverState::Task => {
                self.driver_wakeup.notify_one();
                return None;
            }
            DriverState::Thread(thread) => {
                if let Some(thread) = thread {
                    thread.unpark();
                }
                return None;
            }
        }
        let runtime = Handle::try_current().ok().filter(|_| !on_thread);
        state.driver = if runtime.is_some() { DriverState::Task } else { DriverState::Thread(None) };
        state.generation += 1;
        state.timer_at = None;
        Some(DriverGuard { inner: self.clone(), generation: state.generation, runtime })
    }
}

impl fmt::Debug for Inner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inner").finish_non_exhaustive()
    }
}

/// Work for after the lock is released, because wakers and runtimes may run code that takes the lock.
#[must_use]
struct AfterUnlock {
    woken: Vec<Waiter>,
    driver: Option<DriverGuard>,
    probe: Option<(ProbeRun, Probe)>,
}

impl AfterUnlock {
    fn run(self) {
        self.woken.into_iter().for_each(Waiter::wake);
        if let Some((run, probe)) = self.probe {
            run.start(probe);
        }
        if let Some(driver) = self.driver {
            driver.start();
        }
    }
}

/// The driver. If it is dropped before it ended, another can be started.
struct DriverGuard {
    inner: Arc<Inner>,
    generation: u64,
    /// Runtime of the task, or `None` to run on a thread.
    runtime: Option<Handle>,
}

impl DriverGuard {
    fn start(mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.spawn(self.run_as_task());
        } else if let Err(error) =
            thread::Builder::new().name("ratellmiter-drive".into()).spawn(move || self.run_as_thread())
        {
            tracing::warn!(%error, "cannot spawn the thread that paces calls");
        }
    }

    async fn run_as_task(self) {
        while let Some(deadline) = self.step() {
            // A wakeup and a timeout are handled alike.
            let _ = timeout_at(deadline.into(), self.inner.driver_wakeup.notified()).await;
        }
    }

    fn run_as_thread(self) {
        while let Some(deadline) = self.step() {
            thread::park_timeout(deadline.saturating_duration_since(Instant::now()));
        }
    }

    /// Grants the tickets that are due. Returns the instant of the next step, at the latest that of the next deadline, or `None` if the driver must end because
    /// there is no deadline or it was replaced.
    fn step(&self) -> Option<Instant> {
        let mut state = self.inner.lock();
        if state.generation != self.generation {
            return None;
        }
        if let DriverState::Thread(thread @ None) = &mut state.driver {
            *thread = Some(thread::current());
        }
        state.clock.add_suspension();
        let now = state.clock.now();
        let after_unlock = self.inner.advance(&mut state, now);
        state.timer_at = state.scheduler.deadline();
        if state.timer_at.is_none() {
            state.driver = DriverState::None;
        }
        let deadline = state.timer_at.map(|deadline| state.clock.instant(deadline.min(now + MAX_SLEEP)));
        drop(state);
        after_unlock.run();
        deadline
    }
}

impl Drop for DriverGuard {
    fn drop(&mut self) {
        let mut state = self.inner.lock();
        if state.generation != self.generation || matches!(state.driver, DriverState::None | DriverState::Lost) {
            return;
        }
        state.driver = DriverState::Lost;
        // A runtime without timers makes the task panic.
        state.without_timers |= thread::panicking();
        let waiting: Vec<_> = state.scheduler.payloads().cloned().collect();
        drop(state);
        waiting.into_iter().for_each(Waiter::wake);
    }
}

/// One run of a user's probe. If the probe panics or its runtime ends, the server counts as blocked.
struct ProbeRun {
    inner: Arc<Inner>,
    is_blocked: bool,
}

impl ProbeRun {
    fn start(self, probe: Probe) {
        if let Ok(runtime) = Handle::try_current() {
            runtime.spawn(self.run(probe));
            return;
        }
        let thread = thread::Builder::new().name("ratellmiter-probe".into());
        let spawned = thread.spawn(move || match tokio::runtime::Builder::new_current_thread().enable_all().build() {
            Ok(runtime) => runtime.block_on(self.run(probe)),
            Err(error) => tracing::warn!(%error, "cannot create a runtime for the probe"),
        });
        if let Err(error) = spawned {
            tracing::warn!(%error, "cannot spawn a thread for the probe");
        }
    }

    async fn run(mut self, probe: Probe) {
        self.is_blocked = probe().await;
    }
}

impl Drop for ProbeRun {
    fn drop(&mut self) {
        self.inner.update(|state, now| state.scheduler.probed(now, self.is_blocked));
    }
}

#[cfg(test)]
mod tests;
