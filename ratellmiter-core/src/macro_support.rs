//! The items that `#[ratellmiter]` expands to, exported as the hidden module `__private`. No part of the public API.

mod items;
mod values;

pub use std::{
    boxed::Box,
    convert::identity,
    ops::ControlFlow::{Break, Continue},
    option::Option,
    result::Result::{Err, Ok},
};
use std::{
    cell::Cell,
    future::Future,
    marker::PhantomData,
    pin::Pin,
    task::{Context, Poll, ready},
};

use futures_core::Stream;

pub use self::items::{
    BoxedIterator, NamedIterator, item, item_by_user, items_of_iterator, items_of_stream, iterator_of,
    rewrapped_iterator, stream_of, usage_by_item,
};
pub use crate::{
    __classification as classification, __error_classification as error_classification, __is_stream as is_stream,
    __items as items, __kept as kept, __rejection as rejection, __stream_item as stream_item, __usage as usage,
    call::{
        Call, ItemClassification,
        raw_stream::{
            StreamEvents,
            dispatch::{
                Items, LeaveItem, LeaveResponse, LeaveUsage, ReadBytes, ReadChunk, ReadText, ResultItems, ValueItems,
            },
        },
        run::choices::IntoUsage,
    },
    judge::{
        classification::Classification,
        classify::{Response, ResponseBody, StreamedAnswer},
        dispatch::{
            AsResult, AsValue, ByClassify, ByFields, ByNothing, BySource, ByTarget, ByText, ByTextAndFields,
            ContainsStream, Dispatch, Dynamic, IsNoStream, IsStream, OkByBody, OkByNothing, OkByResponse,
            UsageOfNothing, UsageOfValue,
        },
    },
    limits::request::{AcquireOptions, Priority},
    providers::usage::HasUsage,
};
use crate::{
    call::{stream::TicketStream, stream_item::StreamItem},
    judge::Verdict,
    limiter::Limiter,
    limits::request::Rejected,
    monitor::monitor,
    providers::usage::Usage,
};

/// Starts a call that the process-global monitor's limiter for `name` paces.
pub fn model(name: &(impl AsRef<str> + ?Sized)) -> Call {
    Call::new(monitor().limiter(name.as_ref()))
}

/// Starts a call that `limiter` paces. A reference to anything that dereferences to a limiter is coerced.
#[must_use]
pub fn limiter(limiter: &Limiter) -> Call {
    Call::new(limiter.clone())
}

/// Classifies the result of a call by the user's `when`.
pub fn when<T, E>(out: &Result<T, E>, is_refused: impl FnOnce(&E) -> bool) -> Classification {
    Classification::decided(match out {
        Ok(_) => Verdict::Success,
        Err(error) if is_refused(error) => Verdict::RATE_LIMITED,
        Err(_) => Verdict::Failed,
    })
}

/// Classifies the result of a call by the user's `classify`. Returns `None` if that returns `None`.
pub fn classify<R, V: Into<Option<Verdict>>>(out: &R, classify: impl FnOnce(&R) -> V) -> Option<Classification> {
    classify(out).into().map(Classification::decided)
}

/// Returns the usage of a call by the user's `usage`.
pub fn usage_by<T, U: IntoUsage>(value: &T, usage: impl FnOnce(&T) -> U) -> Option<Usage> {
    usage(value).into_usage()
}

/// Stands for a value of a type that is to be inferred. It is never called.
#[must_use]
pub fn never<T>() -> T {
    unreachable!("it stands behind a condition that is false")
}

/// Returns `future`, and lets the compiler check that its output is a `T`.
pub fn assert_output<T, F: Future<Output = T>>(future: F) -> F {
    future
}

/// Return types of functions that can return a rejection.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot return a rejection: it must be a `Result` whose error is `From<Rejected>`",
    label = "this option needs `From<ratellmiter_core::Rejected>` for the function's error",
    note = "`max_wait`, `max_queue`, `deadline` and `bounded` reject calls with the function's own error: implement `From<ratellmiter_core::Rejected>` for its type; `anyhow::Error` and `Box<dyn Error>` have it"
)]
pub trait FromRejected {
    /// Returns the rejection as the function's error.
    fn from_rejected(rejected: Rejected) -> Self;
}

