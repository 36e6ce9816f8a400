//! The promises, on the pure scheduler: an hour takes a millisecond and every time is exact.

// A time that would be negative fails the test, as it should; the counts are small.
#![allow(clippy::unchecked_time_subtraction, clippy::cast_precision_loss)]

use std::{
    collections::{BTreeMap, BTreeSet},
    num::NonZeroU32,
    time::Duration,
};

use proptest::prelude::*;

use super::*;
use crate::gate::Phase;

mod asking;
mod fleet;

const NOBODY: () = ();

fn per_minute(calls: u32) -> Limits {
    Limits::per_minute(NonZeroU32::new(calls).unwrap())
}

fn scheduler(limits: Limits) -> Scheduler<()> {
    Scheduler::new(limits, Duration::ZERO, 1)
}

fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn refused(hint: Option<Duration>) -> Verdict {
    Verdict::RateLimited { retry_after: hint, scope: Scope::Unknown }
}

/// Calls of which nothing is said.
trait Plain {
    fn joins(&mut self, now: Duration) -> Place;
    fn tries(&mut self, now: Duration) -> Option<Grant>;
    fn ends(&mut self, now: Duration, grant: Grant, failed: bool);
}

impl Plain for Scheduler<()> {
    fn joins(&mut self, now: Duration) -> Place {
        self.enqueue(now, &Wish::PLAIN, NOBODY).expect("nothing bounds its wait")
    }

    fn tries(&mut self, now: Duration) -> Option<Grant> {
        self.try_request(now, &Wish::PLAIN)
    }

    fn ends(&mut self, now: Duration, grant: Grant, failed: bool) {
        assert!(self.finish(now, grant, failed, None));
    }
}

/// Issues what is due at `now`.
fn advance(scheduler: &mut Scheduler<()>, now: Duration) -> Vec<Grant> {
    let mut issued = Vec::new();
    assert!(!scheduler.advance(now, |grant, ()| issued.push(grant)), "no probe is set");
    issued
}

/// Issues until `end`, waking up `late(n)` after the n-th deadline. Calls last no time unless `end_call` keeps them.
fn run(
    scheduler: &mut Scheduler<()>,
    end: Duration,
    mut late: impl FnMut() -> Duration,
    mut on_grant: impl FnMut(&mut Scheduler<()>, Duration, Grant),
) -> Duration {
    let mut now = Duration::ZERO;
    while let Some(deadline) = scheduler.deadline() {
        now = now.max(deadline + late());
        if now >= end {
            break;
        }
        for grant in advance(scheduler, now) {
            on_grant(scheduler, now, grant);
        }
    }
    now
}

/// The times at which `calls` calls that all ask at zero are issued, in the order of asking.
fn times(limits: Limits, calls: usize, late: impl FnMut() -> Duration) -> Vec<Duration> {
    let mut scheduler = scheduler(limits);
    let places: Vec<_> = (0..calls).map(|_| scheduler.joins(Duration::ZERO)).collect();
    let mut times = Vec::new();
    let mut ids = Vec::new();
    run(&mut scheduler, Duration::MAX, late, |scheduler, now, grant| {
        times.push(now);
        ids.push(grant.id);
        scheduler.ends(now, grant, false);
    });
    assert_eq!(ids, places.iter().map(|place| place.id).collect::<Vec<_>>(), "first come, first served");
    times
}

fn most_within(times: &[Duration], width: Duration) -> usize {
    let mut first = 0;
    let mut most = 0;
    for (last, time) in times.iter().enumerate() {
        while times[first] + width <= *time {
            first += 1;
        }
        most = most.max(last - first + 1);
    }
    most
}

fn assert_within_limits(times: &[Duration], rate: u32) {
    assert!(most_within(times, seconds(60)) <= rate as usize, "in a minute, at {rate}");
    assert!(most_within(times, seconds(1)) <= rate.div_ceil(60) as usize + 1, "in a second, at {rate}");
}

mod pace {
    use super::*;

    #[test]
    fn calls_are_spaced_evenly_and_fractions_are_exact() {
        assert_eq!(times(per_minute(5), 3, || Duration::ZERO), [seconds(0), seconds(12), seconds(24)]);
        let ninety = times(per_minute(90).no_ramp(), 7, || Duration::ZERO);
        assert_eq!([ninety[0], ninety[3], ninety[6]], [seconds(0), seconds(2), seconds(4)]);
        let hundred = times(per_minute(6000).no_ramp(), 101, || Duration::ZERO);
        assert!(hundred.windows(2).all(|pair| pair[1] - pair[0] == millis(10)), "{hundred:?}");
    }

