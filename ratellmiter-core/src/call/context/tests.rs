use std::time::Duration;

use super::*;

fn context() -> CallContext {
    CallContext::begin(Limiter::new(crate::Limits::per_minute(60)))
}

/// The context of an attempt in which responses of these statuses were observed, each with `retry-after: 7`.
fn observed(statuses: &[u16]) -> CallContext {
    let context = context();
    context.scope_blocking(|| {
        for status in statuses {
            let mut headers = HeaderMap::new();
            headers.insert("retry-after", "7".parse().unwrap());
            assert!(observe(http::StatusCode::from_u16(*status).unwrap(), &headers));
        }
    });
    context
}

fn by_outcome(verdict: Option<Verdict>) -> Classification {
    Classification {
        verdict,
        basis: Basis::Error,
        status: None,
        is_before_response: false,
        is_neutral: false,
        has_unknown_code: false,
        error_type: "",
    }
}

const BY_HEADER: Option<Verdict> =
    Some(Verdict::RateLimited { retry_after: Some(Duration::from_secs(7)), limit: LimitKind::Unknown });

#[test]
fn observed_response_outranks_the_error_only() {
    let now = SystemTime::now();
    let decided = Classification::decided(Verdict::Failed);
    let refused = by_outcome(Some(Verdict::RATE_LIMITED));
    assert_eq!(observed(&[429]).take_facts(&by_outcome(None), now).verdict, BY_HEADER);
    assert_eq!(observed(&[429]).take_facts(&by_outcome(Some(Verdict::Failed)), now).verdict, BY_HEADER);
    assert_eq!(observed(&[429]).take_facts(&decided, now).verdict, Some(Verdict::Failed));
    assert_eq!(observed(&[400]).take_facts(&refused, now).verdict, Some(Verdict::RATE_LIMITED));
    assert_eq!(observed(&[400]).take_facts(&by_outcome(None), now).verdict, Some(Verdict::Failed));
    assert_eq!(observed(&[200]).take_facts(&by_outcome(None), now).verdict, None);
    assert_eq!(context().take_facts(&by_outcome(None), now).verdict, None);
}

#[test]
fn error_completes_the_observed_response() {
    let now = SystemTime::now();
    let exhausted = Some(Verdict::QuotaExhausted { resumes_at: None, limit: LimitKind::Billing });
    assert_eq!(observed(&[429]).take_facts(&by_outcome(exhausted), now).verdict, exhausted);
    let hint = Some(Duration::from_secs(1));
    let of_tokens = by_outcome(Some(Verdict::RateLimited { retry_after: hint, limit: LimitKind::Tokens }));
    let merged = Some(Verdict::RateLimited { retry_after: Some(Duration::from_secs(7)), limit: LimitKind::Tokens });
    assert_eq!(observed(&[429]).take_facts(&of_tokens, now).verdict, merged);
}

#[test]
fn verdict_of_a_type_outranks_the_observed_response() {
    let now = SystemTime::now();
    let of_type = |verdict| Classification::of_type::<()>(verdict);
    let seven = Duration::from_secs(7);
    assert_eq!(observed(&[429]).take_facts(&of_type(Verdict::Failed), now).verdict, Some(Verdict::Failed));
    assert_eq!(
        observed(&[429]).take_facts(&of_type(Verdict::transient()), now).verdict,
        Some(Verdict::transient().with_retry_after(seven))
    );
    let overloaded = Verdict::overloaded();
    let with_hint = Some(overloaded.with_retry_after(seven));
    assert_eq!(observed(&[429]).take_facts(&of_type(overloaded), now).verdict, with_hint, "completed by the hint");
    let own = overloaded.with_retry_after(Duration::from_secs(1));
    assert_eq!(observed(&[503]).take_facts(&of_type(own), now).verdict, Some(own));
    assert_eq!(observed(&[200]).take_facts(&of_type(Verdict::RATE_LIMITED), now).verdict, Some(Verdict::RATE_LIMITED));
}

#[test]
fn response_in_the_error_outranks_the_observed_status() {
    let now = SystemTime::now();
    let in_error = |verdict| Classification { basis: Basis::Response(429), ..by_outcome(Some(verdict)) };
    let seven = Duration::from_secs(7);
    assert_eq!(observed(&[429]).take_facts(&in_error(Verdict::Failed), now).verdict, Some(Verdict::Failed));
    let overloaded = Some(Verdict::overloaded().with_retry_after(seven));
    assert_eq!(observed(&[429]).take_facts(&in_error(Verdict::overloaded()), now).verdict, overloaded);
    assert_eq!(observed(&[429]).take_facts(&by_outcome(Some(Verdict::overloaded())), now).verdict, overloaded);
    assert_eq!(observed(&[429]).take_facts(&in_error(Verdict::RATE_LIMITED), now).verdict, BY_HEADER);
    let transient = Some(Verdict::transient().with_retry_after(seven));
    assert_eq!(observed(&[502]).take_facts(&by_outcome(None), now).verdict, transient);
}

#[test]
fn observed_decision_on_a_retry_outranks_the_status() {
    let observed = |decision: &'static str| {
        let context = context();
        let headers =
            HeaderMap::from_iter([(http::HeaderName::from_static("x-should-retry"), decision.parse().unwrap())]);
        context.scope_blocking(|| assert!(observe(http::StatusCode::BAD_REQUEST, &headers)));
        context
    };
    let in_error = |verdict| Classification { basis: Basis::Response(400), ..by_outcome(Some(verdict)) };
    let verdict = |decision, verdict| observed(decision).take_facts(&in_error(verdict), SystemTime::now()).verdict;
    assert_eq!(verdict("true", Verdict::Failed), Some(Verdict::transient()));
    assert_eq!(verdict("false", Verdict::transient()), Some(Verdict::Failed));
    assert_eq!(verdict("perhaps", Verdict::transient()), Some(Verdict::transient()));
    let other = Classification { basis: Basis::Response(401), ..by_outcome(Some(Verdict::Failed)) };
    assert_eq!(observed("true").take_facts(&other, SystemTime::now()).verdict, Some(Verdict::Failed));
}

