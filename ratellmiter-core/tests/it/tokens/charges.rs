use super::*;

fn limiter() -> Limiter {
    Limiter::new(limits(6000).tokens_per_minute(10_000))
}

#[tokio::test(start_paused = true)]
async fn settlement_refunds_excess_and_charges_shortfall() {
    let limiter = limiter();
    let ticket = limiter.acquire_tokens(1000, 2000).await;
    assert_eq!(tokens(&limiter), 3000);
    ticket.finish_with_usage((900, 100));
    assert_eq!(tokens(&limiter), 1000);
    let ticket = limiter.acquire_tokens(100, 100).await;
    ticket.finish_with_usage((100, 4000));
    assert_eq!(tokens(&limiter), 5100);
}

#[tokio::test(start_paused = true)]
async fn reservation_without_usage_expires_after_a_minute() {
    let limiter = limiter();
    limiter.acquire_tokens(1000, 2000).await.finish();
    drop(limiter.acquire_tokens(100, 0).await);
    limiter.acquire_tokens(10, 0).await.finish_failed();
    assert_eq!(tokens(&limiter), 3110);
    limiter.acquire_tokens(1000, 2000).await.cancel();
    assert_eq!(tokens(&limiter), 3110, "a cancelled call is refunded");
    sleep(Duration::from_secs(61)).await;
    assert_eq!(tokens(&limiter), 0);
}

#[tokio::test(start_paused = true)]
async fn call_answered_with_a_client_error_is_refunded() {
    #[ratellmiter(limiter = limiter, tokens = (1000, 2000))]
    async fn ask(limiter: &Limiter, status: u16) -> Result<(), ApiError> {
        call::observe(http::StatusCode::from_u16(status).unwrap(), &http::HeaderMap::new());
        Err(ApiError::Broken)
    }
    let limiter = limiter();
    for status in [400, 401, 404, 413, 422] {
        assert_eq!(ask(&limiter, status).await, Err(ApiError::Broken));
        assert_eq!(tokens(&limiter), 0, "{status}");
    }
    for (status, charged) in [(409, 3000), (500, 6000)] {
        assert_eq!(ask(&limiter, status).await, Err(ApiError::Broken));
        assert_eq!(tokens(&limiter), charged, "the server may have worked before the status {status}");
    }
    limiter.acquire_tokens(1000, 2000).await.finish_uncharged();
    assert_eq!(tokens(&limiter), 6000);
}

#[tokio::test(start_paused = true)]
async fn returned_response_is_charged_by_its_status() {
    #[ratellmiter(limiter = limiter, tokens = (1000, 2000), transient_attempts = 0)]
    async fn ask(limiter: &Limiter, status: u16) -> Result<http::Response<()>, ApiError> {
        Ok(http::Response::builder().status(status).body(()).unwrap())
    }
    let limiter = limiter();
    for status in [400, 401, 403, 404] {
        assert_eq!(ask(&limiter, status).await.unwrap().status(), status);
        assert_eq!(tokens(&limiter), 0, "{status}");
    }
    for (status, charged) in [(409, 3000), (500, 6000), (200, 9000)] {
        assert_eq!(ask(&limiter, status).await.unwrap().status(), status);
        assert_eq!(tokens(&limiter), charged, "the server may have worked before the status {status}");
    }
}

#[tokio::test(start_paused = true)]
async fn failure_inside_a_success_stays_charged() {
    #[ratellmiter(limiter = limiter, tokens = (1000, 2000), transient_attempts = 0)]
    async fn ask(limiter: &Limiter) -> Result<serde_json::Value, ApiError> {
        Ok(serde_json::json!({ "error": { "type": "server_error", "message": "The server had an error" } }))
    }
    let limiter = limiter();
    assert!(ask(&limiter).await.is_ok());
    assert_eq!(tokens(&limiter), 3000);
}