    #[test]
    fn the_long_run_rate_is_the_limit() {
        for rate in [1, 7, 60, 90, 119, 300, 6000, 60_000] {
            let calls = (rate as usize * 3).max(400);
            let times = times(per_minute(rate).no_ramp(), calls, || Duration::ZERO);
            let exact = Duration::from_secs(60) * u32::try_from(calls - 1).unwrap() / rate;
            let last = *times.last().unwrap();
            assert!(
                last >= exact && last - exact <= Duration::from_micros(2),
                "{rate} a minute: {last:?}, not {exact:?}"
            );
            assert_within_limits(&times, rate);
        }
    }

    #[test]
    fn late_timers_cost_nothing_and_break_no_limit() {
        for rate in [1, 5, 90, 300, 6000, 60_000] {
            let pattern: &[u64] =
                if rate > 6000 { &[0, 2, 1, 1, 3, 0, 1] } else { &[0, 3, 1, 17, 2, 2, 80, 0, 1, 1, 5] };
            let mut late = pattern.iter().copied().cycle().map(millis);
            let calls = (rate as usize * 5).min(100_000);
            let times = times(per_minute(rate).no_ramp(), calls, || late.next().unwrap());
            assert_within_limits(&times, rate);
            let exact = seconds(60).as_secs_f64() * (calls as f64 - 1.0) / f64::from(rate);
            let took = times.last().unwrap().as_secs_f64();
            assert!(took * 0.995 <= exact, "{rate} a minute: {took} s instead of {exact} s");
        }
    }

    #[test]
    fn a_machine_that_slept_makes_up_for_nothing() {
        let mut slept = false;
        let times = times(per_minute(600).no_ramp(), 40, || {
            if slept {
                return Duration::ZERO;
            }
            slept = true;
            seconds(3600)
        });
        assert!(most_within(&times, seconds(1)) <= 11, "{times:?}");
    }

    #[test]
    fn the_ramp_and_then_the_whole_rate() {
        let times = times(per_minute(300), 60, || Duration::ZERO);
        let mut carried = [0; 12];
        times.iter().for_each(|time| carried[usize::try_from(time.as_secs()).unwrap().min(11)] += 1);
        assert_eq!(carried, [1, 2, 2, 3, 3, 4, 4, 5, 5, 5, 5, 21]);
        assert_eq!(times[0], Duration::ZERO, "the first goes at once");
        // Inside a second they are spread: 3 go at 0, a third and two thirds.
        let fourth: Vec<_> = times.iter().filter(|time| time.as_secs() == 3).map(Duration::subsec_millis).collect();
        assert!(fourth.windows(2).all(|pair| pair[1] - pair[0] >= 200), "{fourth:?}");
    }

    #[test]
    fn a_new_limit_holds_from_the_next_ticket_on_and_the_line_keeps_its_order() {
        let mut scheduler = scheduler(per_minute(60).no_ramp());
        let places: Vec<_> = (0..8).map(|_| scheduler.joins(Duration::ZERO)).collect();
        let mut went = Vec::new();
        run(
            &mut scheduler,
            Duration::MAX,
            || Duration::ZERO,
            |scheduler, now, grant| {
                went.push((grant.id, now));
                match went.len() {
                    3 => scheduler.set_limits(now, per_minute(6000).no_ramp()),
                    5 => scheduler.set_limits(now, per_minute(6).no_ramp()),
                    _ => {}
                }
            },
        );
        assert_eq!(
            went.iter().map(|(_, at)| at.as_millis()).collect::<Vec<_>>(),
            [0, 1000, 2000, 2010, 2020, 12_020, 60_000, 70_000],
            "at the end the first six are a minute's worth of the lowered limit"
        );
        assert!(went.iter().map(|(id, _)| *id).eq(places.iter().map(|place| place.id)));
    }

    #[test]
    fn calls_in_flight_are_capped_and_the_next_goes_when_one_ends() {
        let mut scheduler = scheduler(per_minute(6000).no_ramp().max_in_flight(NonZeroU32::new(2).unwrap()));
        (0..4).for_each(|_| _ = scheduler.joins(Duration::ZERO));
        let mut out = advance(&mut scheduler, Duration::ZERO);
        out.extend(advance(&mut scheduler, millis(10)));
        assert_eq!(out.len(), 2);
        assert_eq!(scheduler.deadline(), None, "nothing but an end helps");
        assert!(advance(&mut scheduler, seconds(5)).is_empty());
        scheduler.ends(seconds(6), out[0], false);
        assert_eq!(advance(&mut scheduler, seconds(6)).len(), 1);
        scheduler.abandon(seconds(7), out[1]);
        assert_eq!(advance(&mut scheduler, seconds(7)).len(), 1);
    }

