//! `Limiter::run`, the function form of the attribute.

use std::{error::Error, future::ready, io, sync::Arc, time::Duration};

use ratellmiter_core::{
    Classify, LimitKind, Limiter, Limits, RejectReason, Rejected, Usage, Verdict, classify, tokens::HasUsage,
};
use serde_json::json;
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

fn response(status: u16) -> http::Response<String> {
    let usage = r#"{"usage": {"prompt_tokens": 900, "completion_tokens": 100}}"#;
    http::Response::builder().status(status).header("retry-after", "3").body(usage.to_owned()).unwrap()
}

#[tokio::test(start_paused = true)]
async fn run_retries_a_refusal_inside_an_ok() {
    let start = Instant::now();
    let answer = limiter().run(call_yielding(vec![Ok::<_, io::Error>(response(200)), Ok(response(429))])).await;
    assert_eq!(answer.unwrap().status(), 200);
    assert!((3.0..3.6).contains(&start.elapsed().as_secs_f64()), "{:?}", start.elapsed());
    let refused = json!({ "error": { "code": 429, "message": "Rate limit exceeded" } });
    let answer = limiter().run(call_yielding(vec![Ok::<_, io::Error>(json!("hello")), Ok(refused)])).await;
    assert_eq!(answer.unwrap(), "hello");
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

#[tokio::test(start_paused = true)]
async fn run_retries_refusals_in_boxes_reports_and_texts() {
    let (limiter, start) = (limiter(), Instant::now());
    limiter.run(call_yielding(vec![Ok(()), Err(anyhow::Error::new(refused()).context("outer"))])).await.unwrap();
    limiter.run(call_yielding(vec![Ok(()), Err(eyre::Report::new(refused()))])).await.unwrap();
    limiter.run(call_yielding(vec![Ok(()), Err(Box::<dyn Error>::from(refused()))])).await.unwrap();
    limiter.run(call_yielding(vec![Ok(()), Err(Box::<dyn Error + Send + Sync>::from(refused()))])).await.unwrap();
    limiter.run(call_yielding(vec![Ok(()), Err(Arc::new(refused()) as Arc<dyn Error>)])).await.unwrap();
    limiter.run(call_yielding(vec![Ok(()), Err(refused().to_string())])).await.unwrap();
    limiter.run(call_yielding(vec![Ok(()), Err("429 Too Many Requests: retry-after: 3")])).await.unwrap();
    assert!(start.elapsed() > Duration::from_secs(6 * 3), "{:?}", start.elapsed());
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

/// An error that is `Error` and `Classify`, whose text is not recognised.
#[derive(Debug, thiserror::Error)]
enum ApiError {
    #[error("too fast")]
    TooFast,
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error(transparent)]
    Rejected(#[from] Rejected),
}

impl Classify for ApiError {
    fn verdict(&self) -> Verdict {
        match self {
            Self::TooFast => Verdict::rate_limited(),
            Self::Io(error) => classify::judge_error(error).unwrap_or(Verdict::Failed),
            Self::Rejected(_) => Verdict::Failed,
        }
    }
}

#[tokio::test(start_paused = true)]
async fn runner_classifies_by_the_trait_and_by_contained_errors() {
    let runner = limiter().runner().classify(Classify::verdict);
    let call = call_yielding(vec![Ok(()), Err(ApiError::Io(refused())), Err(ApiError::TooFast)]);
    runner.clone().run(call).await.unwrap();
    let failed = runner.run(call_yielding(vec![Err::<(), _>(ApiError::Io(io::Error::other("no")))])).await;
    assert_eq!(failed.unwrap_err().to_string(), "no");
}

struct Reply {
    status: u16,
    usage: (u64, u64),
}

impl HasUsage for Reply {
    fn usage(&self) -> Option<Usage> {
        Some(self.usage.into())
    }
}

#[tokio::test(start_paused = true)]
async fn runner_classifies_values_of_any_type() {
    let verdict = |reply: &Reply| (reply.status == 429).then(Verdict::rate_limited);
    let usage = (90, 10);
    let limiter = Limiter::new(limiter().limits().tokens_per_minute(10_000));
    let call = call_yielding(vec![Ok::<_, io::Error>(Reply { status: 200, usage }), Ok(Reply { status: 429, usage })]);
    let reply = limiter.runner().tokens(1_000, 0).classify_ok(verdict).usage(HasUsage::usage).run(call).await;
    assert_eq!(reply.unwrap().status, 200);
    assert_eq!(limiter.snapshot().budgets().next().unwrap().taken, 1_000 + 100, "the refused call, and the usage");
}

#[tokio::test(start_paused = true)]
async fn value_of_the_last_attempt_is_returned() {
    let call = call_yielding(vec![Ok::<_, io::Error>(response(200)), Ok(response(429)), Ok(response(429))]);
    let answer = limiter().runner().max_attempts(2).run(call).await;
    assert_eq!(answer.unwrap().status(), 429);
}

#[tokio::test(start_paused = true)]
async fn runner_rejects_a_call_beyond_its_bounds() {
    let limiter = Limiter::new(Limits::per_minute(6).max_queue(1));
    let ok = || ready(Ok::<_, ApiError>(()));
    limiter.runner().bounded().run(ok).await.unwrap();
    let reason = |result: Result<(), ApiError>| match result {
        Err(ApiError::Rejected(rejected)) => rejected.reason,
        other => panic!("{other:?}"),
    };
    assert_eq!(reason(limiter.runner().max_wait(Duration::from_secs(5)).run(ok).await), RejectReason::MaxWait);
    assert_eq!(reason(limiter.runner().max_queue(0).run(ok).await), RejectReason::MaxQueue);
    let soon = Instant::now() + Duration::from_secs(5);
    assert_eq!(reason(limiter.runner().deadline(soon).run(ok).await), RejectReason::Deadline);
    let mut queued = Box::pin(limiter.run(ok));
    assert!(futures::poll!(&mut queued).is_pending());
    assert_eq!(reason(limiter.runner().bounded().run(ok).await), RejectReason::MaxQueue, "the limiter's own");
    let boxed = || ready(Ok::<_, Box<dyn Error>>(()));
    assert!(limiter.runner().max_queue(1).run(boxed).await.unwrap_err().is::<Rejected>());
}

#[tokio::test(start_paused = true)]
async fn run_settles_the_usage_of_known_values() {
    let limiter = Limiter::new(Limits::per_minute(6_000).no_ramp().tokens_per_minute(10_000));
    limiter.run(call_yielding(vec![Ok::<_, io::Error>(response(200))])).await.unwrap();
    let taken = || limiter.snapshot().budgets().next().unwrap().taken;
    assert_eq!(taken(), 1_000);
    limiter.run(call_yielding(vec![Ok::<_, io::Error>(response(200).into_body())])).await.unwrap();
    assert_eq!(taken(), 2_000);
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
