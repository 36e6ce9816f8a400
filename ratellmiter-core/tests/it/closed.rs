//! A limiter that closes because a quota is spent or its server accepts no call, in virtual time.

// A negative time fails the test, as it should.
#![allow(clippy::unchecked_time_subtraction)]

use std::{
    cell::Cell,
    error::Error,
    fmt,
    time::{Duration, SystemTime},
};

use futures::{
    StreamExt as _,
    future::{BoxFuture, join_all},
    stream,
};
use ratellmiter_core::{
    AcquireOptions, Classify, LimitKind, Limiter, Limits, OnExhausted, RejectReason, Rejected, Verdict, ratellmiter,
};
use tokio::time::{Instant, sleep};

const LATENCY: Duration = Duration::from_millis(50);

/// The error of a refused request.
#[derive(Debug, Clone, Copy, PartialEq)]
struct ApiError {
    verdict: Verdict,
    /// Number of the request.
    request: u32,
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "request {} was refused: 429 Too Many Requests", self.request)
    }
}

impl Error for ApiError {}

impl Classify for ApiError {
    fn verdict(&self) -> Verdict {
        self.verdict
    }
}

/// An error of a user that can be a rejection.
#[derive(Debug)]
enum OwnError {
    Api(ApiError),
    Rejected(Rejected),
}

impl Classify for OwnError {
    fn verdict(&self) -> Verdict {
        match self {
            Self::Api(error) => error.verdict,
            Self::Rejected(_) => Verdict::Failed,
        }
    }
}

impl From<Rejected> for OwnError {
    fn from(rejected: Rejected) -> Self {
        Self::Rejected(rejected)
    }
}

/// A server that refuses requests by a rule, which knows the number of the request and the time of the test.
struct Server {
    refuses: Box<dyn Fn(u32, Duration) -> Option<Verdict>>,
    start: Instant,
    requests: Cell<u32>,
    refusals: Cell<u32>,
    first_refusal: Cell<Option<Duration>>,
}

impl Server {
    fn new(refuses: impl Fn(u32, Duration) -> Option<Verdict> + 'static) -> Self {
        Self {
            refuses: Box::new(refuses),
            start: Instant::now(),
            requests: Cell::new(0),
            refusals: Cell::new(0),
            first_refusal: Cell::new(None),
        }
    }

    async fn request(&self) -> Result<u32, ApiError> {
        self.requests.set(self.requests.get() + 1);
        let request = self.requests.get();
        let verdict = (self.refuses)(request, self.start.elapsed());
        sleep(LATENCY).await;
        let Some(verdict) = verdict else { return Ok(request) };
        self.refusals.set(self.refusals.get() + 1);
        if self.first_refusal.get().is_none() {
            self.first_refusal.set(Some(self.start.elapsed()));
        }
        Err(ApiError { verdict, request })
    }
}

fn is_spent(error: &anyhow::Error) -> Verdict {
    error.downcast_ref::<ApiError>().map_or(Verdict::Failed, |error| error.verdict)
}

#[ratellmiter(limiter = limiter, classify = |out: &anyhow::Result<u32>| match out {
    Ok(_) => Verdict::Success,
    Err(error) => is_spent(error),
})]
async fn ask(limiter: &Limiter, server: &Server) -> anyhow::Result<u32> {
    Ok(server.request().await?)
}

#[ratellmiter(limiter = limiter)]
async fn ask_own(limiter: &Limiter, server: &Server) -> Result<u32, OwnError> {
    server.request().await.map_err(OwnError::Api)
}

#[ratellmiter(limiter = limiter)]
async fn ask_plain(limiter: &Limiter, server: &Server) -> Result<u32, ApiError> {
    server.request().await
}

/// Makes `calls` calls at once, and returns their results with the times at which they ended.
async fn all<T, F: Future<Output = T>>(server: &Server, calls: usize, call: impl Fn() -> F) -> Vec<(Duration, T)> {
    let call = &call;
    let one = || async move {
        let out = call().await;
        (server.start.elapsed(), out)
    };
    join_all((0..calls).map(|_| one())).await
}

fn spent_for(time: Duration) -> Verdict {
    Verdict::QuotaExhausted { resumes_at: Some(SystemTime::now() + time), limit: LimitKind::Billing }
}

