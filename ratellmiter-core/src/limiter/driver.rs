//! The shell's mechanism: one lock, those who wait, one driver with one timer.
//!
//! Whoever asks, ends or leaves takes the lock, tells the scheduler, lets it [`advance`](Scheduler::advance), and wakes
//! those who were issued a ticket when the lock is gone. While somebody waits for a time to come, one *driver* does the
//! same at the scheduler's deadline. The driver is a task on the runtime of whoever found none, or a thread where there is no
//! runtime. It is nobody's waiter, so dropping waiters never hurts it; when its runtime ends, its guard wakes the
//! waiters, and the first of them to look starts another. Blocked threads are never left to a task: the only thread
//! under that task may be the blocked one.

use std::{
    collections::HashMap,
    fmt,
    future::Future,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::Waker,
    thread::{self, Thread},
    time::{Duration, Instant},
};

use tokio::{runtime::Handle, sync::Notify, time::timeout_at};

use crate::{
    engine::{
        call_id::{CallId, Grant},
        scheduler::Scheduler,
    },
    limiter::clock::Clock,
    limits::request::Rejected,
};

/// What all clones of a limiter share.
pub(crate) struct Inner {
    state: Mutex<State>,
    /// Tells a driver task that something is due before what it sleeps for.
    poke: Notify,
}

pub(crate) struct State {
    pub(crate) clock: Clock,
    pub(crate) scheduler: Scheduler<Waiter>,
    /// What waiters got that have not come for it yet: a ticket, or that their time is over.
    pub(crate) results: HashMap<CallId, Result<Grant, Rejected>>,
    /// How many threads are blocked in the line.
    pub(crate) blocked: usize,
    pub(crate) probe: Option<Probe>,
    /// Where it is shared with other processes.
    pub(crate) fleet: Option<FleetLink>,
    /// Something that cannot be was warned of.
    pub(crate) doubted: bool,
    /// How many calls in a row neither said what they cost nor told what they used; at most [`SILENT`].
    silent: u8,
    driver: DriverState,
    /// Counts drivers, so that one that was replaced knows.
    generation: u64,
    /// What the driver sleeps for.
    timer_at: Option<Duration>,
    /// A runtime without timers was met: from then on only threads drive.
    without_timers: bool,
}

/// So many calls of which nothing is said are worth a warning.
pub(crate) const SILENT: u8 = 20;

impl State {
    /// Wakes whoever asks the server that the limiter is shared on, if that is to be earlier than they think.
    pub(crate) fn poke_fleet(&mut self) {
        if let Some(fleet) = &mut self.fleet
            && let Some(asks_at) = self.scheduler.asks_at()
            && asks_at < fleet.asks_at
        {
            fleet.asks_at = asks_at;
            fleet.poke.notify_one();
        }
    }

    /// Counts calls of which nothing is said. `true`: these are enough for a warning, for the first and last time.
    pub(crate) fn count_silence(&mut self, is_silent: bool) -> bool {
        if self.silent == SILENT {
            return false;
        }
        self.silent = if is_silent { self.silent + 1 } else { 0 };
        self.silent == SILENT
    }
}

/// How to wake whoever asks the server that a limiter is shared on.
#[derive(Debug)]
pub(crate) struct FleetLink {
    pub(crate) poke: Arc<Notify>,
    /// When it asks next.
    pub(crate) asks_at: Duration,
    /// How it stands with the others.
    #[cfg(feature = "redis")]
    pub(crate) standing: tokio::sync::watch::Receiver<crate::limiter::join_error::JoinState>,
}

pub(crate) type Probe = Arc<dyn Fn() -> Pin<Box<dyn Future<Output = bool> + Send>> + Send + Sync>;

/// One who waits, and how to wake it.
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
    /// Nobody waits, or for no time.
    None,
    /// The last one was dropped. Every waiter was woken then, and the first that looks starts another; those who only
    /// end or leave do not, since the runtime that they are dropped by may be the one that ends.
    Lost,
    Task,
    /// The thread, once it runs.
    Thread(Option<Thread>),
}

