//! Chooses how a return value is classified, by its type.
//!
//! A response is classified by its status, and by its body if that has been read; an error by [`Classify`], else by its source
//! chain, else by its text and its fields.
//!
//! The choice is made where the attribute expands, since only there the types are concrete. The hidden macro
//! `__classification!` calls a method that several traits offer, each on one more reference to [`Dispatch`] than the next.
//! Method lookup takes the first that applies. The methods have names that no trait of the user has, since one that is implemented
//! for all types would compete with them. For the same reason the macros import no name.

use std::{
    convert::Infallible,
    error::Error,
    fmt::{Debug, Display},
    ops::Deref,
};

use futures_core::Stream;

use super::{
    classification::Classification,
    classify::{Classify, Response, ResponseBody, StreamedAnswer},
    error_chain::{by_chain, by_chain_of, by_fields, by_text, by_text_and_fields},
    verdict::Verdict,
};
use crate::providers::usage::{HasUsage, Usage};

/// A reference to a value that is to be classified.
#[derive(Debug)]
pub struct Dispatch<'a, T: ?Sized>(pub &'a T);

/// Splits a `Result` into its two sides.
pub trait AsResult {
    /// The type of `Ok`.
    type Ok;
    /// The type of `Err`.
    type Err;
    /// Returns the result by reference.
    #[allow(clippy::missing_errors_doc)]
    fn ratellmiter_sides(&self) -> Result<&Self::Ok, &Self::Err>;
}

impl<T, E> AsResult for &Dispatch<'_, Result<T, E>> {
    type Ok = T;
    type Err = E;
    fn ratellmiter_sides(&self) -> Result<&T, &E> {
        self.0.as_ref()
    }
}

/// Treats any other value as an `Ok`.
pub trait AsValue {
    /// The type of the value.
    type Ok;
    /// Never constructed.
    type Err;
    /// Returns `Ok` with the value by reference.
    #[allow(clippy::missing_errors_doc)]
    fn ratellmiter_sides(&self) -> Result<&Self::Ok, &Self::Err>;
}

impl<T> AsValue for Dispatch<'_, T> {
    type Ok = T;
    type Err = Infallible;
    fn ratellmiter_sides(&self) -> Result<&T, &Infallible> {
        Ok(self.0)
    }
}

/// Classifies a successful value that is a response with a body that has been read.
pub trait OkByBody {
    /// Returns the classification.
    fn ratellmiter_classify_ok(&self) -> Classification;
}

impl<B: ResponseBody> OkByBody for &&Dispatch<'_, http::Response<B>> {
    fn ratellmiter_classify_ok(&self) -> Classification {
        Classification::of_response_with_body(self.0)
    }
}

/// Classifies a successful value that is a response.
pub trait OkByResponse {
    /// Returns the classification.
    fn ratellmiter_classify_ok(&self) -> Classification;
}

impl<T: Response> OkByResponse for &Dispatch<'_, T> {
    fn ratellmiter_classify_ok(&self) -> Classification {
        Classification::of_response(self.0)
    }
}

/// Classifies any other successful value.
pub trait OkByNothing {
    /// Returns the classification.
    fn ratellmiter_classify_ok(&self) -> Classification;
}

impl<T> OkByNothing for Dispatch<'_, T> {
    fn ratellmiter_classify_ok(&self) -> Classification {
        Classification::decided(Verdict::Success)
    }
}

/// Reads the usage from a successful value that shows it.
pub trait UsageOfValue {
    /// Returns the usage, if the value has it.
    fn ratellmiter_usage_of_ok(&self) -> Option<Usage>;
}

impl<T: HasUsage> UsageOfValue for &Dispatch<'_, T> {
    fn ratellmiter_usage_of_ok(&self) -> Option<Usage> {
        self.0.usage()
    }
}

/// Stands in for any other successful value.
pub trait UsageOfNothing {
    /// Returns `None`.
    fn ratellmiter_usage_of_ok(&self) -> Option<Usage>;
}

impl<T> UsageOfNothing for Dispatch<'_, T> {
    fn ratellmiter_usage_of_ok(&self) -> Option<Usage> {
        None
    }
}

/// Finds that a successful value is a stream.
pub trait IsStream {
    /// Returns `true`.
    fn ratellmiter_is_stream(&self) -> bool;
}

