//! Both major versions of `reqwest` in use. A response has all evidence; the error of `error_for_status` has the status
//! alone. [`ResponseError`] keeps the headers and the body of a failed response.

use std::{error::Error, fmt, time::SystemTime};

use http::{HeaderMap, StatusCode};

use crate::judge::{
    classification::Judged,
    classify::{Classify, Response},
    evidence::Evidence,
    rules::judge,
    transport::is_failed_connection,
    verdict::Verdict,
};

/// A response whose status is not a success: its headers, and the first 16 KiB of its body.
#[derive(Debug, Clone)]
pub struct ResponseError {
    /// The status of the response.
    pub status: StatusCode,
    /// All headers of the response.
    pub headers: HeaderMap,
    /// The start of the body, with invalid UTF-8 replaced.
    pub body: String,
    verdict: Verdict,
}

/// Writes the status alone, because headers and bodies may contain secrets.
impl fmt::Display for ResponseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the server answered {}", self.status)
    }
}

impl Error for ResponseError {}

impl ResponseError {
    /// Creates the error and judges it, once.
    pub(crate) fn new(status: StatusCode, headers: HeaderMap, body: String) -> Self {
        let evidence = Evidence::new().status(status.as_u16()).headers(&headers).body(&*body);
        let verdict = judge(&evidence, SystemTime::now());
        Self { status, headers, body, verdict }
    }
}

impl Classify for ResponseError {
    fn verdict(&self) -> Verdict {
        self.verdict
    }
}

/// Returns the verdict of a [`ResponseError`] in a source chain.
pub(super) fn judged(error: &(dyn Error + 'static)) -> Option<Judged> {
    let error: &ResponseError = error.downcast_ref()?;
    Some(Judged::new(error.verdict, Some(error.status.as_u16())))
}

macro_rules! major {
    ($module:ident, $reqwest:ident, $feature:literal) => {
        #[cfg(feature = $feature)]
        pub(super) mod $module {
            use super::*;

            impl Response for $reqwest::Response {
                fn evidence(&self) -> Evidence<'_> {
                    Evidence::new().status(self.status().as_u16()).headers(self.headers())
                }
            }

            /// Returns the status of an error of `error_for_status`, which has no other evidence, or that the connection
            /// failed.
            pub(in crate::judge::clients) fn evidence<'a>(error: &'a (dyn Error + 'static)) -> Option<Evidence<'a>> {
                let error = error.downcast_ref::<$reqwest::Error>()?;
                if let Some(status) = error.status() {
                    return Some(Evidence::new().status(status.as_u16()));
                }
                let is_too_late = error.is_timeout() || error.is_body() || error.is_decode();
                Some(if error.is_connect() || (!is_too_late && is_failed_connection(error)) {
                    Evidence::new().failed_connection()
                } else {
                    // There was no response. Zero is judged as a failure.
                    Evidence::new().status(0)
                })
            }
        }
    };
}

major!(v13, reqwest, "reqwest");
major!(v12, reqwest_012, "reqwest-012");
