//! The times at which the next calls may go, as they were leased.

use std::{collections::VecDeque, time::Duration};

/// Some at even distances.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Span {
    next: Duration,
    gap: Duration,
    left: u64,
}

/// In order.
#[derive(Debug, Default)]
pub(super) struct Slots(VecDeque<Span>);

impl Slots {
    /// When the first is.
    pub(super) fn due(&self) -> Option<Duration> {
        self.0.front().map(|span| span.next)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn len(&self) -> u64 {
        self.0.iter().map(|span| span.left).sum()
    }

    /// So many more after the others, of which the first is at `next`.
    pub(super) fn push(&mut self, next: Duration, gap: Duration, left: u64) {
        if left > 0 {
            self.0.push_back(Span { next, gap, left });
        }
    }

    /// One more, before the others.
    pub(super) fn push_first(&mut self, at: Duration) {
        self.0.push_front(Span { next: at, gap: Duration::ZERO, left: 1 });
    }

    /// The first is used.
    pub(super) fn take(&mut self) {
        if let Some(span) = self.0.front_mut() {
            span.left -= 1;
            span.next += span.gap;
            if span.left == 0 {
                self.0.pop_front();
            }
        }
    }

    /// Lets go of those before `time`; how many there were.
    pub(super) fn drop_before(&mut self, time: Duration) -> u64 {
        let mut dropped = 0;
        while self.due().is_some_and(|due| due < time) {
            self.take();
            dropped += 1;
        }
        dropped
    }

    /// Keeps the first so many; how many are gone.
    pub(super) fn keep(&mut self, most: u64) -> u64 {
        let mut over = self.len().saturating_sub(most);
        let dropped = over;
        while over > 0
            && let Some(last) = self.0.back_mut()
        {
            let gone = last.left.min(over);
            last.left -= gone;
            over -= gone;
            if last.left == 0 {
                self.0.pop_back();
            }
        }
        dropped
    }
}
