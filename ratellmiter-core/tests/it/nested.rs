//! Calls inside calls: of the same limiter they use its ticket, of another limiter they are calls of their own. A
//! rejection of an inner call is no refusal of the outer one.

use std::{
    error::Error,
    fmt::Display,
    future::Future,
    io,
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use futures::{Stream, StreamExt as _, stream};
use http::{HeaderMap, StatusCode};
use ratellmiter_core::{Limiter, Limits, Rejected, Usage, call, ratellmiter};
use tokio::time::timeout;

/// A server that refuses its first requests.
#[derive(Debug, Default)]
struct Server {
    refusals: u32,
    requests: AtomicU32,
}

impl Server {
    fn refusing(refusals: u32) -> Self {
        Self { refusals, ..Self::default() }
    }

    fn answer(&self) -> io::Result<u32> {
        let request = self.requests.fetch_add(1, Ordering::SeqCst) + 1;
        if request <= self.refusals { Err(refused()) } else { Ok(request) }
    }

    fn requests(&self) -> u32 {
        self.requests.load(Ordering::SeqCst)
    }
}

fn refused() -> io::Error {
    io::Error::other(r#"429 Too Many Requests: {"error": {"message": "Please try again in 1ms"}}"#)
}

fn limits() -> Limits {
    Limits::per_minute(600_000).no_ramp()
}

/// Returns a limiter with room for one call in flight, on which a call inside a call would wait forever.
fn single() -> Limiter {
    Limiter::new(limits().max_in_flight(1))
}

/// Returns the output of `call`, unless it hangs.
async fn finished<T>(call: impl Future<Output = T>) -> T {
    timeout(Duration::from_secs(3_600), call).await.expect("the call hangs")
}

/// Returns the number of calls in flight and of queued calls.
fn state(limiter: &Limiter) -> (u64, usize) {
    let snapshot = limiter.snapshot();
    (snapshot.in_flight, snapshot.queued)
}

#[ratellmiter(limiter = limiter, max_attempts = 3)]
async fn inner(limiter: &Limiter, server: &Server) -> io::Result<u32> {
    server.answer()
}

#[ratellmiter(limiter = limiter, max_attempts = 3)]
async fn outer(limiter: &Limiter, inner_limiter: &Limiter, server: &Server) -> io::Result<u32> {
    tokio::time::sleep(Duration::from_millis(1)).await;
    inner(inner_limiter, server).await
}

#[tokio::test(start_paused = true)]
async fn call_inside_call_uses_its_ticket() {
    let (limiter, server) = (single(), Server::default());
    assert_eq!(finished(outer(&limiter, &limiter, &server)).await.unwrap(), 1);
    assert_eq!(state(&limiter), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn nested_attempts_are_not_multiplied() {
    for limiter in [single(), Limiter::new(limits())] {
        let server = Server::refusing(u32::MAX);
        let error = finished(outer(&limiter, &limiter, &server)).await.unwrap_err();
        assert!(error.to_string().starts_with("429"), "{error}");
        assert_eq!(server.requests(), 3);
        assert_eq!(state(&limiter), (0, 0));
    }
}

#[tokio::test(start_paused = true)]
async fn nested_refusal_is_retried_by_the_outer_call() {
    let (limiter, server) = (single(), Server::refusing(2));
    assert_eq!(finished(outer(&limiter, &limiter, &server)).await.unwrap(), 3);
}

#[tokio::test(start_paused = true)]
async fn nested_run_makes_one_attempt() {
    #[ratellmiter(limiter = limiter, max_attempts = 3)]
    async fn with_run(limiter: &Limiter, server: &Server) -> io::Result<u32> {
        limiter.run(|| async { server.answer() }).await
    }

    let (limiter, server) = (single(), Server::refusing(u32::MAX));
    finished(with_run(&limiter, &server)).await.unwrap_err();
    assert_eq!(server.requests(), 3);

    let server = Server::refusing(u32::MAX);
    let run = limiter.runner().max_attempts(3).run(|| inner(&limiter, &server));
    finished(run).await.unwrap_err();
    assert_eq!(server.requests(), 3, "a function inside `run`");
}

#[tokio::test(start_paused = true)]
async fn nested_call_is_not_bounded() {
    #[ratellmiter(limiter = limiter, max_queue = 0)]
    async fn bounded(limiter: &Limiter) -> Result<u32, Box<dyn Error>> {
        Ok(1)
    }

    let limiter = single();
    let call = limiter.run(|| async { bounded(&limiter).await.map_err(|error| error.to_string()) });
    assert_eq!(finished(call).await, Ok(1));
}

#[ratellmiter(limiter = limiter, max_attempts = 3)]
fn inner_blocking(limiter: &Limiter, server: &Server) -> io::Result<u32> {
    server.answer()
}

#[ratellmiter(limiter = limiter, max_attempts = 3)]
fn outer_blocking(limiter: &Limiter, server: &Server) -> io::Result<u32> {
    inner_blocking(limiter, server)
}

#[test]
fn blocking_call_inside_blocking_call_finishes() {
    let (sender, receiver) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let (limiter, accepted, server) = (single(), Server::default(), Server::refusing(u32::MAX));
        let answer = outer_blocking(&limiter, &accepted).unwrap();
        outer_blocking(&limiter, &server).unwrap_err();
        sender.send((answer, server.requests(), state(&limiter))).unwrap();
    });
    let (answer, requests, state) = receiver.recv_timeout(Duration::from_secs(60)).expect("the call hangs");
    assert_eq!((answer, requests, state), (1, 3, (0, 0)));
}

#[tokio::test(start_paused = true)]
async fn other_limiter_grants_a_ticket_of_its_own() {
    #[ratellmiter(limiter = limiter)]
    async fn holding(limiter: &Limiter, both: [&Limiter; 2]) -> [u64; 2] {
        both.map(|limiter| limiter.snapshot().in_flight)
    }

    let [first, second] = [single(), single()];
    let in_flight = first.run(|| async { Ok::<_, io::Error>(holding(&second, [&first, &second]).await) });
    assert_eq!(finished(in_flight).await.unwrap(), [1, 1]);
    let in_flight = first.run(|| async { Ok::<_, io::Error>(holding(&first, [&first, &second]).await) });
    assert_eq!(finished(in_flight).await.unwrap(), [1, 0]);
    assert_eq!((state(&first), state(&second)), ((0, 0), (0, 0)));
}

#[tokio::test(start_paused = true)]
async fn inner_responses_of_another_limiter_stay_inside() {
    let [first, second] = [single(), single()];
    let attempts = AtomicU32::new(0);
    let attempt = || async {
        attempts.fetch_add(1, Ordering::SeqCst);
        let refused = second.runner().max_attempts(1).run(|| async {
            call::observe(StatusCode::TOO_MANY_REQUESTS, &HeaderMap::new());
            Err::<(), _>(io::Error::other("no answer"))
        });
        refused.await.map_err(|_| io::Error::other("something else"))
    };
    finished(first.run(attempt)).await.unwrap_err();
    assert_eq!(attempts.load(Ordering::SeqCst), 1);
    assert!(first.snapshot().paused_until.is_none() && second.snapshot().paused_until.is_some());
}

#[tokio::test(start_paused = true)]
async fn nested_responses_belong_to_the_outer_call() {
    let (limiter, attempts) = (single(), AtomicU32::new(0));
    let nested = || async {
        let attempt = attempts.fetch_add(1, Ordering::SeqCst);
        if attempt == 0 {
            call::observe(StatusCode::TOO_MANY_REQUESTS, &HeaderMap::new());
            return Err(io::Error::other("no answer"));
        }
        Ok(attempt)
    };
    let answer = limiter.run(|| async { limiter.run(nested).await.map_err(|_| io::Error::other("something else")) });
    assert_eq!(finished(answer).await.unwrap(), 1);
}

#[tokio::test(start_paused = true)]
async fn limiter_is_found_across_a_call_of_another() {
    let [first, second] = [single(), single()];
    let innermost = || async { second.run(|| async { Ok::<_, io::Error>(7) }).await };
    let middle = || async { second.run(|| first.run(innermost)).await };
    assert_eq!(finished(first.run(middle)).await.unwrap(), 7);
    assert_eq!((state(&first), state(&second)), ((0, 0), (0, 0)));
}

#[tokio::test(start_paused = true)]
async fn spawned_call_takes_a_ticket_of_its_own() {
    let limiter = Limiter::new(limits());
    let in_flight = limiter.run(|| async {
        let limiter = limiter.clone();
        let spawned = async move { limiter.run(|| async { Ok::<_, io::Error>(limiter.snapshot().in_flight) }).await };
        tokio::spawn(spawned).await.unwrap()
    });
    assert_eq!(in_flight.await.unwrap(), 2);
}

fn taken(limiter: &Limiter) -> u64 {
    limiter.snapshot().budgets().next().unwrap().taken
}

#[tokio::test(start_paused = true)]
async fn usage_of_nested_calls_is_added() {
    let limiter = Limiter::new(limits().max_in_flight(1).tokens_per_minute(100_000));
    let runner = || limiter.runner().tokens(10_000, 0);
    let nested = || async {
        let usage = runner().usage(|usage: &Usage| *usage).run(|| async { Ok::<_, io::Error>(Usage::new(70, 30)) });
        usage.await.map(|_| "text without usage")
    };
    let twice = || async {
        nested().await?;
        nested().await
    };
    finished(runner().run(twice)).await.unwrap();
    assert_eq!(taken(&limiter), 200);
    let own = runner().usage(|_: &&str| Usage::new(5, 0)).run(nested);
    finished(own).await.unwrap();
    assert_eq!(taken(&limiter), 205, "the usage of the outer call counts");
    let reported = runner().run(|| async {
        call::report_usage((4, 3));
        nested().await
    });
    finished(reported).await.unwrap();
    assert_eq!(taken(&limiter), 212);
}

#[ratellmiter(limiter = limiter, tokens = 10_000, max_attempts = 3, stream)]
async fn items(limiter: &Limiter, server: &Server) -> io::Result<impl Stream<Item = io::Result<Usage>> + use<>> {
    let first = server.answer().map(|_| Usage::new(70, 10));
    Ok(stream::iter([first, Ok(Usage::new(70, 30))]))
}

#[ratellmiter(limiter = limiter, tokens = 10_000, max_attempts = 3, stream)]
async fn outer_items(limiter: &Limiter, server: &Server) -> io::Result<impl Stream<Item = io::Result<Usage>> + use<>> {
    items(limiter, server).await
}

#[ratellmiter(limiter = limiter, tokens = 10_000, max_attempts = 3)]
async fn collected(limiter: &Limiter, server: &Server) -> io::Result<usize> {
    let items: Vec<_> = items(limiter, server).await?.collect().await;
    let items: io::Result<Vec<_>> = items.into_iter().collect();
    Ok(items?.len())
}

#[tokio::test(start_paused = true)]
async fn stream_inside_a_call_keeps_its_ticket() {
    #[ratellmiter(limiter = limiter, tokens = 10_000)]
    async fn in_tuple(
        limiter: &Limiter,
        server: &Server,
    ) -> io::Result<(u8, impl Stream<Item = io::Result<Usage>> + use<>)> {
        Ok((7, items(limiter, server).await?))
    }

    let limiter = Limiter::new(limits().max_in_flight(1).tokens_per_minute(100_000));
    let (_, items) = finished(in_tuple(&limiter, &Server::default())).await.unwrap();
    assert_eq!(state(&limiter), (1, 0));
    assert_eq!(items.count().await, 2);
    assert_eq!((state(&limiter), taken(&limiter)), ((0, 0), 100));
}

#[tokio::test(start_paused = true)]
async fn stream_inside_a_stream_uses_its_ticket() {
    let limiter = Limiter::new(limits().max_in_flight(1).tokens_per_minute(100_000));
    let items = finished(outer_items(&limiter, &Server::default())).await.unwrap();
    assert_eq!(state(&limiter), (1, 0));
    assert_eq!(items.count().await, 2);
    assert_eq!((state(&limiter), taken(&limiter)), ((0, 0), 100));
    let server = Server::refusing(u32::MAX);
    let items = finished(outer_items(&limiter, &server)).await.unwrap();
    assert!(items.collect::<Vec<_>>().await[0].is_err());
    assert_eq!((server.requests(), state(&limiter)), (3, (0, 0)));
}

#[tokio::test(start_paused = true)]
async fn stream_consumed_inside_a_call_settles_it() {
    let limiter = Limiter::new(limits().max_in_flight(1).tokens_per_minute(100_000));
    assert_eq!(finished(collected(&limiter, &Server::default())).await.unwrap(), 2);
    assert_eq!((state(&limiter), taken(&limiter)), ((0, 0), 100));
    let server = Server::refusing(u32::MAX);
    finished(collected(&limiter, &server)).await.unwrap_err();
    assert_eq!((server.requests(), state(&limiter)), (3, (0, 0)));
}

#[tokio::test(start_paused = true)]
async fn usage_of_all_streams_inside_a_call_is_added() {
    #[ratellmiter(limiter = limiter, tokens = 10_000, max_attempts = 3)]
    async fn thrice(limiter: &Limiter, server: &Server) -> io::Result<usize> {
        let mut count = 0;
        for _ in 0..3 {
            count += collected(limiter, server).await?;
        }
        Ok(count)
    }
    let limiter = Limiter::new(limits().max_in_flight(1).tokens_per_minute(100_000));
    assert_eq!(finished(thrice(&limiter, &Server::default())).await.unwrap(), 6);
    assert_eq!((state(&limiter), taken(&limiter)), ((0, 0), 300));
    let refused_once = Server::refusing(1);
    assert_eq!(finished(thrice(&limiter, &refused_once)).await.unwrap(), 6);
    assert_eq!((refused_once.requests(), state(&limiter)), (4, (0, 0)));
}

/// An error that a rejection becomes a part of.
#[derive(Debug, thiserror::Error)]
enum AppError {
    #[error("api error: {0}")]
    Limiter(#[source] Rejected),
    #[error("status: 429: {0}")]
    Boxed(#[source] Box<dyn Error + Send + Sync>),
    #[error(transparent)]
    Transparent(Rejected),
}

/// Returns the rejection of a limiter whose next call is due in ten seconds.
async fn rejected() -> Rejected {
    let limiter = Limiter::new(Limits::per_minute(6));
    limiter.acquire().await.finish();
    let inner = || async { Ok::<_, Rejected>(()) };
    limiter.runner().max_wait(Duration::from_secs(1)).run(inner).await.unwrap_err()
}

/// Asserts that an error of type `$error`, which `$wrap` makes of a rejection, is final: for an annotated function and for
/// `run`, without and with an observed refusal.
macro_rules! assert_final {
    ($error:ty, $wrap:expr) => {{
        #[ratellmiter(limiter = limiter)]
        async fn outer(limiter: &Limiter, attempts: &AtomicU32, is_observed: bool) -> Result<(), $error> {
            attempts.fetch_add(1, Ordering::SeqCst);
            if is_observed {
                call::observe(StatusCode::TOO_MANY_REQUESTS, &HeaderMap::new());
            }
            let wrap: fn(Rejected) -> $error = $wrap;
            Err(wrap(rejected().await))
        }

        for is_observed in [false, true] {
            let (limiter, attempts) = (Limiter::new(limits()), AtomicU32::new(0));
            outer(&limiter, &attempts, is_observed).await.unwrap_err();
            assert_eq!(attempts.load(Ordering::SeqCst), 1, "{}", stringify!($wrap));
            let run = limiter.run(|| async {
                attempts.fetch_add(1, Ordering::SeqCst);
                if is_observed {
                    call::observe(StatusCode::TOO_MANY_REQUESTS, &HeaderMap::new());
                }
                let wrap: fn(Rejected) -> $error = $wrap;
                Err::<(), $error>(wrap(rejected().await))
            });
            run.await.unwrap_err();
            assert_eq!(attempts.load(Ordering::SeqCst), 2, "run: {}", stringify!($wrap));
            assert!(limiter.snapshot().paused_until.is_none());
        }
    }};
}

fn in_text(rejected: impl Display) -> String {
    format!("api error: {rejected}")
}

#[tokio::test(start_paused = true)]
async fn rejection_inside_an_error_is_final() {
    assert_final!(Rejected, |rejected| rejected);
    assert_final!(anyhow::Error, |rejected| rejected.into());
    assert_final!(anyhow::Error, |rejected| anyhow::Error::new(rejected).context("status: 429"));
    assert_final!(AppError, AppError::Limiter);
    assert_final!(AppError, |rejected| AppError::Boxed(rejected.into()));
    assert_final!(AppError, AppError::Transparent);
    assert_final!(Box<dyn Error>, |rejected| rejected.into());
    assert_final!(Box<dyn Error + Send + Sync>, |rejected| AppError::Boxed(rejected.into()).into());
    assert_final!(io::Error, io::Error::other);
    assert_final!(String, |rejected| in_text(rejected));
    assert_final!(anyhow::Error, |rejected| anyhow::Error::msg(in_text(rejected)));
}
