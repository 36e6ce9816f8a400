use super::*;

#[ratellmiter(model = "any_return_type")]
async fn nothing(calls: &AtomicU32) {
    calls.fetch_add(1, Ordering::SeqCst);
}

#[ratellmiter(model = "any_return_type")]
fn optional(value: Option<u32>) -> Option<u32> {
    Some(value? + 1)
}

#[ratellmiter(model = "any_return_type")]
async fn text() -> &'static str {
    "text"
}

#[tokio::test]
async fn functions_of_any_return_type_run() {
    monitor().set_limits("any_return_type", Limits::per_minute(60_000));
    let calls = AtomicU32::new(0);
    nothing(&calls).await;
    assert_eq!(calls.load(Ordering::SeqCst), 1);
    assert_eq!((optional(Some(1)), optional(None)), (Some(2), None));
    assert_eq!(text().await, "text");
}

#[ratellmiter(limiter = limiter)]
async fn paced(limiter: &Limiter) {}

#[tokio::test(start_paused = true)]
async fn calls_are_evenly_paced() {
    let limiter = Limiter::new(Limits::per_minute(60).no_ramp());
    let start = tokio::time::Instant::now();
    for _ in 0..4 {
        paced(&limiter).await;
    }
    assert_eq!(start.elapsed(), Duration::from_secs(3));
}

/// The types of numbers and errors are known from the signature alone, although some of them would be classified.
mod inferred {
    use super::*;

    #[ratellmiter(model = "any_return_type")]
    async fn numbers() -> impl IntoIterator<Item = u64> {
        vec![1, 2]
    }

    #[ratellmiter(model = "any_return_type")]
    fn lengths(texts: &[&str]) -> Result<impl Iterator<Item = Result<u64, CallError>>, CallError> {
        let texts: Vec<_> = texts.iter().map(|text| text.parse()).collect();
        Ok(texts.into_iter().map(|number| number.map_err(|_: std::num::ParseIntError| CallError::Failed)))
    }

    #[ratellmiter(model = "any_return_type")]
    async fn results(value: u8) -> impl IntoIterator<Item = Result<u8, CallError>> {
        [Ok(value)]
    }

    trait Ask {
        async fn ask(&self) -> Result<impl IntoIterator<Item = u64> + use<'_, Self>, CallError>;
    }

    impl Ask for Server {
        #[ratellmiter(model = "any_return_type")]
        async fn ask(&self) -> Result<impl IntoIterator<Item = u64> + use<'_>, CallError> {
            Ok(vec![u64::from(self.requests()); 2])
        }
    }

    #[tokio::test]
    async fn types_are_those_of_the_signature() {
        assert_eq!(numbers().await.into_iter().sum::<u64>(), 3);
        assert_eq!(lengths(&["1", "x"]).unwrap().filter_map(Result::ok).sum::<u64>(), 1);
        assert_eq!(results(7).await.into_iter().collect::<Vec<_>>(), [Ok(7)]);
        assert_eq!(Server::default().ask().await.unwrap().into_iter().count(), 2);
    }
}
