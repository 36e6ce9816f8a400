use super::*;

type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

#[ratellmiter(limiter = LIMITER)]
fn boxed<'a>(server: &'a Server, text: String) -> Pin<Box<dyn Future<Output = Result<String, CallError>> + Send + 'a>> {
    Box::pin(async move {
        server.answer()?;
        Ok(text)
    })
}

#[ratellmiter(limiter = LIMITER)]
fn aliased(server: &Server) -> BoxFuture<'_, Result<u32, CallError>> {
    async { server.answer() }.boxed()
}

#[ratellmiter(limiter = LIMITER)]
fn opaque(server: &Server, times: u32) -> impl Future<Output = Result<u32, CallError>> + Send {
    async move { Ok(server.answer()? * times) }
}

#[ratellmiter(limiter = LIMITER)]
fn recursive(server: &Server, depth: u32) -> BoxFuture<'_, Result<u32, CallError>> {
    Box::pin(async move { if depth == 0 { server.answer() } else { recursive(server, depth - 1).await } })
}

#[tokio::test(start_paused = true)]
async fn refused_calls_are_retried_once() {
    assert_eq!(assert_send(boxed(&Server::default(), "b".into())).await, Ok("b".into()));
    assert_eq!(assert_send(aliased(&Server::default())).await, Ok(2));
    assert_eq!(assert_send(opaque(&Server::default(), 4)).await, Ok(8));
    assert_eq!(assert_send(recursive(&Server::default(), 3)).await, Ok(2));
}
