//! Functions for use inside of a call, which is that of a `#[ratellmiter]` function or of [`Limiter::run`].

pub(crate) mod context;
mod handover;
mod items_start;
pub(crate) mod iterator;
mod outcome;
pub(crate) mod raw_stream;
pub(crate) mod run;
pub(crate) mod stream;
pub(crate) mod stream_item;
pub(crate) mod ticket_holder;
mod warnings;

use std::{
    future::{Future, poll_fn},
    ops::ControlFlow,
    pin::Pin,
    time::SystemTime,
};

use futures_core::Stream;

pub use self::run::Runner;
#[doc(hidden)]
pub use self::stream_item::ItemClassification;
#[doc(inline)]
pub use crate::call::{context::observe, iterator::attach_iterator, stream::attach};
use crate::{
    call::{
        context::{AttemptFacts, CallContext},
        items_start::ItemsStart,
        iterator::TicketIterator,
        outcome::{AttemptOutcome, known_or_failed},
        stream::TicketStream,
        stream_item::{StreamItem, observer},
        ticket_holder::TicketHolder,
        warnings::{
            warn_of_calls_that_cannot_fail, warn_of_client_retries, warn_of_nested_call, warn_of_stream_without_option,
            warn_of_unused_bounds,
        },
    },
    engine::{
        call_state::{CallEnd, Request},
        congestion::backoff::MAX_HINT,
    },
    judge::{Classification, Verdict},
    limiter::{Acquire, Limiter, Ticket},
    limits::request::{AcquireOptions, Rejected},
    providers::{charge::is_uncharged, limit_headers::readings, usage::Usage, usage_in_headers::usage_in_headers},
};

/// Reports the usage of this task's call, for functions whose return value does not show it.
///
/// Several reports are merged into one usage: the larger of each count. Returns `true` within a `#[ratellmiter]` function or
/// the closure of [`Limiter::run`]. Anywhere else it has no effect and returns `false`.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// use ratellmiter_core::{Usage, call, ratellmiter};
///
/// #[ratellmiter(model = "gpt-4o")]
/// async fn answer(prompt: &str) -> Result<String, std::io::Error> {
///     let body = r#"{"text": "42", "usage": {"prompt_tokens": 9, "completion_tokens": 1}}"#; // the request
///     Usage::from_text(body).map(call::report_usage);
///     Ok("42".to_owned())
/// }
/// # assert!(answer("life").await.is_ok());
/// # assert!(!call::report_usage((9, 1)));
/// # }
/// ```
#[allow(clippy::must_use_candidate)] // Called for its effect.
pub fn report_usage(usage: impl Into<Usage>) -> bool {
    context::report_usage(usage.into())
}

/// One call, over all of its attempts. Dropping it frees its place in the queue or in flight.
///
/// A call that begins in the scope of another call of the same limiter is nested: it uses the ticket of that call and makes
/// one attempt, which the outer call judges.
#[doc(hidden)]
#[derive(Debug)]
#[allow(clippy::struct_excessive_bools)] // They are independent of each other.
pub struct Call {
    limiter: Limiter,
    max_attempts: u32,
    transient_attempts: u32,
    /// Number of refused attempts.
    refusals: u32,
    request: Option<Box<Request>>,
    /// The function can return a rejection by a bound.
    bounded: bool,
    /// The function can return a rejection by a closed limiter.
    can_fail: bool,
    /// The limiter has a `max_wait` or a `max_queue` of its own.
    limiter_has_bounds: bool,
    /// The attempt returned a stream without the option `stream`.
    returns_stream: bool,
    state: AttemptState,
    context: CallContext,
}

#[derive(Debug)]
enum AttemptState {
    /// Neither queued nor in flight.
    Idle,
    /// Queued again after a refusal or a transient failure.
    Queued(Acquire),
    InFlight(Ticket),
}

/// The end of an attempt: `Break` with the result of the call, or `Continue` with the result of a refused attempt. The call is
/// then queued again.
#[doc(hidden)]
pub type Settled<T> = ControlFlow<T, T>;

impl Call {
    pub(crate) fn new(limiter: Limiter) -> Self {
        let context = CallContext::begin(limiter.clone());
        if context.is_nested() {
            warn_of_nested_call();
        }
        let settings = limiter.call_settings();
        Self {
            max_attempts: settings.max_attempts(),
            transient_attempts: settings.transient_attempts(),
            limiter_has_bounds: settings.has_bounds(),
            limiter,
            refusals: 0,
            request: None,
            bounded: false,
            can_fail: false,
            returns_stream: false,
            state: AttemptState::Idle,
            context,
        }
    }

    /// Sets the maximum number of attempts, at least one, in place of the limiter's.
    #[must_use]
    pub fn max_attempts(mut self, attempts: u32) -> Self {
        self.max_attempts = attempts.max(1);
        self
    }

    /// Sets the maximum number of times that the call is sent again after transient failures, in place of the limiter's.
    #[must_use]
    pub fn transient_attempts(mut self, attempts: u32) -> Self {
        self.transient_attempts = attempts;
        self
    }