    #[test]
    fn disabled_lets_everything_through() {
        let mut scheduler = scheduler(per_minute(1));
        (0..5).for_each(|_| _ = scheduler.joins(Duration::ZERO));
        assert_eq!(advance(&mut scheduler, Duration::ZERO).len(), 1);
        scheduler.set_limits(Duration::ZERO, per_minute(1).enabled(false));
        assert_eq!(advance(&mut scheduler, Duration::ZERO).len(), 4);
        assert!(scheduler.tries(Duration::ZERO).is_some());
    }

    #[test]
    fn an_immediate_ticket_overtakes_nobody() {
        let mut scheduler = scheduler(per_minute(60).no_ramp());
        assert!(scheduler.tries(Duration::ZERO).is_some());
        assert!(scheduler.tries(millis(999)).is_none());
        let place = scheduler.joins(millis(999));
        assert!(scheduler.tries(seconds(1)).is_none(), "somebody waits");
        assert!(scheduler.leave(seconds(1), place));
        assert!(scheduler.tries(seconds(1)).is_some());
    }
}

mod refusals {
    use super::*;

    /// A scheduler at full rate with `calls` calls out and three waiting, at `now`.
    fn busy(limits: Limits, calls: usize) -> (Scheduler<()>, Vec<Grant>, Duration) {
        let mut scheduler = scheduler(limits);
        (0..calls + 3).for_each(|_| _ = scheduler.joins(Duration::ZERO));
        let mut out = Vec::new();
        let mut now = Duration::ZERO;
        while out.len() < calls {
            now = scheduler.deadline().unwrap();
            out.extend(advance(&mut scheduler, now));
        }
        (scheduler, out, now)
    }

    fn until(scheduler: &Scheduler<()>) -> Duration {
        match scheduler.gate.phase() {
            Phase::Paused { until } => until,
            phase => panic!("not paused: {phase:?}"),
        }
    }

    #[test]
    fn one_refusal_pauses_all_then_one_canary_then_the_refused_in_order_then_the_rest() {
        let (mut scheduler, out, now) = busy(per_minute(300).no_ramp(), 4);
        // Refused in another order than they first asked in.
        for index in [2, 0, 1] {
            scheduler.refuse(now, out[index], &refused(Some(seconds(5))), NOBODY);
        }
        scheduler.ends(now, out[3], false);
        let until = until(&scheduler);
        assert!(until > now + seconds(5) && until <= now + millis(5500), "hint plus a small jitter: {until:?}");
        assert_eq!(scheduler.deadline(), Some(until));
        assert!(advance(&mut scheduler, until - millis(1)).is_empty(), "nobody goes");
        let canary = advance(&mut scheduler, until);
        assert_eq!(canary.iter().map(|grant| grant.id).collect::<Vec<_>>(), [out[0].id], "the eldest goes alone");
        assert!(advance(&mut scheduler, until + millis(900)).is_empty());
        scheduler.ends(until + millis(900), canary[0], false);
        let mut order = Vec::new();
        run(&mut scheduler, Duration::MAX, || Duration::ZERO, |_, _, grant| order.push(grant.id));
        assert_eq!(order, [2, 3, 5, 6, 7]);
    }

    #[test]
    fn refusals_of_calls_sent_before_the_pause_are_the_same_episode() {
        let (mut scheduler, out, now) = busy(per_minute(300).no_ramp(), 4);
        scheduler.refuse(now, out[0], &refused(None), NOBODY);
        let first = until(&scheduler);
        scheduler.refuse(now + millis(100), out[1], &refused(None), NOBODY);
        assert_eq!(until(&scheduler), first, "no hint, nothing new");
        scheduler.refuse(now + millis(200), out[2], &refused(Some(seconds(30))), NOBODY);
        assert_eq!(until(&scheduler), now + millis(200) + seconds(30), "a hint may show that it lasts longer");
        let canary = advance(&mut scheduler, now + millis(30_200));
        scheduler.ends(now + millis(30_300), canary[0], false);
        // The fourth was sent before the pause and comes back after it.
        scheduler.refuse(now + millis(30_400), out[3], &refused(Some(seconds(9))), NOBODY);
        assert_eq!(scheduler.gate.phase(), Phase::Flowing);
        assert_eq!(scheduler.gate.pass().episode, 1);
    }

