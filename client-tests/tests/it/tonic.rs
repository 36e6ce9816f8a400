//! The real `tonic` client against a gRPC service, in paused time: statuses in headers and trailers, streams, and connections.

use std::time::Duration;

use crate::{
    grpc_service::{self, Reply, Running},
    support::{
        Answer, budget, taken,
        vectors::{
            Refusal,
            Treatment::{self, Retried, Returned, SentAgain},
            check,
        },
    },
};
use futures::{Stream, StreamExt as _};
use ratellmiter_core::{
    Limiter, Limits, Usage, Verdict, classify::judge_error, observe::ObserveLayer, ratellmiter, stream::StreamItem,
};
use tokio::{net::TcpSocket, time::Instant};
use tonic::{
    Code, Response, Status,
    transport::{Channel, Endpoint},
};
use tonic_types::{ErrorDetails, QuotaViolation, StatusExt as _};
use tower_layer::Layer as _;

const ANSWER: &str = r#"{"usage": {"prompt_tokens": 900, "completion_tokens": 120}}"#;

fn limiter() -> Limiter {
    Limiter::new(Limits::per_minute(600_000).no_ramp())
}

fn channel(service: &Running) -> Channel {
    Endpoint::from_shared(service.url()).unwrap().connect_lazy()
}

fn answer() -> Reply {
    Reply::Messages(vec![ANSWER], None)
}

fn with_metadata(mut status: Status, name: &'static str, value: &str) -> Status {
    status.metadata_mut().insert(name, value.parse().unwrap());
    status
}

fn exceeded(quota: &str) -> Status {
    let violation = QuotaViolation { quota_id: quota.into(), ..QuotaViolation::new("", "") };
    Status::with_error_details(
        Code::ResourceExhausted,
        "You exceeded your current quota",
        ErrorDetails::with_quota_failure([violation]),
    )
}

/// Returns statuses of services with the treatment of the call.
fn statuses() -> Vec<(Reply, Treatment)> {
    let seconds = Duration::from_secs;
    let plain = |code| Reply::Refused(Status::new(code, "sorry"));
    let retry_info = |code| {
        let details = ErrorDetails::with_retry_info(Some(seconds(7)));
        Reply::Refused(Status::with_error_details(code, "sorry", details))
    };
    vec![
        (plain(Code::ResourceExhausted), Retried(None)),
        (plain(Code::Unavailable), Retried(None)),
        (plain(Code::Internal), SentAgain(None)),
        (plain(Code::Unknown), SentAgain(None)),
        (plain(Code::Aborted), SentAgain(None)),
        (plain(Code::DeadlineExceeded), SentAgain(None)),
        (plain(Code::Cancelled), Returned),
        (plain(Code::InvalidArgument), Returned),
        (plain(Code::NotFound), Returned),
        (plain(Code::AlreadyExists), Returned),
        (plain(Code::PermissionDenied), Returned),
        (plain(Code::FailedPrecondition), Returned),
        (plain(Code::OutOfRange), Returned),
        (plain(Code::Unimplemented), Returned),
        (plain(Code::DataLoss), Returned),
        (plain(Code::Unauthenticated), Returned),
        (retry_info(Code::ResourceExhausted), Retried(Some(seconds(7)))),
        (retry_info(Code::Unavailable), Retried(Some(seconds(7)))),
        (retry_info(Code::Internal), SentAgain(Some(seconds(7)))),
        (
            Reply::Refused(with_metadata(Status::resource_exhausted("slow down"), "retry-after", "3")),
            Retried(Some(seconds(3))),
        ),
        (
            Reply::Refused(with_metadata(Status::unavailable("busy"), "grpc-retry-pushback-ms", "1250")),
            Retried(Some(Duration::from_millis(1250))),
        ),
        (Reply::Refused(with_metadata(Status::unavailable("busy"), "grpc-retry-pushback-ms", "-1")), Returned),
        (Reply::Refused(Status::resource_exhausted("Rate limit: please try again in 4s.")), Retried(Some(seconds(4)))),
        (Reply::Refused(exceeded("GenerateRequestsPerMinutePerProject")), Retried(None)),
        (Reply::Refused(exceeded("GenerateRequestsPerDayPerProjectPerModel")), Returned),
        (Reply::Refused(Status::resource_exhausted("grpc: received message larger than max (9 vs. 4)")), Returned),
        (Reply::Http(429), Retried(None)),
        (Reply::Http(503), Retried(None)),
        (Reply::Http(502), SentAgain(None)),
        (Reply::Http(401), Returned),
        (Reply::Http(413), Returned),
    ]
}

fn name(reply: &Reply) -> String {
    match reply {
        Reply::Refused(status) => status.to_string(),
        Reply::Messages(..) => "messages".to_owned(),
        Reply::Http(status) => format!("HTTP {status}"),
    }
}

