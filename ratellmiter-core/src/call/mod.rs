//! One call from asking to end: what a `#[ratellmiter]` function may say of itself while it runs, and what the attribute
//! expands to.

pub(crate) mod context;
mod run;
pub(crate) mod stream;

use std::{
    collections::{HashSet, VecDeque},
    future::{Future, poll_fn},
    ops::ControlFlow,
    pin::Pin,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::SystemTime,
};

use futures_core::Stream;

pub use self::run::{By, BySource, ClassifyError, NoUsage, ReadUsage, Runner};
#[doc(inline)]
pub use crate::call::context::observe;
#[doc(inline)]
pub use crate::call::stream::attach;
use crate::{
    call::{
        context::{AttemptFacts, CallContext},
        stream::{StreamItem, TicketHolder, TicketStream},
    },
    engine::{call_state::Request, congestion::backoff::MAX_HINT},
    judge::{Classification, LimitReading, Verdict},
    limiter::{Acquire, Limiter, Ticket, TryAcquire},
    limits::request::{AcquireOptions, Rejected},
    monitor::monitor,
    providers::{limit_headers::readings, usage::Usage},
};

/// Says what the call of this task used, for where its value does not tell. Said in parts, later ones complete earlier ones.
/// `false`: this is not within a `#[ratellmiter]` function.
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
#[allow(clippy::must_use_candidate)] // It is there for its effect.
pub fn report_usage(usage: impl Into<Usage>) -> bool {
    context::report_usage(usage.into())
}

/// One call, which may be sent several times. Dropping it gives back whatever it holds.
#[doc(hidden)]
#[derive(Debug)]
pub struct Call {
    limiter: Limiter,
    max_attempts: u32,
    attempts: u32,
    wish: Option<Box<Request>>,
    /// It can be told that it is turned away.
    bounded: bool,
    /// The limiter says how long calls wait.
    has_bounds: bool,
    place: AttemptState,
    /// What the transport saw of the attempt under way.
    facts: CallContext,
}

#[derive(Debug)]
enum AttemptState {
    Nothing,
    /// A place in the line, after a refusal.
    Place(TryAcquire),
    Ticket(Ticket),
}

/// A call paced by the limiter of `name` on the process-global monitor.
#[doc(hidden)]
pub fn model(name: &(impl AsRef<str> + ?Sized)) -> Call {
    Call::new(monitor().limiter(name.as_ref()))
}

/// A call paced by `limiter`. Anything that derefs to one is coerced here.
#[doc(hidden)]
#[must_use]
pub fn limiter(limiter: &Limiter) -> Call {
    Call::new(limiter.clone())
}

/// The opinion of a user's `when`.
#[doc(hidden)]
pub fn when<T, E>(out: &Result<T, E>, is_refused: impl FnOnce(&E) -> bool) -> Classification {
    Classification::decided(match out {
        Ok(_) => Verdict::Success,
        Err(error) if is_refused(error) => Verdict::RATE_LIMITED,
        Err(_) => Verdict::Failed,
    })
}

/// The opinion of a user's `classify`, if it has one.
#[doc(hidden)]
pub fn classify<R, V: Into<Option<Verdict>>>(out: &R, classify: impl FnOnce(&R) -> V) -> Option<Classification> {
    classify(out).into().map(Classification::decided)
}

/// The opinion and the usage of one item of a stream.
#[doc(hidden)]
pub type ItemClassification = (Classification, Option<Usage>);

/// What a user's `usage` gives.
#[doc(hidden)]
#[diagnostic::on_unimplemented(
    message = "`usage` gives a `Usage` or an `Option<Usage>`, not `{Self}`",
    label = "gives `{Self}`",
    note = "`ratellmiter_core::Usage::new(input, output)` makes one of two numbers"
)]
pub trait IntoUsage {
    /// The usage, if it is told.
    fn told(self) -> Option<Usage>;
}

impl IntoUsage for Usage {
    fn told(self) -> Option<Usage> {
        Some(self)
    }
}

impl IntoUsage for Option<Usage> {
    fn told(self) -> Option<Usage> {
        self
    }
}

/// What the call used, by the user's `usage`.
#[doc(hidden)]
pub fn usage<T, U: IntoUsage>(value: &T, usage: impl FnOnce(&T) -> U) -> Option<Usage> {
    usage(value).told()
}

/// A future that gives a `T`.
#[doc(hidden)]
pub fn assert_output<T, F: Future<Output = T>>(future: F) -> F {
    future
}

impl Call {
    fn new(limiter: Limiter) -> Self {
        let limits = limiter.limits();
        Self {
            limiter,
            max_attempts: limits.max_attempts.get(),
            has_bounds: limits.max_wait.is_some() || limits.max_queue.is_some(),
            attempts: 0,
            wish: None,
            bounded: false,
            place: AttemptState::Nothing,
            facts: CallContext::default(),
        }
    }

