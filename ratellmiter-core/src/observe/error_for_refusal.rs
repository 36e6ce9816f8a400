//! Failed responses of HTTP clients as errors, which the call of this task observes.

#[cfg(any(feature = "hyper", feature = "reqwest", feature = "reqwest-012"))]
use std::{future::Future, pin::Pin};

use http::{HeaderMap, StatusCode};

use super::start_of_body::StartOfBody;
use crate::{
    call::context,
    judge::{Classify as _, Verdict, clients::ResponseError},
};

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
    /// Any other status, with the headers and the first 16 KiB of the body. A body that breaks off, or that has not ended
    /// after three seconds, is kept as far as it was received.
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
fn refusal(status: StatusCode, headers: HeaderMap, body: &StartOfBody) -> ResponseError {
    let error = ResponseError::new(status, headers, String::from_utf8_lossy(&body.bytes).into_owned());
    context::record_judged(status.as_u16(), &error.headers, error.verdict());
    error
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
                    let mut body = StartOfBody::default();
                    while let Some(Ok(Some(piece))) = body.in_time(self.chunk()).await {
                        if body.add(&piece) {
                            break;
                        }
                    }
                    Err(refusal(status, std::mem::take(self.headers_mut()), &body))
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
                let headers = std::mem::take(self.headers_mut());
                Err(refusal(status, headers, &StartOfBody::read(self)))
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
            let mut body = StartOfBody::default();
            loop {
                let next = std::future::poll_fn(|context| Pin::new(self.body_mut()).poll_frame(context));
                let Some(Some(Ok(frame))) = body.in_time(next).await else { break };
                if frame.data_ref().is_some_and(|piece| body.add(piece)) {
                    break;
                }
            }
            Err(refusal(self.status(), std::mem::take(self.headers_mut()), &body))
        })
    }
}

/// For agents with `http_status_as_error(false)`: otherwise a failed response is an error of `ureq` already.
#[cfg(feature = "ureq")]
impl LlmResponseExt for http::Response<ureq::Body> {
    type Checked = Result<Self, ResponseError>;

    fn error_for_refusal(self) -> Self::Checked {
        if self.status().is_success() {
            record_success(self.status(), self.headers());
            return Ok(self);
        }
        let (head, body) = self.into_parts();
        Err(refusal(head.status, head.headers, &StartOfBody::read(body.into_reader())))
    }
}
