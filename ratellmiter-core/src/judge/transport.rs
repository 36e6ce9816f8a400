//! Connections that failed before a response began: nothing was generated, so that the same call can be sent again.
//!
//! A time-out after the request was sent is not among them: the server may still do the work, and charges for it. Nor is a
//! response that broke off.

use std::{error::Error, io};

use super::{
    error_chain::{as_type, chain},
    truncated::text_of,
};

/// The texts of `hyper`, of `hyper-util`, of `h2` and of the resolver of the standard library by which a connection failed
/// before a response began.
const BEFORE_RESPONSE: &[&str] = &[
    "connection closed before message completed",
    "refused stream before processing any application logic",
    "tls handshake eof",
    "failed to lookup address information",
];

/// The texts of `reqwest` and `hyper` for a response that broke off.
const AFTER_RESPONSE: &[&str] =
    &["error decoding response body", "request or response body error", "error reading a body from connection"];

/// The text of `hyper-util` for a connection that was never made, also for a time-out of it.
const NO_CONNECTION: &str = "client error (Connect)";

/// Ends of the texts of I/O errors: refused and reset connections on Linux, macOS and Windows.
const ENDS_OF_TEXTS: &[&str] =
    &["os error 111", "os error 104", "os error 61", "os error 54", "os error 10061", "os error 10054"];

/// Returns `true` if the source chain of an error shows that the connection failed before a response began.
pub(super) fn is_failed_connection(error: &(dyn Error + 'static)) -> bool {
    let chain = || chain(Some(error));
    let is = |error: &(dyn Error + 'static), texts: &[&str]| {
        let text = text_of(error);
        texts.iter().any(|known| text.contains(known))
    };
    chain().any(|error| text_of(error) == NO_CONNECTION)
        || (!chain().any(|error| is(error, AFTER_RESPONSE) || is_timeout(error))
            && chain().any(|error| is_failed_io(error) || is(error, BEFORE_RESPONSE)))
}

/// Returns `true` if the text of an error is that of a connection that failed before a response began.
pub(super) fn is_failed_connection_text(text: &str) -> bool {
    let end = text.trim_end_matches([' ', '.', ')', '}', '"', '\'', '\n']);
    let is_io = || ENDS_OF_TEXTS.iter().chain(BEFORE_RESPONSE).any(|known| end.ends_with(known));
    let is_debug = || text.starts_with("reqwest::Error {") && text.contains("legacy::Error(Connect");
    let is_other = || AFTER_RESPONSE.iter().any(|known| text.contains(known)) || text.contains("timed out");
    text.contains(NO_CONNECTION) || is_debug() || (is_io() && !is_other())
}

/// Returns `true` if the text of an error is that of a connection that was closed, before or after the response began.
pub(super) fn is_closed_connection_text(text: &str) -> bool {
    // Of `ureq` 3.
    text.trim_end().ends_with("io: Peer disconnected")
}

fn is_timeout(error: &(dyn Error + 'static)) -> bool {
    as_type::<io::Error>(error).is_some_and(|error| error.kind() == io::ErrorKind::TimedOut)
        || text_of(error).contains("timed out")
}

fn is_failed_io(error: &(dyn Error + 'static)) -> bool {
    use io::ErrorKind::{
        BrokenPipe, ConnectionAborted, ConnectionRefused, ConnectionReset, HostUnreachable, NetworkDown,
        NetworkUnreachable, NotConnected,
    };
    let kind = as_type(error).map(io::Error::kind);
    matches!(
        kind,
        Some(
            BrokenPipe
                | ConnectionAborted
                | ConnectionRefused
                | ConnectionReset
                | HostUnreachable
                | NetworkDown
                | NetworkUnreachable
                | NotConnected
        )
    )
}

#[cfg(test)]
mod tests;
