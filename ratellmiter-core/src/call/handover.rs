//! The handover of a ticket from a call that returns to the stream that it returned.

use std::sync::{Mutex, PoisonError};

use crate::{engine::call_state::CallEnd, judge::Verdict, limiter::Ticket, providers::usage::Usage};

/// The end of a stream.
#[derive(Debug, Clone, Copy)]
pub(super) struct StreamEnd {
    pub(super) call_end: CallEnd,
    pub(super) usage: Option<Usage>,
    /// The refusal that ended the stream.
    pub(super) refusal: Option<Verdict>,
    /// The stream was dropped before its end, and neither its last item reported a usage nor has the call failed without one.
    pub(super) is_unknown: bool,
}

impl Default for StreamEnd {
    fn default() -> Self {
        Self { call_end: CallEnd::Succeeded, usage: None, refusal: None, is_unknown: false }
    }
}

impl StreamEnd {
    /// Adds the usage of the `others`, and merges that of the whole call, which may contain both.
    fn with_usages(mut self, others: Option<Usage>, of_call: Option<Usage>) -> Self {
        let all = self.usage.into_iter().chain(others).reduce(Usage::plus);
        self.usage = Usage::of_both(of_call, all);
        self
    }

    /// Ends the call of `ticket`.
    pub(super) fn apply_to(self, ticket: Ticket) {
        match self.refusal {
            Some(Verdict::QuotaExhausted { resumes_at, .. }) => drop(ticket.exhaust(resumes_at)),
            // Not retried: the caller already has the first items.
            Some(verdict) => ticket.finish_refused_midway(&verdict, self.usage),
            None if self.is_unknown => drop(ticket),
            None => ticket.settle_stream(self.call_end, self.usage),
        }
    }
}

/// The place where a call leaves its ticket for its stream.
///
/// The two may end in either order: a stream that is consumed within the function ends before the call returns.
#[derive(Debug, Default)]
pub(super) struct TicketHandover(Mutex<HandoverState>);

#[derive(Debug, Default)]
struct HandoverState {
    ticket: Option<Ticket>,
    /// The usage that the call reported, apart from its stream.
    usage: Option<Usage>,
    /// The total of the usages of the other streams of nested calls, each of which was a request of its own.
    others: Option<Usage>,
    end: Option<StreamEnd>,
}

impl TicketHandover {
    /// Leaves the ticket of a call that returns, and the usage that the call itself reported. Ends the call if the stream
    /// has already ended.
    pub(super) fn give(&self, ticket: Ticket, usage: Option<Usage>) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.usage = usage;
        match state.end {
            None => state.ticket = Some(ticket),
            Some(end) => {
                let end = end.with_usages(state.others, usage);
                drop(state);
                end.apply_to(ticket);
            }
        }
    }

    /// Adds the usage of another stream, if the call has not ended.
    pub(super) fn add_usage(&self, usage: Option<Usage>) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.others = state.others.into_iter().chain(usage).reduce(Usage::plus);
    }

    /// Records the end of the stream, and ends the call if it has already returned.
    pub(super) fn end(&self, end: StreamEnd) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.end = Some(end);
        let (ticket, end) = (state.ticket.take(), end.with_usages(state.others, state.usage));
        drop(state);
        if let Some(ticket) = ticket {
            end.apply_to(ticket);
        }
    }
}
