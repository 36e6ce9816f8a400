//! Verdicts on errors: by the source chain, then by the texts in it.

use std::{
    error::Error,
    fmt::{self, Display, Write as _},
    iter,
    time::SystemTime,
};

use super::{
    classification::Judged,
    clients,
    rules::judge_with_status,
    text,
    transport::{is_closed_connection_text, is_failed_connection, is_failed_connection_text},
    verdict::Verdict,
};
use crate::limits::request::Rejected;

/// Maximum number of errors looked at in a source chain, in case it is circular.
pub(super) const MAX_CHAIN: usize = 64;

/// Maximum length of an error's text in bytes: some errors contain a whole page.
const MAX_TEXT_BYTES: usize = 64 << 10;

/// Returns the verdict on the first error in the source chain that belongs to a known client, or else on the first whose
/// text is recognised, or else on a connection that failed before a response began. Returns `None` if none of them is.
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
    by_chain(error).map(|judged| judged.verdict)
}

/// Returns the verdict on the first error in the source chain that belongs to a known client, or else on the first whose
/// text is recognised, or else on a connection that failed before a response began. A rejection by a limiter anywhere in
/// the chain is a failure.
pub(crate) fn by_chain(error: &(dyn Error + 'static)) -> Option<Judged> {
    let chain = || iter::successors(Some(error), |&error| error.source()).take(MAX_CHAIN);
    if chain().any(<dyn Error>::is::<Rejected>) {
        return Some(Judged::REJECTED);
    }
    let connection = || is_failed_connection(error).then_some(FAILED_CONNECTION);
    chain().find_map(clients::judged).or_else(|| chain().find_map(by_text)).or_else(connection)
}

const FAILED_CONNECTION: Judged = Judged::new(Verdict::transient(), None);

/// Returns the verdict on the text of an error, if it is recognised.
pub(crate) fn by_text<E: Display + ?Sized>(error: &E) -> Option<Judged> {
    let mut text = Truncated(String::new());
    // Fails once the text is long enough.
    let _ = write!(text, "{error}");
    if let Some(evidence) = text::evidence(&text.0) {
        return Some(judge_with_status(&evidence, SystemTime::now()));
    }
    // Also that of a transparent error, whose source chain does not contain the rejection itself.
    if Rejected::is_in_text(&text.0) {
        return Some(Judged::REJECTED);
    }
    if is_closed_connection_text(&text.0) {
        return Some(Judged { is_closed_connection: true, ..FAILED_CONNECTION });
    }
    is_failed_connection_text(&text.0).then_some(FAILED_CONNECTION)
}

/// The first [`MAX_TEXT_BYTES`] of a text.
struct Truncated(String);

impl fmt::Write for Truncated {
    fn write_str(&mut self, part: &str) -> fmt::Result {
        let end = part.floor_char_boundary(MAX_TEXT_BYTES.saturating_sub(self.0.len()).min(part.len()));
        self.0.push_str(&part[..end]);
        if end < part.len() { Err(fmt::Error) } else { Ok(()) }
    }
}