impl<T: Stream> IsStream for &&Dispatch<'_, T> {
    fn ratellmiter_is_stream(&self) -> bool {
        true
    }
}

/// Finds that a successful value contains the stream of a client.
pub trait ContainsStream {
    /// Returns `true`.
    fn ratellmiter_is_stream(&self) -> bool;
}

impl<T: StreamedAnswer> ContainsStream for &Dispatch<'_, T> {
    fn ratellmiter_is_stream(&self) -> bool {
        true
    }
}

/// Stands in for any other successful value.
pub trait IsNoStream {
    /// Returns `false`.
    fn ratellmiter_is_stream(&self) -> bool;
}

impl<T> IsNoStream for Dispatch<'_, T> {
    fn ratellmiter_is_stream(&self) -> bool {
        false
    }
}

/// Classifies an error that is [`Classify`].
pub trait ByClassify {
    /// Returns the classification.
    fn ratellmiter_classify_error(&self) -> Classification;
}

impl<E: Classify> ByClassify for &&&&&&Dispatch<'_, E> {
    fn ratellmiter_classify_error(&self) -> Classification {
        match self.0.client_error() {
            Some(error) => Classification::of_error::<E>(by_chain(error)),
            None => Classification::of_type::<E>(self.0.verdict()),
        }
    }
}

/// Classifies an error that has a source chain.
pub trait BySource {
    /// Returns the classification.
    fn ratellmiter_classify_error(&self) -> Classification;
}

impl<E: Error + 'static> BySource for &&&&&Dispatch<'_, E> {
    fn ratellmiter_classify_error(&self) -> Classification {
        Classification::of_error::<E>(by_chain_of(self.0))
    }
}

/// Classifies a box or a report that contains an error: `Box<dyn Error>`, `anyhow::Error`, `eyre::Report`.
pub trait ByTarget {
    /// Returns the classification.
    fn ratellmiter_classify_error(&self) -> Classification;
}

impl<E: Deref<Target: Dynamic>> ByTarget for &&&&Dispatch<'_, E> {
    fn ratellmiter_classify_error(&self) -> Classification {
        Classification::of_error::<E>(by_chain(self.0.deref().as_error()))
    }
}

/// Classifies an error that has a text, and a `Debug` that may show its fields.
pub trait ByTextAndFields {
    /// Returns the classification.
    fn ratellmiter_classify_error(&self) -> Classification;
}

impl<E: Display + Debug> ByTextAndFields for &&&Dispatch<'_, E> {
    fn ratellmiter_classify_error(&self) -> Classification {
        Classification::of_error::<E>(by_text_and_fields(self.0))
    }
}

/// Classifies an error that has a text.
pub trait ByText {
    /// Returns the classification.
    fn ratellmiter_classify_error(&self) -> Classification;
}

impl<E: Display> ByText for &&Dispatch<'_, E> {
    fn ratellmiter_classify_error(&self) -> Classification {
        Classification::of_error::<E>(by_text(self.0))
    }
}

/// Classifies an error without a text, by the fields that its `Debug` may show.
pub trait ByFields {
    /// Returns the classification.
    fn ratellmiter_classify_error(&self) -> Classification;
}

impl<E: Debug> ByFields for &Dispatch<'_, E> {
    fn ratellmiter_classify_error(&self) -> Classification {
        Classification::of_error::<E>(by_fields(self.0))
    }
}

/// Classifies any other error as not recognised.
pub trait ByNothing {
    /// Returns the classification.
    fn ratellmiter_classify_error(&self) -> Classification;
}

impl<E> ByNothing for Dispatch<'_, E> {
    fn ratellmiter_classify_error(&self) -> Classification {
        Classification::of_error::<E>(None)
    }
}

/// The kinds of `dyn Error`.
pub trait Dynamic {
    /// Returns the error without its auto traits.
    fn as_error(&self) -> &(dyn Error + 'static);
}

impl Dynamic for dyn Error {
    fn as_error(&self) -> &(dyn Error + 'static) {
        self
    }
}

impl Dynamic for dyn Error + Send {
    fn as_error(&self) -> &(dyn Error + 'static) {
        self
    }
}

impl Dynamic for dyn Error + Send + Sync {
    fn as_error(&self) -> &(dyn Error + 'static) {
        self
    }
}

#[cfg(test)]
mod tests;