    /// Sets the options with which each ticket is acquired. `bounded` is `true` if the function can return a rejection.
    #[must_use]
    pub fn with_options(mut self, options: AcquireOptions, bounded: bool) -> Self {
        self.request = Some(Box::new(self.limiter.resolve_options(&options, bounded)));
        self.bounded = bounded;
        self.can_fail(bounded)
    }

    /// Sets whether the function can return a rejection while the limiter is closed.
    #[must_use]
    pub fn can_fail(mut self, can_fail: bool) -> Self {
        if can_fail {
            let plain = || Box::new(Request::PLAIN);
            self.request.get_or_insert_with(plain).can_fail = true;
        }
        self.can_fail |= can_fail;
        self
    }

    /// Waits for a ticket within the bounds of the call.
    ///
    /// # Errors
    /// If the call cannot have a ticket within its bounds, or if it can fail and the limiter is closed. A call without bounds that
    /// cannot fail is never rejected.
    pub async fn acquire(&mut self) -> Result<(), Rejected> {
        if self.context.is_nested() {
            return Ok(());
        }
        let ticket = self.start_attempt().bounded().await?;
        self.state = AttemptState::InFlight(ticket);
        Ok(())
    }

    /// Blocks the thread until there is a ticket within the bounds of the call.
    ///
    /// # Errors
    /// As [`acquire`](Self::acquire).
    pub fn blocking_acquire(&mut self) -> Result<(), Rejected> {
        if self.context.is_nested() {
            return Ok(());
        }
        let ticket = self.start_attempt().bounded().wait()?;
        self.state = AttemptState::InFlight(ticket);
        Ok(())
    }

    /// Runs one attempt in the context of the call.
    pub fn attempt<F: Future>(&self, attempt: F) -> impl Future<Output = F::Output> + use<F> {
        self.context.scope(attempt)
    }

    /// Runs one blocking attempt in the context of the call.
    pub fn attempt_blocking<T>(&self, attempt: impl FnOnce() -> T) -> T {
        self.context.scope_blocking(attempt)
    }

    /// Sets whether the result of the attempt is a stream, although the function has no option `stream`.
    pub fn returns_stream(&mut self, is_stream: bool) {
        self.returns_stream = is_stream;
    }

    /// Ends an attempt whose result is `out`, with the `usage` that the result shows. Returns `Break` with the result of
    /// the call, or `Continue` with `out` if the call was refused or failed transiently, and is queued again.
    pub fn settle<T>(&mut self, classification: Classification, usage: Option<Usage>, out: T) -> Settled<T> {
        if self.context.is_nested() {
            self.context.add_nested_usage(usage);
            return ControlFlow::Break(out);
        }
        let outcome = self.judge(&classification, usage);
        let Some(ticket) = self.take_ticket() else {
            return ControlFlow::Break(out);
        };
        let outcome = outcome.unless_refused_alone(&ticket);
        if outcome.may_be_retried() {
            return if self.retry(ticket, &outcome) { ControlFlow::Continue(out) } else { ControlFlow::Break(out) };
        }
        match outcome.handover {
            Some(handover) if outcome.verdict == Verdict::Success => {
                ticket.read(&outcome.readings);
                handover.give(ticket, outcome.usage);
            }
            handover => {
                let is_success = outcome.verdict == Verdict::Success;
                if self.returns_stream && is_success && handover.is_none() && outcome.usage.is_none() {
                    warn_of_stream_without_option();
                }
                ticket.settle(outcome.end, outcome.usage, &outcome.readings);
            }
        }
        ControlFlow::Break(out)
    }

    /// Ends an attempt that returned a stream, after waiting for the first item of the server's response. Returns `Break`
    /// with the stream, which keeps the ticket, or `Continue` with the failed stream if the call was refused or failed
    /// transiently, and is queued again.
    pub async fn start_stream<S, L>(
        &mut self,
        classification: Classification,
        stream: S,
        mut classify_item: L,
    ) -> Settled<TicketStream<Pin<Box<S>>, impl FnMut(&S::Item) -> StreamItem + use<S, L>>>
    where
        S: Stream,
        L: FnMut(&S::Item) -> ItemClassification,
    {
        let mut stream = Box::pin(stream);
        if self.context.is_nested() {
            let holder = self.context.scope_blocking(TicketHolder::of_nested_call);
            return ControlFlow::Break(TicketStream::new(holder.into(), stream, observer(classify_item)));
        }
        let mut start = ItemsStart::new(self.judge(&classification, None));
        while start.is_before_response {
            let next = poll_fn(|context| stream.as_mut().poll_next(context));
            match self.context.scope(next).await {
                Some(item) => start.add(self, item, &mut classify_item),
                None => start.end(),
            }
        }
        let (started, is_retried) = start.settle(self);
        let stream = TicketStream::new(started, stream, observer(classify_item));
        if is_retried { ControlFlow::Continue(stream) } else { ControlFlow::Break(stream) }
    }

