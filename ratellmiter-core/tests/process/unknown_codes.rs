//! Errors whose text has a code that is not known: one warning for each kind of them, and never more.

use std::cell::Cell;

use ratellmiter_core::{Limiter, Limits, ratellmiter};

use crate::{is_alone, warnings::Warnings};

const REFUSED: &str = r#"HTTP 429: {"error":{"code":"1399","message":"x"}}"#;
const KNOWN: &str = r#"HTTP 429: {"error":{"code":"rate_limit_exceeded","message":"x"}}"#;
const BODY: &str = r#"{"error":{"code":"1399","message":"x"}}"#;
const FAILED: &str = r#"HTTP 400: {"error":{"code":"invalid_value","message":"x"}}"#;

#[ratellmiter(limiter = limiter)]
async fn ask(limiter: &Limiter, attempts: &Cell<u32>, texts: &[&str]) -> Result<(), String> {
    let attempt = attempts.replace(attempts.get() + 1);
    texts.get(usize::try_from(attempt).unwrap()).map_or(Ok(()), |text| Err((*text).to_owned()))
}

#[tokio::test(start_paused = true)]
async fn unknown_codes_are_warned_of_once() {
    if !is_alone("unknown_codes::unknown_codes_are_warned_of_once") {
        return;
    }
    let warnings = Warnings::default();
    tracing::subscriber::set_global_default(warnings.clone()).unwrap();
    let limiter = Limiter::new(Limits::per_minute(60_000).no_ramp());
    let attempts = async |texts: &[&str]| {
        let attempts = Cell::new(0);
        let result = ask(&limiter, &attempts, texts).await;
        (attempts.get(), result.is_ok())
    };
    let warned = |text: &str| warnings.said().matches(text).count();
    let (unknown_code, unknown_error) = ("a code that is not known", "cannot tell whether this error is a refusal");

    assert_eq!(attempts(&[KNOWN, FAILED]).await, (2, false), "a known code, and a status that is no refusal");
    assert_eq!((warned(unknown_code), warned(unknown_error)), (0, 0), "{}", warnings.said());
    assert_eq!(attempts(&[REFUSED, REFUSED]).await, (3, true), "the status decides");
    assert_eq!(attempts(&[REFUSED]).await, (2, true));
    assert_eq!((warned(unknown_code), warned(unknown_error)), (1, 0), "{}", warnings.said());
    assert_eq!(attempts(&[BODY]).await, (1, false), "without a status");
    assert_eq!(attempts(&[BODY]).await, (1, false));
    assert_eq!((warned(unknown_code), warned(unknown_error)), (1, 1), "{}", warnings.said());
}
