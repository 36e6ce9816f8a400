//! Iterators that keep the ticket of their call until they have ended, for blocking clients; see
//! [`stream`](super::stream).

use std::fmt;

use super::{items_start::StartedItems, stream_item::StreamItem, ticket_holder::TicketHolder};
use crate::limiter::Ticket;

impl Ticket {
    /// Keeps the ticket until `iterator` has ended or is dropped, as [`attach`](Self::attach) for a stream.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// use std::io::{self, BufRead as _};
    /// use ratellmiter_core::{Limiter, Limits, stream::StreamEvents};
    ///
    /// let limiter = Limiter::new(Limits::per_minute(300).tokens_per_minute(30_000));
    /// let ticket = limiter.acquire_tokens(9, 500).await;
    /// let body = b"data: {\"usage\": {\"prompt_tokens\": 9, \"completion_tokens\": 2}}\n\ndata: [DONE]\n\n"; // the response
    /// let mut events = StreamEvents::new();
    /// let lines = ticket.attach_iterator(body.lines()).usage_from(move |line: &io::Result<String>| events.read_item(line));
    /// assert_eq!(lines.count(), 4);
    /// assert_eq!(limiter.snapshot().budgets().next().unwrap().taken, 11);
    /// # }
    /// ```
    pub fn attach_iterator<I: Iterator>(self, iterator: I) -> TicketIterator<I> {
        TicketIterator::unobserved(TicketHolder::new(self), iterator)
    }
}

/// Keeps the ticket of the current call until an iterator has ended or is dropped, as [`attach`](super::attach) for a stream.
pub fn attach_iterator<I: Iterator>(iterator: I) -> TicketIterator<I> {
    TicketIterator::unobserved(TicketHolder::of_current_call(), iterator)
}

/// An iterator that keeps the ticket of its call; see [`Ticket::attach_iterator`]. Its items are unchanged.
///
/// Dropping it frees the call's place in flight at once.
#[must_use = "dropping an iterator ends its call"]
pub struct TicketIterator<I: Iterator, L = fn(&<I as Iterator>::Item) -> StreamItem> {
    iterator: I,
    started: StartedItems<I::Item>,
    observe: L,
}

impl<I: Iterator> TicketIterator<I> {
    fn unobserved(holder: TicketHolder, iterator: I) -> Self {
        Self { iterator, started: holder.into(), observe: |_| StreamItem::NOTHING }
    }
}

impl<I: Iterator, L> TicketIterator<I, L> {
    /// Creates an iterator that returns the `started` items first. `observe` is not called for them.
    pub(super) fn new(started: StartedItems<I::Item>, iterator: I, observe: L) -> Self {
        Self { iterator, started, observe }
    }

    /// Calls `observe` for each item, to find the usage and the outcome of the call.
    ///
    /// It returns a [`StreamItem`], or an `Option<Usage>`.
    pub fn usage_from<T: Into<StreamItem>>(
        self,
        mut observe: impl FnMut(&I::Item) -> T,
    ) -> TicketIterator<I, impl FnMut(&I::Item) -> StreamItem> {
        let Self { iterator, started, .. } = self;
        TicketIterator { iterator, started, observe: move |item: &I::Item| observe(item).into() }
    }
}

impl<I: Iterator, L: FnMut(&I::Item) -> StreamItem> Iterator for TicketIterator<I, L> {
    type Item = I::Item;

    fn next(&mut self) -> Option<I::Item> {
        let started = &mut self.started;
        if !started.buffered.is_empty() || started.has_ended {
            return started.buffered.pop_front();
        }
        let item = self.iterator.next();
        match &item {
            Some(item) => started.holder.observe_item((self.observe)(item)),
            None => started.holder.finish(),
        }
        item
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.started.size_hint(|| self.iterator.size_hint())
    }
}

impl<I: Iterator, L> fmt::Debug for TicketIterator<I, L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TicketIterator").field("holder", &self.started.holder).finish_non_exhaustive()
    }
}
