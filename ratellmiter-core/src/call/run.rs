//! The function form of the attribute: runs a closure with pacing, retries and verdicts.

pub(crate) mod choices;

use std::{
    future::Future,
    ops::ControlFlow,
    time::{Duration, Instant},
};

use self::choices::{Bounded, Bounds, ByClosure, ClassifyError, ClassifyOk, Known, KnownError, ReadUsage, Unbounded};
use super::Call;
use crate::{
    limiter::Limiter,
    limits::{
        cost::TokenEstimate,
        request::{AcquireOptions, Priority},
    },
};

impl Limiter {
    /// Runs `call` when the limits allow it, and again after each refusal, at most
    /// [`max_attempts`](crate::Limits::max_attempts) times.
    ///
    /// Outcomes are classified, and their usage is read, as in a `#[ratellmiter]` function:
    ///
    /// - An `Ok` with a `reqwest::Response`, an `http::Response` of text or bytes, or of hyper or ureq with their features, a
    ///   `serde_json::Value` or a response of `OpenAI`'s Responses API may be a refusal. Every other `Ok` is a success.
    /// - An error is classified by its source chain and its text. It implements [`Error`](std::error::Error), or is an
    ///   `anyhow::Error`, an `eyre::Report`, a `Box<dyn Error>`, a `String` or a `&str`.
    /// - The usage is read from JSON, text, bytes, and the answers of known clients.
    ///
    /// Types of your own need one method of [`runner`](Self::runner), also if they implement [`Classify`](crate::Classify) or
    /// [`HasUsage`](crate::tokens::HasUsage), which a function cannot detect.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)] async fn main() {
    /// # use std::io::Error;
    /// use ratellmiter_core::{Limiter, Limits};
    ///
    /// let limiter = Limiter::new(Limits::per_minute(300));
    /// # let mut answers = vec![Ok("Hello"), Err(Error::other("429 Too Many Requests"))];
    /// # let mut request = || std::future::ready(answers.pop().unwrap());
    /// let answer = limiter.run(|| request()).await;
    /// assert_eq!(answer.unwrap(), "Hello");
    /// # }
    /// ```
    ///
    /// `call` is a closure that returns a future. An `async ||` closure is accepted unless it changes a captured variable; use a
    /// [`Cell`](std::cell::Cell) there.
    ///
    /// # Errors
    /// The error of the last attempt, if it is no refusal or if no attempt is left. A refusal in an `Ok` is returned as that.
    ///
    /// # Cancel safety
    /// Dropping the future drops the call's future, leaves the queue and releases the call's capacity.
    pub fn run<F, Fut, T, E, M>(&self, call: F) -> impl Future<Output = Result<T, E>> + use<F, Fut, T, E, M>
    where
        F: FnMut() -> Fut,
        Fut: Future<Output = Result<T, E>>,
        T: 'static,
        E: KnownError<M>,
    {
        self.runner().run(call)
    }

    /// Returns a builder for a call with an estimate, a priority, bounds on waiting, or types of your own.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)] async fn main() {
    /// use ratellmiter_core::{Limiter, Limits, Usage, Verdict};
    ///
    /// struct Answer { input: u64, output: u64 }
    ///
    /// let limiter = Limiter::new(Limits::per_minute(300).tokens_per_minute(30_000));
    /// # let mut answers = vec![Ok(Answer { input: 9, output: 1 }), Err(429)];
    /// # let mut request = || std::future::ready(answers.pop().unwrap());
    /// let runner = limiter
    ///     .runner()
    ///     .tokens(1_200, 500)
    ///     .classify(|status: &u16| if *status == 429 { Verdict::rate_limited() } else { Verdict::Failed })
    ///     .usage(|answer: &Answer| Usage::new(answer.input, answer.output));
    /// let answer = runner.run(|| request()).await;
    /// # assert!(answer.is_ok());
    /// # }
    /// ```
    pub fn runner(&self) -> Runner {
        Runner {
            limiter: self.clone(),
            options: AcquireOptions::new(),
            max_attempts: None,
            errors: Known,
            values: Known,
            usage: Known,
            bounds: Unbounded,
        }
    }
}

/// A builder for a call that a [`Limiter`] runs; see [`Limiter::runner`].
#[derive(Debug, Clone)]
#[must_use = "it does nothing until `run` is called"]
pub struct Runner<Errors = Known, Values = Known, Usages = Known, Waiting = Unbounded> {
    limiter: Limiter,
    options: AcquireOptions,
    max_attempts: Option<u32>,
    errors: Errors,
    values: Values,
    usage: Usages,
    bounds: Waiting,
}

impl<C, O, U, B> Runner<C, O, U, B> {
    /// Sets the tokens of the call: its input, and at most `max_output` of output.
    pub fn tokens(mut self, input: u64, max_output: u64) -> Self {
        self.options = self.options.tokens(input, max_output);
        self
    }

    /// Sets the estimated tokens of the call.
    pub fn estimate(mut self, estimate: impl Into<TokenEstimate>) -> Self {
        self.options = self.options.estimate(estimate);
        self
    }

    /// Sets the priority in the queue.
    pub fn priority(mut self, priority: Priority) -> Self {
        self.options = self.options.priority(priority);
        self
    }

    /// Sets the maximum number of attempts in place of the limiter's. 0 counts as 1.
    pub fn max_attempts(mut self, attempts: u32) -> Self {
        self.max_attempts = Some(attempts);
        self
    }

