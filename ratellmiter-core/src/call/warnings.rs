//! Warnings about calls, each logged once in a process.

use std::{
    collections::HashSet,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

/// Warns once per type of error that its verdict is unknown. The error's text is not logged, since it may contain keys.
pub(super) fn warn_unrecognised(error_type: &'static str) {
    static WARNED: Mutex<Option<HashSet<&'static str>>> = Mutex::new(None);
    if WARNED.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert_default().insert(error_type) {
        tracing::warn!(
            error_type,
            "cannot tell whether this error is a refusal, so calls that fail with it are not retried: enable the feature \
             of its client, implement ratellmiter_core::Classify for it, or use #[ratellmiter(classify = ...)]; \
             limiter.run needs limiter.runner().classify(...) also for a type that implements Classify, as in \
             limiter.runner().classify(Classify::verdict)"
        );
    }
}

/// Warns once per type of error that a refusal has an unknown code. The code is not logged, since it is a part of the error's text.
pub(super) fn warn_of_unknown_code(error_type: &'static str) {
    static WARNED: Mutex<Option<HashSet<&'static str>>> = Mutex::new(None);
    if WARNED.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert_default().insert(error_type) {
        tracing::warn!(
            error_type,
            "a refusal has a code that is not known, so its status decides, and calls that fail with it are retried: if it \
             means a spent quota, implement ratellmiter_core::Classify for the error, or use #[ratellmiter(classify = ...)]"
        );
    }
}

/// Warns once that `max_wait` and `max_queue` of a limiter have no effect on calls without `bounded`.
pub(super) fn warn_of_unused_bounds() {
    static WARNED: AtomicBool = AtomicBool::new(false);
    if !WARNED.swap(true, Ordering::Relaxed) {
        tracing::warn!(
            "`max_wait` and `max_queue` of a limiter apply only to calls that can return a rejection: give \
             their functions the option `bounded`, or use limiter.runner().bounded(), and an error that is \
             `From<ratellmiter_core::Rejected>`"
        );
    }
}

/// Warns once that a call was made inside another call of the same limiter, and uses the ticket of that call.
pub(super) fn warn_of_nested_call() {
    static WARNED: AtomicBool = AtomicBool::new(false);
    if !WARNED.swap(true, Ordering::Relaxed) {
        tracing::warn!(
            "a call was made inside another call of the same limiter: it uses the ticket of the outer call, without pacing or \
             retries of its own; annotate only one of the functions, the one that sends the requests, or give one of them \
             a limiter of its own"
        );
    }
}

/// Warns once that a function returned a stream that does not keep the ticket of the call.
pub(super) fn warn_of_stream_without_option() {
    static WARNED: AtomicBool = AtomicBool::new(false);
    if !WARNED.swap(true, Ordering::Relaxed) {
        tracing::warn!(
            "a function without the option `stream` returned a stream: its call ended before the stream did, so that its whole \
             reservation stays charged, and refusals in the stream are not seen. Use #[ratellmiter(stream)], wrap the \
             stream in ratellmiter_core::call::attach, or report the usage; the receivers of AWS Bedrock need \
             ratellmiter_core::observe::ObserveInterceptor or `bedrock_events`"
        );
    }
}

/// Warns once that the HTTP client, or a loop in the function, retries refusals or transient failures too: its retries
/// multiply ours, and many providers count each of them.
pub(super) fn warn_of_client_retries() {
    static WARNED: AtomicBool = AtomicBool::new(false);
    if !WARNED.swap(true, Ordering::Relaxed) {
        tracing::warn!(
            "the client below the limiter tries refused or failed requests again by itself; leave that to the limiter: \
             async-openai `Client::with_http_service` with `ratellmiter_core::observe::openai_service`, reqwest \
             `ClientBuilder::retry(reqwest::retry::never())`, reqwest-middleware without `RetryTransientMiddleware`, aws \
             `RetryConfig::disabled()`, and no loop of retries inside of the function"
        );
    }
}

/// Warns once that calls are still sent to a server that refuses them, because they cannot fail otherwise.
pub(super) fn warn_of_calls_that_cannot_fail() {
    static WARNED: AtomicBool = AtomicBool::new(false);
    if !WARNED.swap(true, Ordering::Relaxed) {
        tracing::warn!(
            "a limiter is closed, since a quota is spent or its server accepts no call, but some calls have an error type \
             without `From<ratellmiter_core::Rejected>`: they cannot fail without a request, and are sent one at a time. \
             Implement `From<ratellmiter_core::Rejected>` for the error type, or return `anyhow::Error` or \
             `Box<dyn Error + Send + Sync>`; generic functions and `limiter.runner()` need `bounded` as well"
        );
    }
}
