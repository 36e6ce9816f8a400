use super::*;

#[derive(Debug, Clone)]
struct Client {
    limiter: Limiter,
    server: Arc<Server>,
    calls: u32,
}

impl Client {
    const MODEL: &'static str = "methods::client";

    fn new() -> Self {
        Self { limiter: fast_limiter(), server: Arc::default(), calls: 0 }
    }

    #[ratellmiter(limiter = self.limiter)]
    async fn by_reference(&self, text: &str) -> Result<String, CallError> {
        self.server.answer().map(|requests| format!("{text}{requests}"))
    }

    #[ratellmiter(limiter = &self.limiter)]
    async fn by_mutable_reference(&mut self) -> Result<u32, CallError> {
        self.calls += 1;
        self.server.answer()?;
        Ok(self.calls)
    }

    #[ratellmiter(limiter = self.limiter)]
    async fn by_arc(self: Arc<Self>, times: u32) -> Result<u32, CallError> {
        Ok(self.server.answer()? * times)
    }

    #[ratellmiter(limiter = self.limiter)]
    async fn by_pin(self: Pin<&mut Self>) -> Result<u32, CallError> {
        self.server.answer()
    }

    #[ratellmiter(limiter = self.limiter)]
    async fn by_value(self) -> Result<u32, CallError> {
        self.server.answer()
    }

    #[ratellmiter(limiter = self.limiter)]
    fn blocking(&mut self, prompt: String) -> Result<(u32, String), CallError> {
        self.calls += 1;
        self.server.answer()?;
        Ok((self.calls, prompt))
    }

    #[ratellmiter(model = Self::MODEL)]
    async fn by_const(&self) -> Result<Self, CallError> {
        self.server.answer()?;
        Ok(self.clone())
    }
}

#[tokio::test(start_paused = true)]
async fn refused_calls_are_retried_once() {
    assert_eq!(assert_send(Client::new().by_reference("a")).await, Ok("a2".into()));
    assert_eq!(assert_send(Client::new().by_mutable_reference()).await, Ok(2));
    assert_eq!(assert_send(Arc::new(Client::new()).by_arc(10)).await, Ok(20));
    assert_eq!(assert_send(Pin::new(&mut Client::new()).by_pin()).await, Ok(2));
    assert_eq!(assert_send(Client::new().by_value()).await, Ok(2));
    assert_eq!(assert_send(Client::new().by_const()).await.unwrap().server.requests(), 2);
    assert!(monitor().snapshot().contains_key("methods::client"));
}

#[test]
fn refused_blocking_method_is_retried_once() {
    assert_eq!(Client::new().blocking("p".into()), Ok((2, "p".into())));
}
