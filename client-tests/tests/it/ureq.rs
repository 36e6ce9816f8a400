//! The real `ureq` client, which blocks, against refusals in the providers' formats.

use std::{
    error::Error,
    io::{self, BufRead as _, BufReader, Read as _},
    time::{Duration, Instant},
};

use ratellmiter_core::{
    Limiter, Usage, Verdict,
    classify::{LlmResponseExt as _, ResponseError, judge_error},
    ratellmiter,
    stream::StreamItem,
};
use serde_json::Value;
use ureq::{Agent, Body, Timeout, http::Response};

use crate::{
    blocking::{check_refusals, limiter, short_refusal},
    broken::{closed, incomplete_body, incomplete_headers, server, silent},
    pieces,
    support::{Answer, Server, budget, taken, vectors::success},
};

#[derive(Debug, thiserror::Error)]
enum AskError {
    /// Transparent, so the client's error itself is missing from the source chain.
    #[error(transparent)]
    Http(#[from] ureq::Error),
    #[error(transparent)]
    Refused(#[from] ResponseError),
    #[error(transparent)]
    Io(#[from] io::Error),
}

fn agent() -> Agent {
    Agent::config_builder().http_status_as_error(false).build().into()
}

#[ratellmiter(limiter = limiter, max_attempts = 1)]
fn checked(limiter: &Limiter, url: &str) -> Result<String, AskError> {
    Ok(agent().get(url).call()?.error_for_refusal()?.body_mut().read_to_string()?)
}

#[test]
fn checked_response_preserves_every_refusal() {
    check_refusals(|limiter, url| checked(limiter, url).is_ok_and(|text| text.contains("hello")));
}

#[ratellmiter(limiter = limiter)]
fn response(limiter: &Limiter, url: &str) -> Result<Response<Body>, ureq::Error> {
    agent().get(url).call()
}

#[ratellmiter(limiter = limiter)]
fn by_status(limiter: &Limiter, url: &str) -> Result<String, ureq::Error> {
    ureq::get(url).call()?.body_mut().read_to_string()
}

#[ratellmiter(limiter = limiter)]
fn boxed(limiter: &Limiter, url: &str) -> Result<String, Box<dyn Error + Send + Sync>> {
    Ok(agent().get(url).call()?.error_for_refusal()?.body_mut().read_to_string()?)
}

#[test]
fn refused_calls_are_sent_again_after_the_hint() {
    let server = || Server::start(vec![short_refusal(), success()]);
    let (start, first, second) = (Instant::now(), server(), server());
    assert_eq!(response(&limiter(), &first.url()).unwrap().status(), 200);
    assert!(boxed(&limiter(), &second.url()).unwrap().contains("hello"));
    assert_eq!((first.requests(), second.requests()), (2, 2));
    assert!(start.elapsed() >= Duration::from_millis(60) && start.elapsed() < Duration::from_secs(2));
}

#[test]
fn status_alone_is_classified_without_a_hint() {
    let server = Server::start(vec![Answer::new(429, &[("retry-after", "7")], ""), success()]);
    let start = Instant::now();
    by_status(&limiter(), &server.url()).unwrap();
    assert_eq!(server.requests(), 2);
    assert!(
        start.elapsed() >= Duration::from_secs(2) && start.elapsed() < Duration::from_secs(6),
        "the headers are lost"
    );
    let server = Server::start(vec![Answer::new(401, &[], ""), success()]);
    assert!(matches!(by_status(&limiter(), &server.url()), Err(ureq::Error::StatusCode(401))));
    assert_eq!(server.requests(), 1);
}

fn verdict(error: impl Error + 'static) -> Option<Verdict> {
    StreamItem::of(&Err::<Usage, _>(error)).verdict
}

#[tokio::test]
async fn connections_that_fail_before_a_response_are_transient() {
    let (_socket, closed) = closed();
    for url in [closed, incomplete_headers(), server(|_| ())] {
        assert_eq!(verdict(ureq::get(&url).call().unwrap_err()), Some(Verdict::transient()), "{url}");
        assert_eq!(verdict(AskError::Http(ureq::get(&url).call().unwrap_err())), Some(Verdict::transient()), "{url}");
    }
    let unresolved = io::Error::other("failed to lookup address information: Name or service not known");
    for error in [
        ureq::Error::HostNotFound,
        ureq::Error::ConnectionFailed,
        ureq::Error::Tls("handshake failure"),
        ureq::Error::Timeout(Timeout::Connect),
        ureq::Error::Timeout(Timeout::Resolve),
        ureq::Error::Io(unresolved),
        ureq::Error::Other(Box::new(io::Error::from(io::ErrorKind::ConnectionReset))),
    ] {
        let text = error.to_string();
        assert_eq!(verdict(error), Some(Verdict::transient()), "{text}");
    }
}

#[test]
fn timeouts_and_broken_bodies_are_failures() {
    #[ratellmiter(limiter = limiter)]
    fn counted(limiter: &Limiter, url: &str, attempts: &mut u32) -> Result<String, AskError> {
        *attempts += 1;
        Ok(agent().get(url).call()?.error_for_refusal()?.body_mut().read_to_string()?)
    }

    let config = Agent::config_builder().timeout_global(Some(Duration::from_millis(100))).build();
    let error = Agent::from(config).get(silent()).call().unwrap_err();
    assert!(matches!(error, ureq::Error::Timeout(_)));
    assert_eq!(verdict(error), Some(Verdict::Failed));

    let mut attempts = 0;
    counted(&limiter(), &incomplete_body(), &mut attempts).unwrap_err();
    assert_eq!(attempts, 1, "the response was observed before it broke off");
    let response = ureq::get(&incomplete_body()).call().unwrap();
    let line = BufReader::new(response.into_body().into_reader()).lines().next().unwrap();
    assert_eq!(verdict(line.unwrap_err()), Some(Verdict::Failed));
}

#[test]
fn other_errors_of_the_client_are_failures() {
    for error in [
        ureq::Error::Timeout(Timeout::Global),
        ureq::Error::Timeout(Timeout::RecvResponse),
        ureq::Error::Timeout(Timeout::RecvBody),
        ureq::Error::BadUri("x".to_owned()),
        ureq::Error::TooManyRedirects,
        ureq::Error::BodyExceedsLimit(7),
        ureq::Error::Io(io::Error::from(io::ErrorKind::InvalidData)),
    ] {
        let text = error.to_string();
        assert_eq!(verdict(error), Some(Verdict::Failed), "{text}");
    }
}

#[test]
fn json_value_settles_the_call() {
    #[ratellmiter(limiter = limiter, tokens = (5000, 5000))]
    fn value(limiter: &Limiter, url: &str) -> Result<Value, AskError> {
        Ok(agent().get(url).call()?.error_for_refusal()?.body_mut().read_json()?)
    }
    let limiter = budget();
    value(&limiter, &Server::start(vec![success()]).url()).unwrap();
    assert_eq!(taken(&limiter), (2, 0));
}

#[ratellmiter(limiter = limiter, tokens = (1000, 1002), stream)]
fn lines(limiter: &Limiter, url: &str) -> Result<impl Iterator<Item = io::Result<String>> + use<>, AskError> {
    let response = agent().get(url).call()?.error_for_refusal()?;
    Ok(BufReader::new(response.into_body().into_reader()).lines())
}

#[ratellmiter(limiter = limiter, tokens = (1000, 1002), stream)]
fn boxed_lines(limiter: &Limiter, url: &str) -> Result<Box<dyn Iterator<Item = io::Result<String>> + Send>, AskError> {
    let response = agent().get(url).call()?.error_for_refusal()?;
    Ok(Box::new(BufReader::new(response.into_body().into_reader()).lines()))
}

#[test]
fn lines_keep_the_ticket_and_settle_the_call() {
    for body in [pieces::openai(), pieces::anthropic(), pieces::ollama()] {
        let url = pieces::serve(vec![pieces::cut(&body, &[7, 30])]);
        let limiter = budget();
        let mut lines = lines(&limiter, &url).unwrap();
        assert_eq!(taken(&limiter), (2002, 1));
        assert!(lines.by_ref().all(|line| line.is_ok()));
        assert_eq!(taken(&limiter), (122, 0), "{body}");
        assert_eq!(boxed_lines(&limiter, &url).unwrap().count(), body.lines().count());
        assert_eq!(taken(&limiter), (244, 0), "{body}");
    }
}

#[test]
fn lines_that_end_with_done_settle_the_call_when_dropped() {
    let limiter = budget();
    let url = pieces::serve(vec![vec![pieces::openai().into_bytes()]]);
    for line in lines(&limiter, &url).unwrap() {
        if line.unwrap() == "data: [DONE]" {
            break;
        }
    }
    assert_eq!(taken(&limiter), (122, 0));
}

#[test]
fn refusal_in_the_first_event_of_lines_is_retried() {
    let url = pieces::serve(vec![vec![pieces::refused().into_bytes()], vec![pieces::openai().into_bytes()]]);
    let limiter = budget();
    let answer: Vec<_> = lines(&limiter, &url).unwrap().collect();
    assert_eq!(answer.len(), pieces::openai().lines().count());
    assert_eq!(taken(&limiter), (2002 + 122, 0), "the refused attempt stays charged");
}

#[test]
fn body_that_breaks_off_is_a_known_failure() {
    let response = ureq::get(&incomplete_body()).call().unwrap();
    let error = response.into_body().into_reader().read_to_end(&mut Vec::new()).unwrap_err();
    assert_eq!(judge_error(&error), Some(Verdict::Failed));
    let other = io::Error::new(io::ErrorKind::UnexpectedEof, "a file of its own");
    assert_eq!(judge_error(&other), None);
}

#[test]
fn time_out_of_a_reader_is_a_known_failure() {
    let body = |error| io::Error::other::<ureq::Error>(error);
    assert_eq!(judge_error(&body(ureq::Error::Timeout(Timeout::Global))), Some(Verdict::Failed));
    assert_eq!(judge_error(&body(ureq::Error::StatusCode(429))), Some(Verdict::rate_limited()));
    assert_eq!(judge_error(&body(ureq::Error::StatusCode(404))), Some(Verdict::Failed));
}
