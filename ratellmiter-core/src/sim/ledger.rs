//! All charges of a run with their times.

use std::{ops::Range, time::Duration};

use super::{Unit, charging::Charge};

/// All charges and refunds of a run.
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

    /// Returns the sum of the charges less the refunds in `time`, at least 0.
    pub(super) fn charged(&self, unit: Unit, time: &Range<Duration>) -> u64 {
        let entries = self.entries.iter().filter(|(at, _)| time.contains(at));
        entries.map(|(_, charge)| charge.amount(unit)).sum::<i64>().max(0).unsigned_abs()
    }

    /// Returns the largest sum in any interval of `width`, whose end is exclusive.
    pub(super) fn max_charged(&self, unit: Unit, width: Duration) -> u64 {
        let entries = self.entries.iter().filter(|(_, charge)| charge.amount(unit) != 0);
        let mut steps: Vec<_> = entries
            .flat_map(|(at, charge)| [(*at, charge.amount(unit)), (at.saturating_add(width), -charge.amount(unit))])
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