impl Inner {
    pub(crate) fn new(clock: Clock, scheduler: Scheduler<Waiter>) -> Arc<Self> {
        Arc::new(Self {
            state: Mutex::new(State {
                clock,
                scheduler,
                results: HashMap::new(),
                blocked: 0,
                probe: None,
                fleet: None,
                doubted: false,
                silent: 0,
                driver: DriverState::None,
                generation: 0,
                timer_at: None,
                without_timers: false,
            }),
            poke: Notify::new(),
        })
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing panics under the lock unless there is a bug, and then pacing on beats failing every call.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells the scheduler something, issues what is due then, and wakes those concerned.
    pub(crate) fn update<T>(self: &Arc<Self>, tell: impl FnOnce(&mut State, Duration) -> T) -> T {
        self.update_as(false, tell)
    }

    /// Does the same for one who waits, and so can be relied on for a driver.
    pub(crate) fn update_as_waiter<T>(self: &Arc<Self>, tell: impl FnOnce(&mut State, Duration) -> T) -> T {
        self.update_as(true, tell)
    }

    fn update_as<T>(self: &Arc<Self>, waits: bool, tell: impl FnOnce(&mut State, Duration) -> T) -> T {
        let mut state = self.lock();
        let now = state.clock.now();
        let told = tell(&mut state, now);
        let mut todo = self.advance(&mut state, now);
        todo.start = self.driver_needed(&mut state, waits);
        drop(state);
        todo.run();
        told
    }

    fn advance(self: &Arc<Self>, state: &mut State, now: Duration) -> AfterUnlock {
        let mut woken = Vec::new();
        let State { scheduler, results: issued, .. } = state;
        let mut ask = false;
        loop {
            ask |= scheduler.advance(now, |grant, waiter| {
                issued.insert(grant.id, Ok(grant));
                woken.push(waiter);
            });
            // Where one leaves, those behind it may go.
            let before = woken.len();
            scheduler.expire(now, |id, rejected, waiter| {
                issued.insert(id, Err(rejected));
                woken.push(waiter);
            });
            if woken.len() == before {
                break;
            }
        }
        state.poke_fleet();
        let ask = state.probe.clone().filter(|_| ask);
        AfterUnlock {
            woken,
            start: None,
            ask: ask.map(|probe| (ProbeRun { shared: self.clone(), blocked: true }, probe)),
        }
    }

    /// The driver that is to be started, if nobody will look at the deadline in time.
    fn driver_needed(self: &Arc<Self>, state: &mut State, waits: bool) -> Option<DriverGuard> {
        let deadline = state.scheduler.deadline()?;
        let on_thread = state.blocked > 0 || state.without_timers;
        match &state.driver {
            DriverState::Task if on_thread => self.poke.notify_one(),
            DriverState::Lost if !waits => return None,
            DriverState::None | DriverState::Lost => {}
            _ if state.timer_at.is_none_or(|armed| armed <= deadline) => return None,
            DriverState::Task => {
                self.poke.notify_one();
                return None;
            }
            DriverState::Thread(thread) => {
                thread.iter().for_each(Thread::unpark);
                return None;
            }
        }
        let runtime = Handle::try_current().ok().filter(|_| !on_thread);
        state.driver = if runtime.is_some() { DriverState::Task } else { DriverState::Thread(None) };
        state.generation += 1;
        state.timer_at = None;
        Some(DriverGuard { shared: self.clone(), generation: state.generation, runtime })
    }
}

impl fmt::Debug for Inner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").finish_non_exhaustive()
    }
}

/// What is to be done without the lock: wakers and runtimes may run anything, also what takes the lock.
#[must_use]
struct AfterUnlock {
    woken: Vec<Waiter>,
    start: Option<DriverGuard>,
    ask: Option<(ProbeRun, Probe)>,
}

impl AfterUnlock {
    fn run(self) {
        self.woken.into_iter().for_each(Waiter::wake);
        if let Some((answer, probe)) = self.ask {
            answer.start(probe);
        }
        if let Some(drive) = self.start {
            drive.start();
        }
    }
}

/// The driver. Dropping it, however that happens, makes room for another.
struct DriverGuard {
    shared: Arc<Inner>,
    generation: u64,
    /// Where it runs; on a thread of its own if nowhere.
    runtime: Option<Handle>,
}

impl DriverGuard {
    fn start(mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.spawn(self.run_as_task());
        } else if let Err(error) =
            thread::Builder::new().name("ratellmiter-drive".into()).spawn(move || self.run_as_thread())
        {
            tracing::warn!(%error, "no thread to pace calls from");
        }
    }

    async fn run_as_task(self) {
        while let Some(deadline) = self.step() {
            // Whichever comes first.
            let _ = timeout_at(deadline.into(), self.shared.poke.notified()).await;
        }
    }

    fn run_as_thread(self) {
        while let Some(deadline) = self.step() {
            thread::park_timeout(deadline.saturating_duration_since(Instant::now()));
        }
    }

    /// Issues what is due. Gives the instant of the next deadline; `None` when there is none or another one drives.
    fn step(&self) -> Option<Instant> {
        let mut state = self.shared.lock();
        if state.generation != self.generation {
            return None;
        }
        if let DriverState::Thread(thread @ None) = &mut state.driver {
            *thread = Some(thread::current());
        }
        let now = state.clock.now();
        let todo = self.shared.advance(&mut state, now);
        state.timer_at = state.scheduler.deadline();
        if state.timer_at.is_none() {
            state.driver = DriverState::None;
        }
        let deadline = state.timer_at.map(|deadline| state.clock.instant(deadline));
        drop(state);
        todo.run();
        deadline
    }
}

impl Drop for DriverGuard {
    fn drop(&mut self) {
        let mut state = self.shared.lock();
        if state.generation != self.generation || matches!(state.driver, DriverState::None | DriverState::Lost) {
            return;
        }
        // The runtime is gone, or there was no thread, or the runtime has no timers: that shows as a panic.
        state.driver = DriverState::Lost;
        state.without_timers |= thread::panicking();
        let waiting: Vec<_> = state.scheduler.payloads().cloned().collect();
        drop(state);
        waiting.into_iter().for_each(Waiter::wake);
    }
}

/// The answer of the user's probe. Without one, because it panicked or its runtime ended, the server counts as blocked.
struct ProbeRun {
    shared: Arc<Inner>,
    blocked: bool,
}

impl ProbeRun {
    fn start(self, probe: Probe) {
        if let Ok(runtime) = Handle::try_current() {
            runtime.spawn(self.ask(probe));
            return;
        }
        let thread = thread::Builder::new().name("ratellmiter-probe".into());
        let spawned = thread.spawn(move || match tokio::runtime::Builder::new_current_thread().enable_all().build() {
            Ok(runtime) => runtime.block_on(self.ask(probe)),
            Err(error) => tracing::warn!(%error, "no runtime to run the probe on"),
        });
        if let Err(error) = spawned {
            tracing::warn!(%error, "no thread to run the probe on");
        }
    }

    async fn ask(mut self, probe: Probe) {
        self.blocked = probe().await;
    }
}

impl Drop for ProbeRun {
    fn drop(&mut self) {
        self.shared.update(|state, now| state.scheduler.probed(now, self.blocked));
    }
}
