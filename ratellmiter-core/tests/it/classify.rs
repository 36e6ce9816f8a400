//! `Classify` against the observed response: the type decides, unless it leaves the decision to the library.

use std::{cell::Cell, error::Error, io, time::Duration};

use http::{HeaderMap, StatusCode};
use ratellmiter_core::{Classify, Limiter, Limits, Verdict, call, ratellmiter};
use tokio::time::Instant;

#[derive(Debug)]
enum ApiError {
    /// The type knows better than the status: the call is not to be retried.
    Final,
    Refused,
    Client(io::Error),
}

impl Classify for ApiError {
    fn verdict(&self) -> Verdict {
        match self {
            Self::Refused => Verdict::RATE_LIMITED,
            Self::Final | Self::Client(_) => Verdict::Failed,
        }
    }

    fn client_error(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Client(error) => Some(error),
            Self::Final | Self::Refused => None,
        }
    }
}

fn limiter() -> Limiter {
    Limiter::new(Limits::per_minute(600_000).no_ramp())
}

/// Fails the first attempt with `error`, after a response with `status` and `retry-after: 7` was observed if there is one.
#[ratellmiter(limiter = limiter)]
async fn ask(
    limiter: &Limiter,
    attempts: &Cell<u32>,
    status: Option<u16>,
    error: &Cell<Option<ApiError>>,
) -> Result<(), ApiError> {
    attempts.set(attempts.get() + 1);
    let Some(error) = error.take() else { return Ok(()) };
    if let Some(status) = status {
        let headers = HeaderMap::from_iter([(http::header::RETRY_AFTER, "7".parse().unwrap())]);
        call::observe(StatusCode::from_u16(status).unwrap(), &headers);
    }
    Err(error)
}

/// Returns the number of attempts, and the seconds that the call took.
async fn attempts(status: Option<u16>, error: ApiError) -> (u32, u64) {
    let (attempts, start) = (Cell::new(0), Instant::now());
    let _ = ask(&limiter(), &attempts, status, &Cell::new(Some(error))).await;
    (attempts.get(), start.elapsed().as_secs())
}

#[tokio::test(start_paused = true)]
async fn explicit_failure_outranks_the_observed_response() {
    for status in [429, 503, 529] {
        assert_eq!(attempts(Some(status), ApiError::Final).await, (1, 0), "{status}");
    }
}

#[tokio::test(start_paused = true)]
async fn explicit_refusal_takes_the_observed_hint() {
    assert_eq!(attempts(Some(429), ApiError::Refused).await, (2, 7));
    assert_eq!(attempts(Some(200), ApiError::Refused).await.0, 2);
    assert_eq!(attempts(None, ApiError::Refused).await, (2, 2));
}

#[tokio::test(start_paused = true)]
async fn wrapped_error_is_left_to_the_library() {
    let client = |text: &str| ApiError::Client(io::Error::other(text.to_owned()));
    assert_eq!(attempts(Some(429), client("it failed")).await, (2, 7), "by the observed response");
    assert_eq!(attempts(None, client("429 Too Many Requests: retry after 3 s")).await, (2, 3), "by its text");
    assert_eq!(attempts(None, client("it failed")).await, (1, 0));
    let spent = r#"429 Too Many Requests: {"error": {"code": "insufficient_quota"}}"#;
    assert_eq!(attempts(Some(429), client(spent)).await, (1, 0), "by the body");
}

#[tokio::test(start_paused = true)]
async fn request_that_never_fits_is_not_retried() {
    let too_large = "429 Too Many Requests: {\"error\": {\"message\": \"Limit 30000, Requested 342389.\"}}";
    assert_eq!(attempts(Some(429), ApiError::Client(io::Error::other(too_large))).await, (1, 0));
    let refused = io::Error::from(io::ErrorKind::ConnectionRefused);
    assert_eq!(
        attempts(None, ApiError::Client(refused)).await,
        (2, 0),
        "a transient failure is sent again after half a second"
    );
    let long = Duration::from_hours(1);
    assert_eq!(Verdict::transient().with_retry_after(long).retry_after(), Some(long));
    assert!(!Verdict::transient().is_retryable());
}