    #[test]
    fn a_refused_canary_makes_the_pause_longer_and_an_accepted_one_makes_the_next_short() {
        let (mut scheduler, out, now) = busy(per_minute(300).no_ramp(), 1);
        let mut sent = out[0];
        let mut at = now;
        let mut pauses = Vec::new();
        for _ in 0..5 {
            scheduler.refuse(at, sent, &refused(None), NOBODY);
            let end = until(&scheduler);
            pauses.push((end - at).as_millis());
            sent = advance(&mut scheduler, end)[0];
            at = end + millis(50);
        }
        for (pause, least) in pauses.iter().zip([2000, 3000, 4500, 6750, 10_125]) {
            assert!((least..=least * 11 / 10).contains(pause), "{pauses:?}");
        }
        scheduler.ends(at, sent, false);
        let next = advance(&mut scheduler, at + seconds(1))[0];
        scheduler.refuse(at + seconds(2), next, &refused(None), NOBODY);
        let pause = until(&scheduler) - at - seconds(2);
        assert!(pause <= millis(2200), "{pause:?}");
    }

    #[test]
    fn a_canary_that_takes_long_holds_nobody_up() {
        let (mut scheduler, out, now) = busy(per_minute(300).no_ramp(), 1);
        // This refusal took 600 ms to come.
        scheduler.refuse(now + millis(600), out[0], &refused(Some(seconds(1))), NOBODY);
        let sent = until(&scheduler);
        let canary = advance(&mut scheduler, sent)[0];
        assert_eq!(scheduler.deadline(), Some(sent + millis(1800)), "three times the slowest refusal");
        assert_eq!(advance(&mut scheduler, sent + millis(1800)).len(), 1, "accepted, though it is still out");
        // If it is refused after all, that is a new episode.
        scheduler.refuse(sent + seconds(3), canary, &refused(None), NOBODY);
        assert_eq!(scheduler.gate.pass().episode, 2);
    }

    #[test]
    fn the_ramp_starts_anew_after_a_pause_and_is_steeper() {
        let (mut scheduler, out, now) = busy(per_minute(6000).learn(false), 400);
        (0..400).for_each(|_| _ = scheduler.joins(now));
        assert!((scheduler.rate() - 75.0).abs() > 1e-9, "past the start of the ramp");
        scheduler.refuse(now, out[0], &refused(Some(seconds(1))), NOBODY);
        assert!(scheduler.rate().abs() < 1e-9, "nobody goes");
        let sent = until(&scheduler);
        let canary = advance(&mut scheduler, sent)[0];
        scheduler.ends(sent + millis(300), canary, false);
        // The canary is the first of its second, which may carry three quarters of the rate.
        let mut carried = BTreeMap::from([(0, 1)]);
        run(
            &mut scheduler,
            sent + seconds(3),
            || Duration::ZERO,
            |_, at, _| {
                *carried.entry((at - sent).as_secs()).or_insert(0) += 1;
            },
        );
        assert_eq!(carried.into_values().collect::<Vec<_>>(), [71, 92, 101]);
    }

    #[test]
    fn a_dropped_canary_is_replaced_at_once() {
        let (mut scheduler, out, now) = busy(per_minute(6000).no_ramp(), 2);
        scheduler.refuse(now, out[0], &refused(Some(seconds(1))), NOBODY);
        scheduler.refuse(now, out[1], &refused(Some(seconds(1))), NOBODY);
        let sent = until(&scheduler);
        let canary = advance(&mut scheduler, sent)[0];
        scheduler.abandon(sent + millis(20), canary);
        let second = advance(&mut scheduler, sent + millis(20));
        assert_eq!(second.iter().map(|grant| grant.id).collect::<Vec<_>>(), [out[1].id]);
        scheduler.give_back(sent + millis(30), second[0]);
        assert_eq!(advance(&mut scheduler, sent + millis(30)).len(), 1, "one that was never refused, if need be");
        assert!(matches!(scheduler.gate.phase(), Phase::Canary { .. }));
    }

    #[test]
    fn if_all_that_were_refused_left_the_next_that_asks_is_the_canary() {
        let mut scheduler = scheduler(per_minute(300));
        let grant = scheduler.tries(Duration::ZERO).unwrap();
        let place = scheduler.refuse(millis(100), grant, &refused(Some(seconds(1))), NOBODY);
        assert!(scheduler.leave(millis(200), place));
        assert!(scheduler.tries(millis(500)).is_none(), "paused");
        assert!(scheduler.tries(seconds(9)).is_some());
        assert!(matches!(scheduler.gate.phase(), Phase::Canary { .. }));
        assert!(scheduler.tries(seconds(9) + millis(250)).is_none(), "alone, for three times what a refusal took");
    }

