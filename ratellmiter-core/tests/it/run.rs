//! `Limiter::run`, the function form of the attribute.

use std::{future::ready, io, time::Duration};

use ratellmiter_core::{LimitKind, Limiter, Limits, Usage, Verdict};
use tokio::time::Instant;

fn limiter() -> Limiter {
    Limiter::new(Limits::per_minute(6_000).no_ramp())
}

/// Returns a call that yields `results` one by one, starting with the last.
fn call_yielding<T, E>(mut results: Vec<Result<T, E>>) -> impl FnMut() -> std::future::Ready<Result<T, E>> {
    move || ready(results.pop().expect("a result for each attempt"))
}

fn refused() -> io::Error {
    io::Error::other(r#"429 Too Many Requests: {"error": {"message": "Please try again in 3s"}}"#)
}

#[tokio::test(start_paused = true)]
async fn run_retries_a_refusal_after_its_hint() {
    let start = Instant::now();
    let answer = limiter().run(call_yielding(vec![Ok("hello"), Err(refused())])).await;
    assert_eq!(answer.unwrap(), "hello");
    assert!((3.0..3.6).contains(&start.elapsed().as_secs_f64()), "{:?}", start.elapsed());
}

#[tokio::test(start_paused = true)]
async fn run_returns_other_errors_at_once() {
    let start = Instant::now();
    let answer = limiter().run(call_yielding(vec![Ok(()), Err(io::Error::other("connection reset"))])).await;
    assert_eq!(answer.unwrap_err().to_string(), "connection reset");
    assert_eq!(start.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn run_returns_the_refusal_of_the_last_attempt() {
    let limiter = Limiter::new(Limits::per_minute(6_000).no_ramp().max_attempts(2));
    let answer = limiter.run(call_yielding(vec![Ok(()), Err(refused()), Err(refused())])).await;
    assert!(answer.unwrap_err().to_string().starts_with("429"));
    assert_eq!((limiter.snapshot().in_flight, limiter.snapshot().queued), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn runner_classifies_errors_of_any_type() {
    let verdict = |status: &u16| match status {
        429 => Verdict::rate_limited().with_retry_after(Duration::from_secs(2)).with_limit(LimitKind::Requests),
        _ => Verdict::Failed,
    };
    let start = Instant::now();
    let answer = limiter().runner().classify(verdict).run(call_yielding(vec![Err(400), Err(429)])).await;
    assert_eq!(answer, Err::<(), _>(400));
    assert!((2.0..2.6).contains(&start.elapsed().as_secs_f64()), "{:?}", start.elapsed());
    let unknown =
        limiter().runner().classify(|_: &u16| None::<Verdict>).run(call_yielding(vec![Ok(()), Err(429)])).await;
    assert_eq!(unknown, Err(429), "unrecognized errors are not retried");
}

/// Returns the duration of nine calls that each reserve half of a minute's tokens. `usage` returns their usage from the answer.
async fn time_of_nine_calls(usage: impl Fn(&u64) -> Option<Usage>) -> Duration {
    let limiter = Limiter::new(Limits::per_minute(6_000).no_ramp().tokens_per_minute(10_000));
    let start = Instant::now();
    for _ in 0..9 {
        let runner = limiter.runner().tokens(1_000, 4_000).usage(&usage);
        assert_eq!(runner.run(call_yielding(vec![Ok::<_, io::Error>(900)])).await.unwrap(), 900);
    }
    start.elapsed()
}

#[tokio::test(start_paused = true)]
async fn runner_reserves_tokens_and_settles_the_usage() {
    let settled = time_of_nine_calls(|answer| Some(Usage::new(*answer, 100))).await;
    let reserved = time_of_nine_calls(|_| None).await;
    assert!(reserved >= Duration::from_secs(4 * 60 - 30), "half a minute for each call: {reserved:?}");
    assert!(settled < reserved / 3, "{settled:?} of {reserved:?}");
}

#[tokio::test(start_paused = true)]
async fn dropped_run_releases_its_capacity() {
    let limiter = Limiter::new(Limits::per_minute(6_000).no_ramp().max_in_flight(1));
    let forever = limiter.run(std::future::pending::<Result<(), io::Error>>);
    assert!(tokio::time::timeout(Duration::from_secs(1), forever).await.is_err());
    assert_eq!(limiter.snapshot().in_flight, 0);
    limiter.run(call_yielding(vec![Ok::<_, io::Error>(())])).await.unwrap();
}

#[test]
fn run_is_send_if_the_call_is() {
    fn assert_send<T: Send>(_: &T) {}
    assert_send(&limiter().run(call_yielding(vec![Ok::<_, io::Error>(())])));
}
