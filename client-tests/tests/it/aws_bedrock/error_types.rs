//! The forms in which functions return the client's errors.

use std::error::Error;

use aws_sdk_bedrockruntime::{
    Client, Error as AnyError,
    error::{DisplayErrorContext, SdkError},
    operation::converse::{ConverseError, ConverseOutput},
    types::error::{ServiceUnavailableException, ThrottlingException},
};
use ratellmiter_core::{Limiter, Verdict, classify::judge_error, ratellmiter};

use super::{MODEL, client, exceptions::exceptions, message, observed, refusals};

async fn send(client: &Client) -> Result<ConverseOutput, SdkError<ConverseError>> {
    client.converse().model_id(MODEL).messages(message()).send().await
}

#[derive(Debug, thiserror::Error)]
enum AskError {
    #[error("the model did not answer")]
    Client(#[from] SdkError<ConverseError>),
}

#[derive(Debug, thiserror::Error)]
enum Transparent {
    #[error(transparent)]
    Client(#[from] SdkError<ConverseError>),
}

#[derive(Debug, thiserror::Error)]
enum Wrapped {
    #[error("the model did not answer: {0}")]
    Any(#[from] AnyError),
}

#[ratellmiter(limiter = limiter)]
pub(super) async fn any(limiter: &Limiter, client: &Client) -> Result<ConverseOutput, AnyError> {
    Ok(send(client).await?)
}

#[ratellmiter(limiter = limiter)]
pub(super) async fn service(limiter: &Limiter, client: &Client) -> Result<ConverseOutput, ConverseError> {
    send(client).await.map_err(SdkError::into_service_error)
}

#[ratellmiter(limiter = limiter)]
async fn anyhow(limiter: &Limiter, client: &Client) -> anyhow::Result<ConverseOutput> {
    anyhow::Context::context(send(client).await, "no answer")
}

#[ratellmiter(limiter = limiter)]
async fn any_in_anyhow(limiter: &Limiter, client: &Client) -> anyhow::Result<ConverseOutput> {
    Ok(send(client).await.map_err(AnyError::from)?)
}

#[ratellmiter(limiter = limiter)]
async fn service_in_eyre(limiter: &Limiter, client: &Client) -> eyre::Result<ConverseOutput> {
    eyre::WrapErr::wrap_err(send(client).await.map_err(SdkError::into_service_error), "no answer")
}

#[ratellmiter(limiter = limiter)]
async fn boxed(limiter: &Limiter, client: &Client) -> Result<ConverseOutput, Box<dyn Error + Send + Sync>> {
    Ok(send(client).await?)
}

#[ratellmiter(limiter = limiter)]
async fn own(limiter: &Limiter, client: &Client) -> Result<ConverseOutput, AskError> {
    Ok(send(client).await?)
}

#[ratellmiter(limiter = limiter)]
async fn transparent(limiter: &Limiter, client: &Client) -> Result<ConverseOutput, Transparent> {
    Ok(send(client).await?)
}

#[ratellmiter(limiter = limiter)]
async fn wrapped(limiter: &Limiter, client: &Client) -> Result<ConverseOutput, Wrapped> {
    Ok(send(client).await.map_err(AnyError::from)?)
}

#[ratellmiter(limiter = limiter)]
async fn text(limiter: &Limiter, client: &Client) -> Result<ConverseOutput, String> {
    send(client).await.map_err(|error| DisplayErrorContext(error).to_string())
}

/// Without an observer the exceptions are known by their types, and their statuses by their names.
#[tokio::test(start_paused = true)]
async fn exceptions_are_known_in_every_error_type() {
    for refusal in exceptions() {
        let _ = super::check_one!(&refusal, client, any);
        let _ = super::check_one!(&refusal, client, service);
        let _ = super::check_one!(&refusal, client, anyhow);
        let _ = super::check_one!(&refusal, client, any_in_anyhow);
        let _ = super::check_one!(&refusal, client, service_in_eyre);
        let _ = super::check_one!(&refusal, client, boxed);
        let _ = super::check_one!(&refusal, client, own);
        let _ = super::check_one!(&refusal, client, transparent);
        let _ = super::check_one!(&refusal, client, wrapped);
        let _ = super::check_one!(&refusal, client, text);
    }
}

/// With an observer it does not matter how much of the response the error keeps.
#[tokio::test(start_paused = true)]
async fn observed_refusals_are_known_in_every_error_type() {
    for refusal in refusals() {
        let _ = super::check_one!(&refusal, observed, any);
        let _ = super::check_one!(&refusal, observed, service);
        let _ = super::check_one!(&refusal, observed, anyhow);
        let _ = super::check_one!(&refusal, observed, transparent);
        let _ = super::check_one!(&refusal, observed, text);
    }
}

/// The exceptions in a stream have no code in them.
#[test]
fn exceptions_without_metadata_are_known_by_their_types() {
    let throttled = || ThrottlingException::builder().message("Too many tokens").build();
    let limited = Some(Verdict::rate_limited().with_limit(ratellmiter_core::LimitKind::Tokens));
    assert_eq!(judge_error(&throttled()), limited);
    assert_eq!(judge_error(&ConverseError::ThrottlingException(throttled())), limited);
    assert_eq!(judge_error(&AnyError::ThrottlingException(throttled())), limited);
    let busy = ServiceUnavailableException::builder().build();
    assert_eq!(judge_error(&AnyError::ServiceUnavailableException(busy)), Some(Verdict::overloaded()));
    assert_eq!(judge_error(&ConverseError::unhandled("a mistake")), None, "unknown");
}
