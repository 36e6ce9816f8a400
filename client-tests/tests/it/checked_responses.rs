//! Failed responses that a function checks: with a body that never ends, and with a code that is not known.

use std::{
    io::Write as _,
    thread,
    time::{Duration, Instant},
};

use ratellmiter_core::{
    Classify as _, LimitKind, Limiter, Verdict,
    classify::{LlmResponseExt as _, ResponseError, judge_error},
    ratellmiter,
};

use crate::{
    alone::is_alone,
    broken::server,
    every_refusal::limiter,
    support::{Answer, Server},
    warnings,
};

/// Returns the address of a server that sends the head of a refusal and a part of its body.
fn stalled() -> String {
    server(|stream| {
        let head = "HTTP/1.1 429 Too Many Requests\r\nretry-after: 7\r\ncontent-length: 999\r\n\r\ntokens per minute";
        stream.write_all(head.as_bytes()).unwrap();
        thread::sleep(Duration::from_secs(20));
    })
}

fn assert_judged(error: &ResponseError, start: Instant) {
    let refused = Verdict::rate_limited().with_retry_after(Duration::from_secs(7)).with_limit(LimitKind::Tokens);
    assert_eq!((error.verdict(), error.body.as_str()), (refused, "tokens per minute"));
    assert!(start.elapsed() < Duration::from_secs(8), "{:?}", start.elapsed());
    let boxed: Box<ResponseError> = Box::new(error.clone());
    let shared = std::sync::Arc::new(error.clone());
    assert_eq!([judge_error(&boxed), judge_error(&shared)], [Some(refused); 2], "the box is not its own source");
}

#[tokio::test]
async fn refusal_whose_body_never_ends_is_judged_in_seconds() {
    let start = Instant::now();
    let by_reqwest = async { reqwest::get(stalled()).await.unwrap().error_for_refusal().await.unwrap_err() };
    let by_older_reqwest = async { reqwest_012::get(stalled()).await.unwrap().error_for_refusal().await.unwrap_err() };
    let by_hyper = async {
        let response = crate::hyper::send(&stalled()).await.unwrap();
        response.error_for_refusal().await.unwrap_err()
    };
    let (first, second, third) = futures::join!(by_reqwest, by_older_reqwest, by_hyper);
    [first, second, third].iter().for_each(|error| assert_judged(error, start));
}

#[test]
fn refusal_of_a_blocking_client_is_judged_in_seconds() {
    let start = Instant::now();
    let by_reqwest = thread::spawn(|| reqwest::blocking::get(stalled()).unwrap().error_for_refusal().unwrap_err());
    let agent: ureq::Agent = ureq::Agent::config_builder().http_status_as_error(false).build().into();
    let error = agent.get(stalled()).call().unwrap().error_for_refusal().unwrap_err();
    assert_judged(&error, start);
    assert_judged(&by_reqwest.join().unwrap(), start);
}

type Checked<E> = Result<reqwest::Response, E>;

#[ratellmiter(limiter = limiter, max_attempts = 1)]
async fn checked(limiter: &Limiter, url: &str) -> Checked<ResponseError> {
    // Without a connection pool, whose idle timers would advance the paused time during a request.
    let client = reqwest::Client::builder().pool_max_idle_per_host(0).build().unwrap();
    client.get(url).send().await.unwrap().error_for_refusal().await
}

#[ratellmiter(limiter = limiter, max_attempts = 1)]
async fn checked_in_box(limiter: &Limiter, url: &str) -> Checked<Box<dyn std::error::Error + Send + Sync>> {
    let client = reqwest::Client::builder().pool_max_idle_per_host(0).build().unwrap();
    Ok(client.get(url).send().await?.error_for_refusal().await?)
}

#[tokio::test(start_paused = true)]
async fn refusal_with_an_unknown_code_causes_a_warning_for_each_type() {
    if !is_alone("checked_responses::refusal_with_an_unknown_code_causes_a_warning_for_each_type") {
        return;
    }
    let warnings = warnings::Warnings::default();
    tracing::subscriber::set_global_default(warnings.clone()).unwrap();
    let refused = |body: &str| Server::start(vec![Answer::new(429, &[], body)]).url();
    let count = || warnings.said().matches("a code that is not known").count();
    for body in [r#"{"error": {"code": "rate_limit_exceeded"}}"#, "slow down", ""] {
        assert!(checked(&limiter(), &refused(body)).await.is_err());
        assert!(checked_in_box(&limiter(), &refused(body)).await.is_err());
    }
    assert_eq!(count(), 0, "{}", warnings.said());
    for _ in 0..2 {
        let error = checked(&limiter(), &refused(r#"{"error": {"code": "1399", "message": "x"}}"#)).await.unwrap_err();
        assert_eq!(error.verdict(), Verdict::rate_limited());
        assert!(checked_in_box(&limiter(), &refused(r#"{"error": {"code": "1399"}}"#)).await.is_err());
        assert_eq!(count(), 2, "{}", warnings.said());
    }
}
