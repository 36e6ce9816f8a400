//! Usage and errors in streams of bytes or text, whose items are pieces of a response body.
//!
//! The pieces of a body may end anywhere, also inside of an event or of a character, but the items of a stream of lines are
//! lines without their ends. Which of the two it is shows only when a piece contains the end of a line. Until then both
//! are read.

mod chunk;
mod decoder;
pub(crate) mod dispatch;
mod event_lines;
mod json_text;
mod objects;

use std::error::Error;

use serde_json::Value;

pub(crate) use self::chunk::Chunk;
use self::decoder::{Decoder, Event};
use super::stream_item::StreamItem;
use crate::{
    judge::{Classification, Verdict},
    providers::usage::Usage,
};

/// Maximum length in bytes of the pieces that are read before the first event is complete and the stream is returned.
const MAX_BYTES_BEFORE_EVENT: usize = 64 << 10;

/// Reads the usage and the errors of a response body that arrives in pieces: server-sent events, lines of JSON, or a list
/// of JSON objects.
///
/// An event may be split over several pieces, and a piece may have several events. Lines without their ends, such as those
/// of [`BufRead::lines`](std::io::BufRead::lines), are pieces as well. Its memory is bounded: an object of more than 1 MiB
/// is skipped, apart from strings of more than 16 KiB, which are read as empty.
///
/// The `stream` option of the attribute reads items of bytes and text with it. Elsewhere it is for
/// [`usage_from`](crate::stream::TicketStream::usage_from):
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// # use futures::{StreamExt as _, stream};
/// use ratellmiter_core::{Limiter, Limits, stream::StreamEvents};
///
/// let limiter = Limiter::new(Limits::per_minute(300).tokens_per_minute(30_000));
/// let ticket = limiter.acquire_tokens(9, 500).await;
/// let body = ["data: {\"usage\": {\"prompt_", "tokens\": 9, \"completion_tokens\": 2}}\n\n"]; // the response
/// let mut events = StreamEvents::new();
/// let body = ticket.attach(stream::iter(body)).usage_from(move |piece| events.read(piece));
/// assert_eq!(body.count().await, 2);
/// assert_eq!(limiter.snapshot().budgets().next().unwrap().taken, 11);
/// # }
/// ```
#[derive(Debug)]
pub struct StreamEvents {
    /// The pieces one after another.
    joined: Decoder,
    /// Each piece as a line. `None` once a piece contained the end of a line.
    lines: Option<Decoder>,
    has_event: bool,
    bytes_before_event: usize,
    /// An event has shown that the pieces are those of a body, and not the text of a model.
    is_body: bool,
}

/// The events that one piece completes.
#[derive(Debug, Default)]
struct Found {
    usage: Option<Usage>,
    /// The first error.
    verdict: Option<Verdict>,
    has_event: bool,
    /// One of the events is not [neutral](StreamItem::is_neutral).
    has_content: bool,
    is_body: bool,
}

impl StreamEvents {
    /// Creates a reader for the body of one response.
    #[must_use]
    pub fn new() -> Self {
        Self {
            joined: Decoder::default(),
            lines: Some(Decoder::default()),
            has_event: false,
            bytes_before_event: 0,
            is_body: false,
        }
    }

    /// Reads the next piece. Returns the usage and the error of the events that it completes.
    pub fn read(&mut self, piece: impl AsRef<[u8]>) -> StreamItem {
        let found = self.find(piece.as_ref(), false);
        StreamItem { usage: found.usage, verdict: found.verdict, is_neutral: !found.has_content, ..StreamItem::NOTHING }
    }

    /// Reads the next item of a stream, as [`read`](Self::read). Returns the verdict on an error of the client.
    pub fn read_item<T: AsRef<[u8]>, E: Error + 'static>(&mut self, item: &Result<T, E>) -> StreamItem {
        match item {
            Ok(piece) => self.read(piece),
            Err(error) => StreamItem::of_error(error),
        }
    }

    /// Reads the next piece. Returns its classification, and the usage that it completes.
    pub(crate) fn classify(&mut self, piece: &[u8], is_text: bool) -> (Classification, Option<Usage>) {
        let found = self.find(piece, is_text);
        self.has_event |= found.has_event;
        self.bytes_before_event = self.bytes_before_event.saturating_add(piece.len());
        let classification = Classification {
            is_neutral: !found.has_content,
            is_before_response: !self.has_event
                && self.bytes_before_event <= MAX_BYTES_BEFORE_EVENT
                && self.joined.is_within_event(is_text),
            ..Classification::decided(found.verdict.unwrap_or(Verdict::Success))
        };
        (classification, found.usage)
    }

    /// `is_text` is `true` if the pieces may be the text that a model wrote, which has neither usage nor errors of the server.
    fn find(&mut self, piece: &[u8], is_text: bool) -> Found {
        let mut found = Found { is_body: self.is_body, ..Found::default() };
        self.joined.read(piece, is_text, &mut |event| found.add(&event));
        if piece.iter().any(|byte| matches!(byte, b'\n' | b'\r')) {
            self.lines = None;
        }
        if let Some(lines) = &mut self.lines {
            lines.read(piece, is_text, &mut |event| found.add(&event));
            lines.read(b"\n", is_text, &mut |event| found.add(&event));
        }
        if self.joined.is_of_events() && matches!(piece.trim_ascii_start(), [b'{' | b'[', ..]) {
            // The last item of a stream of text may be an object with the usage.
            let add_usage = &mut |event: Event<'_>| found.add_usage(event.json);
            Decoder::default().read(piece, true, add_usage);
        }
        self.is_body |= found.is_body;
        found
    }
}

impl Default for StreamEvents {
    fn default() -> Self {
        Self::new()
    }
}

impl Found {
    fn add(&mut self, event: &Event<'_>) {
        self.has_event = true;
        self.is_body |= !event.may_be_text;
        // The last line of a body may have no end.
        if self.is_body {
            self.usage = Usage::of_both(self.usage, Usage::from_json(event.json));
        }
        if event.may_be_text {
            self.has_content = true;
            return;
        }
        let Classification { verdict, is_neutral, .. } = Classification::of_event(event.json, event.is_named_error);
        self.has_content |= !is_neutral;
        self.verdict = self.verdict.or_else(|| verdict.filter(|verdict| *verdict != Verdict::Success));
    }

    /// Adds the usage in an object that is an item of its own.
    fn add_usage(&mut self, json: &Value) {
        (self.has_event, self.has_content) = (true, true);
        self.usage = Usage::of_both(self.usage, Usage::from_json(json));
    }
}

#[cfg(test)]
mod tests;
