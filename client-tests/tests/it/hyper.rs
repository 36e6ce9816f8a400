//! The real `hyper` and `hyper-util` clients against refusals in the providers' formats, in paused time.

use std::{error::Error, time::Duration};

use bytes::Bytes;
use futures::{Stream, StreamExt as _};
use http_body_util::{BodyDataStream, BodyExt as _, BodyStream, Empty};
use hyper::{
    Request, Response,
    body::{Frame, Incoming},
    client::conn::http1,
};
use hyper_util::{
    client::legacy::{self, connect::HttpConnector},
    rt::{TokioExecutor, TokioIo},
};
use ratellmiter_core::{
    Limiter, Limits, Usage, Verdict, classify::LlmResponseExt as _, ratellmiter, stream::StreamItem,
};
use tokio::{net::TcpStream, time::Instant};

use crate::{
    broken::{closed, incomplete_body, incomplete_headers, server, silent},
    pieces,
    support::{
        Answer, Server, budget, taken,
        vectors::{check, refusals, success},
    },
};

type AnyError = Box<dyn Error + Send + Sync>;

fn limiter() -> Limiter {
    Limiter::new(Limits::per_minute(600_000).no_ramp())
}

/// Returns a client without a connection pool, whose idle timers would advance the paused time during a request.
fn client() -> legacy::Client<HttpConnector, Empty<Bytes>> {
    legacy::Client::builder(TokioExecutor::new()).pool_max_idle_per_host(0).build_http()
}

/// Sends a request over a connection of its own.
pub(crate) async fn send(url: &str) -> Result<Response<Incoming>, AnyError> {
    let request = Request::get(url).body(Empty::<Bytes>::new())?;
    let authority = request.uri().authority().ok_or("no authority")?.to_string();
    let (mut sender, connection) = http1::handshake(TokioIo::new(TcpStream::connect(authority).await?)).await?;
    tokio::spawn(connection);
    Ok(sender.send_request(request).await?)
}

async fn text(response: Response<Incoming>) -> Result<String, AnyError> {
    Ok(String::from_utf8(response.into_body().collect().await?.to_bytes().to_vec())?)
}

#[ratellmiter(limiter = limiter)]
async fn checked(limiter: &Limiter, url: &str) -> Result<String, AnyError> {
    text(client().get(url.parse()?).await?.error_for_refusal().await?).await
}

#[ratellmiter(limiter = limiter)]
async fn plain(limiter: &Limiter, url: &str) -> Result<String, AnyError> {
    text(send(url).await?.error_for_refusal().await?).await
}

#[tokio::test(start_paused = true)]
async fn checked_response_preserves_every_refusal() {
    for refusal in refusals() {
        for round in 0..2 {
            let server = Server::start(vec![refusal.answer.clone(), success()]);
            let start = Instant::now();
            let result = match round {
                0 => checked(&limiter(), &server.url()).await,
                _ => plain(&limiter(), &server.url()).await,
            };
            check(&refusal, result.is_ok(), server.requests(), start.elapsed());
            assert!(result.is_err() || result.is_ok_and(|text| text.contains("hello")));
        }
    }
}

#[ratellmiter(limiter = limiter)]
async fn response(limiter: &Limiter, url: &str) -> Result<Response<Incoming>, AnyError> {
    send(url).await
}

#[tokio::test(start_paused = true)]
async fn refused_response_in_ok_is_retried_after_hint() {
    let answers = || vec![Answer::new(429, &[("retry-after", "7")], ""), success()];
    let (first, second, start) = (Server::start(answers()), Server::start(answers()), Instant::now());
    assert_eq!(response(&limiter(), &first.url()).await.unwrap().status(), 200);
    let (client, url) = (client(), second.url().parse::<hyper::Uri>().unwrap());
    let found = limiter().run(|| client.get(url.clone())).await.unwrap();
    assert_eq!((found.status().as_u16(), first.requests(), second.requests()), (200, 2, 2));
    assert_eq!(start.elapsed().as_secs(), 14);
}

fn verdict(error: &(dyn Error + 'static)) -> Option<Verdict> {
    ratellmiter_core::classify::judge_error(error)
}

#[tokio::test]
async fn connections_that_fail_before_a_response_are_transient() {
    let (_socket, closed) = closed();
    for url in [closed, incomplete_headers(), server(|_| ())] {
        assert_eq!(verdict(&*send(&url).await.unwrap_err()), Some(Verdict::transient()), "{url}");
        let error = client().get(url.parse().unwrap()).await.unwrap_err();
        assert_eq!(StreamItem::of(&Err::<Usage, _>(error)).verdict, Some(Verdict::transient()), "{url}");
    }
}

#[tokio::test]
async fn unsent_request_is_transient_and_a_broken_body_is_not() {
    let address = incomplete_body().replace("http://", "").replace("/v1", "");
    let io = TokioIo::new(TcpStream::connect(address).await.unwrap());
    let (mut sender, connection) = http1::handshake::<_, Empty<Bytes>>(io).await.unwrap();
    drop(connection);
    let request = Request::get("/").body(Empty::new()).unwrap();
    let error = sender.send_request(request).await.unwrap_err();
    assert!(error.is_canceled());
    assert_eq!(verdict(&error), Some(Verdict::transient()));

    let response = send(&incomplete_body()).await.unwrap();
    let error = response.into_body().collect().await.unwrap_err();
    assert_eq!(verdict(&error), Some(Verdict::Failed));
    let unanswered = tokio::time::timeout(Duration::from_millis(50), send(&silent())).await;
    assert_eq!(verdict(&unanswered.unwrap_err()), None, "a time-out after the request was sent");
}

#[ratellmiter(limiter = limiter, tokens = (1000, 1002), stream)]
async fn data(
    limiter: &Limiter,
    url: &str,
) -> Result<impl Stream<Item = Result<Bytes, hyper::Error>> + use<>, AnyError> {
    Ok(BodyDataStream::new(send(url).await?.error_for_refusal().await?.into_body()))
}

#[ratellmiter(limiter = limiter, tokens = (1000, 1002), stream)]
async fn frames(
    limiter: &Limiter,
    url: &str,
) -> Result<impl Stream<Item = Result<Frame<Bytes>, hyper::Error>> + use<>, AnyError> {
    Ok(BodyStream::new(send(url).await?.error_for_refusal().await?.into_body()))
}

#[tokio::test]
async fn data_and_frames_of_a_body_settle_the_call() {
    for body in [pieces::openai(), pieces::anthropic(), pieces::ollama()] {
        let url = pieces::serve(vec![pieces::cut(&body, &[9, 60]), pieces::bytes(&body)]);
        let limiter = budget();
        let stream = data(&limiter, &url).await.unwrap();
        assert_eq!(taken(&limiter), (2002, 1));
        assert!(stream.count().await >= 2);
        assert_eq!(taken(&limiter), (122, 0), "{body}");
        assert!(frames(&limiter, &url).await.unwrap().count().await >= 2);
        assert_eq!(taken(&limiter), (244, 0), "{body}");
    }
}
