//! The task-local context of one call: observed responses, reported usage, and the stream that keeps its ticket.
//!
//! Observers and the function fill it during an attempt; it is read when the attempt ends. A call that begins in the
//! scope of another call of the same limiter shares the context of that call.

use std::{
    future::Future,
    iter,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::SystemTime,
};

use http::HeaderMap;

use super::{handover::TicketHandover, outcome::may_retry};
use crate::{
    judge::{Basis, Classification, Evidence, LimitKind, Verdict, grpc_status, judge},
    limiter::Limiter,
    providers::{header_values, usage::Usage},
};

tokio::task_local! {
    static CALL: CallContext;
}

/// The limiter of a call, and the observations made during one attempt of it.
#[derive(Debug, Clone)]
pub(crate) struct CallContext(Arc<CallScope>);

#[derive(Debug)]
struct CallScope {
    limiter: Limiter,
    /// The call in whose scope this one began.
    outer: Option<CallContext>,
    /// The call whose ticket this one uses: the one around it of the same limiter. It receives the observations.
    nested_in: Option<CallContext>,
    observations: Mutex<Observations>,
}

#[derive(Debug, Default)]
struct Observations {
    last: Option<ObservedResponse>,
    /// A refusal or a transient failure was followed by another response: the client below retries by itself.
    retried: bool,
    /// The usage that the function reported.
    usage: Option<Usage>,
    /// The total of the usages that the results of nested calls show.
    nested_usage: Option<Usage>,
    /// Set by the first stream that keeps the ticket of the call.
    handover: Option<Arc<TicketHandover>>,
    /// The handover belongs to the body of a response, and a stream of the function replaces it.
    is_of_response: bool,
}

#[derive(Debug)]
struct ObservedResponse {
    status: Option<u16>,
    headers: HeaderMap,
    /// The verdict, if the observer has judged the response with its body.
    judged: Option<Verdict>,
}

impl ObservedResponse {
    fn is_success(&self) -> bool {
        self.status.is_some_and(|status| (200..300).contains(&status))
    }

    /// Judges the response. `by_error` is the verdict on the call's error, which stands in for an unknown status.
    fn verdict(&self, by_error: Option<Verdict>, now: SystemTime) -> Verdict {
        if let Some(verdict) = self.judged {
            return verdict;
        }
        let mut evidence = Evidence::new().headers(&self.headers);
        evidence.status = self.status.or(match by_error {
            Some(Verdict::RateLimited { .. }) => Some(429),
            Some(Verdict::Overloaded { .. }) => Some(503),
            Some(Verdict::Transient { .. }) => Some(502),
            _ => None,
        });
        judge(&evidence, now)
    }
}

/// Reports the status and headers of a server's response to the call of this task.
///
/// Returns `true` within a `#[ratellmiter]` function and within the closure of [`Limiter::run`]. Anywhere else it has no effect
/// and returns `false`.
///
/// For clients without hooks, and for headers that the client's error does not keep:
///
/// ```
/// # #[tokio::main(flavor = "current_thread", start_paused = true)] async fn main() {
/// use ratellmiter_core::{Limiter, call, ratellmiter};
/// # let mut answers = vec![http::Response::new("hello"), http::Response::builder().status(429).header("retry-after", "3").body("").unwrap()];
/// # let limiter = Limiter::new(ratellmiter_core::Limits::per_minute(300));
/// # let start = tokio::time::Instant::now();
///
/// #[ratellmiter(limiter = limiter)]
/// async fn ask(limiter: &Limiter, answers: &mut Vec<http::Response<&'static str>>) -> Result<&'static str, &'static str> {
///     let response = answers.pop().unwrap(); // the request
///     call::observe(response.status(), response.headers());
///     if response.status().is_success() { Ok(response.into_body()) } else { Err("it failed") }
/// }
/// assert_eq!(ask(&limiter, &mut answers).await, Ok("hello"));
/// # assert!(start.elapsed().as_secs() == 3);
/// # }
/// ```
#[allow(clippy::must_use_candidate)] // Called for its effect.
pub fn observe(status: impl Into<Option<http::StatusCode>>, headers: &HeaderMap) -> bool {
    record_response(status.into().map(|status| status.as_u16()), headers)
}

/// Records a response. Returns `false` if this task has no call.
pub(crate) fn record_response(status: Option<u16>, headers: &HeaderMap) -> bool {
    record(status, headers, None)
}

/// Records a response with the verdict on it by its body. Returns `false` if this task has no call.
#[cfg(feature = "aws-bedrock")]
pub(crate) fn record_response_with_body(status: Option<u16>, headers: &HeaderMap, verdict: Verdict) -> bool {
    record(status, headers, Some(verdict))
}

