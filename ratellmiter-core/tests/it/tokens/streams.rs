use super::*;

type Item = Result<serde_json::Value, ApiError>;

fn limiter() -> Limiter {
    Limiter::new(limits(6000).tokens_per_minute(100_000))
}

/// Returns four items, a second apart; the last one contains the usage. `failure` replaces one item by an error.
fn parts(failure: Option<(u64, ApiError)>) -> impl Stream<Item = Item> + Send + 'static {
    let mut failure = failure;
    stream::iter(0..4_u64).then(move |part| {
        let failure = failure.take_if(|(at, _)| *at == part);
        async move {
            sleep(Duration::from_secs(1)).await;
            match failure {
                Some((_, error)) => Err(error),
                None if part == 3 => Ok(serde_json::json!({"usage": {"prompt_tokens": 50, "completion_tokens": 3}})),
                None => Ok(serde_json::json!({"delta": part})),
            }
        }
    })
}

#[ratellmiter(limiter = limiter, stream, tokens = (100, 1000))]
async fn opaque(limiter: &Limiter, failure: Option<u64>) -> Result<impl Stream<Item = Item> + use<>, ApiError> {
    Ok(parts(failure.map(|at| (at, ApiError::Broken))))
}

#[ratellmiter(limiter = limiter, stream, tokens = (100, 1000))]
async fn boxed(limiter: &Limiter) -> Result<Pin<Box<dyn Stream<Item = Item> + Send>>, ApiError> {
    Ok(Box::pin(parts(None)))
}

#[ratellmiter(limiter = limiter, stream, tokens = (100, 1000))]
async fn bare(limiter: &Limiter) -> BoxStream<'static, Item> {
    parts(None).boxed()
}

#[ratellmiter(limiter = limiter, stream, tokens = (100, 1000))]
fn plain(limiter: &Limiter) -> impl Stream<Item = Item> {
    parts(None)
}

#[ratellmiter(limiter = limiter, stream, tokens = (100, 1000))]
fn plain_boxed(limiter: &Limiter) -> BoxStream<'_, Item> {
    parts(None).boxed()
}

#[ratellmiter(limiter = limiter, stream, tokens = (100, 1000))]
fn future(limiter: &Limiter) -> impl Future<Output = Result<BoxStream<'static, Item>, ApiError>> {
    async move { Ok(parts(None).boxed()) }
}

async fn assert_keeps_ticket(limiter: &Limiter, stream: impl Stream<Item = Item>) {
    let mut stream = std::pin::pin!(stream);
    for _ in 0..4 {
        assert!(stream.next().await.unwrap().is_ok());
        assert_eq!((limiter.snapshot().in_flight, tokens(limiter)), (1, 1100));
    }
    assert!(stream.next().await.is_none());
    assert_eq!((limiter.snapshot().in_flight, tokens(limiter)), (0, 53));
}

#[tokio::test(start_paused = true)]
async fn stream_keeps_ticket_and_settles_at_end() {
    let limiter = limiter();
    assert_keeps_ticket(&limiter, opaque(&limiter, None).await.unwrap()).await;
    sleep(Duration::from_secs(61)).await;
    assert_keeps_ticket(&limiter, boxed(&limiter).await.unwrap()).await;
    sleep(Duration::from_secs(61)).await;
    assert_keeps_ticket(&limiter, bare(&limiter).await).await;
    sleep(Duration::from_secs(61)).await;
    assert_keeps_ticket(&limiter, plain(&limiter)).await;
    sleep(Duration::from_secs(61)).await;
    assert_keeps_ticket(&limiter, plain_boxed(&limiter)).await;
    sleep(Duration::from_secs(61)).await;
    assert_keeps_ticket(&limiter, future(&limiter).await.unwrap()).await;
}

#[tokio::test(start_paused = true)]
async fn dropped_stream_frees_slot_and_stays_charged() {
    let limiter = limiter();
    let mut dropped = boxed(&limiter).await.unwrap();
    assert!(dropped.next().await.is_some());
    drop(dropped);
    assert_eq!((limiter.snapshot().in_flight, tokens(&limiter)), (0, 1100));
    let mut settled = boxed(&limiter).await.unwrap();
    for _ in 0..4 {
        settled.next().await.unwrap().unwrap();
    }
    drop(settled);
    assert_eq!((limiter.snapshot().in_flight, tokens(&limiter)), (0, 1153), "dropped after the usage arrived");
}

