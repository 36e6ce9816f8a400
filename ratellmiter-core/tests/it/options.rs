//! All options for tokens, waiting and streams, on all kinds of functions.

#![deny(warnings)]
#![allow(clippy::cast_possible_wrap, clippy::ptr_arg, clippy::type_complexity)] // As in users' code.

use std::{
    fmt::{self, Display},
    pin::Pin,
    sync::Arc,
    time::{Duration, Instant},
};

use futures::{
    StreamExt as _,
    executor::block_on,
    stream::{self, BoxStream, Stream},
};
use ratellmiter_core::{
    Limiter, Limits, Priority, Rejected, Usage, ratellmiter,
    tokens::{HasUsage, TokenEstimate, estimate_tokens},
};

#[derive(Debug)]
enum ApiError {
    Rejected,
}

impl Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("rejected")
    }
}

impl std::error::Error for ApiError {}

impl From<Rejected> for ApiError {
    fn from(_: Rejected) -> Self {
        Self::Rejected
    }
}

struct Client {
    limiter: Arc<Limiter>,
    wait: Duration,
}

fn words(text: &String) -> Usage {
    Usage::new(text.len() as u64, 1)
}

impl Client {
    #[ratellmiter(
        limiter = self.limiter,
        tokens = (estimate_tokens(prompt), Self::MAX_OUTPUT_TOKENS),
        usage = words,
        priority = high,
        max_wait = self.wait,
        max_queue = 100,
        deadline = Instant::now() + self.wait,
        bounded,
        max_attempts = 3,
        transient_attempts = 0,
        when = |error: &ApiError| error.to_string().is_empty(),
    )]
    async fn everything(&self, prompt: &str) -> Result<String, ApiError> {
        Ok(prompt.to_owned())
    }

    const MAX_OUTPUT_TOKENS: u32 = 500;

    #[ratellmiter(limiter = self.limiter, tokens = prompt.len(), priority = if urgent { Priority::High } else { Priority::Low })]
    fn blocking(&mut self, prompt: String, urgent: bool) -> usize {
        drop(prompt);
        usize::from(urgent)
    }

    #[ratellmiter(limiter = self.limiter, tokens = TokenEstimate::UNKNOWN, max_wait = 1.5, bounded, stream)]
    async fn parts<'a>(&'a self, prompt: &'a str) -> anyhow::Result<impl Stream<Item = Usage> + 'a> {
        Ok(stream::iter(prompt.split(' ').map(|word| Usage::new(word.len() as u64, 0))))
    }

    #[ratellmiter(limiter = self.limiter, usage = |word: &&str| Some(Usage::new(word.len() as u64, 0)), stream)]
    fn plain_parts<'a>(&'a self, prompt: &'a str) -> BoxStream<'a, Result<&'a str, ApiError>> {
        stream::iter(prompt.split(' ').map(Ok)).boxed()
    }
}

#[ratellmiter(limiter = limiter, tokens = prompt.to_string().len() as i64, max_queue = 7)]
async fn generic<T, E, const N: usize>(
    limiter: &Limiter,
    prompt: impl Display + Clone,
    values: [T; N],
) -> Result<[T; N], E>
where
    T: HasUsage + Clone,
    E: From<Rejected>,
{
    drop(prompt);
    Ok(values)
}

#[ratellmiter(limiter = limiter, tokens = u64::from(number), max_wait = 60, priority = normal)]
fn boxed<'a>(
    limiter: &'a Limiter,
    number: u32,
) -> Pin<Box<dyn Future<Output = Result<u32, Box<dyn std::error::Error + Send + Sync>>> + Send + 'a>> {
    Box::pin(async move { Ok(number) })
}

#[ratellmiter(limiter = limiter, deadline = Instant::now(), bounded)]
fn opaque(limiter: Limiter) -> impl Future<Output = anyhow::Result<u8>> + Send {
    async { Ok(1) }
}

#[ratellmiter(limiter = limiter, tokens = Usage::new(3, 4), stream)]
fn boxed_stream(
    limiter: &Limiter,
) -> Pin<Box<dyn Future<Output = Result<BoxStream<'static, Usage>, ApiError>> + Send + '_>> {
    Box::pin(async { Ok(stream::empty().boxed()) })
}

#[async_trait::async_trait]
trait Ask {
    async fn ask(&self, prompt: String) -> anyhow::Result<String>;
    async fn stream(&self, prompt: String) -> Result<BoxStream<'static, String>, ApiError>;
}

#[async_trait::async_trait]
impl Ask for Client {
    #[ratellmiter(limiter = self.limiter, tokens = (prompt.len(), 7), usage = words, max_wait = 5, priority = low)]
    async fn ask(&self, prompt: String) -> anyhow::Result<String> {
        Ok(prompt)
    }

    #[ratellmiter(limiter = self.limiter, tokens = (prompt.len(), 7), usage = words, max_wait = 5, stream)]
    async fn stream(&self, prompt: String) -> Result<BoxStream<'static, String>, ApiError> {
        Ok(stream::iter([prompt]).boxed())
    }
}

#[test]
fn functions_with_all_options_run() {
    let limits = Limits::per_minute(60_000).no_ramp().tokens_per_minute(1_000_000);
    let limiter = Limiter::new(limits);
    let mut client = Client { limiter: Arc::new(limiter.clone()), wait: Duration::from_secs(5) };
    block_on(async {
        assert_eq!(client.everything("hello").await.unwrap(), "hello");
        assert_eq!(client.parts("one two").await.unwrap().count().await, 2);
        assert_eq!(client.plain_parts("one two").count().await, 2);
        assert!(generic::<_, ApiError, 1>(&limiter, 7, [Usage::new(1, 1)]).await.is_ok());
        assert_eq!(boxed(&limiter, 7).await.unwrap(), 7);
        assert!(opaque(limiter.clone()).await.is_err());
        assert_eq!(boxed_stream(&limiter).await.unwrap().count().await, 0);
        assert_eq!(client.ask("hello".to_owned()).await.unwrap(), "hello");
        assert_eq!(client.stream("hello".to_owned()).await.unwrap().count().await, 1);
    });
    assert_eq!(client.blocking("hello".to_owned(), true), 1);
    assert_eq!(limiter.snapshot().in_flight, 0);
}
