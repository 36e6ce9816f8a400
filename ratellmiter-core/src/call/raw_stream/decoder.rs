//! The events of a response body that arrives in pieces: server-sent events, lines of JSON, or a list of JSON objects.

use serde_json::Value;

use super::{event_lines::EventLines, json_text::JsonText};

/// One event of a body.
pub(super) struct Event<'a> {
    /// Its object, or the text of an error.
    pub(super) json: &'a Value,
    /// The server named the event `error`.
    pub(super) is_named_error: bool,
    /// The object may be a part of the text that a model wrote, and not of the format of the body.
    pub(super) may_be_text: bool,
}

/// Reads a body piece by piece. Its first byte shows its format.
#[derive(Debug, Default)]
pub(super) enum Decoder {
    #[default]
    Unknown,
    /// Server-sent events. Any other text has none, also if it quotes them.
    Events(EventLines),
    Json(JsonText),
}

impl Decoder {
    /// Reads a piece of the body, and calls `found` with each event that it completes. `is_text` is `true` if the pieces may
    /// be the text that a model wrote.
    pub(super) fn read(&mut self, piece: &[u8], is_text: bool, found: &mut impl FnMut(Event<'_>)) {
        for byte in piece {
            if matches!(self, Self::Unknown) {
                *self = match byte {
                    // The bytes of a byte order mark may come one by one.
                    b' ' | b'\t' | b'\r' | b'\n' | 0xef | 0xbb | 0xbf => continue,
                    b'{' | b'[' => Self::Json(JsonText::default()),
                    _ => Self::Events(EventLines::new(is_text)),
                };
            }
            match self {
                Self::Events(lines) => lines.read(*byte, found),
                Self::Json(text) => text.read(*byte, is_text, found),
                Self::Unknown => {}
            }
        }
    }

    /// Returns `true` if the body is one of server-sent events, or no body of JSON at all.
    pub(super) fn is_of_events(&self) -> bool {
        matches!(self, Self::Events(_))
    }

    /// Returns `true` if an event has begun and is not complete. `is_text` as for [`read`](Self::read).
    pub(super) fn is_within_event(&self, is_text: bool) -> bool {
        match self {
            Self::Unknown => false,
            Self::Events(lines) => lines.is_within_event(),
            // The beginning of a text is not withheld from the caller.
            Self::Json(text) => !is_text && text.is_within_object(),
        }
    }
}

#[cfg(test)]
mod tests;
