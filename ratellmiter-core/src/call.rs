//! One call from asking to end: what the attribute expands to.

use std::{
    collections::HashSet,
    future::Future,
    ops::ControlFlow,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::SystemTime,
};

use crate::{
    facts::{Facts, Settled},
    judge::{Opinion, Verdict},
    limiter::{Admit, Limiter, Ticket},
    monitor::monitor,
    recovery::LONGEST_HINT,
};

/// One call, which may be sent several times. Dropping it gives back whatever it holds.
#[derive(Debug)]
pub struct Call {
    limiter: Limiter,
    max_attempts: u32,
    attempts: u32,
    place: Held,
    /// What the transport saw of the attempt under way.
    facts: Facts,
}

#[derive(Debug)]
enum Held {
    Nothing,
    /// A place in the line, after a refusal.
    Place(Admit),
    Ticket(Ticket),
}

/// A call paced by the limiter of `name` on the process-global monitor.
pub fn model(name: &(impl AsRef<str> + ?Sized)) -> Call {
    Call::new(monitor().limiter(name.as_ref()))
}

/// A call paced by `limiter`. Anything that derefs to one is coerced here.
#[must_use]
pub fn limiter(limiter: &Limiter) -> Call {
    Call::new(limiter.clone())
}

/// The opinion of a user's `when`.
pub fn when<T, E>(out: &Result<T, E>, is_refused: impl FnOnce(&E) -> bool) -> Opinion {
    Opinion::decided(match out {
        Ok(_) => Verdict::Success,
        Err(error) if is_refused(error) => Verdict::REFUSED,
        Err(_) => Verdict::Failed,
    })
}

/// The opinion of a user's `classify`, if it has one.
pub fn classify<R, V: Into<Option<Verdict>>>(out: &R, classify: impl FnOnce(&R) -> V) -> Option<Opinion> {
    classify(out).into().map(Opinion::decided)
}

impl Call {
    fn new(limiter: Limiter) -> Self {
        let max_attempts = limiter.limits().attempts.get();
        Self { limiter, max_attempts, attempts: 0, place: Held::Nothing, facts: Facts::default() }
    }

    /// Sends the call at most so often, whatever the limiter says; at least once.
    #[must_use]
    pub fn max_attempts(mut self, attempts: u32) -> Self {
        self.max_attempts = attempts.max(1);
        self
    }

    /// Waits for a ticket.
    pub async fn admit(&mut self) {
        let ticket = self.ask().await;
        self.place = Held::Ticket(ticket);
    }

    /// Waits for a ticket with the thread.
    pub fn admit_blocking(&mut self) {
        self.place = Held::Ticket(self.ask().wait());
    }

    /// Runs one attempt.
    pub fn attempt<F: Future>(&self, attempt: F) -> impl Future<Output = F::Output> + use<F> {
        self.facts.scope(attempt)
    }

    /// Runs one attempt with the thread.
    pub fn attempt_blocking<T>(&self, attempt: impl FnOnce() -> T) -> T {
        self.facts.scope_blocking(attempt)
    }

    /// Ends an attempt. `Break`: `out` is the result of the call. `Continue`: it was refused and is to go again.
    pub fn settle<T>(&mut self, opinion: Opinion, out: T) -> ControlFlow<T> {
        let Settled { verdict, retried } = self.facts.settle(&opinion, SystemTime::now());
        if retried {
            warn_of_retries();
        }
        let verdict = verdict.unwrap_or_else(|| not_recognised(opinion.of));
        let Held::Ticket(ticket) = std::mem::replace(&mut self.place, Held::Nothing) else {
            return ControlFlow::Break(out);
        };
        if !verdict.is_retried() {
            if verdict == Verdict::Success {
                ticket.finish();
            } else {
                ticket.fail();
            }
            return ControlFlow::Break(out);
        }
        let hint = verdict.retry_after();
        let place = ticket.refused(verdict);
        let too_long = hint.is_some_and(|hint| hint > LONGEST_HINT);
        if self.attempts >= self.max_attempts || too_long || !self.limiter.limits().enabled {
            return ControlFlow::Break(out);
        }
        self.place = Held::Place(place);
        ControlFlow::Continue(())
    }

    fn ask(&mut self) -> Admit {
        self.attempts += 1;
        match std::mem::replace(&mut self.place, Held::Nothing) {
            Held::Place(place) => place,
            _ => self.limiter.admit(),
        }
    }
}

/// What is not understood is never retried. Each type is warned of once, by its name: an error's text may hold keys.
fn not_recognised(error_type: &'static str) -> Verdict {
    static WARNED: Mutex<Option<HashSet<&'static str>>> = Mutex::new(None);
    if WARNED.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert_default().insert(error_type) {
        tracing::warn!(
            error_type,
            "cannot tell whether this error is a refusal, so calls that end with it are not tried again: enable the \
             feature of its client, implement ratellmiter_core::Classify for it, or give #[ratellmiter(classify = ...)]"
        );
    }
    Verdict::Failed
}

/// Two that retry multiply: four requests of the client for each of our attempts, and many providers count them all.
fn warn_of_retries() {
    static WARNED: AtomicBool = AtomicBool::new(false);
    if !WARNED.swap(true, Ordering::Relaxed) {
        tracing::warn!(
            "the client below #[ratellmiter] tries refused requests again by itself; leave that to the limiter: \
             async-openai `Client::with_http_service` with `ratellmiter_core::transport::openai_service`, reqwest \
             `ClientBuilder::retry(reqwest::retry::never())`, reqwest-middleware without `RetryTransientMiddleware`, aws \
             `RetryConfig::disabled()`"
        );
    }
}
