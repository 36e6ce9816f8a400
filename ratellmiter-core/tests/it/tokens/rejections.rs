use super::*;

fn rejected(error: ApiError) -> Rejected {
    match error {
        ApiError::Rejected(rejected) => rejected,
        other => panic!("{other}"),
    }
}

#[tokio::test(start_paused = true)]
async fn call_exceeding_max_wait_is_rejected_at_once() {
    let limiter = Limiter::new(limits(6));
    let start = Instant::now();
    limiter.acquire_with(AcquireOptions::new().max_wait(Duration::from_secs(1))).await.unwrap().finish();
    let late = limiter.acquire_with(AcquireOptions::new().max_wait(Duration::from_secs(9))).await.unwrap_err();
    assert_eq!((late.reason, late.estimated_wait.as_secs()), (RejectReason::MaxWait, 10));
    let late = limiter.acquire_with(AcquireOptions::new().deadline(start + Duration::from_secs(9))).await.unwrap_err();
    assert_eq!(late.reason, RejectReason::Deadline);
    assert_eq!(start.elapsed(), Duration::ZERO);
    limiter.acquire_with(AcquireOptions::new().max_wait(Duration::from_secs(11))).await.unwrap().finish();
    assert_eq!(start.elapsed().as_secs(), 10);
    assert_eq!(limiter.snapshot().queued, 0);
}

#[tokio::test(start_paused = true)]
async fn call_expiring_in_queue_does_not_block_others() {
    let limiter = Limiter::new(limits(60).max_in_flight(1));
    let in_flight = limiter.acquire().await;
    let start = Instant::now();
    let bounded = limiter.acquire_with(AcquireOptions::new().max_wait(Duration::from_millis(2500)));
    let (bounded, other, ()) = tokio::join!(
        async { (bounded.await, start.elapsed()) },
        async {
            sleep(Duration::from_millis(1)).await;
            limiter.acquire().await.finish();
            start.elapsed()
        },
        async {
            sleep(Duration::from_secs(4)).await;
            in_flight.finish();
        }
    );
    assert_eq!(bounded.0.unwrap_err().reason, RejectReason::MaxWait);
    assert_eq!((bounded.1.as_millis(), other.as_secs()), (2500, 4));
}

#[tokio::test(start_paused = true)]
async fn full_queue_rejects_only_bounded_calls() {
    let limiter = Limiter::new(limits(60).max_queue(2));
    limiter.acquire_with(AcquireOptions::new().max_queue(0)).await.unwrap().finish();
    assert_eq!(
        limiter.acquire_with(AcquireOptions::new().max_queue(0)).await.unwrap_err().reason,
        RejectReason::MaxQueue
    );
    let outcomes = join_all((0..4).map(|_| limiter.acquire_with(AcquireOptions::new()))).await;
    let reasons: Vec<_> =
        outcomes.iter().map(|outcome| outcome.as_ref().err().map(|rejected| rejected.reason)).collect();
    assert_eq!(reasons, [None, None, Some(RejectReason::MaxQueue), Some(RejectReason::MaxQueue)]);
    let unbounded = join_all((0..4).map(|_| limiter.acquire())).await;
    assert_eq!(unbounded.len(), 4, "calls that cannot be rejected wait");
}

#[tokio::test(start_paused = true)]
async fn attribute_rejects_with_the_functions_error_type() {
    #[ratellmiter(limiter = limiter, max_wait = 9)]
    async fn waits(limiter: &Limiter) -> Result<u8, ApiError> {
        Ok(1)
    }
    #[ratellmiter(limiter = limiter, deadline = until, max_queue = 7)]
    async fn until(limiter: &Limiter, until: Instant) -> Result<u8, ApiError> {
        Ok(2)
    }
    #[ratellmiter(limiter = limiter, bounded)]
    fn with_limiter_bounds(limiter: &Limiter) -> Result<u8, Box<dyn std::error::Error>> {
        Ok(3)
    }
    let limiter = Limiter::new(limits(6).max_wait(Duration::from_secs(3)));
    assert_eq!(waits(&limiter).await, Ok(1));
    let too_long = rejected(waits(&limiter).await.unwrap_err());
    assert_eq!(too_long.reason, RejectReason::MaxWait);
    let soon = Instant::now() + Duration::from_secs(2);
    assert_eq!(rejected(until(&limiter, soon).await.unwrap_err()).reason, RejectReason::Deadline);
    let error = with_limiter_bounds(&limiter).unwrap_err();
    assert_eq!(error.downcast_ref::<Rejected>().unwrap().reason, RejectReason::MaxWait);
    sleep(Duration::from_secs(10)).await;
    assert_eq!(with_limiter_bounds(&limiter).unwrap(), 3);
}

