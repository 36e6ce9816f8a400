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
    /// The call that ends a pause.
    Canary,
    /// Start of a span in which the limiter is closed.
    Closed,
}

impl Mark {
    pub(crate) const ALL: [Self; 4] = [Self::Refusal, Self::Overload, Self::Canary, Self::Closed];

    /// Returns the name, in the plural unless `count` is 1.
    pub(crate) fn name(self, count: u64) -> &'static str {
        match (self, count) {
            (Self::Refusal, 1) => "refusal",
            (Self::Refusal, _) => "refusals",
            (Self::Overload, 1) => "overload",
            (Self::Overload, _) => "overloads",
            (Self::Canary, 1) => "canary",
            (Self::Canary, _) => "canaries",
            (Self::Closed, _) => "closed",
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
    canaries(series.seconds()).for_each(|second| push(second, Mark::Canary, 1));
    let closed = series.closed_spans();
    events.extend(closed.iter().map(|span| Event { at: span.from - series.start(), mark: Mark::Closed, count: 1 }));
    events.sort_by_key(|event| event.at);
    events
}

/// Returns the seconds in which a canary was sent: those with a call in a pause, after its first second, and the first one
/// with a call after a pause whose last second had none.
fn canaries(seconds: &[Second]) -> impl Iterator<Item = &Second> {
    let mut is_due = false;
    let mut was_paused = false;
    seconds.iter().filter(move |second| {
        let (is_paused, is_sent) = (second.is_paused() && second.has_details, second.issued() > 0);
        let is_canary = is_sent && (is_due || (is_paused && was_paused));
        is_due = if is_paused { !(is_sent && was_paused) } else { is_due && !is_sent && second.closed.is_none() };
        was_paused = is_paused;
        is_canary
    })
}
