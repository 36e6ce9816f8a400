//! Functions in modules whose names, traits and preludes differ from the usual ones.

#![deny(warnings)]

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use futures::{Stream, StreamExt as _};
use ratellmiter_core::{Limiter, Limits};

fn limiter() -> Limiter {
    Limiter::new(Limits::per_minute(600_000).no_ramp().tokens_per_minute(100_000))
}

fn tokens(limiter: &Limiter) -> u64 {
    limiter.snapshot().budgets().next().unwrap().taken
}

/// A refusal, and then an answer.
fn answer(attempts: &mut u32) -> Result<u64, String> {
    *attempts += 1;
    if *attempts == 1 { Err("429 Too Many Requests: please try again in 1ms".to_owned()) } else { Ok(7) }
}

/// Types with the names of types in the expansion, in the closures of the user.
mod types {
    use ratellmiter_core::{Usage, ratellmiter};

    use super::*;

    pub(super) struct Dispatch(pub(super) u64);
    pub(super) struct Call(pub(super) u64);

    impl Call {
        fn tokens(&self) -> u64 {
            self.0
        }
    }

    #[ratellmiter(limiter = limiter, usage = |answer: &Dispatch| Usage::new(answer.0, 0))]
    pub(super) async fn value(limiter: &Limiter) -> Result<Dispatch, String> {
        Ok(Dispatch(7))
    }

    #[ratellmiter(limiter = limiter, tokens = Call(9).tokens(), usage = |Dispatch(tokens)| Usage::new(*tokens, 0))]
    pub(super) fn blocking(limiter: &Limiter) -> Dispatch {
        Dispatch(7)
    }

    #[ratellmiter(limiter = limiter, stream, usage = |answer: &Dispatch| Usage::new(answer.0, 0))]
    pub(super) fn items(limiter: &Limiter) -> impl Iterator<Item = Result<Dispatch, String>> + use<> {
        std::iter::once(Ok(Dispatch(7)))
    }
}

#[tokio::test(start_paused = true)]
async fn types_of_the_user_keep_their_names_in_closures() {
    let limiter = limiter();
    assert!(types::value(&limiter).await.is_ok());
    assert_eq!(tokens(&limiter), 7);
    assert_eq!((types::blocking(&limiter).0, tokens(&limiter)), (7, 14));
    assert_eq!((types::items(&limiter).count(), tokens(&limiter)), (1, 21));
}

/// Traits of all types, whose methods have common names and take the value.
mod methods {
    use ratellmiter_core::{Usage, ratellmiter};

    use super::*;

    macro_rules! for_all_types {
        ($($method:ident)*) => {
            #[allow(dead_code, clippy::wrong_self_convention)]
            pub(super) trait Everywhere: Sized {
                $(fn $method(self) -> &'static str {
                    stringify!($method)
                })*
            }
        };
    }

    for_all_types! {
        sides classify_ok classify_error usage_of_ok read_piece ok kept rejection attempt attempt_blocking acquire
        blocking_acquire settle start_stream start_iterator is_some into_usage rewrapped into_named into_stream
    }

    impl<T> Everywhere for T {}

    #[ratellmiter(limiter = limiter, usage = |tokens| Usage::new(*tokens, 0))]
    pub(super) async fn value(limiter: &Limiter, attempts: &mut u32) -> anyhow::Result<u64> {
        answer(attempts).map_err(anyhow::Error::msg)
    }

    #[ratellmiter(limiter = limiter)]
    pub(super) fn blocking(limiter: &Limiter, attempts: &mut u32) -> Result<u64, String> {
        answer(attempts)
    }

    #[ratellmiter(limiter = limiter, stream, bounded)]
    pub(super) async fn stream(limiter: &Limiter) -> anyhow::Result<Pin<Box<dyn Stream<Item = &'static str> + Send>>> {
        Ok(Box::pin(futures::stream::iter([r#"data: {"usage": {"prompt_tokens": 7}}"#, ""])))
    }

    #[ratellmiter(limiter = limiter, stream, usage = |tokens: &u64| Usage::new(*tokens, 0))]
    pub(super) fn iterator(limiter: &Limiter) -> Box<dyn Iterator<Item = Result<u64, String>>> {
        Box::new(std::iter::once(Ok(7)))
    }
}

#[tokio::test(start_paused = true)]
async fn traits_of_the_user_do_not_replace_methods_of_the_expansion() {
    let limiter = limiter();
    let (mut first, mut second) = (0, 0);
    assert_eq!((methods::value(&limiter, &mut first).await.unwrap(), first), (7, 2));
    assert_eq!((methods::blocking(&limiter, &mut second), second), (Ok(7), 2));
    assert_eq!(methods::stream(&limiter).await.unwrap().count().await, 2);
    assert_eq!(methods::iterator(&limiter).count(), 1);
    assert_eq!(limiter.snapshot().in_flight, 0);
}

/// No name of the prelude is known, and some of them mean something else.
#[no_implicit_prelude]
mod prelude {
    use ::ratellmiter_core::{Limiter, Usage, ratellmiter};

    #[allow(dead_code)]
    pub(super) struct Option;
    #[allow(dead_code)]
    pub(super) enum Result {
        Ok,
        Err,
    }
    #[allow(unused_imports)]
    use Result::{Err, Ok};

    #[ratellmiter(limiter = limiter, max_wait = 30, priority = high, usage = |tokens: &u64| Usage::new(*tokens, 0))]
    pub(super) async fn value(limiter: &Limiter, attempts: &mut u32) -> ::anyhow::Result<u64> {
        super::answer(attempts).map_err(::anyhow::Error::msg)
    }

    #[ratellmiter(limiter = limiter, classify = |_| ::core::option::Option::None::<::ratellmiter_core::Verdict>)]
    pub(super) fn blocking(
        limiter: &Limiter,
        attempts: &mut u32,
    ) -> ::core::result::Result<u64, ::std::string::String> {
        super::answer(attempts)
    }

    #[ratellmiter(limiter = limiter, stream)]
    pub(super) async fn stream(
        limiter: &Limiter,
    ) -> ::core::result::Result<impl super::Stream<Item = u64> + use<>, ::std::string::String> {
        ::core::result::Result::Ok(super::Parts(2))
    }

    #[ratellmiter(limiter = limiter)]
    pub(super) fn future(
        limiter: &Limiter,
        text: ::std::string::String,
    ) -> impl ::core::future::Future<Output = ::core::result::Result<u64, ::std::string::String>> {
        async move {
            ::std::mem::drop(text);
            ::core::result::Result::Ok(7)
        }
    }
}

struct Parts(u64);

impl Stream for Parts {
    type Item = u64;
    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<u64>> {
        self.0 = self.0.saturating_sub(1);
        Poll::Ready((self.0 > 0).then_some(self.0))
    }
}

#[tokio::test(start_paused = true)]
async fn expansion_needs_no_prelude() {
    let limiter = limiter();
    let (mut first, mut second) = (0, 0);
    assert_eq!((prelude::value(&limiter, &mut first).await.unwrap(), first), (7, 2));
    assert_eq!((prelude::blocking(&limiter, &mut second), second), (Ok(7), 2));
    assert_eq!(prelude::stream(&limiter).await.unwrap().count().await, 1);
    assert_eq!(prelude::future(&limiter, String::new()).await, Ok(7));
}