fn record(status: Option<u16>, headers: &HeaderMap, judged: Option<Verdict>) -> bool {
    let status = grpc_status(headers).or(status);
    CALL.try_with(|context| {
        let mut observed = context.lock();
        let failed = observed.last.as_ref().is_some_and(|last| may_retry(last.verdict(None, SystemTime::now())));
        // Headers without a status may belong to the response recorded before.
        observed.retried |= failed && status.is_some();
        observed.last = Some(ObservedResponse { status, headers: headers.clone(), judged });
    })
    .is_ok()
}

/// Records a response with the verdict on it, in place of the one that an observer may have recorded without its body.
#[cfg(any(feature = "hyper", feature = "reqwest", feature = "reqwest-012", feature = "ureq"))]
pub(crate) fn record_judged(status: u16, headers: &HeaderMap, verdict: Verdict) {
    // Outside of a call there is nothing to record for.
    let _ = CALL.try_with(|context| {
        let mut observed = context.lock();
        // A response is judged once: one with a verdict belongs to an earlier request.
        let earlier = observed.last.as_ref().and_then(|last| last.judged);
        observed.retried |= earlier.is_some_and(may_retry);
        observed.last =
            Some(ObservedResponse { status: Some(status), headers: headers.clone(), judged: Some(verdict) });
    });
}

/// Records that the client has sent the request of this task's call more than once.
#[cfg(feature = "aws-bedrock")]
pub(crate) fn record_client_retry() {
    // Outside of a call there is nothing to record for.
    let _ = CALL.try_with(|context| context.lock().retried = true);
}

/// Adds to the reported usage of this task's call. Returns `false` if there is none.
pub(super) fn report_usage(usage: Usage) -> bool {
    CALL.try_with(|context| {
        let mut observed = context.lock();
        observed.usage = Usage::of_both(observed.usage, Some(usage));
    })
    .is_ok()
}

/// Opens the handover through which a stream keeps this call's ticket. Returns `None` outside of a call, or if another
/// stream has opened it. The body of a response is no such stream: a stream of the function takes its place.
pub(super) fn open_handover(is_of_response: bool) -> Option<Arc<TicketHandover>> {
    let handover = CALL.try_with(|context| {
        let mut observed = context.lock();
        let may_open = observed.handover.is_none() || (observed.is_of_response && !is_of_response);
        may_open.then(|| {
            observed.is_of_response = is_of_response;
            observed.handover.insert(Arc::default()).clone()
        })
    });
    handover.ok().flatten()
}

/// Returns the handover of this task's call, which another stream has opened.
pub(super) fn opened_handover() -> Option<Arc<TicketHandover>> {
    CALL.try_with(|context| context.lock().handover.clone()).ok().flatten()
}

impl CallContext {
    /// Creates the context of a call of `limiter`, which begins in the scope of this task's call, if there is one.
    pub(super) fn begin(limiter: Limiter) -> Self {
        let outer = CALL.try_with(Self::clone).ok();
        let mut enclosing = iter::successors(outer.as_ref(), |context| context.0.outer.as_ref());
        let same = enclosing.find(|context| context.0.limiter.is_same(&limiter));
        let nested_in = same.map(|context| context.with_ticket().clone());
        Self(Arc::new(CallScope { limiter, outer, nested_in, observations: Mutex::default() }))
    }

    /// Returns `true` if the call uses the ticket of another one.
    pub(super) fn is_nested(&self) -> bool {
        self.0.nested_in.is_some()
    }

    /// Adds the `usage` that the result of a nested call shows.
    pub(super) fn add_nested_usage(&self, usage: Option<Usage>) {
        let Some(usage) = usage else { return };
        let mut observed = self.lock();
        observed.nested_usage = Some(observed.nested_usage.map_or(usage, |earlier| earlier.plus(usage)));
    }

    /// Returns the context of the call whose ticket this call uses.
    fn with_ticket(&self) -> &Self {
        self.0.nested_in.as_ref().unwrap_or(self)
    }

    fn lock(&self) -> MutexGuard<'_, Observations> {
        self.with_ticket().0.observations.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs one attempt with this context.
    pub(super) fn scope<F: Future>(&self, attempt: F) -> impl Future<Output = F::Output> + use<F> {
        CALL.scope(self.clone(), attempt)
    }

    pub(super) fn scope_blocking<T>(&self, attempt: impl FnOnce() -> T) -> T {
        CALL.sync_scope(self.clone(), attempt)
    }

