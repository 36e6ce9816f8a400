//! The start of a stream or an iterator: the items that are read before it is returned to the caller.

use std::collections::VecDeque;

use super::{Call, ItemClassification, outcome::AttemptOutcome, stream_item::StreamItem, ticket_holder::TicketHolder};
use crate::{judge::Verdict, providers::usage::Usage};

/// The items of an attempt until the first that the server sent, and the outcome that they show.
pub(super) struct ItemsStart<T> {
    outcome: AttemptOutcome,
    /// The items read.
    buffered: VecDeque<T>,
    last: StreamItem,
    /// The next item is needed, since the server's response has not begun.
    pub(super) is_before_response: bool,
    is_over: bool,
}

impl<T> ItemsStart<T> {
    /// Creates the start of an attempt that has returned the stream with `outcome`.
    pub(super) fn new(outcome: AttemptOutcome) -> Self {
        let is_over = outcome.verdict != Verdict::Success;
        Self { outcome, buffered: VecDeque::new(), last: StreamItem::NOTHING, is_before_response: !is_over, is_over }
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
        (self.is_over, self.is_before_response) = (true, false);
    }

    /// Ends the attempt. Returns the holder of the ticket, the items read, and `true` if the call is queued again.
    pub(super) fn settle(self, call: &mut Call) -> (TicketHolder, VecDeque<T>, bool) {
        let Self { mut outcome, buffered, last, is_over, .. } = self;
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
        if is_over {
            holder.finish();
        }
        (holder, buffered, is_retried)
    }
}
