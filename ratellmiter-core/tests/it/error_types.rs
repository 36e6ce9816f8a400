//! Error types with and without `From<Rejected>` need no option, and cause no warning in the user's code.

#![deny(warnings)]

use std::{error::Error, fmt, future::Future, pin::Pin};

use ratellmiter_core::{Rejected, ratellmiter};

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
