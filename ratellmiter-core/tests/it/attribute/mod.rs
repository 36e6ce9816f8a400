//! Every kind of function that the attribute accepts, refused once: each is paced, retried once, and returns the value of
//! its second attempt.

#![deny(unused, unused_qualifications, clippy::pedantic)]

mod any_return_type;
mod async_functions;
mod futures_returned;
mod interruptions;
mod methods;
mod options;
mod plain_functions;
mod traits;

use std::{
    cell::Cell,
    fmt::Display,
    future::Future,
    panic::AssertUnwindSafe,
    pin::Pin,
    sync::{
        Arc, LazyLock,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use futures::FutureExt as _;
use ratellmiter_core::{Classify, LimitKind, Limiter, Limits, Verdict, monitor, ratellmiter};

/// Returns a limiter fast enough for blocking functions, which wait in real time.
fn fast_limiter() -> Limiter {
    Limiter::new(Limits::per_minute(600_000).no_ramp())
}

static LIMITER: LazyLock<Limiter> = LazyLock::new(fast_limiter);

/// The error of a call: refused with a `Retry-After` of a millisecond or an hour, or failed.
#[derive(Debug, Clone, PartialEq)]
enum CallError {
    Refused,
    Failed,
    RefusedForAnHour,
}

impl Classify for CallError {
    fn verdict(&self) -> Verdict {
        let refused = |millis| Verdict::RateLimited {
            retry_after: Some(Duration::from_millis(millis)),
            limit: LimitKind::Unknown,
        };
        match self {
            Self::Refused => refused(1),
            Self::Failed => Verdict::Failed,
            Self::RefusedForAnHour => refused(3_600_000),
        }
    }
}

/// Refuses the first request and answers the others with their number.
#[derive(Debug, Default)]
struct Server(AtomicU32);

impl Server {
    fn answer(&self) -> Result<u32, CallError> {
        match self.0.fetch_add(1, Ordering::SeqCst) {
            0 => Err(CallError::Refused),
            requests => Ok(requests + 1),
        }
    }

    fn requests(&self) -> u32 {
        self.0.load(Ordering::SeqCst)
    }
}

fn assert_send<T: Send>(value: T) -> T {
    value
}
