//! The leased slots of a process.

use std::{collections::VecDeque, time::Duration};

/// Slots at equal distances.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Run {
    next: Duration,
    gap: Duration,
    left: u64,
}

/// Slots in the order of their times.
#[derive(Debug, Default)]
pub(super) struct Slots(VecDeque<Run>);

impl Slots {
    /// Returns the time of the first slot.
    pub(super) fn due(&self) -> Option<Duration> {
        self.0.front().map(|run| run.next)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn len(&self) -> u64 {
        self.0.iter().map(|run| run.left).sum()
    }

    /// Appends `left` slots at a distance of `gap`, the first of them at `next`.
    #[cfg(feature = "redis")]
    pub(super) fn push(&mut self, next: Duration, gap: Duration, left: u64) {
        if left > 0 {
            self.0.push_back(Run { next, gap, left });
        }
    }

    pub(super) fn push_first(&mut self, at: Duration) {
        self.0.push_front(Run { next: at, gap: Duration::ZERO, left: 1 });
    }

    pub(super) fn pop_first(&mut self) {
        if let Some(run) = self.0.front_mut() {
            run.left -= 1;
            run.next += run.gap;
            if run.left == 0 {
                self.0.pop_front();
            }
        }
    }

    /// Removes the slots before `time`. Returns their number.
    pub(super) fn drop_before(&mut self, time: Duration) -> u64 {
        let before = self.len();
        while self.due().is_some_and(|due| due < time) {
            self.pop_first();
        }
        before - self.len()
    }

    /// Removes all but the first `max` slots. Returns the number of removed slots.
    pub(super) fn keep(&mut self, max: u64) -> u64 {
        let (before, mut room) = (self.len(), max);
        self.0.retain_mut(|run| {
            run.left = run.left.min(room);
            room -= run.left;
            run.left > 0
        });
        before - self.len()
    }
}
