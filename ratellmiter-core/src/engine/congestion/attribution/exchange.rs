//! The results of all processes of a fleet.

use super::{Attribution, Results};

impl Attribution {
    /// Returns the results of this process for a report, or `None` before the first refusal.
    pub(crate) fn report(&self) -> Option<[f64; 5]> {
        let Results { accepted, recovered, responsible, unresolved, repeated } = self.results;
        let results = [accepted, recovered, responsible, unresolved, repeated];
        results.iter().any(|count| *count > 0.0).then_some(results)
    }

    /// Applies the sums of the `results` of the other processes.
    pub(crate) fn apply(&mut self, results: Option<[f64; 5]>) {
        let [accepted, recovered, responsible, unresolved, repeated] = results.unwrap_or_default();
        self.others = Results { accepted, recovered, responsible, unresolved, repeated };
    }

    /// Forgets the results of other processes.
    pub(crate) fn leave_fleet(&mut self) {
        self.others = Results::default();
    }
}