#[test]
fn response_after_a_transient_failure_shows_retries_of_the_client() {
    let retried = |statuses: &[u16]| observed(statuses).take_facts(&by_outcome(None), SystemTime::now()).retried;
    assert!(retried(&[502, 200]) && retried(&[429, 200]));
    assert!(!retried(&[400, 200]) && !retried(&[200, 502]));
}

#[test]
fn body_without_a_status_is_judged_with_the_observed_one() {
    let now = SystemTime::now();
    let as_429 = Verdict::QuotaExhausted { resumes_at: None, limit: LimitKind::Billing };
    let body = Classification { basis: Basis::Body { as_429 }, ..by_outcome(Some(Verdict::Failed)) };
    assert_eq!(observed(&[429]).take_facts(&body, now).verdict, Some(as_429));
    assert_eq!(observed(&[400]).take_facts(&body, now).verdict, Some(Verdict::Failed));
    assert_eq!(observed(&[]).take_facts(&body, now).verdict, Some(Verdict::Failed));
}

#[cfg(feature = "reqwest")]
#[test]
fn observer_with_the_body_outranks_a_text_of_the_same_status() {
    let context = context();
    context.scope_blocking(|| record_judged(429, &HeaderMap::new(), Verdict::Failed));
    let text = Classification { basis: Basis::Response(429), ..by_outcome(Some(Verdict::RATE_LIMITED)) };
    assert_eq!(context.take_facts(&text, SystemTime::now()).verdict, Some(Verdict::Failed));
    context.scope_blocking(|| record_judged(404, &HeaderMap::new(), Verdict::Failed));
    assert_eq!(context.take_facts(&text, SystemTime::now()).verdict, Some(Verdict::RATE_LIMITED), "another response");
}

#[test]
fn headers_without_status_give_the_error_a_hint() {
    let context = context();
    let mut headers = HeaderMap::new();
    headers.insert("retry-after", "7".parse().unwrap());
    context.scope_blocking(|| assert!(observe(None, &headers)));
    assert_eq!(context.take_facts(&by_outcome(Some(Verdict::RATE_LIMITED)), SystemTime::now()).verdict, BY_HEADER);
}

#[test]
fn response_after_a_refusal_is_a_client_retry() {
    let now = SystemTime::now();
    assert!(observed(&[429, 200]).take_facts(&by_outcome(None), now).retried);
    assert!(!observed(&[200, 429]).take_facts(&by_outcome(None), now).retried);
    assert!(!observed(&[404, 429]).take_facts(&by_outcome(None), now).retried);
}

#[cfg(feature = "reqwest")]
#[test]
fn second_judged_response_is_a_client_retry() {
    let retried = |verdicts: &[Verdict]| {
        let context = context();
        context.scope_blocking(|| {
            for verdict in verdicts {
                let status = if *verdict == Verdict::Success { 200 } else { 429 };
                observe(http::StatusCode::from_u16(status).unwrap(), &HeaderMap::new());
                record_judged(status, &HeaderMap::new(), *verdict);
                // A success may be checked again.
                if *verdict == Verdict::Success {
                    record_judged(status, &HeaderMap::new(), *verdict);
                }
            }
        });
        context.take_facts(&by_outcome(None), SystemTime::now()).retried
    };
    assert!(!retried(&[Verdict::Success]) && !retried(&[Verdict::RATE_LIMITED]));
    assert!(!retried(&[Verdict::Success, Verdict::RATE_LIMITED]) && !retried(&[Verdict::Failed, Verdict::Success]));
    assert!(retried(&[Verdict::RATE_LIMITED, Verdict::Success]) && retried(&[Verdict::transient(), Verdict::Success]));
    let context = context();
    context.scope_blocking(|| {
        record_judged(429, &HeaderMap::new(), Verdict::RATE_LIMITED);
        record_judged(200, &HeaderMap::new(), Verdict::Success);
    });
    assert!(context.take_facts(&by_outcome(None), SystemTime::now()).retried, "without an observer");
}

#[test]
fn observe_outside_of_a_call_returns_false() {
    assert!(!observe(None, &HeaderMap::new()));
}

#[cfg(feature = "reqwest")]
#[test]
fn refused_response_is_judged_once() {
    use crate::judge::{Classify as _, clients::ResponseError, error_chain::by_chain, rules::JUDGED};

    let before = JUDGED.with(std::cell::Cell::get);
    let context = context();
    let body = r#"{"error": {"type": "tokens", "message": "Please try again in 7s"}}"#;
    let error = context.scope_blocking(|| {
        let error = ResponseError::new(http::StatusCode::TOO_MANY_REQUESTS, HeaderMap::new(), body.to_owned());
        record_judged(429, &error.headers, error.verdict());
        error
    });
    let verdict =
        context.take_facts(&Classification::of_error::<ResponseError>(by_chain(&error)), SystemTime::now()).verdict;
    let expected = Verdict::rate_limited().with_retry_after(Duration::from_secs(7)).with_limit(LimitKind::Tokens);
    assert_eq!(verdict, Some(expected));
    assert_eq!(JUDGED.with(std::cell::Cell::get) - before, 1);
}
