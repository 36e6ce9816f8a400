//! The ladder from an outcome to an opinion of it: a response by its status, an error by what the user says of its type,
//! else by what is found in its source chain, else by its text.
//!
//! Which rung a value stands on is decided where the attribute expands, since only there the types are concrete: the
//! hidden macro [`opinion!`](crate::__opinion) calls a method that each rung offers with one more reference than the rung
//! below, and method lookup takes the first that fits.

use std::{
    any::type_name,
    convert::Infallible,
    error::Error,
    fmt::{self, Display, Write as _},
    iter,
    ops::Deref,
    time::SystemTime,
};

use super::{Evidence, Verdict, body, clients, judge, text};
use crate::providers::usage::{HasUsage, Usage};

/// Says what an error of yours means for the limiter.
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
/// If you have a status, headers or a body at hand, leave the rules to [`judge`](crate::classify::judge()):
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
/// In a generic function the bounds decide: add `E: Classify` where `E` is the error, or only its transport facts and
/// its text are seen. An error type that is not `'static` needs `classify = ...` or `when = ...` on the attribute.
pub trait Classify {
    /// What this error means.
    fn verdict(&self) -> Verdict;
}

/// What the ladder makes of an outcome.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Classification {
    /// `None`: it was not recognised.
    pub(crate) verdict: Option<Verdict>,
    /// It is the user's last word, or needs no other.
    pub(crate) is_final: bool,
    /// It is no part of an answer: the client made it up before it had one.
    pub(crate) is_early: bool,
    /// The type of the error, to warn of when nothing else is known.
    pub(crate) of: &'static str,
}

impl Classification {
    /// The user's word on this call.
    pub(crate) fn decided(verdict: Verdict) -> Self {
        Self { verdict: Some(verdict), is_final: true, is_early: false, of: "" }
    }

    pub(crate) fn of<E: ?Sized>(verdict: Option<Verdict>) -> Self {
        Self { verdict, is_final: false, is_early: false, of: type_name::<E>() }
    }
}

/// A value that is a server's answer, which may be a refusal even where it is an `Ok`.
pub trait Response {
    /// What it tells.
    fn evidence(&self) -> Evidence<'_>;

    /// It is no answer yet: the client gives it before it has sent the request.
    fn is_before_response(&self) -> bool {
        false
    }
}

impl<B> Response for http::Response<B> {
    fn evidence(&self) -> Evidence<'_> {
        Evidence::new().status(self.status().as_u16()).headers(self.headers())
    }
}

/// The body of a success, as a program reads it from a client that has no types of its own.
impl Response for serde_json::Value {
    fn evidence(&self) -> Evidence<'_> {
        let success = Evidence::new().status(200);
        match body::error_in(self) {
            Some(error) => success.body(serde_json::json!({ "error": error }).to_string()),
            None => success,
        }
    }
}

/// A reference to a value on the ladder.
#[derive(Debug)]
pub struct Dispatch<'a, T: ?Sized>(pub &'a T);

/// A `Result` falls apart into its two sides.
pub trait AsResult {
    /// The side of `Ok`.
    type Ok;
    /// The side of `Err`.
    type Err;
    /// The one that there is.
    #[allow(clippy::missing_errors_doc)]
    fn sides(&self) -> Result<&Self::Ok, &Self::Err>;
}

impl<T, E> AsResult for &Dispatch<'_, Result<T, E>> {
    type Ok = T;
    type Err = E;
    fn sides(&self) -> Result<&T, &E> {
        self.0.as_ref()
    }
}

/// Everything else is a success.
pub trait AsValue {
    /// The value itself.
    type Ok;
    /// Nothing.
    type Err;
    /// The value.
    #[allow(clippy::missing_errors_doc)]
    fn sides(&self) -> Result<&Self::Ok, &Self::Err>;
}

impl<T> AsValue for Dispatch<'_, T> {
    type Ok = T;
    type Err = Infallible;
    fn sides(&self) -> Result<&T, &Infallible> {
        Ok(self.0)
    }
}

