//! Error types with and without `From<Rejected>` need no option, and cause no warning in the user's code.

#![deny(warnings)]

use std::{cell::RefCell, error::Error, fmt, future::Future, pin::Pin, time::Duration};

use ratellmiter_core::{Limiter, Limits, Rejected, Usage, ratellmiter};
use tokio::time::{Instant, error::Elapsed, timeout};

/// An error that cannot be a rejection.
#[derive(Debug, Clone)]
struct Plain;

impl fmt::Display for Plain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("plain")
    }
}

impl Error for Plain {}

/// An error that can be one.
#[derive(Debug, Clone)]
enum Own {
    Plain(Plain),
    Rejected,
}

impl From<Rejected> for Own {
    fn from(_: Rejected) -> Self {
        Self::Rejected
    }
}

#[ratellmiter]
async fn plain(text: &str) -> Result<&str, Plain> {
    if text.is_empty() { Err(Plain) } else { Ok(text) }
}

#[ratellmiter]
async fn own(text: String) -> Result<String, Own> {
    if text.is_empty() { Err(Own::Plain(Plain)) } else { Ok(text) }
}

#[ratellmiter]
async fn with_anyhow(text: &str) -> anyhow::Result<&str> {
    Ok(plain(text).await?)
}

#[ratellmiter]
async fn boxed(text: &str) -> Result<String, Box<dyn Error + Send + Sync>> {
    Ok(plain(text).await?.to_owned())
}

#[ratellmiter]
fn blocking(text: &str) -> Result<String, Box<dyn Error>> {
    Ok(text.parse()?)
}

#[ratellmiter]
fn pinned(text: &str) -> Pin<Box<dyn Future<Output = anyhow::Result<&str>> + Send + '_>> {
    Box::pin(async move { Ok(text) })
}

#[ratellmiter]
async fn generic<T: Clone, E>(out: Result<T, E>) -> Result<T, E>
where
    E: Clone,
{
    out
}

#[ratellmiter]
async fn generic_with_bound<E: From<Rejected> + Clone>(error: E) -> Result<(), E> {
    Err(error)
}

#[ratellmiter]
async fn nothing() {}

#[ratellmiter]
async fn option(text: &str) -> Option<&str> {
    Some(text)
}

/// A call with a time-out of its own, whose result is inside of another.
#[ratellmiter(limiter = limiter, tokens = (1000, 1000))]
async fn with_time_out(
    limiter: &Limiter,
    out: &RefCell<Vec<Result<Usage, &'static str>>>,
) -> Result<Result<Usage, &'static str>, Elapsed> {
    timeout(Duration::from_secs(9), async { out.borrow_mut().remove(0) }).await
}

#[tokio::test(start_paused = true)]
async fn refusal_inside_of_a_result_is_sent_again() {
    let limiter = Limiter::new(Limits::per_minute(6000).no_ramp().tokens_per_minute(10_000_000));
    let refused = Err("429 Too Many Requests: please try again in 3s");
    let out = RefCell::new(vec![Err("502 Bad Gateway"), refused, Ok(Usage::new(7, 3))]);
    let start = Instant::now();
    assert_eq!(with_time_out(&limiter, &out).await.unwrap(), Ok(Usage::new(7, 3)));
    // Half a second after the failure, and the hint, each with a jitter of up to 5 %.
    assert!((3500..3680).contains(&start.elapsed().as_millis()), "{:?}", start.elapsed());
    // An error of the application is the result of a call that succeeded.
    let out = RefCell::new(vec![Err("no such customer"), Err("unused")]);
    assert_eq!(with_time_out(&limiter, &out).await.unwrap(), Err("no such customer"));
    assert_eq!(out.borrow().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn all_error_types_compile_without_an_option() {
    fn assert_send<T: Send>(value: T) -> T {
        value
    }

    assert_eq!(assert_send(plain("42")).await.ok(), Some("42"));
    assert_eq!(assert_send(own("42".to_owned())).await.ok().as_deref(), Some("42"));
    assert_eq!(assert_send(with_anyhow("42")).await.ok(), Some("42"));
    assert_eq!(assert_send(boxed("42")).await.ok().as_deref(), Some("42"));
    assert_eq!(assert_send(pinned("42")).await.ok(), Some("42"));
    assert_eq!(assert_send(generic::<u8, u8>(Err(42))).await, Err(42));
    assert!(assert_send(generic_with_bound(Own::Plain(Plain))).await.is_err());
    assert_eq!(assert_send(option("42")).await, Some("42"));
    assert_send(nothing()).await;
    assert_eq!(tokio::task::spawn_blocking(|| blocking("42").ok()).await.ok().flatten().as_deref(), Some("42"));
}