    /// Sends the call at most so often, whatever the limiter says; at least once.
    #[must_use]
    pub fn max_attempts(mut self, attempts: u32) -> Self {
        self.max_attempts = attempts.max(1);
        self
    }

    /// How it asks. `bounded`: it can be told that it is turned away.
    #[must_use]
    pub fn with_options(mut self, ask: AcquireOptions, bounded: bool) -> Self {
        self.wish = Some(Box::new(self.limiter.resolve_options(&ask, bounded)));
        self.bounded = bounded;
        self
    }

    /// Waits for a ticket.
    pub async fn admit(&mut self) {
        let ticket = Acquire::of(self.ask()).await;
        self.place = AttemptState::Ticket(ticket);
    }

    /// Waits for a ticket with the thread.
    pub fn blocking_acquire(&mut self) {
        self.place = AttemptState::Ticket(Acquire::of(self.ask()).wait());
    }

    /// Waits for a ticket as long as it may.
    ///
    /// # Errors
    /// That is not long enough.
    pub async fn admit_bounded(&mut self) -> Result<(), Rejected> {
        let ticket = self.ask().await?;
        self.place = AttemptState::Ticket(ticket);
        Ok(())
    }

    /// Waits for a ticket with the thread as long as it may.
    ///
    /// # Errors
    /// That is not long enough.
    pub fn admit_bounded_blocking(&mut self) -> Result<(), Rejected> {
        let ticket = self.ask().wait()?;
        self.place = AttemptState::Ticket(ticket);
        Ok(())
    }

    /// Runs one attempt.
    pub fn attempt<F: Future>(&self, attempt: F) -> impl Future<Output = F::Output> + use<F> {
        self.facts.scope(attempt)
    }

    /// Runs one attempt with the thread.
    pub fn attempt_blocking<T>(&self, attempt: impl FnOnce() -> T) -> T {
        self.facts.scope_blocking(attempt)
    }

    /// Ends an attempt. `Break`: `out` is the result of the call. `Continue`: it was refused and is to go again. `usage` is
    /// what the result tells.
    pub fn settle<T>(&mut self, opinion: Classification, usage: Option<Usage>, out: T) -> ControlFlow<T> {
        let judged = self.judge(&opinion, usage);
        let Some(ticket) = self.ticket() else {
            return ControlFlow::Break(out);
        };
        if judged.verdict.is_retryable() {
            return if self.refuse(ticket, &judged) { ControlFlow::Continue(()) } else { ControlFlow::Break(out) };
        }
        match judged.lease {
            Some(lease) if judged.verdict == Verdict::Success => {
                ticket.read(&judged.readings);
                lease.give(ticket, judged.usage);
            }
            _ => ticket.settle(judged.verdict != Verdict::Success, judged.usage, &judged.readings),
        }
        ControlFlow::Break(out)
    }

    /// Ends an attempt that gave a stream, once the first item of its answer is there. `Break`: the stream goes to the caller,
    /// and keeps the ticket. `Continue`: the call was refused and is to go again.
    pub async fn start_stream<S, L>(
        &mut self,
        opinion: Classification,
        stream: S,
        mut look: L,
    ) -> ControlFlow<TicketStream<Pin<Box<S>>, impl FnMut(&S::Item) -> StreamItem + use<S, L>>>
    where
        S: Stream,
        L: FnMut(&S::Item) -> ItemClassification,
    {
        let mut stream = Box::pin(stream);
        let mut judged = self.judge(&opinion, None);
        let (mut first, mut told) = (VecDeque::new(), None);
        let mut is_over = judged.verdict != Verdict::Success;
        let mut is_early = !is_over;
        while is_early {
            let next = poll_fn(|context| stream.as_mut().poll_next(context));
            let Some(item) = self.facts.scope(next).await else {
                is_over = true;
                break;
            };
            let (opinion, usage) = look(&item);
            first.push_back(item);
            (is_early, told) = (opinion.is_early, usage);
            judged = self.judge(&opinion, usage).after(judged);
        }
        let mut keeper = TicketHolder::default();
        if let Some(ticket) = self.ticket() {
            if judged.verdict.is_retryable() {
                if self.refuse(ticket, &judged) {
                    return ControlFlow::Continue(());
                }
            } else {
                keeper = TicketHolder::of(ticket);
                keeper.read(&judged.readings);
                keeper.add_usage(judged.usage);
                keeper.observe_item(StreamItem { usage: told, verdict: Some(judged.verdict) });
            }
        }
        if is_over {
            keeper.end();
        }
        let look = move |item: &S::Item| {
            let (opinion, usage) = look(item);
            StreamItem { usage, verdict: Some(opinion.verdict.unwrap_or_else(|| not_recognised(opinion.of))) }
        };
        ControlFlow::Break(TicketStream::begun(keeper, first, stream, look))
    }

