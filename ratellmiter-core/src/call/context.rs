//! What is told during one call by its task: what the transport saw, what the call used, and whether a stream goes on after
//! it. Filled by observers and by the function, read when the call is settled.

use std::{
    future::Future,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::SystemTime,
};

use http::HeaderMap;

use crate::{
    call::stream::TicketHandover,
    judge::{Classification, Evidence, LimitKind, Verdict, judge},
    providers::usage::Usage,
};

tokio::task_local! {
    static CALL: CallContext;
}

/// What one attempt of a call exchanged with servers.
#[derive(Debug, Clone, Default)]
pub(crate) struct CallContext(Arc<Mutex<Observations>>);

#[derive(Debug, Default)]
struct Observations {
    last: Option<ObservedResponse>,
    /// A refusal was followed by another exchange: somebody below us tries again.
    retried: bool,
    /// What the function says that the call used.
    usage: Option<Usage>,
    /// A stream that goes on when the function has returned.
    lease: Option<Arc<TicketHandover>>,
}

#[derive(Debug)]
struct ObservedResponse {
    status: Option<u16>,
    headers: HeaderMap,
    body: Option<String>,
}

impl ObservedResponse {
    /// `told` is what the error says, for where only headers were seen.
    fn verdict(&self, told: Option<Verdict>, now: SystemTime) -> Verdict {
        let mut evidence = Evidence::new().headers(&self.headers);
        evidence.body = self.body.as_deref().map(Into::into);
        evidence.status = self.status.or(match told {
            Some(Verdict::RateLimited { .. }) => Some(429),
            Some(Verdict::Overloaded { .. }) => Some(503),
            _ => None,
        });
        judge(&evidence, now)
    }
}

/// Tells the limiter what a server answered to a request of this call: its status and headers. Calls made by
/// `#[ratellmiter]` functions are known by their task; anywhere else this does nothing and gives `false`.
///
/// For clients that have no hook of their own, and for headers that an error loses:
///
/// ```
/// # #[tokio::main(flavor = "current_thread", start_paused = true)] async fn main() {
/// # use std::num::NonZeroU32;
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
#[allow(clippy::must_use_candidate)] // It is there for its effect.
pub fn observe(status: impl Into<Option<http::StatusCode>>, headers: &HeaderMap) -> bool {
    record_response(status.into().map(|status| status.as_u16()), headers)
}

/// `false`: there is no call in this task.
pub(crate) fn record_response(status: Option<u16>, headers: &HeaderMap) -> bool {
    CALL.try_with(|facts| {
        let mut seen = facts.lock();
        let refused = seen.last.as_ref().is_some_and(|last| last.verdict(None, SystemTime::now()).is_retryable());
        // Headers alone may belong to the exchange that was seen just before.
        seen.retried |= refused && status.is_some();
        seen.last = Some(ObservedResponse { status, headers: headers.clone(), body: None });
    })
    .is_ok()
}

/// Tells of a response that is at hand, with its body if it failed. An observer may have seen it already.
#[cfg(any(feature = "reqwest", feature = "reqwest-012"))]
pub(crate) fn record_body(status: u16, headers: &HeaderMap, body: Option<String>) {
    // Outside of a call nobody wants to know.
    let _ = CALL.try_with(|facts| {
        let mut seen = facts.lock();
        seen.last = Some(ObservedResponse { status: Some(status), headers: headers.clone(), body });
    });
}

/// Says what the call of this task used; later parts complete earlier ones. `false`: there is no call in this task.
pub(crate) fn report_usage(usage: Usage) -> bool {
    CALL.try_with(|facts| {
        let mut seen = facts.lock();
        seen.usage = Usage::of_both(seen.usage, Some(usage));
    })
    .is_ok()
}

/// The part of the call of this task that a stream may have; `None` if there is no call, or another stream has it.
pub(crate) fn open_handover() -> Option<Arc<TicketHandover>> {
    let lease = CALL.try_with(|facts| {
        let mut seen = facts.lock();
        let is_new = seen.lease.is_none();
        is_new.then(|| seen.lease.insert(Arc::default()).clone())
    });
    lease.ok().flatten()
}

impl CallContext {
    fn lock(&self) -> MutexGuard<'_, Observations> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs one attempt; what is observed in it is found here.
    pub(crate) fn scope<F: Future>(&self, attempt: F) -> impl Future<Output = F::Output> + use<F> {
        CALL.scope(self.clone(), attempt)
    }

    pub(crate) fn scope_blocking<T>(&self, attempt: impl FnOnce() -> T) -> T {
        CALL.sync_scope(self.clone(), attempt)
    }

