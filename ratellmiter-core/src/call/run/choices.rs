//! The choices of a [`Runner`](super::Runner): how errors and values are classified, how the usage is read, and whether a
//! call can be rejected. The module is private, so that the traits are sealed.
//!
//! The types of a call are generic here, so the known types are found at compile time only as far as traits do not overlap;
//! values are found at run time. The attribute has the concrete types, see [`dispatch`](crate::judge::dispatch).
#![allow(unnameable_types)]

use std::{convert::Infallible, error::Error, future::Future, ops::DerefMut};

use crate::{
    call::Call,
    judge::{
        Classification, Judged, Verdict,
        dispatch::Dynamic,
        error_chain::{by_chain, by_chain_of, by_text},
        known_values,
    },
    limits::request::Rejected,
    providers::usage::Usage,
};

/// The types that the library knows.
#[derive(Debug, Clone, Copy)]
pub struct Known;

/// A closure of the user.
#[derive(Debug, Clone, Copy)]
pub struct ByClosure<F>(pub(super) F);

/// The classification of errors of type `E`. `M` is inferred.
#[diagnostic::on_unimplemented(
    message = "errors of type `{E}` are not classified by this runner",
    label = "`{E}` is not classified",
    note = "without `classify`, types that implement `std::error::Error`, `anyhow::Error`, `eyre::Report`, `Box<dyn Error>`, `String` and `&str` are classified",
    note = "`classify` takes a reference to the error of the call and returns a `Verdict` or an `Option<Verdict>`"
)]
pub trait ClassifyError<E, M> {
    /// Returns the classification of `error`.
    fn classify_error(&self, error: &E) -> Classification;
}

impl<E: KnownError<M>, M> ClassifyError<E, M> for Known {
    fn classify_error(&self, error: &E) -> Classification {
        Classification::of_error::<E>(error.known_verdict())
    }
}

impl<E, V: Into<Option<Verdict>>, F: Fn(&E) -> V> ClassifyError<E, ()> for ByClosure<F> {
    fn classify_error(&self, error: &E) -> Classification {
        match (self.0)(error).into() {
            Some(verdict) => Classification::decided(verdict),
            None => Classification::of_error::<E>(None),
        }
    }
}

/// The errors that are classified without a closure. `M` tells apart the implementations for classes of types, of which one
/// applies to each type.
#[diagnostic::on_unimplemented(
    message = "errors of type `{Self}` are not classified by `run`",
    label = "`{Self}` is not classified",
    note = "`run` classifies types that implement `std::error::Error`, `anyhow::Error`, `eyre::Report`, `Box<dyn Error>`, `String` and `&str`",
    note = "for another type use `limiter.runner().classify(..)`, with a closure from `&{Self}` to a `ratellmiter_core::Verdict`, or with `Classify::verdict` if the type implements `ratellmiter_core::Classify`"
)]
pub trait KnownError<M> {
    /// Returns the verdict on the error, if it is recognised.
    fn known_verdict(&self) -> Option<Judged>;
}

/// Marks errors that have a source chain.
#[derive(Debug)]
pub struct BySource;

impl<E: Error + 'static> KnownError<BySource> for E {
    fn known_verdict(&self) -> Option<Judged> {
        by_chain_of(self)
    }
}

/// Marks boxes and reports that contain an error.
#[derive(Debug)]
pub struct ByTarget;

// `Arc<dyn Error>` and `&dyn Error` are errors themselves, and no `DerefMut`.
impl<E: DerefMut<Target: Dynamic>> KnownError<ByTarget> for E {
    fn known_verdict(&self) -> Option<Judged> {
        by_chain(self.as_error())
    }
}

/// Marks texts.
#[derive(Debug)]
pub struct ByText;

impl KnownError<ByText> for String {
    fn known_verdict(&self) -> Option<Judged> {
        by_text(self)
    }
}

impl KnownError<ByText> for &str {
    fn known_verdict(&self) -> Option<Judged> {
        by_text(self)
    }
}

/// The classification of the values of `Ok`.
#[diagnostic::on_unimplemented(
    message = "values of type `{T}` are not classified by this `classify_ok`",
    label = "the closure of `classify_ok` does not fit `{T}`",
    note = "`classify_ok` takes a reference to the value of `Ok` and returns a `Verdict` or an `Option<Verdict>`"
)]
pub trait ClassifyOk<T> {
    /// Returns the classification of `value`.
    fn classify_ok(&self, value: &T) -> Classification;
}

impl<T: 'static> ClassifyOk<T> for Known {
    fn classify_ok(&self, value: &T) -> Classification {
        known_values::classification(value).unwrap_or_else(|| Classification::decided(Verdict::Success))
    }
}

