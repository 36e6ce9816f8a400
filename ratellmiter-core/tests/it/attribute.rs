//! Every shape that may stand under the attribute, run with one refusal: it is paced, repeated once, and gives the
//! value of its second attempt.

#![deny(unused, unused_qualifications, clippy::pedantic)]

use std::{
    cell::Cell,
    fmt::Display,
    future::Future,
    panic::AssertUnwindSafe,
    pin::Pin,
    sync::{
        Arc, LazyLock,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use futures::FutureExt as _;
use ratellmiter_core::{Classify, LimitKind, Limiter, Limits, Verdict, monitor, ratellmiter};

/// Fast enough for plain functions, which wait in real time.
fn fast() -> Limiter {
    Limiter::new(Limits::per_minute(600_000).no_ramp())
}

static FAST: LazyLock<Limiter> = LazyLock::new(fast);

/// Refused with a short hint, or failed.
#[derive(Debug, Clone, PartialEq)]
enum Trouble {
    Refused,
    Failed,
    FarFuture,
}

impl Classify for Trouble {
    fn verdict(&self) -> Verdict {
        let refused = |millis| Verdict::RateLimited {
            retry_after: Some(Duration::from_millis(millis)),
            limit: LimitKind::Unknown,
        };
        match self {
            Self::Refused => refused(1),
            Self::Failed => Verdict::Failed,
            Self::FarFuture => refused(3_600_000),
        }
    }
}

/// Refuses the first attempt.
#[derive(Debug, Default)]
struct Server(AtomicU32);

impl Server {
    fn answer(&self) -> Result<u32, Trouble> {
        match self.0.fetch_add(1, Ordering::SeqCst) {
            0 => Err(Trouble::Refused),
            seen => Ok(seen + 1),
        }
    }

    fn seen(&self) -> u32 {
        self.0.load(Ordering::SeqCst)
    }
}

fn sent<T: Send>(future: T) -> T {
    future
}

mod async_functions {
    use super::*;

    #[ratellmiter(limiter = FAST)]
    async fn owned(server: &Server, prompt: String, many: Vec<u8>) -> Result<String, Trouble> {
        server.answer()?;
        drop(many);
        Ok(prompt + "!")
    }

    #[ratellmiter(limiter = *FAST)]
    async fn patterns(
        server: &Server,
        (first, mut second): (u32, String),
        [head, ..]: [u8; 2],
        _: u8,
        _unused: String,
        mut rest: &str,
        &shared: &u8,
    ) -> Result<String, Trouble> {
        second.push_str(&first.to_string());
        rest = &rest[1..];
        server.answer()?;
        Ok(format!("{second}{head}{rest}{shared}"))
    }

    #[ratellmiter(limiter = FAST)]
    async fn through_a_reference(
        server: &Server,
        buffer: &mut Vec<u8>,
        mut moved: &mut Vec<u8>,
    ) -> Result<usize, Trouble> {
        buffer.push(1);
        let owned: &mut Vec<u8> = moved;
        owned.push(2);
        moved = owned;
        moved.push(3);
        server.answer()?;
        Ok(buffer.len() + moved.len())
    }

    #[ratellmiter(limiter = FAST)]
    async fn generic<'a, T, const N: usize>(server: &'a Server, value: &'a T, values: [T; N]) -> Result<&'a T, Trouble>
    where
        T: Clone + Sync + Send,
    {
        server.answer()?;
        drop(values);
        Ok(value)
    }

    #[ratellmiter(limiter = FAST)]
    async fn elided(server: &Server, text: &str) -> Result<(usize, &'static str), Trouble> {
        server.answer().map(|_| (text.len(), "static"))
    }

    #[ratellmiter(limiter = FAST)]
    async fn borrowed(server: &Server) -> Result<&AtomicU32, Trouble> {
        server.answer()?;
        Ok(&server.0)
    }

    #[ratellmiter(limiter = FAST)]
    async fn with_impls(
        server: &Server,
        shown: impl Display + Clone,
        mut make: impl FnMut() -> u32 + Clone,
    ) -> Result<impl Display, Trouble> {
        if server.answer().is_err() {
            return Err(Trouble::Refused);
        }
        Ok(format!("{shown}{}", make()))
    }

    #[ratellmiter(limiter = FAST)]
    async fn hygienic(call: &Server, out: u32, arg0: u32, never: u32, verdict: u32) -> Result<u32, Trouble> {
        call.answer()?;
        Ok(out + arg0 + never + verdict)
    }

    #[ratellmiter(limiter = FAST)]
    async fn shadowed(server: &Server) -> Result<u32, Trouble> {
        #[allow(unused)]
        #[derive(Debug)]
        struct Trouble;
        server.answer()
    }

    #[ratellmiter(limiter = FAST)]
    async fn with_inner_attribute(server: &Server) -> Result<u32, Trouble> {
        #![allow(unused_variables)]
        let unused = 1;
        server.answer()
    }

    #[tokio::test(start_paused = true)]
    async fn each_is_repeated_once() {
        let server = Server::default();
        assert_eq!(sent(owned(&server, "a".into(), vec![1])).await, Ok("a!".into()));
        assert_eq!(server.seen(), 2);

        let server = Server::default();
        let text = sent(patterns(&server, (1, "s".into()), [7, 8], 0, String::new(), "xyz", &5)).await;
        assert_eq!(text, Ok("s17yz5".into()), "patterns start anew");

        let (server, mut one, mut two) = (Server::default(), vec![], vec![]);
        assert_eq!(sent(through_a_reference(&server, &mut one, &mut two)).await, Ok(6), "what was done stays done");

        let server = Server::default();
        assert_eq!(sent(generic(&server, &3, [1, 2])).await, Ok(&3));
        assert_eq!(server.seen(), 2);

        let server = Server::default();
        assert_eq!(sent(elided(&server, "abc")).await, Ok((3, "static")));
        assert_eq!(sent(borrowed(&Server::default())).await.unwrap().load(Ordering::SeqCst), 2);

        let (server, calls) = (Server::default(), Cell::new(0));
        let make = || {
            calls.set(calls.get() + 1);
            calls.get()
        };
        assert_eq!(with_impls(&server, 9, make).await.unwrap().to_string(), "91");

        assert_eq!(sent(hygienic(&Server::default(), 1, 2, 3, 4)).await, Ok(10));
        assert_eq!(sent(shadowed(&Server::default())).await, Ok(2));
        assert_eq!(sent(with_inner_attribute(&Server::default())).await, Ok(2));
    }
}

mod methods {
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
            Self { limiter: fast(), server: Arc::default(), calls: 0 }
        }

        #[ratellmiter(limiter = self.limiter)]
        async fn by_reference(&self, text: &str) -> Result<String, Trouble> {
            self.server.answer().map(|seen| format!("{text}{seen}"))
        }

        #[ratellmiter(limiter = &self.limiter)]
        async fn by_mutable_reference(&mut self) -> Result<u32, Trouble> {
            self.calls += 1;
            self.server.answer()?;
            Ok(self.calls)
        }

        #[ratellmiter(limiter = self.limiter)]
        async fn by_arc(self: Arc<Self>, times: u32) -> Result<u32, Trouble> {
            Ok(self.server.answer()? * times)
        }

        #[ratellmiter(limiter = self.limiter)]
        async fn by_pin(self: Pin<&mut Self>) -> Result<u32, Trouble> {
            self.server.answer()
        }

        #[ratellmiter(limiter = self.limiter)]
        async fn by_value(self) -> Result<u32, Trouble> {
            self.server.answer()
        }

        #[ratellmiter(limiter = self.limiter)]
        fn blocking(&mut self, prompt: String) -> Result<(u32, String), Trouble> {
            self.calls += 1;
            self.server.answer()?;
            Ok((self.calls, prompt))
        }

        #[ratellmiter(model = Self::MODEL)]
        async fn by_const(&self) -> Result<Self, Trouble> {
            self.server.answer()?;
            Ok(self.clone())
        }
    }

    #[tokio::test(start_paused = true)]
    async fn each_is_repeated_once() {
        assert_eq!(sent(Client::new().by_reference("a")).await, Ok("a2".into()));
        assert_eq!(sent(Client::new().by_mutable_reference()).await, Ok(2));
        assert_eq!(sent(Arc::new(Client::new()).by_arc(10)).await, Ok(20));
        assert_eq!(sent(Pin::new(&mut Client::new()).by_pin()).await, Ok(2));
        assert_eq!(sent(Client::new().by_value()).await, Ok(2));
        assert_eq!(sent(Client::new().by_const()).await.unwrap().server.seen(), 2);
        assert!(monitor().snapshot().contains_key("methods::client"));
    }

    #[test]
    fn a_blocking_one_too() {
        assert_eq!(Client::new().blocking("p".into()), Ok((2, "p".into())));
    }
}