    fn judge(&self, opinion: &Classification, usage: Option<Usage>) -> AttemptOutcome {
        let now = SystemTime::now();
        let AttemptFacts { verdict, retried, usage: said, lease, headers } = self.facts.settle(opinion, now);
        if retried {
            warn_of_retries();
        }
        let readings = headers.map_or_else(Vec::new, |headers| {
            readings(&headers, now, self.limiter.limits().provider.requests_header_is_per_day())
        });
        let verdict = verdict.unwrap_or_else(|| not_recognised(opinion.of));
        AttemptOutcome { verdict, usage: said.or(usage), readings, lease }
    }

    /// `true`: it waits again, and is to go again.
    fn refuse(&mut self, ticket: Ticket, judged: &AttemptOutcome) -> bool {
        let hint = judged.verdict.retry_after();
        ticket.read(&judged.readings);
        let place = ticket.requeue(judged.verdict).bounded();
        let too_long = hint.is_some_and(|hint| hint > MAX_HINT);
        // The caller's own error says more than that it was turned away.
        let too_late = self.bounded && !place.is_in_time();
        if self.attempts >= self.max_attempts || too_long || too_late || !self.limiter.limits().enabled {
            return false;
        }
        self.place = AttemptState::Place(place);
        true
    }

    fn ticket(&mut self) -> Option<Ticket> {
        match std::mem::replace(&mut self.place, AttemptState::Nothing) {
            AttemptState::Ticket(ticket) => Some(ticket),
            _ => None,
        }
    }

    fn ask(&mut self) -> TryAcquire {
        if self.has_bounds && !self.bounded {
            warn_of_bounds();
        }
        self.attempts += 1;
        match std::mem::replace(&mut self.place, AttemptState::Nothing) {
            AttemptState::Place(place) => place,
            _ => self.limiter.ask_for(self.wish.clone()),
        }
    }
}

/// What came of an attempt.
struct AttemptOutcome {
    verdict: Verdict,
    usage: Option<Usage>,
    readings: Vec<LimitReading>,
    lease: Option<std::sync::Arc<stream::TicketHandover>>,
}

impl AttemptOutcome {
    /// What was told before it is not lost.
    fn after(mut self, before: Self) -> Self {
        self.usage = Usage::of_both(before.usage, self.usage);
        if self.readings.is_empty() {
            self.readings = before.readings;
        }
        self
    }
}

/// What a call that is bounded must be able to say.
#[doc(hidden)]
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot tell that a call was turned away: it must be a `Result` whose error is `From<Rejected>`",
    label = "this option needs `From<ratellmiter_core::Rejected>` of the function's error",
    note = "`max_wait`, `max_queue`, `deadline` and `bounded` turn calls away with the function's own error: give its type `impl From<ratellmiter_core::Rejected>`; `anyhow::Error` and `Box<dyn Error>` have it"
)]
pub trait FromRejected {
    /// It was.
    fn turned_away(rejected: Rejected) -> Self;
}

#[diagnostic::do_not_recommend]
impl<T, E: From<Rejected>> FromRejected for Result<T, E> {
    fn turned_away(rejected: Rejected) -> Self {
        Err(rejected.into())
    }
}

/// What comes of a call that was turned away.
#[doc(hidden)]
#[must_use]
pub fn from_rejected<R: FromRejected>(rejected: Rejected) -> R {
    R::turned_away(rejected)
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

/// An operator's bound that does not hold is told of, once.
fn warn_of_bounds() {
    static WARNED: AtomicBool = AtomicBool::new(false);
    if !WARNED.swap(true, Ordering::Relaxed) {
        tracing::warn!(
            "`max_wait` and `max_queue` of a limiter hold for calls that can be told that they are turned away: give their \
             functions the option `bounded`, and an error that is `From<ratellmiter_core::Rejected>`"
        );
    }
}

/// Two that retry multiply: four requests of the client for each of our attempts, and many providers count them all.
fn warn_of_retries() {
    static WARNED: AtomicBool = AtomicBool::new(false);
    if !WARNED.swap(true, Ordering::Relaxed) {
        tracing::warn!(
            "the client below #[ratellmiter] tries refused requests again by itself; leave that to the limiter: \
             async-openai `Client::with_http_service` with `ratellmiter_core::observe::openai_service`, reqwest \
             `ClientBuilder::retry(reqwest::retry::never())`, reqwest-middleware without `RetryTransientMiddleware`, aws \
             `RetryConfig::disabled()`"
        );
    }
}
