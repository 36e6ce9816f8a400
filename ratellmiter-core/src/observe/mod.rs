//! Observers: what the transport of a client sees, told to the limiter. Each reports status and headers of every answer,
//! so that hints are kept that the client's error loses.
//!
//! An observer finds the call it belongs to by its task. A client that spawns its requests leaves that task: give the
//! observer the limiter as well, and a refusal seen outside of any call pauses it all the same.

#[cfg(feature = "reqwest-middleware")]
mod reqwest_middleware;
#[cfg(feature = "tower")]
mod tower;

#[cfg(feature = "async-openai")]
pub use self::tower::openai_service;
#[cfg(feature = "reqwest-middleware")]
pub use crate::observe::reqwest_middleware::ObserveMiddleware;
#[cfg(feature = "tower")]
pub use tower::{Observe, ObserveLayer};

use std::time::SystemTime;

use crate::{
    call::context,
    judge::{Evidence, judge},
    limiter::Limiter,
};

/// Tells the call of this task, or else the limiter.
fn report(evidence: &Evidence<'_>, limiter: Option<&Limiter>) {
    let in_call = context::record_response(evidence.status, &evidence.headers);
    let Some(limiter) = limiter.filter(|_| !in_call) else { return };
    limiter.report_refusal(judge(evidence, SystemTime::now()));
}
