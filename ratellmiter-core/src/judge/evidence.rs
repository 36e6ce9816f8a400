//! The evidence from which an outcome is judged.

use std::{borrow::Cow, time::Duration};

use http::HeaderMap;

/// The facts about an outcome that [`judge`](crate::classify::judge()) turns into a verdict.
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
    /// The headers of the HTTP response.
    pub headers: Cow<'a, HeaderMap>,
    /// The body of the HTTP response, or a part of it.
    pub body: Option<Cow<'a, str>>,
    /// A machine-readable code or type, if the client extracted one from the body.
    pub code: Option<Cow<'a, str>>,
    /// The time to wait, if the client determined one.
    pub hint: Option<Duration>,
    /// The connection failed before a response began: it was refused or reset, its TLS handshake failed, or its headers
    /// are incomplete. `false` for a time-out, after which the server may still do the work.
    pub failed_connection: bool,
}

impl<'a> Evidence<'a> {
    /// Creates evidence without any facts.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the status of the HTTP response.
    #[must_use]
    pub fn status(mut self, status: u16) -> Self {
        self.status = Some(status);
        self
    }

    /// Sets the headers of the HTTP response.
    #[must_use]
    pub fn headers(mut self, headers: &'a HeaderMap) -> Self {
        self.headers = Cow::Borrowed(headers);
        self
    }

    /// Sets the body of the HTTP response, or a part of it.
    #[must_use]
    pub fn body(mut self, body: impl Into<Cow<'a, str>>) -> Self {
        self.body = Some(body.into());
        self
    }

    /// Sets a machine-readable code or type of the error.
    #[must_use]
    pub fn code(mut self, code: impl Into<Cow<'a, str>>) -> Self {
        self.code = Some(code.into());
        self
    }

    /// Sets that the connection failed before a response began.
    #[must_use]
    pub fn failed_connection(mut self) -> Self {
        self.failed_connection = true;
        self
    }

    /// Sets the time to wait.
    #[must_use]
    pub fn hint(mut self, hint: Duration) -> Self {
        self.hint = Some(hint);
        self
    }
}
