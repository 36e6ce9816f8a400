//! Calls that are larger than the whole budget of a provider that refuses them each time.

use std::cell::Cell;

use futures::stream::{self, BoxStream};
use http::{HeaderMap, HeaderName, StatusCode};
use ratellmiter_core::{Limiter, Limits, Provider, call, ratellmiter};
use tokio::time::Instant;

#[path = "../support/warnings.rs"]
mod warnings;

use warnings::Warnings;

const TOKENS: &str = r#"429 Too Many Requests: {"message":"Tokens per minute limit exceeded - too many tokens processed.","type":"too_many_tokens_error","param":"quota","code":"token_quota_exceeded"}"#;
const REQUESTS: &str = r#"429 Too Many Requests: {"message":"Requests per minute limit exceeded - too many requests sent.","type":"too_many_requests_error","param":"quota","code":"request_quota_exceeded"}"#;
const LIMIT: &str = "x-ratelimit-limit-tokens-minute";

/// A server that refuses all calls.
#[derive(Default)]
struct Server {
    error: &'static str,
    /// The limit in the headers of the refusal.
    limit: Option<&'static str>,
    requests: Cell<u32>,
}

impl Server {
    fn new(error: &'static str) -> Self {
        Self { error, ..Self::default() }
    }

    fn refuse(&self) -> Result<(), &'static str> {
        self.requests.set(self.requests.get() + 1);
        let name = HeaderName::from_static(LIMIT);
        let headers: HeaderMap = self.limit.into_iter().map(|limit| (name.clone(), limit.parse().unwrap())).collect();
        call::observe(StatusCode::TOO_MANY_REQUESTS, &headers);
        Err(self.error)
    }
}

fn limiter(provider: Provider, per_minute: u64) -> Limiter {
    Limiter::new(Limits::for_provider(provider).requests_per_minute(60_000).no_ramp().tokens_per_minute(per_minute))
}

/// Makes a call of `input` tokens and at most `output`. Returns the number of requests and the seconds.
async fn send(limiter: &Limiter, server: &Server, input: u64, output: u64) -> (u32, u64) {
    #[ratellmiter(limiter = limiter, tokens = (input, output), max_attempts = 3)]
    async fn ask(limiter: &Limiter, server: &Server, input: u64, output: u64) -> Result<(), &'static str> {
        server.refuse()
    }
    let start = Instant::now();
    assert_eq!(ask(limiter, server, input, output).await, Err(server.error));
    (server.requests.replace(0), start.elapsed().as_secs())
}

#[tokio::test(start_paused = true)]
async fn declared_maximum_above_the_budget_fails_at_once_and_pauses_nothing() {
    let warnings = Warnings::default();
    let _guard = tracing::subscriber::set_default(warnings.clone());
    let limiter = limiter(Provider::Cerebras, 30_000);
    let server = Server::new(TOKENS);
    // 15,000 and 16,384 of 65,536.
    for _ in 0..2 {
        assert_eq!(send(&limiter, &server, 15_000, 65_536).await, (1, 0));
        assert_eq!(limiter.snapshot().paused_until, None);
        assert_eq!(limiter.snapshot().budgets().next().unwrap().taken, 0, "a refused request is not charged");
    }
    let start = Instant::now();
    limiter.acquire_tokens(5000, 5000).await.finish();
    assert_eq!(start.elapsed().as_secs(), 0, "other calls are not delayed");
    let said = warnings.said();
    let refusals: Vec<_> = said.lines().filter(|line| line.contains("was refused")).collect();
    let [line] = refusals[..] else { panic!("one warning: {said}") };
    assert!(line.contains("a call of 31384 tokens, its maximum output included, was refused"), "{line}");
    assert!(line.contains("allows 30000 tokens a minute") && line.contains("Lower max_completion_tokens"), "{line}");
}

#[tokio::test(start_paused = true)]
async fn maximum_that_is_not_declared_counts_as_16384_tokens() {
    #[ratellmiter(limiter = limiter, tokens = 15_000, max_attempts = 3)]
    async fn ask(limiter: &Limiter, server: &Server) -> Result<(), &'static str> {
        server.refuse()
    }
    for (per_minute, requests) in [(30_000, 1), (40_000, 3)] {
        let server = Server::new(TOKENS);
        assert!(ask(&limiter(Provider::Cerebras, per_minute), &server).await.is_err());
        assert_eq!(server.requests.get(), requests, "{per_minute}");
    }
}

#[tokio::test(start_paused = true)]
async fn limit_in_the_headers_of_the_refusal_counts() {
    let server = Server { limit: Some("30000"), ..Server::new(TOKENS) };
    assert_eq!(send(&limiter(Provider::Cerebras, 200_000), &server, 15_000, 16_384).await, (1, 0));
    let server = Server { limit: Some("60000"), ..Server::new(TOKENS) };
    assert_eq!(send(&limiter(Provider::Cerebras, 200_000), &server, 15_000, 16_384).await.0, 3);
}

#[tokio::test(start_paused = true)]
async fn stream_of_a_call_above_the_budget_fails_at_once() {
    #[ratellmiter(limiter = limiter, stream, tokens = (15_000, 20_000), max_attempts = 3)]
    async fn ask(limiter: &Limiter, server: &Server) -> Result<BoxStream<'static, u8>, &'static str> {
        server.refuse()?;
        Ok(Box::pin(stream::empty()))
    }
    let (limiter, server, start) = (limiter(Provider::Cerebras, 30_000), Server::new(TOKENS), Instant::now());
    assert!(ask(&limiter, &server).await.is_err());
    assert_eq!((server.requests.get(), start.elapsed().as_secs()), (1, 0));
    assert_eq!(limiter.snapshot().in_flight, 0);
}

#[tokio::test(start_paused = true)]
async fn request_that_the_body_calls_too_large_is_not_charged() {
    let server = Server::new(
        r#"429 Too Many Requests: {"error":{"message":"Request too large for gpt-4o on tokens per min (TPM): Limit 30000, Requested 342389.","type":"tokens","code":"rate_limit_exceeded"}}"#,
    );
    for provider in [Provider::OpenAi, Provider::Generic] {
        let limiter = limiter(provider, 30_000);
        assert_eq!(send(&limiter, &server, 20_000, 4000).await, (1, 0));
        let start = Instant::now();
        limiter.acquire_tokens(20_000, 4000).await.finish();
        assert_eq!(start.elapsed().as_secs(), 0, "{provider}: other calls are not delayed");
    }
}

/// Other refusals of such calls, and calls of other providers, are retried.
#[tokio::test(start_paused = true)]
async fn other_refusals_are_retried() {
    use Provider::{Anthropic, Cerebras, Generic, Groq, Moonshot};
    for (provider, error, input, output, requests) in [
        (Cerebras, TOKENS, 13_000, 16_384, 3),
        (Cerebras, TOKENS, 13_000, 999_999, 3),
        (Cerebras, REQUESTS, 15_000, 16_384, 3),
        (Cerebras, "503 Service Unavailable", 15_000, 16_384, 3),
        (Moonshot, TOKENS, 15_000, 16_384, 1),
        (Moonshot, TOKENS, 15_000, 15_000, 3),
        // Output is not reserved, or that is not documented.
        (Anthropic, TOKENS, 15_000, 99_999, 3),
        (Groq, TOKENS, 15_000, 99_999, 3),
        (Generic, TOKENS, 15_000, 99_999, 3),
    ] {
        let found = send(&limiter(provider, 30_000), &Server::new(error), input, output).await;
        assert_eq!(found.0, requests, "{provider}: {error}, {input} and {output} tokens");
    }
}
