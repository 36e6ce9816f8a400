//! Types that have a verdict by themselves: errors of users, and responses.

use std::{borrow::Cow, error::Error};

use super::{body, evidence::Evidence, verdict::Verdict};

/// An error type that knows its verdict.
///
/// ```
/// use ratellmiter_core::{Classify, LimitKind, Verdict};
///
/// enum ApiError {
///     TooManyRequests { seconds: u64 },
///     Other(String),
/// }
///
/// impl Classify for ApiError {
///     fn verdict(&self) -> Verdict {
///         match self {
///             Self::TooManyRequests { seconds } => Verdict::RateLimited {
///                 retry_after: Some(std::time::Duration::from_secs(*seconds)),
///                 limit: LimitKind::Requests,
///             },
///             Self::Other(_) => Verdict::Failed,
///         }
///     }
/// }
/// assert!(ApiError::TooManyRequests { seconds: 3 }.verdict().is_retryable());
/// ```
///
/// If the error has a status, headers or a body, [`judge`](crate::classify::judge()) has the rules:
///
/// ```
/// # struct ApiError { status: u16, body: String }
/// use ratellmiter_core::{Classify, classify::{Evidence, judge}, Verdict};
///
/// impl Classify for ApiError {
///     fn verdict(&self) -> Verdict {
///         judge(&Evidence::new().status(self.status).body(&*self.body), std::time::SystemTime::now())
///     }
/// }
/// # let spent = ApiError { status: 429, body: r#"{"error": {"code": "insufficient_quota"}}"#.into() };
/// # assert!(!spent.verdict().is_retryable());
/// ```
///
/// The verdict stands, whatever response an [observer](mod@crate::observe) saw. An enum that wraps a client's error can leave
/// the verdict on it to the library:
///
/// ```
/// # use std::{borrow::Cow, error::Error};
/// use ratellmiter_core::{Classify, Verdict};
///
/// enum ApiError {
///     Busy,
///     Client(std::io::Error),
/// }
///
/// impl Classify for ApiError {
///     fn verdict(&self) -> Verdict {
///         Verdict::overloaded()
///     }
///
///     fn client_error(&self) -> Option<&(dyn Error + 'static)> {
///         match self {
///             Self::Client(error) => Some(error),
///             Self::Busy => None,
///         }
///     }
/// }
/// # assert!(ApiError::Client(std::io::Error::other("429 Too Many Requests")).client_error().is_some());
/// # assert!(ApiError::Busy.client_error().is_none());
/// ```
///
/// In a generic function the bounds decide: without `E: Classify` for the error type `E`, the error is classified by the
/// observed response, by its text and by its fields. An error type that is not `'static` needs the option
/// `classify` or `when` of the attribute.
pub trait Classify {
    /// Returns the verdict on a call that failed with this error.
    fn verdict(&self) -> Verdict;

    /// Returns the error whose verdict the library decides, in place of [`verdict`](Self::verdict): by the observed response,
    /// by its source chain, its text and its fields. `None` if this type decides.
    fn client_error(&self) -> Option<&(dyn Error + 'static)> {
        None
    }
}

/// A value that is a server's response, which may be a refusal even as an `Ok`.
pub trait Response {
    /// Returns the evidence that the response contains.
    fn evidence(&self) -> Evidence<'_>;

    /// Returns `true` if the client made up the value before it sent the request.
    fn is_before_response(&self) -> bool {
        false
    }

    /// Returns `true` if the value is an item of a stream that is no part of the answer, such as the mark of its end.
    fn is_neutral(&self) -> bool {
        false
    }
}

/// The body of a response that has been read.
pub trait ResponseBody {
    /// Returns the body as text, with invalid UTF-8 replaced.
    fn text(&self) -> Cow<'_, str>;
}

macro_rules! response_bodies {
    ($($body:ty)*) => {$(
        impl ResponseBody for $body {
            fn text(&self) -> Cow<'_, str> {
                String::from_utf8_lossy(self.as_ref())
            }
        }
    )*};
}

response_bodies!(String &str Vec<u8> &[u8] bytes::Bytes);

impl ResponseBody for serde_json::Value {
    fn text(&self) -> Cow<'_, str> {
        self.to_string().into()
    }
}

/// An answer of a client that contains the stream of its parts, without being a `Stream`.
pub trait StreamedAnswer {}

impl<B> Response for http::Response<B> {
    fn evidence(&self) -> Evidence<'_> {
        Evidence::new().status(self.status().as_u16()).headers(self.headers())
    }
}

/// The type of Anthropic's last event, which follows the usage: platform.claude.com/docs/en/build-with-claude/streaming, 2026-10.
const LAST_EVENT: &str = "message_stop";

/// The body of a success, as clients without types of their own return it, or an event of a stream.
impl Response for serde_json::Value {
    fn evidence(&self) -> Evidence<'_> {
        let success = Evidence::new().status(200);
        if body::is_error(self) { success.body(self.to_string()) } else { success }
    }

    fn is_neutral(&self) -> bool {
        self.get("type").is_some_and(|kind| kind == LAST_EVENT)
    }
}
