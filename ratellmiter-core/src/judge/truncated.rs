//! Texts of errors, of limited length.

use std::fmt::{self, Display, Write as _};

/// Maximum length of an error's text in bytes: some errors contain a whole page.
pub(super) const MAX_TEXT_BYTES: usize = 64 << 10;

/// Returns the start of the text of an error. If its `Display` fails, which is a panic in `to_string`, it is the text before that.
pub(super) fn text_of<E: Display + ?Sized>(error: &E) -> String {
    truncated(format_args!("{error}"), MAX_TEXT_BYTES)
}

/// Returns the first `max_bytes` of a text.
pub(super) fn truncated(text: fmt::Arguments<'_>, max_bytes: usize) -> String {
    let mut start = Truncated { text: String::new(), max_bytes };
    // Fails once the text is long enough.
    let _ = start.write_fmt(text);
    start.text
}

struct Truncated {
    text: String,
    max_bytes: usize,
}

impl fmt::Write for Truncated {
    fn write_str(&mut self, part: &str) -> fmt::Result {
        let end = part.floor_char_boundary(self.max_bytes.saturating_sub(self.text.len()).min(part.len()));
        self.text.push_str(&part[..end]);
        if end < part.len() { Err(fmt::Error) } else { Ok(()) }
    }
}
