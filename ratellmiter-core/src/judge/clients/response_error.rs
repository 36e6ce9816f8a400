//! A failed response as an error, which keeps its status, its headers and its body.

use std::{error::Error, fmt, time::SystemTime};

use http::{HeaderMap, StatusCode};

use crate::judge::{
    classification::Judged, classify::Classify, error_chain::as_type, evidence::Evidence, rules::judge_with_status,
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
    has_unknown_code: bool,
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
        let judged = judge_with_status(&evidence, SystemTime::now());
        let has_unknown_code = judged.is_refused_with_unknown_code();
        Self { status, headers, body, verdict: judged.verdict, has_unknown_code }
    }
}

impl Classify for ResponseError {
    fn verdict(&self) -> Verdict {
        self.verdict
    }

    // The source chain knows whether the code in the body is known.
    fn client_error(&self) -> Option<&(dyn Error + 'static)> {
        Some(self)
    }
}

/// Returns the verdict of a [`ResponseError`] in a source chain.
pub(super) fn judged(error: &(dyn Error + 'static)) -> Option<Judged> {
    let error: &ResponseError = as_type(error)?;
    let judged = Judged::new(error.verdict, Some(error.status.as_u16()));
    Some(Judged { has_code: error.has_unknown_code, knows_body: !error.has_unknown_code, ..judged })
}
