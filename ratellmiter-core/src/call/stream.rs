//! Streams keep their ticket: a call is out until the last item of its answer has come.
//!
//! A stream that ends settles its ticket with the usage that its items told. One that is dropped before gives back its place
//! in flight, and what it used is what its last item said, if it did; else all that was reserved stays charged, since the
//! server may go on. A refusal among the items counts as one for the limiter; the item goes on to the caller.

use std::{
    collections::VecDeque,
    error::Error,
    fmt,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll, ready},
};

use futures_core::Stream;
use pin_project_lite::pin_project;

use crate::{
    call::context,
    judge::{LimitReading, Verdict, dispatch::by_chain},
    limiter::Ticket,
    providers::usage::{HasUsage, Usage},
};

/// What one item of a stream tells the limiter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct StreamItem {
    /// What the call has used so far.
    pub usage: Option<Usage>,
    /// That it was refused, or failed, after all. `None`: neither.
    pub verdict: Option<Verdict>,
}

impl StreamItem {
    /// Nothing.
    pub const NOTHING: Self = Self { usage: None, verdict: None };

    /// What an item of a client's stream tells by itself: its usage, or what its error means. For
    /// [`look`](TicketStream::usage_from), where the attribute's `stream` is not at hand.
    ///
    /// ```
    /// use ratellmiter_core::{stream::StreamItem, Usage, Verdict};
    ///
    /// let refused = std::io::Error::other("429 Too Many Requests");
    /// assert_eq!(StreamItem::of(&Err::<Usage, _>(refused)).verdict, Some(Verdict::RATE_LIMITED));
    /// ```
    #[must_use]
    pub fn of<T: HasUsage, E: Error + 'static>(item: &Result<T, E>) -> Self {
        match item {
            Ok(value) => value.usage().into(),
            Err(error) => Self::NOTHING.verdict(by_chain(error).unwrap_or(Verdict::Failed)),
        }
    }

    /// It tells what the call has used so far.
    #[must_use]
    pub const fn usage(mut self, usage: Usage) -> Self {
        self.usage = Some(usage);
        self
    }

    /// It tells that the call was refused, or failed, after all.
    #[must_use]
    pub const fn verdict(mut self, verdict: Verdict) -> Self {
        self.verdict = Some(verdict);
        self
    }
}

/// Many items tell nothing.
impl From<Option<Usage>> for StreamItem {
    fn from(usage: Option<Usage>) -> Self {
        Self { usage, verdict: None }
    }
}

impl Ticket {
    /// Keeps the ticket until `stream` has ended or is dropped. With [`TicketStream::usage_from`] it is settled with the usage
    /// that the items report.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// # use futures::{StreamExt as _, stream};
    /// use ratellmiter_core::{Limiter, Limits, Usage};
    ///
    /// let limiter = Limiter::new(Limits::per_minute(300));
    /// let ticket = limiter.acquire().await;
    /// let answer = stream::iter(["Hel", "lo", r#"{"usage": {"prompt_tokens": 9, "completion_tokens": 2}}"#]); // the call
    /// let mut answer = ticket.attach(answer).usage_from(|part| Usage::from_text(part));
    /// while let Some(part) = answer.next().await {
    ///     assert_eq!(limiter.snapshot().in_flight, 1, "{part}");
    /// }
    /// assert_eq!(limiter.snapshot().in_flight, 0);
    /// # }
    /// ```
    pub fn attach<S: Stream>(self, stream: S) -> TicketStream<S> {
        TicketStream::unseen(TicketHolder::of(self), stream)
    }
}

pin_project! {
    /// A stream with the ticket of its call; see [`Ticket::attach`]. Its items are unchanged.
    ///
    /// # Cancel safety
    /// Dropping it gives back the place in flight at once.
    pub struct TicketStream<S: Stream, L = fn(&<S as Stream>::Item) -> StreamItem> {
        #[pin]
        stream: S,
        // They were waited for already.
        first: VecDeque<S::Item>,
        keeper: TicketHolder,
        look: L,
    }
}

impl<S: Stream> TicketStream<S> {
    fn unseen(keeper: TicketHolder, stream: S) -> Self {
        Self { stream, first: VecDeque::new(), keeper, look: |_| StreamItem::NOTHING }
    }
}

impl<S: Stream, L> TicketStream<S, L> {
    /// With items that were waited for already.
    pub(crate) fn begun(keeper: TicketHolder, first: VecDeque<S::Item>, stream: S, look: L) -> Self {
        Self { stream, first, keeper, look }
    }

    /// Looks at each item for what it tells of the call: a [`StreamItem`], or just an `Option<Usage>`.
    pub fn usage_from<T: Into<StreamItem>>(
        self,
        mut look: impl FnMut(&S::Item) -> T,
    ) -> TicketStream<S, impl FnMut(&S::Item) -> StreamItem> {
        let Self { stream, first, keeper, .. } = self;
        TicketStream { stream, first, keeper, look: move |item: &S::Item| look(item).into() }
    }
}