#[diagnostic::do_not_recommend]
impl<T, E: From<Rejected>> FromRejected for Result<T, E> {
    fn from_rejected(rejected: Rejected) -> Self {
        Err(rejected.into())
    }
}

/// Returns a rejection as the result of the function.
#[must_use]
pub fn from_rejected<R: FromRejected>(rejected: Rejected) -> R {
    R::from_rejected(rejected)
}

/// The return type of a function, of which it is to be found whether it can return a rejection.
#[derive(Debug)]
pub struct Outcome<R>(PhantomData<fn() -> R>);

impl<R> Outcome<R> {
    /// The only value.
    pub const NEW: Self = Self(PhantomData);
}

/// Finds that a function can return a rejection without an option.
pub trait CanFail {
    /// The return type.
    type Out;
    /// Returns the conversion of a rejection to the result of the function.
    fn ratellmiter_rejection(&self) -> Option<fn(Rejected) -> Self::Out>;
}

impl<T, E: From<Rejected>> CanFail for &Outcome<Result<T, E>> {
    type Out = Result<T, E>;
    fn ratellmiter_rejection(&self) -> Option<fn(Rejected) -> Self::Out> {
        Some(|rejected| Err(rejected.into()))
    }
}

/// Stands in for any other return type.
pub trait CannotFail {
    /// The return type.
    type Out;
    /// Returns `None`.
    fn ratellmiter_rejection(&self) -> Option<fn(Rejected) -> Self::Out>;
}

impl<R> CannotFail for Outcome<R> {
    type Out = R;
    fn ratellmiter_rejection(&self) -> Option<fn(Rejected) -> R> {
        None
    }
}

/// The result of a refused attempt, for [`KeepSend`] and [`KeepNothing`].
#[allow(missing_debug_implementations)] // It lives within one expression.
pub struct Refused<R>(Cell<Option<R>>);

impl<R> Refused<R> {
    /// Creates it from the result.
    pub fn new(out: R) -> Self {
        Self(Cell::new(Some(out)))
    }
}

/// Keeps the result of a refused attempt while the call is queued, so that it can be returned if the call is then rejected.
pub trait KeepSend {
    /// The result.
    type Out;
    /// Returns the result, or `None` unless the call `can_fail`.
    fn ratellmiter_kept(&self, can_fail: bool) -> Option<Self::Out>;
}

impl<R: Send> KeepSend for &Refused<R> {
    type Out = R;
    fn ratellmiter_kept(&self, can_fail: bool) -> Option<R> {
        self.0.take().filter(|_| can_fail)
    }
}

/// Drops a result that is not known to be `Send`, since the future of the function may be.
pub trait KeepNothing {
    /// The result.
    type Out;
    /// Drops the result.
    fn ratellmiter_kept(&self, can_fail: bool) -> Dropped<Self::Out>;
}

impl<R> KeepNothing for Refused<R> {
    type Out = R;
    fn ratellmiter_kept(&self, _: bool) -> Dropped<R> {
        self.0.take();
        Dropped(PhantomData)
    }
}

/// A result that was dropped.
#[derive(Debug)]
pub struct Dropped<R>(PhantomData<fn() -> R>);

/// A result that was kept or dropped.
pub trait Kept {
    /// The result.
    type Out;
    /// Returns the result, or `None` if it was dropped.
    fn into_out(self) -> Option<Self::Out>;
}

impl<R> Kept for Option<R> {
    type Out = R;
    fn into_out(self) -> Self {
        self
    }
}

impl<R> Kept for Dropped<R> {
    type Out = R;
    fn into_out(self) -> Option<R> {
        None
    }
}

/// Returns the result of a refused attempt, if it was kept.
pub fn into_out<K: Kept>(kept: K) -> Option<K::Out> {
    kept.into_out()
}

/// A stream that starts when it is first polled.
#[derive(Debug)]
pub enum LazyStream<F: Future> {
    /// The future that returns the stream.
    Starting(Pin<Box<F>>),
    /// The stream.
    Started(F::Output),
}

