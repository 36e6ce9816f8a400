//! Calls that say more than that they want a ticket: what they cost, how urgent they are, how long they wait.

use std::num::NonZeroU64;

use super::*;
use crate::engine::call_state::Expiry;

fn tokens(limit: u64) -> Limits {
    per_minute(600).no_ramp().tokens_per_minute(NonZeroU64::new(limit).unwrap())
}

fn costing(input: u64) -> Request {
    Request { cost: input.into(), ..Request::PLAIN }
}

fn until(at: u64) -> Request {
    Request { max_wait: Some(seconds(at)), ..Request::PLAIN }
}

/// Those whose time is over at `now`.
fn expired(scheduler: &mut Scheduler<()>, now: Duration) -> Vec<(CallId, Rejected)> {
    let mut all = Vec::new();
    scheduler.expire(now, |id, rejected, ()| all.push((id, rejected)));
    all
}

#[test]
fn tokens_are_spread_and_never_more_than_the_limit_in_a_minute() {
    let mut scheduler = scheduler(tokens(60_000));
    (0..200).for_each(|_| _ = scheduler.enqueue(Duration::ZERO, &costing(1000), NOBODY));
    let mut times = Vec::new();
    run(
        &mut scheduler,
        seconds(300),
        || Duration::ZERO,
        |scheduler, now, grant| {
            times.push(now);
            scheduler.finish(now, grant, false, Some(Usage::new(1000, 0)));
        },
    );
    assert_eq!(times.len(), 200);
    assert!(most_within(&times, seconds(60)) <= 60, "60,000 tokens");
    let gaps: Vec<_> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(gaps.iter().all(|gap| (millis(750)..=millis(1250)).contains(gap)), "{gaps:?}");
}

#[test]
fn it_is_told_which_budget_holds_the_line() {
    let mut by_tokens = scheduler(tokens(60_000));
    (0..9).for_each(|_| _ = by_tokens.enqueue(Duration::ZERO, &costing(10_000), NOBODY));
    advance(&mut by_tokens, Duration::ZERO);
    assert_eq!(by_tokens.bottleneck(Duration::ZERO), Some(Bottleneck::TokensPerMinute));
    let mut by_day = scheduler(per_minute(600).no_ramp().requests_per_day(NonZeroU64::MIN));
    (0..2).for_each(|_| _ = by_day.joins(Duration::ZERO));
    advance(&mut by_day, seconds(3));
    assert_eq!(by_day.bottleneck(seconds(3)), Some(Bottleneck::RequestsPerDay));
    assert_eq!(by_day.deadline(), Some(seconds(86_403)));
    assert_eq!(by_day.time_left(seconds(3)), seconds(86_400));
}

#[test]
fn a_higher_class_goes_first_and_a_lower_one_when_it_has_waited_for_long_enough() {
    let mut scheduler = scheduler(per_minute(60).no_ramp());
    let classed = |priority| Request { priority, ..Request::PLAIN };
    let first = scheduler.tries(Duration::ZERO).unwrap();
    let low = scheduler.enqueue(Duration::ZERO, &classed(Priority::Low), NOBODY).unwrap();
    let normal = scheduler.enqueue(Duration::ZERO, &classed(Priority::Normal), NOBODY).unwrap();
    let high = scheduler.enqueue(millis(5), &classed(Priority::High), NOBODY).unwrap();
    let refused = scheduler.requeue(millis(10), first, &refused(Some(Duration::ZERO)), NOBODY);
    let late = scheduler.enqueue(seconds(119), &classed(Priority::High), NOBODY).unwrap();
    let later = scheduler.enqueue(seconds(121), &classed(Priority::High), NOBODY).unwrap();
    let mut order = [low, normal, high, refused, late, later];
    order.sort_unstable();
    assert_eq!(order, [refused, high, normal, late, low, later]);
}

#[test]
fn who_may_not_wait_so_long_is_turned_away_and_counted() {
    let mut scheduler = scheduler(per_minute(60).no_ramp());
    scheduler.record(Duration::ZERO, true);
    assert!(scheduler.tries(Duration::ZERO).is_some());
    let stays = scheduler.enqueue(Duration::ZERO, &until(1), NOBODY).unwrap();
    let rejected = scheduler.enqueue(Duration::ZERO, &until(1), NOBODY).unwrap_err();
    assert_eq!(rejected, Rejected { reason: RejectReason::MaxWait, estimated_wait: seconds(2) });
    let full = Request { max_queue: Some(1), ..Request::PLAIN };
    assert_eq!(scheduler.enqueue(Duration::ZERO, &full, NOBODY).unwrap_err().reason, RejectReason::MaxLine);
    assert_eq!(scheduler.queue_length(), 1);
    assert_eq!(advance(&mut scheduler, seconds(1)).iter().map(|grant| grant.id).collect::<Vec<_>>(), [stays.id]);
    assert_eq!(expired(&mut scheduler, seconds(9)), [], "it went in time");
    let counts = scheduler.seconds(seconds(9), true)[0].counts;
    assert_eq!((counts.requested, counts.rejected, counts.issued), (4, 2, 1), "none is lost in the picture");
}

