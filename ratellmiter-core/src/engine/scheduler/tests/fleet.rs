//! A limiter that is shared, without a server: what is left of it when the lease is lost.

use super::*;
use std::{collections::BTreeMap, num::NonZeroU64};

use crate::{
    engine::lease::{ByLimit, LeaseGrant},
    limits::on_disconnect::OnDisconnect,
};

/// Shared by four, of whom a quarter of the demand is ours.
fn answer() -> LeaseGrant {
    let in_flight = ("in_flight".to_owned(), 8.0);
    LeaseGrant {
        epoch: "1".into(),
        processes: 4.0,
        share: 0.25,
        capacity: ByLimit::from([in_flight]),
        ..LeaseGrant::default()
    }
}

fn shared(limits: Limits, answer: &LeaseGrant) -> Scheduler<()> {
    let mut scheduler = scheduler(limits);
    scheduler.join_fleet(Duration::ZERO);
    scheduler.report(Duration::ZERO);
    scheduler.renew(Duration::ZERO, answer);
    scheduler
}

fn lose(scheduler: &mut Scheduler<()>, now: Duration) {
    scheduler.lose_fleet(now, OnDisconnect::Degrade);
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
    let mut scheduler = shared(per_minute(6000), &LeaseGrant { rate: 6000.0, pace: 6000.0, ..answer() });
    lose(&mut scheduler, at);
    assert_eq!(in_a_second(&mut scheduler, at), 25, "a quarter of 100, and no ramp");
    let mut scheduler = shared(per_minute(6000), &LeaseGrant { is_ramping: true, ..answer() });
    lose(&mut scheduler, at);
    assert_eq!(in_a_second(&mut scheduler, at), 6, "where all were on the ramp, so is it");
}

#[test]
fn who_never_found_the_others_begins_as_from_idle() {
    let mut scheduler = scheduler(per_minute(6000));
    scheduler.join_fleet(Duration::ZERO);
    scheduler.report(Duration::ZERO);
    lose(&mut scheduler, seconds(1));
    assert_eq!(in_a_second(&mut scheduler, seconds(1)), 25, "a quarter of 100: the ramp");
}

#[test]
fn who_loses_the_others_has_its_part_of_what_all_have_learned_and_tells_of_the_whole_when_they_are_back() {
    let ceilings = [("requests", 4000.0), ("in_flight", 8.0), ("tokens_per_minute", 40_000.0)];
    let ceilings: ByLimit = ceilings.map(|(key, ceiling)| (key.to_owned(), ceiling)).into();
    let limits = with_tokens().max_in_flight(NonZeroU32::new(40).unwrap());
    let answer = LeaseGrant { rate: 3400.0, pace: 3400.0, ceilings: ceilings.clone(), ..answer() };
    let mut scheduler = shared(limits, &answer);
    let at = seconds(60);
    lose(&mut scheduler, at);
    let standing = scheduler.gauges(at);
    // 85 % of a quarter of each.
    assert!((standing.rate - 850.0 / 60.0).abs() < 1e-6, "{}", standing.rate);
    // What is told is of all, as it was.
    assert!((standing.limit - 100.0).abs() < 1e-6, "{}", standing.limit);
    assert_eq!(standing.learned_in_flight, Some(7.0));
    let tokens = standing.budgets[0].unwrap();
    assert_eq!((tokens.limit, tokens.learned), (60_000, Some(34_000.0)));
    scheduler.join_fleet(seconds(70));
    assert_eq!(scheduler.report(seconds(70)).unwrap().ceilings, ceilings, "of the whole");
    assert_eq!(scheduler.limits().requests_per_minute, limits.requests_per_minute);
    let learned = ByLimit::from([("tokens_per_minute".to_owned(), 34_000.0)]);
    scheduler.renew(seconds(70), &LeaseGrant { adapted: learned, ..answer });
    assert_eq!(scheduler.gauges(seconds(70)).budgets[0].unwrap().learned, Some(34_000.0));
}

#[test]
fn a_pause_of_all_goes_on_in_one_who_loses_them() {
    let mut scheduler = shared(per_minute(6000), &LeaseGrant { paused: Some(5e6), episode: 3, ..answer() });
    lose(&mut scheduler, seconds(1));
    assert_eq!(scheduler.paused_for(seconds(1)), Some(seconds(4)));
    scheduler.joins(seconds(1));
    assert_eq!(scheduler.deadline(), Some(seconds(5)));
    let canary = advance(&mut scheduler, seconds(5))[0];
    scheduler.ends(seconds(6), canary, false);
    assert_eq!(scheduler.congestion.phase(), Phase::Flowing);
}