    /// Ends an attempt that returned an iterator, as [`start_stream`](Self::start_stream). Blocks the thread until the first item.
    pub fn start_iterator<I, L>(
        &mut self,
        classification: Classification,
        mut iterator: I,
        mut classify_item: L,
    ) -> Settled<TicketIterator<I, impl FnMut(&I::Item) -> StreamItem + use<I, L>>>
    where
        I: Iterator,
        L: FnMut(&I::Item) -> ItemClassification,
    {
        if self.context.is_nested() {
            let holder = self.context.scope_blocking(TicketHolder::of_nested_call);
            return ControlFlow::Break(TicketIterator::new(holder.into(), iterator, observer(classify_item)));
        }
        let mut start = ItemsStart::new(self.judge(&classification, None));
        while start.is_before_response {
            match self.context.scope_blocking(|| iterator.next()) {
                Some(item) => start.add(self, item, &mut classify_item),
                None => start.end(),
            }
        }
        let (started, is_retried) = start.settle(self);
        let iterator = TicketIterator::new(started, iterator, observer(classify_item));
        if is_retried { ControlFlow::Continue(iterator) } else { ControlFlow::Break(iterator) }
    }

    fn judge(&self, classification: &Classification, usage: Option<Usage>) -> AttemptOutcome {
        let now = SystemTime::now();
        let facts = self.context.take_facts(classification, now);
        let AttemptFacts { verdict, status, retried, usage: reported, nested_usage, handover, headers } = facts;
        if retried {
            warn_of_client_retries();
        }
        let usage_in_headers = headers.as_ref().and_then(usage_in_headers);
        let readings = headers.map_or_else(Vec::new, |headers| {
            readings(&headers, now, self.limiter.call_settings().requests_header_is_per_day())
        });
        let verdict = known_or_failed(verdict, classification);
        let status = status.or(classification.status);
        let end = match verdict {
            Verdict::Success => CallEnd::Succeeded,
            Verdict::QuotaExhausted { .. } => CallEnd::QuotaExhausted,
            // The transport failed before a response.
            Verdict::Transient { .. } if status.is_none() => CallEnd::Uncharged,
            // A refusal that no wait helps: the server did not work on the request.
            Verdict::Failed if status == Some(429) => CallEnd::Uncharged,
            _ if status.is_some_and(is_uncharged) => CallEnd::Uncharged,
            _ => CallEnd::Failed,
        };
        let usage = reported.or(usage).or(nested_usage).or(usage_in_headers);
        AttemptOutcome { verdict, end, usage, readings, handover }
    }

    /// Reports a refusal or a transient failure. Returns `true` if the call is queued again, `false` if its error is to be
    /// returned.
    fn retry(&mut self, ticket: Ticket, outcome: &AttemptOutcome) -> bool {
        let Verdict::Transient { retry_after } = outcome.verdict else { return self.requeue(ticket, outcome) };
        ticket.read(&outcome.readings);
        let Some(queued) = ticket.retry_transient(retry_after, self.transient_attempts, outcome.end) else {
            return false;
        };
        self.state = AttemptState::Queued(queued);
        true
    }

    /// Reports a refusal. Returns `true` if the call is queued again, `false` if its error is to be returned.
    fn requeue(&mut self, ticket: Ticket, outcome: &AttemptOutcome) -> bool {
        ticket.read(&outcome.readings);
        let is_enabled = self.limiter.call_settings().is_enabled();
        let queued = match outcome.verdict {
            // A wait for a quota is not counted as an attempt.
            Verdict::QuotaExhausted { resumes_at, .. } => ticket.exhaust(resumes_at),
            verdict if self.refusals + 1 >= self.max_attempts || !is_enabled => {
                ticket.finish_refused(&verdict);
                return false;
            }
            verdict => {
                self.refusals += u32::from(verdict.retry_after().is_none_or(|hint| hint <= MAX_HINT));
                ticket.retry(verdict)
            }
        };
        let Some(queued) = queued else {
            if !self.can_fail && is_enabled {
                warn_of_calls_that_cannot_fail();
            }
            return false;
        };
        // The error of the refusal is more informative than a rejection.
        if self.bounded && !queued.is_in_time() {
            return false;
        }
        self.state = AttemptState::Queued(queued);
        true
    }

    fn take_ticket(&mut self) -> Option<Ticket> {
        match std::mem::replace(&mut self.state, AttemptState::Idle) {
            AttemptState::InFlight(ticket) => Some(ticket),
            _ => None,
        }
    }

    fn start_attempt(&mut self) -> Acquire {
        if self.limiter_has_bounds && !self.bounded {
            warn_of_unused_bounds();
        }
        match std::mem::replace(&mut self.state, AttemptState::Idle) {
            AttemptState::Queued(queued) => queued,
            _ => Acquire::new(&self.limiter, self.request.clone(), None),
        }
    }
}

#[cfg(test)]
mod tests;