impl<S: Stream, L: FnMut(&S::Item) -> StreamItem> Stream for TicketStream<S, L> {
    type Item = S::Item;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<S::Item>> {
        let this = self.project();
        if let Some(first) = this.first.pop_front() {
            return Poll::Ready(Some(first));
        }
        let item = ready!(this.stream.poll_next(context));
        match &item {
            Some(item) => this.keeper.observe_item((this.look)(item)),
            None => this.keeper.end(),
        }
        Poll::Ready(item)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let (least, most) = self.stream.size_hint();
        let first = self.first.len();
        (least.saturating_add(first), most.and_then(|most| most.checked_add(first)))
    }
}

impl<S: Stream, L> fmt::Debug for TicketStream<S, L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TicketStream").field("keeper", &self.keeper).finish_non_exhaustive()
    }
}

/// The ticket of a stream, and what its items have told so far.
#[derive(Debug, Default)]
pub(crate) struct TicketHolder {
    ticket: HeldTicket,
    seen: StreamEnd,
    /// The last item told what the call has used.
    is_told: bool,
}

#[derive(Debug, Default)]
enum HeldTicket {
    /// The call has ended.
    #[default]
    Nothing,
    Ticket(Ticket),
    /// It is with the call, which has not returned yet, or was left here by it.
    Lease(Arc<TicketHandover>),
}

/// How a stream ended.
#[derive(Debug, Default, Clone, Copy)]
struct StreamEnd {
    failed: bool,
    usage: Option<Usage>,
    /// It was a refusal.
    refused: Option<Verdict>,
    /// It was dropped, and nobody knows.
    is_unknown: bool,
}

/// What a call and the stream that goes on after it share.
#[derive(Debug, Default)]
pub(crate) struct TicketHandover(Mutex<HandoverState>);

#[derive(Debug, Default)]
struct HandoverState {
    ticket: Option<Ticket>,
    /// What the call said that it used, before the stream did.
    usage: Option<Usage>,
    end: Option<StreamEnd>,
}

impl TicketHandover {
    /// The call returns, and its ticket goes to the stream; if that has ended already, the ticket ends as it did. `usage` is
    /// what the call itself said.
    pub(crate) fn give(&self, ticket: Ticket, usage: Option<Usage>) {
        let mut lent = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        lent.usage = usage;
        match lent.end {
            None => lent.ticket = Some(ticket),
            Some(end) => {
                drop(lent);
                end.after(usage).of(ticket);
            }
        }
    }

    fn end(&self, end: StreamEnd) {
        let mut lent = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        lent.end = Some(end);
        let (ticket, end) = (lent.ticket.take(), end.after(lent.usage));
        drop(lent);
        ticket.into_iter().for_each(|ticket| end.of(ticket));
    }
}

impl StreamEnd {
    /// With what was said before the stream began.
    fn after(mut self, before: Option<Usage>) -> Self {
        self.usage = Usage::of_both(before, self.usage);
        self
    }

    fn of(self, ticket: Ticket) {
        match self.refused {
            // It does not go again: what was given to the caller cannot be taken back.
            Some(verdict) => drop(ticket.requeue(verdict)),
            None if self.is_unknown => drop(ticket),
            None => ticket.settle(self.failed, self.usage, &[]),
        }
    }
}

impl TicketHolder {
    pub(crate) fn of(ticket: Ticket) -> Self {
        Self { ticket: HeldTicket::Ticket(ticket), ..Self::default() }
    }

    /// For a stream that begins within the call of this task.
    fn of_call() -> Self {
        let ticket = context::open_handover().map_or(HeldTicket::Nothing, HeldTicket::Lease);
        Self { ticket, ..Self::default() }
    }

    /// What is known of the call before its first item, which does not tell all.
    pub(crate) fn add_usage(&mut self, usage: Option<Usage>) {
        self.seen.usage = Usage::of_both(self.seen.usage, usage);
    }

    pub(crate) fn observe_item(&mut self, seen: StreamItem) {
        self.is_told = seen.usage.is_some();
        self.add_usage(seen.usage);
        match seen.verdict {
            None | Some(Verdict::Success) => {}
            Some(verdict) if verdict.is_retryable() => {
                self.seen.refused = Some(verdict);
                self.end();
            }
            Some(_) => self.seen.failed = true,
        }
    }

    /// The answer to the call shows this while it goes on.
    pub(crate) fn read(&self, readings: &[LimitReading]) {
        if let HeldTicket::Ticket(ticket) = &self.ticket {
            ticket.read(readings);
        }
    }

    pub(crate) fn end(&mut self) {
        match std::mem::take(&mut self.ticket) {
            HeldTicket::Nothing => {}
            HeldTicket::Ticket(ticket) => self.seen.of(ticket),
            HeldTicket::Lease(lease) => lease.end(self.seen),
        }
    }
}

