use super::*;

#[ratellmiter]
async fn by_default() {}

#[ratellmiter(model = model_name)]
async fn by_argument(model_name: String) -> String {
    model_name
}

#[ratellmiter(model = format!("{family}-{size}"))]
fn by_expression(family: &str, size: u8) {}

#[ratellmiter(limiter = limiter, max_attempts = 3)]
async fn three_attempts(limiter: &Limiter, attempts: &AtomicU32, error: CallError) -> Result<(), CallError> {
    attempts.fetch_add(1, Ordering::SeqCst);
    Err(error)
}

#[ratellmiter(limiter = LIMITER, when = |error: &anyhow::Error| error.to_string().contains("slow down"), crate = ::ratellmiter_core)]
async fn foreign(server: &Server, message: &'static str) -> anyhow::Result<u32> {
    server.answer().map_err(|_| anyhow::anyhow!(message))
}

/// `Ok(None)` is classified as a refusal; everything else is left to the library.
#[ratellmiter(limiter = LIMITER, classify = |out: &Result<Option<u32>, CallError>| match out {
    Ok(None) => Some(Verdict::RateLimited { retry_after: Some(Duration::from_millis(5)), limit: LimitKind::Unknown }),
    _ => None,
})]
async fn classified(server: &Server, in_ok: bool) -> Result<Option<u32>, CallError> {
    match server.answer() {
        Err(_) if in_ok => Ok(None),
        answer => answer.map(Some),
    }
}

fn always_failed<T>(_: &T) -> Verdict {
    Verdict::Failed
}

#[ratellmiter(limiter = LIMITER, classify = always_failed)]
fn classified_as_failed(server: &Server) -> Result<u32, CallError> {
    server.answer()
}

#[tokio::test(start_paused = true)]
async fn classify_option_sees_the_whole_return_value() {
    assert_eq!(classified(&Server::default(), true).await, Ok(Some(2)));
    assert_eq!(classified(&Server::default(), false).await, Ok(Some(2)), "its `Classify` applies");
    assert_eq!(classified_as_failed(&Server::default()), Err(CallError::Refused), "overrides its `Classify`");
}

fn is_refused(text: &String) -> bool {
    text == "refused"
}

#[ratellmiter(limiter = limiter, when = is_refused,)]
fn by_path(limiter: &Limiter, server: &Server) -> Result<u32, String> {
    server.answer().map_err(|_| "refused".to_owned())
}

#[tokio::test(start_paused = true)]
async fn model_option_names_the_limiter() {
    by_default().await;
    assert_eq!(by_argument("options::argument".into()).await, "options::argument");
    by_expression("options::llama", 8);
    let names: Vec<_> = monitor().snapshot().into_keys().collect();
    for name in ["default", "options::argument", "options::llama-8"] {
        assert!(names.iter().any(|known| known == name), "{name} in {names:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn exhausted_attempts_return_the_callers_error() {
    let (limiter, attempts) = (fast_limiter(), AtomicU32::new(0));
    assert_eq!(three_attempts(&limiter, &attempts, CallError::Refused).await, Err(CallError::Refused));
    assert_eq!(attempts.load(Ordering::SeqCst), 3);
    let snapshot = limiter.snapshot();
    assert_eq!((snapshot.queued, snapshot.in_flight), (0, 0), "the call has left the queue");
}

#[tokio::test(start_paused = true)]
async fn failures_and_long_pauses_are_not_retried() {
    for error in [CallError::Failed, CallError::RefusedForAnHour] {
        let attempts = AtomicU32::new(0);
        assert_eq!(three_attempts(&fast_limiter(), &attempts, error.clone()).await, Err(error));
        assert_eq!(attempts.load(Ordering::SeqCst), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn when_option_classifies_foreign_errors() {
    let server = Server::default();
    assert_eq!(assert_send(foreign(&server, "please slow down")).await.unwrap(), 2);
    let server = Server::default();
    assert_eq!(assert_send(foreign(&server, "no")).await.unwrap_err().to_string(), "no");
    assert_eq!(server.requests(), 1);
}

#[test]
fn when_option_accepts_a_path() {
    // The pause without `Retry-After` is about two seconds, here in real time. The limiter is not shared with tests in
    // virtual time, in which the pause would end at once.
    let start = std::time::Instant::now();
    assert_eq!(by_path(&fast_limiter(), &Server::default()), Ok(2));
    assert!(start.elapsed() >= Duration::from_secs(2));
}

#[ratellmiter(limiter = limiter)]
async fn with_limiter(limiter: &Limiter, server: &Server) -> Result<u32, CallError> {
    server.answer()
}

#[tokio::test(start_paused = true)]
async fn disabled_limiter_does_not_retry() {
    let limiter = Limiter::new(Limits::per_minute(1).enabled(false));
    let start = tokio::time::Instant::now();
    for _ in 0..10 {
        assert_eq!(with_limiter(&limiter, &Server::default()).await, Err(CallError::Refused));
    }
    assert_eq!(start.elapsed(), Duration::ZERO);
    assert_eq!((limiter.snapshot().queued, limiter.snapshot().in_flight), (0, 0));
}
