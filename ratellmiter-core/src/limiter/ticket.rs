//! Leave for one call, and how the call ended.

use std::{
    task::Waker,
    time::{Duration, SystemTime},
};

use super::{Acquire, Limiter, TryAcquire};
use crate::{
    engine::scheduler::Grant,
    judge::{LimitKind, LimitReading, Verdict},
    limiter::driver::{State, Waiter},
    providers::{limit_headers::readings, usage::Usage},
};

/// Leave for one call. Say how the call ended: [`finish`](Self::finish), [`rate_limited`](Self::rate_limited), or
/// [`give_back`](Self::give_back) if it was not made after all.
///
/// Dropping a ticket gives its place in flight back at once. Its part of the rate stays used, since the request may
/// have left: the server counts it whether or not anybody waits for the answer.
#[derive(Debug)]
#[must_use = "a ticket that is dropped has ended"]
pub struct Ticket {
    limiter: Limiter,
    /// `None` once it has ended.
    grant: Option<Grant>,
}

impl Ticket {
    pub(super) fn new(limiter: &Limiter, grant: Grant) -> Self {
        Self { limiter: limiter.clone(), grant: Some(grant) }
    }

    /// The call ended. What it reserved of token budgets stays charged, since nobody says what it used.
    pub fn finish(self) {
        self.settle(false, None, &[]);
    }

    /// The call ended and used so much: what it reserved too much is given back at once, what it used too much is charged,
    /// as the provider's contract says.
    pub fn finish_with_usage(self, usage: impl Into<Usage>) {
        self.settle(false, Some(usage.into()), &[]);
    }

    /// The call ended with an error that is no refusal: as [`finish`](Self::finish), and the log counts it as failed.
    pub fn finish_failed(self) {
        self.settle(true, None, &[]);
    }

    /// The call ended; `readings` are what the headers of its answer show.
    pub(crate) fn settle(mut self, failed: bool, usage: Option<Usage>, readings: &[LimitReading]) {
        let ended = self.end(|state, now, grant| {
            let headers = state.scheduler.apply_headers(now, &grant, readings);
            let is_silent = !failed && usage.is_none() && state.scheduler.has_no_estimate(&grant);
            let in_silence = !failed && state.warnings.count_call(is_silent);
            (in_silence, headers, state.scheduler.finish(now, grant, failed, usage))
        });
        let (in_silence, headers, usage) = ended.unwrap_or((false, true, true));
        self.limiter.warn_implausible(headers, usage);
        if in_silence {
            self.limiter.warn_no_usage();
        }
    }

    /// Tells what the headers of the answer show of the server's limits: a lower one holds at once, and where little is left
    /// it is spread over the time until there is more. Within `#[ratellmiter]` functions that is
    /// [`observe`](crate::call::observe).
    pub fn apply_headers(&self, headers: &http::HeaderMap) {
        let by_day = self.limiter.limits().provider.requests_header_is_per_day();
        self.read(&readings(headers, SystemTime::now(), by_day));
    }

    /// The same of what is read already.
    pub(crate) fn read(&self, readings: &[LimitReading]) {
        let Some(grant) = self.grant.filter(|_| !readings.is_empty()) else { return };
        let believed = self.limiter.0.update(|state, now| state.scheduler.apply_headers(now, &grant, readings));
        self.limiter.warn_implausible(believed, true);
    }

    /// The call came back refused. The limiter pauses, and the call is in the line again when this returns, before all that
    /// were never refused; the returned [`Admit`] waits for its next ticket. Dropping that leaves the line.
    ///
    /// `hint` is how long the server asked us to wait. A hint of more than ten minutes is no matter of waiting: the
    /// limiter pauses as without one, and the caller had better give up.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)] async fn main() {
    /// # use std::{num::NonZeroU32, time::Duration};
    /// # use ratellmiter_core::{Limiter, Limits};
    /// # let limiter = Limiter::new(Limits::per_minute(300));
    /// # let mut answers = [Err(()), Ok("hello")].into_iter();
    /// # let mut call = || answers.next().unwrap();
    /// let mut ticket = limiter.acquire().await;
    /// let answer = loop {
    ///     match call() {
    ///         Ok(answer) => break answer,
    ///         Err(refused) => ticket = ticket.requeue_after(Some(Duration::from_secs(3))).await,
    ///     }
    /// };
    /// ticket.finish();
    /// # assert_eq!(answer, "hello");
    /// # }
    /// ```
    pub fn requeue_after(self, hint: Option<Duration>) -> Acquire {
        self.requeue(Verdict::RateLimited { retry_after: hint, limit: LimitKind::Unknown })
    }

    /// Like [`rate_limited`](Self::rate_limited), with all that is known of the refusal. It decides what is learned from it:
    /// an overloaded server pauses the limiter and does not lower its rate, and too many calls at once lower the calls in
    /// flight. A verdict that is no refusal counts as one of which nothing is known.
    pub fn requeue(mut self, verdict: Verdict) -> Acquire {
        let verdict = if verdict.is_retryable() { verdict } else { Verdict::RATE_LIMITED };
        // Nobody polls yet; whoever does leaves a waker of its own.
        let waiter = Waiter::Task(Waker::noop().clone());
        let place = self.end(|state, now, grant| state.scheduler.requeue(now, grant, &verdict, waiter));
        Acquire(TryAcquire { limiter: self.limiter.clone(), wish: None, place })
    }

    /// The call was not made after all: its part of the rate goes to the next in line at once.
    pub fn cancel(mut self) {
        self.end(|state, now, grant| state.scheduler.cancel(now, grant));
    }

    fn end<T>(&mut self, tell: impl FnOnce(&mut State, Duration, Grant) -> T) -> Option<T> {
        let grant = self.grant.take()?;
        Some(self.limiter.0.update(|state, now| tell(state, now, grant)))
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.end(|state, now, grant| state.scheduler.abandon(now, grant));
    }
}