    /// Classifies errors by `classify`, which returns a [`Verdict`](crate::Verdict), or an `Option` of one: with `None` the
    /// observed response decides, if there is one, and otherwise the call has failed.
    ///
    /// For a type that implements [`Classify`](crate::Classify), it is `Classify::verdict`.
    /// [`judge_error`](crate::classify::judge_error) classifies the errors that an error of yours contains.
    pub fn classify<F>(self, classify: F) -> Runner<ByClosure<F>, O, U, B> {
        let Self { limiter, options, max_attempts, values, usage, bounds, .. } = self;
        Runner { limiter, options, max_attempts, errors: ByClosure(classify), values, usage, bounds }
    }

    /// Classifies the values of `Ok` by `classify`, which returns a [`Verdict`](crate::Verdict), or an `Option` of one: `None`
    /// is a success. It is for responses that are refusals and that [`Limiter::run`] does not know:
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)] async fn main() {
    /// # use ratellmiter_core::{Limiter, Limits};
    /// # use std::io::Error;
    /// use ratellmiter_core::Verdict;
    ///
    /// struct Reply { status: u16, body: String }
    ///
    /// # let limiter = Limiter::new(Limits::per_minute(300));
    /// # let mut answers = vec![Ok::<_, Error>(Reply { status: 200, body: String::new() }), Ok(Reply { status: 429, body: String::new() })];
    /// # let mut request = || std::future::ready(answers.pop().unwrap());
    /// let verdict = |reply: &Reply| Verdict::from_response(reply.status, &http::HeaderMap::new(), &reply.body);
    /// let reply = limiter.runner().classify_ok(verdict).run(|| request()).await;
    /// # assert_eq!(reply.unwrap().status, 200);
    /// # }
    /// ```
    pub fn classify_ok<F>(self, classify: F) -> Runner<C, ByClosure<F>, U, B> {
        let Self { limiter, options, max_attempts, errors, usage, bounds, .. } = self;
        Runner { limiter, options, max_attempts, errors, values: ByClosure(classify), usage, bounds }
    }

    /// Reads the usage of the call from its value by `usage`, which returns a [`Usage`](crate::Usage) or an `Option` of one.
    ///
    /// For a type that implements [`HasUsage`](crate::tokens::HasUsage), it is `HasUsage::usage`.
    pub fn usage<F>(self, usage: F) -> Runner<C, O, ByClosure<F>, B> {
        let Self { limiter, options, max_attempts, errors, values, bounds, .. } = self;
        Runner { limiter, options, max_attempts, errors, values, usage: ByClosure(usage), bounds }
    }

    /// Rejects the call by the limiter's own [`max_wait`](crate::Limits::max_wait) and
    /// [`max_queue`](crate::Limits::max_queue), and while the limiter is [closed](crate::Closed). The error of the call must be
    /// [`From<Rejected>`](crate::Rejected), as `anyhow::Error` and `Box<dyn Error>` are.
    pub fn bounded(self) -> Runner<C, O, U, Bounded> {
        let Self { limiter, options, max_attempts, errors, values, usage, .. } = self;
        Runner { limiter, options, max_attempts, errors, values, usage, bounds: Bounded }
    }

    /// Limits the time the call may spend queued, over all its attempts, and applies the bounds of the limiter; see
    /// [`bounded`](Self::bounded).
    pub fn max_wait(mut self, wait: Duration) -> Runner<C, O, U, Bounded> {
        self.options = self.options.max_wait(wait);
        self.bounded()
    }

    /// Rejects the call if `calls` are queued already, and applies the bounds of the limiter; see [`bounded`](Self::bounded).
    pub fn max_queue(mut self, calls: u32) -> Runner<C, O, U, Bounded> {
        self.options = self.options.max_queue(calls);
        self.bounded()
    }

    /// Rejects the call if it cannot be sent by `deadline`, and applies the bounds of the limiter; see
    /// [`bounded`](Self::bounded).
    pub fn deadline(mut self, deadline: impl Into<Instant>) -> Runner<C, O, U, Bounded> {
        self.options = self.options.deadline(deadline);
        self.bounded()
    }

    /// Runs `call`, as [`Limiter::run`] does.
    ///
    /// # Errors
    /// The error of the last attempt, if it is no refusal or if no attempt is left. With a bound, also an error converted from
    /// [`Rejected`](crate::Rejected).
    ///
    /// # Cancel safety
    /// As [`Limiter::run`].
    pub async fn run<F, Fut, T, E, M>(self, mut call: F) -> Result<T, E>
    where
        F: FnMut() -> Fut,
        Fut: Future<Output = Result<T, E>>,
        C: ClassifyError<E, M>,
        O: ClassifyOk<T>,
        U: ReadUsage<T>,
        B: Bounds<E>,
    {
        let mut paced = Call::new(self.limiter).with_options(self.options, B::CAN_REJECT);
        if let Some(attempts) = self.max_attempts {
            paced = paced.max_attempts(attempts);
        }
        B::acquire(&mut paced).await.map_err(B::error)?;
        loop {
            let out = paced.attempt(call()).await;
            let (classification, usage) = match &out {
                Ok(value) => (self.values.classify_ok(value), self.usage.read(value)),
                Err(error) => (self.errors.classify_error(error), None),
            };
            let refused = match paced.settle(classification, usage, out) {
                ControlFlow::Break(out) => return out,
                ControlFlow::Continue(out) => B::keep(out),
            };
            if let Err(rejection) = B::acquire(&mut paced).await {
                return B::rejected(refused, rejection);
            }
        }
    }
}
