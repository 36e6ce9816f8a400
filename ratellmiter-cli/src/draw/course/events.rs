//! The events of a run.

use crate::series::{Second, Series};

/// An event in a second.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Event {
    /// Offset.
    pub(crate) at: u64,
    pub(crate) mark: Mark,
    /// Number of events of this kind in the second.
    pub(crate) count: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mark {
    Refusal,
    /// Refusal because of an overloaded server.
    Overload,
    /// A call that was sent in a pause and refused.
    RefusedCanary,
    /// The call whose success ended a pause.
    AcceptedCanary,
    /// Start of a span in which the limiter is closed.
    Closed,
}

impl Mark {
    pub(crate) const ALL: [Self; 5] =
        [Self::Refusal, Self::Overload, Self::RefusedCanary, Self::AcceptedCanary, Self::Closed];

    /// Returns the name, in the plural unless `count` is 1.
    pub(crate) fn name(self, count: u64) -> &'static str {
        match (self, count) {
            (Self::Refusal, 1) => "refusal",
            (Self::Refusal, _) => "refusals",
            (Self::Overload, 1) => "overload",
            (Self::Overload, _) => "overloads",
            (Self::RefusedCanary, 1) => "refused canary",
            (Self::RefusedCanary, _) => "refused canaries",
            (Self::AcceptedCanary, 1) => "accepted canary",
            (Self::AcceptedCanary, _) => "accepted canaries",
            (Self::Closed, 1) => "closing",
            (Self::Closed, _) => "closings",
        }
    }
}

/// Returns the events of a series, in the order of time.
pub(crate) fn of(series: &Series) -> Vec<Event> {
    let mut events = Vec::new();
    let mut before: Option<&Second> = None;
    let mut push = |second: &Second, mark, count| {
        if count > 0 {
            events.push(Event { at: second.at - series.start(), mark, count });
        }
    };
    for second in series.seconds() {
        let refused = second.newly_refused(before.replace(second));
        push(second, Mark::Refusal, refused.saturating_sub(second.overloaded.into()));
        push(second, Mark::Overload, second.overloaded.into());
    }
    let seconds = series.seconds();
    for row in canaries(seconds).collect::<Vec<_>>() {
        // At the end of a log the outcome may be unknown.
        let outcome = is_accepted(&seconds[row..]);
        let mark = outcome.map(|accepted| if accepted { Mark::AcceptedCanary } else { Mark::RefusedCanary });
        mark.into_iter().for_each(|mark| push(&seconds[row], mark, 1));
    }
    let closed = series.closed_spans();
    events.extend(closed.iter().map(|span| Event { at: span.from - series.start(), mark: Mark::Closed, count: 1 }));
    events.sort_by_key(|event| event.at);
    events
}

/// Returns the rows in which a canary was sent: the ones with a call in a pause, after its first second, and the first one with a
/// call after a pause in which no canary is awaited.
fn canaries(seconds: &[Second]) -> impl Iterator<Item = usize> {
    let mut is_due = false;
    let mut was_paused = false;
    let is_canary = move |second: &Second| {
        let (is_paused, is_sent) = (second.is_paused() && second.has_details, second.issued() > 0);
        // A call that begins another pause is not one.
        let is_in_pause = is_paused && was_paused && second.pauses == 0;
        let is_canary = is_sent && (is_due || is_in_pause);
        is_due = if is_paused {
            // After a refusal another canary is due.
            second.refused() > 0 || (!is_canary && (is_due || !was_paused))
        } else {
            is_due && !is_sent && second.closed.is_none()
        };
        was_paused = is_paused;
        is_canary
    };
    seconds.iter().map(is_canary).enumerate().filter_map(|(row, is_canary)| is_canary.then_some(row))
}

/// Returns `true` if the canary of the first row was accepted; `None` if the log ends before its outcome.
fn is_accepted(rows: &[Second]) -> Option<bool> {
    let is_over = |second: &Second| !second.is_paused() && second.closed.is_none();
    let outcome = rows.iter().find(|second| second.refused() > 0 || !second.is_paused())?;
    // A refusal that begins another pause is not that of the canary.
    Some(is_over(outcome) || outcome.pauses > 0)
}
