//! Server-sent events, whose lines end with LF, CR or both.

use serde_json::Value;

use super::{decoder::Event, objects::ObjectScanner};

/// The fields of server-sent events.
const FIELDS: [&[u8]; 4] = [b"data", b"event", b"id", b"retry"];

/// Longest name of a field.
const MAX_FIELD_BYTES: usize = 5;

/// Maximum length that is kept of the data of an error that is no JSON.
const MAX_ERROR_BYTES: usize = 4 << 10;

/// Reads server-sent events byte by byte. No line is kept, apart from the text of an error.
#[derive(Debug, Default)]
pub(super) struct EventLines {
    line: Line,
    /// The last byte was a CR, so that an LF ends no further line.
    after_return: bool,
    /// An event has begun, by a field of it.
    has_begun: bool,
    is_named_error: bool,
    objects: ObjectScanner,
    /// The data of an error that is no JSON.
    error_text: Vec<u8>,
    format: Format,
}

/// The knowledge of whether the text consists of events.
#[derive(Debug, Default, Clone, Copy, PartialEq)]
enum Format {
    /// The first line, which has not shown its field yet, decides.
    Unknown,
    #[default]
    Events,
    /// A text that may quote events. It has none of its own.
    OtherText,
}

/// The position in a line.
#[derive(Debug)]
enum Line {
    /// In the name of the field, of which there are `length` bytes.
    Name { name: [u8; MAX_FIELD_BYTES], length: usize },
    /// Before the value of `data`.
    BeforeData,
    /// In JSON.
    Data,
    /// In the data of an error that is no JSON.
    ErrorText,
    /// In the name of the event, of which `matched` bytes are those of `error`. `None` if it is another name.
    EventName { matched: Option<usize> },
    /// In the rest of a line that has no meaning here.
    Other,
}

impl Default for Line {
    fn default() -> Self {
        Self::Name { name: [0; MAX_FIELD_BYTES], length: 0 }
    }
}

impl EventLines {
    /// Creates a reader of a text that consists of events if its first line is a field or a comment. If it is not `is_text`, it
    /// consists of events in any case.
    pub(super) fn new(is_text: bool) -> Self {
        Self { format: if is_text { Format::Unknown } else { Format::Events }, ..Self::default() }
    }

    /// Returns `true` if an event, or the name of its first field, has begun and is not complete.
    pub(super) fn is_within_event(&self) -> bool {
        let is_field = |name: &[u8]| !name.is_empty() && FIELDS.iter().any(|field| field.starts_with(name));
        self.has_begun || matches!(&self.line, Line::Name { name, length } if is_field(&name[..*length]))
    }

    /// Reads one byte, and calls `found` with the object that it completes.
    pub(super) fn read(&mut self, byte: u8, found: &mut impl FnMut(Event<'_>)) {
        if self.format == Format::OtherText {
            return;
        }
        let is_second_half = byte == b'\n' && self.after_return;
        self.after_return = byte == b'\r';
        match byte {
            _ if is_second_half => {}
            b'\n' | b'\r' => self.end_line(found),
            _ => self.read_in_line(byte, found),
        }
    }

    fn end_line(&mut self, found: &mut impl FnMut(Event<'_>)) {
        match std::mem::take(&mut self.line) {
            // An empty line ends the event.
            Line::Name { length: 0, .. } => {
                self.end_error_text(found);
                self.objects.reset();
                (self.has_begun, self.is_named_error) = (false, false);
            }
            // A field without a value.
            Line::Name { name, length } => self.begin_field(&name[..length]),
            Line::EventName { matched } => self.is_named_error = matched == Some(b"error".len()),
            // The lines of one value are joined by line breaks.
            Line::Data => drop(self.objects.push(b'\n')),
            Line::ErrorText => self.error_text.push(b'\n'),
            Line::BeforeData | Line::Other => {}
        }
    }

    /// Records the name of the field of a line. A comment has an empty one.
    fn begin_field(&mut self, name: &[u8]) {
        let is_field = FIELDS.contains(&name);
        self.has_begun |= is_field;
        if self.format == Format::Unknown {
            self.format = if is_field || name.is_empty() { Format::Events } else { Format::OtherText };
        }
    }

    fn read_in_line(&mut self, byte: u8, found: &mut impl FnMut(Event<'_>)) {
        match &mut self.line {
            Line::Name { name, length } if byte == b':' => {
                let (name, length) = (*name, *length);
                self.line = match &name[..length] {
                    b"data" => Line::BeforeData,
                    b"event" => Line::EventName { matched: Some(0) },
                    _ => Line::Other,
                };
                self.begin_field(&name[..length]);
            }
            Line::Name { name, length } => {
                if let Some(place) = name.get_mut(*length) {
                    (*place, *length) = (byte, *length + 1);
                } else {
                    // The name is longer than that of any field.
                    self.line = Line::Other;
                    self.begin_field(&[byte]);
                }
            }
            Line::BeforeData if matches!(byte, b' ' | b'\t') => {}
            Line::BeforeData if self.objects.is_inside() || matches!(byte, b'{' | b'[') => {
                self.line = Line::Data;
                self.read_data(byte, found);
            }
            Line::BeforeData if self.is_named_error => {
                self.line = Line::ErrorText;
                self.read_error_text(byte);
            }
            // An event whose data are no JSON.
            Line::BeforeData => (self.line, self.has_begun) = (Line::Other, false),
            Line::Data => self.read_data(byte, found),
            Line::ErrorText => self.read_error_text(byte),
            Line::EventName { matched } => {
                *matched = match *matched {
                    Some(0) if byte == b' ' => Some(0),
                    Some(length) if b"error".get(length) == Some(&byte) => Some(length + 1),
                    _ => None,
                };
            }
            Line::Other => {}
        }
    }

    fn read_data(&mut self, byte: u8, found: &mut impl FnMut(Event<'_>)) {
        if let Some(json) = self.objects.push(byte) {
            self.has_begun = false;
            found(Event { json: &json, is_named_error: self.is_named_error, may_be_text: false });
        }
    }

    fn read_error_text(&mut self, byte: u8) {
        if self.error_text.len() < MAX_ERROR_BYTES {
            self.error_text.push(byte);
        }
    }

    /// Ends an event whose data may be the text of an error, also in quotes.
    fn end_error_text(&mut self, found: &mut impl FnMut(Event<'_>)) {
        let data = std::mem::take(&mut self.error_text);
        let data = data.trim_ascii();
        if !data.is_empty() {
            let text = serde_json::from_slice(data).unwrap_or_else(|_| String::from_utf8_lossy(data).into_owned());
            found(Event { json: &Value::String(text), is_named_error: true, may_be_text: false });
        }
    }
}
