use std::{
    error::Error,
    fmt::{self, Display},
};

use super::*;

macro_rules! verdict {
    ($out:expr) => {
        $crate::__classification!(&$out).verdict
    };
}

#[derive(Debug)]
struct Known(Verdict);

impl Classify for Known {
    fn verdict(&self) -> Verdict {
        self.0
    }
}

impl Display for Known {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("429 Too Many Requests")
    }
}

/// A type that stands on several rungs is judged on the highest.
impl Error for Known {}

#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Told(&'static str);

#[derive(Debug, thiserror::Error)]
#[error("the model could not be asked")]
struct Wrapped(#[source] Told);

const TEXT: &str = r#"429 Too Many Requests: {"error": {"type": "requests", "message": "Please try again in 2s"}}"#;
const REFUSED: Option<Verdict> = Some(Verdict::RateLimited {
    retry_after: Some(std::time::Duration::from_secs(2)),
    scope: crate::LimitKind::Requests,
});

#[test]
fn the_users_word_comes_first() {
    let busy = Verdict::Overloaded { retry_after: None };
    assert_eq!(verdict!(Err::<(), _>(Known(busy))), Some(busy));
    assert_eq!(verdict!(Ok::<_, Known>(1)), Some(Verdict::Success));
}

#[test]
fn texts_are_found_on_every_rung_below() {
    assert_eq!(verdict!(Err::<(), _>(Told(TEXT))), REFUSED);
    assert_eq!(verdict!(Err::<(), _>(Wrapped(Told(TEXT)))), REFUSED, "in the chain");
    assert_eq!(verdict!(Err::<(), Box<dyn Error>>(Told(TEXT).into())), REFUSED);
    assert_eq!(verdict!(Err::<(), Box<dyn Error + Send + Sync>>(Wrapped(Told(TEXT)).into())), REFUSED);
    assert_eq!(verdict!(Err::<(), _>(anyhow::Error::new(Told(TEXT)).context("outer"))), REFUSED);
    assert_eq!(verdict!(Err::<(), _>(eyre::Report::new(Wrapped(Told(TEXT))))), REFUSED);
    assert_eq!(verdict!(Err::<(), _>(TEXT)), REFUSED);
    assert_eq!(verdict!(Err::<(), _>(TEXT.to_owned())), REFUSED);
}

#[test]
fn what_is_not_recognised_is_nothing_and_other_values_succeeded() {
    struct Opaque;
    assert_eq!(verdict!(Err::<(), _>(fmt::Error)), None);
    assert_eq!(verdict!(Err::<(), _>(Opaque)), None);
    assert_eq!(verdict!(Err::<(), _>("no")), None);
    assert_eq!(verdict!(None::<u8>), Some(Verdict::Success));
    assert_eq!(verdict!(()), Some(Verdict::Success));
    assert_eq!(verdict!("429 Too Many Requests"), Some(Verdict::Success));
}

#[test]
fn a_response_carries_its_refusal_in_ok() {
    let response = |status: u16| http::Response::builder().status(status).header("retry-after", "2").body("").unwrap();
    let refused =
        Verdict::RateLimited { retry_after: Some(std::time::Duration::from_secs(2)), scope: crate::LimitKind::Unknown };
    assert_eq!(verdict!(Ok::<_, Told>(response(429))), Some(refused));
    assert_eq!(verdict!(response(429)), Some(refused), "without a `Result` as well");
    assert_eq!(verdict!(Ok::<_, Told>(response(200))), Some(Verdict::Success));
    assert_eq!(verdict!(Ok::<_, Told>(response(404))), Some(Verdict::Failed));
}

#[test]
fn the_body_of_a_success_may_tell_of_a_refusal() {
    let openrouter = serde_json::json!({ "error": { "code": 429, "message": "Rate limit exceeded" } });
    assert_eq!(verdict!(Ok::<_, Told>(openrouter)), Some(Verdict::RATE_LIMITED));
    let broken_off = serde_json::json!({ "choices": [{ "finish_reason": "error", "error": { "code": 503 } }] });
    assert_eq!(verdict!(broken_off), Some(Verdict::Overloaded { retry_after: None }));
    let spent = serde_json::json!({ "status": "failed", "error": { "code": "insufficient_quota" } });
    assert!(matches!(verdict!(Ok::<_, Told>(spent)), Some(Verdict::QuotaExhausted { .. })));
    let answer = serde_json::json!({ "error": null, "choices": [{ "message": { "content": "429, rate limit" } }] });
    assert_eq!(verdict!(Ok::<_, Told>(answer)), Some(Verdict::Success));
}

#[test]
fn in_a_generic_function_the_bounds_decide() {
    fn bound<E: Classify>(error: E) -> Option<Verdict> {
        verdict!(Err::<(), _>(error))
    }
    fn displayed<E: Display>(error: E) -> Option<Verdict> {
        verdict!(Err::<(), _>(error))
    }
    fn unbound<E>(error: E) -> Option<Verdict> {
        verdict!(Err::<(), _>(error))
    }
    assert_eq!(bound(Known(Verdict::Failed)), Some(Verdict::Failed));
    assert_eq!(displayed(Known(Verdict::Failed)), Some(Verdict::RATE_LIMITED), "by its text");
    assert_eq!(unbound(Known(Verdict::RATE_LIMITED)), None);
}

#[test]
fn an_error_of_ten_megabytes_is_looked_at_from_its_start() {
    let page = format!("429 Too Many Requests: {}", "x".repeat(10 << 20));
    assert_eq!(verdict!(Err::<(), _>(page)), Some(Verdict::RATE_LIMITED));
}
