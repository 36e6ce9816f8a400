//! Calls of which few fit into a minute, beside small ones.

use super::*;

fn tokens(fleet: &Fleet) -> u64 {
    fleet.tickets.iter().map(|ticket| ticket.tokens).sum()
}

#[test]
fn large_calls_take_turns_and_small_ones_have_what_is_left_beside_them() {
    let mut fleet = Fleet::new(per_minute(600, 6000), 3);
    fleet.calls(0, 1, 4000, 100);
    fleet.calls(1, 1, 4000, 100);
    fleet.calls(2, 1, 100, 1000);
    fleet.run(seconds(600));
    let [one, other, small] = fleet.calls_of_each();
    eprintln!("{one} and {other} large, {small} small: {} of 60000 tokens", tokens(&fleet));
    assert_eq!((one, other), (5, 5));
    // One limiter in one process takes turns by the call: 45 tokens a second, and 5 small calls.
    assert!(tokens(&fleet) >= 59_000, "{}", tokens(&fleet));
    assert!(fleet.most_in_a_minute() <= 6000, "{}", fleet.most_in_a_minute());
}

#[test]
fn a_large_call_goes_though_many_small_ones_wait() {
    let mut fleet = Fleet::new(per_minute(600, 30_000), 3);
    fleet.calls(0, 1, 16_000, 100);
    fleet.calls(1, 40, 500, 1000);
    fleet.calls(2, 3, 500, 1000);
    fleet.run(seconds(600));
    let [large, many, few] = fleet.calls_of_each();
    eprintln!("{large} large, {many} and {few} small: {} of 300000 tokens", tokens(&fleet));
    // In one process: 5 or 6, 244 and 244 tokens of 300.
    assert!(large >= 8 && many >= 200 && few >= 15, "{large} {many} {few}");
    assert!(tokens(&fleet) >= 290_000, "{}", tokens(&fleet));
    assert!(fleet.most_in_a_minute() <= 30_000, "{}", fleet.most_in_a_minute());
}

#[test]
fn calls_that_take_a_whole_minute_and_small_ones_all_end() {
    // More than the limit counts as all of it.
    let mut fleet = Fleet::new(per_minute(600, 6000), 3);
    fleet.calls(0, 3, 20_000, 1);
    fleet.calls(1, 3, 20_000, 1);
    fleet.calls(2, 80, 100, 1);
    fleet.run(seconds(900));
    assert_eq!(fleet.calls_of_each(), [3, 3, 80]);
    let last = fleet.tickets.last().unwrap().at;
    // Six minutes, and 80 seconds.
    assert!(last <= seconds(445), "{last:?}");
}

#[test]
fn nobody_is_passed_for_ever() {
    let mut fleet = Fleet::new(per_minute(600, 6000), 3);
    fleet.calls(0, 1, 6000, 100);
    fleet.calls(1, 1, 6000, 100);
    fleet.calls(2, 1, 100, 100);
    fleet.run(seconds(900));
    assert_eq!(fleet.calls_of_each(), [5, 5, 5]);
}

#[test]
fn parts_of_a_minute_go_by_how_many_wait() {
    let mut fleet = Fleet::new(per_minute(600, 6000), 3);
    fleet.calls(0, 5, 100, 1000);
    fleet.calls(1, 5, 100, 1000);
    fleet.calls(2, 20, 100, 1000);
    fleet.run(seconds(300));
    let [one, other, many] = fleet.calls_of_each();
    eprintln!("{one} and {other}, {many}");
    let near = |count: usize, part: usize| count.abs_diff(part) <= part / 10;
    assert!(near(one, 50) && near(other, 50) && near(many, 200), "{one} {other} {many}");
}

#[test]
fn what_an_ended_process_took_counts_by_its_age() {
    let mut fleet = Fleet::new(per_minute(600, 6000), 2);
    // At 0 and at 40 s.
    fleet.calls(0, 1, 4000, 1);
    fleet.calls(0, 1, 1000, 1);
    fleet.run(seconds(50));
    assert_eq!(fleet.calls_of_each(), [2, 0]);
    fleet.leaves(0);
    fleet.calls(1, 1, 5000, 1);
    fleet.run(seconds(120));
    let at = fleet.tickets[2].at;
    // A part of a minute is 2.5 s, and one asks four times a second.
    assert!(at >= seconds(60) && at <= millis(63_000), "{at:?}");
    assert!(fleet.most_in_a_minute() <= 6000);
}
