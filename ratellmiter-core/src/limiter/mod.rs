//! The public face of one limiter: ask for a ticket, say how the call ended, see how things stand.

mod acquire;
pub(crate) mod clock;
pub(crate) mod driver;
#[cfg(feature = "redis")]
mod fleet_handle;
mod snapshot;
mod ticket;
pub(crate) mod warnings;

use std::{
    fmt,
    hash::{BuildHasher as _, RandomState},
    sync::Arc,
    time::Duration,
};

pub use self::{
    acquire::{Acquire, TryAcquire},
    snapshot::Snapshot,
    ticket::Ticket,
};

use crate::{
    engine::{
        scheduler::{Request, Scheduler},
        stats::Second,
    },
    judge::Verdict,
    limiter::{clock::Clock, driver::Inner},
    limits::{Limits, cost::TokenEstimate, request::AcquireOptions},
    log::row::BudgetKind,
};

/// Paces the calls of one model, or of several that share a budget. Clones share everything.
///
/// Calls get their tickets in the order in which they asked; those that came back refused go before all others. See
/// [`Limits`] for what is paced and [`Ticket`] for what to do with a ticket.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// use std::num::NonZeroU32;
/// use ratellmiter_core::{Limiter, Limits};
///
/// let limiter = Limiter::new(Limits::per_minute(300));
/// let ticket = limiter.acquire().await;
/// // ... the call ...
/// ticket.finish();
/// # }
/// ```
#[derive(Clone)]
pub struct Limiter(Arc<Inner>);

