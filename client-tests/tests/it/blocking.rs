//! The refusals of the vectors for blocking clients, which wait in real time.

use std::{
    io::{Read as _, Write as _},
    net::{TcpListener, TcpStream},
    thread,
    time::{Duration, Instant},
};

use ratellmiter_core::{Limiter, Limits};

use crate::support::{
    Answer, Server,
    vectors::{Refusal, Treatment, refusals, success},
};

pub(crate) fn limiter() -> Limiter {
    Limiter::new(Limits::per_minute(600_000).no_ramp())
}

/// Plays each refusal to `ask`, a function that makes one attempt until it is refused and returns `true` for a success. Each runs in
/// its own thread.
pub(crate) fn check_refusals(ask: impl Fn(&Limiter, &str) -> bool + Sync) {
    let refusals = refusals();
    assert!(refusals.len() >= 80, "{}", refusals.len());
    thread::scope(|scope| {
        for refusal in &refusals {
            scope.spawn(|| check_refusal(refusal, &ask));
        }
    });
}

fn check_refusal(refusal: &Refusal, ask: &impl Fn(&Limiter, &str) -> bool) {
    let server = Server::start(vec![refusal.answer.clone(), success()]);
    let limiter = limiter();
    let start = Instant::now();
    let succeeded = ask(&limiter, &server.url());
    let now = limiter.snapshot();
    let pause = now.paused_until.map(|until| until.saturating_duration_since(start));
    let is_right = |treatment: &Treatment| match treatment {
        Treatment::Returned => !succeeded && server.requests() == 1 && (pause.is_none() || now.closed.is_some()),
        Treatment::Retried(hint) => {
            // The jitter is a tenth of the pause.
            let expected = hint.unwrap_or(Duration::from_secs(2));
            let max =
                start.elapsed() + expected + (expected / 10).clamp(Duration::from_millis(20), Duration::from_secs(1));
            // A short pause may have passed.
            let is_paused = pause.map_or_else(|| expected < start.elapsed(), |pause| pause >= expected && pause <= max);
            !succeeded && server.requests() == 1 && is_paused
        }
        Treatment::SentAgain(_) => succeeded && server.requests() == 2,
    };
    let found = format!("succeeded: {succeeded}, requests: {}, pause: {pause:?}", server.requests());
    assert!(refusal.treatments.iter().any(is_right), "{}: {found}, not {:?}", refusal.id, refusal.treatments);
}

/// Returns a refusal with a hint of some milliseconds.
pub(crate) fn short_refusal() -> Answer {
    let body =
        r#"{"error": {"code": "rate_limit_exceeded", "message": "Rate limit reached. Please try again in 30ms."}}"#;
    Answer::new(429, &[("content-type", "application/json"), ("retry-after-ms", "30")], body)
}

/// Returns the address of a server that reads requests and then runs `answer` on the connection.
pub(crate) fn server(answer: impl Fn(&mut TcpStream) + Send + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming().take(100) {
            let mut stream = stream.unwrap();
            let mut request = [0; 4096];
            let _ = stream.read(&mut request);
            answer(&mut stream);
        }
    });
    format!("http://{address}/v1")
}

/// Returns the address of a server that closes the connection within the headers of its response.
pub(crate) fn incomplete_headers() -> String {
    server(|stream| stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-ty").unwrap())
}

/// Returns the address of a server that closes the connection within the body of its response.
pub(crate) fn incomplete_body() -> String {
    server(|stream| stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\nhalf").unwrap())
}

/// Returns the address of a server that never answers.
pub(crate) fn silent() -> String {
    server(|_| thread::sleep(Duration::from_secs(1)))
}

/// Returns an address to which no connection can be made, and the socket that keeps its port.
pub(crate) fn closed() -> (tokio::net::TcpSocket, String) {
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind(([127, 0, 0, 1], 0).into()).unwrap();
    let url = format!("http://{}/v1", socket.local_addr().unwrap());
    (socket, url)
}