#[tokio::test(start_paused = true)]
async fn max_wait_excludes_time_in_flight() {
    #[ratellmiter(limiter = limiter, max_wait = 5)]
    async fn ask(limiter: &Limiter, attempts: &mut u32) -> Result<u8, ApiError> {
        *attempts += 1;
        sleep(Duration::from_secs(30)).await;
        if *attempts < 3 { Err(ApiError::Refused) } else { Ok(7) }
    }
    let limiter = Limiter::new(limits(600));
    let (start, mut attempts) = (Instant::now(), 0);
    // Two waits of 2 s after refusals fit; a third would exceed `max_wait`.
    assert_eq!(ask(&limiter, &mut attempts).await, Ok(7));
    assert!((94..=96).contains(&start.elapsed().as_secs()), "{:?}", start.elapsed());
    let ticket = limiter.acquire_with(AcquireOptions::new().max_wait(Duration::from_secs(5))).await.unwrap();
    sleep(Duration::from_mins(1)).await;
    let rejected = ticket.requeue_after(Some(Duration::from_mins(1))).bounded().await.unwrap_err();
    assert_eq!(rejected.reason, RejectReason::MaxWait);
}

#[test]
fn zero_max_wait_admits_or_rejects_at_once() {
    let limiter = Limiter::new(limits(60));
    let at_once = || limiter.acquire_with(AcquireOptions::new().max_wait(Duration::ZERO)).wait();
    at_once().unwrap().finish();
    assert_eq!(at_once().unwrap_err().reason, RejectReason::MaxWait);
    let past = std::time::Instant::now().checked_sub(Duration::from_secs(1)).unwrap();
    let late = Limiter::new(limits(60)).acquire_with(AcquireOptions::new().deadline(past).max_queue(0)).wait();
    assert_eq!(late.unwrap_err().reason, RejectReason::Deadline, "although a ticket is free");
    let off = Limiter::new(limits(60).enabled(false));
    for _ in 0..100 {
        off.acquire_with(AcquireOptions::new().deadline(past).max_wait(Duration::ZERO)).wait().unwrap().finish();
    }
}

#[tokio::test(start_paused = true)]
async fn rejection_estimates_wait_behind_large_call() {
    let limiter = Limiter::new(limits(600).tokens_per_minute(10_000));
    limiter.acquire_tokens(9000, 0).await.finish();
    let large = limiter.clone();
    tokio::spawn(async move { large.acquire_tokens(9000, 0).await.finish() });
    sleep(Duration::from_millis(1)).await;
    let acquire_within =
        |seconds| limiter.acquire_with(AcquireOptions::new().estimate((10, 0)).max_wait(Duration::from_secs(seconds)));
    let rejected = acquire_within(58).await.unwrap_err();
    assert!((100..=120).contains(&rejected.estimated_wait.as_secs()), "{rejected}");
    let start = Instant::now();
    acquire_within(125).await.unwrap().finish();
    assert!((110..=118).contains(&start.elapsed().as_secs()), "{:?}", start.elapsed());
    let full = Limiter::new(limits(600).max_in_flight(1));
    let one = full.acquire().await;
    sleep(Duration::from_secs(20)).await;
    one.finish();
    let _in_flight = full.acquire().await;
    let rejected = full.acquire_with(AcquireOptions::new().max_wait(Duration::from_secs(5))).await.unwrap_err();
    assert_eq!(rejected.estimated_wait.as_secs(), 20, "the latency of the previous call");
}

