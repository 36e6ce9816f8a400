//! The JSON objects in a text that arrives in pieces of any length.

use serde_json::Value;

/// Longest string that is kept, in bytes. A longer one, such as an image, is read as an empty string.
const MAX_STRING_BYTES: usize = 16 << 10;

/// Longest object that is kept, in bytes, without the strings that are too long. A longer object is skipped.
const MAX_OBJECT_BYTES: usize = 1 << 20;

/// Finds the outermost JSON objects, alone or in lists. Its memory is bounded, however long an object is.
#[derive(Debug, Default)]
pub(super) struct ObjectScanner {
    /// The object so far, without the white space between its values.
    object: Vec<u8>,
    /// Number of open braces and brackets. Brackets outside of an object are not counted.
    depth: usize,
    string: Option<StringState>,
    is_too_long: bool,
}

/// The position inside a string.
#[derive(Debug)]
struct StringState {
    /// Length of the object before the content of the string.
    start: usize,
    is_escaped: bool,
    is_too_long: bool,
}

impl ObjectScanner {
    /// Forgets an object that is not complete.
    pub(super) fn reset(&mut self) {
        self.object.clear();
        (self.depth, self.string, self.is_too_long) = (0, None, false);
    }

    /// Returns `true` if an object has begun and is not complete.
    pub(super) fn is_inside(&self) -> bool {
        self.depth > 0
    }

    /// Reads one byte. Returns the object that it completes.
    pub(super) fn push(&mut self, byte: u8) -> Option<Value> {
        if self.string.is_some() {
            self.push_in_string(byte);
            return None;
        }
        match byte {
            b' ' | b'\t' | b'\n' | b'\r' => return None,
            b'{' => self.depth += 1,
            b'[' if self.depth > 0 => self.depth += 1,
            b'}' | b']' if self.depth > 0 => {
                self.keep(byte);
                self.depth -= 1;
                return if self.depth == 0 { self.take() } else { None };
            }
            _ => {}
        }
        self.keep(byte);
        if byte == b'"' {
            self.string = Some(StringState { start: self.object.len(), is_escaped: false, is_too_long: false });
        }
        None
    }

    fn push_in_string(&mut self, byte: u8) {
        let Some(string) = &mut self.string else { return };
        match byte {
            // JSON escapes them, so this is none.
            b'\n' | b'\r' => return self.reset(),
            b'"' if !string.is_escaped => self.string = None,
            _ => {
                string.is_escaped = byte == b'\\' && !string.is_escaped;
                if string.is_too_long {
                    return;
                }
                if self.object.len() - string.start >= MAX_STRING_BYTES {
                    string.is_too_long = true;
                    self.object.truncate(string.start);
                    return;
                }
            }
        }
        self.keep(byte);
    }

    fn keep(&mut self, byte: u8) {
        if self.depth == 0 || self.is_too_long {
            return;
        }
        self.object.push(byte);
        if self.object.len() > MAX_OBJECT_BYTES {
            self.is_too_long = true;
            self.object = Vec::new();
            // The rest of a string is skipped like the rest of the object.
            if let Some(string) = &mut self.string {
                string.is_too_long = true;
            }
        }
    }

    fn take(&mut self) -> Option<Value> {
        let object = if self.is_too_long { None } else { serde_json::from_slice(&self.object).ok() };
        self.reset();
        object
    }
}

#[cfg(test)]
mod tests;
