//! Limits that change.

use super::*;

fn retunes(fleet: &mut Fleet, limits: Limits) {
    fleet.limits = limits;
    let now = fleet.now;
    fleet.processes.iter_mut().for_each(|process| process.scheduler.set_limits(now, limits));
}

#[test]
fn a_raised_limit_holds_at_once() {
    for (before, after) in [([1, 1_000_000], [600, 1_000_000]), ([600, 2000], [600, 200_000])] {
        let [before, after] = [before, after].map(|[calls, tokens]| per_minute(calls, tokens.into()));
        let mut fleet = Fleet::new(before, 1);
        fleet.calls(0, 3, 1000, 1000);
        fleet.run(seconds(10));
        assert_eq!(fleet.tickets.len(), 1);
        retunes(&mut fleet, after);
        fleet.run(seconds(20));
        // The others of those who share it, too, are told when they next ask.
        assert!(fleet.tickets[1].at <= millis(10_600), "{:?}", fleet.tickets[1]);
        assert!(fleet.tickets.len() >= 30, "{}", fleet.tickets.len());
    }
}