mod traits {
    use super::*;

    trait Ask {
        fn server(&self) -> &Server;

        #[ratellmiter(limiter = FAST)]
        async fn by_default(&self, text: String) -> Result<String, Trouble> {
            self.server().answer()?;
            Ok(text)
        }

        async fn ask(&self, times: u32) -> Result<u32, Trouble>;
    }

    impl Ask for Server {
        fn server(&self) -> &Server {
            self
        }

        #[ratellmiter(limiter = FAST)]
        async fn ask(&self, times: u32) -> Result<u32, Trouble> {
            Ok(self.answer()? * times)
        }
    }

    #[async_trait::async_trait]
    trait Boxed: Sync {
        async fn ask(&self, prompt: String, buffer: &mut Vec<u8>) -> Result<String, Trouble>;
        async fn length(&self, _name: &str) -> u32 {
            7
        }
    }

    #[async_trait::async_trait]
    impl Boxed for Server {
        #[ratellmiter(limiter = FAST)]
        async fn ask(&self, prompt: String, buffer: &mut Vec<u8>) -> Result<String, Trouble> {
            buffer.push(1);
            if self.seen() > 5 {
                return Ok(String::new());
            }
            self.answer()?;
            Ok(prompt)
        }

        #[ratellmiter(limiter = FAST)]
        async fn length(&self, name: &str) -> u32 {
            u32::try_from(name.len()).unwrap_or_default()
        }
    }