    /// Takes the facts about the attempt, and clears the context for the next one. `by_outcome` is the classification of
    /// the attempt's return value.
    pub(super) fn take_facts(&self, by_outcome: &Classification, now: SystemTime) -> AttemptFacts {
        let Observations { last, retried, usage, nested_usage, handover, .. } = std::mem::take(&mut *self.lock());
        let by_response = last.as_ref().map(|last| last.verdict(by_outcome.verdict, now));
        let by_response = by_response.filter(|verdict| *verdict != Verdict::Success);
        // The observer judged the response that the error contains, with its body.
        let is_judged = |status| last.as_ref().is_some_and(|last| last.judged.is_some() && last.status == Some(status));
        let verdict = match by_outcome.basis {
            Basis::Final => by_outcome.verdict,
            Basis::Type => by_outcome.verdict.map(|verdict| completed(verdict, by_response)),
            Basis::Response(status) if !is_judged(status) => {
                let headers = last.as_ref().filter(|last| last.status == Some(status)).map(|last| &last.headers);
                by_outcome.verdict.map(|verdict| with_hint_of(with_decision_of(verdict, headers), by_response))
            }
            Basis::Body { as_429 } if last.as_ref().is_some_and(|last| last.status == Some(429)) => {
                Some(with_hint_of(as_429, by_response))
            }
            // The response broke off.
            Basis::ClosedConnection if last.as_ref().is_some_and(ObservedResponse::is_success) => Some(Verdict::Failed),
            Basis::Response(_) | Basis::Body { .. } | Basis::Error | Basis::ClosedConnection => {
                match (by_outcome.verdict, by_response) {
                    // The error's text has the status 402 alone, and the response was judged with its body.
                    (Some(Verdict::QuotaExhausted { .. }), judged @ Some(verdict))
                        if by_outcome.basis == Basis::Response(402) && verdict.is_retryable() =>
                    {
                        judged
                    }
                    // Only the error's text may show that the quota is exhausted: the status does not.
                    (exhausted @ Some(Verdict::QuotaExhausted { .. }), _) => exhausted,
                    (Some(overloaded @ Verdict::Overloaded { .. }), Some(Verdict::RateLimited { .. })) => {
                        Some(with_hint_of(overloaded, by_response))
                    }
                    (by_outcome, Some(by_response)) if by_response != Verdict::Failed => {
                        Some(merge_verdicts(by_response, by_outcome))
                    }
                    (_, failed @ Some(_)) if matches!(by_outcome.basis, Basis::Response(_)) => failed,
                    (by_outcome, by_response) => by_outcome.or(by_response),
                }
            }
        };
        let status = last.as_ref().and_then(|last| last.status);
        AttemptFacts { verdict, status, retried, usage, nested_usage, handover, headers: last.map(|last| last.headers) }
    }
}

/// The facts about one attempt.
pub(super) struct AttemptFacts {
    /// `None` if neither the observed response nor the outcome was recognised.
    pub(super) verdict: Option<Verdict>,
    /// The status of the last observed response.
    pub(super) status: Option<u16>,
    /// The client retries by itself.
    pub(super) retried: bool,
    /// The usage that the function reported.
    pub(super) usage: Option<Usage>,
    /// The total of the usages that the results of nested calls show.
    pub(super) nested_usage: Option<Usage>,
    /// The handover to a stream that is to keep the ticket.
    pub(super) handover: Option<Arc<TicketHandover>>,
    /// The headers of the last observed response.
    pub(super) headers: Option<HeaderMap>,
}

/// Completes a verdict by the hint and the limit of the observed response, where it has none of its own.
fn completed(verdict: Verdict, by_response: Option<Verdict>) -> Verdict {
    let own = verdict.retry_after();
    let completed = with_hint_of(verdict, by_response);
    own.map_or(completed, |hint| completed.with_retry_after(hint))
}

/// Applies the decision on a retry that the `headers` of the response contain.
fn with_decision_of(verdict: Verdict, headers: Option<&HeaderMap>) -> Verdict {
    match (verdict, headers.and_then(header_values::should_retry)) {
        (Verdict::Failed, Some(true)) => Verdict::transient(),
        (verdict, Some(false)) if may_retry(verdict) => Verdict::Failed,
        _ => verdict,
    }
}

/// Adds the hint of the observed response, whose headers are more precise than the text of an error, and its limit.
fn with_hint_of(verdict: Verdict, by_response: Option<Verdict>) -> Verdict {
    let Some(by_response) = by_response else { return verdict };
    match (verdict, by_response) {
        (Verdict::RateLimited { .. }, Verdict::RateLimited { .. }) => merge_verdicts(by_response, Some(verdict)),
        (Verdict::RateLimited { .. } | Verdict::Overloaded { .. } | Verdict::Transient { .. }, _) => {
            by_response.retry_after().map_or(verdict, |hint| verdict.with_retry_after(hint))
        }
        _ => verdict,
    }
}

/// Completes the verdict on the observed response with the hint and the limit that only the error's body has.
fn merge_verdicts(by_response: Verdict, by_error: Option<Verdict>) -> Verdict {
    match (by_response, by_error) {
        (
            Verdict::RateLimited { retry_after, limit },
            Some(by_error @ Verdict::RateLimited { limit: limit_by_error, .. }),
        ) => Verdict::RateLimited {
            retry_after: retry_after.or_else(|| by_error.retry_after()),
            limit: if limit == LimitKind::Unknown { limit_by_error } else { limit },
        },
        (Verdict::Overloaded { retry_after: None }, Some(by_error)) => {
            Verdict::Overloaded { retry_after: by_error.retry_after() }
        }
        (by_response, _) => by_response,
    }
}

#[cfg(test)]
mod tests;
