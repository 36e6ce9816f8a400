//! A limiter that is shared, without a server: what is left of it when the lease is lost.

use super::*;
use crate::lease::{Answer, Told};

/// Shared by four, of whom a quarter of the demand is ours.
fn answer() -> Answer {
    let in_flight = ("in_flight".to_owned(), 8.0);
    Answer { epoch: "1".into(), members: 4.0, share: 0.25, spaces: Told::from([in_flight]), ..Answer::default() }
}

fn shared(limits: Limits, answer: &Answer) -> Scheduler<()> {
    let mut scheduler = scheduler(limits);
    scheduler.join_fleet(Duration::ZERO);
    scheduler.report(Duration::ZERO);
    scheduler.renew(Duration::ZERO, answer);
    scheduler
}

fn lose(scheduler: &mut Scheduler<()>, now: Duration) {
    scheduler.lose_fleet(now, Some(|share| share));
}

/// How many of a long line go in a second from `now` on.
fn in_a_second(scheduler: &mut Scheduler<()>, now: Duration) -> usize {
    (0..1000).for_each(|_| _ = scheduler.joins(now));
    let mut count = 0;
    run(scheduler, now + millis(999), || Duration::ZERO, |_, _, _| count += 1);
    count
}

#[test]
fn who_loses_the_others_goes_on_with_its_part_at_once() {
    let at = seconds(60);
    let mut scheduler = shared(per_minute(6000), &Answer { rate: 6000.0, pace: 6000.0, ..answer() });
    lose(&mut scheduler, at);
    assert_eq!(in_a_second(&mut scheduler, at), 25, "a quarter of 100, and no ramp");
    let mut scheduler = shared(per_minute(6000), &Answer { is_ramping: true, ..answer() });
    lose(&mut scheduler, at);
    assert_eq!(in_a_second(&mut scheduler, at), 6, "where all were on the ramp, so is it");
}

#[test]
fn who_loses_the_others_has_its_part_of_what_all_have_learned_and_tells_of_the_whole_when_they_are_back() {
    let ceilings = Told::from([("requests".to_owned(), 4000.0), ("in_flight".to_owned(), 8.0)]);
    let limits = per_minute(6000).max_in_flight(NonZeroU32::new(40).unwrap());
    let mut scheduler = shared(limits, &Answer { rate: 3400.0, pace: 3400.0, ceilings, ..answer() });
    let at = seconds(60);
    lose(&mut scheduler, at);
    let standing = scheduler.standing(at);
    // 85 % of a quarter of each.
    assert!((standing.rate - 850.0 / 60.0).abs() < 1e-6, "{}", standing.rate);
    assert_eq!(standing.learned_in_flight, Some(2.0));
    scheduler.join_fleet(seconds(70));
    let told = scheduler.report(seconds(70)).unwrap().ceilings;
    assert_eq!(told, Told::from([("requests".to_owned(), 4000.0), ("in_flight".to_owned(), 8.0)]));
    assert_eq!(scheduler.limits().requests_per_minute, limits.requests_per_minute);
}

#[test]
fn a_pause_of_all_goes_on_in_one_who_loses_them() {
    let mut scheduler = shared(per_minute(6000), &Answer { paused: Some(5e6), episode: 3, ..answer() });
    lose(&mut scheduler, seconds(1));
    assert_eq!(scheduler.paused_for(seconds(1)), Some(seconds(4)));
    scheduler.joins(seconds(1));
    assert_eq!(scheduler.deadline(), Some(seconds(5)));
    let canary = advance(&mut scheduler, seconds(5))[0];
    scheduler.ends(seconds(6), canary, false);
    assert_eq!(scheduler.gate.phase(), Phase::Flowing);
}
