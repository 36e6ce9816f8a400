//! A server on loopback that returns the given responses in order, and repeats the last one.

#![allow(dead_code, unreachable_pub)] // Each test uses a part.

use std::{
    fmt::Write as _,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use ratellmiter_core::{Limiter, Limits};
use serde_json::Value;

/// Maximum number of requests, more than any test makes, so that a client in an endless loop does not exhaust the machine.
const MAX_REQUESTS: usize = 1000;

pub mod vectors;

pub struct Server {
    pub address: SocketAddr,
    requests: Arc<AtomicUsize>,
}

impl Server {
    /// Starts a server that returns `answers`. It adds the `Content-Length` header.
    pub fn start(answers: Vec<Answer>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let requests = Arc::new(AtomicUsize::new(0));
        let seen = requests.clone();
        thread::spawn(move || {
            for stream in listener.incoming().take(MAX_REQUESTS) {
                let (Ok(stream), seen, answers) = (stream, seen.clone(), answers.clone()) else { break };
                thread::spawn(move || serve(&stream, &seen, &answers));
            }
        });
        Self { address, requests }
    }

    pub fn url(&self) -> String {
        format!("http://{}/v1", self.address)
    }

    /// Returns the number of requests received.
    pub fn requests(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }
}

#[derive(Debug, Clone)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn new(status: u16, headers: &[(&str, &str)], body: impl Into<Vec<u8>>) -> Self {
        let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Self { status, headers, body: body.into() }
    }

    /// Returns a success with a JSON body.
    pub fn json(body: &Value) -> Self {
        Self::new(200, &[("content-type", "application/json")], body.to_string())
    }

    /// Returns a success with server-sent events, named by their types as in Anthropic's API and `OpenAI`'s Responses. Events without a
    /// type end with `[DONE]`, as in `OpenAI`'s chat completions.
    pub fn events(events: &[Value]) -> Self {
        let mut body = String::new();
        for event in events {
            if let Some(name) = event["type"].as_str() {
                writeln!(body, "event: {name}").unwrap();
            }
            write!(body, "data: {event}\n\n").unwrap();
        }
        if events.iter().all(|event| event["type"].is_null()) {
            body.push_str("data: [DONE]\n\n");
        }
        Self::new(200, &[("content-type", "text/event-stream")], body)
    }
}

/// Returns a limiter with a token budget so large that no call waits for it.
pub fn budget() -> Limiter {
    let limits = Limits::per_minute(600_000).no_ramp();
    Limiter::new(limits.tokens_per_minute(1_000_000_000))
}

/// Returns the tokens charged to the budget, and the number of calls in flight.
pub fn taken(limiter: &Limiter) -> (u64, u64) {
    let now = limiter.snapshot();
    (now.budgets().map(|budget| budget.taken).sum(), now.in_flight)
}

/// Answers the requests of one connection.
fn serve(stream: &TcpStream, seen: &AtomicUsize, answers: &[Answer]) {
    let mut reader = BufReader::new(stream);
    for _ in 0..MAX_REQUESTS {
        let mut length = 0;
        let mut line = String::new();
        loop {
            line.clear();
            match reader.read_line(&mut line) {
                Ok(0) | Err(_) => return,
                Ok(_) => {}
            }
            let line = line.trim().to_ascii_lowercase();
            if let Some(value) = line.strip_prefix("content-length:") {
                length = value.trim().parse().unwrap();
            }
            if line.is_empty() {
                break;
            }
        }
        let mut body = vec![0; length];
        if reader.read_exact(&mut body).is_err() {
            return;
        }
        let number = seen.fetch_add(1, Ordering::SeqCst);
        let Answer { status, headers, body } = &answers[number.min(answers.len() - 1)];
        let mut head = format!("HTTP/1.1 {status} Status\r\ncontent-length: {}\r\n", body.len());
        head.extend(headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")));
        head.push_str("\r\n");
        let mut stream = stream;
        if stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body)).is_err() {
            return;
        }
    }
}
