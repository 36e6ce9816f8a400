//! What has been charged, and when.

use std::{ops::Range, time::Duration};

use super::{Unit, charging::Charge};

/// All charges of a run, those that are given back among them.
#[derive(Debug, Clone, Default)]
pub(super) struct Ledger {
    entries: Vec<(Duration, Charge)>,
}

impl Ledger {
    pub(super) fn add(&mut self, at: Duration, charge: Charge) {
        if charge != Charge::default() {
            self.entries.push((at, charge));
        }
    }

    /// What was charged in that time, less what was given back in it.
    pub(super) fn charged(&self, unit: Unit, time: &Range<Duration>) -> u64 {
        let entries = self.entries.iter().filter(|(at, _)| time.contains(at));
        entries.map(|(_, charge)| charge.of(unit)).sum::<i64>().max(0).unsigned_abs()
    }

    /// The most that was charged in any stretch of this width, its end not among it.
    pub(super) fn most(&self, unit: Unit, width: Duration) -> u64 {
        let entries = self.entries.iter().filter(|(_, charge)| charge.of(unit) != 0);
        let mut steps: Vec<_> = entries
            .flat_map(|(at, charge)| [(*at, charge.of(unit)), (at.saturating_add(width), -charge.of(unit))])
            .collect();
        steps.sort_unstable();
        let mut total = 0;
        let totals = steps.chunk_by(|one, other| one.0 == other.0).map(|steps| {
            total += steps.iter().map(|(_, charge)| charge).sum::<i64>();
            total
        });
        totals.max().unwrap_or(0).max(0).unsigned_abs()
    }
}