#[test]
fn whose_time_ends_in_the_line_leaves_at_that_instant() {
    let mut scheduler = scheduler(per_minute(60).no_ramp().max_in_flight(NonZeroU32::MIN));
    let out = scheduler.tries(Duration::ZERO).unwrap();
    // Nobody knows how long a call takes.
    let first = scheduler.enqueue(Duration::ZERO, &until(3), NOBODY).unwrap();
    let second = scheduler.enqueue(Duration::ZERO, &until(5), NOBODY).unwrap();
    assert_eq!(scheduler.deadline(), Some(seconds(3)), "one timer for both");
    assert_eq!(expired(&mut scheduler, seconds(3)).iter().map(|(id, _)| *id).collect::<Vec<_>>(), [first.id]);
    assert_eq!(scheduler.deadline(), Some(seconds(5)));
    scheduler.ends(seconds(4), out, false);
    assert_eq!(advance(&mut scheduler, seconds(4))[0].id, second.id);
    assert_eq!((scheduler.deadline(), scheduler.queue_length()), (None, 0));
}

#[test]
fn a_refused_call_keeps_its_time_and_its_cost() {
    let mut scheduler = scheduler(tokens(60_000));
    let wish = Request { cost: (500, 500).into(), ..until(4) };
    let grant = scheduler.try_request(Duration::ZERO, &wish).unwrap();
    let place = scheduler.requeue(millis(100), grant, &refused(Some(seconds(1))), NOBODY);
    assert!(scheduler.is_in_time(millis(100), place));
    let again = advance(&mut scheduler, seconds(2))[0];
    assert_eq!(scheduler.calls.get(again.id).cost, (500, 500).into());
    let place = scheduler.requeue(millis(2100), again, &refused(Some(seconds(9))), NOBODY);
    assert!(!scheduler.is_in_time(millis(2100), place));
    assert_eq!(expired(&mut scheduler, seconds(4)), [], "1.9 of its 4 s had passed when it went");
    let reasons: Vec<_> = expired(&mut scheduler, millis(4200)).iter().map(|(_, rejected)| rejected.reason).collect();
    assert_eq!((reasons, scheduler.queue_length()), (vec![RejectReason::MaxWait], 0));
    assert!(scheduler.calls.is_empty() && scheduler.queue.expiries() == 0);
}

#[test]
fn the_pace_that_headers_lowered_rises_when_they_said() {
    let mut scheduler = scheduler(per_minute(600).no_ramp());
    let first = scheduler.tries(Duration::ZERO).unwrap();
    let reading = LimitReading {
        unit: LimitUnit::Requests,
        per: Period::Minute,
        limit: Some(600),
        remaining: Some(0),
        reset: Some(seconds(3)),
    };
    assert!(scheduler.apply_headers(Duration::ZERO, &first, &[reading]));
    (0..100).for_each(|_| _ = scheduler.joins(Duration::ZERO));
    advance(&mut scheduler, Duration::ZERO);
    assert_eq!(scheduler.bottleneck(Duration::ZERO), Some(Bottleneck::Server));
    let mut times = Vec::new();
    run(&mut scheduler, seconds(8), || Duration::ZERO, |_, now, _| times.push(now));
    let within = |from: u64, to: u64| times.iter().filter(|at| (seconds(from)..seconds(to)).contains(at)).count();
    assert_eq!((within(0, 3), within(4, 5)), (2, 10), "a tenth, and then all of it");
}

#[derive(Debug, Clone, Copy)]
enum Event {
    Ask(Request),
    Try(Request),
    Finish(usize, u64),
    Abandon(usize),
    GiveBack(usize),
    Refuse(usize, u64),
    Leave(usize),
    Sleep(u64),
}

fn wish() -> impl Strategy<Value = (u64, u64, u8, Option<u64>, Option<u32>)> {
    (0_u64..3000, 0_u64..3000, 0_u8..3, prop::option::of(0_u64..40_000), prop::option::of(0_u32..9))
}

