//! What is known of the errors of client crates: one small file for each, behind a feature.

use std::error::Error;

use super::Verdict;

#[cfg(feature = "reqwest")]
mod reqwest;

/// The verdict on one link of a source chain, if it belongs to a client that is known.
pub(super) fn verdict(error: &(dyn Error + 'static)) -> Option<Verdict> {
    let _ = error;
    #[cfg(feature = "reqwest")]
    if let Some(verdict) = reqwest::verdict(error) {
        return Some(verdict);
    }
    None
}

/// The verdict on a status of which nothing else is known.
#[cfg(feature = "reqwest")]
fn by_status(status: u16) -> Verdict {
    match status {
        429 => Verdict::REFUSED,
        // 529 is Anthropic's "overloaded" (platform.claude.com/docs/en/api/errors, September 2026); 503 is everybody's.
        503 | 529 => Verdict::Overloaded { retry_after: None },
        _ => Verdict::Failed,
    }
}