impl<T, V: Into<Option<Verdict>>, F: Fn(&T) -> V> ClassifyOk<T> for ByClosure<F> {
    fn classify_ok(&self, value: &T) -> Classification {
        Classification::decided((self.0)(value).into().unwrap_or(Verdict::Success))
    }
}

/// The return types of a user's `usage`.
#[diagnostic::on_unimplemented(
    message = "`usage` must return a `Usage` or an `Option<Usage>`, not `{Self}`",
    label = "returns `{Self}`",
    note = "`ratellmiter_core::Usage::new(input, output)` creates one from two numbers"
)]
pub trait IntoUsage {
    /// Returns the usage, if it is known.
    fn into_usage(self) -> Option<Usage>;
}

impl IntoUsage for Usage {
    fn into_usage(self) -> Option<Usage> {
        Some(self)
    }
}

impl IntoUsage for Option<Usage> {
    fn into_usage(self) -> Option<Usage> {
        self
    }
}

/// A reading of the usage from values of type `T`.
#[diagnostic::on_unimplemented(
    message = "the usage of `{T}` is not read by this `usage`",
    label = "the closure of `usage` does not fit `{T}`",
    note = "`usage` takes a reference to the value of `Ok` and returns a `Usage` or an `Option<Usage>`"
)]
pub trait ReadUsage<T> {
    /// Returns the usage that `value` reports.
    fn read(&self, value: &T) -> Option<Usage>;
}

impl<T: 'static> ReadUsage<T> for Known {
    fn read(&self, value: &T) -> Option<Usage> {
        known_values::usage(value)
    }
}

impl<T, V: IntoUsage, F: Fn(&T) -> V> ReadUsage<T> for ByClosure<F> {
    fn read(&self, value: &T) -> Option<Usage> {
        (self.0)(value).into_usage()
    }
}

/// The bounds of a call, whose error is of type `E`.
#[diagnostic::on_unimplemented(
    message = "`{E}` cannot be created from a rejection",
    label = "a bound on waiting needs `From<ratellmiter_core::Rejected>` for `{E}`",
    note = "`max_wait`, `max_queue`, `deadline` and `bounded` reject calls with the error of the call: implement `From<ratellmiter_core::Rejected>` for its type; `anyhow::Error` and `Box<dyn Error>` have it"
)]
pub trait Bounds<E> {
    /// The limiter's own bounds apply.
    const CAN_REJECT: bool;
    /// A rejection.
    type Rejection;
    /// The result of a refused attempt, while the call is queued again.
    type Kept<T>;

    /// Waits for a ticket.
    fn acquire(call: &mut Call) -> impl Future<Output = Result<(), Self::Rejection>> + Send;

    /// Returns a rejection as the error of the call.
    fn error(rejection: Self::Rejection) -> E;

    /// Keeps the result of a refused attempt.
    fn keep<T>(refused: Result<T, E>) -> Self::Kept<T>;

    /// Returns the result of a call that was refused and then rejected.
    fn rejected<T>(kept: Self::Kept<T>, rejection: Self::Rejection) -> Result<T, E>;
}

/// The call waits until it can be sent.
#[derive(Debug, Clone, Copy)]
pub struct Unbounded;

impl<E> Bounds<E> for Unbounded {
    const CAN_REJECT: bool = false;
    type Rejection = Infallible;
    type Kept<T> = ();

    async fn acquire(call: &mut Call) -> Result<(), Infallible> {
        // A call without bounds that cannot fail is not rejected.
        let _ = call.acquire().await;
        Ok(())
    }

    fn error(rejection: Infallible) -> E {
        match rejection {}
    }

    fn keep<T>(_: Result<T, E>) {}

    fn rejected<T>((): (), rejection: Infallible) -> Result<T, E> {
        match rejection {}
    }
}

/// The call is rejected if it would wait too long, or if the limiter is closed.
#[derive(Debug, Clone, Copy)]
pub struct Bounded;

#[diagnostic::do_not_recommend]
impl<E: From<Rejected>> Bounds<E> for Bounded {
    const CAN_REJECT: bool = true;
    type Rejection = Rejected;
    type Kept<T> = Result<T, E>;

    async fn acquire(call: &mut Call) -> Result<(), Rejected> {
        call.acquire().await
    }

    fn error(rejection: Rejected) -> E {
        rejection.into()
    }

    fn keep<T>(refused: Result<T, E>) -> Result<T, E> {
        refused
    }

    fn rejected<T>(kept: Result<T, E>, _: Rejected) -> Result<T, E> {
        kept
    }
}