fn hours(hours: u64) -> Duration {
    Duration::from_secs(3600 * hours)
}

fn about_two_hours(resumes_at: Option<SystemTime>) -> bool {
    let left = resumes_at.and_then(|at| at.duration_since(SystemTime::now()).ok());
    left.is_some_and(|left| left > hours(2) - Duration::from_secs(60) && left <= hours(2))
}

#[tokio::test(start_paused = true)]
async fn spent_quota_fails_all_queued_calls() {
    let limiter = Limiter::new(Limits::per_minute(300));
    let server = Server::new(|_, _| Some(spent_for(hours(2))));
    let results = all(&server, 100, || ask(&limiter, &server)).await;
    let first = server.first_refusal.get().expect("a refusal");
    println!("{} requests", server.requests.get());
    assert!(server.requests.get() <= 3, "{} requests", server.requests.get());
    let last = results.iter().map(|(at, _)| *at).max().unwrap_or_default();
    assert!(last <= first + Duration::from_secs(1), "{last:?}");
    let mut rejections = 0;
    for (_, result) in &results {
        let error = result.as_ref().expect_err("the quota is spent");
        if let Some(rejected) = error.downcast_ref::<Rejected>() {
            assert_eq!(rejected.reason, RejectReason::QuotaExhausted);
            assert!(about_two_hours(rejected.resumes_at), "{rejected:?}");
            rejections += 1;
        } else {
            assert!(error.downcast_ref::<ApiError>().is_some(), "{error}");
        }
    }
    assert_eq!(rejections + server.requests.get(), 100);
    let snapshot = limiter.snapshot();
    let closed = snapshot.closed.expect("closed");
    assert_eq!((closed.reason, snapshot.queued, snapshot.in_flight), (RejectReason::QuotaExhausted, 0, 0));
    assert!(about_two_hours(closed.resumes_at), "{closed:?}");
}

#[tokio::test(start_paused = true)]
async fn users_own_error_is_detected() {
    let limiter = Limiter::new(Limits::per_minute(300));
    let server = Server::new(|_, _| Some(spent_for(hours(2))));
    let results = all(&server, 20, || ask_own(&limiter, &server)).await;
    assert!(server.requests.get() <= 3);
    let is_rejected =
        |error: &OwnError| matches!(error, OwnError::Rejected(rejected) if about_two_hours(rejected.resumes_at));
    let rejected = results.iter().filter(|(_, result)| result.as_ref().is_err_and(is_rejected)).count();
    assert!(rejected >= 17, "{rejected}");
}

#[tokio::test(start_paused = true)]
async fn boxed_errors_and_reports_are_detected() {
    #[ratellmiter(limiter = limiter)]
    async fn boxed(limiter: &Limiter) -> Result<u32, Box<dyn Error + Send + Sync>> {
        unreachable!("{limiter:?} is closed")
    }

    #[ratellmiter(limiter = limiter)]
    async fn report(limiter: &Limiter) -> eyre::Result<u32> {
        unreachable!("{limiter:?} is closed")
    }

    #[ratellmiter(limiter = limiter)]
    async fn generic<T: Default>(limiter: &Limiter) -> Result<T, Box<dyn Error>> {
        unreachable!("{limiter:?} is closed")
    }

    #[ratellmiter(limiter = limiter)]
    fn blocking(limiter: &Limiter) -> anyhow::Result<u32> {
        unreachable!("{limiter:?} is closed")
    }

    #[ratellmiter(limiter = limiter, stream)]
    async fn parts(limiter: &Limiter) -> anyhow::Result<stream::BoxStream<'_, Result<u32, ApiError>>> {
        unreachable!("{limiter:?} is closed")
    }

    #[ratellmiter(limiter = limiter, stream)]
    async fn unnamed(limiter: &Limiter) -> anyhow::Result<impl futures::Stream<Item = Result<u32, ApiError>>> {
        if limiter.snapshot().in_flight > 0 {
            return Ok(stream::empty::<Result<u32, ApiError>>());
        }
        unreachable!("{limiter:?} is closed")
    }

    #[ratellmiter(limiter = limiter)]
    fn pinned(limiter: &Limiter) -> BoxFuture<'_, anyhow::Result<u32>> {
        Box::pin(async move { unreachable!("{limiter:?} is closed") })
    }

    #[ratellmiter(limiter = limiter)]
    fn opaque(limiter: &Limiter) -> impl Future<Output = anyhow::Result<u32>> {
        async move { unreachable!("{limiter:?} is closed") }
    }

    fn assert_send<T: Send>(value: T) -> T {
        value
    }

    let limiter = Limiter::new(Limits::per_minute(300));
    limiter.report_refusal(spent_for(hours(2)));
    let is_rejection = |error: &(dyn Error + 'static)| error.is::<Rejected>();
    assert!(is_rejection(&*boxed(&limiter).await.expect_err("closed")));
    assert!(is_rejection(report(&limiter).await.expect_err("closed").as_ref()));
    // The error is not `Send`, but the future is.
    assert!(is_rejection(&*assert_send(generic::<u32>(&limiter)).await.expect_err("closed")));
    assert!(pinned(&limiter).await.expect_err("closed").is::<Rejected>());
    assert!(opaque(&limiter).await.expect_err("closed").is::<Rejected>());
    assert!(blocking(&limiter).expect_err("closed").is::<Rejected>());
    assert!(parts(&limiter).await.err().expect("closed").is::<Rejected>());
    assert!(unnamed(&limiter).await.err().expect("closed").is::<Rejected>());
    let bounded = limiter.runner().bounded().run(|| async { Ok::<_, anyhow::Error>(1) }).await;
    assert!(bounded.expect_err("closed").is::<Rejected>());
}

