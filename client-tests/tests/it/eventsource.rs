//! The real `eventsource-stream` and `reqwest-eventsource` clients.

use eventsource_stream::{Event, EventStreamError, Eventsource as _};
use futures::{Stream, StreamExt as _};
use ratellmiter_core::{
    Limiter, Usage, Verdict,
    classify::{LlmResponseExt as _, ResponseError},
    ratellmiter,
    stream::StreamItem,
};
use reqwest_eventsource::EventSource;
use tokio::time::Instant;

use crate::{
    blocking::limiter,
    broken::{closed, incomplete_body},
    pieces::{anthropic, bytes, openai, refused, serve},
    support::{
        Server, budget, taken,
        vectors::{check, refusals, success},
    },
};

#[derive(Debug, thiserror::Error)]
enum AskError {
    #[error(transparent)]
    Http(#[from] reqwest::Error),
    #[error(transparent)]
    Refused(#[from] ResponseError),
}

type Item = Result<Event, EventStreamError<reqwest::Error>>;

#[ratellmiter(limiter = limiter, tokens = (1000, 1002), stream)]
async fn events(limiter: &Limiter, url: &str) -> Result<impl Stream<Item = Item> + use<>, AskError> {
    Ok(reqwest::get(url).await?.error_for_refusal().await?.bytes_stream().eventsource())
}

#[tokio::test]
async fn events_settle_the_call_at_their_end_or_after_done() {
    for body in [openai(), anthropic()] {
        let limiter = budget();
        let url = serve(vec![bytes(&body)]);
        assert!(events(&limiter, &url).await.unwrap().all(async |event| event.is_ok()).await);
        assert_eq!(taken(&limiter), (122, 0), "{body}");
    }
    for (body, last) in [(openai(), "[DONE]"), (anthropic(), "message_stop")] {
        let limiter = budget();
        let mut stream = Box::pin(events(&limiter, &serve(vec![bytes(&body)])).await.unwrap());
        while !stream.next().await.unwrap().unwrap().data.contains(last) {}
        drop(stream);
        assert_eq!(taken(&limiter), (122, 0), "{body}");
    }
}

#[tokio::test]
async fn refusal_in_the_first_event_is_retried() {
    let limiter = budget();
    let url = serve(vec![bytes(&refused()), bytes(&openai())]);
    assert_eq!(events(&limiter, &url).await.unwrap().count().await, 3);
    assert_eq!(taken(&limiter), (2002 + 122, 0), "the refused attempt stays charged");
}

#[tokio::test]
async fn text_of_an_error_event_is_no_answer() {
    let refused = "event: error\ndata: Rate limit reached, please try again in 20ms.\n\n";
    let limiter = budget();
    let url = serve(vec![bytes(refused), bytes(&openai())]);
    assert_eq!(events(&limiter, &url).await.unwrap().count().await, 3);
    assert_eq!(taken(&limiter), (2002 + 122, 0), "the refused attempt stays charged");
}

#[tokio::test]
async fn response_that_breaks_off_is_a_failure() {
    let stream = reqwest::get(incomplete_body()).await.unwrap().bytes_stream().eventsource();
    let errors: Vec<_> = stream.filter_map(async |item| item.err()).collect().await;
    assert_eq!(errors.len(), 1);
    for error in errors {
        assert_eq!(StreamItem::of(&Err::<Usage, _>(error)).verdict, Some(Verdict::Failed));
    }
}

type SourceItem = Result<reqwest_eventsource::Event, reqwest_eventsource::Error>;

/// Ends at the end of the response, after which the client would make its request again.
#[ratellmiter(limiter = limiter, tokens = (1000, 1002), stream)]
async fn source(limiter: &Limiter, url: &str) -> Result<impl Stream<Item = SourceItem> + use<>, AskError> {
    let mut source = EventSource::get(url);
    source.set_retry_policy(Box::new(reqwest_eventsource::retry::Never));
    Ok(source)
}

#[tokio::test]
async fn source_settles_the_call_with_its_usage() {
    let limiter = budget();
    let url = serve(vec![bytes(&refused()), bytes(&openai())]);
    let items: Vec<_> = source(&limiter, &url).await.unwrap().collect().await;
    assert!(matches!(items.last(), Some(Err(reqwest_eventsource::Error::StreamEnded))), "{items:?}");
    assert_eq!(items.len(), 5, "open, three events, end");
    assert_eq!(taken(&limiter), (2002 + 122, 0), "the refused attempt stays charged");
}

/// The body of a refusal is lost to this client, so a verdict that depends on it is not asserted.
#[tokio::test(start_paused = true)]
async fn refused_responses_of_the_source_are_retried_by_status_and_headers() {
    #[ratellmiter(limiter = limiter, stream)]
    async fn ask(limiter: &Limiter, url: &str) -> Result<impl Stream<Item = SourceItem> + use<>, AskError> {
        Ok(EventSource::new(reqwest_012::Client::builder().pool_max_idle_per_host(0).build().unwrap().get(url))
            .unwrap())
    }
    let mut played = 0;
    for mut refusal in refusals() {
        refusal.answer.body = b"{}".to_vec();
        let has_hint = refusal.answer.headers.iter().any(|(name, _)| name == "retry-after");
        if refusal.answer.status != 429 || !has_hint || refusal.treatments.len() > 1 {
            continue;
        }
        let server = Server::start(vec![refusal.answer.clone(), success()]);
        let start = Instant::now();
        let mut items = Box::pin(ask(&limiter(), &server.url()).await.unwrap());
        let is_refused =
            matches!(items.next().await, Some(Err(reqwest_eventsource::Error::InvalidStatusCode(..))) | None);
        if matches!(refusal.treatments[0], crate::support::vectors::Treatment::Retried(_)) {
            check(&refusal, !is_refused, server.requests(), start.elapsed());
            played += 1;
        }
    }
    assert!(played >= 3, "{played}");
}

#[tokio::test]
async fn refused_connection_of_the_source_is_transient() {
    let (_socket, url) = closed();
    let error = EventSource::get(url).next().await.unwrap().unwrap_err();
    assert_eq!(StreamItem::of(&Err::<Usage, _>(error)).verdict, Some(Verdict::transient()));
}