    #[tokio::test(start_paused = true)]
    async fn each_is_repeated_once() {
        assert_eq!(Server::default().by_default("t".into()).await, Ok("t".into()));
        assert_eq!(Ask::ask(&Server::default(), 3).await, Ok(6));
        let (server, mut buffer) = (Server::default(), vec![]);
        assert_eq!(sent(Boxed::ask(&server, "p".into(), &mut buffer)).await, Ok("p".into()));
        assert_eq!((server.seen(), buffer.len()), (2, 2));
        assert_eq!(sent(server.length("four")).await, 4);
    }
}

mod futures_returned {
    use super::*;

    type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

    #[ratellmiter(limiter = FAST)]
    fn boxed<'a>(
        server: &'a Server,
        text: String,
    ) -> Pin<Box<dyn Future<Output = Result<String, Trouble>> + Send + 'a>> {
        Box::pin(async move {
            server.answer()?;
            Ok(text)
        })
    }

    #[ratellmiter(limiter = FAST)]
    fn aliased(server: &Server) -> BoxFuture<'_, Result<u32, Trouble>> {
        async { server.answer() }.boxed()
    }

    #[ratellmiter(limiter = FAST)]
    fn opaque(server: &Server, times: u32) -> impl Future<Output = Result<u32, Trouble>> + Send {
        async move { Ok(server.answer()? * times) }
    }

    #[ratellmiter(limiter = FAST)]
    fn recursive(server: &Server, depth: u32) -> BoxFuture<'_, Result<u32, Trouble>> {
        Box::pin(async move { if depth == 0 { server.answer() } else { recursive(server, depth - 1).await } })
    }

    #[tokio::test(start_paused = true)]
    async fn each_is_repeated_once() {
        assert_eq!(sent(boxed(&Server::default(), "b".into())).await, Ok("b".into()));
        assert_eq!(sent(aliased(&Server::default())).await, Ok(2));
        assert_eq!(sent(opaque(&Server::default(), 4)).await, Ok(8));
        assert_eq!(sent(recursive(&Server::default(), 3)).await, Ok(2));
    }
}

mod plain_functions {
    use super::*;

    #[ratellmiter(limiter = FAST)]
    fn owned(server: &Server, mut prompt: String, (first, _): (u8, String)) -> Result<String, Trouble> {
        prompt.push('!');
        if first > 100 {
            return Err(Trouble::Failed);
        }
        server.answer()?;
        Ok(prompt)
    }

    #[ratellmiter(limiter = FAST)]
    fn generic<T: Clone>(server: &Server, value: T, shown: impl Display + Clone) -> Result<(T, impl Display), Trouble> {
        server.answer()?;
        Ok((value, shown))
    }

