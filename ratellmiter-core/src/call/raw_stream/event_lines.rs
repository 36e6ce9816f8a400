//! Server-sent events, whose lines end with LF, CR or both.

use super::{decoder::Event, objects::ObjectScanner};

/// The fields of server-sent events.
const FIELDS: [&[u8]; 4] = [b"data", b"event", b"id", b"retry"];

/// Longest name of a field.
const MAX_FIELD_BYTES: usize = 5;

/// Reads server-sent events byte by byte. No line is kept.
#[derive(Debug, Default)]
pub(super) struct EventLines {
    line: Line,
    /// The last byte was a CR, so that an LF ends no further line.
    after_return: bool,
    /// An event has begun, by a field of it.
    has_begun: bool,
    is_named_error: bool,
    objects: ObjectScanner,
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
    /// Returns `true` if an event, or the name of its first field, has begun and is not complete.
    pub(super) fn is_within_event(&self) -> bool {
        let is_field = |name: &[u8]| !name.is_empty() && FIELDS.iter().any(|field| field.starts_with(name));
        self.has_begun || matches!(&self.line, Line::Name { name, length } if is_field(&name[..*length]))
    }

    /// Reads one byte, and calls `found` with the object that it completes.
    pub(super) fn read(&mut self, byte: u8, found: &mut impl FnMut(Event<'_>)) {
        let is_second_half = byte == b'\n' && self.after_return;
        self.after_return = byte == b'\r';
        match byte {
            _ if is_second_half => {}
            b'\n' | b'\r' => self.end_line(),
            _ => self.read_in_line(byte, found),
        }
    }

    fn end_line(&mut self) {
        match std::mem::take(&mut self.line) {
            // An empty line ends the event.
            Line::Name { length: 0, .. } => {
                self.objects.reset();
                (self.has_begun, self.is_named_error) = (false, false);
            }
            // A field without a value.
            Line::Name { name, length } => self.has_begun |= FIELDS.contains(&&name[..length]),
            Line::EventName { matched } => self.is_named_error = matched == Some(b"error".len()),
            // The lines of one value are joined by line breaks.
            Line::Data => drop(self.objects.push(b'\n')),
            Line::BeforeData | Line::Other => {}
        }
    }

    fn read_in_line(&mut self, byte: u8, found: &mut impl FnMut(Event<'_>)) {
        match &mut self.line {
            Line::Name { name, length } if byte == b':' => {
                let field = &name[..*length];
                self.has_begun |= FIELDS.contains(&field);
                self.line = match field {
                    b"data" => Line::BeforeData,
                    b"event" => Line::EventName { matched: Some(0) },
                    _ => Line::Other,
                };
            }
            Line::Name { name, length } => match name.get_mut(*length) {
                Some(place) => (*place, *length) = (byte, *length + 1),
                None => self.line = Line::Other,
            },
            Line::BeforeData if matches!(byte, b' ' | b'\t') => {}
            Line::BeforeData if self.objects.is_inside() || matches!(byte, b'{' | b'[') => {
                self.line = Line::Data;
                self.read_data(byte, found);
            }
            // An event whose data are no JSON.
            Line::BeforeData => (self.line, self.has_begun) = (Line::Other, false),
            Line::Data => self.read_data(byte, found),
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
}
