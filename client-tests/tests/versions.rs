//! Errors of a client in a version that the library does not know. In a process of its own, because the warning appears once.

use ratellmiter_core::{Limiter, Limits, ratellmiter};

#[path = "../../ratellmiter-core/tests/support/mod.rs"]
mod support;
#[path = "../../ratellmiter-core/tests/support/warnings.rs"]
mod warnings;

use support::{Answer, Server};
use warnings::Warnings;

#[derive(Debug, thiserror::Error)]
#[error("the model could not be asked")]
struct AskError(#[from] reqwest_011::Error);

#[ratellmiter(limiter = limiter)]
async fn ask(limiter: &Limiter, url: &str) -> Result<String, reqwest_011::Error> {
    reqwest_011::get(url).await?.error_for_status()?.text().await
}

#[ratellmiter(limiter = limiter)]
async fn ask_in_chain(limiter: &Limiter, url: &str) -> Result<String, AskError> {
    Ok(reqwest_011::get(url).await?.error_for_status()?.text().await?)
}

#[tokio::test]
async fn refusal_by_another_version_is_retried_with_one_warning() {
    let warnings = Warnings::default();
    let _guard = tracing::subscriber::set_default(warnings.clone());
    let limiter = Limiter::new(Limits::per_minute(60_000).no_ramp());
    let server = Server::start([429, 200].map(|status| Answer::new(status, &[], "hello")).into());
    assert_eq!(ask_in_chain(&limiter, &server.url()).await.unwrap(), "hello");
    let by_debug = warnings.said();
    assert_eq!(by_debug.matches("belongs to another version of reqwest than 0.13").count(), 1, "{by_debug}");
    let server = Server::start([429, 200].map(|status| Answer::new(status, &[], "hello")).into());
    assert_eq!(ask(&limiter, &server.url()).await.unwrap(), "hello");
    assert_eq!(warnings.said().matches("another version").count(), 1, "once per client");
    assert_eq!(server.requests(), 2);
}

#[test]
fn another_version_has_the_type_name_of_the_supported_one() {
    use std::any::type_name;
    assert_eq!(type_name::<reqwest_011::Error>(), type_name::<reqwest::Error>());
}
