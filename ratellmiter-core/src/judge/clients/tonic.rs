//! `tonic` 0.14. Its `Status` has the code, the message, the details and the metadata of the response. A status that tonic made
//! up by itself, without a response, has the error of the transport as its source.

use std::error::Error;

use ::tonic::{Code, Response, Status, Streaming};
use http::HeaderMap;

use crate::{
    judge::{
        classify::StreamedAnswer,
        error_chain::{as_type, chain},
        evidence::Evidence,
        transport::is_failed_connection,
    },
    providers::usage::{HasUsage, Usage},
};

/// The start of the message of a status that stands for the HTTP status of a response that is not gRPC's: tonic 0.14, `status.rs`.
const MAPPED: &str = "grpc-status header missing, mapped from HTTP status code ";

/// The start of the message of a status for a response that broke off.
const BROKEN_OFF: &str = "protocol error: missing grpc-status trailer";

pub(super) fn evidence<'a>(error: &'a (dyn Error + 'static)) -> Option<Evidence<'a>> {
    let status: &Status = as_type(error)?;
    if is_failed_connection(status) {
        return Some(Evidence::new().failed_connection());
    }
    if status.code() == Code::Ok || is_made_up(status) || status.message().starts_with(BROKEN_OFF) {
        // There was no response. Zero is judged as a failure.
        return Some(Evidence::new().status(0));
    }
    if let Some(mapped) = status.message().strip_prefix(MAPPED).and_then(|status| status.parse().ok()) {
        return Some(Evidence::new().status(mapped));
    }
    let mut headers = HeaderMap::new();
    // Fails for a message that cannot be encoded. The code is in the headers by then.
    let _ = status.add_header(&mut headers);
    Some(Evidence { headers: std::borrow::Cow::Owned(headers), ..Evidence::new().status(200) })
}

/// Returns `true` if the status is that of a connection that failed, or of a time-out, and not of a response. HTTP/2 has a signal of
/// its own for a client that sends too much, from which tonic makes `ResourceExhausted`.
fn is_made_up(status: &Status) -> bool {
    let mut sources = chain(status.source()).peekable();
    sources.peek().is_some() && status.code() != Code::ResourceExhausted && !sources.any(<dyn Error>::is::<Status>)
}

impl<T: HasUsage> HasUsage for Response<T> {
    fn usage(&self) -> Option<Usage> {
        self.get_ref().usage()
    }
}

impl<T> StreamedAnswer for Response<Streaming<T>> {}
