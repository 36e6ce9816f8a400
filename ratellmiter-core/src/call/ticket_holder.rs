//! The ticket that a stream keeps.

use std::sync::Arc;

use super::{
    context,
    handover::{StreamEnd, TicketHandover},
    stream_item::StreamItem,
};
use crate::{
    engine::call_state::CallEnd,
    judge::{LimitReading, Verdict},
    limiter::Ticket,
    providers::usage::Usage,
};

/// The ticket of a stream, with the end that its items have shown so far. Dropping it ends the call.
#[derive(Debug, Default)]
pub(crate) struct TicketHolder {
    ticket: HeldTicket,
    end: StreamEnd,
    /// The last item had a usage, which is then that of the whole call.
    last_had_usage: bool,
    /// The usage of the items in which the user's reading found none.
    fallback: Option<Usage>,
}

#[derive(Debug, Default)]
enum HeldTicket {
    /// The call has ended, or there is none.
    #[default]
    Nothing,
    Ticket(Ticket),
    /// The ticket of a call that may not have returned yet.
    Handover(Arc<TicketHandover>),
    /// The ticket of a call around this one, which belongs to another stream.
    Joined(Arc<TicketHandover>),
}

impl TicketHolder {
    pub(super) fn new(ticket: Ticket) -> Self {
        Self { ticket: HeldTicket::Ticket(ticket), ..Self::default() }
    }

    /// Creates a holder for a stream that begins within the call of this task. Holds nothing if there is no call, or if
    /// another stream has its ticket.
    pub(super) fn of_current_call() -> Self {
        let ticket = context::open_handover(false).map_or(HeldTicket::Nothing, HeldTicket::Handover);
        Self { ticket, ..Self::default() }
    }

    /// Creates a holder for the stream of a nested call, as [`of_current_call`](Self::of_current_call). If another stream has the
    /// ticket, the usage of this one is added to that of the call, since it is another request.
    pub(super) fn of_nested_call() -> Self {
        let mut holder = Self::of_current_call();
        if let (HeldTicket::Nothing, Some(handover)) = (&holder.ticket, context::opened_handover()) {
            holder.ticket = HeldTicket::Joined(handover);
        }
        holder
    }

    /// Creates a holder for the body of a response to the call of this task. Holds nothing if there is no call, or if a stream
    /// has its ticket. A stream that begins within the call later takes the ticket over.
    #[cfg(feature = "aws-bedrock")]
    pub(crate) fn of_response() -> Self {
        let ticket = context::open_handover(true).map_or(HeldTicket::Nothing, HeldTicket::Handover);
        Self { ticket, ..Self::default() }
    }

    /// Returns `false` if the call has ended, or if there is none.
    #[cfg(feature = "aws-bedrock")]
    pub(crate) fn has_ticket(&self) -> bool {
        !matches!(self.ticket, HeldTicket::Nothing)
    }

    /// Adds usage that is known before the first item.
    pub(super) fn add_usage(&mut self, usage: Option<Usage>) {
        self.end.usage = Usage::of_both(self.end.usage, usage);
    }

    /// Adds usage that counts if no other is found.
    pub(super) fn add_fallback(&mut self, usage: Option<Usage>) {
        self.fallback = Usage::of_both(self.fallback, usage);
    }

    /// Records the end that the response before the first item shows.
    pub(super) fn set_end(&mut self, end: CallEnd) {
        self.end.call_end = end;
    }

    /// Records an item. A refusal ends the call.
    pub(crate) fn observe_item(&mut self, item: StreamItem) {
        if !item.is_neutral || item.usage.is_some() {
            self.last_had_usage = item.usage.or(item.fallback).is_some();
        }
        self.add_usage(item.usage);
        self.add_fallback(item.fallback);
        match item.verdict {
            None | Some(Verdict::Success) => {}
            Some(verdict) if verdict.is_retryable() || matches!(verdict, Verdict::QuotaExhausted { .. }) => {
                self.end.refusal = Some(verdict);
                self.finish();
            }
            Some(_) if self.end.call_end == CallEnd::Succeeded => self.end.call_end = CallEnd::Failed,
            Some(_) => {}
        }
    }

    /// Applies the rate-limit headers of a response whose body is still being streamed.
    pub(super) fn apply_headers(&self, readings: &[LimitReading]) {
        if let HeldTicket::Ticket(ticket) = &self.ticket {
            ticket.read(readings);
        }
    }

    /// Ends the call, unless it has ended.
    pub(crate) fn finish(&mut self) {
        self.end.usage = self.end.usage.or(self.fallback);
        match std::mem::take(&mut self.ticket) {
            HeldTicket::Nothing => {}
            HeldTicket::Ticket(ticket) => self.end.apply_to(ticket),
            HeldTicket::Handover(handover) => handover.end(self.end),
            HeldTicket::Joined(handover) => handover.add_usage(self.end.usage),
        }
    }
}

impl Drop for TicketHolder {
    fn drop(&mut self) {
        let has_known_failure = match self.end.call_end {
            CallEnd::Succeeded => false,
            // The server may generate more than the usage so far: some errors concern one item.
            CallEnd::Failed => self.end.usage.or(self.fallback).is_none(),
            CallEnd::Uncharged | CallEnd::QuotaExhausted => true,
        };
        self.end.is_unknown = !self.last_had_usage && !has_known_failure;
        self.finish();
    }
}