fn event() -> impl Strategy<Value = Event> {
    let asked = |(input, output, class, wait, max_queue): (u64, u64, u8, Option<u64>, Option<u32>)| Request {
        cost: if input == 0 { TokenEstimate::UNKNOWN } else { (input, output).into() },
        priority: [Priority::High, Priority::Normal, Priority::Low][usize::from(class)],
        max_wait: wait.map(millis),
        deadline: None,
        max_queue,
    };
    prop_oneof![
        6 => wish().prop_map(move |wish| Event::Ask(asked(wish))),
        1 => wish().prop_map(move |wish| Event::Try(asked(wish))),
        3 => (any::<usize>(), 0_u64..9000).prop_map(|(index, used)| Event::Finish(index, used)),
        1 => any::<usize>().prop_map(Event::Abandon),
        1 => any::<usize>().prop_map(Event::GiveBack),
        1 => (any::<usize>(), 0_u64..5000).prop_map(|(index, hint)| Event::Refuse(index, hint)),
        1 => any::<usize>().prop_map(Event::Leave),
        5 => (0_u64..20_000).prop_map(Event::Sleep),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Whatever is asked for in whatever order: no budget is above its limit, nobody waits past its time, none is lost, and in
    /// the end nothing is kept of anybody.
    #[test]
    fn no_wish_breaks_a_promise(events in prop::collection::vec(event(), 1..200)) {
        let mut scheduler = scheduler(tokens(20_000).requests_per_day(NonZeroU64::new(2000).unwrap()));
        let mut now = Duration::ZERO;
        let (mut out, mut line): (Vec<Grant>, Vec<(QueuePosition, Option<Expiry>)>) = Default::default();
        let come_to = |scheduler: &mut Scheduler<()>, now: Duration, out: &mut Vec<Grant>, line: &mut Vec<(QueuePosition, Option<Expiry>)>| {
            loop {
                let before = scheduler.budgets.status(now);
                let issued = advance(scheduler, now);
                for (before, after) in before.iter().flatten().zip(scheduler.budgets.status(now).iter().flatten()) {
                    let alone = before.taken == 0 && issued.len() == 1;
                    assert!(issued.is_empty() || after.taken <= after.limit || alone, "{after:?}");
                }
                line.retain(|(place, _)| issued.iter().all(|grant| grant.id != place.id));
                out.extend(&issued);
                let over = expired(scheduler, now);
                line.retain(|(place, _)| over.iter().all(|(id, _)| *id != place.id));
                if issued.is_empty() && over.is_empty() {
                    break;
                }
            }
        };
        for event in events {
            let pick = |index: usize, of: usize| (of > 0).then(|| index % of);
            match event {
                Event::Ask(wish) => {
                    if let Ok(place) = scheduler.enqueue(now, &wish, NOBODY) {
                        line.push((place, scheduler.calls.get(place.id).expiry));
                    }
                }
                Event::Try(wish) => out.extend(scheduler.try_request(now, &wish)),
                Event::Finish(index, used) => if let Some(index) = pick(index, out.len()) {
                    scheduler.finish(now, out.swap_remove(index), false, (used > 0).then(|| Usage::new(used / 2, used / 2)));
                },
                Event::Abandon(index) => if let Some(index) = pick(index, out.len()) {
                    scheduler.abandon(now, out.swap_remove(index));
                },
                Event::GiveBack(index) => if let Some(index) = pick(index, out.len()) {
                    scheduler.cancel(now, out.swap_remove(index));
                },
                Event::Refuse(index, hint) => if let Some(index) = pick(index, out.len()) {
                    let grant = out.swap_remove(index);
                    let place = scheduler.requeue(now, grant, &refused(Some(millis(hint))), NOBODY);
                    let until = scheduler.calls.get(place.id).expiry;
                    line.push((place, until));
                },
                Event::Leave(index) => if let Some(index) = pick(index, line.len()) {
                    prop_assert!(scheduler.leave(now, line.swap_remove(index).0));
                },
                Event::Sleep(time) => {
                    let end = now + millis(time);
                    while let Some(deadline) = scheduler.deadline().filter(|deadline| *deadline <= end) {
                        now = now.max(deadline);
                        come_to(&mut scheduler, now, &mut out, &mut line);
                    }
                    now = end;
                }
            }
            come_to(&mut scheduler, now, &mut out, &mut line);
            prop_assert_eq!(scheduler.queue_length(), line.len());
            prop_assert_eq!(scheduler.in_flight, out.len() as u64);
            prop_assert!(line.iter().all(|(_, until)| until.is_none_or(|until| until.at > now)));
            prop_assert_eq!(scheduler.queue.expiries(), line.iter().filter(|(_, until)| until.is_some()).count());
        }
        let mut rounds = 0;
        while scheduler.queue_length() > 0 {
            rounds += 1;
            prop_assert!(rounds < 5000, "somebody is left asleep: {:?}", scheduler);
            out.drain(..).for_each(|grant| { scheduler.finish(now, grant, false, None); });
            come_to(&mut scheduler, now, &mut out, &mut line);
            now = scheduler.deadline().unwrap_or(now).max(now);
        }
        out.drain(..).for_each(|grant| scheduler.abandon(now, grant));
        prop_assert!(scheduler.calls.is_empty() && scheduler.queue.expiries() == 0);
    }
}
