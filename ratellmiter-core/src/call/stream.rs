//! Streams that keep the ticket of their call until they have ended.
//!
//! The end of a stream settles its ticket with the usage that its items showed. Dropping it earlier frees its place in
//! flight. The ticket is then settled if the last item showed a usage, or if the call has failed without any; otherwise the
//! whole reservation stays charged, because the server may continue to generate. A refusal among the items pauses the
//! limiter; the item is still returned to the caller.

use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll, ready},
};

use futures_core::Stream;
use pin_project_lite::pin_project;

use super::{items_start::StartedItems, stream_item::StreamItem, ticket_holder::TicketHolder};
use crate::limiter::Ticket;

impl Ticket {
    /// Keeps the ticket until `stream` has ended or is dropped.
    ///
    /// With [`TicketStream::usage_from`] the ticket is settled with the usage that the items show.
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
        TicketStream::unobserved(TicketHolder::new(self), stream)
    }
}

/// Keeps the ticket of the current call until a stream has ended or is dropped.
///
/// For functions that return a type of their own with a stream in it. Outside of a call, and for a
/// second stream of the same call, the stream is returned without a ticket.
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
    TicketStream::unobserved(TicketHolder::of_current_call(), stream)
}

pin_project! {
    /// A stream that keeps the ticket of its call; see [`Ticket::attach`]. Its items are unchanged.
    ///
    /// # Cancel safety
    /// Dropping it frees the call's place in flight at once.
    #[must_use = "dropping a stream ends its call"]
    pub struct TicketStream<S: Stream, L = fn(&<S as Stream>::Item) -> StreamItem> {
        #[pin]
        stream: S,
        started: StartedItems<S::Item>,
        observe: L,
    }
}

impl<S: Stream> TicketStream<S> {
    fn unobserved(holder: TicketHolder, stream: S) -> Self {
        Self { stream, started: holder.into(), observe: |_| StreamItem::NOTHING }
    }
}

impl<S: Stream, L> TicketStream<S, L> {
    /// Creates a stream that yields the `started` items first. `observe` is not called for them.
    pub(super) fn new(started: StartedItems<S::Item>, stream: S, observe: L) -> Self {
        Self { stream, started, observe }
    }

    /// Calls `observe` for each item, to find the usage and the outcome of the call.
    ///
    /// It returns a [`StreamItem`], or an `Option<Usage>`.
    pub fn usage_from<T: Into<StreamItem>>(
        self,
        mut observe: impl FnMut(&S::Item) -> T,
    ) -> TicketStream<S, impl FnMut(&S::Item) -> StreamItem> {
        let Self { stream, started, .. } = self;
        TicketStream { stream, started, observe: move |item: &S::Item| observe(item).into() }
    }
}

impl<S: Stream, L: FnMut(&S::Item) -> StreamItem> Stream for TicketStream<S, L> {
    type Item = S::Item;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<S::Item>> {
        let this = self.project();
        let started = this.started;
        if !started.buffered.is_empty() || started.has_ended {
            return Poll::Ready(started.buffered.pop_front());
        }
        let item = ready!(this.stream.poll_next(context));
        match &item {
            Some(item) => started.holder.observe_item((this.observe)(item)),
            None => started.holder.finish(),
        }
        Poll::Ready(item)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.started.size_hint(|| self.stream.size_hint())
    }
}

impl<S: Stream, L> fmt::Debug for TicketStream<S, L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TicketStream").field("holder", &self.started.holder).finish_non_exhaustive()
    }
}