#[tokio::test(start_paused = true)]
async fn only_refusals_before_first_item_are_retried() {
    #[ratellmiter(limiter = limiter, stream)]
    async fn ask(
        limiter: &Limiter,
        attempts: &mut u32,
        refused_at: u64,
    ) -> Result<impl Stream<Item = Item> + use<>, ApiError> {
        *attempts += 1;
        Ok(parts((*attempts < 3).then_some((refused_at, ApiError::Refused))))
    }
    let (limiter, mut attempts) = (limiter(), 0);
    let items: Vec<_> = ask(&limiter, &mut attempts, 0).await.unwrap().collect().await;
    assert_eq!((attempts, items.len(), items.iter().filter(|item| item.is_err()).count()), (3, 4, 0));
    assert_eq!(limiter.snapshot().in_flight, 0);

    let mut attempts = 0;
    let items = ask(&limiter, &mut attempts, 2).await.unwrap();
    let mut items = std::pin::pin!(items);
    assert!(items.next().await.unwrap().is_ok() && items.next().await.unwrap().is_ok());
    assert!(limiter.snapshot().paused_until.is_none());
    assert_eq!(items.next().await, Some(Err(ApiError::Refused)), "the caller receives it");
    assert!(limiter.snapshot().paused_until.is_some(), "the limiter pauses");
    assert_eq!((limiter.snapshot().in_flight, limiter.snapshot().queued), (0, 0));
    assert_eq!(attempts, 1);
}