/// A success that is a response.
pub trait OkByResponse {
    /// What to make of it.
    fn opinion_of_ok(&self) -> Classification;
}

impl<T: Response> OkByResponse for &Dispatch<'_, T> {
    fn opinion_of_ok(&self) -> Classification {
        let verdict = judge(&self.0.evidence(), SystemTime::now());
        Classification { is_early: self.0.is_before_response(), ..Classification::decided(verdict) }
    }
}

/// Any other success.
pub trait OkByNothing {
    /// What to make of it.
    fn opinion_of_ok(&self) -> Classification;
}

impl<T> OkByNothing for Dispatch<'_, T> {
    fn opinion_of_ok(&self) -> Classification {
        Classification::decided(Verdict::Success)
    }
}

/// A success that tells what it used.
pub trait UsageOfAnswer {
    /// What it tells.
    fn usage_of_ok(&self) -> Option<Usage>;
}

impl<T: HasUsage> UsageOfAnswer for &Dispatch<'_, T> {
    fn usage_of_ok(&self) -> Option<Usage> {
        self.0.usage()
    }
}

/// Any other success.
pub trait UsageOfNothing {
    /// Nothing.
    fn usage_of_ok(&self) -> Option<Usage>;
}

impl<T> UsageOfNothing for Dispatch<'_, T> {
    fn usage_of_ok(&self) -> Option<Usage> {
        None
    }
}

/// The error is a [`Classify`].
pub trait ByClassify {
    /// What to make of it.
    fn opinion(&self) -> Classification;
}

impl<E: Classify> ByClassify for &&&&Dispatch<'_, E> {
    fn opinion(&self) -> Classification {
        Classification::of::<E>(Some(self.0.verdict()))
    }
}

/// The error has a source chain.
pub trait BySource {
    /// What to make of it.
    fn opinion(&self) -> Classification;
}

impl<E: Error + 'static> BySource for &&&Dispatch<'_, E> {
    fn opinion(&self) -> Classification {
        Classification::of::<E>(by_chain(self.0))
    }
}

/// The error is a box or a report around one: `Box<dyn Error>`, `anyhow::Error`, `eyre::Report`.
pub trait ByTarget {
    /// What to make of it.
    fn opinion(&self) -> Classification;
}

impl<E: Deref<Target: Dynamic>> ByTarget for &&Dispatch<'_, E> {
    fn opinion(&self) -> Classification {
        Classification::of::<E>(by_chain(self.0.deref().as_error()))
    }
}

/// The error has a text.
pub trait ByText {
    /// What to make of it.
    fn opinion(&self) -> Classification;
}

impl<E: Display> ByText for &Dispatch<'_, E> {
    fn opinion(&self) -> Classification {
        Classification::of::<E>(by_text(self.0))
    }
}

/// Nothing is known of the error.
pub trait ByNothing {
    /// What to make of it.
    fn opinion(&self) -> Classification;
}

impl<E> ByNothing for Dispatch<'_, E> {
    fn opinion(&self) -> Classification {
        Classification::of::<E>(None)
    }
}

