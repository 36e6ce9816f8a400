//! A server on loopback that gives the answers it was told to, one a request, and the last of them from then on.

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

/// More requests than any test makes: a client that never stops ends the server, not the machine.
const MOST: usize = 1000;

pub mod vectors;

pub struct Server {
    pub address: SocketAddr,
    requests: Arc<AtomicUsize>,
}

impl Server {
    /// `answers` are whole responses but for their end: `Content-Length`, the empty line and the body are made here.
    pub fn start(answers: Vec<Answer>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let requests = Arc::new(AtomicUsize::new(0));
        let seen = requests.clone();
        thread::spawn(move || {
            for stream in listener.incoming().take(MOST) {
                let (Ok(stream), seen, answers) = (stream, seen.clone(), answers.clone()) else { break };
                thread::spawn(move || serve(&stream, &seen, &answers));
            }
        });
        Self { address, requests }
    }

    pub fn url(&self) -> String {
        format!("http://{}/v1", self.address)
    }

    /// How many requests have come.
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

    /// A success with a body of JSON.
    pub fn json(body: &Value) -> Self {
        Self::new(200, &[("content-type", "application/json")], body.to_string())
    }

    /// A success with events, named by their types as Anthropic and `OpenAI`'s Responses do, and `OpenAI`'s end of a chat.
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

/// A limiter with a budget of tokens, of which [`taken`] tells: so large that no call waits for it.
pub fn budget() -> Limiter {
    let limits = Limits::per_minute(600_000).no_ramp();
    Limiter::new(limits.tokens_per_minute(1_000_000_000))
}

/// What counts against the budget, and how many calls are out.
pub fn taken(limiter: &Limiter) -> (u64, u64) {
    let now = limiter.snapshot();
    (now.budgets().map(|budget| budget.taken).sum(), now.in_flight)
}

/// Answers the requests of one connection.
fn serve(stream: &TcpStream, seen: &AtomicUsize, answers: &[Answer]) {
    let mut reader = BufReader::new(stream);
    for _ in 0..MOST {
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
