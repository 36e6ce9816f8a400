//! Where words go: results to stdout, everything else to stderr.

use std::{
    fmt,
    io::{self, Write},
};

use crate::failure::Failure;

pub(crate) struct Output<'a> {
    pub(crate) stdout: &'a mut dyn Write,
    pub(crate) stderr: &'a mut dyn Write,
}

impl fmt::Debug for Output<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Output").finish_non_exhaustive()
    }
}

impl Output<'_> {
    /// A result. Who stops reading has read enough.
    pub(crate) fn print(&mut self, result: impl AsRef<[u8]>) -> Result<(), Failure> {
        match self.stdout.write_all(result.as_ref()).and_then(|()| self.stdout.flush()) {
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(Failure::Stdout(error)),
            _ => Ok(()),
        }
    }

    /// Something a reader of the result should know.
    pub(crate) fn note(&mut self, text: &str) {
        self.complain(&format!("note: {}\n", one_line(text)));
    }

    /// For people. That it cannot be said changes nothing.
    pub(crate) fn complain(&mut self, text: &str) {
        let _ = self.stderr.write_all(text.as_bytes());
    }
}

/// What would break a line, or do something else to a terminal, becomes a space.
pub(crate) fn printable(text: &str) -> String {
    text.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).collect()
}

/// Paths and system messages may have line breaks.
pub(crate) fn one_line(text: &str) -> String {
    text.split(['\n', '\r']).map(str::trim).filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ")
}
