use super::*;

#[ratellmiter(model = "any_return_type")]
async fn nothing(calls: &AtomicU32) {
    calls.fetch_add(1, Ordering::SeqCst);
}

#[ratellmiter(model = "any_return_type")]
fn optional(value: Option<u32>) -> Option<u32> {
    Some(value? + 1)
}

#[ratellmiter(model = "any_return_type")]
async fn text() -> &'static str {
    "text"
}

#[tokio::test]
async fn functions_of_any_return_type_run() {
    monitor().set_limits("any_return_type", Limits::per_minute(60_000));
    let calls = AtomicU32::new(0);
    nothing(&calls).await;
    assert_eq!(calls.load(Ordering::SeqCst), 1);
    assert_eq!((optional(Some(1)), optional(None)), (Some(2), None));
    assert_eq!(text().await, "text");
}

#[ratellmiter(limiter = limiter)]
async fn paced(limiter: &Limiter) {}

#[tokio::test(start_paused = true)]
async fn calls_are_evenly_paced() {
    let limiter = Limiter::new(Limits::per_minute(60).no_ramp());
    let start = tokio::time::Instant::now();
    for _ in 0..4 {
        paced(&limiter).await;
    }
    assert_eq!(start.elapsed(), Duration::from_secs(3));
}
