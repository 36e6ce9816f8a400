use std::{
    error::Error,
    fmt::{self, Display},
};

use super::*;

macro_rules! verdict {
    ($out:expr) => {{
        // Lints of the macro's imports concern this crate alone.
        #[allow(unused_imports)]
        let classification = $crate::__classification!(&$out);
        classification.verdict
    }};
}

#[derive(Debug)]
struct OwnError(Verdict);

impl Classify for OwnError {
    fn verdict(&self) -> Verdict {
        self.0
    }
}

impl Display for OwnError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("429 Too Many Requests")
    }
}

// A type of several kinds is classified by the first.
impl Error for OwnError {}

#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Text(&'static str);

#[derive(Debug, thiserror::Error)]
#[error("the model could not be asked")]
struct Outer(#[source] Text);

const TEXT: &str = r#"429 Too Many Requests: {"error": {"type": "requests", "message": "Please try again in 2s"}}"#;
const REFUSED: Option<Verdict> = Some(Verdict::RateLimited {
    retry_after: Some(std::time::Duration::from_secs(2)),
    limit: crate::LimitKind::Requests,
});

#[test]
fn classify_outranks_the_text() {
    let busy = Verdict::Overloaded { retry_after: None };
    assert_eq!(verdict!(Err::<(), _>(OwnError(busy))), Some(busy));
    assert_eq!(verdict!(Ok::<_, OwnError>(1)), Some(Verdict::Success));
}

#[test]
fn text_of_any_kind_of_error_is_recognised() {
    assert_eq!(verdict!(Err::<(), _>(Text(TEXT))), REFUSED);
    assert_eq!(verdict!(Err::<(), _>(Outer(Text(TEXT)))), REFUSED, "in the chain");
    assert_eq!(verdict!(Err::<(), Box<dyn Error>>(Text(TEXT).into())), REFUSED);
    assert_eq!(verdict!(Err::<(), Box<dyn Error + Send + Sync>>(Outer(Text(TEXT)).into())), REFUSED);
    assert_eq!(verdict!(Err::<(), _>(anyhow::Error::new(Text(TEXT)).context("outer"))), REFUSED);
    assert_eq!(verdict!(Err::<(), _>(eyre::Report::new(Outer(Text(TEXT))))), REFUSED);
    assert_eq!(verdict!(Err::<(), _>(TEXT)), REFUSED);
    assert_eq!(verdict!(Err::<(), _>(TEXT.to_owned())), REFUSED);
}

#[test]
fn unrecognised_errors_have_no_verdict_and_other_values_succeed() {
    struct Opaque;
    assert_eq!(verdict!(Err::<(), _>(fmt::Error)), None);
    assert_eq!(verdict!(Err::<(), _>(Opaque)), None);
    assert_eq!(verdict!(Err::<(), _>("no")), None);
    assert_eq!(verdict!(None::<u8>), Some(Verdict::Success));
    assert_eq!(verdict!(()), Some(Verdict::Success));
    assert_eq!(verdict!("429 Too Many Requests"), Some(Verdict::Success));
}

#[test]
fn response_in_ok_can_be_a_refusal() {
    let response = |status: u16| http::Response::builder().status(status).header("retry-after", "2").body("").unwrap();
    let refused =
        Verdict::RateLimited { retry_after: Some(std::time::Duration::from_secs(2)), limit: crate::LimitKind::Unknown };
    assert_eq!(verdict!(Ok::<_, Text>(response(429))), Some(refused));
    assert_eq!(verdict!(response(429)), Some(refused), "without a `Result` as well");
    assert_eq!(verdict!(Ok::<_, Text>(response(200))), Some(Verdict::Success));
    assert_eq!(verdict!(Ok::<_, Text>(response(404))), Some(Verdict::Failed));
}

#[test]
fn body_of_a_response_in_ok_decides() {
    use crate::judge::known_values;
    fn response<B>(status: u16, body: B) -> http::Response<B> {
        http::Response::builder().status(status).body(body).unwrap()
    }
    const SPENT: &str = r#"{"error": {"code": "insufficient_quota", "message": "You exceeded your current quota"}}"#;
    macro_rules! both {
        ($response:expr) => {{
            let response = $response;
            let run = known_values::classification(&response).and_then(|found| found.verdict);
            assert_eq!(verdict!(response), run);
            run
        }};
    }
    let spent = Some(Verdict::QuotaExhausted { resumes_at: None, limit: crate::LimitKind::Billing });
    assert_eq!(both!(response(429, SPENT)), spent);
    assert_eq!(both!(response(429, SPENT.to_owned())), spent);
    assert_eq!(both!(response(429, SPENT.as_bytes().to_vec())), spent);
    assert_eq!(both!(response(429, bytes::Bytes::from(SPENT))), spent);
    assert_eq!(both!(response(429, serde_json::from_str::<serde_json::Value>(SPENT).unwrap())), spent);
    assert_eq!(both!(response(429, "slow down")), Some(Verdict::RATE_LIMITED));
    assert_eq!(both!(response(200, "429 Too Many Requests")), Some(Verdict::Success), "an answer");
    let in_band = r#"{"error": {"code": 429, "message": "Rate limit exceeded"}}"#;
    assert_eq!(both!(response(200, in_band)), Some(Verdict::RATE_LIMITED));
    assert_eq!(verdict!(response(429, [1_u8; 3])), Some(Verdict::RATE_LIMITED), "a body of another type");
}

#[test]
fn json_body_of_a_success_can_be_a_refusal() {
    let openrouter = serde_json::json!({ "error": { "code": 429, "message": "Rate limit exceeded" } });
    assert_eq!(verdict!(Ok::<_, Text>(openrouter)), Some(Verdict::RATE_LIMITED));
    let interrupted = serde_json::json!({ "choices": [{ "finish_reason": "error", "error": { "code": 503 } }] });
    assert_eq!(verdict!(interrupted), Some(Verdict::Overloaded { retry_after: None }));
    let exhausted = serde_json::json!({ "status": "failed", "error": { "code": "insufficient_quota" } });
    assert!(matches!(verdict!(Ok::<_, Text>(exhausted)), Some(Verdict::QuotaExhausted { .. })));
    let answer = serde_json::json!({ "error": null, "choices": [{ "message": { "content": "429, rate limit" } }] });
    assert_eq!(verdict!(Ok::<_, Text>(answer)), Some(Verdict::Success));
}

#[test]
fn generic_function_classifies_by_its_bounds() {
    fn bound<E: Classify>(error: E) -> Option<Verdict> {
        verdict!(Err::<(), _>(error))
    }
    fn displayed<E: Display>(error: E) -> Option<Verdict> {
        verdict!(Err::<(), _>(error))
    }
    fn unbound<E>(error: E) -> Option<Verdict> {
        verdict!(Err::<(), _>(error))
    }
    assert_eq!(bound(OwnError(Verdict::Failed)), Some(Verdict::Failed));
    assert_eq!(displayed(OwnError(Verdict::Failed)), Some(Verdict::RATE_LIMITED), "by its text");
    assert_eq!(unbound(OwnError(Verdict::RATE_LIMITED)), None);
}

#[test]
fn start_of_a_ten_megabyte_error_is_recognised() {
    let page = format!("429 Too Many Requests: {}", "x".repeat(10 << 20));
    assert_eq!(verdict!(Err::<(), _>(page)), Some(Verdict::RATE_LIMITED));
}

#[test]
fn streams_are_found_by_their_type() {
    macro_rules! is_stream {
        ($out:expr) => {{
            #[allow(unused_imports)]
            let is_stream = $crate::__is_stream!(&$out);
            is_stream
        }};
    }
    fn generic<T>(value: &T) -> bool {
        is_stream!(*value)
    }
    fn opaque() -> impl Stream<Item = u8> {
        futures::stream::iter([1])
    }
    use futures::StreamExt as _;
    assert!(is_stream!(opaque()));
    assert!(is_stream!(Ok::<_, Text>(opaque())));
    assert!(is_stream!(futures::stream::empty::<u8>().boxed()));
    assert!(is_stream!(Ok::<_, Text>(futures::stream::empty::<u8>().boxed_local())));
    assert!(!is_stream!(Err::<futures::stream::Empty<u8>, _>(Text("no"))));
    assert!(!is_stream!(Ok::<_, Text>(vec![1])));
    assert!(!is_stream!(7));
    assert!(!generic(&futures::stream::empty::<u8>()), "without a bound nothing is known");
}
