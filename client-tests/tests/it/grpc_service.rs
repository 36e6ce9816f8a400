//! A gRPC service on loopback whose messages are texts: it needs no generated code.

#![allow(dead_code, unreachable_pub)] // Each program uses a part.

use std::{
    convert::Infallible,
    future::{Ready, ready},
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll},
};

use bytes::{Buf as _, BufMut as _};
use futures::{
    future::BoxFuture,
    stream::{self, BoxStream, StreamExt as _},
};
use http::uri::PathAndQuery;
use tokio::net::TcpListener;
use tonic::{
    Request, Response, Status,
    body::Body,
    client::GrpcService,
    codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder},
    transport::Server,
};
use tower_service::Service;

/// A reply of the service.
#[derive(Clone)]
pub enum Reply {
    /// A status in the headers of the response, without a message.
    Refused(Status),
    /// Messages, and a status in the trailers of the response.
    Messages(Vec<&'static str>, Option<Status>),
    /// A response with an HTTP status that is not gRPC's, as of a proxy.
    Http(u16),
}

/// The running service, which gives its replies in order and repeats the last one.
pub struct Running {
    pub address: SocketAddr,
    requests: Arc<AtomicUsize>,
}

impl Running {
    pub async fn start(replies: Vec<Reply>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let requests = Arc::new(AtomicUsize::new(0));
        let model = Model { replies: replies.into(), requests: requests.clone() };
        // More connections than any test makes.
        let connections = stream::unfold(listener, async |listener| {
            let connection = listener.accept().await.map(|(connection, _)| connection);
            Some((connection, listener))
        });
        tokio::spawn(Server::builder().serve_with_incoming(model, connections.take(1000)));
        Self { address, requests }
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Returns the number of requests received.
    pub fn requests(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }
}

/// Sends a prompt over `channel` and returns the answer.
pub async fn ask<C>(channel: C) -> Result<Response<String>, Status>
where
    C: GrpcService<Body, ResponseBody = Body>,
{
    let mut client = tonic::client::Grpc::new(channel);
    client.ready().await.map_err(|error| Status::from_error(error.into()))?;
    client.unary(Request::new("hi".to_owned()), PathAndQuery::from_static("/llm.Model/Ask"), Text).await
}

/// Sends a prompt over `channel` and returns the parts of the answer.
pub async fn stream<C>(channel: C) -> Result<tonic::Streaming<String>, Status>
where
    C: GrpcService<Body, ResponseBody = Body>,
{
    let mut client = tonic::client::Grpc::new(channel);
    client.ready().await.map_err(|error| Status::from_error(error.into()))?;
    let path = PathAndQuery::from_static("/llm.Model/Stream");
    Ok(client.server_streaming(Request::new("hi".to_owned()), path, Text).await?.into_inner())
}

/// The service, with the replies to each request.
#[derive(Clone)]
struct Model {
    replies: Arc<[Reply]>,
    requests: Arc<AtomicUsize>,
}

impl Service<http::Request<Body>> for Model {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<http::Response<Body>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let number = self.requests.fetch_add(1, Ordering::SeqCst);
        let reply = self.replies[number.min(self.replies.len() - 1)].clone();
        Box::pin(async move {
            let mut grpc = tonic::server::Grpc::new(Text);
            Ok(match reply {
                Reply::Http(status) => http::Response::builder().status(status).body(Body::empty()).unwrap(),
                reply if request.uri().path().ends_with("/Ask") => grpc.unary(Unary(reply), request).await,
                reply => grpc.server_streaming(Streaming(reply), request).await,
            })
        })
    }
}

/// The method with one answer.
struct Unary(Reply);

impl Service<Request<String>> for Unary {
    type Response = Response<String>;
    type Error = Status;
    type Future = Ready<Result<Response<String>, Status>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Status>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<String>) -> Self::Future {
        ready(match &self.0 {
            Reply::Refused(status) => Err(status.clone()),
            Reply::Messages(messages, _) => Ok(Response::new(messages.concat())),
            Reply::Http(_) => Err(Status::internal("answered before")),
        })
    }
}

/// The method with a stream of parts.
struct Streaming(Reply);

impl Service<Request<String>> for Streaming {
    type Response = Response<BoxStream<'static, Result<String, Status>>>;
    type Error = Status;
    type Future = Ready<Result<Self::Response, Status>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Status>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<String>) -> Self::Future {
        ready(match self.0.clone() {
            Reply::Refused(status) => Err(status),
            Reply::Messages(messages, end) => {
                let messages = messages.into_iter().map(|message| Ok(message.to_owned()));
                Ok(Response::new(stream::iter(messages.chain(end.map(Err))).boxed()))
            }
            Reply::Http(_) => Err(Status::internal("answered before")),
        })
    }
}

/// Encodes messages as UTF-8.
#[derive(Clone, Copy)]
struct Text;

impl Codec for Text {
    type Encode = String;
    type Decode = String;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        *self
    }

    fn decoder(&mut self) -> Self {
        *self
    }
}

impl Encoder for Text {
    type Item = String;
    type Error = Status;

    fn encode(&mut self, message: String, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        buffer.put_slice(message.as_bytes());
        Ok(())
    }
}

impl Decoder for Text {
    type Item = String;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<String>, Status> {
        let bytes = buffer.copy_to_bytes(buffer.remaining());
        String::from_utf8(bytes.into()).map(Some).map_err(|_| Status::internal("not UTF-8"))
    }
}
