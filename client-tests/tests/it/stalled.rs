//! Servers that send the head of a refusal and never the rest of its body.

use std::{
    io::Write as _,
    thread,
    time::{Duration, Instant},
};

use ratellmiter_core::{
    Classify as _, LimitKind, Verdict,
    classify::{LlmResponseExt as _, ResponseError},
};

use crate::broken::server;

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
