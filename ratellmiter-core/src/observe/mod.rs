//! Observers of HTTP responses.
//!
//! Each reports the status and the headers of every response to the call that sent the request, so that hints are known
//! that the client's error does not keep. [`LlmResponseExt`] does the same by hand, with the body of a failed response.
//!
//! An observer finds its call by the task. If a client sends its requests from other tasks, give the observer the limiter:
//! a refusal observed outside of any call then pauses that limiter.

#[cfg(feature = "aws-bedrock")]
mod aws_bedrock;
#[cfg(any(feature = "hyper", feature = "reqwest", feature = "reqwest-012", feature = "ureq"))]
mod error_for_refusal;
#[cfg(feature = "reqwest-middleware")]
mod reqwest_middleware;
#[cfg(any(feature = "hyper", feature = "reqwest", feature = "reqwest-012", feature = "ureq"))]
mod start_of_body;
#[cfg(feature = "tower")]
mod tower;

#[cfg(feature = "aws-bedrock")]
pub use self::aws_bedrock::{BedrockEvent, BedrockEvents, ObserveInterceptor, bedrock_events};
#[cfg(feature = "async-openai")]
pub use self::tower::openai_service;
#[cfg(feature = "reqwest-middleware")]
pub use crate::observe::reqwest_middleware::ObserveMiddleware;
#[cfg(any(feature = "hyper", feature = "reqwest", feature = "reqwest-012", feature = "ureq"))]
pub use error_for_refusal::LlmResponseExt;
#[cfg(feature = "tower")]
pub use tower::{Observe, ObserveLayer};

/// Reports a response to the call of this task, or else to `limiter`. The body counts, if the evidence has one.
#[cfg(any(feature = "aws-bedrock", feature = "reqwest-middleware", feature = "tower"))]
fn report(evidence: &crate::classify::Evidence<'_>, limiter: Option<&crate::Limiter>) {
    let judged = || crate::classify::judge(evidence, std::time::SystemTime::now());
    let is_in_call = match evidence.body {
        #[cfg(feature = "aws-bedrock")]
        Some(_) => crate::call::context::record_response_with_body(evidence.status, &evidence.headers, judged()),
        _ => crate::call::context::record_response(evidence.status, &evidence.headers),
    };
    if let Some(limiter) = limiter.filter(|_| !is_in_call) {
        limiter.report_refusal(judged());
    }
}