#[tokio::test(start_paused = true)]
async fn waiting_batch_continues_when_the_quota_is_back() {
    let end = Cell::new(None);
    let limiter = Limiter::new(Limits::per_minute(600).no_ramp().on_exhausted(OnExhausted::Wait));
    // The quota ends at the hundredth request, for five seconds.
    let server = Server::new(move |request, now| {
        if request == 101 {
            end.set(Some(now + Duration::from_secs(5)));
        }
        let left = end.get().filter(|end| now < *end)? - now;
        Some(spent_for(left))
    });
    let results = all(&server, 500, || ask(&limiter, &server)).await;
    println!("{} refusals", server.refusals.get());
    assert_eq!(results.iter().filter(|(_, result)| result.is_ok()).count(), 500);
    assert!(server.refusals.get() <= 2, "{} refused requests", server.refusals.get());
    let last = results.iter().map(|(at, _)| *at).max().unwrap_or_default();
    assert!(last < Duration::from_secs(70), "{last:?}");
}

#[tokio::test(start_paused = true)]
async fn waiting_batch_finds_the_end_by_probes() {
    let limiter = Limiter::new(Limits::per_minute(600).no_ramp().on_exhausted(OnExhausted::Wait));
    let server = Server::new(move |_, now| {
        let is_spent = (Duration::from_secs(5)..Duration::from_secs(600)).contains(&now);
        is_spent.then_some(Verdict::QuotaExhausted { resumes_at: None, limit: LimitKind::Billing })
    });
    let results = all(&server, 100, || ask_plain(&limiter, &server)).await;
    assert!(results.iter().all(|(_, result)| result.is_ok()));
    assert!(server.refusals.get() <= 11, "one a minute: {}", server.refusals.get());
}

#[tokio::test(start_paused = true)]
async fn server_that_never_accepts_is_given_up_after_two_minutes() {
    let limiter = Limiter::new(Limits::per_minute(300));
    let server = Server::new(|_, _| Some(Verdict::rate_limited()));
    let results = all(&server, 100, || ask(&limiter, &server)).await;
    let last = results.iter().map(|(at, _)| *at).max().unwrap_or_default();
    println!("{} requests, {last:?}", server.requests.get());
    assert!(results.iter().all(|(_, result)| result.is_err()));
    assert!(last <= Duration::from_secs(150), "{last:?}");
    assert!(server.requests.get() <= 15, "{} requests", server.requests.get());
    let own = results.iter().filter_map(|(_, result)| result.as_ref().err()?.downcast_ref::<ApiError>()).count();
    assert!(own > 0, "calls that were refused return their own error");
    let rejected = results.iter().filter_map(|(_, result)| result.as_ref().err()?.downcast_ref::<Rejected>());
    assert!(rejected.clone().all(|rejected| rejected.reason == RejectReason::Unavailable));
    assert_eq!(rejected.count() + own, 100);
    assert_eq!(limiter.snapshot().closed.map(|closed| closed.resumes_at), Some(None));
}

