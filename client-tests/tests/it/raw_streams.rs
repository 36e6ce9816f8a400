//! Streams of raw bytes and text of the real `reqwest` client, cut anywhere.

use bytes::Bytes;
use futures::{Stream, StreamExt as _, TryStreamExt as _, stream::BoxStream};
use ratellmiter_core::{
    Limiter, Usage, call,
    classify::{LlmResponseExt as _, ResponseError},
    ratellmiter,
    stream::StreamEvents,
};

use crate::{
    pieces::{anthropic, bytes, cut, ollama, openai, refused, serve},
    support::{budget, taken},
};

#[derive(Debug, thiserror::Error)]
enum AskError {
    #[error(transparent)]
    Http(#[from] reqwest::Error),
    #[error(transparent)]
    Refused(#[from] ResponseError),
    #[error(transparent)]
    NoText(#[from] std::string::FromUtf8Error),
}

#[ratellmiter(limiter = limiter, tokens = (1000, 1002), stream)]
async fn chunks(limiter: &Limiter, url: &str) -> Result<impl Stream<Item = reqwest::Result<Bytes>> + use<>, AskError> {
    Ok(reqwest::get(url).await?.error_for_refusal().await?.bytes_stream())
}

#[tokio::test]
async fn usage_is_found_wherever_the_body_is_cut() {
    for body in [openai(), anthropic(), ollama()] {
        let cuts = (1..body.len()).step_by(11).map(|place| cut(&body, &[place]));
        for pieces in cuts.chain([bytes(&body)]) {
            let limiter = budget();
            let found: Vec<Bytes> = chunks(&limiter, &serve(vec![pieces])).await.unwrap().try_collect().await.unwrap();
            assert_eq!(found.concat(), body.as_bytes(), "the items are unchanged");
            assert_eq!(taken(&limiter), (122, 0), "{body}");
        }
    }
}

#[tokio::test]
async fn refusal_in_the_first_event_is_retried_wherever_it_is_cut() {
    for pieces in [cut(&refused(), &[1]), cut(&refused(), &[20, 17]), bytes(&refused())] {
        let limiter = budget();
        let url = serve(vec![pieces, vec![openai().into_bytes()]]);
        let found: Vec<Bytes> = chunks(&limiter, &url).await.unwrap().try_collect().await.unwrap();
        assert_eq!(found.concat(), openai().as_bytes());
        assert_eq!(taken(&limiter), (2002 + 122, 0), "the refused attempt stays charged");
    }
}

#[tokio::test]
async fn later_refusal_pauses_the_limiter() {
    let body = openai().replace("data: [DONE]\r\n\r\n", &refused());
    let limiter = budget();
    let url = serve(vec![cut(&body, &[body.len() - 30])]);
    assert!(chunks(&limiter, &url).await.unwrap().count().await >= 2);
    assert!(limiter.snapshot().paused_until.is_some());
}

#[tokio::test]
async fn text_is_read_as_bytes_are() {
    #[ratellmiter(limiter = limiter, tokens = (1000, 1002), stream)]
    async fn texts(limiter: &Limiter, url: &str) -> Result<BoxStream<'static, Result<String, AskError>>, AskError> {
        let chunks = reqwest::get(url).await?.error_for_refusal().await?.bytes_stream();
        Ok(chunks.map(|chunk| Ok(String::from_utf8(chunk?.to_vec())?)).boxed())
    }
    for body in [openai(), anthropic(), ollama()] {
        let limiter = budget();
        let url = serve(vec![cut(&body, &[10, 5, body.len() - 50])]);
        assert!(texts(&limiter, &url).await.unwrap().all(async |item| item.is_ok()).await);
        assert_eq!(taken(&limiter), (122, 0), "{body}");
    }
}

#[tokio::test]
async fn stream_dropped_after_done_settles_the_call() {
    let limiter = budget();
    let body = openai();
    let done = body.find("data: [DONE]").unwrap();
    let mut stream = Box::pin(chunks(&limiter, &serve(vec![cut(&body, &[done])])).await.unwrap());
    while !stream.next().await.unwrap().unwrap().starts_with(b"data: [DONE]") {}
    drop(stream);
    assert_eq!(taken(&limiter), (122, 0));
}

#[tokio::test]
async fn closure_that_misses_a_cut_event_falls_back_to_the_events() {
    fn usage_in(chunk: &Bytes) -> Option<Usage> {
        Usage::from_text(std::str::from_utf8(chunk).ok()?)
    }
    #[ratellmiter(limiter = limiter, tokens = (1000, 1002), stream, usage = usage_in)]
    async fn by_closure(
        limiter: &Limiter,
        url: &str,
    ) -> Result<impl Stream<Item = reqwest::Result<Bytes>> + use<>, AskError> {
        Ok(reqwest::get(url).await?.error_for_refusal().await?.bytes_stream())
    }
    let limiter = budget();
    let body = openai();
    let usage = body.find("prompt_tokens").unwrap();
    assert!(by_closure(&limiter, &serve(vec![cut(&body, &[usage])])).await.unwrap().count().await >= 2);
    assert_eq!(taken(&limiter), (122, 0));
}

#[tokio::test]
async fn closure_keeps_its_state_over_the_items_of_an_attempt() {
    #[ratellmiter(limiter = limiter, tokens = (1000, 1002), stream, usage = {
        let mut read = Vec::new();
        move |chunk: &Bytes| {
            read.extend_from_slice(chunk);
            // Half of the usage, which shows that the closure decides.
            let usage = Usage::from_text(std::str::from_utf8(&read).ok()?)?;
            Some(Usage::new(usage.input / 2, usage.output / 2))
        }
    })]
    async fn by_closure(
        limiter: &Limiter,
        url: &str,
    ) -> Result<impl Stream<Item = reqwest::Result<Bytes>> + use<>, AskError> {
        Ok(reqwest::get(url).await?.error_for_refusal().await?.bytes_stream())
    }
    let limiter = budget();
    assert!(by_closure(&limiter, &serve(vec![bytes(&openai())])).await.unwrap().count().await > 10);
    assert_eq!(taken(&limiter), (61, 0));
}

#[tokio::test]
async fn attached_stream_is_read_by_events() {
    #[ratellmiter(limiter = limiter, tokens = (1000, 1002))]
    async fn ask(limiter: &Limiter, url: &str) -> Result<(BoxStream<'static, reqwest::Result<Bytes>>,), AskError> {
        let chunks = reqwest::get(url).await?.error_for_refusal().await?.bytes_stream();
        let mut events = StreamEvents::new();
        Ok((call::attach(chunks).usage_from(move |chunk| events.read_item(chunk)).boxed(),))
    }
    let limiter = budget();
    let (chunks,) = ask(&limiter, &serve(vec![bytes(&anthropic())])).await.unwrap();
    assert!(chunks.count().await > 10);
    assert_eq!(taken(&limiter), (122, 0));
}
