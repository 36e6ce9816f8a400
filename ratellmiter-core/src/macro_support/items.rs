//! The items of streams and iterators in an expansion.

use futures_core::Stream;

use super::{Classification, ItemClassification, Items};
use crate::{call::run::choices::IntoUsage, providers::usage::Usage};

/// Returns the type of the items of a stream.
#[must_use]
pub fn items_of_stream<S: Stream>(_: &S) -> Items<S::Item> {
    Items::NEW
}

/// Returns the type of the items of an iterator.
#[must_use]
pub fn items_of_iterator<I: Iterator>(_: &I) -> Items<I::Item> {
    Items::NEW
}

/// Returns `stream`, and lets the compiler check that its items are of type `T`.
pub fn stream_of<T, S: Stream<Item = T>>(stream: S) -> S {
    stream
}

/// Returns `iterator`, and lets the compiler check that its items are of type `T`.
pub fn iterator_of<T, I: Iterator<Item = T>>(iterator: I) -> I {
    iterator
}

/// Returns the reading of the usage of items by the user's `usage`. There is one for each attempt, so that it may keep a state.
pub fn usage_by_item<T, U: IntoUsage>(_: Items<T>, mut usage: impl FnMut(&T) -> U) -> impl FnMut(&T) -> Option<Usage> {
    move |value| usage(value).into_usage()
}

/// Returns the classification of an item, and its usage.
#[must_use]
pub fn item(classification: Classification, usage: Option<Usage>) -> ItemClassification {
    ItemClassification { classification, usage, fallback: None }
}

/// Returns the classification of an item with the usage `by_user`. `usage` counts if the user's reading finds none.
#[must_use]
pub fn item_by_user(
    classification: Classification,
    usage: Option<Usage>,
    by_user: Option<Usage>,
) -> ItemClassification {
    ItemClassification { classification, usage: by_user, fallback: usage }
}

/// Iterator types that a signature can name: boxes, which a [`TicketIterator`](crate::stream::TicketIterator) can replace.
pub trait NamedIterator {
    /// The type itself.
    type Iterator: Iterator;
    /// Returns `self`.
    fn into_named(self) -> Self::Iterator;
}

/// Conversion of an iterator `I` to the type `Self` of the signature.
pub trait BoxedIterator<'a, I> {
    /// Boxes the iterator.
    fn boxed(iterator: I) -> Self;
}

/// Returns an iterator with its ticket as the type of the signature.
pub fn rewrapped_iterator<'a, I, R: BoxedIterator<'a, I>>(iterator: I) -> R {
    R::boxed(iterator)
}

macro_rules! named_iterators {
    ($($auto:ident)*) => {
        impl<'a, T> NamedIterator for Box<dyn Iterator<Item = T> $(+ $auto)* + 'a> {
            type Iterator = Self;
            fn into_named(self) -> Self {
                self
            }
        }

        impl<'a, I: Iterator $(+ $auto)* + 'a> BoxedIterator<'a, I> for Box<dyn Iterator<Item = I::Item> $(+ $auto)* + 'a> {
            fn boxed(iterator: I) -> Self {
                Box::new(iterator)
            }
        }
    };
}

named_iterators!();
named_iterators!(Send);
named_iterators!(Send Sync);

/// Returns the type of the values in items, whose type is that of `$items`.
#[doc(hidden)]
#[macro_export]
macro_rules! __items {
    ($items:expr) => {{
        use $crate::__private::{ResultItems as _, ValueItems as _};
        (&&$items).ratellmiter_ok()
    }};
}

/// Classifies the item that the reference `$item` points to, and reads its usage. `$events` reads the pieces of a body. With
/// `$by`, the usage is `$by` evaluated with the value of `Ok` as `$value`.
#[doc(hidden)]
#[macro_export]
macro_rules! __stream_item {
    ($events:expr, $item:expr) => {{
        $crate::__stream_item!(@ $events, $item, value, piece, {
            use $crate::__private::{UsageOfNothing as _, UsageOfValue as _};
            match piece {
                $crate::__private::Option::Some((classification, usage)) => {
                    $crate::__private::item(classification, usage)
                }
                $crate::__private::Option::None => {
                    $crate::__private::item((&&$crate::__private::Dispatch(value)).ratellmiter_classify_ok(), (&&$crate::__private::Dispatch(value)).ratellmiter_usage_of_ok())
                }
            }
        })
    }};
    ($events:expr, $item:expr, $value:ident => $by:expr) => {{
        $crate::__stream_item!(@ $events, $item, $value, piece, {
            let by_user = $by;
            match piece {
                $crate::__private::Option::Some((classification, usage)) => {
                    $crate::__private::item_by_user(classification, usage, by_user)
                }
                $crate::__private::Option::None => {
                    $crate::__private::item((&&$crate::__private::Dispatch($value)).ratellmiter_classify_ok(), by_user)
                }
            }
        })
    }};
    (@ $events:expr, $item:expr, $value:ident, $piece:ident, $read:block) => {{
        use $crate::__private::{
            AsResult as _, AsValue as _, LeaveItem as _, LeaveResponse as _, LeaveUsage as _, OkByNothing as _, OkByResponse as _,
            ReadBytes as _, ReadChunk as _, ReadText as _,
        };
        match (&&$crate::__private::Dispatch($item)).ratellmiter_sides() {
            $crate::__private::Ok($value) => {
                let $piece = (&&&&&&$crate::__private::Dispatch($value)).ratellmiter_read_piece($events);
                $read
            }
            $crate::__private::Err(error) => {
                let classification = $crate::__private::error_classification!(error);
                $crate::__private::item(classification, $crate::__private::Option::None)
            }
        }
    }};
}
