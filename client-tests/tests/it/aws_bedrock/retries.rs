//! The SDK's own retries, which multiply those of the limiter.

use std::{
    io::Write as _,
    sync::atomic::{AtomicUsize, Ordering},
};

use aws_sdk_bedrockruntime::{Client, config::retry::RetryConfig};
use ratellmiter_core::{Limiter, observe::ObserveInterceptor};

use super::{config, converse, limiter, success, throttled};
use crate::{
    alone::is_alone,
    broken,
    support::{Answer, Server},
    warnings,
};

/// Makes a call through a client that retries, and returns the number of requests.
async fn ask_with_retries(answers: Vec<Answer>) -> usize {
    let server = Server::start(answers);
    let config = config(&server.url()).interceptor(ObserveInterceptor::new()).retry_config(RetryConfig::standard());
    converse(&limiter(), &Client::from_conf(config.build())).await.unwrap();
    server.requests()
}

#[tokio::test(start_paused = true)]
async fn own_retries_cause_one_warning() {
    if !is_alone("aws_bedrock::retries::own_retries_cause_one_warning") {
        return;
    }
    let warnings = warnings::Warnings::default();
    tracing::subscriber::set_global_default(warnings.clone()).unwrap();
    let count = || warnings.said().matches("tries refused or failed requests again by itself").count();
    assert_eq!((ask_with_retries(vec![success()]).await, count()), (1, 0), "a success is not retried");
    let server = Server::start(vec![throttled(), success()]);
    converse(&limiter(), &super::observed(&server.url())).await.unwrap();
    assert_eq!((server.requests(), count()), (2, 0), "the limiter's own retry");

    assert_eq!((ask_with_retries(vec![throttled(), success()]).await, count()), (2, 1));
    assert!(warnings.said().contains("`RetryConfig::disabled()`"), "{}", warnings.said());
    let refused = vec![throttled(), throttled(), throttled(), success()];
    assert_eq!((ask_with_retries(refused).await, count()), (4, 1), "three attempts of the SDK, and one of the limiter");
}

/// An attempt without a response is not reported, but the next one knows its number.
#[tokio::test(start_paused = true)]
async fn own_retry_of_a_failed_connection_causes_the_warning() {
    if !is_alone("aws_bedrock::retries::own_retry_of_a_failed_connection_causes_the_warning") {
        return;
    }
    let warnings = warnings::Warnings::default();
    tracing::subscriber::set_global_default(warnings.clone()).unwrap();
    let (connections, body) = (AtomicUsize::new(0), success().body);
    let url = broken::server(move |stream| {
        if connections.fetch_add(1, Ordering::SeqCst) > 0 {
            write!(stream, "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", body.len()).unwrap();
            stream.write_all(&body).unwrap();
        }
    });
    let config = config(&url).interceptor(ObserveInterceptor::new()).retry_config(RetryConfig::standard());
    converse(&limiter(), &Client::from_conf(config.build())).await.unwrap();
    assert_eq!(warnings.said().matches("tries refused or failed requests again by itself").count(), 1);
}

#[tokio::test(start_paused = true)]
async fn observer_with_limiter_sees_requests_of_other_tasks() {
    let server = Server::start(vec![throttled()]);
    let limiter: Limiter = limiter();
    let observer = ObserveInterceptor::new().limiter(limiter.clone());
    let client = Client::from_conf(config(&server.url()).interceptor(observer).build());
    let sent = tokio::spawn(async move {
        client.converse().model_id(super::MODEL).messages(super::message()).send().await.map(drop)
    });
    sent.await.unwrap().unwrap_err();
    assert!(limiter.snapshot().paused_until.is_some());
}

#[tokio::test(start_paused = true)]
async fn receiver_that_is_not_observed_causes_one_warning() {
    if !is_alone("aws_bedrock::retries::receiver_that_is_not_observed_causes_one_warning") {
        return;
    }
    let warnings = warnings::Warnings::default();
    tracing::subscriber::set_global_default(warnings.clone()).unwrap();
    let server = Server::start(vec![super::streams::answer()]);
    let limiter = limiter();
    let (observed, client) = (super::observed(&server.url()), super::client(&server.url()));
    assert!(super::streams::receiver(&limiter, &observed).await.is_ok());
    assert_eq!(warnings.said(), "", "the receiver keeps the ticket");
    assert!(super::streams::receiver(&limiter, &client).await.is_ok());
    assert!(super::streams::receiver(&limiter, &client).await.is_ok());
    let said = warnings.said();
    assert_eq!((said.lines().count(), said.matches("without the option `stream`").count()), (1, 1), "{said}");
}