    /// The verdict on the attempt, from what was seen and from what the ladder made of its outcome; `None` if neither
    /// recognises it. Forgets what was seen.
    pub(crate) fn settle(&self, opinion: &Classification, now: SystemTime) -> AttemptFacts {
        let Observations { last, retried, usage, lease } = std::mem::take(&mut *self.lock());
        let verdict = |last: &ObservedResponse| last.verdict(opinion.verdict, now);
        let seen = last.as_ref().map(verdict).filter(|verdict| *verdict != Verdict::Success);
        let verdict = match (opinion.verdict, seen) {
            (told, _) if opinion.is_final => told,
            // Spent is spent, even where the status alone does not show it.
            (told @ Some(Verdict::QuotaExhausted { .. }), _) => told,
            (told, Some(seen)) if seen != Verdict::Failed => Some(merge_verdicts(seen, told)),
            (told, seen) => told.or(seen),
        };
        AttemptFacts { verdict, retried, usage, lease, headers: last.map(|last| last.headers) }
    }
}

pub(crate) struct AttemptFacts {
    pub(crate) verdict: Option<Verdict>,
    /// The client tries again by itself.
    pub(crate) retried: bool,
    /// What the function said that the call used.
    pub(crate) usage: Option<Usage>,
    /// A stream that goes on.
    pub(crate) lease: Option<Arc<TicketHandover>>,
    /// Of the last answer that was seen.
    pub(crate) headers: Option<HeaderMap>,
}

/// What the transport saw, with what only the error knows: the hint and the scope from its body.
fn merge_verdicts(seen: Verdict, told: Option<Verdict>) -> Verdict {
    match (seen, told) {
        (
            Verdict::RateLimited { retry_after, limit: scope },
            Some(told @ Verdict::RateLimited { limit: told_scope, .. }),
        ) => Verdict::RateLimited {
            retry_after: retry_after.or_else(|| told.retry_after()),
            limit: if scope == LimitKind::Unknown { told_scope } else { scope },
        },
        (Verdict::Overloaded { retry_after: None }, Some(told)) => {
            Verdict::Overloaded { retry_after: told.retry_after() }
        }
        (seen, _) => seen,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn seen(statuses: &[u16]) -> CallContext {
        let facts = CallContext::default();
        facts.scope_blocking(|| {
            for status in statuses {
                let mut headers = HeaderMap::new();
                headers.insert("retry-after", "7".parse().unwrap());
                assert!(observe(http::StatusCode::from_u16(*status).unwrap(), &headers));
            }
        });
        facts
    }

    fn told(verdict: Option<Verdict>) -> Classification {
        Classification { verdict, is_final: false, is_early: false, of: "" }
    }

    const BY_HEADER: Option<Verdict> =
        Some(Verdict::RateLimited { retry_after: Some(Duration::from_secs(7)), limit: LimitKind::Unknown });

    #[test]
    fn what_the_transport_saw_comes_before_the_error_and_after_the_users_word() {
        let now = SystemTime::now();
        assert_eq!(seen(&[429]).settle(&told(None), now).verdict, BY_HEADER);
        assert_eq!(seen(&[429]).settle(&told(Some(Verdict::Failed)), now).verdict, BY_HEADER);
        assert_eq!(seen(&[429]).settle(&Classification::decided(Verdict::Failed), now).verdict, Some(Verdict::Failed));
        assert_eq!(seen(&[400]).settle(&told(Some(Verdict::RATE_LIMITED)), now).verdict, Some(Verdict::RATE_LIMITED));
        assert_eq!(seen(&[400]).settle(&told(None), now).verdict, Some(Verdict::Failed));
        assert_eq!(seen(&[200]).settle(&told(None), now).verdict, None);
        assert_eq!(CallContext::default().settle(&told(None), now).verdict, None);
    }

    #[test]
    fn the_error_adds_what_only_its_body_tells() {
        let now = SystemTime::now();
        let spent = Some(Verdict::QuotaExhausted { resumes_at: None, limit: LimitKind::Billing });
        assert_eq!(seen(&[429]).settle(&told(spent), now).verdict, spent);
        let scoped =
            told(Some(Verdict::RateLimited { retry_after: Some(Duration::from_secs(1)), limit: LimitKind::Tokens }));
        let merged = Some(Verdict::RateLimited { retry_after: Some(Duration::from_secs(7)), limit: LimitKind::Tokens });
        assert_eq!(seen(&[429]).settle(&scoped, now).verdict, merged);
    }

    #[test]
    fn headers_alone_give_the_error_its_hint() {
        let facts = CallContext::default();
        let mut headers = HeaderMap::new();
        headers.insert("retry-after", "7".parse().unwrap());
        facts.scope_blocking(|| assert!(observe(None, &headers)));
        assert_eq!(facts.settle(&told(Some(Verdict::RATE_LIMITED)), SystemTime::now()).verdict, BY_HEADER);
    }

    #[test]
    fn a_client_that_tries_again_by_itself_is_noticed() {
        let now = SystemTime::now();
        assert!(seen(&[429, 200]).settle(&told(None), now).retried);
        assert!(!seen(&[200, 429]).settle(&told(None), now).retried);
        assert!(!seen(&[404, 429]).settle(&told(None), now).retried);
    }

    #[test]
    fn outside_of_a_call_nothing_is_kept() {
        assert!(!observe(None, &HeaderMap::new()));
    }
}