impl Drop for TicketHolder {
    fn drop(&mut self) {
        self.seen.is_unknown = !self.is_told;
        self.end();
    }
}

/// Keeps the ticket of the call that it begins in until the stream has ended or is dropped: for functions whose type is not itself a stream, but holds
/// one. Outside of a `#[ratellmiter]` function, and for a second stream of the same call, it changes nothing.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// # use futures::{StreamExt as _, stream::{self, BoxStream}};
/// use ratellmiter_core::{Limiter, Limits, Usage, call, ratellmiter};
///
/// struct Answer {
///     id: u32,
///     parts: BoxStream<'static, &'static str>,
/// }
///
/// #[ratellmiter(limiter = limiter)]
/// async fn ask(limiter: &Limiter) -> Result<Answer, std::io::Error> {
///     let parts = stream::iter(["Hel", "lo"]); // the request
///     Ok(Answer { id: 7, parts: call::attach(parts).usage_from(|part| Usage::from_text(part)).boxed() })
/// }
///
/// let limiter = Limiter::new(Limits::per_minute(300));
/// let answer = ask(&limiter).await.unwrap();
/// assert_eq!((answer.id, limiter.snapshot().in_flight), (7, 1));
/// assert_eq!(answer.parts.count().await, 2);
/// assert_eq!(limiter.snapshot().in_flight, 0);
/// # }
/// ```
pub fn attach<S: Stream>(stream: S) -> TicketStream<S> {
    TicketStream::unseen(TicketHolder::of_call(), stream)
}

/// A stream that a future gives. It begins when it is first polled.
#[derive(Debug)]
pub enum LazyStream<F: Future> {
    /// The future has not given it yet.
    Begins(Pin<Box<F>>),
    /// It has.
    Flows(F::Output),
}

/// Begins when it is first polled.
pub fn lazy<F: Future>(future: F) -> LazyStream<F> {
    LazyStream::Begins(Box::pin(future))
}

impl<F: Future<Output: Stream + Unpin>> Stream for LazyStream<F> {
    type Item = <F::Output as Stream>::Item;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            match &mut *self {
                Self::Begins(future) => *self = Self::Flows(ready!(future.as_mut().poll(context))),
                Self::Flows(stream) => return Pin::new(stream).poll_next(context),
            }
        }
    }
}

/// Streams of a type that can be named, so that one that keeps a ticket can take their place.
#[diagnostic::on_unimplemented(
    message = "a ticket cannot be kept in `{Self}`",
    label = "not a stream that can be replaced",
    note = "`stream` needs `impl Stream`, `Pin<Box<dyn Stream>>` or `BoxStream`, alone or in a type that is called `Result`; in other types put `ratellmiter_core::call::attach(stream)` where the stream is, without the option"
)]
pub trait NamedStream {
    /// Itself.
    type Stream: Stream;
    /// Itself.
    fn into_stream(self) -> Self::Stream;
}

/// What can be put in the place of such a stream, which is an `R`.
pub trait RewrapAs<'a, S, R> {
    /// The stream in the place of this one.
    fn rewrap(stream: S) -> R;
}

/// A stream with its ticket. Where it was made of no stream the compiler does not know of what, and says no more of it.
#[derive(Debug)]
pub struct Rewrapped<S>(pub S);

impl<S: Stream, L: FnMut(&S::Item) -> StreamItem> Rewrapped<TicketStream<Pin<Box<S>>, L>> {
    /// As the type of the signature.
    pub fn rewrapped<'a, R>(self) -> R
    where
        S: RewrapAs<'a, TicketStream<Pin<Box<S>>, L>, R>,
    {
        S::rewrap(self.0)
    }
}

impl<F, S: Stream, L> Rewrapped<LazyStream<F>>
where
    F: Future<Output = TicketStream<Pin<Box<S>>, L>>,
    L: FnMut(&S::Item) -> StreamItem,
{
    /// As the type of the signature.
    pub fn rewrapped<'a, R>(self) -> R
    where
        S: RewrapAs<'a, LazyStream<F>, R>,
    {
        S::rewrap(self.0)
    }
}

macro_rules! replaced {
    ($($auto:ident)*) => {
        #[diagnostic::do_not_recommend]
        impl<'a, I> NamedStream for Pin<Box<dyn Stream<Item = I> $(+ $auto)* + 'a>> {
            type Stream = Self;
            fn into_stream(self) -> Self {
                self
            }
        }

        impl<'a, S: Stream $(+ $auto)* + 'a> RewrapAs<'a, S, Self> for Pin<Box<dyn Stream<Item = S::Item> $(+ $auto)* + 'a>> {
            fn rewrap(stream: S) -> Self {
                Box::pin(stream)
            }
        }
    };
}

replaced!();
replaced!(Send);
replaced!(Send Sync);
