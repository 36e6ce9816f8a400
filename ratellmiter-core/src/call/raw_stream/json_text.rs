//! JSON values one after another, each in a line or not, or in a list.

use serde_json::Value;

use super::{decoder::Event, objects::ObjectScanner};

/// Reads JSON byte by byte.
#[derive(Debug, Default)]
pub(super) struct JsonText {
    objects: ObjectScanner,
    /// The last object that ended in the current line, and began in it.
    line_object: Option<Value>,
    /// The current line has more than objects and the punctuation of a list.
    has_words: bool,
    /// The current object began in an earlier line.
    is_multiline: bool,
}

impl JsonText {
    pub(super) fn is_within_object(&self) -> bool {
        self.objects.is_inside()
    }

    /// Reads one byte, and calls `found` with the object that it completes. In a text that a model may have written, an object
    /// that is a line of its own is found once more at the end of the line: it is an event of the body.
    pub(super) fn read(&mut self, byte: u8, is_text: bool, found: &mut impl FnMut(Event<'_>)) {
        if matches!(byte, b'\n' | b'\r') {
            let has_words = std::mem::take(&mut self.has_words);
            if let Some(json) = self.line_object.take().filter(|_| !has_words) {
                found(Event { json: &json, is_named_error: false, may_be_text: false });
            }
            // It ends a string that is not closed, and the object with it.
            self.objects.push(byte);
            self.is_multiline = self.objects.is_inside();
            return;
        }
        self.has_words |= !self.objects.is_inside() && !matches!(byte, b'{' | b'[' | b']' | b',' | b' ' | b'\t');
        let Some(json) = self.objects.push(byte) else { return };
        found(Event { json: &json, is_named_error: false, may_be_text: is_text });
        self.line_object = (is_text && !self.is_multiline).then_some(json);
        self.is_multiline = false;
    }
}
