//! The real `misanthropic` client against Anthropic's refusals, in paused time. Its error has the status that belongs to the type of
//! the error, and the message.

use std::time::Duration;

use crate::{
    every_refusal::limiter,
    support::{
        Answer, Server,
        vectors::{
            Refusal,
            Treatment::{self, Retried, Returned, SentAgain},
            check,
        },
    },
};
use misanthropic::{Client, client::Error, response::Message};
use ratellmiter_core::{Limiter, ratellmiter};
use serde_json::json;
use tokio::time::Instant;

#[ratellmiter(limiter = limiter)]
async fn ask(limiter: &Limiter, url: &str) -> Result<Message, Error> {
    let mut client = Client::new("k".repeat(108)).unwrap().base_url(url).unwrap();
    // Without a connection pool, whose idle timers would advance the paused time during a request.
    client.inner = reqwest_012::Client::builder().pool_max_idle_per_host(0).build().unwrap();
    client.message(json!({ "model": "claude", "max_tokens": 9, "messages": [] })).await
}

#[tokio::test(start_paused = true)]
async fn refusals_of_anthropic_are_understood() {
    let success = Answer::json(&json!({
        "id": "m", "type": "message", "role": "assistant", "model": "claude-sonnet-4-5", "stop_reason": "end_turn",
        "stop_sequence": null, "content": [{ "type": "text", "text": "hello" }],
        "usage": { "input_tokens": 1, "output_tokens": 1 }
    }));
    let cases: [(u16, &str, &str, Treatment); 8] = [
        (429, "rate_limit_error", "This request would exceed your rate limit of 50 requests per minute", Retried(None)),
        (429, "rate_limit_error", "Rate limited, try again in 9s", Retried(Some(Duration::from_secs(9)))),
        (529, "overloaded_error", "Overloaded", Retried(None)),
        (500, "api_error", "Internal server error", SentAgain(None)),
        (400, "invalid_request_error", "messages: at least one message is required", Returned),
        (401, "authentication_error", "invalid x-api-key", Returned),
        (403, "permission_error", "the page said 429 Too Many Requests", Returned),
        (413, "request_too_large", "Request exceeds the maximum size", Returned),
    ];
    for (status, kind, message, treatment) in cases {
        let body = json!({ "type": "error", "error": { "type": kind, "message": message } });
        let refused = Answer::new(status, &[("content-type", "application/json")], body.to_string());
        let server = Server::start(vec![refused.clone(), success.clone()]);
        let start = Instant::now();
        let succeeded = ask(&limiter(), &server.url()).await.is_ok();
        let refusal = Refusal { id: message.to_owned(), answer: refused, treatments: vec![treatment] };
        check(&refusal, succeeded, server.requests(), start.elapsed());
    }
    for (status, requests) in [(429, 2), (503, 2), (502, 2), (404, 1)] {
        let server = Server::start(vec![Answer::new(status, &[], "<html>sorry</html>"), success.clone()]);
        let succeeded = ask(&limiter(), &server.url()).await.is_ok();
        assert_eq!(
            (succeeded, server.requests()),
            (requests == 2, requests),
            "the page of a proxy with status {status}"
        );
    }
}
