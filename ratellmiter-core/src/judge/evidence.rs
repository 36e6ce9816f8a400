//! What is known of an outcome before it is judged.

use std::{borrow::Cow, time::Duration};

use http::HeaderMap;

/// What is known of an outcome: whatever an adapter could collect, and no opinion.
///
/// ```
/// use ratellmiter_core::{classify::{Evidence, judge}, LimitKind, Verdict};
///
/// let evidence = Evidence::new().status(429).body(r#"{"error": {"type": "tokens", "message": "Please try again in 1.5s"}}"#);
/// let hint = Some(std::time::Duration::from_millis(1500));
/// let verdict = judge(&evidence, std::time::SystemTime::now());
/// assert_eq!(verdict, Verdict::RateLimited { retry_after: hint, limit: LimitKind::Tokens });
/// ```
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Evidence<'a> {
    /// The status of the HTTP response.
    pub status: Option<u16>,
    /// Its headers.
    pub headers: Cow<'a, HeaderMap>,
    /// Its body, or what of it is at hand.
    pub body: Option<Cow<'a, str>>,
    /// A machine-readable code or type that a client took out of the body.
    pub code: Option<Cow<'a, str>>,
    /// How long to wait, if a client found that out by itself.
    pub hint: Option<Duration>,
}

impl<'a> Evidence<'a> {
    /// Nothing is known.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// With this status.
    #[must_use]
    pub fn status(mut self, status: u16) -> Self {
        self.status = Some(status);
        self
    }

    /// With these headers.
    #[must_use]
    pub fn headers(mut self, headers: &'a HeaderMap) -> Self {
        self.headers = Cow::Borrowed(headers);
        self
    }

    /// With this body.
    #[must_use]
    pub fn body(mut self, body: impl Into<Cow<'a, str>>) -> Self {
        self.body = Some(body.into());
        self
    }

    /// With this code.
    #[must_use]
    pub fn code(mut self, code: impl Into<Cow<'a, str>>) -> Self {
        self.code = Some(code.into());
        self
    }

    /// With this hint.
    #[must_use]
    pub fn hint(mut self, hint: Duration) -> Self {
        self.hint = Some(hint);
        self
    }
}
