//! The locks of a call, and its end without a place in the queue.

use std::sync::atomic::Ordering;

use super::*;
use crate::limits::Limits;

fn limiter() -> Limiter {
    Limiter::new(Limits::per_minute(6_000).no_ramp().tokens_per_minute(60_000))
}

#[tokio::test(start_paused = true)]
async fn uncontended_call_takes_two_locks() {
    let limiter = limiter();
    let before = limiter.locks().load(Ordering::Relaxed);
    let mut call = Call::new(limiter.clone()).with_options(AcquireOptions::new().tokens(10, 10), false);
    call.acquire().await.expect("it has no bounds");
    let value = call.attempt(async { 42 }).await;
    let usage = Some(Usage::new(10, 5));
    assert_eq!(call.settle(Classification::decided(Verdict::Success), usage, value), ControlFlow::Break(42));
    drop(call);
    assert_eq!(limiter.locks().load(Ordering::Relaxed) - before, 2, "one to acquire and one to settle");
}

#[tokio::test(start_paused = true)]
async fn last_attempt_leaves_nothing_in_the_queue() {
    let limiter = limiter();
    let mut call = Call::new(limiter.clone()).max_attempts(1);
    call.acquire().await.expect("it has no bounds");
    let refused = Classification::decided(Verdict::RATE_LIMITED);
    assert_eq!(call.settle(refused, None, "refused"), ControlFlow::Break("refused"));
    let snapshot = limiter.snapshot();
    assert_eq!((snapshot.queued, snapshot.in_flight), (0, 0));
    assert!(snapshot.rate_per_second < 1e-9, "the limiter pauses");
}