#[tokio::test(start_paused = true)]
async fn overload_event_in_stream_is_a_refusal() {
    #[ratellmiter(limiter = limiter, stream)]
    async fn ask(limiter: &Limiter) -> Result<impl Stream<Item = serde_json::Value> + use<>, ApiError> {
        let overloaded =
            serde_json::json!({"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}});
        Ok(stream::iter([serde_json::json!({"type": "message_start"}), overloaded]))
    }
    let limiter = limiter();
    assert_eq!(ask(&limiter).await.unwrap().count().await, 2);
    assert!(limiter.snapshot().paused_until.is_some());
}

#[tokio::test(start_paused = true)]
async fn error_item_does_not_end_call_early() {
    let limiter = limiter();
    let items = opaque(&limiter, Some(1)).await.unwrap();
    assert_eq!(items.filter(|item| std::future::ready(item.is_err())).count().await, 1);
    assert_eq!((limiter.snapshot().in_flight, tokens(&limiter)), (0, 53));
}

#[tokio::test(start_paused = true)]
async fn attached_stream_keeps_ticket_without_attribute() {
    let limiter = limiter();
    let ticket = limiter.acquire_tokens(100, 1000).await;
    let stream = ticket.attach(parts(None)).usage_from(|item| item.as_ref().ok().and_then(Usage::from_json));
    assert_keeps_ticket(&limiter, stream).await;
}

#[tokio::test(start_paused = true)]
async fn struct_with_attached_stream_keeps_call_ticket() {
    struct Reply {
        parts: BoxStream<'static, Item>,
    }
    #[ratellmiter(limiter = limiter, tokens = (100, 1000))]
    async fn ask(limiter: &Limiter, fails: bool) -> Result<Reply, ApiError> {
        let parts = call::attach(parts(None)).usage_from(|item| item.as_ref().ok().and_then(Usage::from_json)).boxed();
        if fails { Err(ApiError::Broken) } else { Ok(Reply { parts }) }
    }
    let limiter = limiter();
    assert_keeps_ticket(&limiter, ask(&limiter, false).await.unwrap().parts).await;
    assert!(ask(&limiter, true).await.is_err());
    assert_eq!(limiter.snapshot().in_flight, 0);
    assert_eq!(call::attach(parts(None)).count().await, 4, "outside a call the stream is unchanged");
}

#[tokio::test(start_paused = true)]
async fn function_and_stream_usage_are_merged() {
    #[ratellmiter(limiter = limiter, tokens = (100, 1000), stream)]
    async fn by_function(limiter: &Limiter) -> Result<BoxStream<'static, Result<Usage, ApiError>>, ApiError> {
        assert!(call::report_usage((70, 0)));
        Ok(stream::iter([Ok(Usage::new(0, 1)), Ok(Usage::new(0, 5))]).boxed())
    }
    #[ratellmiter(limiter = limiter, tokens = (100, 1000), usage = |_| Usage::new(70, 0))]
    async fn by_tuple(limiter: &Limiter) -> Result<(BoxStream<'static, Usage>,), ApiError> {
        Ok((call::attach(stream::iter([Usage::new(0, 5)])).usage_from(|usage| Some(*usage)).boxed(),))
    }
    let limiter = limiter();
    assert_eq!(by_function(&limiter).await.unwrap().count().await, 2);
    assert_eq!(tokens(&limiter), 75);
    let (stream,) = by_tuple(&limiter).await.unwrap();
    assert_eq!((stream.count().await, tokens(&limiter)), (1, 150));
    let mut dropped = by_function(&limiter).await.unwrap();
    assert!(dropped.next().await.is_some());
    drop(dropped);
    assert_eq!(limiter.snapshot().in_flight, 0);
}

#[tokio::test(start_paused = true)]
async fn dropped_stream_future_leaks_nothing() {
    let limiter = limiter();
    assert!(tokio::time::timeout(Duration::from_millis(500), boxed(&limiter)).await.is_err());
    assert_eq!(limiter.snapshot().in_flight, 0);
    assert!(plain(&limiter).next().now_or_never().is_none());
    assert_eq!(limiter.snapshot().in_flight, 0);
}

#[tokio::test(start_paused = true)]
async fn empty_stream_is_not_polled_after_its_end() {
    #[ratellmiter(limiter = limiter, stream, tokens = (100, 1000))]
    async fn ask(limiter: &Limiter, parts: u8) -> impl Stream<Item = u8> + use<> {
        // It panics if it is polled again.
        stream::unfold(0, move |part| std::future::ready((part < parts).then_some((part, part + 1))))
    }
    let limiter = limiter();
    for parts in [0, 1, 2] {
        let found = ask(&limiter, parts).await;
        assert_eq!(found.count().await, usize::from(parts));
        assert_eq!(limiter.snapshot().in_flight, 0);
    }
    assert_eq!(ask(&limiter, 0).await.size_hint(), (0, Some(0)));
}

#[tokio::test(start_paused = true)]
async fn stream_dropped_after_a_failure_is_not_charged_for_an_unprocessed_request() {
    #[ratellmiter(limiter = limiter, stream, tokens = (100, 1000))]
    async fn ask(limiter: &Limiter, error: &'static str) -> impl Stream<Item = Result<u8, &'static str>> + use<> {
        stream::iter([Err(error), Ok(1)])
    }
    let limiter = limiter();
    let invalid = ask(&limiter, "400 Bad Request").await;
    assert!(Box::pin(invalid).next().await.unwrap().is_err());
    assert_eq!((limiter.snapshot().in_flight, tokens(&limiter)), (0, 0));
    let failed = ask(&limiter, "the answer is no JSON").await;
    assert!(Box::pin(failed).next().await.unwrap().is_err());
    assert_eq!((limiter.snapshot().in_flight, tokens(&limiter)), (0, 1100), "the server may have worked on it");
}

#[tokio::test(start_paused = true)]
async fn types_of_items_are_inferred_from_the_signature() {
    #[derive(Debug)]
    struct AskError;

    impl From<std::num::ParseIntError> for AskError {
        fn from(_: std::num::ParseIntError) -> Self {
            Self
        }
    }

    #[ratellmiter(limiter = limiter, stream)]
    async fn mapped(
        limiter: &Limiter,
        text: &str,
    ) -> Result<impl Stream<Item = Result<u8, AskError>> + use<>, AskError> {
        let number = text.parse();
        Ok(stream::iter([number]).map(|number| Ok(number?)))
    }
    #[ratellmiter(limiter = limiter, stream)]
    async fn empty(limiter: &Limiter) -> impl Stream<Item = Result<u8, impl std::error::Error>> {
        stream::iter([Ok(1), Err(std::fmt::Error)].into_iter().skip(2))
    }
    #[ratellmiter(limiter = limiter, stream, usage = |tokens| Usage::new(*tokens, 0))]
    fn lazy(limiter: &Limiter) -> impl Stream<Item = Result<u64, AskError>> {
        stream::iter([Ok(7)])
    }
    #[ratellmiter(limiter = limiter, stream)]
    fn future<'a>(
        limiter: &Limiter,
        text: &'a str,
    ) -> impl Future<Output = Result<impl Stream<Item = Result<&'a str, AskError>> + use<'a>, AskError>> {
        std::future::ready(Ok(stream::iter([Ok(text)])))
    }
    #[ratellmiter(limiter = limiter, stream)]
    fn iterator(limiter: &Limiter) -> Result<impl Iterator<Item = Result<u8, AskError>> + use<>, AskError> {
        Ok(std::iter::once("1".parse()).map(|number| Ok(number?)))
    }
    type AskResult<T> = Result<T, AskError>;

    #[ratellmiter(limiter = limiter, stream)]
    async fn alias(limiter: &Limiter) -> AskResult<impl Stream<Item = AskResult<u8>> + use<>> {
        Ok(stream::iter(["7".parse()]).map(|number| Ok(number?)))
    }
    let limiter = limiter();
    assert_eq!(alias(&limiter).await.unwrap().count().await, 1);
    assert_eq!(mapped(&limiter, "7").await.unwrap().map(Result::unwrap).collect::<Vec<_>>().await, [7]);
    assert_eq!(empty(&limiter).await.count().await, 0);
    assert_eq!((lazy(&limiter).count().await, future(&limiter, "a").await.unwrap().count().await), (1, 1));
    assert_eq!(iterator(&limiter).unwrap().count(), 1);
    assert_eq!(limiter.snapshot().in_flight, 0);
}

#[tokio::test(start_paused = true)]
async fn strings_of_other_crates_are_text_and_not_bytes() {
    /// A string as other crates have it.
    struct Words(&'static str);

    impl AsRef<str> for Words {
        fn as_ref(&self) -> &str {
            self.0
        }
    }

    impl AsRef<[u8]> for Words {
        fn as_ref(&self) -> &[u8] {
            self.0.as_bytes()
        }
    }

    #[ratellmiter(limiter = limiter, stream, tokens = (100, 1000))]
    async fn ask(limiter: &Limiter, parts: &[&'static str]) -> impl Stream<Item = Words> + use<> {
        stream::iter(parts.iter().map(|part| Words(part)).collect::<Vec<_>>())
    }
    let limiter = limiter();
    let quoted = ["An error:\n", "data: {\"error\": {\"code\": \"rate_limit_exceeded\"}}\n\n"];
    assert_eq!(ask(&limiter, &quoted).await.count().await, 2);
    assert!(limiter.snapshot().paused_until.is_none(), "the model wrote it");
    let body = ["data: {\"usage\": {\"prompt_to", "kens\": 9}}\n\n"];
    assert_eq!(ask(&limiter, &body).await.count().await, 2);
    assert_eq!(tokens(&limiter), 1100 + 9);
}

#[tokio::test(start_paused = true)]
async fn usage_before_a_refusal_in_the_stream_stays_charged() {
    #[ratellmiter(limiter = limiter, stream, tokens = (100, 1000))]
    async fn ask(
        limiter: &Limiter,
        usage: Option<Usage>,
    ) -> impl Stream<Item = Result<Option<Usage>, ApiError>> + use<> {
        stream::iter([Ok(None), Ok(usage), Err(ApiError::Refused), Ok(None)])
    }
    let usage = Some(Usage::new(50, 3));
    // Mistral releases the tokens of a refused call.
    for (provider, usage, charged) in [
        (Provider::Mistral, usage, 53),
        (Provider::Mistral, None, 0),
        (Provider::Generic, usage, 1100),
        (Provider::Generic, None, 1100),
    ] {
        let limits = Limits::for_provider(provider).requests_per_minute(6000).no_ramp();
        let limiter = Limiter::new(limits.tokens_per_minute(100_000));
        assert_eq!(ask(&limiter, usage).await.count().await, 4);
        assert_eq!(tokens(&limiter), charged, "{provider} {usage:?}");
        let snapshot = limiter.snapshot();
        assert!(snapshot.paused_until.is_some() && snapshot.in_flight == 0 && snapshot.queued == 0);
    }
}