impl Limiter {
    /// A limiter that belongs to no monitor, and so is not logged.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        let seed = RandomState::new().hash_one(std::process::id());
        Self(Inner::new(Clock::start(), Scheduler::new(limits, Clock::wall(), seed)))
    }

    /// Waits for a ticket.
    ///
    /// # Cancel safety
    /// The call asks when the future is first polled. A future that is dropped gives its place in the line back at
    /// once, and the ticket too if one had just been issued to it. See [`Admit`].
    pub fn acquire(&self) -> Acquire {
        Acquire(self.ask_for(None))
    }

    /// Waits for a ticket for a call of `input` tokens and at most `max_output` output tokens.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// use ratellmiter_core::{Limiter, Limits, Provider, Usage};
    ///
    /// let limiter = Limiter::new(Limits::for_provider(Provider::Anthropic).output_tokens_per_minute(8_000));
    /// let ticket = limiter.acquire_tokens(1_200, 500).await;
    /// // ... the call ...
    /// ticket.finish_with_usage(Usage::new(1_187, 93));
    /// # }
    /// ```
    ///
    /// # Cancel safety
    /// As [`acquire`](Self::acquire).
    pub fn acquire_tokens(&self, input: u64, max_output: u64) -> Acquire {
        let request = Request { cost: TokenEstimate::new(input, max_output), ..Request::PLAIN };
        Acquire(self.ask_for(Some(Box::new(request))))
    }

    /// Waits for a ticket, but no longer than `ask` and the limiter's own [`max_wait`](Limits::max_wait) and
    /// [`max_queue`](Limits::max_queue) allow. A call that would exceed a bound, as far as can be told, is turned away at once.
    ///
    /// Only waiting counts, all of its tickets taken together, and not the time that the call is out.
    ///
    /// # Errors
    /// [`Rejected`](crate::Rejected), with the bound that would be exceeded and about how long the call would have waited.
    ///
    /// # Cancel safety
    /// As [`admit`](Self::admit).
    pub fn acquire_with(&self, ask: AcquireOptions) -> TryAcquire {
        self.ask_for(Some(Box::new(self.resolve_options(&ask, true))))
    }

    pub(crate) fn ask_for(&self, wish: Option<Box<Request>>) -> TryAcquire {
        TryAcquire { limiter: self.clone(), wish, place: None }
    }

    /// As [`ask`](Self::ask). `bounded`: the limiter's own bounds hold as well.
    pub(crate) fn resolve_options(&self, ask: &AcquireOptions, bounded: bool) -> Request {
        let mut state = self.0.lock();
        let limits = bounded.then(|| *state.scheduler.limits());
        let max_wait = ask.max_wait.into_iter().chain(limits.and_then(|limits| limits.max_wait)).min();
        let max_queue = ask.max_queue.into_iter().chain(limits.and_then(|limits| limits.max_queue)).min();
        let deadline = ask.deadline.map(|deadline| {
            let (now, reading) = (state.clock.now(), Clock::reading());
            let left = deadline.saturating_duration_since(reading);
            (now + left).saturating_sub(reading.saturating_duration_since(deadline))
        });
        Request { cost: ask.estimate, priority: ask.priority, max_wait, deadline, max_queue }
    }

    /// Waits for a ticket, blocking the thread. In a runtime this holds up the other tasks of the thread: call it
    /// from `spawn_blocking` there.
    pub fn blocking_acquire(&self) -> Ticket {
        self.acquire().wait()
    }

    /// A ticket, if one can be had without waiting and without overtaking anybody. A call that gets none is not counted
    /// as requested.
    #[must_use]
    pub fn try_acquire(&self) -> Option<Ticket> {
        let mut state = self.0.lock();
        let now = state.clock.now();
        let Some(grant) = state.scheduler.try_request(now, &Request::PLAIN) else {
            state.scheduler.missed_try(now);
            state.wake_fleet();
            return None;
        };
        state.wake_fleet();
        drop(state);
        Some(Ticket::new(self, grant))
    }

    /// The limits in force.
    #[must_use]
    pub fn limits(&self) -> Limits {
        *self.0.lock().scheduler.limits()
    }

    /// Changes the limits, also while calls wait: the line keeps its order, the new rate holds from the next ticket on.
    /// A higher rate is a jump like any other and is ramped up to.
    pub fn set_limits(&self, limits: Limits) {
        self.0.update(|state, now| {
            if *state.scheduler.limits() != limits {
                state.scheduler.set_limits(now, limits);
            }
        });
    }

    /// After a pause, asks `probe` whether the server still blocks (`true`) instead of sending one refused call as the
    /// canary. While it does, the probe is asked again, each time after a longer pause.
    ///
    /// The probe runs on the runtime of whoever comes upon the end of the pause, or on a small one of its own where there is
    /// none. A probe that panics counts as blocked.
    pub fn set_probe<F, Fut>(&self, probe: F)
    where
        F: Fn() -> Fut + Send + Sync + 'static,
        Fut: Future<Output = bool> + Send + 'static,
    {
        self.0.update(|state, _| {
            state.probe = Some(Arc::new(move || Box::pin(probe())));
            state.scheduler.set_probe(true);
        });
    }

    /// Tells of a refusal that belongs to no ticket, as an observer may see one: the limiter pauses as for any other. A
    /// verdict that is no refusal does nothing.
    ///
    /// A `retry_after` of more than ten minutes counts as none.
    pub fn report_refusal(&self, verdict: Verdict) {
        if verdict.is_retryable() {
            self.0.update(|state, now| state.scheduler.on_unattributed_refusal(now, &verdict));
        }
    }

    /// How things stand.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        let mut state = self.0.lock();
        let now = state.clock.now();
        Snapshot::of(&mut state.scheduler, now)
    }

    /// Whose calls these are.
    pub(crate) fn set_model(&self, model: &str) {
        self.0.lock().scheduler.set_model(model);
    }

    /// What the budgets of days have taken, by age, oldest first.
    pub(crate) fn day_usage(&self) -> Vec<(BudgetKind, Vec<(Duration, u64)>)> {
        let mut state = self.0.lock();
        let now = state.clock.peek();
        state.scheduler.day_usage(now)
    }

    /// Counts what an earlier run took of a day.
    pub(crate) fn restore_day(&self, meter: BudgetKind, ages: &[(Duration, u64)]) {
        let mut state = self.0.lock();
        let now = state.clock.now();
        ages.iter().for_each(|(age, amount)| state.scheduler.restore_day(now, meter, *age, *amount));
    }

    /// Where the server refused last, for the rate in calls a minute and for the calls in flight.
    pub(crate) fn ceilings(&self) -> (Option<f64>, Option<f64>) {
        self.0.lock().scheduler.ceilings()
    }

    /// Starts from adapted limits that an earlier run saved: a rate in calls a minute, and a number of calls in flight.
    pub(crate) fn restore(&self, requests_per_minute: Option<f64>, in_flight: Option<f64>) {
        self.0.update(|state, now| state.scheduler.restore(now, requests_per_minute, in_flight));
    }

    /// Keeps the seconds that end for [`seconds`](Self::seconds), or stops to.
    pub(crate) fn record(&self, recording: bool) {
        let mut state = self.0.lock();
        let now = state.clock.peek();
        state.scheduler.record(now, recording);
    }

    /// Takes the seconds that are over; with `all`, also the one under way.
    pub(crate) fn seconds(&self, all: bool) -> Vec<Second> {
        let mut state = self.0.lock();
        let now = state.clock.peek();
        state.scheduler.seconds(now, all)
    }
}

impl fmt::Debug for Limiter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Limiter").field(&self.snapshot()).finish()
    }
}