#[tokio::test(start_paused = true)]
async fn server_that_fails_every_call_is_given_up_after_two_minutes() {
    let limiter = Limiter::new(Limits::per_minute(600));
    let server = Server::new(|_, _| Some(Verdict::transient()));
    let results = all(&server, 100, || ask(&limiter, &server)).await;
    let last = results.iter().map(|(at, _)| *at).max().unwrap_or_default();
    println!("{} requests, {last:?}", server.requests.get());
    assert!(results.iter().all(|(_, result)| result.is_err()));
    assert!(last <= Duration::from_secs(190), "{last:?}");
    assert_eq!(limiter.snapshot().closed.map(|closed| closed.reason), Some(RejectReason::Unavailable));
}

#[tokio::test(start_paused = true)]
async fn server_that_accepted_once_is_given_up_after_a_quarter_of_an_hour() {
    let limiter = Limiter::new(Limits::per_minute(300));
    let server = Server::new(|request, _| (request > 1).then_some(Verdict::rate_limited()));
    assert!(ask(&limiter, &server).await.is_ok());
    let results = all(&server, 100, || ask(&limiter, &server)).await;
    let last = results.iter().map(|(at, _)| *at).max().unwrap_or_default();
    println!("{} requests, {last:?}", server.requests.get());
    assert!(results.iter().all(|(_, result)| result.is_err()));
    assert!(last <= Duration::from_secs(16 * 60), "{last:?}");
    assert!(server.requests.get() <= 40, "{} requests", server.requests.get());
}

#[tokio::test(start_paused = true)]
async fn calls_that_cannot_fail_get_their_own_refusal_one_a_second() {
    let limiter = Limiter::new(Limits::per_minute(300));
    let server = Server::new(|_, _| Some(Verdict::rate_limited()));
    let results = all(&server, 100, || ask_plain(&limiter, &server)).await;
    let mut times: Vec<_> = results.iter().map(|(at, _)| *at).collect();
    times.sort_unstable();
    println!("{} requests, {:?}", server.requests.get(), times[99]);
    let mut requests: Vec<_> = results.iter().map(|(_, result)| result.expect_err("refused").request).collect();
    requests.sort_unstable();
    requests.dedup();
    assert_eq!(requests.len(), 100, "each its own");
    assert!(times.windows(2).all(|pair| pair[1] - pair[0] >= Duration::from_secs(1)), "{times:?}");
    assert!(times[99] <= Duration::from_secs(150 + 100), "{:?}", times[99]);
}