/// Creates a stream that starts when it is first polled.
pub fn lazy<F: Future>(future: F) -> LazyStream<F> {
    LazyStream::Starting(Box::pin(future))
}

impl<F: Future<Output: Stream + Unpin>> Stream for LazyStream<F> {
    type Item = <F::Output as Stream>::Item;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            match &mut *self {
                Self::Starting(future) => *self = Self::Started(ready!(future.as_mut().poll(context))),
                Self::Started(stream) => return Pin::new(stream).poll_next(context),
            }
        }
    }
}

/// Stream types that a signature can name: boxes, which a [`TicketStream`] can replace.
#[diagnostic::on_unimplemented(
    message = "a ticket cannot be kept in `{Self}`",
    label = "not a stream that can be replaced",
    note = "`stream` needs `impl Stream`, `Pin<Box<dyn Stream>>` or `BoxStream`, alone or in a type whose name ends with `Result`; a plain function may return `impl Iterator` or `Box<dyn Iterator>`; in other types wrap the stream in `ratellmiter_core::call::attach(stream)`, without the option"
)]
pub trait NamedStream {
    /// The type itself.
    type Stream: Stream;
    /// Returns `self`.
    fn into_stream(self) -> Self::Stream;
}

/// Conversion of a stream `S` to the type `R` of the signature, implemented for that type.
pub trait RewrapAs<'a, S, R> {
    /// Boxes the stream.
    fn rewrap(stream: S) -> R;
}

/// A stream with its ticket, to be converted to the type of the signature.
///
/// Without this wrapper a signature that names no stream would cause a second error, since the type of the inner stream
/// is then unknown.
#[derive(Debug)]
pub struct Rewrapped<S>(pub S);

impl<S: Stream, L: FnMut(&S::Item) -> StreamItem> Rewrapped<TicketStream<Pin<Box<S>>, L>> {
    /// Returns the stream as the type of the signature.
    pub fn rewrapped<'a, R>(self) -> R
    where
        S: RewrapAs<'a, TicketStream<Pin<Box<S>>, L>, R>,
    {
        S::rewrap(self.0)
    }
}

impl<F, S: Stream, L> Rewrapped<LazyStream<F>>
where
    F: Future<Output = TicketStream<Pin<Box<S>>, L>>,
    L: FnMut(&S::Item) -> StreamItem,
{
    /// Returns the stream as the type of the signature.
    pub fn rewrapped<'a, R>(self) -> R
    where
        S: RewrapAs<'a, LazyStream<F>, R>,
    {
        S::rewrap(self.0)
    }
}

macro_rules! named_streams {
    ($($auto:ident)*) => {
        #[diagnostic::do_not_recommend]
        impl<'a, I> NamedStream for Pin<Box<dyn Stream<Item = I> $(+ $auto)* + 'a>> {
            type Stream = Self;
            fn into_stream(self) -> Self {
                self
            }
        }

        impl<'a, S: Stream $(+ $auto)* + 'a> RewrapAs<'a, S, Self> for Pin<Box<dyn Stream<Item = S::Item> $(+ $auto)* + 'a>> {
            fn rewrap(stream: S) -> Self {
                Box::pin(stream)
            }
        }
    };
}

named_streams!();
named_streams!(Send);
named_streams!(Send Sync);

/// Returns the conversion of a rejection to the return type `$out` of a function, or `None` if the type has none.
#[doc(hidden)]
#[macro_export]
macro_rules! __rejection {
    ($out:ty) => {{
        use $crate::__private::{CanFail as _, CannotFail as _};
        (&&$crate::__private::Outcome::<$out>::NEW).ratellmiter_rejection()
    }};
}

/// Returns the result `$out` of a refused attempt, or a stand-in for it.
#[doc(hidden)]
#[macro_export]
macro_rules! __kept {
    ($out:expr, $can_fail:expr) => {{
        use $crate::__private::{KeepNothing as _, KeepSend as _};
        (&&$crate::__private::Refused::new($out)).ratellmiter_kept($can_fail)
    }};
}
