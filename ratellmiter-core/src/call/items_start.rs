//! The start of a stream or an iterator: the items that are read before it is returned to the caller.

use std::collections::VecDeque;

use super::{Call, ItemClassification, outcome::AttemptOutcome, stream_item::StreamItem, ticket_holder::TicketHolder};
use crate::{judge::Verdict, providers::usage::Usage};

/// The part of a stream or an iterator that was read before it was returned to the caller, and its ticket.
pub(super) struct StartedItems<T> {
    pub(super) holder: TicketHolder,
    /// The items that were read, which are returned first.
    pub(super) buffered: VecDeque<T>,
    /// The end was read as well. The source is not asked again, since it may panic.
    pub(super) has_ended: bool,
}

impl<T> StartedItems<T> {
    /// Adds the items to the size of the rest.
    pub(super) fn size_hint(&self, rest: impl FnOnce() -> (usize, Option<usize>)) -> (usize, Option<usize>) {
        let (lower, upper) = if self.has_ended { (0, Some(0)) } else { rest() };
        let buffered = self.buffered.len();
        (lower.saturating_add(buffered), upper.and_then(|upper| upper.checked_add(buffered)))
    }
}

impl<T> From<TicketHolder> for StartedItems<T> {
    fn from(holder: TicketHolder) -> Self {
        Self { holder, buffered: VecDeque::new(), has_ended: false }
    }
}

/// The items of an attempt until the first that the server sent, and the outcome that they show.
pub(super) struct ItemsStart<T> {
    outcome: AttemptOutcome,
    /// The items read.
    buffered: VecDeque<T>,
    last: StreamItem,
    /// The next item is needed, since the server's response has not begun.
    pub(super) is_before_response: bool,
    /// The attempt has failed before its first item.
    has_failed: bool,
    has_ended: bool,
}

impl<T> ItemsStart<T> {
    /// Creates the start of an attempt that has returned the stream with `outcome`.
    pub(super) fn new(outcome: AttemptOutcome) -> Self {
        let has_failed = outcome.verdict != Verdict::Success;
        Self {
            outcome,
            buffered: VecDeque::new(),
            last: StreamItem::NOTHING,
            is_before_response: !has_failed,
            has_failed,
            has_ended: false,
        }
    }

    /// Adds an item.
    pub(super) fn add(&mut self, call: &Call, item: T, classify_item: &mut impl FnMut(&T) -> ItemClassification) {
        let ItemClassification { classification, usage, fallback } = classify_item(&item);
        self.buffered.push_back(item);
        self.is_before_response = classification.is_before_response;
        let fallback = Usage::of_both(self.last.fallback, fallback);
        self.last = StreamItem { usage, fallback, is_neutral: classification.is_neutral, ..StreamItem::NOTHING };
        let outcome = call.judge(&classification, usage);
        let earlier = std::mem::replace(&mut self.outcome, outcome);
        self.outcome.merge_earlier(earlier);
    }

    /// Records that there is no further item.
    pub(super) fn end(&mut self) {
        (self.has_ended, self.is_before_response) = (true, false);
    }

    /// Ends the attempt. Returns the items read with the ticket, and `true` if the call is queued again.
    pub(super) fn settle(self, call: &mut Call) -> (StartedItems<T>, bool) {
        let Self { mut outcome, buffered, last, has_failed, has_ended, .. } = self;
        let mut holder = TicketHolder::default();
        let mut is_retried = false;
        if let Some(ticket) = call.take_ticket() {
            outcome = outcome.unless_refused_alone(&ticket);
            if outcome.may_be_retried() {
                is_retried = call.retry(ticket, &outcome);
            } else {
                holder = TicketHolder::new(ticket);
                holder.set_end(outcome.end);
                holder.apply_headers(&outcome.readings);
                holder.add_usage(outcome.usage);
                holder.observe_item(last.verdict(outcome.verdict));
            }
        }
        if has_failed || has_ended {
            holder.finish();
        }
        (StartedItems { holder, buffered, has_ended }, is_retried)
    }
}