    #[test]
    fn a_probe_is_asked_in_place_of_a_canary() {
        let (mut scheduler, out, now) = busy(per_minute(300).no_ramp(), 1);
        scheduler.set_probe(true);
        scheduler.refuse(now, out[0], &refused(Some(seconds(1))), NOBODY);
        let end = until(&scheduler);
        let nobody = |_, ()| panic!("nobody goes");
        assert!(scheduler.advance(end, nobody), "the probe is asked");
        assert!(!scheduler.advance(end + seconds(1), nobody), "once");
        assert_eq!(scheduler.deadline(), None);
        scheduler.probed(end + seconds(1), true);
        let pause = until(&scheduler) - end - seconds(1);
        assert!(pause >= seconds(2) && pause <= millis(2200), "{pause:?}");
        let end = until(&scheduler);
        assert!(scheduler.advance(end, nobody));
        scheduler.probed(end, false);
        assert_eq!(advance(&mut scheduler, end)[0].id, out[0].id);
        assert_eq!(scheduler.gate.phase(), Phase::Flowing);
    }

    #[test]
    fn a_refusal_that_belongs_to_no_ticket_pauses_all_the_same_and_once() {
        let (mut scheduler, out, now) = busy(per_minute(300).no_ramp(), 2);
        scheduler.refused_elsewhere(now, &refused(Some(seconds(4))));
        let end = until(&scheduler);
        assert!(end > now + seconds(4));
        scheduler.refused_elsewhere(now, &refused(None));
        scheduler.refuse(now, out[0], &refused(None), NOBODY);
        assert_eq!(until(&scheduler), end, "the same episode");
    }

    #[test]
    fn a_hint_of_more_than_ten_minutes_pauses_nobody_that_long() {
        let (mut scheduler, out, now) = busy(per_minute(300).no_ramp(), 1);
        scheduler.refuse(now, out[0], &refused(Some(seconds(601))), NOBODY);
        assert!(until(&scheduler) <= now + millis(2200));
    }
}

mod learning {
    use super::*;

    /// What is allowed, in calls a minute.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // It is whole.
    fn allowed(scheduler: &Scheduler<()>) -> u32 {
        scheduler.gate.expected_pace() as u32
    }

    /// At full rate for ten seconds, with a long line.
    fn flowing(limits: Limits) -> (Scheduler<()>, Vec<Grant>) {
        let mut scheduler = scheduler(limits);
        (0..10_000).for_each(|_| _ = scheduler.joins(Duration::ZERO));
        let mut out = Vec::new();
        run(&mut scheduler, seconds(10), || Duration::ZERO, |_, _, grant| out.push(grant));
        assert_eq!(out.len(), 100);
        (scheduler, out)
    }

    fn busy() -> (Scheduler<()>, Vec<Grant>) {
        flowing(per_minute(600).no_ramp())
    }

    #[test]
    fn one_cut_an_episode_from_what_went_through_and_none_by_a_canary() {
        let (mut scheduler, out) = busy();
        scheduler.refuse(seconds(10), out[99], &refused(Some(seconds(1))), NOBODY);
        let cut = allowed(&scheduler);
        assert!((490..=520).contains(&cut), "0.85 of about 600: {cut}");
        scheduler.refuse(seconds(10), out[98], &refused(Some(seconds(1))), NOBODY);
        assert_eq!(allowed(&scheduler), cut, "the same episode");
        let canary = advance(&mut scheduler, seconds(12))[0];
        scheduler.refuse(seconds(12) + millis(50), canary, &refused(Some(seconds(1))), NOBODY);
        assert_eq!(allowed(&scheduler), cut, "a refused canary makes the pause longer and nothing else");
        let canary = advance(&mut scheduler, seconds(30))[0];
        scheduler.ends(seconds(31), canary, false);
        // Sent before the cut, refused after it.
        scheduler.refuse(seconds(31), out[97], &refused(None), NOBODY);
        assert!(allowed(&scheduler) >= cut && scheduler.gate.phase() == Phase::Flowing);
    }

    #[test]
    fn an_overloaded_server_pauses_and_teaches_nothing() {
        let (mut scheduler, out) = busy();
        scheduler.refuse(seconds(10), out[99], &Verdict::Overloaded { retry_after: None }, NOBODY);
        assert!(matches!(scheduler.gate.phase(), Phase::Paused { .. }));
        assert_eq!(allowed(&scheduler), 600);
        for scope in [Scope::Day, Scope::Acceleration] {
            let (mut scheduler, out) = busy();
            scheduler.refuse(seconds(10), out[99], &Verdict::RateLimited { retry_after: None, scope }, NOBODY);
            assert_eq!(allowed(&scheduler), 600, "{scope:?}");
        }
    }

