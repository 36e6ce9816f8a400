//! The output of the command: results on stdout, everything else on stderr.

use std::{
    fmt,
    io::{self, Write},
};

use crate::words::one_line;

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
    /// Writes a result to stdout. A closed pipe is not an error.
    pub(crate) fn print(&mut self, result: impl AsRef<[u8]>) -> io::Result<()> {
        match self.stdout.write_all(result.as_ref()).and_then(|()| self.stdout.flush()) {
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error),
            _ => Ok(()),
        }
    }

    /// Writes a remark on the result to stderr.
    pub(crate) fn note(&mut self, text: &str) {
        self.print_error(&format!("note: {text}"));
    }

    /// Writes a line to stderr, in which names from logs have no effect. Errors of stderr itself are ignored.
    pub(crate) fn print_error(&mut self, line: &str) {
        let _ = self.stderr.write_all(format!("{}\n", one_line(line)).as_bytes());
    }
}