    #[ratellmiter(limiter = FAST)]
    fn borrowing<'a>(server: &Server, text: &'a mut String) -> Result<&'a str, Trouble> {
        text.push('x');
        server.answer()?;
        Ok("static")
    }

    macro_rules! made {
        ($name:ident, $answer:ty) => {
            #[ratellmiter(limiter = FAST)]
            fn $name(server: &Server) -> $answer {
                server.answer()
            }
        };
    }
    made!(by_macro, Result<u32, Trouble>);

    #[test]
    fn each_is_repeated_once() {
        assert_eq!(owned(&Server::default(), "o".into(), (1, String::new())), Ok("o!".into()));
        assert_eq!(owned(&Server::default(), "o".into(), (101, String::new())), Err(Trouble::Failed));
        assert_eq!(
            generic(&Server::default(), 1, 2).map(|(value, shown)| (value, shown.to_string())),
            Ok((1, "2".into()))
        );
        let mut text = String::new();
        assert_eq!(borrowing(&Server::default(), &mut text), Ok("static"));
        assert_eq!(text, "xx");
        assert_eq!(by_macro(&Server::default()), Ok(2));
    }
}

mod any_return_type {
    use super::*;

    #[ratellmiter(model = "any_return_type")]
    async fn nothing(seen: &AtomicU32) {
        seen.fetch_add(1, Ordering::SeqCst);
    }

    #[ratellmiter(model = "any_return_type")]
    fn maybe(value: Option<u32>) -> Option<u32> {
        Some(value? + 1)
    }

    #[ratellmiter(model = "any_return_type")]
    async fn text() -> &'static str {
        "text"
    }

    #[tokio::test]
    async fn is_paced() {
        monitor().set_limits("any_return_type", Limits::per_minute(60_000));
        let seen = AtomicU32::new(0);
        nothing(&seen).await;
        assert_eq!(seen.load(Ordering::SeqCst), 1);
        assert_eq!((maybe(Some(1)), maybe(None)), (Some(2), None));
        assert_eq!(text().await, "text");
    }

    #[ratellmiter(limiter = limiter)]
    async fn paced(limiter: &Limiter) {}

    #[tokio::test(start_paused = true)]
    async fn evenly() {
        let limiter = Limiter::new(Limits::per_minute(60).no_ramp());
        let start = tokio::time::Instant::now();
        for _ in 0..4 {
            paced(&limiter).await;
        }
        assert_eq!(start.elapsed(), Duration::from_secs(3));
    }
}

mod options {
    use super::*;

    #[ratellmiter]
    async fn by_default() {}

    #[ratellmiter(model = model_name)]
    async fn by_argument(model_name: String) -> String {
        model_name
    }

    #[ratellmiter(model = format!("{family}-{size}"))]
    fn by_expression(family: &str, size: u8) {}

    #[ratellmiter(limiter = limiter, max_attempts = 3)]
    async fn three(limiter: &Limiter, tries: &AtomicU32, trouble: Trouble) -> Result<(), Trouble> {
        tries.fetch_add(1, Ordering::SeqCst);
        Err(trouble)
    }

    #[ratellmiter(limiter = FAST, when = |error: &anyhow::Error| error.to_string().contains("slow down"), crate = ::ratellmiter_core)]
    async fn foreign(server: &Server, words: &'static str) -> anyhow::Result<u32> {
        server.answer().map_err(|_| anyhow::anyhow!(words))
    }

