//! Transient failures: a call is sent again a few times, and no other call is affected.

use std::{
    cell::Cell,
    io,
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use futures::{Stream, StreamExt as _, stream};
use http::HeaderMap;
use ratellmiter_core::{Limiter, Limits, Rejected, call, ratellmiter};
use tokio::time::{Instant, timeout};

/// A server that fails the first requests.
#[derive(Debug, Default)]
struct Server {
    failures: u32,
    status: u16,
    headers: &'static [(&'static str, &'static str)],
    requests: AtomicU32,
}

impl Server {
    fn failing(failures: u32) -> Self {
        Self { failures, status: 502, ..Self::default() }
    }

    /// Answers a request, or fails it with an error that shows the status only by its text.
    fn answer(&self) -> io::Result<u32> {
        let request = self.requests.fetch_add(1, Ordering::SeqCst) + 1;
        if request > self.failures {
            return Ok(request);
        }
        let header =
            |(name, value): &(&'static str, &str)| (http::HeaderName::from_static(name), value.parse().unwrap());
        let headers: HeaderMap = self.headers.iter().map(header).collect();
        if !headers.is_empty() {
            call::observe(http::StatusCode::from_u16(self.status).unwrap(), &headers);
        }
        Err(io::Error::other(format!("{} Some Reason", self.status)))
    }

    fn requests(&self) -> u32 {
        self.requests.load(Ordering::SeqCst)
    }
}

fn limits() -> Limits {
    Limits::per_minute(600_000).no_ramp()
}

fn limiter() -> Limiter {
    Limiter::new(limits())
}

#[ratellmiter(limiter = limiter)]
async fn ask(limiter: &Limiter, server: &Server) -> io::Result<u32> {
    server.answer()
}

/// Asserts that `took` is `wait` with its jitter.
#[track_caller]
fn assert_took(took: Duration, wait: Duration) {
    let max = wait + (wait / 20).max(Duration::from_millis(20)) + Duration::from_millis(2);
    assert!(took >= wait && took <= max, "{took:?}, not {wait:?}");
}

#[tokio::test(start_paused = true)]
async fn single_failure_is_sent_again_after_half_a_second() {
    let (limiter, server, start) = (limiter(), Server::failing(1), Instant::now());
    assert_eq!(ask(&limiter, &server).await.unwrap(), 2);
    assert_took(start.elapsed(), Duration::from_millis(500));
    let snapshot = limiter.snapshot();
    assert_eq!((snapshot.queued, snapshot.in_flight), (0, 0));
    assert!(snapshot.rate_per_second > 9_000.0, "no pause and no lower rate");
}

#[tokio::test(start_paused = true)]
async fn last_failure_is_returned_after_two_retries() {
    let (server, start) = (Server::failing(9), Instant::now());
    assert!(ask(&limiter(), &server).await.unwrap_err().to_string().starts_with("502"));
    assert_eq!(server.requests(), 3);
    assert_took(start.elapsed(), Duration::from_millis(1500));
}

#[tokio::test(start_paused = true)]
async fn zero_attempts_return_the_failure_at_once() {
    let (server, start) = (Server::failing(9), Instant::now());
    let limiter = Limiter::new(limits().transient_attempts(0));
    for _ in 0..9 {
        assert!(ask(&limiter, &server).await.is_err());
    }
    assert!(start.elapsed() < Duration::from_millis(10), "no pause");
    assert_eq!(server.requests(), 9);
}

#[tokio::test(start_paused = true)]
async fn hint_of_the_server_is_followed() {
    let (server, start) = (Server { headers: &[("retry-after", "3")], ..Server::failing(1) }, Instant::now());
    assert_eq!(ask(&limiter(), &server).await.unwrap(), 2);
    assert_took(start.elapsed(), Duration::from_secs(3));
}

#[tokio::test(start_paused = true)]
async fn header_of_the_server_decides_about_a_retry() {
    let server = Server { headers: &[("x-should-retry", "false")], ..Server::failing(1) };
    assert!(ask(&limiter(), &server).await.is_err());
    let server = Server { headers: &[("x-should-retry", "true")], status: 400, ..Server::failing(1) };
    assert_eq!(ask(&limiter(), &server).await.unwrap(), 2);
    let server = Server { status: 400, ..Server::failing(1) };
    assert!(ask(&limiter(), &server).await.is_err());
}

#[ratellmiter(limiter = limiter, transient_attempts = 4)]
async fn ask_often(limiter: &Limiter, server: &Server) -> io::Result<u32> {
    server.answer()
}

#[ratellmiter(limiter = limiter, transient_attempts = u32::from(is_retried), max_attempts = 1)]
async fn ask_rarely(limiter: &Limiter, server: &Server, is_retried: bool) -> io::Result<u32> {
    server.answer()
}

#[tokio::test(start_paused = true)]
async fn attribute_option_sets_the_retries_of_a_function() {
    assert_eq!(ask_often(&limiter(), &Server::failing(4)).await.unwrap(), 5);
    assert!(ask_rarely(&limiter(), &Server::failing(1), false).await.is_err());
    assert_eq!(ask_rarely(&limiter(), &Server::failing(1), true).await.unwrap(), 2, "not limited by `max_attempts`");
}

#[tokio::test(start_paused = true)]
async fn other_calls_are_sent_during_the_wait() {
    let (limiter, server, other, start) = (limiter(), Server::failing(1), Server::failing(0), Instant::now());
    let others = async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        assert_eq!(limiter.snapshot().in_flight, 0);
        assert_eq!(limiter.snapshot().queued, 1);
        assert_eq!(ask(&limiter, &other).await.unwrap(), 1);
        start.elapsed()
    };
    let (answer, sent) = tokio::join!(ask(&limiter, &server), others);
    assert_eq!(answer.unwrap(), 2);
    assert!(sent < Duration::from_millis(110), "{sent:?}");
}

#[tokio::test(start_paused = true)]
async fn dropped_call_leaves_during_its_wait() {
    let (limiter, server) = (limiter(), Server::failing(1));
    assert!(timeout(Duration::from_millis(100), ask(&limiter, &server)).await.is_err());
    assert_eq!((limiter.snapshot().in_flight, limiter.snapshot().queued), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn failing_server_pauses_the_limiter() {
    let (limiter, server) = (limiter(), Server::failing(u32::MAX));
    let calls = (0..100).map(|_| ask(&limiter, &server));
    let calls = futures::future::join_all(calls);
    let pause = async {
        tokio::time::sleep(Duration::from_millis(50)).await;
        (limiter.snapshot(), server.requests())
    };
    let (results, (snapshot, requests)) = tokio::join!(calls, pause);
    assert!(results.iter().all(Result::is_err));
    assert!(snapshot.rate_per_second < 1e-9, "paused: {snapshot:?}");
    assert!(requests < 20, "{requests} requests");
    assert!(server.requests() <= 300, "{} requests", server.requests());
}

#[derive(Debug)]
struct AskError(&'static str);

impl std::fmt::Display for AskError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for AskError {}

impl From<Rejected> for AskError {
    fn from(_: Rejected) -> Self {
        Self("rejected")
    }
}

#[ratellmiter(limiter = limiter, deadline = Instant::now() + Duration::from_millis(millis))]
async fn ask_until(limiter: &Limiter, server: &Server, millis: u64) -> Result<u32, AskError> {
    server.answer().map_err(|_| AskError("502 Bad Gateway"))
}

#[tokio::test(start_paused = true)]
async fn retry_after_the_deadline_returns_the_failure() {
    assert_eq!(ask_until(&limiter(), &Server::failing(1), 600).await.unwrap(), 2);
    assert_eq!(ask_until(&limiter(), &Server::failing(1), 400).await.unwrap_err().0, "502 Bad Gateway");
}

#[ratellmiter(limiter = limiter)]
fn ask_blocking(limiter: &Limiter, server: &Server) -> io::Result<u32> {
    server.answer()
}

#[test]
fn blocking_call_is_sent_again() {
    let (server, start) = (Server::failing(1), std::time::Instant::now());
    assert_eq!(ask_blocking(&limiter(), &server).unwrap(), 2);
    assert!(start.elapsed() >= Duration::from_millis(500) && start.elapsed() < Duration::from_secs(5));
    assert!(ask_blocking(&Limiter::new(limits().transient_attempts(0)), &Server::failing(1)).is_err());
}

#[ratellmiter(limiter = limiter, stream)]
async fn parts(limiter: &Limiter, server: &Server, at: usize) -> io::Result<impl Stream<Item = io::Result<u32>>> {
    let items: Vec<_> = (0..3).map(|item| if item == at { server.answer() } else { Ok(0) }).collect();
    Ok(stream::iter(items))
}

#[tokio::test(start_paused = true)]
async fn stream_is_sent_again_before_its_first_item_only() {
    let (server, start) = (Server::failing(1), Instant::now());
    let items: Vec<_> = parts(&limiter(), &server, 0).await.unwrap().collect().await;
    assert_eq!(items.into_iter().map(Result::unwrap).collect::<Vec<_>>(), [2, 0, 0]);
    assert_took(start.elapsed(), Duration::from_millis(500));
    let (server, limiter) = (Server::failing(1), limiter());
    let items: Vec<_> = parts(&limiter, &server, 1).await.unwrap().collect().await;
    assert!(items[0].is_ok() && items[1].is_err());
    assert_eq!((server.requests(), limiter.snapshot().in_flight), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn function_form_sends_a_failed_call_again() {
    let requests = Cell::new(0);
    let call = || {
        requests.set(requests.get() + 1);
        std::future::ready(Err::<(), _>(io::Error::from(io::ErrorKind::ConnectionRefused)))
    };
    assert!(limiter().run(call).await.is_err());
    assert_eq!(requests.get(), 3);
}

#[tokio::test(start_paused = true)]
async fn ticket_is_queued_again_after_a_failure() {
    let (limiter, start) = (limiter(), Instant::now());
    let mut ticket = limiter.acquire().await;
    for _ in 0..2 {
        ticket = ticket.retry_after_failure(None).unwrap().await;
    }
    assert_took(start.elapsed(), Duration::from_millis(1500));
    assert!(ticket.retry_after_failure(None).is_none());
    assert_eq!((limiter.snapshot().in_flight, limiter.snapshot().queued), (0, 0));
    let ticket = limiter.acquire().await;
    let start = Instant::now();
    ticket.retry_after_failure(Some(Duration::from_secs(20))).unwrap().await.finish();
    assert_took(start.elapsed(), Duration::from_millis(20_000));
}
