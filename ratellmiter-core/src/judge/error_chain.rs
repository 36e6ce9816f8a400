//! Verdicts on errors: by the source chain, then by the texts in it, then by the fields that its `Debug` shows.

use std::{
    error::Error,
    fmt::{Debug, Display},
    io, iter,
    sync::Arc,
    time::SystemTime,
};

use super::{
    classification::Judged,
    clients,
    fields::{Fields, is_structure_without_response},
    rules::judge_with_status,
    text,
    transport::{is_closed_connection_text, is_failed_connection, is_failed_connection_text},
    truncated::{MAX_TEXT_BYTES, text_of, truncated},
    verdict::Verdict,
};
use crate::limits::request::Rejected;

/// Maximum number of errors looked at in a source chain, in case it is circular.
const MAX_CHAIN: usize = 64;

/// Returns an error as a `T`, also if it is boxed or shared: a box is not its own source.
pub(super) fn as_type<'a, T: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a T> {
    let boxed = || error.downcast_ref::<Box<T>>().map(|error| &**error);
    let shared = || error.downcast_ref::<Arc<T>>().map(|error| &**error);
    error.downcast_ref().or_else(boxed).or_else(shared)
}

/// Returns an error and its sources. The source of an I/O error is the error inside of it, of which [`Error::source`] returns
/// the source only: readers of blocking clients wrap the error of the client in that way.
pub(super) fn chain<'a>(error: Option<&'a (dyn Error + 'static)>) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    iter::successors(error, |&error| {
        let inner = as_type(error).and_then(io::Error::get_ref);
        inner.map(|inner| inner as &(dyn Error + 'static)).or_else(|| error.source())
    })
    .take(MAX_CHAIN)
}

/// Returns the verdict on the first error in the source chain that belongs to a known client, or else on the first whose
/// text is recognised, or else on the one whose derived `Debug` shows a status, or else on a connection that failed before a
/// response began. Returns `None` if none of them is.
///
/// If the source chain contains [`Rejected`], the verdict is [`Verdict::Failed`], whatever else it contains.
///
/// It is for a classification of your own of an error that contains others:
///
/// ```
/// use ratellmiter_core::{Classify, Verdict, classify::judge_error};
///
/// enum ApiError {
///     Client(Box<dyn std::error::Error>),
///     Empty,
/// }
///
/// impl Classify for ApiError {
///     fn verdict(&self) -> Verdict {
///         match self {
///             Self::Client(error) => judge_error(&**error).unwrap_or(Verdict::Failed),
///             Self::Empty => Verdict::Failed,
///         }
///     }
/// }
/// # assert_eq!(ApiError::Client("429 Too Many Requests".into()).verdict(), Verdict::rate_limited());
/// ```
#[must_use]
pub fn judge_error(error: &(dyn Error + 'static)) -> Option<Verdict> {
    by_chain(error)?.known_verdict()
}

/// Returns the verdict on the first error in the source chain that belongs to a known client, or else on the first whose
/// text is recognised, or else on the one whose fields contain a status, or else on a connection that failed before a
/// response began. A rejection by a limiter anywhere in the chain is a failure.
pub(crate) fn by_chain(error: &(dyn Error + 'static)) -> Option<Judged> {
    let chain = || chain(Some(error));
    if chain().any(|error| as_type::<Rejected>(error).is_some()) {
        return Some(Judged::REJECTED);
    }
    let connection = || is_failed_connection(error).then_some(FAILED_CONNECTION);
    if let Some(judged) = chain().find_map(clients::judged) {
        return Some(judged);
    }
    chain().for_each(clients::version::check);
    let texts = || chain().filter_map(|error| by_text_of(error, &text_of(error)));
    let known_text = texts().find(|judged| judged.known_verdict().is_some());
    // The status of an unknown body may be in the observed response.
    known_text.or_else(|| by_fields_of(chain())).or_else(connection).or_else(|| texts().next())
}

/// As [`by_chain`], for an error of a known type, by which another version of an enabled client is found.
pub(crate) fn by_chain_of<E: Error + 'static>(error: &E) -> Option<Judged> {
    clients::version::check_type::<E>();
    by_chain(error)
}

/// Returns the verdict on the error of a chain whose own fields contain the status, or else a known code. The fields of an
/// error show those of its sources as well, at more depth.
fn by_fields_of<'a>(chain: impl Iterator<Item = &'a (dyn Error + 'static)>) -> Option<Judged> {
    let fields = chain.filter_map(|error| {
        let fields = Fields::of(error).filter(Fields::are_refusal_or_failure)?;
        // A status outranks a code.
        Some((fields.status.map_or(usize::MAX, |(_, depth)| depth), error, fields))
    });
    let (_, error, fields) = fields.min_by_key(|(depth, ..)| *depth)?;
    Some(judge_with_status(&fields.evidence(&text_of(error))?, SystemTime::now()))
}

const FAILED_CONNECTION: Judged = Judged::new(Verdict::transient(), None);

/// Returns the verdict on the text of an error, if it is recognised.
pub(crate) fn by_text<E: Display + ?Sized>(error: &E) -> Option<Judged> {
    by_text_with(&text_of(error), || None)
}

/// Returns the verdict on the text of an error, completed by its fields, or else on its fields.
pub(crate) fn by_text_and_fields<E: Display + Debug + ?Sized>(error: &E) -> Option<Judged> {
    let text = text_of(error);
    by_text_of(error, &text).or_else(|| by_fields_with(error, &text))
}

/// Returns the verdict on the `text` of an error, completed by its fields. A number alone is none: only the name of a field
/// shows that it is a status, unless the error is a text itself.
fn by_text_of<E: Debug + ?Sized>(error: &E, text: &str) -> Option<Judged> {
    let is_number = text.trim().parse::<f64>().is_ok();
    if is_number && !truncated(format_args!("{error:?}"), MAX_TEXT_BYTES).contains('"') {
        return None;
    }
    by_text_with(text, || Fields::of(error))
}

/// Returns the verdict on the fields of an error that has no text.
pub(crate) fn by_fields<E: Debug + ?Sized>(error: &E) -> Option<Judged> {
    by_fields_with(error, "")
}

fn by_fields_with<E: Debug + ?Sized>(error: &E, text: &str) -> Option<Judged> {
    Some(judge_with_status(&Fields::of(error)?.evidence(text)?, SystemTime::now()))
}

/// Returns the verdict on the text of an error, completed by the `fields` of the same error.
fn by_text_with(text: &str, fields: impl FnOnce() -> Option<Fields>) -> Option<Judged> {
    let evidence = if is_structure_without_response(text) { None } else { text::evidence(text) };
    if let Some(evidence) = evidence {
        let evidence = match fields() {
            Some(fields) => fields.complete(evidence),
            None => evidence,
        };
        return Some(judge_with_status(&evidence, SystemTime::now()));
    }
    // Also that of a transparent error, whose source chain does not contain the rejection itself.
    if Rejected::is_in_text(text) {
        return Some(Judged::REJECTED);
    }
    // The text of an error that was formatted with `Debug`.
    if let Some(evidence) = Fields::of_text(text).and_then(|fields| fields.evidence(text)) {
        return Some(judge_with_status(&evidence, SystemTime::now()));
    }
    if is_closed_connection_text(text) {
        return Some(Judged { is_closed_connection: true, ..FAILED_CONNECTION });
    }
    is_failed_connection_text(text).then_some(FAILED_CONNECTION)
}
