//! The real `google-cloud-gax` errors, which the clients of Google Cloud return, in paused time.

use std::{cell::RefCell, time::Duration};

use crate::{
    every_refusal::{limiter, without_headers},
    support::vectors::{
        Refusal,
        Treatment::{self, Retried, Returned, SentAgain},
        check, refusals,
    },
};
use google_cloud_gax::error::{
    Error,
    rpc::{Code, Status},
};
use http::HeaderMap;
use ratellmiter_core::{Limiter, ratellmiter};
use tokio::time::Instant;

/// Fails once with the error.
#[ratellmiter(limiter = limiter)]
async fn ask(limiter: &Limiter, error: &RefCell<Option<Error>>) -> Result<(), Error> {
    error.borrow_mut().take().map_or(Ok(()), Err)
}

async fn check_error(refusal: &Refusal, error: Error) {
    let error = RefCell::new(Some(error));
    let start = Instant::now();
    let succeeded = ask(&limiter(), &error).await.is_ok();
    check(refusal, succeeded, if succeeded { 2 } else { 1 }, start.elapsed());
}

#[tokio::test(start_paused = true)]
async fn every_refusal_over_http_is_understood_without_its_headers() {
    for refusal in refusals().into_iter().map(without_headers) {
        let error = Error::http(refusal.answer.status, HeaderMap::new(), refusal.answer.body.clone().into());
        check_error(&refusal, error).await;
    }
}

#[tokio::test(start_paused = true)]
async fn each_status_of_a_service_is_understood() {
    let cases: [(Code, &str, Treatment); 8] = [
        (Code::ResourceExhausted, "Quota exceeded for requests per minute", Retried(None)),
        (Code::ResourceExhausted, "Please try again in 9s", Retried(Some(Duration::from_secs(9)))),
        (Code::Unavailable, "The model is overloaded", Retried(None)),
        (Code::Internal, "it broke", SentAgain(None)),
        (Code::Aborted, "concurrent update", SentAgain(None)),
        (Code::InvalidArgument, "status code 429", Returned),
        (Code::PermissionDenied, "RESOURCE_EXHAUSTED", Returned),
        (Code::Unauthenticated, "no token", Returned),
    ];
    for (code, message, treatment) in cases {
        let answer = crate::support::Answer::new(200, &[], "");
        let refusal = Refusal { id: format!("{code}: {message}"), answer, treatments: vec![treatment] };
        check_error(&refusal, Error::service(Status::default().set_code(code).set_message(message))).await;
    }
}