fn with_tokens() -> Limits {
    per_minute(6000).tokens_per_minute(NonZeroU64::new(60_000).unwrap())
}

/// With slots for so many calls now, and room for all tokens.
fn slots(count: u32) -> LeaseGrant {
    let mut answer =
        LeaseGrant { slot_runs: vec![[0.0, 0.0, f64::from(count)]], rate: 6000.0, pace: 6000.0, ..answer() };
    answer.capacity.insert("tokens_per_minute".to_owned(), 60_000.0);
    answer.rates.insert("tokens_per_minute".to_owned(), 60_000.0);
    answer
}

/// What the next call is said to cost, and what all have cost with those that there are slots for.
fn told(scheduler: &mut Scheduler<()>, now: Duration) -> (u64, i64) {
    let pace = scheduler.report(now).unwrap().rates["tokens_per_minute"];
    (pace.mean_cost, pace.reserved)
}

#[test]
fn what_calls_cost_is_told_with_what_the_slots_are_for() {
    let mut scheduler = shared(with_tokens(), &answer());
    let wish = Request { cost: TokenEstimate::new(30, 10), ..Request::PLAIN };
    (0..5).for_each(|_| _ = scheduler.enqueue(Duration::ZERO, &wish, NOBODY).unwrap());
    assert_eq!(told(&mut scheduler, Duration::ZERO), (40, 0));
    scheduler.renew(Duration::ZERO, &slots(3));
    let now = seconds(1);
    let out = advance(&mut scheduler, Duration::ZERO);
    assert_eq!(out.len(), 1, "of our own we send none sooner than all may");
    assert_eq!(told(&mut scheduler, millis(1)), (40, 3 * 40), "one that went, and two that may");
    scheduler.renew(millis(1), &slots(0));
    assert!(scheduler.finish(now, out[0], false, Some(Usage::new(20, 5))));
    assert_eq!(told(&mut scheduler, now), (25, 25 + 2 * 25), "what it really cost, as the next are then expected to");
    scheduler.renew(now, &slots(0));
    let next = advance(&mut scheduler, now)[0];
    scheduler.cancel(now, next);
    assert_eq!(told(&mut scheduler, now), (25, 25 + 2 * 25), "one that was never made");
}

#[test]
fn who_has_no_slots_for_want_of_tokens_says_so() {
    let mut scheduler = shared(with_tokens(), &answer());
    scheduler.joins(Duration::ZERO);
    scheduler.renew(Duration::ZERO, &LeaseGrant { bottleneck: Some("tokens_per_minute".to_owned()), ..slots(0) });
    assert_eq!(scheduler.gauges(Duration::ZERO).held, Some(Bottleneck::TokensPerMinute));
    scheduler.report(Duration::ZERO);
    let backlogged = |micros| BTreeMap::from([("tokens_per_minute", micros)]);
    assert_eq!(scheduler.report(millis(40)).unwrap().backlogged, backlogged(40_000));
    scheduler.renew(millis(40), &slots(0));
    assert_eq!(scheduler.gauges(millis(40)).held, Some(Bottleneck::Rate));
    assert_eq!(scheduler.report(millis(60)).unwrap().backlogged, BTreeMap::from([("requests", 20_000)]));
}

/// What others took of a day, which is all there is for the next two hours.
fn spent() -> LeaseGrant {
    let mut answer = LeaseGrant { rate: 6000.0, pace: 6000.0, ..answer() };
    answer.used_by_others.insert("requests_per_day".to_owned(), 5.0);
    answer.free_in.insert("requests_per_day".to_owned(), 7200e6);
    answer
}

#[test]
fn what_others_took_of_a_day_is_known_to_those_who_ask_and_to_those_who_wait() {
    let limits = per_minute(6000).requests_per_day(NonZeroU64::new(5).unwrap());
    let wish = Request { max_wait: Some(seconds(3)), ..Request::PLAIN };
    let mut scheduler = shared(limits, &spent());
    let rejected = scheduler.enqueue(seconds(1), &wish, NOBODY).unwrap_err();
    assert_eq!((rejected.reason, rejected.estimated_wait), (RejectReason::MaxWait, seconds(7199)));
    assert_eq!(scheduler.gauges(seconds(1)).budgets[0].unwrap().others, 5);

    // Nobody knew when it asked.
    let mut scheduler = self::scheduler(limits);
    scheduler.join_fleet(Duration::ZERO);
    let hasty = scheduler.enqueue(Duration::ZERO, &wish, NOBODY).unwrap();
    let patient = scheduler.joins(Duration::ZERO);
    scheduler.report(Duration::ZERO);
    scheduler.renew(millis(1), &spent());
    let mut out = Vec::new();
    scheduler.expire(millis(1), |id, rejected, ()| out.push((id, rejected.estimated_wait)));
    assert_eq!(out, [(hasty.id, seconds(7200))]);
    assert!(scheduler.leave(millis(1), patient));
}

