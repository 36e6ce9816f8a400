//! gRPC: the outcome of a call in the headers or trailers of its response, or in the text of an error.
//!
//! The HTTP status of a gRPC response is 200 even if the call failed. Its code is in `grpc-status`: in the headers, if the server
//! sends no message, and otherwise in the trailers: github.com/grpc/grpc, doc/PROTOCOL-HTTP2.md, 2026-11. A code is judged as the
//! HTTP status that Google documents beside it, so that both transports of a service have the same rules.

#[cfg(feature = "tonic")]
mod details;
mod text;

use std::borrow::Cow;

use http::HeaderMap;
use serde_json::{Value, json};

use super::evidence::Evidence;
use crate::providers::header_values;

pub(super) use text::evidence_in_text;

/// The name of each code, by its number, and the HTTP status beside it: github.com/googleapis/googleapis,
/// google/rpc/code.proto, 2026-11. Two of them have another status here, because they do not pass: the documented statuses
/// of `ALREADY_EXISTS` (409) and of `DATA_LOSS` (500) are also those of failures that do.
const CODES: [(&str, u16); 17] = [
    ("OK", 200),
    ("CANCELLED", 499),
    ("UNKNOWN", 500),
    ("INVALID_ARGUMENT", 400),
    ("DEADLINE_EXCEEDED", 504),
    ("NOT_FOUND", 404),
    ("ALREADY_EXISTS", 400),
    ("PERMISSION_DENIED", 403),
    ("RESOURCE_EXHAUSTED", 429),
    ("FAILED_PRECONDITION", 400),
    ("ABORTED", 409),
    ("OUT_OF_RANGE", 400),
    ("UNIMPLEMENTED", 501),
    ("INTERNAL", 500),
    ("UNAVAILABLE", 503),
    ("DATA_LOSS", 501),
    ("UNAUTHENTICATED", 401),
];

/// The code of an error that is not known.
const UNKNOWN: (&str, u16) = CODES[2];

/// Returns the name and the HTTP status of the gRPC code in `headers`, or `None` if they are not those of a gRPC response.
fn code(headers: &HeaderMap) -> Option<(&'static str, u16)> {
    let number = header_values::text(headers, "grpc-status")?;
    Some(number.parse().ok().and_then(|number: usize| CODES.get(number).copied()).unwrap_or(UNKNOWN))
}

/// Returns the HTTP status that stands for the gRPC code in `headers`, or `None` if they are not those of a gRPC response.
pub(crate) fn status(headers: &HeaderMap) -> Option<u16> {
    code(headers).map(|(_, status)| status)
}

/// Returns the evidence on a gRPC response, in the form of an HTTP response, or `None` if it is none.
pub(super) fn evidence<'a>(evidence: &'a Evidence<'_>) -> Option<Evidence<'a>> {
    let headers = &*evidence.headers;
    let (name, status) = code(headers)?;
    let found = Evidence { hint: evidence.hint, ..Evidence::new().status(status).headers(headers) };
    if status == 200 {
        return Some(found);
    }
    #[cfg(feature = "tonic")]
    let details = details::in_headers(headers);
    #[cfg(not(feature = "tonic"))]
    let details = details::Details::default();
    let found = found.body(body(name, &message(headers), &details.json));
    Some(match details.retry_delay.filter(|_| found.hint.is_none()) {
        Some(delay) => found.hint(delay),
        None => found,
    })
}

/// Stands in for the details, which are binary.
#[cfg(not(feature = "tonic"))]
mod details {
    #[derive(Default)]
    pub(super) struct Details {
        pub(super) retry_delay: Option<std::time::Duration>,
        pub(super) json: Vec<serde_json::Value>,
    }
}

/// Returns the error in the form in which Google's REST APIs send it.
fn body(name: &str, message: &str, details: &[Value]) -> String {
    json!({ "error": { "status": name, "message": message, "details": details } }).to_string()
}

/// Returns the message of a response, which is percent-encoded. Invalid UTF-8 is replaced.
fn message(headers: &HeaderMap) -> Cow<'_, str> {
    let message = headers.get("grpc-message").map_or(&[][..], http::HeaderValue::as_bytes);
    percent_encoding::percent_decode(message).decode_utf8_lossy()
}

#[cfg(test)]
mod tests;
