//! What calls cost and what they used, how long they wait, and streams: with the attribute and without, in virtual time.

#![deny(unused, clippy::pedantic)]

use std::{pin::Pin, time::Duration};

use futures::{
    FutureExt as _, Stream, StreamExt as _,
    future::join_all,
    stream::{self, BoxStream},
};
use ratellmiter_core::{
    AcquireOptions, Classify, LimitKind, Limiter, Limits, Priority, Provider, RejectReason, Rejected, Usage, Verdict,
    call,
    log::BudgetKind,
    ratellmiter,
    tokens::{HasUsage, estimate_tokens},
};
use tokio::time::{Instant, sleep};

fn limits(per_minute: u32) -> Limits {
    Limits::per_minute(per_minute).no_ramp()
}

/// What counts against a budget.
fn taken(limiter: &Limiter, meter: BudgetKind) -> u64 {
    limiter.snapshot().budgets().find(|budget| budget.meter == meter).map_or(0, |budget| budget.taken)
}

fn tokens(limiter: &Limiter) -> u64 {
    taken(limiter, BudgetKind::TokensPerMinute)
}

#[derive(Debug, PartialEq, thiserror::Error)]
enum ApiError {
    #[error("slow down")]
    Refused,
    #[error("broken")]
    Broken,
    #[error(transparent)]
    Rejected(#[from] Rejected),
}

impl Classify for ApiError {
    fn verdict(&self) -> Verdict {
        match self {
            Self::Refused => {
                Verdict::RateLimited { retry_after: Some(Duration::from_secs(2)), limit: LimitKind::Requests }
            }
            _ => Verdict::Failed,
        }
    }
}

mod costs {
    use super::*;

