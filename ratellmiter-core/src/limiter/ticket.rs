//! The ticket of a call, and the ways in which the call ends.

use std::{
    fmt,
    task::Waker,
    time::{Duration, SystemTime},
};

use super::{Acquire, Limiter};
use crate::{
    engine::{call_id::Grant, call_state::CallEnd},
    judge::{LimitKind, LimitReading, Verdict},
    limiter::driver::{State, Waiter},
    providers::{limit_headers::readings, usage::Usage},
};

/// Permission to send one call. End it with [`finish`](Self::finish), [`finish_with_usage`](Self::finish_with_usage),
/// [`finish_failed`](Self::finish_failed) or [`finish_uncharged`](Self::finish_uncharged) after an error,
/// [`requeue_after`](Self::requeue_after) after a refusal, or [`cancel`](Self::cancel) if the call was not sent.
///
/// Dropping a ticket releases its place in flight. Its part of the rate stays used, because the server counts a request that
/// was sent even if its response is discarded.
#[must_use = "dropping a ticket ends its call"]
pub struct Ticket {
    limiter: Limiter,
    /// The grant, or `None` once the call has ended.
    grant: Option<Grant>,
}

impl Ticket {
    pub(super) fn new(limiter: &Limiter, grant: Grant) -> Self {
        Self { limiter: limiter.clone(), grant: Some(grant) }
    }

    /// Ends the call without usage. Its reservation of token budgets stays charged.
    pub fn finish(self) {
        self.settle(CallEnd::Succeeded, None, &[]);
    }

    /// Ends the call with its usage. The difference to its reservation is refunded or charged, by the rules of the provider.
    pub fn finish_with_usage(self, usage: impl Into<Usage>) {
        self.settle(CallEnd::Succeeded, Some(usage.into()), &[]);
    }

    /// Ends the call with an error other than a refusal, after which the server may have charged it. As
    /// [`finish`](Self::finish), and the log counts it as failed.
    pub fn finish_failed(self) {
        self.settle(CallEnd::Failed, None, &[]);
    }

    /// Ends the call with an error that the provider does not charge: a status of 4xx other than 408, 409 and 429, or a failed
    /// connection. Its tokens are refunded at once. Its part of the rate stays used, and the log counts it as failed.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// use ratellmiter_core::{Limiter, Limits};
    ///
    /// let limiter = Limiter::new(Limits::per_minute(300).tokens_per_minute(30_000));
    /// let ticket = limiter.acquire_tokens(20_000, 500).await;
    /// // ... the server answers 400: the prompt is too long for the model ...
    /// ticket.finish_uncharged();
    /// assert_eq!(limiter.snapshot().budgets().next().unwrap().taken, 0);
    /// # }
    /// ```
    pub fn finish_uncharged(self) {
        self.settle(CallEnd::Uncharged, None, &[]);
    }

    /// Returns `true` if the call was refused because its estimate is larger than a whole budget, so that the refusal concerns no
    /// other call. Logs the remedy once.
    pub(crate) fn is_refused_alone(&self, verdict: &Verdict) -> bool {
        let find = |grant| self.limiter.0.lock().scheduler.refused_alone(&grant, verdict);
        let Some(oversized) = self.grant.and_then(find) else { return false };
        self.limiter.warn_refused_alone(oversized);
        true
    }

    /// Ends the call. `readings` are the limits shown by the headers of its response.
    pub(crate) fn settle(mut self, end: CallEnd, usage: Option<Usage>, readings: &[LimitReading]) {
        let has_failed = end != CallEnd::Succeeded;
        let ended = self.end(|state, now, grant| {
            let headers = state.scheduler.apply_headers(now, &grant, readings);
            let is_without_usage = !has_failed && usage.is_none() && state.scheduler.has_no_estimate(&grant);
            let is_warning_due = !has_failed && state.warnings.count_call(is_without_usage);
            (is_warning_due, headers, state.scheduler.finish(now, grant, end, usage))
        });
        let (is_warning_due, headers, usage) = ended.unwrap_or((false, true, true));
        self.limiter.warn_implausible(headers, usage);
        if is_warning_due {
            self.limiter.warn_no_usage();
        }
    }

