//! Calls that cost a large part of a minute's budget, beside small ones.

use super::*;

fn tokens(fleet: &Fleet) -> u64 {
    fleet.tickets.iter().map(|ticket| ticket.tokens).sum()
}

#[test]
fn large_calls_alternate_and_small_ones_use_the_rest() {
    let mut fleet = Fleet::new(per_minute(600, 6000), 3);
    fleet.start_callers(0, 1, 4000, 100);
    fleet.start_callers(1, 1, 4000, 100);
    fleet.start_callers(2, 1, 100, 1000);
    fleet.run(seconds(600));
    let [one, other, small] = fleet.calls_by_process();
    eprintln!("{one} and {other} large, {small} small: {} of 60000 tokens", tokens(&fleet));
    assert_eq!((one, other), (5, 5));
    // In one process, calls alternate: 45 tokens a second, and 5 small calls.
    assert!(tokens(&fleet) >= 59_000, "{}", tokens(&fleet));
    assert!(fleet.max_tokens_in_a_minute() <= 6000, "{}", fleet.max_tokens_in_a_minute());
}

#[test]
fn large_call_is_sent_though_many_small_ones_wait() {
    let mut fleet = Fleet::new(per_minute(600, 30_000), 3);
    fleet.start_callers(0, 1, 16_000, 100);
    fleet.start_callers(1, 40, 500, 1000);
    fleet.start_callers(2, 3, 500, 1000);
    fleet.run(seconds(600));
    let [large, many, few] = fleet.calls_by_process();
    eprintln!("{large} large, {many} and {few} small: {} of 300000 tokens", tokens(&fleet));
    // In one process: 5 or 6, 244 and 244 tokens of 300.
    assert!(large >= 8 && many >= 200 && few >= 15, "{large} {many} {few}");
    assert!(tokens(&fleet) >= 290_000, "{}", tokens(&fleet));
    assert!(fleet.max_tokens_in_a_minute() <= 30_000, "{}", fleet.max_tokens_in_a_minute());
}

#[test]
fn calls_larger_than_a_minutes_budget_are_sent() {
    // A call larger than the limit is charged the whole limit.
    let mut fleet = Fleet::new(per_minute(600, 6000), 3);
    fleet.start_callers(0, 3, 20_000, 1);
    fleet.start_callers(1, 3, 20_000, 1);
    fleet.start_callers(2, 80, 100, 1);
    fleet.run(seconds(900));
    assert_eq!(fleet.calls_by_process(), [3, 3, 80]);
    let last = fleet.tickets.last().unwrap().at;
    // Six minutes, and 80 seconds.
    assert!(last <= seconds(445), "{last:?}");
}

#[test]
fn small_and_large_calls_all_get_their_turn() {
    let mut fleet = Fleet::new(per_minute(600, 6000), 3);
    fleet.start_callers(0, 1, 6000, 100);
    fleet.start_callers(1, 1, 6000, 100);
    fleet.start_callers(2, 1, 100, 100);
    fleet.run(seconds(900));
    assert_eq!(fleet.calls_by_process(), [5, 5, 5]);
}

#[test]
fn budget_is_divided_by_the_number_of_callers() {
    let mut fleet = Fleet::new(per_minute(600, 6000), 3);
    fleet.start_callers(0, 5, 100, 1000);
    fleet.start_callers(1, 5, 100, 1000);
    fleet.start_callers(2, 20, 100, 1000);
    fleet.run(seconds(300));
    let [one, other, many] = fleet.calls_by_process();
    eprintln!("{one} and {other}, {many}");
    let near = |count: usize, part: usize| count.abs_diff(part) <= part / 10;
    assert!(near(one, 50) && near(other, 50) && near(many, 200), "{one} {other} {many}");
}

#[test]
fn usage_of_an_ended_process_expires_by_age() {
    let mut fleet = Fleet::new(per_minute(600, 6000), 2);
    // At 0 and at 40 s.
    fleet.start_callers(0, 1, 4000, 1);
    fleet.start_callers(0, 1, 1000, 1);
    fleet.run(seconds(50));
    assert_eq!(fleet.calls_by_process(), [2, 0]);
    fleet.leave(0);
    fleet.start_callers(1, 1, 5000, 1);
    fleet.run(seconds(120));
    let at = fleet.tickets[2].at;
    // Ages are rounded to 2.5 s, and a process reports four times a second.
    assert!(at >= seconds(60) && at <= millis(63_000), "{at:?}");
    assert!(fleet.max_tokens_in_a_minute() <= 6000);
}
