//! The spans in which a limiter was closed.

use ratellmiter_core::log::ClosedReason;
use serde::Serialize;

use crate::series::Second;

/// Span in which a limiter was closed for one reason. Times are in seconds since the epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(crate) struct ClosedSpan {
    /// First second.
    pub(crate) from: u64,
    /// Last second.
    pub(crate) to: u64,
    pub(crate) reason: ClosedReason,
    /// Time at which the limiter opened or, if the log ends before, is to open; `None` if it is not known.
    pub(crate) opens_at: Option<u64>,
    /// Calls rejected in the span.
    pub(crate) rejected: u64,
}

impl ClosedSpan {
    /// Returns the number of seconds.
    pub(crate) fn length(&self) -> u64 {
        (self.to - self.from).saturating_add(1)
    }
}

/// Returns the spans of `seconds`, which are in order.
///
/// A closed limiter whose calls are all rejected has no row in a second without calls. It stays closed in such a gap until
/// it opens, or until the next row.
pub(super) fn spans(seconds: &[Second]) -> Vec<ClosedSpan> {
    let mut spans: Vec<ClosedSpan> = Vec::new();
    let mut before: Option<&Second> = None;
    for second in seconds {
        let last = before.replace(second).filter(|last| last.closed.is_some());
        if let Some((last, span)) = last.zip(spans.last_mut()) {
            let opens_at = if last.opens_at == 0 { u64::MAX } else { last.opens_at };
            span.to = (second.at - 1).min(opens_at - 1).max(last.at);
            let is_open_between = second.at > opens_at.max(last.at + 1);
            if second.closed == Some(span.reason) && !is_open_between {
                span.to = second.at;
                span.opens_at = known(second.opens_at).or(span.opens_at);
                span.rejected = span.rejected.saturating_add(second.rejected.into());
                continue;
            }
            span.opens_at = (second.closed.is_none() || is_open_between).then_some(span.to + 1);
        }
        spans.extend(second.closed.map(|reason| ClosedSpan {
            from: second.at,
            to: second.at,
            reason,
            opens_at: known(second.opens_at),
            rejected: second.rejected.into(),
        }));
    }
    spans
}

fn known(opens_at: u64) -> Option<u64> {
    Some(opens_at).filter(|at| *at > 0)
}

#[cfg(test)]
mod tests;
