//! A simulated provider as an HTTP server on loopback, for clients in any language.

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use http_body_util::{BodyExt as _, Full};
use hyper::{
    Request, Response, StatusCode,
    body::{Bytes, Incoming},
    header::{CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use ratellmiter_core::{
    LimitKind, Usage,
    sim::{Answer, Provider, Size},
};
use serde_json::{Value, json};
use tokio::{net::TcpListener, time::Instant};

/// Counts of the requests so far.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    pub(crate) requests: AtomicU64,
    /// Requests refused because of a limit.
    pub(crate) too_many: AtomicU64,
    /// Requests refused because of an outage.
    pub(crate) overloaded: AtomicU64,
}

#[derive(Debug)]
struct Server {
    provider: Mutex<Provider>,
    counts: Arc<Counts>,
    /// The time of the first request, at which the provider's time starts.
    first_request: Mutex<Option<Instant>>,
}

/// Starts the server on `port`, or on a free port if `port` is 0. Returns its address and its counts.
pub(crate) async fn start(provider: Provider, port: u16) -> std::io::Result<(SocketAddr, Arc<Counts>)> {
    let counts = Arc::new(Counts::default());
    let server = Server { provider: Mutex::new(provider), counts: counts.clone(), first_request: Mutex::new(None) };
    let listener = TcpListener::bind(("127.0.0.1", port)).await?;
    let address = listener.local_addr()?;
    tokio::spawn(serve(listener, Arc::new(server)));
    Ok((address, counts))
}

async fn serve(listener: TcpListener, server: Arc<Server>) {
    while let Ok((stream, _)) = listener.accept().await {
        let server = server.clone();
        let service = service_fn(move |request| answer(server.clone(), request));
        tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
    }
}

async fn answer(server: Arc<Server>, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, hyper::Error> {
    let path = request.uri().path().to_owned();
    let body = request.into_body().collect().await?.to_bytes();
    let request: Value = serde_json::from_slice(&body).unwrap_or_default();
    let size = Size::new(body.len() as u64 / 3, request["max_tokens"].as_u64().unwrap_or(16), 10);
    let answer = {
        // The lock is held while the clock is read, so that the provider's times never decrease.
        let mut provider = server.provider.lock().unwrap_or_else(PoisonError::into_inner);
        let now = server
            .first_request
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get_or_insert_with(Instant::now)
            .elapsed();
        provider.call(now, size)
    };
    server.counts.requests.fetch_add(1, Ordering::Relaxed);
    tokio::time::sleep(answer.after()).await;
    let rate_limit_headers = {
        let mut provider = server.provider.lock().unwrap_or_else(PoisonError::into_inner);
        let first_request = *server.first_request.lock().unwrap_or_else(PoisonError::into_inner);
        provider.headers_at(first_request.map_or(Duration::ZERO, |first| first.elapsed()))
    };
    let mut response = match answer {
        Answer::Finished { usage, .. } => json_response(StatusCode::OK, &success(&path, &request, usage)),
        Answer::Refused { status, limit, retry_after: hint, .. } => {
            let count = if status == 429 { &server.counts.too_many } else { &server.counts.overloaded };
            count.fetch_add(1, Ordering::Relaxed);
            refusal(&path, status, limit, hint)
        }
        Answer::Failed { status, .. } => {
            let status = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_GATEWAY);
            json_response(status, &json!({ "error": { "message": "Bad gateway" } }))
        }
    };
    response.headers_mut().extend(rate_limit_headers);
    Ok(response)
}

fn json_response(status: StatusCode, body: &Value) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::from(body.to_string()));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// Returns a body in the format of Anthropic's messages if the path ends in `/messages`, else of `OpenAI`'s chat completions.
fn success(path: &str, request: &Value, usage: Usage) -> Value {
    let (input, cached, output) = (usage.input, usage.cached, usage.output);
    let text = format!("an answer to {}", request["messages"][0]["content"]);
    if path.ends_with("/messages") {
        json!({
            "id": "msg_1", "type": "message", "role": "assistant", "model": request["model"], "stop_reason": "end_turn",
            "content": [{ "type": "text", "text": text }], "usage": {
                "input_tokens": input - cached, "cache_read_input_tokens": cached, "output_tokens": output
            }
        })
    } else {
        json!({
            "id": "chatcmpl-1", "object": "chat.completion", "created": 1_795_502_400, "model": request["model"],
            "choices": [{ "index": 0, "finish_reason": "stop", "message": { "role": "assistant", "content": text } }],
            "usage": {
                "prompt_tokens": input, "completion_tokens": output, "total_tokens": input + output,
                "prompt_tokens_details": { "cached_tokens": cached }
            }
        })
    }
}

fn refusal(path: &str, status: u16, limit: LimitKind, hint: Option<Duration>) -> Response<Full<Bytes>> {
    let (kind, code, message) = match limit {
        _ if status != 429 => ("overloaded_error", "overloaded", "Overloaded"),
        LimitKind::Tokens | LimitKind::InputTokens | LimitKind::OutputTokens => {
            ("tokens", "rate_limit_exceeded", "Rate limit reached for tokens")
        }
        LimitKind::Concurrency => ("concurrency", "concurrency_limit_exceeded", "Too many concurrent requests"),
        _ => ("requests", "rate_limit_exceeded", "Rate limit reached for requests"),
    };
    let error = json!({ "type": kind, "code": code, "message": message });
    let body = if path.ends_with("/messages") {
        json!({ "type": "error", "error": error })
    } else {
        json!({ "error": error })
    };
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::TOO_MANY_REQUESTS);
    let mut response = json_response(status, &body);
    if let Some(hint) = hint {
        let (name, value) = if hint.subsec_nanos() == 0 {
            (RETRY_AFTER, hint.as_secs().to_string())
        } else {
            (HeaderName::from_static("retry-after-ms"), hint.as_millis().to_string())
        };
        response.headers_mut().insert(name, HeaderValue::from_str(&value).expect("digits are a valid header value"));
    }
    response
}