#[tokio::test(start_paused = true)]
async fn refused_call_past_max_wait_returns_its_error() {
    #[ratellmiter(limiter = limiter, max_wait = 1.5)]
    async fn ask(limiter: &Limiter) -> Result<u8, ApiError> {
        Err(ApiError::Refused)
    }
    let limiter = Limiter::new(limits(600));
    let start = Instant::now();
    assert_eq!(ask(&limiter).await, Err(ApiError::Refused));
    assert_eq!((start.elapsed(), limiter.snapshot().queued), (Duration::ZERO, 0));
}

#[tokio::test(start_paused = true)]
async fn urgent_calls_overtake_without_starving_low_priority() {
    #[ratellmiter(limiter = limiter, priority = low)]
    async fn low(limiter: &Limiter, start: Instant) -> u64 {
        start.elapsed().as_secs()
    }
    #[ratellmiter(limiter = limiter, priority = high)]
    async fn high(limiter: &Limiter, start: Instant) -> u64 {
        start.elapsed().as_secs()
    }
    #[ratellmiter(limiter = limiter, priority = priority)]
    async fn any(limiter: &Limiter, start: Instant, priority: Priority) -> u64 {
        start.elapsed().as_secs()
    }
    let limiter = Limiter::new(limits(60));
    limiter.acquire().await.finish();
    let start = Instant::now();
    let (low_at, normal_at, high_at) =
        tokio::join!(low(&limiter, start), any(&limiter, start, Priority::Normal), high(&limiter, start));
    assert_eq!((high_at, normal_at, low_at), (1, 2, 3));
    // From now on, urgent calls use the whole rate.
    let urgent = async {
        let mut all = Vec::new();
        for _ in 0..300 {
            all.push(tokio::spawn({
                let limiter = limiter.clone();
                async move {
                    limiter.acquire_with(AcquireOptions::new().priority(Priority::High)).await.unwrap().finish();
                }
            }));
            sleep(Duration::from_secs(1)).await;
        }
        join_all(all).await;
    };
    let start = Instant::now();
    let (waited, ()) = tokio::join!(low(&limiter, start), urgent);
    assert!((119..=125).contains(&waited), "{waited}");
}

#[tokio::test(start_paused = true)]
async fn queued_call_is_rejected_when_a_longer_pause_begins() {
    let limiter = Limiter::new(limits(6));
    let in_flight = limiter.acquire().await;
    sleep(Duration::from_secs(6)).await;
    let queued = tokio::spawn({
        let limiter = limiter.clone();
        async move {
            let start = Instant::now();
            let options = AcquireOptions::new().max_wait(Duration::from_secs(5));
            (limiter.acquire_with(options).await.map(drop).unwrap_err(), start.elapsed())
        }
    });
    sleep(Duration::from_secs(2)).await;
    let refused = in_flight.requeue_after(Some(Duration::from_mins(1)));
    let (rejected, after) = queued.await.unwrap();
    assert_eq!(after.as_secs(), 2, "when the pause begins, and not after its 5 s");
    assert_eq!((rejected.waited.as_secs(), rejected.allowed_wait), (2, Some(Duration::from_secs(5))));
    assert!(rejected.estimated_wait > Duration::from_mins(1), "{rejected:?}");
    assert!(rejected.to_string().contains("; waited 2.0 s of 5.0 s; "), "{rejected}");
    drop(refused);
}

#[tokio::test(start_paused = true)]
async fn refused_call_that_cannot_be_rejected_keeps_its_place() {
    let limiter = Limiter::new(limits(60));
    let bounded = limiter.acquire_with(AcquireOptions::new().max_wait(Duration::from_secs(5))).await.unwrap();
    let order = std::sync::Mutex::new(Vec::new());
    let refused = bounded.requeue_after(Some(Duration::from_mins(1)));
    let other = limiter.acquire();
    tokio::join!(
        async {
            other.await.finish();
            order.lock().unwrap().push("other");
        },
        async {
            refused.await.finish();
            order.lock().unwrap().push("refused");
        },
    );
    assert_eq!(*order.lock().unwrap(), ["refused", "other"]);
}