    #[test]
    fn too_many_at_once_lower_the_calls_in_flight_and_not_the_rate() {
        let (mut scheduler, out) = busy();
        let verdict = Verdict::RateLimited { retry_after: Some(seconds(1)), scope: Scope::Concurrency };
        scheduler.refuse(seconds(10), out[99], &verdict, NOBODY);
        assert_eq!(allowed(&scheduler), 600);
        assert_eq!(
            scheduler.standing(Duration::ZERO).learned_in_flight,
            Some(84.0),
            "0.85 of the 99 that were not refused"
        );
        assert!(advance(&mut scheduler, seconds(60)).is_empty(), "99 are out");
        out[..20].iter().for_each(|grant| scheduler.ends(seconds(60), *grant, false));
        assert_eq!(advance(&mut scheduler, seconds(60)).len(), 1, "the canary");
    }

    #[test]
    fn it_grows_only_while_calls_wait_for_the_rate() {
        let (mut scheduler, out) = flowing(per_minute(600).no_ramp());
        scheduler.refuse(seconds(10), out[99], &refused(Some(seconds(1))), NOBODY);
        let canary = advance(&mut scheduler, seconds(12))[0];
        scheduler.ends(seconds(13), canary, false);
        let cut = allowed(&scheduler);
        let mut idle = Vec::new();
        // Everybody leaves.
        while let Some((&place, _)) = scheduler.line.first_key_value() {
            idle.push(scheduler.leave(seconds(13), place));
        }
        scheduler.roll(seconds(100));
        assert_eq!(allowed(&scheduler), cut, "nobody waited");
        (0..10_000).for_each(|_| _ = scheduler.joins(seconds(100)));
        let mut at = seconds(100);
        while at < seconds(104) {
            at = at.max(scheduler.deadline().unwrap());
            advance(&mut scheduler, at);
        }
        assert!(allowed(&scheduler) > cut, "{} after {cut}", allowed(&scheduler));
    }

    #[test]
    fn a_refusal_right_after_a_pause_is_an_accident_once() {
        let (mut scheduler, out) = busy();
        scheduler.refuse(seconds(10), out[99], &refused(Some(seconds(1))), NOBODY);
        let cut = allowed(&scheduler);
        let mut now = seconds(12);
        for expected_cut in [false, true] {
            let canary = advance(&mut scheduler, now)[0];
            scheduler.ends(now + millis(100), canary, false);
            let next = loop {
                now = now.max(scheduler.deadline().unwrap());
                if let Some(grant) = advance(&mut scheduler, now).first() {
                    break *grant;
                }
            };
            scheduler.refuse(now + millis(50), next, &refused(Some(seconds(1))), NOBODY);
            assert_eq!(allowed(&scheduler) < cut, expected_cut);
            now += seconds(2);
        }
    }

    #[test]
    fn switched_off_it_is_exact_and_static() {
        let (mut scheduler, out) = flowing(per_minute(600).no_ramp().learn(false));
        scheduler.refuse(seconds(10), out[99], &refused(Some(seconds(1))), NOBODY);
        scheduler.restore(seconds(10), Some(60.0), Some(1.0));
        assert_eq!((allowed(&scheduler), scheduler.ceilings()), (600, (None, None)));
        let (mut scheduler, out) = busy();
        scheduler.refuse(seconds(10), out[99], &refused(Some(seconds(1))), NOBODY);
        scheduler.set_limits(seconds(10), per_minute(600).no_ramp().learn(false));
        assert_eq!(allowed(&scheduler), 600, "switched off in mid-run");
    }

    #[test]
    fn what_an_earlier_run_learned_is_where_it_starts() {
        let mut scheduler = scheduler(per_minute(600));
        scheduler.restore(Duration::ZERO, Some(200.0), Some(10.0));
        assert_eq!(allowed(&scheduler), 170);
        assert_eq!(scheduler.ceilings(), (Some(200.0), Some(10.0)));
        assert_eq!(scheduler.standing(Duration::ZERO).learned_in_flight, Some(9.0));
    }
}

mod held {
    use super::*;

    #[test]
    fn it_is_told_what_the_line_waits_for() {
        let mut ramping = scheduler(per_minute(300));
        (0..100).for_each(|_| _ = ramping.joins(Duration::ZERO));
        advance(&mut ramping, Duration::ZERO);
        assert_eq!(ramping.held(Duration::ZERO), Some(Held::Ramp));
        let mut full = scheduler(per_minute(300).no_ramp().max_in_flight(NonZeroU32::MIN));
        (0..2).for_each(|_| _ = full.joins(Duration::ZERO));
        advance(&mut full, Duration::ZERO);
        assert_eq!(full.held(Duration::ZERO), Some(Held::InFlight));
        let mut even = scheduler(per_minute(300).no_ramp());
        (0..100).for_each(|_| _ = even.joins(Duration::ZERO));
        let grant = advance(&mut even, Duration::ZERO)[0];
        assert_eq!(even.held(Duration::ZERO), Some(Held::Rate));
        even.restore(Duration::ZERO, Some(200.0), None);
        assert_eq!(even.held(Duration::ZERO), Some(Held::Learned));
        even.refuse(millis(100), grant, &refused(None), NOBODY);
        assert_eq!(even.held(Duration::ZERO), Some(Held::Pause));
        assert_eq!(scheduler(per_minute(300)).held(Duration::ZERO), None, "nobody waits");
    }
}

