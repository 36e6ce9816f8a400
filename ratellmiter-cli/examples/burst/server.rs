//! A small OpenAI-shaped server on loopback that refuses.

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use axum::{
    Json, Router,
    extract::State,
    http::{HeaderName, StatusCode, header},
    response::{IntoResponse as _, Response},
    routing::post,
};
use serde_json::{Value, json};
use tokio::{
    net::TcpListener,
    time::{Instant, sleep},
};

/// What it allows: so many requests a minute, and so many at once.
pub(crate) const PER_MINUTE: u32 = 300;
const DEPTH: f64 = 5.0;

/// When after the first request it is overloaded, and for how long.
const OUTAGE_AFTER: Duration = Duration::from_secs(12);
pub(crate) const OUTAGE: Duration = Duration::from_secs(5);

#[derive(Debug, Default)]
pub(crate) struct Server {
    bucket: Mutex<Option<Bucket>>,
    pub(crate) requests: AtomicU64,
    pub(crate) too_many: AtomicU64,
    pub(crate) overloaded: AtomicU64,
}

#[derive(Debug)]
struct Bucket {
    first: Instant,
    filled: Instant,
    tokens: f64,
}

impl Server {
    /// Starts it on a free port.
    pub(crate) async fn start() -> std::io::Result<(SocketAddr, Arc<Self>)> {
        let server = Arc::new(Self::default());
        let routes = Router::new().route("/v1/chat/completions", post(answer)).with_state(server.clone());
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        tokio::spawn(async { axum::serve(listener, routes).await });
        Ok((address, server))
    }

    /// `Err`: how long to wait, or `None` in the outage.
    fn admit(&self, now: Instant) -> Result<(), Option<Duration>> {
        let per_second = f64::from(PER_MINUTE) / 60.0;
        let mut bucket = self.bucket.lock().expect("nothing panics under this lock");
        let bucket = bucket.get_or_insert(Bucket { first: now, filled: now, tokens: DEPTH });
        bucket.tokens = (bucket.tokens + (now - bucket.filled).as_secs_f64() * per_second).min(DEPTH);
        bucket.filled = now;
        if (OUTAGE_AFTER..OUTAGE_AFTER + OUTAGE).contains(&(now - bucket.first)) {
            return Err(None);
        }
        if bucket.tokens < 1.0 {
            return Err(Some(Duration::from_secs_f64((1.0 - bucket.tokens) / per_second)));
        }
        bucket.tokens -= 1.0;
        Ok(())
    }
}

async fn answer(State(server): State<Arc<Server>>, Json(request): Json<Value>) -> Response {
    let number = server.requests.fetch_add(1, Ordering::Relaxed);
    match server.admit(Instant::now()) {
        Ok(()) => {
            // Some answers take longer than others.
            sleep(Duration::from_millis(300 + number * 7919 % 900)).await;
            let content = format!("an answer to {}", request["messages"][0]["content"]);
            Json(json!({ "choices": [{ "message": { "role": "assistant", "content": content } }] })).into_response()
        }
        Err(Some(wait)) => {
            server.too_many.fetch_add(1, Ordering::Relaxed);
            let seconds = wait.as_secs_f64().ceil().to_string();
            let limit = (HeaderName::from_static("x-ratelimit-limit-requests"), PER_MINUTE.to_string());
            let error = json!({ "error": { "type": "requests", "code": "rate_limit_exceeded" } });
            (StatusCode::TOO_MANY_REQUESTS, [(header::RETRY_AFTER, seconds), limit], Json(error)).into_response()
        }
        Err(None) => {
            server.overloaded.fetch_add(1, Ordering::Relaxed);
            let overloaded = StatusCode::from_u16(529).expect("three digits");
            (overloaded, Json(json!({ "error": { "type": "overloaded_error" } }))).into_response()
        }
    }
}
