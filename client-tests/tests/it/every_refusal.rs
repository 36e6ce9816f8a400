//! All refusals of the vectors through the annotated function of one client.

use http::HeaderMap;
use ratellmiter_core::{Limiter, Limits, Verdict};
use tokio::time::Instant;

use crate::support::{
    Answer, Server,
    vectors::{
        Refusal,
        Treatment::{Retried, Returned, SentAgain},
        check, refusals,
    },
};

/// The parts of a refusal that are missing from the error of a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lost {
    /// The headers, and with them some hints.
    Headers,
    /// The status as well: refusals that only the status shows are returned to the caller.
    Status,
}

/// Returns a limiter that never delays a call by itself.
pub(crate) fn limiter() -> Limiter {
    Limiter::new(Limits::per_minute(600_000).no_ramp())
}

/// Calls `ask` with the URL of a server that refuses the first request and answers the second by `success`, once for each refusal.
/// `ask` returns `true` if the call succeeded. Returns the number of refusals that were treated as if nothing was lost.
pub(crate) async fn every_refusal(lost: Lost, success: Answer, ask: impl AsyncFn(&Limiter, &str) -> bool) -> usize {
    let mut understood = 0;
    for refusal in refusals() {
        let server = Server::start(vec![refusal.answer.clone(), success.clone()]);
        let limiter = limiter();
        let start = Instant::now();
        let succeeded = ask(&limiter, &server.url()).await;
        let is_returned = !succeeded && server.requests() == 1;
        if lost == Lost::Status && is_returned && !refusal.treatments.contains(&Returned) {
            continue;
        }
        check(&without_headers(refusal), succeeded, server.requests(), start.elapsed());
        understood += 1;
    }
    understood
}

/// Adds the treatments that are right if the hints in the headers are not known: after the hint in the body, or without one.
pub(crate) fn without_headers(mut refusal: Refusal) -> Refusal {
    if refusal.answer.headers.iter().any(|(name, _)| name.contains("retry") || name.contains("reset")) {
        let body = String::from_utf8_lossy(&refusal.answer.body);
        let by_body = Verdict::from_response(refusal.answer.status, &HeaderMap::new(), &body);
        refusal.treatments.extend([Retried(by_body.retry_after()), SentAgain(None)]);
    }
    refusal
}