mod bursts {
    use super::*;

    #[test]
    fn what_was_saved_up_goes_at_once_and_the_rest_evenly() {
        let times = times(per_minute(300).burst(seconds(60)), 500, || Duration::ZERO);
        assert_eq!(times.iter().filter(|time| time.is_zero()).count(), 300);
        assert_eq!(times[300], millis(200));
        assert_eq!(times[499], seconds(40));
        let times = super::times(per_minute(300).burst(seconds(2)), 20, || Duration::ZERO);
        assert_eq!((times[9], times[10]), (Duration::ZERO, millis(200)), "two seconds hold ten");
        let short = super::times(per_minute(60).burst(millis(500)), 3, || Duration::ZERO);
        assert_eq!(short, [seconds(0), seconds(1), seconds(2)], "less than one call is none");
    }

    #[test]
    fn a_refusal_shows_that_nothing_is_saved_up() {
        let mut scheduler = scheduler(per_minute(300).burst(seconds(60)).learn(false));
        (0..400).for_each(|_| _ = scheduler.joins(Duration::ZERO));
        scheduler.set_limits(Duration::ZERO, per_minute(300).burst(seconds(20)).learn(false));
        let out = advance(&mut scheduler, Duration::ZERO);
        assert_eq!(out.len(), 100);
        scheduler.refuse(millis(100), out[0], &refused(Some(seconds(1))), NOBODY);
        let resumed = scheduler.deadline().unwrap();
        let canary = advance(&mut scheduler, resumed);
        assert_eq!(canary.len(), 1);
        scheduler.ends(resumed + millis(200), canary[0], false);
        let mut first_second = 0;
        let mut at = resumed;
        while at < resumed + seconds(1) {
            first_second += advance(&mut scheduler, at).len();
            at = scheduler.deadline().unwrap();
        }
        assert!(first_second <= 6, "{first_second}: what the pause brought, not what the burst would hold");
    }

    #[test]
    fn more_than_sixty_seconds_counts_as_sixty() {
        let mut limits = per_minute(300);
        limits.burst = seconds(3600);
        assert_eq!(
            times(limits, 500, || Duration::ZERO),
            times(per_minute(300).burst(seconds(60)), 500, || Duration::ZERO)
        );
    }
}

mod counts {
    use super::*;

    #[test]
    fn the_seconds_say_what_happened() {
        let mut scheduler = scheduler(per_minute(60).no_ramp());
        scheduler.record(Duration::ZERO, true);
        let first = scheduler.tries(Duration::ZERO).unwrap();
        scheduler.joins(millis(100));
        scheduler.joins(millis(200));
        scheduler.ends(millis(700), first, false);
        let second = advance(&mut scheduler, seconds(1))[0];
        scheduler.refuse(millis(1300), second, &refused(Some(seconds(1))), NOBODY);
        let rows = scheduler.seconds(seconds(2), true);
        let counts: Vec<_> = rows
            .iter()
            .map(|row| {
                (
                    row.at,
                    row.counts.requested,
                    row.counts.issued,
                    row.counts.rate_limited,
                    row.counts.finished,
                    row.standing.overflow,
                )
            })
            .collect();
        assert_eq!(counts, [(0, 3, 1, 0, 1, 2), (1, 0, 1, 1, 0, 2), (2, 0, 0, 0, 0, 2)]);
        assert_eq!((rows[0].calls.max, rows[1].waits.max), (700, 900));
        assert!(rows[0].standing.rate > 0.9 && rows[1].standing.rate.abs() < 1e-9, "paused");
    }
}

#[derive(Debug, Clone)]
enum Step {
    Ask,
    Try,
    Finish(usize),
    Refuse(usize, Option<u64>),
    Abandon(usize),
    GiveBack(usize),
    Leave(usize),
    Retune(u32),
    Sleep(u64),
}

