//! The usage and the outcome that an item of a stream shows.

use std::error::Error;

use super::outcome::known_or_failed;
use crate::{
    judge::{Classification, Verdict, error_chain::by_chain},
    providers::usage::{HasUsage, Usage},
};

/// The usage and the outcome that one item of a stream shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct StreamItem {
    /// The usage of the call so far, in tokens. `None` if the item shows none.
    pub usage: Option<Usage>,
    /// The refusal or failure of the call. `None` if the item shows neither.
    pub verdict: Option<Verdict>,
    /// The usage that the item shows, for a stream in which the user's reading finds none.
    pub(super) fallback: Option<Usage>,
    /// The item is no part of the answer, so the usage of the item before it is still that of the whole call.
    pub(super) is_neutral: bool,
}

impl StreamItem {
    /// An item that shows neither usage nor outcome.
    pub const NOTHING: Self = Self { usage: None, verdict: None, fallback: None, is_neutral: false };

    /// Returns the usage of an item of a client's stream, or the verdict on its error.
    ///
    /// For [`usage_from`](crate::stream::TicketStream::usage_from), where the `stream` option of the attribute cannot be used.
    ///
    /// ```
    /// use ratellmiter_core::{stream::StreamItem, Usage, Verdict};
    ///
    /// let refused = std::io::Error::other("429 Too Many Requests");
    /// assert_eq!(StreamItem::of(&Err::<Usage, _>(refused)).verdict, Some(Verdict::RATE_LIMITED));
    /// ```
    #[must_use]
    pub fn of<T: HasUsage, E: Error + 'static>(item: &Result<T, E>) -> Self {
        match item {
            Ok(value) => value.usage().into(),
            Err(error) => Self::of_error(error),
        }
    }

    /// Returns the verdict on an error of a client's stream.
    pub(super) fn of_error(error: &(dyn Error + 'static)) -> Self {
        let judged = by_chain(error);
        let is_neutral = judged.is_some_and(|judged| judged.is_neutral);
        let verdict = judged.map_or(Verdict::Failed, |judged| judged.verdict);
        Self { is_neutral, ..Self::NOTHING.verdict(verdict) }
    }

    /// Sets the usage of the call so far.
    #[must_use]
    pub const fn usage(mut self, usage: Usage) -> Self {
        self.usage = Some(usage);
        self
    }

    /// Sets the outcome of the call.
    #[must_use]
    pub const fn verdict(mut self, verdict: Verdict) -> Self {
        self.verdict = Some(verdict);
        self
    }
}

impl From<Option<Usage>> for StreamItem {
    fn from(usage: Option<Usage>) -> Self {
        Self { usage, ..Self::NOTHING }
    }
}

/// The classification and the usage of one item of a stream.
#[doc(hidden)]
#[derive(Debug, Clone, Copy)]
pub struct ItemClassification {
    pub(crate) classification: Classification,
    pub(crate) usage: Option<Usage>,
    /// The usage that counts if no item has another.
    pub(crate) fallback: Option<Usage>,
}

/// Returns the function that reads the items of a stream with `classify_item`.
pub(super) fn observer<T, L: FnMut(&T) -> ItemClassification>(
    mut classify_item: L,
) -> impl FnMut(&T) -> StreamItem + use<T, L> {
    move |item: &T| {
        let ItemClassification { classification, usage, fallback } = classify_item(item);
        let verdict = known_or_failed(classification.verdict, &classification);
        StreamItem { usage, verdict: Some(verdict), fallback, is_neutral: classification.is_neutral }
    }
}
