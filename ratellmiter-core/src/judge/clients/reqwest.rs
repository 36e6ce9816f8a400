//! `reqwest`, both majors in use. A response keeps everything, and the error of `error_for_status` the status alone: read
//! a failed response with [`LlmResponseExt::error_for_refusal`] and nothing is lost.

use std::{error::Error, fmt, future::Future};

use http::{HeaderMap, StatusCode};

use crate::{
    call::context,
    judge::{Classify, Evidence, Verdict, dispatch::Response, judge},
};

/// So much of the body of a failed response is read.
const MOST: usize = 16 << 10;

/// A response with a status that is no success: its headers, and the first 16 KiB of its body.
#[derive(Debug, Clone)]
pub struct ResponseError {
    /// The status.
    pub status: StatusCode,
    /// All headers.
    pub headers: HeaderMap,
    /// The start of the body; what is not UTF-8 in it is replaced.
    pub body: String,
}

/// The status alone: bodies and headers may hold what does not belong in a log.
impl fmt::Display for ResponseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the server answered {}", self.status)
    }
}

impl Error for ResponseError {}

impl ResponseError {
    fn evidence(&self) -> Evidence<'_> {
        Evidence::new().status(self.status.as_u16()).headers(&self.headers).body(&*self.body)
    }
}

impl Classify for ResponseError {
    fn verdict(&self) -> Verdict {
        judge(&self.evidence(), std::time::SystemTime::now())
    }
}

/// Our own error, inside of somebody else's.
pub(super) fn http_error<'a>(error: &'a (dyn Error + 'static)) -> Option<Evidence<'a>> {
    error.downcast_ref().map(ResponseError::evidence)
}

/// Turns a failed response into an error from which the limiter can tell what was refused, and for how long.
pub trait LlmResponseExt: Sized {
    /// The response, if its status is a success.
    ///
    /// # Errors
    /// Any other status, with the headers and the first 16 KiB of the body. A body that breaks off is kept as far as it came.
    /// In a function with `#[ratellmiter]` the limiter is told of them too, so it does not matter what becomes of the error.
    ///
    /// # Cancel safety
    /// Dropping the future drops the response.
    fn error_for_refusal(self) -> impl Future<Output = Result<Self, ResponseError>> + Send;
}

macro_rules! major {
    ($module:ident, $reqwest:ident, $feature:literal) => {
        #[cfg(feature = $feature)]
        pub(super) mod $module {
            use super::*;

            impl LlmResponseExt for $reqwest::Response {
                async fn error_for_refusal(mut self) -> Result<Self, ResponseError> {
                    let status = self.status();
                    if status.is_success() {
                        context::record_body(status.as_u16(), self.headers(), None);
                        return Ok(self);
                    }
                    let mut body = Vec::new();
                    while let Ok(Some(chunk)) = self.chunk().await {
                        body.extend_from_slice(&chunk[..chunk.len().min(MOST - body.len())]);
                        if body.len() == MOST {
                            break;
                        }
                    }
                    let (headers, body) = (self.headers().clone(), String::from_utf8_lossy(&body).into_owned());
                    // Whatever the caller makes of this error, the limiter knows.
                    context::record_body(status.as_u16(), &headers, Some(body.clone()));
                    Err(ResponseError { status, headers, body })
                }
            }

            impl Response for $reqwest::Response {
                fn evidence(&self) -> Evidence<'_> {
                    Evidence::new().status(self.status().as_u16()).headers(self.headers())
                }
            }

            /// The error of `error_for_status` has the status and nothing else.
            pub(in crate::judge::clients) fn evidence<'a>(error: &'a (dyn Error + 'static)) -> Option<Evidence<'a>> {
                let error = error.downcast_ref::<$reqwest::Error>()?;
                // Without a status it was no answer of a server: zero is judged as a failure.
                Some(Evidence::new().status(error.status().map_or(0, |status| status.as_u16())))
            }
        }
    };
}

major!(v13, reqwest, "reqwest");
major!(v12, reqwest_012, "reqwest-012");
