//! The function form of the attribute: runs a closure with pacing, retries and verdicts.

use std::{error::Error, future::Future, ops::ControlFlow};

use super::Call;
use crate::{
    judge::{Classification, Verdict, error_chain::by_chain},
    limiter::Limiter,
    limits::{
        cost::TokenEstimate,
        request::{AcquireOptions, Priority},
    },
    providers::usage::Usage,
};

impl Limiter {
    /// Runs `call` when the limits allow it, and again after each refusal, at most
    /// [`max_attempts`](crate::Limits::max_attempts) times.
    ///
    /// An error is classified by its source chain and its text, as in a `#[ratellmiter]` function. An `Ok` is a success. For
    /// other errors, estimates and usage, see [`runner`](Self::runner).
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
    /// # Errors
    /// The error of the last attempt, if it is no refusal or if no attempt is left.
    ///
    /// # Cancel safety
    /// Dropping the future drops the call's future, leaves the queue and releases the call's capacity.
    pub fn run<F, Fut, T, E>(&self, call: F) -> impl Future<Output = Result<T, E>> + use<F, Fut, T, E>
    where
        F: FnMut() -> Fut,
        Fut: Future<Output = Result<T, E>>,
        E: Error + 'static,
    {
        self.runner().run(call)
    }

    /// Returns a builder for calls with an estimate, a priority, or a classification of their own.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)] async fn main() {
    /// use ratellmiter_core::{Limiter, Limits, Usage, Verdict};
    ///
    /// let limiter = Limiter::new(Limits::per_minute(300).tokens_per_minute(30_000));
    /// # let mut answers = vec![Ok(r#"{"usage": {"prompt_tokens": 9, "completion_tokens": 1}}"#), Err(429)];
    /// # let mut request = || std::future::ready(answers.pop().unwrap());
    /// let runner = limiter
    ///     .runner()
    ///     .tokens(1_200, 500)
    ///     .classify(|status: &u16| if *status == 429 { Verdict::rate_limited() } else { Verdict::Failed })
    ///     .usage(|body: &&str| Usage::from_text(body));
    /// let answer = runner.run(|| request()).await;
    /// # assert!(answer.is_ok());
    /// # }
    /// ```
    pub fn runner(&self) -> Runner {
        Runner { limiter: self.clone(), options: AcquireOptions::new(), classify: SourceChain, usage: NoUsage }
    }
}

/// A builder for calls that a [`Limiter`] runs; see [`Limiter::runner`].
#[derive(Debug, Clone)]
#[must_use = "it does nothing until `run` is called"]
pub struct Runner<C = SourceChain, U = NoUsage> {
    limiter: Limiter,
    options: AcquireOptions,
    classify: C,
    usage: U,
}

impl<C, U> Runner<C, U> {
    /// Sets the tokens of each call: its input, and at most `max_output` of output.
    pub fn tokens(mut self, input: u64, max_output: u64) -> Self {
        self.options = self.options.tokens(input, max_output);
        self
    }

    /// Sets the estimated tokens of each call.
    pub fn estimate(mut self, estimate: impl Into<TokenEstimate>) -> Self {
        self.options = self.options.estimate(estimate);
        self
    }

    /// Sets the priority in the queue.
    pub fn priority(mut self, priority: Priority) -> Self {
        self.options = self.options.priority(priority);
        self
    }

    /// Classifies errors by `classify`, which returns a [`Verdict`], or an `Option` of one: `None` if the error is not
    /// recognised, which is never retried. For a type that implements [`Classify`](crate::Classify), it is `Classify::verdict`.
    pub fn classify<F>(self, classify: F) -> Runner<By<F>, U> {
        let Self { limiter, options, usage, .. } = self;
        Runner { limiter, options, classify: By(classify), usage }
    }

    /// Reads the usage of a call from its value by `usage`, which returns a [`Usage`] or an `Option` of one.
    pub fn usage<F>(self, usage: F) -> Runner<C, By<F>> {
        let Self { limiter, options, classify, .. } = self;
        Runner { limiter, options, classify, usage: By(usage) }
    }

    /// Runs `call`, as [`Limiter::run`] does.
    ///
    /// # Errors
    /// The error of the last attempt, if it is no refusal or if no attempt is left.
    ///
    /// # Cancel safety
    /// As [`Limiter::run`].
    pub async fn run<F, Fut, T, E>(self, mut call: F) -> Result<T, E>
    where
        F: FnMut() -> Fut,
        Fut: Future<Output = Result<T, E>>,
        C: ClassifyError<E>,
        U: ReadUsage<T>,
    {
        let mut paced = Call::new(self.limiter).with_options(self.options, false);
        loop {
            paced.acquire().await;
            let out = paced.attempt(call()).await;
            let (classification, usage) = match &out {
                Ok(value) => (Classification::decided(Verdict::Success), self.usage.read(value)),
                Err(error) => (self.classify.classify(error), None),
            };
            if let ControlFlow::Break(out) = paced.settle(classification, usage, out) {
                return out;
            }
        }
    }
}

/// Classifies errors by their source chain and their text.
#[derive(Debug, Clone, Copy)]
pub struct SourceChain;

/// Reads no usage: reservations stay charged for their minute.
#[derive(Debug, Clone, Copy)]
pub struct NoUsage;

/// A closure of the user.
#[derive(Debug, Clone, Copy)]
pub struct By<F>(F);

/// A classification of errors of type `E`.
pub trait ClassifyError<E> {
    /// Returns the classification of `error`.
    fn classify(&self, error: &E) -> Classification;
}

impl<E: Error + 'static> ClassifyError<E> for SourceChain {
    fn classify(&self, error: &E) -> Classification {
        Classification::of_error::<E>(by_chain(error))
    }
}

impl<E, V: Into<Option<Verdict>>, F: Fn(&E) -> V> ClassifyError<E> for By<F> {
    fn classify(&self, error: &E) -> Classification {
        match (self.0)(error).into() {
            Some(verdict) => Classification::decided(verdict),
            None => Classification::of_error::<E>(None),
        }
    }
}

/// The return types of a user's `usage`.
#[diagnostic::on_unimplemented(
    message = "`usage` must return a `Usage` or an `Option<Usage>`, not `{Self}`",
    label = "returns `{Self}`",
    note = "`ratellmiter_core::Usage::new(input, output)` creates one from two numbers"
)]
pub trait IntoUsage {
    /// Returns the usage, if it is known.
    fn into_usage(self) -> Option<Usage>;
}

impl IntoUsage for Usage {
    fn into_usage(self) -> Option<Usage> {
        Some(self)
    }
}

impl IntoUsage for Option<Usage> {
    fn into_usage(self) -> Option<Usage> {
        self
    }
}

/// A reading of the usage from values of type `T`.
pub trait ReadUsage<T> {
    /// Returns the usage that `value` reports.
    fn read(&self, value: &T) -> Option<Usage>;
}

impl<T> ReadUsage<T> for NoUsage {
    fn read(&self, _: &T) -> Option<Usage> {
        None
    }
}

impl<T, V: IntoUsage, F: Fn(&T) -> V> ReadUsage<T> for By<F> {
    fn read(&self, value: &T) -> Option<Usage> {
        (self.0)(value).into_usage()
    }
}