/// Any kind of `dyn Error`.
pub trait Dynamic {
    /// As the plainest of them.
    fn as_error(&self) -> &(dyn Error + 'static);
}

impl Dynamic for dyn Error {
    fn as_error(&self) -> &(dyn Error + 'static) {
        self
    }
}

impl Dynamic for dyn Error + Send {
    fn as_error(&self) -> &(dyn Error + 'static) {
        self
    }
}

impl Dynamic for dyn Error + Send + Sync {
    fn as_error(&self) -> &(dyn Error + 'static) {
        self
    }
}

/// The opinion of the value that the reference `$out` points to.
#[doc(hidden)]
#[macro_export]
macro_rules! __opinion {
    ($out:expr) => {{
        #[allow(unused_imports)]
        use $crate::__private::{
            AsResult as _, AsValue as _, ByClassify as _, ByNothing as _, BySource as _, ByTarget as _, ByText as _,
            Dispatch, OkByNothing as _, OkByResponse as _,
        };
        match (&&Dispatch($out)).sides() {
            $crate::__private::Ok(value) => (&&Dispatch(value)).opinion_of_ok(),
            $crate::__private::Err(error) => (&&&&&Dispatch(error)).opinion(),
        }
    }};
}

/// What the call of the value that the reference `$out` points to used; `$by` is said of its good side, `$value`.
#[doc(hidden)]
#[macro_export]
macro_rules! __usage {
    ($out:expr) => {{
        #[allow(unused_imports)]
        use $crate::__private::{AsResult as _, AsValue as _, Dispatch, UsageOfAnswer as _, UsageOfNothing as _};
        match (&&Dispatch($out)).sides() {
            $crate::__private::Ok(value) => (&&Dispatch(value)).usage_of_ok(),
            $crate::__private::Err(_) => $crate::__private::Option::None,
        }
    }};
    ($out:expr, $value:ident => $by:expr) => {{
        #[allow(unused_imports)]
        use $crate::__private::{AsResult as _, AsValue as _, Dispatch};
        match (&&Dispatch($out)).sides() {
            $crate::__private::Ok($value) => $by,
            $crate::__private::Err(_) => $crate::__private::Option::None,
        }
    }};
}

/// A chain that is longer goes in a circle.
const LONGEST_CHAIN: usize = 64;

pub(crate) fn by_chain(error: &(dyn Error + 'static)) -> Option<Verdict> {
    let chain = || iter::successors(Some(error), |&error| error.source()).take(LONGEST_CHAIN);
    chain().find_map(clients::verdict).or_else(|| chain().find_map(by_text))
}

fn by_text<E: Display + ?Sized>(error: &E) -> Option<Verdict> {
    let mut start = Truncated(String::new());
    // It stops with an error when it has enough.
    let _ = write!(start, "{error}");
    Some(judge(&text::evidence(&start.0)?, SystemTime::now()))
}

/// The start of a text: some errors hold a whole page.
struct Truncated(String);

impl fmt::Write for Truncated {
    fn write_str(&mut self, part: &str) -> fmt::Result {
        const MOST: usize = 64 << 10;
        let end = part.floor_char_boundary(MOST.saturating_sub(self.0.len()).min(part.len()));
        self.0.push_str(&part[..end]);
        if end < part.len() { Err(fmt::Error) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    macro_rules! verdict {
        ($out:expr) => {
            $crate::__opinion!(&$out).verdict
        };
    }

    #[derive(Debug)]
    struct Known(Verdict);

    impl Classify for Known {
        fn verdict(&self) -> Verdict {
            self.0
        }
    }

    impl Display for Known {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("429 Too Many Requests")
        }
    }

    /// A type that stands on several rungs is judged on the highest.
    impl Error for Known {}

    #[derive(Debug, thiserror::Error)]
    #[error("{0}")]
    struct Told(&'static str);

    #[derive(Debug, thiserror::Error)]
    #[error("the model could not be asked")]
    struct Wrapped(#[source] Told);

    const TEXT: &str = r#"429 Too Many Requests: {"error": {"type": "requests", "message": "Please try again in 2s"}}"#;
    const REFUSED: Option<Verdict> = Some(Verdict::RateLimited {
        retry_after: Some(std::time::Duration::from_secs(2)),
        limit: crate::LimitKind::Requests,
    });

    #[test]
    fn the_users_word_comes_first() {
        let busy = Verdict::Overloaded { retry_after: None };
        assert_eq!(verdict!(Err::<(), _>(Known(busy))), Some(busy));
        assert_eq!(verdict!(Ok::<_, Known>(1)), Some(Verdict::Success));
    }

    #[test]
    fn texts_are_found_on_every_rung_below() {
        assert_eq!(verdict!(Err::<(), _>(Told(TEXT))), REFUSED);
        assert_eq!(verdict!(Err::<(), _>(Wrapped(Told(TEXT)))), REFUSED, "in the chain");
        assert_eq!(verdict!(Err::<(), Box<dyn Error>>(Told(TEXT).into())), REFUSED);
        assert_eq!(verdict!(Err::<(), Box<dyn Error + Send + Sync>>(Wrapped(Told(TEXT)).into())), REFUSED);
        assert_eq!(verdict!(Err::<(), _>(anyhow::Error::new(Told(TEXT)).context("outer"))), REFUSED);
        assert_eq!(verdict!(Err::<(), _>(eyre::Report::new(Wrapped(Told(TEXT))))), REFUSED);
        assert_eq!(verdict!(Err::<(), _>(TEXT)), REFUSED);
        assert_eq!(verdict!(Err::<(), _>(TEXT.to_owned())), REFUSED);
    }

    #[test]
    fn what_is_not_recognised_is_nothing_and_other_values_succeeded() {
        struct Opaque;
        assert_eq!(verdict!(Err::<(), _>(fmt::Error)), None);
        assert_eq!(verdict!(Err::<(), _>(Opaque)), None);
        assert_eq!(verdict!(Err::<(), _>("no")), None);
        assert_eq!(verdict!(None::<u8>), Some(Verdict::Success));
        assert_eq!(verdict!(()), Some(Verdict::Success));
        assert_eq!(verdict!("429 Too Many Requests"), Some(Verdict::Success));
    }

    #[test]
    fn a_response_carries_its_refusal_in_ok() {
        let response =
            |status: u16| http::Response::builder().status(status).header("retry-after", "2").body("").unwrap();
        let refused = Verdict::RateLimited {
            retry_after: Some(std::time::Duration::from_secs(2)),
            limit: crate::LimitKind::Unknown,
        };
        assert_eq!(verdict!(Ok::<_, Told>(response(429))), Some(refused));
        assert_eq!(verdict!(response(429)), Some(refused), "without a `Result` as well");
        assert_eq!(verdict!(Ok::<_, Told>(response(200))), Some(Verdict::Success));
        assert_eq!(verdict!(Ok::<_, Told>(response(404))), Some(Verdict::Failed));
    }

    #[test]
    fn the_body_of_a_success_may_tell_of_a_refusal() {
        let openrouter = serde_json::json!({ "error": { "code": 429, "message": "Rate limit exceeded" } });
        assert_eq!(verdict!(Ok::<_, Told>(openrouter)), Some(Verdict::RATE_LIMITED));
        let broken_off = serde_json::json!({ "choices": [{ "finish_reason": "error", "error": { "code": 503 } }] });
        assert_eq!(verdict!(broken_off), Some(Verdict::Overloaded { retry_after: None }));
        let spent = serde_json::json!({ "status": "failed", "error": { "code": "insufficient_quota" } });
        assert!(matches!(verdict!(Ok::<_, Told>(spent)), Some(Verdict::QuotaExhausted { .. })));
        let answer = serde_json::json!({ "error": null, "choices": [{ "message": { "content": "429, rate limit" } }] });
        assert_eq!(verdict!(Ok::<_, Told>(answer)), Some(Verdict::Success));
    }

    #[test]
    fn in_a_generic_function_the_bounds_decide() {
        fn bound<E: Classify>(error: E) -> Option<Verdict> {
            verdict!(Err::<(), _>(error))
        }
        fn displayed<E: Display>(error: E) -> Option<Verdict> {
            verdict!(Err::<(), _>(error))
        }
        fn unbound<E>(error: E) -> Option<Verdict> {
            verdict!(Err::<(), _>(error))
        }
        assert_eq!(bound(Known(Verdict::Failed)), Some(Verdict::Failed));
        assert_eq!(displayed(Known(Verdict::Failed)), Some(Verdict::RATE_LIMITED), "by its text");
        assert_eq!(unbound(Known(Verdict::RATE_LIMITED)), None);
    }

    #[test]
    fn an_error_of_ten_megabytes_is_looked_at_from_its_start() {
        let page = format!("429 Too Many Requests: {}", "x".repeat(10 << 20));
        assert_eq!(verdict!(Err::<(), _>(page)), Some(Verdict::RATE_LIMITED));
    }
}