    fn limiter() -> Limiter {
        Limiter::new(limits(6000).tokens_per_minute(10_000))
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_reserved_too_much_is_given_back_and_too_little_is_charged() {
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
    async fn what_nobody_tells_stays_as_it_was_reserved_until_it_leaves_the_minute() {
        let limiter = limiter();
        limiter.acquire_tokens(1000, 2000).await.finish();
        drop(limiter.acquire_tokens(100, 0).await);
        limiter.acquire_tokens(10, 0).await.finish_failed();
        assert_eq!(tokens(&limiter), 3110);
        limiter.acquire_tokens(1000, 2000).await.cancel();
        assert_eq!(tokens(&limiter), 3110, "a call that was not made costs nothing");
        sleep(Duration::from_secs(61)).await;
        assert_eq!(tokens(&limiter), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_larger_than_the_budget_goes_alone() {
        let limiter = limiter();
        let start = Instant::now();
        limiter.acquire_tokens(1, 0).await.finish();
        limiter.acquire_tokens(u64::MAX, u64::MAX).await.finish();
        assert_eq!(start.elapsed().as_secs(), 60, "when nothing else counts");
        limiter.acquire_tokens(0, 0).await.finish();
        let after = start.elapsed().as_secs();
        assert!((60..=121).contains(&after), "{after}");
        limiter.acquire_tokens(1, 0).await.finish();
        assert!(start.elapsed().as_secs() <= 121, "a call is charged one budget at most");
    }

    #[tokio::test(start_paused = true)]
    async fn a_big_call_is_not_overtaken_and_holds_up_the_small_ones_no_longer_than_it_waits() {
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
    async fn the_attribute_takes_a_cost_and_finds_the_usage_by_itself() {
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
    async fn usage_is_told_by_a_path_a_type_or_the_function_itself() {
        struct Answer(u64);
        impl HasUsage for Answer {
            fn usage(&self) -> Option<Usage> {
                Some(Usage::new(self.0, 0))
            }
        }
        #[ratellmiter(limiter = limiter, tokens = 500)]
        async fn by_type(limiter: &Limiter) -> Result<Answer, ApiError> {
            Ok(Answer(10))
        }
        struct Wrapped {
            tokens: u64,
        }
        #[ratellmiter(limiter = limiter, tokens = 500, usage = |wrapped| Usage::new(wrapped.tokens, 0))]
        async fn by_path(limiter: &Limiter) -> Result<Wrapped, ApiError> {
            Ok(Wrapped { tokens: 100 })
        }
        #[ratellmiter(limiter = limiter, tokens = (500, None::<u32>))]
        async fn by_body(limiter: &Limiter) -> Result<String, ApiError> {
            Ok(r#"{"usage": {"input_tokens": 5, "output_tokens": 0}}"#.to_owned())
        }
        #[ratellmiter(limiter = limiter, tokens = 500)]
        fn by_itself(limiter: &Limiter) -> u8 {
            assert!(call::report_usage((1000, 0)));
            7
        }
        let limiter = limiter();
        by_type(&limiter).await.unwrap();
        assert_eq!(tokens(&limiter), 10);
        by_path(&limiter).await.unwrap();
        assert_eq!(tokens(&limiter), 110);
        by_body(&limiter).await.unwrap();
        assert_eq!(tokens(&limiter), 115);
        assert_eq!(by_itself(&limiter), 7, "a ticket that is there at once");
        assert_eq!(tokens(&limiter), 1115);
        assert!(!call::report_usage((1, 1)), "outside of a call");
    }

    #[tokio::test(start_paused = true)]
    async fn a_budget_that_comes_while_a_call_is_out_has_nothing_to_give_back() {
        for tokens in [1, 7, 60, 10_000] {
            let limiter = Limiter::new(limits(600));
            sleep(Duration::from_mins(1)).await;
            let ticket = limiter.acquire_tokens(1000, 0).await;
            limiter.set_limits(limits(600).tokens_per_minute(tokens));
            ticket.finish_with_usage((1, 0));
            assert_eq!((limiter.snapshot().in_flight, self::tokens(&limiter)), (0, 0));
        }
    }

    /// Dropped before their turn, with a ticket that they never saw, or in the middle of the call.
    #[tokio::test(start_paused = true)]
    async fn ten_thousand_cancellations_leave_nothing_behind() {
        let limits = limits(60_000).requests_per_day(1_000_000).max_in_flight(50);
        let limiter = Limiter::new(limits.input_tokens_per_minute(900_000).output_tokens_per_minute(90_000));
        let calls = (0..10_000_u64).map(|call| {
            let limiter = limiter.clone();
            let (wait, stays) = (call * 7919 % 30_000, call * 104_729 % 500);
            async move {
                let whole = async {
                    let ticket = limiter.acquire_tokens(call % 2000, call % 200).await;
                    sleep(Duration::from_millis(stays)).await;
                    ticket.cancel();
                };
                let _ = tokio::time::timeout(Duration::from_millis(wait), whole).await;
            }
        });
        join_all(calls.map(tokio::spawn)).await;
        let snapshot = limiter.snapshot();
        assert_eq!((snapshot.queued, snapshot.in_flight), (0, 0));
        sleep(Duration::from_secs(61)).await;
        assert_eq!(taken(&limiter, BudgetKind::InputTokensPerMinute), 0);
        assert_eq!(taken(&limiter, BudgetKind::OutputTokensPerMinute), 0);
        // A minute's budget is there again, and not more than that.
        let start = Instant::now();
        let calls = (0..100).map(|_| async {
            let ticket = limiter.acquire_tokens(9000, 900).await;
            (start.elapsed(), ticket.finish_with_usage((9000, 900))).0
        });
        let last = join_all(calls).await.into_iter().max().unwrap();
        assert!((55..=60).contains(&last.as_secs()), "{last:?}");
    }

    /// As a program starts: all calls at once, none of which says what it costs, and answers that take long.
    #[tokio::test(start_paused = true)]
    async fn before_anything_is_known_no_minute_is_overdrawn() {
        for latency in [2, 30, 60] {
            let limits = Limits::for_provider(Provider::Anthropic).requests_per_minute(50);
            let limiter = Limiter::new(limits.input_tokens_per_minute(30_000).output_tokens_per_minute(8_000));
            let start = Instant::now();
            let went = std::sync::Mutex::new(Vec::new());
            let calls = (0..60).map(|_| async {
                let ticket = limiter.acquire().await;
                went.lock().unwrap().push(start.elapsed().as_secs());
                sleep(Duration::from_secs(latency)).await;
                ticket.finish_with_usage((3000, 300));
            });
            join_all(calls).await;
            let first_minute = went.lock().unwrap().iter().filter(|at| **at < 60).count() as u64;
            assert!((5..=10).contains(&first_minute), "{latency}: {} input tokens", first_minute * 3000);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn calls_of_which_nothing_is_said_are_taken_to_be_like_those_before() {
        let limiter = limiter();
        let ticket = limiter.acquire().await;
        assert_eq!(tokens(&limiter), 1000, "at first a tenth of the budget");
        ticket.finish_with_usage((700, 100));
        let ticket = limiter.acquire().await;
        assert_eq!(tokens(&limiter), 1600);
        ticket.cancel();
    }

    #[tokio::test(start_paused = true)]
    async fn the_contract_decides_what_is_given_back() {
        for (provider, left) in [("azure", 3000), ("bedrock", 1000), ("generic", 1000), ("openai", 2000)] {
            let contract = provider.parse::<Provider>().unwrap();
            let limiter = Limiter::new(limits(6000).tokens_per_minute(10_000).provider(contract));
            limiter.acquire_tokens(1000, 2000).await.finish_with_usage((900, 100));
            assert_eq!(tokens(&limiter), left, "{provider}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_tier_table_is_written_down_in_one_place() {
        let limits = Limits::for_provider(Provider::Anthropic).requests_per_minute(50);
        let limiter = Limiter::new(limits.input_tokens_per_minute(30_000).output_tokens_per_minute(8_000));
        limiter.acquire_tokens(1000, 4096).await.finish_with_usage(Usage::new(3000, 250).cached(2500));
        assert_eq!(taken(&limiter, BudgetKind::InputTokensPerMinute), 500, "what comes from the cache is free");
        assert_eq!(taken(&limiter, BudgetKind::OutputTokensPerMinute), 250, "what was asked for at most plays no part");
    }

    #[tokio::test(start_paused = true)]
    async fn the_headers_of_an_answer_lower_the_pace_and_never_raise_it() {
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
        assert!((rate() - 600.0).abs() < 1e-6, "when it is whole again");
    }

    #[tokio::test(start_paused = true)]
    async fn what_openai_gives_back_is_what_its_headers_show() {
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
        assert_eq!(tokens(&limiter), 1500, "not the 900 that were used");
        ask(&limiter, 6000).await.unwrap();
        assert_eq!(tokens(&limiter), 3500, "the larger of 1000 and 2000");
        ask(&limiter, 9999).await.unwrap();
        assert_eq!(tokens(&limiter), 4400, "no more than was not used");
    }
}

mod bounds {
    use super::*;

    fn rejected(error: ApiError) -> Rejected {
        match error {
            ApiError::Rejected(rejected) => rejected,
            other => panic!("{other}"),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_that_would_wait_too_long_is_turned_away_at_once() {
        let limiter = Limiter::new(limits(6));
        let start = Instant::now();
        limiter.acquire_with(AcquireOptions::new().max_wait(Duration::from_secs(1))).await.unwrap().finish();
        let late = limiter.acquire_with(AcquireOptions::new().max_wait(Duration::from_secs(9))).await.unwrap_err();
        assert_eq!((late.reason, late.estimated_wait.as_secs()), (RejectReason::MaxWait, 10));
        let late =
            limiter.acquire_with(AcquireOptions::new().deadline(start + Duration::from_secs(9))).await.unwrap_err();
        assert_eq!(late.reason, RejectReason::Deadline);
        assert_eq!(start.elapsed(), Duration::ZERO);
        limiter.acquire_with(AcquireOptions::new().max_wait(Duration::from_secs(11))).await.unwrap().finish();
        assert_eq!(start.elapsed().as_secs(), 10);
        assert_eq!(limiter.snapshot().queued, 0);
    }

    #[tokio::test(start_paused = true)]
    async fn one_whose_time_ends_in_the_line_leaves_it_and_holds_up_nobody() {
        let limiter = Limiter::new(limits(60).max_in_flight(1));
        let out = limiter.acquire().await;
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
                out.finish();
            }
        );
        assert_eq!(bounded.0.unwrap_err().reason, RejectReason::MaxWait);
        assert_eq!((bounded.1.as_millis(), other.as_secs()), (2500, 4));
    }

    #[tokio::test(start_paused = true)]
    async fn a_line_that_is_long_enough_takes_no_more() {
        let limiter = Limiter::new(limits(60).max_queue(2));
        limiter.acquire_with(AcquireOptions::new().max_queue(0)).await.unwrap().finish();
        assert_eq!(
            limiter.acquire_with(AcquireOptions::new().max_queue(0)).await.unwrap_err().reason,
            RejectReason::MaxLine
        );
        let answers = join_all((0..4).map(|_| limiter.acquire_with(AcquireOptions::new()))).await;
        let reasons: Vec<_> =
            answers.iter().map(|answer| answer.as_ref().err().map(|rejected| rejected.reason)).collect();
        assert_eq!(reasons, [None, None, Some(RejectReason::MaxLine), Some(RejectReason::MaxLine)]);
        let unbounded = join_all((0..4).map(|_| limiter.acquire())).await;
        assert_eq!(unbounded.len(), 4, "those that cannot be told wait");
    }

    #[tokio::test(start_paused = true)]
    async fn the_attribute_turns_calls_away_with_their_own_error() {
        #[ratellmiter(limiter = limiter, max_wait = 9)]
        async fn waits(limiter: &Limiter) -> Result<u8, ApiError> {
            Ok(1)
        }
        #[ratellmiter(limiter = limiter, deadline = until, max_queue = 7)]
        async fn until(limiter: &Limiter, until: Instant) -> Result<u8, ApiError> {
            Ok(2)
        }
        #[ratellmiter(limiter = limiter, bounded)]
        fn as_the_limiter_says(limiter: &Limiter) -> Result<u8, Box<dyn std::error::Error>> {
            Ok(3)
        }
        let limiter = Limiter::new(limits(6).max_wait(Duration::from_secs(3)));
        assert_eq!(waits(&limiter).await, Ok(1));
        let turned_away = rejected(waits(&limiter).await.unwrap_err());
        assert_eq!(turned_away.reason, RejectReason::MaxWait);
        let soon = Instant::now() + Duration::from_secs(2);
        assert_eq!(rejected(until(&limiter, soon).await.unwrap_err()).reason, RejectReason::Deadline);
        let error = as_the_limiter_says(&limiter).unwrap_err();
        assert_eq!(error.downcast_ref::<Rejected>().unwrap().reason, RejectReason::MaxWait);
        sleep(Duration::from_secs(10)).await;
        assert_eq!(as_the_limiter_says(&limiter).unwrap(), 3);
    }

    #[tokio::test(start_paused = true)]
    async fn only_waiting_counts_and_not_the_time_that_the_call_is_out() {
        #[ratellmiter(limiter = limiter, max_wait = 5)]
        async fn ask(limiter: &Limiter, attempts: &mut u32) -> Result<u8, ApiError> {
            *attempts += 1;
            sleep(Duration::from_secs(30)).await;
            if *attempts < 3 { Err(ApiError::Refused) } else { Ok(7) }
        }
        let limiter = Limiter::new(limits(600));
        let (start, mut attempts) = (Instant::now(), 0);
        // Two waits of 2 s after refusals, which a third would exceed.
        assert_eq!(ask(&limiter, &mut attempts).await, Ok(7));
        assert!((94..=96).contains(&start.elapsed().as_secs()), "{:?}", start.elapsed());
        let ticket = limiter.acquire_with(AcquireOptions::new().max_wait(Duration::from_secs(5))).await.unwrap();
        sleep(Duration::from_mins(1)).await;
        let rejected = ticket.requeue_after(Some(Duration::from_mins(1))).bounded().await.unwrap_err();
        assert_eq!(rejected.reason, RejectReason::MaxWait);
    }

    #[test]
    fn who_may_not_wait_at_all_goes_at_once_or_not() {
        let limiter = Limiter::new(limits(60));
        let at_once = || limiter.acquire_with(AcquireOptions::new().max_wait(Duration::ZERO)).wait();
        at_once().unwrap().finish();
        assert_eq!(at_once().unwrap_err().reason, RejectReason::MaxWait);
        let past = std::time::Instant::now().checked_sub(Duration::from_secs(1)).unwrap();
        let late = Limiter::new(limits(60)).acquire_with(AcquireOptions::new().deadline(past).max_queue(0)).wait();
        assert_eq!(late.unwrap_err().reason, RejectReason::Deadline, "though it might go at once");
        let off = Limiter::new(limits(60).enabled(false));
        (0..100).for_each(|_| {
            off.acquire_with(AcquireOptions::new().deadline(past).max_wait(Duration::ZERO)).wait().unwrap().finish();
        });
    }

    #[tokio::test(start_paused = true)]
    async fn the_wait_behind_a_big_call_is_told() {
        let limiter = Limiter::new(limits(600).tokens_per_minute(10_000));
        limiter.acquire_tokens(9000, 0).await.finish();
        let big = limiter.clone();
        tokio::spawn(async move { big.acquire_tokens(9000, 0).await.finish() });
        sleep(Duration::from_millis(1)).await;
        let ask = |seconds| {
            limiter.acquire_with(AcquireOptions::new().estimate((10, 0)).max_wait(Duration::from_secs(seconds)))
        };
        let rejected = ask(58).await.unwrap_err();
        assert!((100..=120).contains(&rejected.estimated_wait.as_secs()), "{rejected}");
        let start = Instant::now();
        ask(125).await.unwrap().finish();
        assert!((110..=118).contains(&start.elapsed().as_secs()), "{:?}", start.elapsed());
        let full = Limiter::new(limits(600).max_in_flight(1));
        let one = full.acquire().await;
        sleep(Duration::from_secs(20)).await;
        one.finish();
        let _out = full.acquire().await;
        let rejected = full.acquire_with(AcquireOptions::new().max_wait(Duration::from_secs(5))).await.unwrap_err();
        assert_eq!(rejected.estimated_wait.as_secs(), 20, "as long as the call before took");
    }

    #[tokio::test(start_paused = true)]
    async fn a_refused_call_that_cannot_be_in_time_comes_back_with_its_own_error() {
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
    async fn urgent_calls_pass_and_none_waits_for_ever() {
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
        // A stream of urgent calls that uses all of the rate, from now on.
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
}

mod streams {
    use super::*;

    type Item = Result<serde_json::Value, ApiError>;

    fn limiter() -> Limiter {
        Limiter::new(limits(6000).tokens_per_minute(100_000))
    }

    /// Parts of an answer, a second apart; the last one tells the usage.
    fn parts(failure: Option<(u64, ApiError)>) -> impl Stream<Item = Item> + Send + 'static {
        let mut failure = failure;
        stream::iter(0..4_u64).then(move |part| {
            let failure = failure.take_if(|(at, _)| *at == part);
            async move {
                sleep(Duration::from_secs(1)).await;
                match failure {
                    Some((_, error)) => Err(error),
                    None if part == 3 => {
                        Ok(serde_json::json!({"usage": {"prompt_tokens": 50, "completion_tokens": 3}}))
                    }
                    None => Ok(serde_json::json!({"delta": part})),
                }
            }
        })
    }

    #[ratellmiter(limiter = limiter, stream, tokens = (100, 1000))]
    async fn opaque(limiter: &Limiter, failure: Option<u64>) -> Result<impl Stream<Item = Item> + use<>, ApiError> {
        Ok(parts(failure.map(|at| (at, ApiError::Broken))))
    }

    #[ratellmiter(limiter = limiter, stream, tokens = (100, 1000))]
    async fn boxed(limiter: &Limiter) -> Result<Pin<Box<dyn Stream<Item = Item> + Send>>, ApiError> {
        Ok(Box::pin(parts(None)))
    }

    #[ratellmiter(limiter = limiter, stream, tokens = (100, 1000))]
    async fn alone(limiter: &Limiter) -> BoxStream<'static, Item> {
        parts(None).boxed()
    }

    #[ratellmiter(limiter = limiter, stream, tokens = (100, 1000))]
    fn plain(limiter: &Limiter) -> impl Stream<Item = Item> {
        parts(None)
    }

    #[ratellmiter(limiter = limiter, stream, tokens = (100, 1000))]
    fn plain_boxed(limiter: &Limiter) -> BoxStream<'_, Item> {
        parts(None).boxed()
    }

    #[ratellmiter(limiter = limiter, stream, tokens = (100, 1000))]
    fn future(limiter: &Limiter) -> impl Future<Output = Result<BoxStream<'static, Item>, ApiError>> {
        async move { Ok(parts(None).boxed()) }
    }

    async fn keeps_its_ticket(limiter: &Limiter, stream: impl Stream<Item = Item>) {
        let mut stream = std::pin::pin!(stream);
        for _ in 0..4 {
            assert!(stream.next().await.unwrap().is_ok());
            assert_eq!((limiter.snapshot().in_flight, tokens(limiter)), (1, 1100));
        }
        assert!(stream.next().await.is_none());
        assert_eq!((limiter.snapshot().in_flight, tokens(limiter)), (0, 53));
    }

    #[tokio::test(start_paused = true)]
    async fn every_shape_keeps_its_ticket_to_the_end_and_settles_with_the_last_item() {
        let limiter = limiter();
        keeps_its_ticket(&limiter, opaque(&limiter, None).await.unwrap()).await;
        sleep(Duration::from_secs(61)).await;
        keeps_its_ticket(&limiter, boxed(&limiter).await.unwrap()).await;
        sleep(Duration::from_secs(61)).await;
        keeps_its_ticket(&limiter, alone(&limiter).await).await;
        sleep(Duration::from_secs(61)).await;
        keeps_its_ticket(&limiter, plain(&limiter)).await;
        sleep(Duration::from_secs(61)).await;
        keeps_its_ticket(&limiter, plain_boxed(&limiter)).await;
        sleep(Duration::from_secs(61)).await;
        keeps_its_ticket(&limiter, future(&limiter).await.unwrap()).await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_stream_that_is_dropped_gives_its_place_back_and_stays_charged() {
        let limiter = limiter();
        let mut dropped = boxed(&limiter).await.unwrap();
        assert!(dropped.next().await.is_some());
        drop(dropped);
        assert_eq!((limiter.snapshot().in_flight, tokens(&limiter)), (0, 1100));
        let mut told = boxed(&limiter).await.unwrap();
        for _ in 0..4 {
            told.next().await.unwrap().unwrap();
        }
        drop(told);
        assert_eq!((limiter.snapshot().in_flight, tokens(&limiter)), (0, 1153), "the usage had come");
    }

    #[tokio::test(start_paused = true)]
    async fn an_error_before_the_first_item_is_retried_and_after_it_never() {
        #[ratellmiter(limiter = limiter, stream)]
        async fn ask(
            limiter: &Limiter,
            attempts: &mut u32,
            refused_at: u64,
        ) -> Result<impl Stream<Item = Item> + use<>, ApiError> {
            *attempts += 1;
            Ok(parts((*attempts < 3).then_some((refused_at, ApiError::Refused))))
        }
        let (limiter, mut attempts) = (limiter(), 0);
        let items: Vec<_> = ask(&limiter, &mut attempts, 0).await.unwrap().collect().await;
        assert_eq!((attempts, items.len(), items.iter().filter(|item| item.is_err()).count()), (3, 4, 0));
        assert_eq!(limiter.snapshot().in_flight, 0);

        let mut attempts = 0;
        let answer = ask(&limiter, &mut attempts, 2).await.unwrap();
        let mut answer = std::pin::pin!(answer);
        assert!(answer.next().await.unwrap().is_ok() && answer.next().await.unwrap().is_ok());
        assert!(limiter.snapshot().paused_until.is_none());
        assert_eq!(answer.next().await, Some(Err(ApiError::Refused)), "it goes on to the caller");
        assert!(limiter.snapshot().paused_until.is_some(), "and pauses the limiter");
        assert_eq!((limiter.snapshot().in_flight, limiter.snapshot().queued), (0, 0));
        assert_eq!(attempts, 1);
    }

    #[tokio::test(start_paused = true)]
    async fn an_event_in_a_stream_that_tells_of_overload_is_a_refusal() {
        #[ratellmiter(limiter = limiter, stream)]
        async fn ask(limiter: &Limiter) -> Result<impl Stream<Item = serde_json::Value> + use<>, ApiError> {
            let overloaded =
                serde_json::json!({"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}});
            Ok(stream::iter([serde_json::json!({"type": "message_start"}), overloaded]))
        }
        let limiter = limiter();
        assert_eq!(ask(&limiter).await.unwrap().count().await, 2);
        assert!(limiter.snapshot().paused_until.is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn an_error_that_is_no_refusal_ends_nothing_early() {
        let limiter = limiter();
        let answer = opaque(&limiter, Some(1)).await.unwrap();
        assert_eq!(answer.filter(|item| std::future::ready(item.is_err())).count().await, 1);
        assert_eq!((limiter.snapshot().in_flight, tokens(&limiter)), (0, 53));
    }

    #[tokio::test(start_paused = true)]
    async fn without_the_attribute_a_ticket_is_held_as_well() {
        let limiter = limiter();
        let ticket = limiter.acquire_tokens(100, 1000).await;
        let held = ticket.attach(parts(None)).usage_from(|item| item.as_ref().ok().and_then(Usage::from_json));
        keeps_its_ticket(&limiter, held).await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_type_that_holds_a_stream_keeps_the_ticket_of_its_call() {
        struct Answer {
            parts: BoxStream<'static, Item>,
        }
        #[ratellmiter(limiter = limiter, tokens = (100, 1000))]
        async fn ask(limiter: &Limiter, fails: bool) -> Result<Answer, ApiError> {
            let parts =
                call::attach(parts(None)).usage_from(|item| item.as_ref().ok().and_then(Usage::from_json)).boxed();
            if fails { Err(ApiError::Broken) } else { Ok(Answer { parts }) }
        }
        let limiter = limiter();
        keeps_its_ticket(&limiter, ask(&limiter, false).await.unwrap().parts).await;
        assert!(ask(&limiter, true).await.is_err());
        assert_eq!(limiter.snapshot().in_flight, 0);
        assert_eq!(call::attach(parts(None)).count().await, 4, "outside of a call it is a stream");
    }

    #[tokio::test(start_paused = true)]
    async fn what_the_function_says_and_what_its_stream_tells_is_put_together() {
        #[ratellmiter(limiter = limiter, tokens = (100, 1000), stream)]
        async fn itself(limiter: &Limiter) -> Result<BoxStream<'static, Result<Usage, ApiError>>, ApiError> {
            assert!(call::report_usage((70, 0)));
            Ok(stream::iter([Ok(Usage::new(0, 1)), Ok(Usage::new(0, 5))]).boxed())
        }
        #[ratellmiter(limiter = limiter, tokens = (100, 1000), usage = |_| Usage::new(70, 0))]
        async fn inside(limiter: &Limiter) -> Result<(BoxStream<'static, Usage>,), ApiError> {
            Ok((call::attach(stream::iter([Usage::new(0, 5)])).usage_from(|usage| Some(*usage)).boxed(),))
        }
        let limiter = limiter();
        assert_eq!(itself(&limiter).await.unwrap().count().await, 2);
        assert_eq!(tokens(&limiter), 75);
        let (held,) = inside(&limiter).await.unwrap();
        assert_eq!((held.count().await, tokens(&limiter)), (1, 150));
        let mut dropped = itself(&limiter).await.unwrap();
        assert!(dropped.next().await.is_some());
        drop(dropped);
        assert_eq!(limiter.snapshot().in_flight, 0);
    }

    #[tokio::test(start_paused = true)]
    async fn a_dropped_future_of_a_stream_leaks_nothing() {
        let limiter = limiter();
        assert!(tokio::time::timeout(Duration::from_millis(500), boxed(&limiter)).await.is_err());
        assert_eq!(limiter.snapshot().in_flight, 0);
        assert!(plain(&limiter).next().now_or_never().is_none());
        assert_eq!(limiter.snapshot().in_flight, 0);
    }
}
