//! Rarely written kinds of functions under the attribute, refused once as in `attribute`.

#![deny(unused, unused_qualifications, clippy::pedantic, clippy::shadow_unrelated)]

use std::{
    borrow::Cow,
    fmt::Display,
    future::Future,
    pin::Pin,
    rc::Rc,
    sync::{
        Arc, LazyLock,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use ratellmiter_core::{Classify, LimitKind, Limiter, Limits, Verdict, ratellmiter};

static LIMITER: LazyLock<Limiter> = LazyLock::new(|| Limiter::new(Limits::per_minute(600_000).no_ramp()));

#[derive(Debug, PartialEq)]
struct Refused;

impl Classify for Refused {
    fn verdict(&self) -> Verdict {
        Verdict::RateLimited { retry_after: Some(Duration::from_millis(1)), limit: LimitKind::Unknown }
    }
}

/// Refuses the first request and answers the others with their number.
#[derive(Debug, Default)]
struct Server(AtomicU32);

impl Server {
    fn answer(&self) -> Result<u32, Refused> {
        match self.0.fetch_add(1, Ordering::SeqCst) {
            0 => Err(Refused),
            requests => Ok(requests + 1),
        }
    }
}

fn assert_send<T: Send>(value: T) -> T {
    value
}

type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

mod futures_returned {
    use super::*;

    impl From<std::fmt::Error> for Refused {
        fn from(_: std::fmt::Error) -> Self {
            Self
        }
    }

    /// The output type of the future is known from the signature alone.
    #[ratellmiter(limiter = LIMITER)]
    fn inferred(server: &Server) -> impl Future<Output = Result<String, Refused>> {
        let answer = server.answer();
        async move {
            let mut text = String::new();
            std::fmt::Write::write_fmt(&mut text, format_args!("{}", answer?))?;
            Ok(text)
        }
    }

    #[tokio::test]
    async fn inferred_future_uses_signature_error() {
        assert_eq!(inferred(&Server::default()).await, Ok("2".to_owned()));
    }

    #[ratellmiter(limiter = LIMITER)]
    fn pinned_opaque(server: &Server) -> Pin<Box<impl Future<Output = Result<u32, Refused>> + Send>> {
        let answer = server.answer();
        Box::pin(async move { answer })
    }

    #[ratellmiter(limiter = LIMITER)]
    fn unpin(server: &Server) -> Box<dyn Future<Output = Result<u32, Refused>> + Send + Unpin + '_> {
        let answer = server.answer();
        Box::new(Box::pin(async move { answer }))
    }

    #[ratellmiter(limiter = LIMITER)]
    fn of_a_borrow<'a>(server: &'a Server, text: &'a str) -> BoxFuture<'a, Result<&'a str, Refused>> {
        Box::pin(async move { server.answer().map(|_| text) })
    }

    fn first<'x>(text: &'x str, _: &'x str) -> &'x str {
        text
    }

    #[allow(clippy::type_complexity, reason = "the test needs the lifetime in the signature")]
    #[ratellmiter(limiter = LIMITER)]
    fn with_a_bound_lifetime(
        server: &Server,
    ) -> BoxFuture<'_, Result<for<'x> fn(&'x str, &'x str) -> &'x str, Refused>> {
        Box::pin(async move { server.answer().map(|_| first as _) })
    }

    #[ratellmiter(limiter = LIMITER)]
    fn owning(text: &'static str, server: Arc<Server>) -> BoxFuture<'static, Result<&'static str, Refused>> {
        Box::pin(async move { server.answer().map(|_| text) })
    }

    struct Client<'c>(&'c Server);

    impl<'c> Client<'c> {
        #[ratellmiter(limiter = LIMITER)]
        fn returning_its_field(&self, text: String) -> BoxFuture<'_, Result<(&'c Server, String), Refused>> {
            let server = self.0;
            Box::pin(async move { server.answer().map(|_| (server, text)) })
        }
    }

    trait Ask {
        fn ask(&self, times: u32) -> impl Future<Output = Result<u32, Refused>> + Send;
    }

    impl Ask for Server {
        #[ratellmiter(limiter = LIMITER)]
        fn ask(&self, times: u32) -> impl Future<Output = Result<u32, Refused>> + Send {
            let answer = self.answer();
            async move { Ok(answer? * times) }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn refused_calls_are_retried_once() {
        assert_eq!(assert_send(pinned_opaque(&Server::default())).await, Ok(2));
        assert_eq!(assert_send(unpin(&Server::default())).await, Ok(2));
        assert_eq!(assert_send(of_a_borrow(&Server::default(), "a")).await, Ok("a"));
        assert_eq!(assert_send(with_a_bound_lifetime(&Server::default())).await.unwrap()("y", "z"), "y");
        assert_eq!(tokio::spawn(owning("o", Arc::default())).await.unwrap(), Ok("o"));
        let server = Server::default();
        let (returned, text) = assert_send(Client(&server).returning_its_field("t".into())).await.unwrap();
        assert_eq!((returned.0.load(Ordering::SeqCst), text), (2, "t".into()));
        assert_eq!(assert_send(Server::default().ask(4)).await, Ok(8));
    }

    /// Futures wait asynchronously: a function that blocked its thread would have run its body.
    #[tokio::test(start_paused = true)]
    async fn returned_futures_do_nothing_before_first_poll() {
        let server = Server::default();
        drop((pinned_opaque(&server), unpin(&server), server.ask(1)));
        assert_eq!(server.0.load(Ordering::SeqCst), 0);
    }
}

/// Tokens from a `macro_rules!` are wrapped in invisible groups.
mod made_by_macros {
    use super::*;

    macro_rules! by_types {
        ($name:ident, $argument:ty, $output:ty, $body:expr) => {
            #[ratellmiter(limiter = LIMITER)]
            fn $name<'a>(server: &'a Server, buffer: $argument) -> $output {
                buffer.push(1);
                let run: fn(&'a Server) -> $output = $body;
                run(server)
            }
        };
    }
    by_types!(boxed, &'a mut Vec<u8>, BoxFuture<'a, Result<u32, Refused>>, |server| Box::pin(async {
        server.answer()
    }));
    by_types!(plain, &mut Vec<u8>, Result<u32, Refused>, Server::answer);

    macro_rules! by_output {
        ($name:ident, $output:ty) => {
            #[ratellmiter(limiter = LIMITER)]
            fn $name(server: &Server) -> $output {
                async move { server.answer() }
            }
        };
    }
    by_output!(opaque, impl Future<Output = Result<u32, Refused>> + Send);

    macro_rules! by_block {
        ($name:ident, $server:ident, $body:block) => {
            #[ratellmiter(limiter = LIMITER)]
            async fn $name($server: &Server) -> Result<u32, Refused> $body
        };
    }
    by_block!(block, server, { server.answer() });

    macro_rules! by_item {
        ($item:item) => {
            #[ratellmiter(limiter = LIMITER)]
            $item
        };
    }
    by_item! {
        async fn item(server: &Server, not_used: String) -> Result<u32, Refused> {
            #![allow(unused_variables)]
            let unused = 1;
            server.answer()
        }
    }

    #[tokio::test(start_paused = true)]
    async fn refused_calls_are_retried_once() {
        let mut buffer = vec![];
        assert_eq!(assert_send(boxed(&Server::default(), &mut buffer)).await, Ok(2));
        assert_eq!(plain(&Server::default(), &mut buffer), Ok(2));
        assert_eq!(buffer, [1; 4]);
        assert_eq!(assert_send(opaque(&Server::default())).await, Ok(2));
        assert_eq!(assert_send(block(&Server::default())).await, Ok(2));
        assert_eq!(assert_send(item(&Server::default(), String::new())).await, Ok(2));
    }
}

mod async_functions {
    use super::*;

    /// The error is not returned across an await, so the future is `Send` although its error is not.
    #[ratellmiter(limiter = LIMITER, when = |error: &Rc<str>| **error == *"429")]
    async fn with_an_error_that_is_not_send(server: &Server) -> Result<u32, Rc<str>> {
        Ok(server.answer().map_err(|_| "429")?)
    }

    #[ratellmiter(limiter = LIMITER)]
    async fn opaque() -> impl Display {
        "opaque"
    }

    #[ratellmiter(limiter = LIMITER)]
    async fn owned_borrows(
        server: &Server,
        text: Cow<'_, str>,
        more: Option<&str>,
        ref kept: String,
        whole @ (first, _): (u8, u8),
    ) -> Result<String, Refused> {
        server.answer()?;
        Ok(format!("{text}{}{kept}{whole:?}{first}", more.unwrap_or_default()))
    }

    #[ratellmiter(limiter = limiter)]
    async fn never(limiter: &Limiter, started: &AtomicU32, by: u32) -> ! {
        started.fetch_add(by, Ordering::SeqCst);
        std::future::pending().await
    }

    #[ratellmiter(limiter = limiter)]
    fn never_blocking(limiter: &Limiter) -> ! {
        panic!("{} in flight", limiter.snapshot().in_flight)
    }

    #[tokio::test(start_paused = true)]
    async fn refused_calls_are_retried_once() {
        assert_eq!(assert_send(with_an_error_that_is_not_send(&Server::default())).await.unwrap(), 2);
        assert_eq!(assert_send(opaque()).await.to_string(), "opaque");
        let server = Server::default();
        let text = assert_send(owned_borrows(&server, "a".into(), Some("b"), "c".into(), (1, 2)));
        assert_eq!(text.await, Ok("abc(1, 2)1".into()));
    }

    #[tokio::test(start_paused = true)]
    async fn diverging_call_is_in_flight_until_dropped() {
        let (limiter, started) = (Limiter::new(Limits::per_minute(600)), AtomicU32::new(0));
        let call = async {
            tokio::time::sleep(Duration::from_millis(1)).await;
            assert_eq!((started.load(Ordering::SeqCst), limiter.snapshot().in_flight), (3, 1));
        };
        tokio::select! {
            _ = assert_send(never(&limiter, &started, 3)) => (),
            () = call => (),
        }
        assert_eq!(limiter.snapshot().in_flight, 0);

        let panic = std::panic::catch_unwind(|| never_blocking(&limiter)).unwrap_err();
        assert_eq!(panic.downcast_ref::<String>().unwrap(), "1 in flight");
        assert_eq!(limiter.snapshot().in_flight, 0);
    }

    /// The future adds the state of the call and a second copy of each argument; the body exists once.
    #[test]
    fn attribute_adds_at_most_256_bytes() {
        #[ratellmiter(limiter = LIMITER)]
        async fn paced(text: [u8; 64]) -> u8 {
            let large = [1_u8; 4096];
            tokio::task::yield_now().await;
            large[usize::from(text[0])]
        }
        async fn bare(text: [u8; 64]) -> u8 {
            let large = [1_u8; 4096];
            tokio::task::yield_now().await;
            large[usize::from(text[0])]
        }
        let (paced, bare) = (size_of_val(&paced([0; 64])), size_of_val(&bare([0; 64])));
        assert!(paced <= bare + 256, "{paced} bytes, {bare} without the attribute");
    }
}
