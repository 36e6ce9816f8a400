//! The body of a response that is an event stream.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
    time::SystemTime,
};

use aws_smithy_eventstream::frame::{DecodedFrame, MessageFrameDecoder};
use aws_smithy_types::{
    body::{Error, SdkBody},
    event_stream::Message,
};
use bytes::{Bytes, BytesMut};
use http_body::{Body, Frame, SizeHint};

use crate::{
    call::{stream_item::StreamItem, ticket_holder::TicketHolder},
    judge::{Verdict, clients::aws_bedrock::event, judge},
    limiter::Limiter,
};

/// The longest event that is read, in bytes. The events of models have some kilobytes.
const MAX_EVENT_BYTES: usize = 16 << 20;

/// A body that reads its events while it is streamed, and keeps the ticket of the call to its end. Its data is unchanged.
pub(super) struct ObservedBody {
    body: SdkBody,
    events: EventReader,
    holder: TicketHolder,
    limiter: Option<Limiter>,
}

impl ObservedBody {
    /// Wraps the body of the response to this task's call. Refusals outside of any call are reported to `limiter`.
    pub(super) fn wrap(body: SdkBody, limiter: Option<Limiter>) -> SdkBody {
        let holder = TicketHolder::of_response();
        let limiter = limiter.filter(|_| !holder.has_ticket());
        if !holder.has_ticket() && limiter.is_none() {
            return body;
        }
        SdkBody::from_body_1_x(Self { body, events: EventReader::default(), holder, limiter })
    }

    fn observe(&mut self, item: StreamItem) {
        if let (Some(limiter), Some(verdict)) = (&self.limiter, item.verdict) {
            limiter.report_refusal(verdict);
        }
        self.holder.observe_item(item);
    }

    /// Ends the call as failed. The usage of the events before counts.
    fn fail(&mut self) {
        self.observe(StreamItem::NOTHING.verdict(Verdict::Failed));
        self.holder.finish();
    }
}

impl Body for ObservedBody {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(context));
        match &frame {
            Some(Ok(frame)) => {
                if let Some(data) = frame.data_ref() {
                    self.events.push(data);
                }
                while let Some(message) = self.events.next() {
                    self.observe(item(&message));
                }
                if self.events.is_malformed() {
                    self.fail();
                }
            }
            None if !self.events.is_within_event => self.holder.finish(),
            // The connection was cut, maybe within an event.
            Some(Err(_)) | None => self.fail(),
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// Returns the usage or the outcome that an event shows.
fn item(message: &Message) -> StreamItem {
    match event::evidence(message) {
        Some(evidence) => StreamItem::NOTHING.verdict(judge(&evidence, SystemTime::now())),
        None => event::usage(message).into(),
    }
}

/// Splits a body into events.
#[derive(Default)]
struct EventReader {
    decoder: MessageFrameDecoder,
    unread: BytesMut,
    /// The last event has begun, and is not complete. The decoder may have taken its first bytes. `false` if it is too long.
    is_within_event: bool,
    /// The data is no event stream, or an event is too long. It is not read any further.
    is_broken: bool,
}

impl EventReader {
    fn push(&mut self, data: &[u8]) {
        if self.is_broken {
            return;
        }
        if self.unread.len() + data.len() > MAX_EVENT_BYTES {
            (self.is_broken, self.is_within_event) = (true, false);
            self.unread.clear();
            return;
        }
        self.is_within_event |= !data.is_empty();
        self.unread.extend_from_slice(data);
    }

    /// Returns `true` if the last event cannot be read, apart from one that is too long.
    fn is_malformed(&self) -> bool {
        self.is_broken && self.is_within_event
    }

    /// Returns the next event, if all of it has been pushed.
    fn next(&mut self) -> Option<Message> {
        if self.is_broken || self.unread.is_empty() {
            return None;
        }
        match self.decoder.decode_frame(&mut self.unread) {
            Ok(DecodedFrame::Complete(message)) => {
                self.is_within_event = !self.unread.is_empty();
                Some(message)
            }
            Ok(DecodedFrame::Incomplete) => None,
            Err(_) => {
                self.is_broken = true;
                None
            }
        }
    }
}

#[cfg(test)]
mod tests;
