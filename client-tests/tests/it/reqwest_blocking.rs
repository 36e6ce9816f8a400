//! The real blocking client of `reqwest` against refusals in the providers' formats. It must not run inside a runtime.

use std::io::{self, BufRead as _, BufReader};

use ratellmiter_core::{
    Limiter, Usage, Verdict,
    classify::{LlmResponseExt as _, ResponseError},
    ratellmiter,
    stream::StreamItem,
};
use reqwest::blocking::{self, Response};
use serde_json::Value;

use crate::{
    blocking::{check_refusals, limiter, short_refusal},
    broken::incomplete_headers,
    pieces,
    support::{Server, budget, taken, vectors::success},
};

#[derive(Debug, thiserror::Error)]
enum AskError {
    #[error(transparent)]
    Http(#[from] reqwest::Error),
    #[error(transparent)]
    Refused(#[from] ResponseError),
}

#[ratellmiter(limiter = limiter, max_attempts = 1)]
fn checked(limiter: &Limiter, url: &str) -> Result<String, AskError> {
    Ok(blocking::get(url)?.error_for_refusal()?.text()?)
}

#[test]
fn checked_response_preserves_every_refusal() {
    check_refusals(|limiter, url| checked(limiter, url).is_ok_and(|text| text.contains("hello")));
}

#[ratellmiter(limiter = limiter)]
fn response(limiter: &Limiter, url: &str) -> Result<Response, reqwest::Error> {
    blocking::get(url)
}

#[test]
fn refused_response_in_ok_is_sent_again() {
    let server = Server::start(vec![short_refusal(), success()]);
    assert_eq!(response(&limiter(), &server.url()).unwrap().status(), 200);
    assert_eq!(server.requests(), 2);
}

#[test]
fn connection_without_a_response_is_transient() {
    let error = blocking::get(incomplete_headers()).unwrap_err();
    assert_eq!(StreamItem::of(&Err::<Usage, _>(error)).verdict, Some(Verdict::transient()));
}

#[test]
fn json_value_settles_the_call() {
    #[ratellmiter(limiter = limiter, tokens = (5000, 5000))]
    fn value(limiter: &Limiter, url: &str) -> Result<Value, AskError> {
        Ok(blocking::get(url)?.error_for_refusal()?.json()?)
    }
    let limiter = budget();
    value(&limiter, &Server::start(vec![success()]).url()).unwrap();
    assert_eq!(taken(&limiter), (2, 0));
}

#[test]
fn lines_of_the_response_settle_the_call() {
    #[ratellmiter(limiter = limiter, tokens = (1000, 1002), stream)]
    fn lines(limiter: &Limiter, url: &str) -> Result<impl Iterator<Item = io::Result<String>> + use<>, AskError> {
        Ok(BufReader::new(blocking::get(url)?.error_for_refusal()?).lines())
    }
    let limiter = budget();
    let url = pieces::serve(vec![pieces::cut(&pieces::refused(), &[20]), pieces::bytes(&pieces::anthropic())]);
    let lines = lines(&limiter, &url).unwrap();
    assert_eq!(taken(&limiter), (4004, 1));
    assert_eq!(lines.count(), pieces::anthropic().lines().count());
    assert_eq!(taken(&limiter), (2124, 0), "the refused attempt stays charged");
}
