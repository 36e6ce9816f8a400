use super::*;

#[ratellmiter(limiter = limiter)]
async fn panics(limiter: &Limiter, panic: bool) -> u32 {
    assert!(!panic, "in the body");
    1
}

#[ratellmiter(limiter = limiter)]
fn panics_blocking(limiter: &Limiter, panic: bool) -> u32 {
    assert!(!panic, "in the body");
    1
}

#[tokio::test(start_paused = true)]
async fn panicking_body_frees_its_in_flight_slot() {
    let limiter = Limiter::new(Limits::per_minute(6000).max_in_flight(1));
    assert!(AssertUnwindSafe(panics(&limiter, true)).catch_unwind().await.is_err());
    assert!(std::panic::catch_unwind(|| panics_blocking(&limiter, true)).is_err());
    assert_eq!(limiter.snapshot().in_flight, 0);
    assert_eq!(panics(&limiter, false).await, 1);
}

#[ratellmiter(limiter = limiter)]
async fn hangs(limiter: &Limiter, server: &Server) -> Result<(), CallError> {
    server.answer()?;
    std::future::pending().await
}

#[tokio::test(start_paused = true)]
async fn dropped_future_leaves_limiter_empty() {
    let limiter = Limiter::new(Limits::per_minute(60).no_ramp());
    // Dropped while queued, during the pause after the refusal, and in the body.
    for millis in [0, 500, 1005, 2500, 9000] {
        let server = Server::default();
        let call = hangs(&limiter, &server);
        assert!(tokio::time::timeout(Duration::from_millis(millis), call).await.is_err());
        let snapshot = limiter.snapshot();
        assert_eq!((snapshot.queued, snapshot.in_flight), (0, 0), "after {millis} ms");
    }
}