fn step() -> impl Strategy<Value = Step> {
    let index = 0_usize..64;
    prop_oneof![
        6 => Just(Step::Ask),
        1 => Just(Step::Try),
        4 => index.clone().prop_map(Step::Finish),
        1 => (index.clone(), prop::option::of(0_u64..20_000)).prop_map(|(index, hint)| Step::Refuse(index, hint)),
        1 => index.clone().prop_map(Step::Abandon),
        1 => index.clone().prop_map(Step::GiveBack),
        1 => index.prop_map(Step::Leave),
        8 => (0_u64..700).prop_map(Step::Sleep),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Whatever happens in whatever order: the limits hold, nobody is lost, and in the end the counts are zero.
    #[test]
    fn no_sequence_of_events_breaks_a_promise(
        rate in prop_oneof![1_u32..20, 60_u32..100, 100_u32..6000],
        cap in prop::option::of(1_u32..6),
        burst in prop_oneof![3 => Just(0_u64), 1 => 1_u64..60],
        steps in prop::collection::vec(prop_oneof![40 => step(), 1 => (1_u32..6000).prop_map(Step::Retune)], 1..250),
    ) {
        let limits = |rate| {
            let mut limits = per_minute(rate).burst(seconds(burst));
            limits.max_in_flight = cap.and_then(NonZeroU32::new);
            limits
        };
        let mut scheduler = scheduler(limits(rate));
        let mut now = Duration::ZERO;
        let mut out: Vec<Grant> = Vec::new();
        let mut line: Vec<Place> = Vec::new();
        // (when, whether it was given back)
        let mut went: BTreeSet<(Duration, Id)> = BTreeSet::new();
        let mut highest = rate;
        let settled = |scheduler: &mut Scheduler<()>, now: Duration, out: &mut Vec<Grant>, line: &mut Vec<Place>, went: &mut BTreeSet<(Duration, Id)>| {
            for grant in advance(scheduler, now) {
                line.retain(|place| place.id != grant.id);
                went.insert((now, grant.id));
                out.push(grant);
            }
        };
        for step in steps.into_iter().chain([Step::Sleep(1)]) {
            let pick = |index: usize, of: usize| (of > 0).then(|| index % of);
            match step {
                Step::Ask => line.push(scheduler.joins(now)),
                Step::Try => if let Some(grant) = scheduler.tries(now) {
                    went.insert((now, grant.id));
                    out.push(grant);
                },
                Step::Finish(index) => if let Some(index) = pick(index, out.len()) { scheduler.ends(now, out.swap_remove(index), false); },
                Step::Abandon(index) => if let Some(index) = pick(index, out.len()) { scheduler.abandon(now, out.swap_remove(index)); },
                Step::GiveBack(index) => if let Some(index) = pick(index, out.len()) {
                    let grant = out.swap_remove(index);
                    went.remove(&(grant.at, grant.id));
                    scheduler.give_back(now, grant);
                },
                Step::Refuse(index, hint) => if let Some(index) = pick(index, out.len()) {
                    line.push(scheduler.refuse(now, out.swap_remove(index), &refused(hint.map(Duration::from_millis)), NOBODY));
                },
                Step::Leave(index) => if let Some(index) = pick(index, line.len()) {
                    prop_assert!(scheduler.leave(now, line.swap_remove(index)));
                },
                Step::Retune(rate) => {
                    highest = highest.max(rate);
                    scheduler.set_limits(now, limits(rate));
                }
                Step::Sleep(time) => {
                    let end = now + millis(time);
                    while let Some(deadline) = scheduler.deadline().filter(|deadline| *deadline <= end) {
                        now = now.max(deadline);
                        settled(&mut scheduler, now, &mut out, &mut line, &mut went);
                    }
                    now = end;
                }
            }
            settled(&mut scheduler, now, &mut out, &mut line, &mut went);
            prop_assert_eq!(scheduler.in_flight, out.len() as u64);
            prop_assert_eq!(scheduler.line_length(), line.len());
            prop_assert!(cap.is_none_or(|cap| out.len() <= cap as usize));
        }
        let times: Vec<_> = went.iter().map(|(at, _)| *at).collect();
        let saved = highest as usize * usize::try_from(burst).unwrap() / 60;
        prop_assert!(most_within(&times, seconds(60)) <= highest as usize + saved);
        prop_assert!(most_within(&times, seconds(1)) <= highest.div_ceil(60) as usize + saved + 1);
        // Everybody who waits is served in the end.
        let mut rounds = 0;
        while scheduler.line_length() > 0 {
            rounds += 1;
            prop_assert!(rounds < 2000, "somebody is left asleep: {:?}", scheduler);
            out.drain(..).for_each(|grant| scheduler.ends(now, grant, false));
            settled(&mut scheduler, now, &mut out, &mut line, &mut went);
            now = scheduler.deadline().unwrap_or(now).max(now);
            settled(&mut scheduler, now, &mut out, &mut line, &mut went);
        }
        out.drain(..).for_each(|grant| scheduler.ends(now, grant, false));
        prop_assert_eq!(scheduler.in_flight, 0);
        prop_assert_eq!(scheduler.line_length(), 0);
    }
}
