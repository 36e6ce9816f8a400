//! `ureq` 3, which blocks. By default a failed response is an error that has the status alone; with `http_status_as_error(false)`
//! it is an `Ok` with headers and body.

use std::{error::Error, io};

use ::ureq::Timeout;

use crate::judge::{error_chain::as_type, evidence::Evidence, transport::is_failed_connection, truncated::text_of};

pub(super) fn evidence<'a>(error: &'a (dyn Error + 'static)) -> Option<Evidence<'a>> {
    let Some(error) = as_type::<::ureq::Error>(error) else {
        // The body of a response broke off.
        return is_disconnected_reader(error).then(|| Evidence::new().status(0));
    };
    let is_before_response = match error {
        ::ureq::Error::StatusCode(status) => return Some(Evidence::new().status(*status)),
        // A reset of the connection after the response began is reported as a closed one.
        ::ureq::Error::Io(source) => source.kind() == io::ErrorKind::UnexpectedEof || is_failed_connection(source),
        ::ureq::Error::Other(source) => is_failed_connection(&**source),
        ::ureq::Error::Timeout(Timeout::Resolve | Timeout::Connect)
        | ::ureq::Error::HostNotFound
        | ::ureq::Error::ConnectionFailed
        | ::ureq::Error::ConnectProxyFailed(_)
        | ::ureq::Error::Tls(_) => true,
        // The variants of TLS libraries exist with features of the client alone.
        other => is_tls(other),
    };
    // Without a response, zero is judged as a failure.
    Some(if is_before_response { Evidence::new().failed_connection() } else { Evidence::new().status(0) })
}

/// Returns `true` if the connection was closed, which has the same error before and after the response began.
pub(super) fn is_closed_connection(error: &(dyn Error + 'static)) -> bool {
    let is_end = |source: &io::Error| source.kind() == io::ErrorKind::UnexpectedEof;
    matches!(as_type(error), Some(::ureq::Error::Io(source)) if is_end(source))
}

/// Returns `true` if the error is that of the reader of a body, whose connection was closed: `ureq` unwraps its own error there.
fn is_disconnected_reader(error: &(dyn Error + 'static)) -> bool {
    let Some(error) = as_type::<io::Error>(error) else { return false };
    error.kind() == io::ErrorKind::UnexpectedEof
        && error.get_ref().is_some_and(|inner| text_of(inner) == "Peer disconnected")
}

fn is_tls(error: &::ureq::Error) -> bool {
    let text = error.to_string();
    ["rustls: ", "native-tls: "].iter().any(|start| text.starts_with(start))
}
