//! Processes that come and go.

use super::*;

/// Four processes, of which one is replaced every so many milliseconds; how many calls went in each ten seconds of two minutes.
fn calls_while(replaced: u64, ends: fn(&mut Fleet, usize)) -> Vec<usize> {
    let mut fleet = Fleet::new(per_minute(600, 60_000), 4);
    fleet.call_time = millis(400);
    (0..4).for_each(|process| fleet.calls(process, 6, 100, 1000));
    for oldest in 0..120_000 / usize::try_from(replaced).unwrap() {
        fleet.run(millis(replaced * (oldest as u64 + 1)));
        ends(&mut fleet, oldest);
        fleet.starts();
        fleet.calls(oldest + 4, 6, 100, 1000);
    }
    let of = |ten: u64| {
        let inside = |ticket: &&Ticket| (10 * ten..10 * ten + 10).contains(&ticket.at.as_secs());
        fleet.tickets.iter().filter(inside).count()
    };
    (0..12).map(of).collect()
}

#[test]
fn who_comes_and_says_that_it_goes_leaves_the_others_their_rate() {
    let calls = calls_while(1500, Fleet::leaves);
    assert!(calls.iter().all(|calls| *calls >= 92), "{calls:?}");
    assert!(calls.iter().sum::<usize>() >= 1170, "{calls:?}");
}

#[test]
fn who_ends_without_a_word_takes_no_more_with_it_than_its_slots() {
    let calls = calls_while(1500, Fleet::ends);
    assert!(calls.iter().all(|calls| *calls >= 82), "{calls:?}");
}
