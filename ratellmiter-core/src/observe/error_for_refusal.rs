//! Failed responses of HTTP clients as errors, which the call of this task observes.

#[cfg(any(feature = "reqwest-blocking", feature = "reqwest-012-blocking", feature = "ureq"))]
use std::io::Read;
#[cfg(any(feature = "hyper", feature = "reqwest", feature = "reqwest-012"))]
use std::{future::Future, pin::Pin};

use http::{HeaderMap, StatusCode};

use crate::{
    call::context,
    judge::{Classify as _, Verdict, clients::ResponseError},
};

/// Maximum length in bytes of the body that is read from a failed response.
const MAX_BODY_BYTES: usize = 16 << 10;

/// Extension of the responses of `reqwest`, `hyper` and `ureq` with an error that keeps the evidence of a refusal: status,
/// headers and body.
pub trait LlmResponseExt: Sized {
    /// The result: a future of a `Result<Self, ResponseError>`, or that result itself for the response of a blocking client.
    type Checked;

    /// Returns the response if its status is a success.
    ///
    /// Within a `#[ratellmiter]` function the limiter also observes the response, so it does not matter whether the error
    /// is returned unchanged.
    ///
    /// # Errors
    /// Any other status, with the headers and the first 16 KiB of the body. A body that breaks off is kept as far as it
    /// was received.
    ///
    /// # Cancel safety
    /// Dropping the future drops the response.
    fn error_for_refusal(self) -> Self::Checked;
}

/// The result of a checked response of an asynchronous client.
#[cfg(any(feature = "hyper", feature = "reqwest", feature = "reqwest-012"))]
type CheckedFuture<R> = Pin<Box<dyn Future<Output = Result<R, ResponseError>> + Send>>;

/// Reports a success to the call of this task.
fn record_success(status: StatusCode, headers: &HeaderMap) {
    context::record_judged(status.as_u16(), headers, Verdict::Success);
}

/// Returns the error of a failed response, and reports it to the call of this task.
fn refusal(status: StatusCode, headers: &HeaderMap, body: &[u8]) -> ResponseError {
    let error = ResponseError::new(status, headers.clone(), String::from_utf8_lossy(body).into_owned());
    context::record_judged(status.as_u16(), &error.headers, error.verdict());
    error
}

/// Adds a piece of the body. Returns `true` if enough of it has been read.
#[cfg(any(feature = "hyper", feature = "reqwest", feature = "reqwest-012"))]
fn add_piece(body: &mut Vec<u8>, piece: &[u8]) -> bool {
    body.extend_from_slice(&piece[..piece.len().min(MAX_BODY_BYTES - body.len())]);
    body.len() == MAX_BODY_BYTES
}

/// Reads the start of the body of a blocking client. It may break off.
#[cfg(any(feature = "reqwest-blocking", feature = "reqwest-012-blocking", feature = "ureq"))]
fn start_of_body(reader: impl Read) -> Vec<u8> {
    let mut body = Vec::new();
    // What was read before an error is kept.
    let _ = reader.take(MAX_BODY_BYTES as u64).read_to_end(&mut body);
    body
}

macro_rules! error_for_refusal {
    ($reqwest:ident, $feature:literal, $blocking:literal) => {
        #[cfg(feature = $feature)]
        impl LlmResponseExt for $reqwest::Response {
            type Checked = CheckedFuture<Self>;

            fn error_for_refusal(mut self) -> Self::Checked {
                Box::pin(async move {
                    let status = self.status();
                    if status.is_success() {
                        record_success(status, self.headers());
                        return Ok(self);
                    }
                    let mut body = Vec::new();
                    while let Ok(Some(piece)) = self.chunk().await {
                        if add_piece(&mut body, &piece) {
                            break;
                        }
                    }
                    Err(refusal(status, self.headers(), &body))
                })
            }
        }

        #[cfg(feature = $blocking)]
        impl LlmResponseExt for $reqwest::blocking::Response {
            type Checked = Result<Self, ResponseError>;

            fn error_for_refusal(mut self) -> Self::Checked {
                let status = self.status();
                if status.is_success() {
                    record_success(status, self.headers());
                    return Ok(self);
                }
                let body = start_of_body(&mut self);
                Err(refusal(status, self.headers(), &body))
            }
        }
    };
}

error_for_refusal!(reqwest, "reqwest", "reqwest-blocking");
error_for_refusal!(reqwest_012, "reqwest-012", "reqwest-012-blocking");

#[cfg(feature = "hyper")]
impl LlmResponseExt for http::Response<hyper::body::Incoming> {
    type Checked = CheckedFuture<Self>;

    fn error_for_refusal(mut self) -> Self::Checked {
        use hyper::body::Body as _;

        Box::pin(async move {
            if self.status().is_success() {
                record_success(self.status(), self.headers());
                return Ok(self);
            }
            let mut body = Vec::new();
            while let Some(Ok(frame)) = std::future::poll_fn(|cx| Pin::new(self.body_mut()).poll_frame(cx)).await {
                if frame.data_ref().is_some_and(|piece| add_piece(&mut body, piece)) {
                    break;
                }
            }
            Err(refusal(self.status(), self.headers(), &body))
        })
    }
}

/// For agents with `http_status_as_error(false)`: otherwise a failed response is an error of `ureq` already.
#[cfg(feature = "ureq")]
impl LlmResponseExt for http::Response<ureq::Body> {
    type Checked = Result<Self, ResponseError>;

    fn error_for_refusal(mut self) -> Self::Checked {
        if self.status().is_success() {
            record_success(self.status(), self.headers());
            return Ok(self);
        }
        let body = start_of_body(self.body_mut().as_reader());
        Err(refusal(self.status(), self.headers(), &body))
    }
}