    /// `Ok` may hold a refusal too; `None` leaves it to the library.
    #[ratellmiter(limiter = FAST, classify = |out: &Result<Option<u32>, Trouble>| match out {
        Ok(None) => Some(Verdict::RateLimited { retry_after: Some(Duration::from_millis(5)), limit: LimitKind::Unknown }),
        _ => None,
    })]
    async fn classified(server: &Server, in_ok: bool) -> Result<Option<u32>, Trouble> {
        match server.answer() {
            Err(_) if in_ok => Ok(None),
            answer => answer.map(Some),
        }
    }

    fn never_refused<T>(_: &T) -> Verdict {
        Verdict::Failed
    }

    #[ratellmiter(limiter = FAST, classify = never_refused)]
    fn final_word(server: &Server) -> Result<u32, Trouble> {
        server.answer()
    }

    #[tokio::test(start_paused = true)]
    async fn classify_judges_the_whole_return_value() {
        assert_eq!(classified(&Server::default(), true).await, Ok(Some(2)));
        assert_eq!(classified(&Server::default(), false).await, Ok(Some(2)), "by its `Classify`");
        assert_eq!(final_word(&Server::default()), Err(Trouble::Refused), "before its `Classify`");
    }

    fn is_refused(text: &String) -> bool {
        text == "refused"
    }

    #[ratellmiter(limiter = limiter, when = is_refused,)]
    fn by_path(limiter: &Limiter, server: &Server) -> Result<u32, String> {
        server.answer().map_err(|_| "refused".to_owned())
    }

    #[tokio::test(start_paused = true)]
    async fn name_the_limiter() {
        by_default().await;
        assert_eq!(by_argument("options::argument".into()).await, "options::argument");
        by_expression("options::llama", 8);
        let names: Vec<_> = monitor().snapshot().into_keys().collect();
        for name in ["default", "options::argument", "options::llama-8"] {
            assert!(names.iter().any(|known| known == name), "{name} in {names:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn when_attempts_run_out_the_callers_own_error_comes_back() {
        let (limiter, tries) = (fast(), AtomicU32::new(0));
        assert_eq!(three(&limiter, &tries, Trouble::Refused).await, Err(Trouble::Refused));
        assert_eq!(tries.load(Ordering::SeqCst), 3);
        let snapshot = limiter.snapshot();
        assert_eq!((snapshot.queued, snapshot.in_flight), (0, 0), "and the call has left the line");
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_no_refusal_or_lasts_too_long_is_not_repeated() {
        for trouble in [Trouble::Failed, Trouble::FarFuture] {
            let tries = AtomicU32::new(0);
            assert_eq!(three(&fast(), &tries, trouble.clone()).await, Err(trouble));
            assert_eq!(tries.load(Ordering::SeqCst), 1);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn when_judges_foreign_errors() {
        let server = Server::default();
        assert_eq!(sent(foreign(&server, "please slow down")).await.unwrap(), 2);
        let server = Server::default();
        assert_eq!(sent(foreign(&server, "no")).await.unwrap_err().to_string(), "no");
        assert_eq!(server.seen(), 1);
    }

    #[test]
    fn when_may_be_a_path() {
        // The pause without a hint is about two seconds, in real time here: once is enough. With a limiter of its own, as
        // in tests with virtual time one that is shared passes the pause at once.
        let start = std::time::Instant::now();
        assert_eq!(by_path(&fast(), &Server::default()), Ok(2));
        assert!(start.elapsed() >= Duration::from_secs(2));
    }

    #[ratellmiter(limiter = limiter)]
    async fn switched_off(limiter: &Limiter, server: &Server) -> Result<u32, Trouble> {
        server.answer()
    }

    #[tokio::test(start_paused = true)]
    async fn a_limiter_that_is_switched_off_repeats_nothing() {
        let limiter = Limiter::new(Limits::per_minute(1).enabled(false));
        let start = tokio::time::Instant::now();
        for _ in 0..10 {
            assert_eq!(switched_off(&limiter, &Server::default()).await, Err(Trouble::Refused));
        }
        assert_eq!(start.elapsed(), Duration::ZERO);
        assert_eq!((limiter.snapshot().queued, limiter.snapshot().in_flight), (0, 0));
    }
}

mod accidents {
    use super::*;

    #[ratellmiter(limiter = limiter)]
    async fn panics(limiter: &Limiter, panic: bool) -> u32 {
        assert!(!panic, "in the body");
        1
    }

    #[ratellmiter(limiter = limiter)]
    fn panics_blocking(limiter: &Limiter, panic: bool) -> u32 {
        assert!(!panic, "in the body");
        1
    }

    #[tokio::test(start_paused = true)]
    async fn a_panic_in_the_body_gives_its_place_back() {
        let limiter = Limiter::new(Limits::per_minute(6000).max_in_flight(1));
        assert!(AssertUnwindSafe(panics(&limiter, true)).catch_unwind().await.is_err());
        assert!(std::panic::catch_unwind(|| panics_blocking(&limiter, true)).is_err());
        assert_eq!(limiter.snapshot().in_flight, 0);
        assert_eq!(panics(&limiter, false).await, 1);
    }

    #[ratellmiter(limiter = limiter)]
    async fn hangs(limiter: &Limiter, server: &Server) -> Result<(), Trouble> {
        server.answer()?;
        std::future::pending().await
    }

    #[tokio::test(start_paused = true)]
    async fn a_future_that_is_dropped_anywhere_leaves_nothing_behind() {
        let limiter = Limiter::new(Limits::per_minute(60).no_ramp());
        // Before its ticket, in the pause after the refusal, and in the body.
        for millis in [0, 500, 1005, 2500, 9000] {
            let server = Server::default();
            let call = hangs(&limiter, &server);
            assert!(tokio::time::timeout(Duration::from_millis(millis), call).await.is_err());
            let snapshot = limiter.snapshot();
            assert_eq!((snapshot.queued, snapshot.in_flight), (0, 0), "after {millis} ms");
        }
    }
}
