//! Requests without a response, and responses that break off.

use std::{io::Write as _, time::Duration};

use aws_sdk_bedrockruntime::{
    Client, Error as AnyError,
    config::timeout::TimeoutConfig,
    error::SdkError,
    operation::converse::{ConverseError, ConverseOutput},
};
use ratellmiter_core::{Verdict, classify::judge_error};

use crate::broken::{closed, incomplete_headers, server, silent};

use super::{MODEL, client, config, converse, limiter, message};

type Sent = Result<ConverseOutput, SdkError<ConverseError>>;

async fn send(client: &Client) -> Sent {
    client.converse().model_id(MODEL).messages(message()).send().await
}

/// Checks the verdict on an error in each of the types that contain it.
fn check(sent: Sent, is_kind: impl Fn(&SdkError<ConverseError>) -> bool, verdict: Verdict) {
    let error = sent.unwrap_err();
    assert!(is_kind(&error), "{error:?}");
    assert_eq!(judge_error(&error), Some(verdict), "{error:?}");
    let error = error.into_service_error();
    assert_eq!(judge_error(&error), Some(verdict), "{error:?}");
    let error = AnyError::from(error);
    assert_eq!(judge_error(&error), Some(verdict), "{error:?}");
}

#[tokio::test]
async fn connection_without_a_response_is_transient() {
    let (_socket, closed) = closed();
    for url in [closed, incomplete_headers(), server(|_| {})] {
        let is_dispatch = |error: &_| matches!(error, SdkError::DispatchFailure(_));
        check(send(&client(&url)).await, is_dispatch, Verdict::transient());
    }
}

#[tokio::test(start_paused = true)]
async fn failed_connection_is_tried_three_times() {
    let (_socket, url) = closed();
    let start = tokio::time::Instant::now();
    let error = converse(&limiter(), &client(&url)).await.unwrap_err();
    assert!(matches!(error, SdkError::DispatchFailure(_)));
    let took = start.elapsed().as_millis();
    assert!((1500..=1700).contains(&took), "half a second, then a second: {took}");
}

#[tokio::test]
async fn timeout_after_the_request_is_a_failure() {
    let url = silent();
    let timeouts = TimeoutConfig::builder().operation_timeout(Duration::from_millis(100)).build();
    let client = Client::from_conf(config(&url).timeout_config(timeouts).build());
    check(send(&client).await, |error| matches!(error, SdkError::TimeoutError(_)), Verdict::Failed);
    let timeouts = TimeoutConfig::builder().read_timeout(Duration::from_millis(100)).build();
    let client = Client::from_conf(config(&url).timeout_config(timeouts).build());
    check(send(&client).await, |error| matches!(error, SdkError::DispatchFailure(_)), Verdict::Failed);
}

#[tokio::test]
async fn request_that_cannot_be_built_is_a_failure() {
    let without_model = client("http://127.0.0.1:1/v1").converse().messages(message()).send().await;
    check(without_model, |error| matches!(error, SdkError::ConstructionFailure(_)), Verdict::Failed);
}

#[tokio::test]
async fn response_that_breaks_off_is_a_failure_unless_its_status_is_known() {
    let half = |status: &'static str| {
        server(move |stream| write!(stream, "HTTP/1.1 {status}\r\ncontent-length: 99\r\n\r\nhalf").unwrap())
    };
    let is_response = |error: &_| matches!(error, SdkError::ResponseError(_));
    check(send(&client(&half("200 OK"))).await, is_response, Verdict::Failed);
    let error = send(&client(&half("429 Too Many Requests"))).await.unwrap_err();
    assert!(is_response(&error));
    assert_eq!(judge_error(&error), Some(Verdict::rate_limited()));
    let strange = crate::support::Server::start(vec![super::Answer::new(200, &[], "429 Too Many Requests")]);
    let error = send(&client(&strange.url())).await.unwrap_err();
    assert_eq!(judge_error(&error), Some(Verdict::Failed), "the page only quotes a refusal");
}

/// The stream yields an I/O error, but the model has already begun to answer.
#[tokio::test]
async fn stream_that_breaks_off_is_a_failure() {
    let head = "HTTP/1.1 200 OK\r\ncontent-type: application/vnd.amazon.eventstream\r\ncontent-length: 99\r\n\r\nhalf";
    for client_of in [client as fn(&str) -> Client, super::observed] {
        let client = client_of(&server(move |stream| stream.write_all(head.as_bytes()).unwrap()));
        let mut receiver = client.converse_stream().model_id(MODEL).messages(message()).send().await.unwrap().stream;
        let error = receiver.recv().await.unwrap_err();
        assert!(matches!(error, SdkError::DispatchFailure(_)), "{error:?}");
        assert_eq!(judge_error(&error), Some(Verdict::Failed));
    }
}