#[tokio::test(start_paused = true)]
async fn probe_discovers_a_hint_that_is_far_too_long() {
    let limiter = Limiter::new(Limits::per_minute(300));
    let server = Server::new(|request, _| (request == 1).then_some(Verdict::rate_limited().with_retry_after(hours(4))));
    assert!(ask(&limiter, &server).await.expect_err("refused").is::<ApiError>());
    assert!(ask(&limiter, &server).await.expect_err("closed").is::<Rejected>());
    sleep(Duration::from_secs(599)).await;
    assert!(ask(&limiter, &server).await.expect_err("closed").is::<Rejected>());
    sleep(Duration::from_secs(2)).await;
    assert_eq!(ask(&limiter, &server).await.expect("the probe"), 2);
    assert!(limiter.snapshot().closed.is_none());
    assert!(ask(&limiter, &server).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn limiter_opens_at_the_named_time() {
    let limiter = Limiter::new(Limits::per_minute(300));
    let server = Server::new(|request, _| (request == 1).then(|| spent_for(Duration::from_secs(90))));
    assert!(ask(&limiter, &server).await.is_err());
    sleep(Duration::from_secs(89)).await;
    assert!(ask(&limiter, &server).await.is_err());
    sleep(Duration::from_secs(2)).await;
    assert!(all(&server, 10, || ask(&limiter, &server)).await.iter().all(|(_, result)| result.is_ok()));
}

#[tokio::test(start_paused = true)]
async fn refused_stream_closes_and_its_end_as_well() {
    #[ratellmiter(limiter = limiter, stream)]
    async fn parts(
        limiter: &Limiter,
        accepted: u32,
    ) -> Result<impl futures::Stream<Item = Result<u32, ApiError>>, OwnError> {
        let spent = Err(ApiError { verdict: spent_for(hours(2)), request: 1 });
        Ok(stream::iter((0..accepted).map(Ok).chain([spent])))
    }

    for accepted in [0, 3] {
        let limiter = Limiter::new(Limits::per_minute(300));
        let items: Vec<_> = parts(&limiter, accepted).await.expect("a stream").collect().await;
        assert_eq!(items.len(), accepted as usize + 1);
        assert!(limiter.snapshot().closed.is_some(), "{accepted} items");
        assert!(matches!(parts(&limiter, 0).await.err(), Some(OwnError::Rejected(_))));
    }
}

/// Calls of functions whose results are not `Send` cannot keep their own refusal.
#[tokio::test(start_paused = true)]
async fn queued_call_returns_its_own_refusal_if_it_is_send() {
    #[ratellmiter(limiter = limiter)]
    async fn local(limiter: &Limiter) -> Result<u32, Box<dyn Error>> {
        Err("429 Too Many Requests".into())
    }

    #[ratellmiter(limiter = limiter)]
    async fn sent(limiter: &Limiter) -> anyhow::Result<u32> {
        anyhow::bail!("429 Too Many Requests")
    }

    let limiter = Limiter::new(Limits::per_minute(300));
    let close = async {
        // Each was refused once as the canary.
        sleep(Duration::from_secs(3)).await;
        assert_eq!(limiter.snapshot().queued, 2);
        limiter.report_refusal(spent_for(hours(2)));
    };
    let (local, sent, ()) = futures::join!(local(&limiter), sent(&limiter), close);
    assert!(local.expect_err("refused").is::<Rejected>());
    assert_eq!(sent.expect_err("refused").to_string(), "429 Too Many Requests");
}

#[tokio::test(start_paused = true)]
async fn runner_without_bounds_returns_its_own_refusal() {
    let limiter = Limiter::new(Limits::per_minute(300));
    let server = Server::new(|_, _| Some(spent_for(hours(2))));
    let run = || limiter.runner().classify(Classify::verdict).run(|| server.request());
    let results = all(&server, 5, run).await;
    assert!(results.iter().all(|(_, result)| result.is_err()));
    assert_eq!(server.requests.get(), 5);
    let bounded = || {
        limiter
            .runner()
            .classify(|_: &anyhow::Error| Verdict::Failed)
            .bounded()
            .run(|| async { Ok::<_, anyhow::Error>(server.request().await?) })
    };
    assert!(
        all(&server, 5, bounded)
            .await
            .iter()
            .all(|(_, result)| result.as_ref().is_err_and(anyhow::Error::is::<Rejected>))
    );
    assert_eq!(server.requests.get(), 5);
}

#[tokio::test(start_paused = true)]
async fn tickets_of_a_closed_limiter_are_rejected_or_rare() {
    let limiter = Limiter::new(Limits::per_minute(300));
    limiter.report_refusal(spent_for(hours(2)));
    let rejected = limiter.acquire_with(AcquireOptions::new()).await.expect_err("closed");
    assert_eq!(rejected.reason, RejectReason::QuotaExhausted);
    assert!(limiter.try_acquire().is_none());
    let start = Instant::now();
    for seconds in 1..4 {
        let ticket = limiter.acquire().await;
        assert_eq!(start.elapsed().as_secs(), seconds);
        ticket.finish_failed();
    }
}

#[tokio::test(start_paused = true)]
async fn disabled_limiter_stays_open() {
    let limiter = Limiter::new(Limits::per_minute(300).enabled(false));
    let server = Server::new(|_, _| Some(spent_for(hours(2))));
    let results = all(&server, 5, || ask(&limiter, &server)).await;
    assert!(results.iter().all(|(_, result)| result.as_ref().is_err_and(anyhow::Error::is::<ApiError>)));
    assert_eq!((server.requests.get(), limiter.snapshot().closed), (5, None));
}