    /// Ends the call of a stream. Without its usage, a warning is logged once if a budget counts tokens.
    pub(crate) fn settle_stream(mut self, end: CallEnd, usage: Option<Usage>) {
        let is_complete = end == CallEnd::Succeeded;
        let ended = self.end(|state, now, grant| {
            let is_missing = is_complete && usage.is_none() && state.scheduler.counts_tokens();
            let is_warning_due = state.warnings.count_stream(is_complete, is_missing);
            (is_warning_due, state.scheduler.finish(now, grant, end, usage))
        });
        let (is_warning_due, is_plausible) = ended.unwrap_or((false, true));
        self.limiter.warn_implausible(true, is_plausible);
        if is_warning_due {
            self.limiter.warn_no_usage_of_stream();
        }
    }

    /// Applies the rate-limit headers of the response. A limit below the configured one applies at once, and a small remaining
    /// amount is spread over the time until the reset.
    ///
    /// Use [`observe`](crate::call::observe) within `#[ratellmiter]` functions.
    pub fn apply_headers(&self, headers: &http::HeaderMap) {
        let by_day = self.limiter.call_settings().requests_header_is_per_day();
        self.read(&readings(headers, SystemTime::now(), by_day));
    }

    /// Applies limits that were read from headers.
    pub(crate) fn read(&self, readings: &[LimitReading]) {
        let Some(grant) = self.grant.filter(|_| !readings.is_empty()) else { return };
        let is_plausible = self.limiter.0.update(|state, now| state.scheduler.apply_headers(now, &grant, readings));
        self.limiter.warn_implausible(is_plausible, true);
    }

    /// Ends a refused call: the limiter pauses, and the call is queued again before all calls that were never refused. The
    /// returned [`Acquire`] waits for its next ticket. Dropping it removes the call from the queue.
    ///
    /// `hint` is the time to wait that the server reported. A hint of more than ten minutes closes the limiter; consider giving
    /// up the call instead.
    ///
    /// The attempts are not counted: [`max_attempts`](crate::Limits::max_attempts) has no effect here. A
    /// [disabled](crate::Limits::enabled) limiter returns the next ticket at once.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)] async fn main() {
    /// # use std::time::Duration;
    /// # use ratellmiter_core::{Limiter, Limits};
    /// # let limiter = Limiter::new(Limits::per_minute(300));
    /// # let mut answers = [Err(()), Ok("hello")].into_iter();
    /// # let mut call = || answers.next().unwrap();
    /// let mut ticket = limiter.acquire().await;
    /// let mut attempts = 1;
    /// let answer = loop {
    ///     match call() {
    ///         Err(_) if attempts < 20 => ticket = ticket.requeue_after(Some(Duration::from_secs(3))).await,
    ///         answer => break answer,
    ///     }
    ///     attempts += 1;
    /// };
    /// ticket.finish();
    /// # assert_eq!(answer, Ok("hello"));
    /// # }
    /// ```
    pub fn requeue_after(self, hint: Option<Duration>) -> Acquire {
        self.requeue(Verdict::RateLimited { retry_after: hint, limit: LimitKind::Unknown })
    }

    /// Ends a refused call as [`requeue_after`](Self::requeue_after), with everything known about the refusal.
    ///
    /// The verdict determines how the limits adapt: an overloaded server pauses the limiter without lowering its rate, and a
    /// refusal of too many concurrent calls lowers the limit of calls in flight. A verdict that is not retryable counts as
    /// [`Verdict::RATE_LIMITED`].
    pub fn requeue(mut self, verdict: Verdict) -> Acquire {
        let verdict = if verdict.is_retryable() { verdict } else { Verdict::RATE_LIMITED };
        // The first poll of the future replaces this waker.
        let waiter = Waiter::Task(Waker::noop().clone());
        let position = self.end(|state, now, grant| state.scheduler.requeue(now, grant, &verdict, waiter));
        Acquire::new(&self.limiter, None, position)
    }

