//! The exceptions that the service models, and others.

use aws_sdk_bedrockruntime::{
    Error as AnyError,
    error::SdkError,
    types::error::{ConverseStreamOutputError, ModelStreamErrorException},
};
use ratellmiter_core::{LimitKind, Verdict, classify::judge_error};
use serde_json::json;

use super::{Answer, Refusal, client, converse, exception, invoke_model, observed};
use crate::support::vectors::Treatment::{self, Retried, Returned, SentAgain};

/// Each exception with its documented status, and the treatment of a call that fails with it.
pub(super) const EXCEPTIONS: &[(&str, u16, Treatment)] = &[
    ("AccessDeniedException", 403, Returned),
    ("ConflictException", 400, Returned),
    ("InternalServerException", 500, SentAgain(None)),
    ("ModelErrorException", 424, Returned),
    ("ModelNotReadyException", 429, Retried(None)),
    ("ModelStreamErrorException", 424, SentAgain(None)),
    ("ModelTimeoutException", 408, SentAgain(None)),
    ("ResourceNotFoundException", 404, Returned),
    ("ServiceQuotaExceededException", 400, Returned),
    ("ServiceUnavailableException", 503, Retried(None)),
    ("ThrottlingException", 429, Retried(None)),
    ("ValidationException", 400, Returned),
];

pub(super) fn refusal(id: &str, answer: Answer, treatment: Treatment) -> Refusal {
    Refusal { id: id.to_owned(), answer, treatments: vec![treatment] }
}

/// Returns a failed response for each exception.
pub(super) fn exceptions() -> impl Iterator<Item = Refusal> {
    EXCEPTIONS.iter().map(|&(name, status, treatment)| {
        refusal(name, exception(status, name, "The request was not processed."), treatment)
    })
}

#[tokio::test(start_paused = true)]
async fn modelled_exceptions_are_treated_by_their_status() {
    for refusal in exceptions() {
        let _ = super::check_one!(&refusal, client, converse);
        let _ = super::check_one!(&refusal, observed, converse);
        let _ = super::check_one!(&refusal, client, invoke_model);
    }
}

#[tokio::test(start_paused = true)]
async fn unhandled_errors_are_treated_by_code_status_and_body() {
    let plain = |status, body: &str| Answer::new(status, &[], body);
    for (id, answer, treatment) in [
        ("a new code, by its status", exception(429, "CapacityExceededException", "Busy."), Retried(None)),
        ("a new code of an overload", exception(503, "SomethingElse", "Busy."), Retried(None)),
        ("a new code of a failure", exception(502, "SomethingElse", ""), SentAgain(None)),
        ("a new code of a mistake", exception(422, "SomethingElse", "No such field."), Returned),
        (
            "a throttling code with another status",
            exception(400, "ThrottledThrottlingException", "Slow."),
            Retried(None),
        ),
        (
            "a code in the body",
            plain(400, r#"{"__type": "com.amazon#ThrottlingException", "Message": "x"}"#),
            Retried(None),
        ),
        ("a page of a proxy", plain(429, "<html>Too Many Requests</html>"), Retried(None)),
        ("a failed proxy", plain(504, "<html>"), SentAgain(None)),
        ("an empty body", plain(503, ""), Retried(None)),
        ("half a body", plain(429, r#"{"message": "#), Retried(None)),
    ] {
        let refusal = refusal(id, answer, treatment);
        let _ = super::check_one!(&refusal, client, converse);
        let _ = super::check_one!(&refusal, observed, converse);
    }
}

/// Without the response and without a documented name there is nothing to judge.
#[tokio::test]
async fn unhandled_error_without_its_response_is_unknown() {
    let server = crate::support::Server::start(vec![exception(429, "PeculiarException", "Busy.")]);
    let sent = client(&server.url()).converse().model_id(super::MODEL).messages(super::message()).send().await;
    let error = sent.unwrap_err();
    assert!(judge_error(&error).is_some_and(Verdict::is_retryable), "by the status");
    assert_eq!(judge_error(&aws_sdk_bedrockruntime::Error::from(error)), None);
}

#[tokio::test(start_paused = true)]
async fn hint_of_a_gateway_is_obeyed() {
    let mut answer = super::throttled();
    answer.headers.push(("retry-after".to_owned(), "7".to_owned()));
    let hinted = refusal("hinted", answer, Retried(Some(std::time::Duration::from_secs(7))));
    let error = super::check_one!(&hinted, client, converse);
    assert_eq!(error.unwrap(), "hello");
}

#[tokio::test]
async fn message_names_the_limit_of_a_throttling() {
    use ratellmiter_core::LimitKind::{Daily, Requests, Tokens};

    for (message, limit) in [
        ("Too many tokens, please wait before trying again.", Tokens),
        ("Too many requests, please wait before trying again.", Requests),
        ("Too many tokens per day, please wait before trying again.", Daily),
    ] {
        let server = crate::support::Server::start(vec![exception(429, "ThrottlingException", message)]);
        let sent = client(&server.url()).converse().model_id(super::MODEL).messages(super::message()).send().await;
        let error = sent.unwrap_err();
        assert!(matches!(error, SdkError::ServiceError(_)));
        match judge_error(&error).unwrap() {
            Verdict::RateLimited { limit: found, .. } | Verdict::QuotaExhausted { limit: found, .. } => {
                assert_eq!(found, limit, "{message}");
            }
            verdict => panic!("{message}: {verdict:?}"),
        }
    }
}

/// A model behind Bedrock has a status and a message of its own.
#[tokio::test(start_paused = true)]
async fn status_of_the_model_decides_in_a_response() {
    for (original, treatment) in
        [(429, Retried(None)), (503, Retried(None)), (500, SentAgain(None)), (400, Returned), (0, Returned)]
    {
        let mut answer = exception(424, "ModelErrorException", "");
        answer.body = json!({ "message": "The model failed.", "originalStatusCode": original }).to_string().into();
        let refusal = refusal("original status", answer, treatment);
        let _ = super::check_one!(&refusal, client, converse);
        let _ = super::check_one!(&refusal, observed, converse);
        let _ = super::check_one!(&refusal, client, super::error_types::any);
        let _ = super::check_one!(&refusal, client, super::error_types::service);
    }
}

#[test]
fn status_and_message_of_the_model_decide_in_a_stream() {
    let stream_error = |status: i32, message: &str| {
        let error = ModelStreamErrorException::builder().message("An error occurred while streaming the response.");
        error.original_status_code(status).original_message(message).build()
    };
    let tokens = Verdict::rate_limited().with_limit(LimitKind::Tokens);
    for (status, message, verdict) in [
        (429, "Too many tokens, please wait before trying again.", tokens),
        (429, "", Verdict::rate_limited()),
        (503, "", Verdict::overloaded()),
        (500, "", Verdict::transient()),
        (400, "The input is too long.", Verdict::Failed),
        (0, "", Verdict::transient()),
    ] {
        let error = stream_error(status, message);
        assert_eq!(judge_error(&error), Some(verdict), "{status}");
        assert_eq!(
            judge_error(&ConverseStreamOutputError::ModelStreamErrorException(error)),
            Some(verdict),
            "{status}"
        );
        let any = AnyError::ModelStreamErrorException(stream_error(status, message));
        assert_eq!(judge_error(&any), Some(verdict), "{status}");
    }
}
