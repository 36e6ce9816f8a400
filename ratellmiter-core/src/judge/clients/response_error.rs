//! A failed response as an error, which keeps its status, its headers and its body.

use std::{error::Error, fmt, time::SystemTime};

use http::{HeaderMap, StatusCode};

use crate::judge::{classification::Judged, classify::Classify, evidence::Evidence, rules::judge, verdict::Verdict};

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