#[tokio::test(start_paused = true)]
async fn stream_that_does_not_start_is_refunded() {
    #[ratellmiter(limiter = limiter, stream, tokens = (1000, 2000))]
    async fn ask(limiter: &Limiter) -> Result<BoxStream<'static, u8>, ApiError> {
        call::observe(http::StatusCode::BAD_REQUEST, &http::HeaderMap::new());
        Err(ApiError::Broken)
    }
    let limiter = limiter();
    assert!(ask(&limiter).await.is_err());
    assert_eq!((tokens(&limiter), limiter.snapshot().in_flight), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn call_larger_than_budget_runs_alone() {
    let limiter = limiter();
    let start = Instant::now();
    limiter.acquire_tokens(1, 0).await.finish();
    limiter.acquire_tokens(u64::MAX, u64::MAX).await.finish();
    assert_eq!(start.elapsed().as_secs(), 60, "admitted once the budget is empty");
    limiter.acquire_tokens(0, 0).await.finish();
    let admitted_at = start.elapsed().as_secs();
    assert!((60..=121).contains(&admitted_at), "{admitted_at}");
    limiter.acquire_tokens(1, 0).await.finish();
    assert!(start.elapsed().as_secs() <= 121, "an oversized call is charged at most one budget");
}

#[tokio::test(start_paused = true)]
async fn large_call_is_not_overtaken_by_small_ones() {
    let limiter = limiter();
    limiter.acquire_tokens(9000, 0).await.finish();
    let start = Instant::now();
    let order = std::sync::Mutex::new(Vec::new());
    join_all((0..4).map(|call| {
        let (limiter, order) = (&limiter, &order);
        async move {
            limiter.acquire_tokens(if call == 0 { 5000 } else { 100 }, 0).await.finish();
            order.lock().unwrap().push((call, start.elapsed().as_secs()));
        }
    }))
    .await;
    assert_eq!(order.lock().unwrap().iter().map(|(call, _)| *call).collect::<Vec<_>>(), [0, 1, 2, 3]);
    assert!(order.lock().unwrap()[0].1 >= 59 && order.lock().unwrap()[3].1 <= 95, "{order:?}");
}

#[tokio::test(start_paused = true)]
async fn attribute_charges_estimate_and_finds_usage() {
    #[ratellmiter(limiter = limiter, tokens = (estimate_tokens(prompt), 500))]
    async fn by_value(limiter: &Limiter, prompt: &str) -> Result<serde_json::Value, ApiError> {
        assert_eq!(tokens(limiter), 511);
        Ok(serde_json::json!({"choices": [], "usage": {"prompt_tokens": 9, "completion_tokens": 40}}))
    }
    let limiter = limiter();
    by_value(&limiter, "what is the best in life? it is").await.unwrap();
    assert_eq!(tokens(&limiter), 49);
}

#[tokio::test(start_paused = true)]
async fn usage_comes_from_type_closure_text_or_report() {
    struct Completion(u64);
    impl HasUsage for Completion {
        fn usage(&self) -> Option<Usage> {
            Some(Usage::new(self.0, 0))
        }
    }
    #[ratellmiter(limiter = limiter, tokens = 500)]
    async fn by_type(limiter: &Limiter) -> Result<Completion, ApiError> {
        Ok(Completion(10))
    }
    struct Wrapped {
        tokens: u64,
    }
    #[ratellmiter(limiter = limiter, tokens = 500, usage = |wrapped| Usage::new(wrapped.tokens, 0))]
    async fn by_closure(limiter: &Limiter) -> Result<Wrapped, ApiError> {
        Ok(Wrapped { tokens: 100 })
    }
    #[ratellmiter(limiter = limiter, tokens = (500, None::<u32>))]
    async fn by_text(limiter: &Limiter) -> Result<String, ApiError> {
        Ok(r#"{"usage": {"input_tokens": 5, "output_tokens": 0}}"#.to_owned())
    }
    #[ratellmiter(limiter = limiter, tokens = 500)]
    fn by_report(limiter: &Limiter) -> u8 {
        assert!(call::report_usage((1000, 0)));
        7
    }
    let limiter = limiter();
    by_type(&limiter).await.unwrap();
    assert_eq!(tokens(&limiter), 10);
    by_closure(&limiter).await.unwrap();
    assert_eq!(tokens(&limiter), 110);
    by_text(&limiter).await.unwrap();
    assert_eq!(tokens(&limiter), 115);
    assert_eq!(by_report(&limiter), 7, "a blocking call whose ticket is free at once");
    assert_eq!(tokens(&limiter), 1115);
    assert!(!call::report_usage((1, 1)), "outside a call");
}

#[tokio::test(start_paused = true)]
async fn budget_added_during_call_is_not_refunded() {
    for tokens in [1, 7, 60, 10_000] {
        let limiter = Limiter::new(limits(600));
        sleep(Duration::from_mins(1)).await;
        let ticket = limiter.acquire_tokens(1000, 0).await;
        limiter.set_limits(limits(600).tokens_per_minute(tokens));
        ticket.finish_with_usage((1, 0));
        assert_eq!((limiter.snapshot().in_flight, self::tokens(&limiter)), (0, 0));
    }
}

/// Cancels calls while queued, with an unclaimed ticket, and in flight.
#[tokio::test(start_paused = true)]
async fn ten_thousand_cancellations_leave_no_charges() {
    let limits = limits(60_000).requests_per_day(1_000_000).max_in_flight(50);
    let limiter = Limiter::new(limits.input_tokens_per_minute(900_000).output_tokens_per_minute(90_000));
    let calls = (0..10_000_u64).map(|call| {
        let limiter = limiter.clone();
        let (cancel_after_millis, call_millis) = (call * 7919 % 30_000, call * 104_729 % 500);
        async move {
            let call_to_end = async {
                let ticket = limiter.acquire_tokens(call % 2000, call % 200).await;
                sleep(Duration::from_millis(call_millis)).await;
                ticket.cancel();
            };
            let _ = tokio::time::timeout(Duration::from_millis(cancel_after_millis), call_to_end).await;
        }
    });
    join_all(calls.map(tokio::spawn)).await;
    let snapshot = limiter.snapshot();
    assert_eq!((snapshot.queued, snapshot.in_flight), (0, 0));
    sleep(Duration::from_secs(61)).await;
    assert_eq!(charged(&limiter, BudgetKind::InputTokensPerMinute), 0);
    assert_eq!(charged(&limiter, BudgetKind::OutputTokensPerMinute), 0);
    // Exactly one minute's budget is available again.
    let start = Instant::now();
    let calls = (0..100).map(|_| async {
        let ticket = limiter.acquire_tokens(9000, 900).await;
        (start.elapsed(), ticket.finish_with_usage((9000, 900))).0
    });
    let last = join_all(calls).await.into_iter().max().unwrap();
    assert!((55..=60).contains(&last.as_secs()), "{last:?}");
}

/// Starts 60 calls without estimates at once and finishes them after `latency` seconds, as a starting program does.
#[tokio::test(start_paused = true)]
async fn first_minute_without_estimates_stays_within_budget() {
    for latency in [2, 30, 60] {
        let limits = Limits::for_provider(Provider::Anthropic).requests_per_minute(50);
        let limiter = Limiter::new(limits.input_tokens_per_minute(30_000).output_tokens_per_minute(8_000));
        let start = Instant::now();
        let admitted_at = std::sync::Mutex::new(Vec::new());
        let calls = (0..60).map(|_| async {
            let ticket = limiter.acquire().await;
            admitted_at.lock().unwrap().push(start.elapsed().as_secs());
            sleep(Duration::from_secs(latency)).await;
            ticket.finish_with_usage((3000, 300));
        });
        join_all(calls).await;
        let first_minute = admitted_at.lock().unwrap().iter().filter(|at| **at < 60).count() as u64;
        assert!((5..=10).contains(&first_minute), "{latency}: {} input tokens", first_minute * 3000);
    }
}

#[tokio::test(start_paused = true)]
async fn default_estimate_follows_earlier_usage() {
    let limiter = limiter();
    let ticket = limiter.acquire().await;
    assert_eq!(tokens(&limiter), 1000, "initially a tenth of the budget");
    ticket.finish_with_usage((700, 100));
    let ticket = limiter.acquire().await;
    assert_eq!(tokens(&limiter), 1600);
    ticket.cancel();
}

#[tokio::test(start_paused = true)]
async fn provider_rule_decides_the_refund() {
    for (provider, left) in [("azure", 3000), ("bedrock", 1000), ("generic", 1000), ("openai", 2000)] {
        let rule = provider.parse::<Provider>().unwrap();
        let limiter = Limiter::new(limits(6000).tokens_per_minute(10_000).provider(rule));
        limiter.acquire_tokens(1000, 2000).await.finish_with_usage((900, 100));
        assert_eq!(tokens(&limiter), left, "{provider}");
    }
}

#[tokio::test(start_paused = true)]
async fn anthropic_charges_uncached_input_and_produced_output() {
    let limits = Limits::for_provider(Provider::Anthropic).requests_per_minute(50);
    let limiter = Limiter::new(limits.input_tokens_per_minute(30_000).output_tokens_per_minute(8_000));
    limiter.acquire_tokens(1000, 4096).await.finish_with_usage(Usage::new(3000, 250).cached(2500));
    assert_eq!(charged(&limiter, BudgetKind::InputTokensPerMinute), 500, "cached input is free");
    assert_eq!(charged(&limiter, BudgetKind::OutputTokensPerMinute), 250, "the requested maximum is not charged");
}

#[tokio::test(start_paused = true)]
async fn response_headers_only_lower_the_rate() {
    #[ratellmiter(limiter = limiter)]
    async fn ask(limiter: &Limiter, limit: &str, remaining: &str) -> Result<(), ApiError> {
        let response = http::Response::builder()
            .header("x-ratelimit-limit-requests", limit)
            .header("x-ratelimit-remaining-requests", remaining)
            .header("x-ratelimit-reset-requests", "30s")
            .body(())
            .unwrap();
        assert!(call::observe(response.status(), response.headers()));
        Ok(())
    }
    let limiter = Limiter::new(limits(600));
    let rate = || limiter.snapshot().rate_per_second * 60.0;
    for (limit, remaining, per_minute) in
        [("300", "299", 300.0), ("9000", "8999", 600.0), ("600", "40", 80.0), ("600", "0", 60.0), ("3", "0", 600.0)]
    {
        ask(&limiter, limit, remaining).await.unwrap();
        assert!((rate() - per_minute).abs() < 1e-6, "{limit} {remaining}: {}", rate());
        sleep(Duration::from_secs(1)).await;
    }
    ask(&limiter, "600", "40").await.unwrap();
    sleep(Duration::from_secs(31)).await;
    assert!((rate() - 600.0).abs() < 1e-6, "after the reset");
}

#[tokio::test(start_paused = true)]
async fn openai_refund_follows_its_headers() {
    #[ratellmiter(limiter = limiter, tokens = (1000, 2000), usage = |()| Usage::new(900, 100))]
    async fn ask(limiter: &Limiter, remaining: u64) -> Result<(), ApiError> {
        let response = http::Response::builder()
            .header("x-ratelimit-limit-tokens", "10000")
            .header("x-ratelimit-remaining-tokens", remaining)
            .body(())
            .unwrap();
        assert!(call::observe(response.status(), response.headers()));
        Ok(())
    }
    let openai = Limits::for_provider(Provider::OpenAi).no_ramp().requests_per_minute(6000);
    let limiter = Limiter::new(openai.tokens_per_minute(10_000));
    ask(&limiter, 8500).await.unwrap();
    assert_eq!(tokens(&limiter), 1500, "charged as the headers show, not as used");
    ask(&limiter, 6000).await.unwrap();
    assert_eq!(tokens(&limiter), 3500, "charged as reserved: the larger of 1000 and 2000");
    ask(&limiter, 9999).await.unwrap();
    assert_eq!(tokens(&limiter), 4400, "refunded at most the unused part");
}