/// Calls the function of each form with each status. The form must return `true` if the call succeeded.
macro_rules! check_each_status {
    ($ask:expr) => {
        for (reply, treatment) in statuses() {
            let refusal = Refusal { id: name(&reply), answer: Answer::new(200, &[], ""), treatments: vec![treatment] };
            let service = Running::start(vec![reply, answer()]).await;
            let start = Instant::now();
            let succeeded = $ask(&limiter(), channel(&service)).await;
            check(&refusal, succeeded, service.requests(), start.elapsed());
        }
    };
}

#[ratellmiter(limiter = limiter)]
async fn ask(limiter: &Limiter, channel: Channel) -> Result<Response<String>, Status> {
    grpc_service::ask(channel).await
}

#[tokio::test(start_paused = true)]
async fn each_status_of_an_answer_is_understood() {
    check_each_status!(async |limiter, channel| ask(limiter, channel).await.is_ok());
}

#[ratellmiter(limiter = limiter)]
async fn ask_anyhow(limiter: &Limiter, channel: Channel) -> anyhow::Result<String> {
    use anyhow::Context as _;

    Ok(grpc_service::ask(channel).await.context("no answer")?.into_inner())
}

#[derive(Debug, thiserror::Error)]
enum AskError {
    #[error("the model could not be asked")]
    Status(#[from] Box<Status>),
}

#[ratellmiter(limiter = limiter)]
async fn ask_boxed(limiter: &Limiter, channel: Channel) -> Result<String, AskError> {
    Ok(grpc_service::ask(channel).await.map_err(Box::new)?.into_inner())
}

#[tokio::test(start_paused = true)]
async fn status_in_a_source_chain_is_understood() {
    check_each_status!(async |limiter, channel| ask_anyhow(limiter, channel).await.is_ok());
    check_each_status!(async |limiter, channel| ask_boxed(limiter, channel).await.is_ok());
}

/// Loses the status, so that only the observing layer sees it.
#[ratellmiter(limiter = limiter)]
async fn ask_through_layer(limiter: &Limiter, channel: Channel) -> Result<String, ()> {
    let answer = grpc_service::ask(ObserveLayer::new().layer(channel)).await;
    answer.map(Response::into_inner).map_err(|_| ())
}

#[tokio::test(start_paused = true)]
async fn tower_layer_sees_the_status_in_headers() {
    check_each_status!(async |limiter, channel| ask_through_layer(limiter, channel).await.is_ok());
}

#[ratellmiter(limiter = limiter)]
async fn ask_with_both(limiter: &Limiter, channel: Channel) -> Result<String, Status> {
    Ok(grpc_service::ask(ObserveLayer::new().layer(channel)).await?.into_inner())
}

#[tokio::test(start_paused = true)]
async fn status_seen_twice_is_judged_as_one() {
    check_each_status!(async |limiter, channel| ask_with_both(limiter, channel).await.is_ok());
}

/// Reads the first part of a stream inside the call.
#[ratellmiter(limiter = limiter)]
async fn first_part(limiter: &Limiter, channel: Channel) -> Result<Option<String>, Status> {
    grpc_service::stream(ObserveLayer::new().layer(channel)).await?.message().await
}

#[tokio::test(start_paused = true)]
async fn status_in_trailers_outranks_the_headers_that_the_layer_sees() {
    for (status, requests) in
        [(Status::resource_exhausted("slow down"), 2), (Status::unavailable("busy"), 2), (Status::not_found("no"), 1)]
    {
        let service = Running::start(vec![Reply::Messages(vec![], Some(status)), answer()]).await;
        let start = Instant::now();
        let part = first_part(&limiter(), channel(&service)).await;
        assert_eq!((part.is_ok(), service.requests()), (requests == 2, requests));
        assert_eq!(start.elapsed().as_secs(), if requests == 2 { 2 } else { 0 });
    }
}

#[ratellmiter(limiter = limiter)]
async fn ask_as_text(limiter: &Limiter, channel: Channel) -> Result<String, String> {
    let answer = grpc_service::ask(channel).await;
    answer.map(Response::into_inner).map_err(|status| format!("model failed: {status}"))
}

#[tokio::test(start_paused = true)]
async fn status_as_text_is_understood() {
    for (status, seconds) in [
        (Status::resource_exhausted("slow down"), 2),
        (Status::unavailable("busy"), 2),
        (Status::resource_exhausted("try again in 9s"), 9),
    ] {
        let service = Running::start(vec![Reply::Refused(status), answer()]).await;
        let start = Instant::now();
        assert!(ask_as_text(&limiter(), channel(&service)).await.is_ok());
        assert_eq!((service.requests(), start.elapsed().as_secs()), (2, seconds));
    }
}

#[test]
fn each_code_as_text_has_the_verdict_of_the_status() {
    for code in (1..=16).map(Code::from_i32) {
        let status = Status::new(code, "no");
        let text = std::io::Error::other(status.to_string());
        assert_eq!(judge_error(&text), judge_error(&status), "{status}");
        assert!(judge_error(&text).is_some(), "{status}");
    }
}

#[tokio::test(start_paused = true)]
async fn answer_settles_the_call() {
    #[ratellmiter(limiter = limiter, tokens = (5000, 5000))]
    async fn settled(limiter: &Limiter, channel: Channel) -> Result<Response<String>, Status> {
        assert_eq!(taken(limiter), (10_000, 1));
        grpc_service::ask(channel).await
    }
    let service = Running::start(vec![answer()]).await;
    let limiter = budget();
    settled(&limiter, channel(&service)).await.unwrap();
    assert_eq!(taken(&limiter), (1020, 0));
}

#[ratellmiter(limiter = limiter, tokens = (5000, 5000), stream)]
async fn parts(
    limiter: &Limiter,
    channel: Channel,
) -> Result<impl Stream<Item = Result<String, Status>> + use<>, Status> {
    grpc_service::stream(channel).await
}

/// A stream that is returned inside of the response cannot keep the ticket, which the expansion finds by its type.
#[tokio::test(start_paused = true)]
async fn stream_inside_of_a_response_is_found_by_its_type() {
    let service = Running::start(vec![answer()]).await;
    let streaming = grpc_service::stream(channel(&service)).await.map(Response::new);
    assert!(streaming.is_ok() && ratellmiter_core::__is_stream!(&streaming));
    assert!(!ratellmiter_core::__is_stream!(&grpc_service::ask(channel(&service)).await));
}

#[tokio::test(start_paused = true)]
async fn refused_stream_is_retried_and_settles_at_end() {
    // The last status is in the trailers of a response without messages.
    for refused in [
        Reply::Refused(Status::resource_exhausted("slow down")),
        Reply::Messages(vec![], Some(Status::resource_exhausted("slow down"))),
    ] {
        let service = Running::start(vec![refused, Reply::Messages(vec!["hel", "lo", ANSWER], None)]).await;
        let limiter = budget();
        let start = Instant::now();
        let items = parts(&limiter, channel(&service)).await.unwrap();
        assert_eq!((service.requests(), start.elapsed().as_secs()), (2, 2));
        assert_eq!(taken(&limiter), (20_000, 1), "the refused attempt stays charged");
        let items: Vec<_> = items.map(Result::unwrap).collect().await;
        assert_eq!((items.concat(), taken(&limiter)), (format!("hello{ANSWER}"), (11_020, 0)));
    }
}

#[tokio::test(start_paused = true)]
async fn refusal_in_trailers_of_a_started_stream_pauses() {
    for (status, pauses) in [
        (with_metadata(Status::resource_exhausted("slow down"), "retry-after", "30"), true),
        (Status::unavailable("overloaded"), true),
        (Status::internal("it broke"), false),
        (Status::invalid_argument("no"), false),
    ] {
        let service = Running::start(vec![Reply::Messages(vec!["hel"], Some(status.clone()))]).await;
        let limiter = budget();
        let items: Vec<_> = parts(&limiter, channel(&service)).await.unwrap().collect().await;
        assert_eq!((items.len(), items[1].as_ref().unwrap_err().code()), (2, status.code()));
        assert_eq!((service.requests(), taken(&limiter).1), (1, 0));
        assert_eq!(limiter.snapshot().paused_until.is_some(), pauses, "{status}");
    }
}

fn verdict(error: impl std::error::Error + 'static) -> Option<Verdict> {
    StreamItem::of(&Err::<Usage, _>(error)).verdict
}

#[tokio::test]
async fn refused_connection_is_transient() {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(([127, 0, 0, 1], 0).into()).unwrap();
    let endpoint = Endpoint::from_shared(format!("http://{}", socket.local_addr().unwrap())).unwrap();
    let refused = endpoint.connect().await.unwrap_err();
    assert_eq!(verdict(refused), Some(Verdict::transient()));
    let status = grpc_service::ask(endpoint.connect_lazy()).await.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable);
    assert_eq!(verdict(status), Some(Verdict::transient()));
}

#[tokio::test]
async fn timeout_is_a_failure() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    // The connection is made, and nothing is answered.
    let endpoint = Endpoint::from_shared(url).unwrap().timeout(Duration::from_millis(100));
    let status = grpc_service::ask(endpoint.connect_lazy()).await.unwrap_err();
    assert_eq!(verdict(status), Some(Verdict::Failed));
}

#[tokio::test]
async fn status_of_success_as_an_error_is_a_failure() {
    assert_eq!(verdict(Status::ok("")), Some(Verdict::Failed));
}
