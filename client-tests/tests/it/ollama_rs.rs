//! The real `ollama-rs` client against refusals in the providers' formats and in those of Ollama, in paused time.

use std::time::Duration;

use crate::{
    every_refusal::{Lost, every_refusal, limiter},
    support::{
        Answer, Server, budget, taken,
        vectors::{
            Refusal,
            Treatment::{self, Retried, Returned},
            check, refusals,
        },
    },
};
use futures::{Stream, StreamExt as _};
use ollama_rs::{
    Ollama,
    error::OllamaError,
    generation::{
        chat::{ChatMessageResponse, request::ChatMessageRequest},
        completion::{GenerationResponse, request::GenerationRequest},
    },
};
use ratellmiter_core::{Limiter, Usage, Verdict, ratellmiter, stream::StreamItem};
use serde_json::{Value, json};
use tokio::{net::TcpSocket, time::Instant};

/// Returns a client without a connection pool, whose idle timers would advance the paused time during a request.
fn client(url: &str) -> Ollama {
    let http = reqwest_012::Client::builder().pool_max_idle_per_host(0).build().unwrap();
    Ollama::builder().url(format!("{url}/")).reqwest_client(http).build()
}

fn part(text: &str) -> Value {
    json!({
        "model": "llama3", "created_at": "2026-11-24T06:40:00Z", "done": false,
        "message": { "role": "assistant", "content": text }
    })
}

fn end() -> Value {
    let mut end = part("lo");
    end["done"] = json!(true);
    for field in ["total_duration", "load_duration", "prompt_eval_duration", "eval_duration"] {
        end[field] = json!(1);
    }
    end["prompt_eval_count"] = json!(900);
    end["eval_count"] = json!(120);
    end
}

fn success() -> Answer {
    Answer::json(&end())
}

#[ratellmiter(limiter = limiter, tokens = (5000, 5000))]
async fn ask(limiter: &Limiter, url: &str) -> Result<ChatMessageResponse, OllamaError> {
    client(url).send_chat_messages(ChatMessageRequest::new("llama3".into(), Vec::new())).await
}

#[tokio::test(start_paused = true)]
async fn every_refusal_is_understood_by_its_body_or_returned() {
    let understood = every_refusal(Lost::Status, success(), async |limiter, url| ask(limiter, url).await.is_ok()).await;
    assert!(understood >= 60, "{understood} of {}", refusals().len());
}

/// The errors of a server and of the cloud: github.com/ollama/ollama, `server/sched.go`, and the reports in the catalog, 2026-11.
#[tokio::test(start_paused = true)]
async fn errors_of_ollama_are_understood() {
    let cases: [(u16, &str, Treatment); 9] = [
        (503, "server busy, please try again.  maximum pending requests exceeded", Retried(None)),
        (503, "Server overloaded, please retry shortly (ref: 00000000)", Retried(None)),
        (429, "timed out waiting for a concurrent request slot", Retried(None)),
        (429, "too many concurrent requests", Retried(None)),
        (429, "rate limit exceeded, try again in 7s", Retried(Some(Duration::from_secs(7)))),
        (429, "you've reached your hourly usage limit, please wait or upgrade to continue", Returned),
        (429, "you (name) have reached your session usage limit, upgrade for higher limits: https://x", Returned),
        (429, "you (name) have reached your weekly usage limit, upgrade for higher limits: https://x", Returned),
        (404, "model 'llama3' not found", Returned),
    ];
    for (status, text, treatment) in cases {
        let refused = Answer::new(status, &[], json!({ "error": text }).to_string());
        let server = Server::start(vec![refused.clone(), success()]);
        let limiter = limiter();
        let start = Instant::now();
        let succeeded = ask(&limiter, &server.url()).await.is_ok();
        let refusal = Refusal { id: text.to_owned(), answer: refused, treatments: vec![treatment] };
        check(&refusal, succeeded, server.requests(), start.elapsed());
        assert_eq!(limiter.snapshot().closed.is_some(), text.contains("usage limit"), "{text}");
    }
}

#[tokio::test(start_paused = true)]
async fn answer_settles_the_call() {
    let server = Server::start(vec![success()]);
    let limiter = budget();
    ask(&limiter, &server.url()).await.unwrap();
    assert_eq!(taken(&limiter), (1020, 0));
    let client = client(&server.url());
    let request = || client.send_chat_messages(ChatMessageRequest::new("llama3".into(), Vec::new()));
    limiter.runner().tokens(5000, 5000).run(request).await.unwrap();
    assert_eq!(taken(&limiter), (2040, 0), "in the function form");
}

fn lines(parts: &[Value]) -> Answer {
    let lines: Vec<_> = parts.iter().map(|part| format!("{part}\n")).collect();
    Answer::new(200, &[("content-type", "application/x-ndjson")], lines.concat())
}

fn busy() -> Answer {
    Answer::new(
        503,
        &[],
        json!({ "error": "server busy, please try again.  maximum pending requests exceeded" }).to_string(),
    )
}

#[ratellmiter(limiter = limiter, tokens = (5000, 5000), stream)]
async fn messages(
    limiter: &Limiter,
    url: &str,
) -> Result<impl Stream<Item = Result<ChatMessageResponse, ()>> + use<>, OllamaError> {
    client(url).send_chat_messages_stream(ChatMessageRequest::new("llama3".into(), Vec::new())).await
}

#[ratellmiter(limiter = limiter, tokens = (5000, 5000), stream)]
async fn completions(
    limiter: &Limiter,
    url: &str,
) -> Result<impl Stream<Item = Result<Vec<GenerationResponse>, OllamaError>> + use<>, OllamaError> {
    client(url).generate_stream(GenerationRequest::new("llama3".into(), "hi")).await
}

#[tokio::test(start_paused = true)]
async fn stream_is_retried_and_settles_with_its_last_item() {
    let server = Server::start(vec![busy(), lines(&[part("hel"), end()])]);
    let limiter = budget();
    let start = Instant::now();
    let items = messages(&limiter, &server.url()).await.unwrap();
    assert_eq!((server.requests(), start.elapsed().as_secs()), (2, 2));
    assert_eq!(taken(&limiter), (20_000, 1), "the refused attempt stays charged");
    let text: Vec<_> = items.map(|item| item.unwrap().message.content).collect().await;
    assert_eq!((text.concat().as_str(), taken(&limiter)), ("hello", (11_020, 0)));

    let completion = |mut part: Value| {
        part["response"] = part["message"]["content"].take();
        part
    };
    let server = Server::start(vec![busy(), lines(&[completion(part("hel")), completion(end())])]);
    let limiter = budget();
    let items: Vec<_> = completions(&limiter, &server.url()).await.unwrap().collect().await;
    assert!(items.iter().all(Result::is_ok));
    assert_eq!((server.requests(), taken(&limiter)), (2, (11_020, 0)));
}

#[tokio::test]
async fn refused_connection_is_transient() {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(([127, 0, 0, 1], 0).into()).unwrap();
    let client = client(&format!("http://{}", socket.local_addr().unwrap()));
    let error = client.send_chat_messages(ChatMessageRequest::new("m".into(), Vec::new())).await.unwrap_err();
    assert_eq!(StreamItem::of(&Err::<Usage, _>(error)).verdict, Some(Verdict::transient()));
}
