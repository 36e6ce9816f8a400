//! Changes of limits.

use super::*;

fn set_limits(fleet: &mut Fleet, limits: Limits) {
    fleet.limits = limits;
    let now = fleet.now;
    fleet.processes.iter_mut().for_each(|process| process.scheduler.set_limits(now, limits));
}

#[test]
fn raised_limit_applies_at_once() {
    for (before, after) in [([1, 1_000_000], [600, 1_000_000]), ([600, 2000], [600, 200_000])] {
        let [before, after] = [before, after].map(|[calls, tokens]| per_minute(calls, tokens.into()));
        let mut fleet = Fleet::new(before, 1);
        fleet.start_callers(0, 3, 1000, 1000);
        fleet.run(seconds(10));
        assert_eq!(fleet.tickets.len(), 1);
        set_limits(&mut fleet, after);
        fleet.run(seconds(20));
        // A process applies it with its next report.
        assert!(fleet.tickets[1].at <= millis(10_600), "{:?}", fleet.tickets[1]);
        assert!(fleet.tickets.len() >= 30, "{}", fleet.tickets.len());
    }
}
