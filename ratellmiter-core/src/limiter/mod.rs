//! The limiter: granting tickets, reporting refusals, and reading its state.

mod acquire;
mod call_settings;
pub(crate) mod clock;
pub(crate) mod driver;
#[cfg(feature = "redis")]
mod fleet_handle;
#[cfg(feature = "redis")]
pub(crate) mod join_error;
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
    acquire::{Acquire, AcquireOutput},
    snapshot::{Closed, Snapshot},
    ticket::Ticket,
};

use crate::{
    engine::{call_state::Request, scheduler::Scheduler, stats::Second},
    judge::Verdict,
    limiter::{call_settings::CallSettings, clock::Clock, driver::Inner},
    limits::{
        Limits,
        cost::TokenEstimate,
        request::{AcquireOptions, Rejected},
    },
    log::row::BudgetKind,
};

/// Paces the calls of one model, or of several models that share a budget. Clones share their state.
///
/// Tickets are granted in the order of requests, and to refused calls before all others. See [`Limits`] for the limits and
/// [`Ticket`] for the use of a ticket.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
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
    /// Creates a limiter without a monitor, whose calls are not logged.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        let seed = RandomState::new().hash_one(std::process::id());
        Self(Inner::new(Clock::start(), Scheduler::new(limits, Clock::wall(), seed)))
    }

    /// Returns `true` if `other` is a clone of this limiter.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// Waits for a ticket.
    ///
    /// # Cancel safety
    /// The call joins the queue when the future is first polled. Dropping the future removes it from the queue, and returns
    /// its ticket if one was granted already. See [`Acquire`].
    pub fn acquire(&self) -> Acquire {
        Acquire::new(self, None, None)
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
        Acquire::new(self, Some(Box::new(request)), None)
    }

    /// Waits for a ticket, within the limits of `options` and the limiter's own [`max_wait`](Limits::max_wait) and
    /// [`max_queue`](Limits::max_queue). A call that is expected to exceed one of them is rejected at once, and so is a call while
    /// the limiter is [closed](Snapshot::closed).
    ///
    /// The wait is the time in the queue, over all attempts of the call, without the time in flight.
    ///
    /// # Errors
    /// [`Rejected`](crate::Rejected), with the limit that would be exceeded and an estimate of the wait, or with the reason for
    /// which the limiter is closed and the time at which it opens.
    ///
    /// # Cancel safety
    /// As [`acquire`](Self::acquire).
    pub fn acquire_with(&self, options: AcquireOptions) -> Acquire<Result<Ticket, Rejected>> {
        Acquire::new(self, Some(Box::new(self.resolve_options(&options, true))), None)
    }

    /// Resolves options to a request. With `bounded`, the limiter's own limits on waiting apply as well.
    pub(crate) fn resolve_options(&self, options: &AcquireOptions, bounded: bool) -> Request {
        let limits = bounded.then(|| self.limits());
        let max_wait = options.max_wait.into_iter().chain(limits.and_then(|limits| limits.max_wait)).min();
        let max_queue = options.max_queue.into_iter().chain(limits.and_then(|limits| limits.max_queue)).min();
        let deadline = options.deadline.map(|deadline| {
            let (now, reading) = (self.0.lock().clock.now(), Clock::reading());
            let left = deadline.saturating_duration_since(reading);
            (now + left).saturating_sub(reading.saturating_duration_since(deadline))
        });
        let (cost, priority) = (options.estimate, options.priority);
        Request { cost, priority, max_wait, deadline, max_queue, can_fail: bounded }
    }

    /// Waits for a ticket, blocking the thread. Inside a runtime this blocks the other tasks of the thread: use
    /// `spawn_blocking` there.
    pub fn blocking_acquire(&self) -> Ticket {
        self.acquire().wait()
    }

    /// Returns a ticket if one is available without waiting and no call is queued before it, or `None`. A call without a
    /// ticket is not counted as requested.
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

    /// Returns the limits in force.
    #[must_use]
    pub fn limits(&self) -> Limits {
        *self.0.lock().scheduler.limits()
    }

    /// Changes the limits, also while calls are queued. The order of the queue is kept, and the new rate applies from the next
    /// ticket on. An increase of the rate is ramped as any jump in demand.
    pub fn set_limits(&self, limits: Limits) {
        self.0.lock().scheduler.keep();
        self.apply_limits(limits);
    }

    /// Sets limits that the monitor knows, as [`set_limits`](Self::set_limits).
    pub(crate) fn apply_limits(&self, limits: Limits) {
        self.0.update(|state, now| {
            if *state.scheduler.limits() != limits {
                state.scheduler.set_limits(now, limits);
                self.0.call_settings.store(&limits);
            }
        });
    }

    pub(crate) fn call_settings(&self) -> &CallSettings {
        &self.0.call_settings
    }

    /// Returns how often the lock was taken.
    #[cfg(test)]
    pub(crate) fn locks(&self) -> &std::sync::atomic::AtomicUsize {
        &self.0.locks
    }

    /// Sets a probe that replaces the canary: after a pause, `probe` is called instead of sending one refused call. While it
    /// returns `true` (the server still refuses calls), it is called again after longer and longer pauses.
    ///
    /// The probe runs on the runtime of the caller or driver that notices the end of the pause, or on a new single-threaded
    /// runtime if there is none. If it panics, this counts as `true`.
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

    /// Reports a refusal of a call without a ticket, for example one seen by an observer. The limiter pauses as for any
    /// refusal. [`Verdict::QuotaExhausted`] and a `retry_after` of more than ten minutes [close](crate::Closed) it. Other verdicts
    /// have no effect.
    pub fn report_refusal(&self, verdict: Verdict) {
        if let Verdict::QuotaExhausted { resumes_at, .. } = verdict {
            self.0.update(|state, now| {
                let opens_at = resumes_at.and_then(|at| state.clock.at_wall(at));
                state.scheduler.on_unattributed_exhaustion(now, opens_at);
            });
        } else if verdict.is_retryable() {
            self.0.update(|state, now| state.scheduler.on_unattributed_refusal(now, &verdict));
        }
    }

    /// Returns the current state.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        let mut state = self.0.lock();
        let now = state.clock.now();
        Snapshot::of(&mut state, now)
    }

    /// Sets the name of the model.
    pub(crate) fn set_model(&self, model: &str) {
        self.0.lock().scheduler.set_model(model);
    }

    /// Returns the amounts charged to each configured daily budget, by age, oldest first.
    pub(crate) fn day_usage(&self) -> Vec<(BudgetKind, Vec<(Duration, u64)>)> {
        let mut state = self.0.lock();
        let now = state.clock.peek();
        state.scheduler.day_usage(now)
    }

    /// Charges a daily budget with the usage of other processes, by age.
    pub(crate) fn restore_day(&self, kind: BudgetKind, ages: &[(Duration, u64)]) {
        let mut state = self.0.lock();
        let now = state.clock.now();
        ages.iter().for_each(|(age, amount)| state.scheduler.restore_day(now, kind, *age, *amount));
    }

    /// Returns the rate in calls a minute and the calls in flight at which the server last refused a call.
    pub(crate) fn ceilings(&self) -> (Option<f64>, Option<f64>) {
        self.0.lock().scheduler.ceilings()
    }

    /// Starts from adapted limits that an earlier run saved: a rate in calls a minute, and a number of calls in flight.
    pub(crate) fn restore(&self, requests_per_minute: Option<f64>, in_flight: Option<f64>) {
        self.0.update(|state, now| state.scheduler.restore(now, requests_per_minute, in_flight));
    }

    /// Returns `true` unless this is the only clone, and a new limiter would behave alike.
    pub(crate) fn is_shared_or_remembers(&self) -> bool {
        if Arc::strong_count(&self.0) > 1 {
            return true;
        }
        let mut state = self.0.lock();
        let now = state.clock.peek_here();
        state.fleet.is_some() || !state.results.is_empty() || state.scheduler.remembers(now)
    }

    /// Starts or stops recording seconds for [`seconds`](Self::seconds).
    pub(crate) fn record(&self, recording: bool) {
        let mut state = self.0.lock();
        let now = state.clock.peek();
        state.scheduler.record(now, recording);
    }

    /// Returns and removes the recorded seconds that have ended; with `all`, also the current one.
    pub(crate) fn seconds(&self, all: bool) -> Vec<Second> {
        let mut state = self.0.lock();
        state.clock.add_suspension();
        let now = state.clock.peek();
        state.scheduler.seconds(now, all)
    }
}

impl fmt::Debug for Limiter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Limiter").field(&self.snapshot()).finish()
    }
}