    /// Ends a call that failed because of the server or the connection, and queues it again at its former place after a wait:
    /// `hint`, the time to wait that the server reported, or half a second, which doubles with each retry. The returned
    /// [`Acquire`] waits for its next ticket. Dropping it removes the call.
    ///
    /// Returns `None` if the call is not to be sent again, as [`finish_failed`](Self::finish_failed): it was sent again
    /// [`transient_attempts`](crate::Limits::transient_attempts) times, the limiter's budget of such retries is used up, its
    /// deadline is earlier, or the hint is longer than ten minutes.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)] async fn main() {
    /// # use ratellmiter_core::{Limiter, Limits};
    /// # let limiter = Limiter::new(Limits::per_minute(300));
    /// # let mut answers = [Err("502 Bad Gateway"), Ok("hello")].into_iter();
    /// # let mut call = || answers.next().unwrap();
    /// let mut ticket = limiter.acquire().await;
    /// let answer = loop {
    ///     match call() {
    ///         Ok(answer) => {
    ///             ticket.finish();
    ///             break Ok(answer);
    ///         }
    ///         Err(error) => match ticket.retry_after_failure(None) {
    ///             Some(acquire) => ticket = acquire.await,
    ///             None => break Err(error),
    ///         },
    ///     }
    /// };
    /// # assert_eq!(answer, Ok("hello"));
    /// # }
    /// ```
    #[must_use]
    pub fn retry_after_failure(self, hint: Option<Duration>) -> Option<Acquire> {
        let max_retries = self.limiter.call_settings().transient_attempts();
        self.retry_transient(hint, max_retries, CallEnd::Failed)
    }

    /// Ends an attempt that failed transiently with `end`. Returns `None` if the call is not sent again, at most `max_retries` times.
    pub(crate) fn retry_transient(mut self, hint: Option<Duration>, max_retries: u32, end: CallEnd) -> Option<Acquire> {
        // The first poll of the future replaces this waker.
        let waiter = Waiter::Task(Waker::noop().clone());
        let position =
            self.end(|state, now, grant| state.scheduler.retry_transient(now, grant, end, hint, max_retries, waiter));
        position.flatten().map(|position| Acquire::new(&self.limiter, None, Some(position)))
    }

    /// Ends a refused call as [`requeue`](Self::requeue), unless the limiter is closed. Returns `None` if the call has ended.
    pub(crate) fn retry(mut self, verdict: Verdict) -> Option<Acquire> {
        let waiter = Waiter::Task(Waker::noop().clone());
        let position = self.end(|state, now, grant| state.scheduler.retry(now, grant, &verdict, waiter))?;
        position.map(|position| Acquire::new(&self.limiter, None, Some(position)))
    }

    /// Ends a call that was refused because a quota is spent until `resumes_at`, and closes the limiter. Returns `None` if the call
    /// has ended, and the future of its next ticket if it waits for the quota.
    pub(crate) fn exhaust(mut self, resumes_at: Option<SystemTime>) -> Option<Acquire> {
        let waiter = Waiter::Task(Waker::noop().clone());
        let position = self.end(|state, now, grant| {
            let opens_at = resumes_at.and_then(|at| state.clock.at_wall(at));
            state.scheduler.exhaust(now, grant, opens_at, waiter)
        })?;
        position.map(|position| Acquire::new(&self.limiter, None, Some(position)))
    }

    /// Ends a refused call that is not retried.
    pub(crate) fn finish_refused(mut self, verdict: &Verdict) {
        self.end(|state, now, grant| {
            state.scheduler.finish_refused(now, grant, verdict);
        });
    }

    /// Ends the call of a stream that was refused after items with the `usage`. It is not retried.
    pub(crate) fn finish_refused_midway(mut self, verdict: &Verdict, usage: Option<Usage>) {
        self.end(|state, now, grant| {
            state.scheduler.finish_refused_midway(now, grant, verdict, usage);
        });
    }

    /// Cancels a call that was not sent. Its part of the rate is available to the next call in the queue.
    pub fn cancel(mut self) {
        self.end(|state, now, grant| state.scheduler.cancel(now, grant));
    }

    fn end<T>(&mut self, change: impl FnOnce(&mut State, Duration, Grant) -> T) -> Option<T> {
        let grant = self.grant.take()?;
        Some(self.limiter.0.update(|state, now| change(state, now, grant)))
    }
}

impl fmt::Debug for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ticket").finish_non_exhaustive()
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.end(|state, now, grant| state.scheduler.abandon(now, grant));
    }
}
