//! Errors that no adapter knows, with a status and a hint in their fields. Methods of the same names do not matter: functions
//! with such errors compile without a warning, whatever the methods look like.

#![deny(warnings)]
#![allow(unreachable_pub)] // Methods as a client has them.

use std::{error::Error, fmt, time::Duration};

use ratellmiter_core::{Limiter, Limits, ratellmiter};
use tokio::time::Instant;

/// An error of a client that the library does not know.
#[derive(Debug, Clone)]
pub struct ApiError {
    #[allow(dead_code)] // Shown by `Debug`.
    status: u16,
    #[allow(dead_code)]
    retry_after: Option<Duration>,
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the model could not be asked")
    }
}

impl Error for ApiError {}

const REFUSED: ApiError = ApiError { status: 429, retry_after: Some(Duration::from_secs(3)) };

/// An error that contains the other without being its source.
#[derive(Debug, thiserror::Error)]
#[error("no answer")]
enum Opaque {
    Client(ApiError),
}

/// An error without a text.
#[derive(Debug)]
#[allow(dead_code)]
struct Silent(ApiError);

#[ratellmiter(limiter = limiter)]
async fn plain(limiter: &Limiter, results: &mut Vec<Result<(), ApiError>>) -> Result<(), ApiError> {
    results.pop().unwrap_or(Ok(()))
}

#[ratellmiter(limiter = limiter)]
async fn opaque(limiter: &Limiter, results: &mut Vec<Result<(), ApiError>>) -> Result<(), Opaque> {
    results.pop().unwrap_or(Ok(())).map_err(Opaque::Client)
}

#[ratellmiter(limiter = limiter)]
async fn silent(limiter: &Limiter, results: &mut Vec<Result<(), ApiError>>) -> Result<(), Silent> {
    results.pop().unwrap_or(Ok(())).map_err(Silent)
}

#[ratellmiter(limiter = limiter)]
async fn boxed(limiter: &Limiter, results: &mut Vec<Result<(), ApiError>>) -> Result<(), Box<dyn Error + Send + Sync>> {
    Ok(results.pop().unwrap_or(Ok(()))?)
}

#[ratellmiter(limiter = limiter)]
async fn report(limiter: &Limiter, results: &mut Vec<Result<(), ApiError>>) -> anyhow::Result<()> {
    results.pop().unwrap_or(Ok(())).map_err(|error| anyhow::Error::new(error).context("no answer"))
}

#[ratellmiter(limiter = limiter)]
async fn implied(limiter: &Limiter, results: &mut Vec<Result<(), ApiError>>) -> Result<(), impl Error + use<>> {
    results.pop().unwrap_or(Ok(()))
}

#[ratellmiter(limiter = limiter)]
async fn generic<E: Error + 'static>(limiter: &Limiter, results: &mut Vec<Result<(), E>>) -> Result<(), E> {
    results.pop().unwrap_or(Ok(()))
}

#[ratellmiter(limiter = limiter)]
async fn debug<E: fmt::Debug>(limiter: &Limiter, results: &mut Vec<Result<(), E>>) -> Result<(), E> {
    results.pop().unwrap_or(Ok(()))
}

async fn run(limiter: &Limiter, results: &mut Vec<Result<(), ApiError>>) -> Result<(), ApiError> {
    limiter.run(|| std::future::ready(results.pop().unwrap_or(Ok(())))).await
}

#[tokio::test(start_paused = true)]
async fn refusal_in_fields_is_retried_after_its_hint() {
    macro_rules! times {
        ($($ask:ident)*) => {[$({
            let (start, mut results) = (Instant::now(), vec![Err(REFUSED)]);
            $ask(&Limiter::new(Limits::per_minute(600)), &mut results).await.unwrap();
            (stringify!($ask), start.elapsed().as_secs())
        }),*]};
    }
    for (name, seconds) in times!(plain opaque silent boxed report implied generic debug run) {
        assert_eq!(seconds, 3, "{name}");
    }
}

/// Errors whose methods have the names of a status and a hint, and any signature.
mod methods {
    use super::*;

    #[allow(dead_code)]
    /// A trait of the user with methods of the same names.
    pub trait Named {
        fn status(&self, _: u8) -> &'static str {
            ""
        }
        fn headers<T: Default>(&self) -> T {
            T::default()
        }
    }

    impl<T> Named for T {}

    macro_rules! error {
        ($name:ident { $($methods:tt)* }) => {
            #[derive(Debug, thiserror::Error)]
            #[error("failed")]
            pub struct $name;

            #[allow(dead_code, clippy::unused_self, clippy::unused_async, clippy::pedantic)]
            impl $name { $($methods)* }

            impl $name {
                /// Fails with the error, in a function made by a macro.
                #[ratellmiter(limiter = limiter)]
                pub async fn fail(limiter: &Limiter, calls: &mut u8) -> Result<(), Self> {
                    *calls += 1;
                    Err(Self)
                }
            }
        };
    }

    error!(Arguments {
        pub fn status(&self, _: bool) -> u16 { 429 }
        pub fn retry_after(&self, attempt: u32) -> Duration { Duration::from_secs(attempt.into()) }
    });
    error!(Generic {
        pub fn status<T: From<u16>>(&self) -> T { 429.into() }
        pub fn status_code<T: fmt::Display + Default>(&self) -> T { T::default() }
        pub fn headers(&self, _: impl Into<String>) {}
        pub fn retry_after<const N: usize>(&self) -> [u8; N] { [0; N] }
    });
    error!(Builder {
        pub fn status(self, _: impl Into<u16>) -> Self { self }
        pub fn status_code<T: Into<u16>>(_: T) -> Self { Self }
        pub fn retry_after(&mut self, _: u64) {}
    });
    error!(Private {
        fn status(&self) -> u16 { 429 }
        fn retry_after<T: Default>(&self, _: T) {}
    });
    error!(Odd {
        pub async fn status(&self) -> u16 { 429 }
        pub fn status_code(&self) -> Option<&'static dyn fmt::Debug> { None }
        #[deprecated]
        pub fn retry_after(&self) -> Result<u64, String> { Ok(7) }
        pub fn headers(&self) -> ! { panic!("never called") }
    });

    /// Returns the number of attempts for each error.
    pub async fn attempts(limiter: &Limiter) -> [u8; 5] {
        let mut calls = [0; 5];
        let [arguments, generic, builder, private, odd] = &mut calls;
        let _ = (Arguments::fail(limiter, arguments).await, Generic::fail(limiter, generic).await);
        let _ = (Builder::fail(limiter, builder).await, Private::fail(limiter, private).await);
        let _ = Odd::fail(limiter, odd).await;
        calls
    }
}

#[tokio::test(start_paused = true)]
async fn methods_of_any_signature_compile_and_are_not_called() {
    use methods::Named as _;
    assert_eq!(REFUSED.status(0), "");
    assert_eq!(methods::attempts(&Limiter::new(Limits::per_minute(600))).await, [1; 5]);
}