#[test]
fn what_others_know_of_what_calls_use_is_believed_until_ours_show_it() {
    let mut scheduler = shared(with_tokens(), &answer());
    assert_eq!(told(&mut scheduler, Duration::ZERO).0, 6000, "a tenth of a minute, while nothing is known");
    assert_eq!(scheduler.report(Duration::ZERO).unwrap().typical_cost, None);
    scheduler.renew(Duration::ZERO, &LeaseGrant { typical_cost: Some([100.0, 20.0]), ..slots(1) });
    assert_eq!(told(&mut scheduler, Duration::ZERO).0, 120);
    scheduler.renew(Duration::ZERO, &LeaseGrant { typical_cost: Some([100.0, 20.0]), ..slots(1) });
    scheduler.joins(Duration::ZERO);
    let grant = advance(&mut scheduler, Duration::ZERO)[0];
    assert!(scheduler.finish(Duration::ZERO, grant, false, Some(Usage::new(30, 5))));
    assert_eq!(scheduler.report(Duration::ZERO).unwrap().typical_cost, Some([30, 5]), "the others are told");
    assert_eq!(told(&mut scheduler, Duration::ZERO).0, 35);
}

#[test]
fn what_is_allowed_is_zero_in_a_pause_alone() {
    let mut scheduler = scheduler(per_minute(6000).no_ramp());
    scheduler.join_fleet(Duration::ZERO);
    let rate = |scheduler: &Scheduler<()>| scheduler.rate().round();
    assert!(rate(&scheduler) > 0.0, "nothing is known");
    scheduler.joins(Duration::ZERO);
    assert_eq!(scheduler.gauges(Duration::ZERO).held, Some(Bottleneck::Fleet));
    scheduler.report(Duration::ZERO);
    scheduler.renew(Duration::ZERO, &slots(1));
    let grant = advance(&mut scheduler, Duration::ZERO)[0];
    scheduler.ends(Duration::ZERO, grant, false);
    assert!(scheduler.release_lease(Duration::ZERO).is_some());
    assert!((rate(&scheduler) - 25.0).abs() < 1e-9, "a quarter, also when it was given back");
    scheduler.renew(Duration::ZERO, &LeaseGrant { paused: Some(1e6), rate: 0.0, ..slots(0) });
    assert!(rate(&scheduler).abs() < 1e-9);
}

#[test]
fn who_is_late_makes_up_for_a_little_and_no_more() {
    let slots = LeaseGrant { slot_runs: vec![[0.0, 10e3, 20.0]], rate: 6000.0, pace: 6000.0, ..answer() };
    let stopped_for = |late: u64| {
        let mut scheduler = shared(
            per_minute(6000).no_ramp().max_in_flight(NonZeroU32::new(50).unwrap()),
            &LeaseGrant { capacity: ByLimit::from([("in_flight".to_owned(), 50.0)]), ..slots.clone() },
        );
        (0..20).for_each(|_| _ = scheduler.joins(Duration::ZERO));
        (advance(&mut scheduler, millis(late)).len(), in_a_second(&mut scheduler, millis(late)))
    };
    assert_eq!(stopped_for(45), (5, 15), "all that were due, and the rest in their time");
    assert_eq!(stopped_for(155), (1, 4), "one, and those of 160 to 190");
}

#[test]
fn slots_of_a_limit_that_has_changed_go_back() {
    let mut scheduler = shared(per_minute(60), &LeaseGrant { slot_runs: vec![[0.0, 1e6, 2.0]], ..slots(0) });
    (0..9).for_each(|_| _ = scheduler.joins(Duration::ZERO));
    assert_eq!(advance(&mut scheduler, Duration::ZERO).len(), 1);
    scheduler.set_limits(millis(300), per_minute(1200));
    assert_eq!(scheduler.asks_at().map(|at| at <= millis(300)), Some(true), "at once");
    let report = scheduler.report(millis(300)).unwrap();
    assert_eq!((report.unused, report.rate, report.wanted >= 8), (1, 1200, true));
}
