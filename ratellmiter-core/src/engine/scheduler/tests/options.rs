//! Calls with options: token estimate, priority and wait limits.

use super::*;
use crate::engine::call_state::Expiry;
use crate::log::row::BudgetKind;

fn tokens(limit: u64) -> Limits {
    per_minute(600).no_ramp().tokens_per_minute(limit)
}

fn costing(input: u64) -> Request {
    Request { cost: input.into(), ..Request::PLAIN }
}

fn with_max_wait(at: u64) -> Request {
    Request { max_wait: Some(seconds(at)), ..Request::PLAIN }
}

/// Returns the calls whose wait has expired at `now`.
fn expired(scheduler: &mut Scheduler<()>, now: Duration) -> Vec<(CallId, Rejected)> {
    let mut all = Vec::new();
    scheduler.expire(now, |id, rejected, ()| all.push((id, rejected)));
    all
}

#[test]
fn tokens_are_paced_within_the_limit() {
    let mut scheduler = scheduler(tokens(60_000));
    (0..200).for_each(|_| _ = scheduler.enqueue(Duration::ZERO, &costing(1000), NO_PAYLOAD));
    let mut times = Vec::new();
    run(
        &mut scheduler,
        seconds(300),
        || Duration::ZERO,
        |scheduler, now, grant| {
            times.push(now);
            scheduler.finish(now, grant, CallEnd::Succeeded, Some(Usage::new(1000, 0)));
        },
    );
    assert_eq!(times.len(), 200);
    assert!(max_within(&times, seconds(60)) <= 60, "60,000 tokens");
    let gaps: Vec<_> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(gaps.iter().all(|gap| (millis(750)..=millis(1250)).contains(gap)), "{gaps:?}");
}

#[test]
fn bottleneck_names_the_exhausted_budget() {
    let mut by_tokens = scheduler(tokens(60_000));
    (0..9).for_each(|_| _ = by_tokens.enqueue(Duration::ZERO, &costing(10_000), NO_PAYLOAD));
    advance(&mut by_tokens, Duration::ZERO);
    assert_eq!(by_tokens.bottleneck(Duration::ZERO), Some(Bottleneck::Budget(BudgetKind::TokensPerMinute)));
    let mut by_day = scheduler(per_minute(600).no_ramp().requests_per_day(1));
    (0..2).for_each(|_| _ = by_day.enqueue_plain(Duration::ZERO));
    advance(&mut by_day, seconds(3));
    assert_eq!(by_day.bottleneck(seconds(3)), Some(Bottleneck::Budget(BudgetKind::RequestsPerDay)));
    assert_eq!(by_day.deadline(), Some(seconds(86_403)));
    assert_eq!(by_day.time_left(seconds(3)), seconds(86_400));
}

#[test]
fn low_priority_call_is_sent_after_its_handicap() {
    let mut scheduler = scheduler(per_minute(60).no_ramp());
    let classed = |priority| Request { priority, ..Request::PLAIN };
    let first = scheduler.try_plain(Duration::ZERO).unwrap();
    let low = scheduler.enqueue(Duration::ZERO, &classed(Priority::Low), NO_PAYLOAD).unwrap();
    let normal = scheduler.enqueue(Duration::ZERO, &classed(Priority::Normal), NO_PAYLOAD).unwrap();
    let high = scheduler.enqueue(millis(5), &classed(Priority::High), NO_PAYLOAD).unwrap();
    let refused = scheduler.requeue(millis(10), first, &refused(Some(Duration::ZERO)), NO_PAYLOAD);
    let late = scheduler.enqueue(seconds(119), &classed(Priority::High), NO_PAYLOAD).unwrap();
    let later = scheduler.enqueue(seconds(121), &classed(Priority::High), NO_PAYLOAD).unwrap();
    let mut order = [low, normal, high, refused, late, later];
    order.sort_unstable();
    assert_eq!(order, [refused, high, normal, late, low, later]);
}

#[test]
fn call_beyond_its_wait_limits_is_rejected() {
    let mut scheduler = scheduler(per_minute(60).no_ramp());
    scheduler.record(Duration::ZERO, true);
    assert!(scheduler.try_plain(Duration::ZERO).is_some());
    let stays = scheduler.enqueue(Duration::ZERO, &with_max_wait(1), NO_PAYLOAD).unwrap();
    let rejected = scheduler.enqueue(Duration::ZERO, &with_max_wait(1), NO_PAYLOAD).unwrap_err();
    let expected = Rejected {
        reason: RejectReason::MaxWait,
        waited: Duration::ZERO,
        allowed_wait: Some(seconds(1)),
        estimated_wait: seconds(2),
        resumes_at: None,
    };
    assert_eq!(rejected, expected);
    let full = Request { max_queue: Some(1), ..Request::PLAIN };
    assert_eq!(scheduler.enqueue(Duration::ZERO, &full, NO_PAYLOAD).unwrap_err().reason, RejectReason::MaxQueue);
    assert_eq!(scheduler.queue_length(), 1);
    assert_eq!(advance(&mut scheduler, seconds(1)).iter().map(|grant| grant.id).collect::<Vec<_>>(), [stays.id]);
    assert_eq!(expired(&mut scheduler, seconds(9)), [], "it was sent in time");
    let counts = scheduler.seconds(seconds(9), true)[0].counts;
    assert_eq!((counts.requested, counts.rejected, counts.issued), (4, 2, 1), "rejected calls are counted");
}

#[test]
fn queued_call_expires_exactly_at_its_limit() {
    let mut scheduler = scheduler(per_minute(60).no_ramp().max_in_flight(1));
    let in_flight = scheduler.try_plain(Duration::ZERO).unwrap();
    // No latency has been measured.
    let first = scheduler.enqueue(Duration::ZERO, &with_max_wait(3), NO_PAYLOAD).unwrap();
    let second = scheduler.enqueue(Duration::ZERO, &with_max_wait(5), NO_PAYLOAD).unwrap();
    assert_eq!(scheduler.deadline(), Some(seconds(3)), "the earlier expiry");
    assert_eq!(expired(&mut scheduler, seconds(3)).iter().map(|(id, _)| *id).collect::<Vec<_>>(), [first.id]);
    assert_eq!(scheduler.deadline(), Some(seconds(5)));
    scheduler.finish_plain(seconds(4), in_flight, false);
    assert_eq!(advance(&mut scheduler, seconds(4))[0].id, second.id);
    assert_eq!((scheduler.deadline(), scheduler.queue_length()), (None, 0));
}

#[test]
fn refused_call_keeps_its_wait_and_cost() {
    let mut scheduler = scheduler(tokens(60_000));
    let request = Request { cost: (500, 500).into(), ..with_max_wait(4) };
    let grant = scheduler.try_request(Duration::ZERO, &request).unwrap();
    let position = scheduler.requeue(millis(100), grant, &refused(Some(seconds(1))), NO_PAYLOAD);
    assert!(scheduler.is_in_time(millis(100), position));
    let again = advance(&mut scheduler, seconds(2))[0];
    assert_eq!(scheduler.calls.get(again.id).cost, (500, 500).into());
    let position = scheduler.requeue(millis(2100), again, &refused(Some(seconds(9))), NO_PAYLOAD);
    assert!(!scheduler.is_in_time(millis(2100), position));
    let (_, rejected) = expired(&mut scheduler, millis(2200))[0];
    assert_eq!((rejected.reason, rejected.waited), (RejectReason::MaxWait, millis(2000)), "1.9 s and 0.1 s");
    assert_eq!((rejected.allowed_wait, scheduler.queue_length()), (Some(seconds(4)), 0));
    assert!(scheduler.calls.is_empty() && scheduler.queue.expiries() == 0);
}

/// A call is in flight, and calls with and without a maximum wait of 5 s are queued. Returns the grant and the queued calls.
fn queued_at_rate_of_six(scheduler: &mut Scheduler<()>) -> (Grant, [QueuePosition; 2]) {
    let in_flight = scheduler.try_plain(Duration::ZERO).unwrap();
    let hasty = scheduler.enqueue(seconds(6), &with_max_wait(5), NO_PAYLOAD).unwrap();
    let patient = scheduler.enqueue_plain(seconds(6));
    (in_flight, [hasty, patient])
}

#[test]
fn pause_rejects_calls_that_expire_before_its_end() {
    let mut scheduler = scheduler(per_minute(6).no_ramp());
    let (in_flight, [hasty, patient]) = queued_at_rate_of_six(&mut scheduler);
    assert_eq!(expired(&mut scheduler, seconds(7)), []);
    scheduler.requeue(seconds(7), in_flight, &refused(Some(seconds(60))), NO_PAYLOAD);
    let [(id, rejected)] = expired(&mut scheduler, seconds(7))[..] else { panic!("one call") };
    assert_eq!((id, rejected.reason, rejected.waited), (hasty.id, RejectReason::MaxWait, seconds(1)));
    assert_eq!(rejected.allowed_wait, Some(seconds(5)));
    assert!(rejected.estimated_wait >= seconds(60), "{rejected:?}");
    assert_eq!(scheduler.queue_length(), 2, "the refused call and {patient:?}");
}

#[test]
fn extended_pause_rejects_calls_that_expire_before_its_end() {
    let mut scheduler = scheduler(per_minute(60).no_ramp());
    let grants = [seconds(0), seconds(1)].map(|at| scheduler.try_plain(at).unwrap());
    let hasty = Request { max_wait: Some(seconds(20)), ..Request::PLAIN };
    let hasty = scheduler.enqueue(seconds(1), &hasty, NO_PAYLOAD).unwrap();
    scheduler.requeue(seconds(1), grants[0], &refused(Some(seconds(10))), NO_PAYLOAD);
    assert_eq!(expired(&mut scheduler, seconds(1)), [], "the pause ends before");
    scheduler.requeue(seconds(2), grants[1], &refused(Some(seconds(60))), NO_PAYLOAD);
    assert_eq!(expired(&mut scheduler, seconds(2)).iter().map(|(id, _)| *id).collect::<Vec<_>>(), [hasty.id]);
}

#[test]
fn call_that_expires_while_the_canary_is_in_flight_stays() {
    let mut scheduler = scheduler(per_minute(6000).no_ramp());
    let grant = scheduler.try_plain(Duration::ZERO).unwrap();
    scheduler.requeue(millis(500), grant, &refused(Some(seconds(1))), NO_PAYLOAD);
    let hasty = Request { max_wait: Some(seconds(3)), ..Request::PLAIN };
    let hasty = scheduler.enqueue(millis(500), &hasty, NO_PAYLOAD).unwrap();
    let canary = advance(&mut scheduler, millis(1600))[0];
    assert_eq!(expired(&mut scheduler, millis(1600)), [], "the canary may be accepted at any time");
    scheduler.finish_plain(millis(1700), canary, false);
    assert_eq!(advance(&mut scheduler, millis(1800)).first().map(|grant| grant.id), Some(hasty.id));
}

#[test]
fn deadline_rejection_reports_the_time_until_the_deadline() {
    let mut scheduler = scheduler(per_minute(6).no_ramp());
    assert!(scheduler.try_plain(Duration::ZERO).is_some());
    let request = Request { deadline: Some(seconds(9)), ..Request::PLAIN };
    let rejected = scheduler.enqueue(seconds(2), &request, NO_PAYLOAD).unwrap_err();
    assert_eq!((rejected.waited, rejected.allowed_wait), (Duration::ZERO, Some(seconds(7))));
}

#[test]
fn pace_lowered_by_headers_rises_at_the_reset() {
    let mut scheduler = scheduler(per_minute(600).no_ramp());
    let first = scheduler.try_plain(Duration::ZERO).unwrap();
    let reading = LimitReading {
        unit: LimitUnit::Requests,
        per: Period::Minute,
        limit: Some(600),
        remaining: Some(0),
        reset: Some(seconds(3)),
    };
    assert!(scheduler.apply_headers(Duration::ZERO, &first, &[reading]));
    (0..100).for_each(|_| _ = scheduler.enqueue_plain(Duration::ZERO));
    advance(&mut scheduler, Duration::ZERO);
    assert_eq!(scheduler.bottleneck(Duration::ZERO), Some(Bottleneck::Server));
    let mut times = Vec::new();
    run(&mut scheduler, seconds(8), || Duration::ZERO, |_, now, _| times.push(now));
    let within = |from: u64, to: u64| times.iter().filter(|at| (seconds(from)..seconds(to)).contains(*at)).count();
    assert_eq!((within(0, 3), within(4, 5)), (2, 10), "a tenth, then the full rate");
}

#[derive(Debug, Clone, Copy)]
enum Event {
    Enqueue(Request),
    Try(Request),
    Finish(usize, u64),
    Abandon(usize),
    Cancel(usize),
    Refuse(usize, u64),
    Leave(usize),
    Sleep(u64),
}

fn request_options() -> impl Strategy<Value = (u64, u64, u8, Option<u64>, Option<u32>)> {
    (0_u64..3000, 0_u64..3000, 0_u8..3, prop::option::of(0_u64..40_000), prop::option::of(0_u32..9))
}

fn event() -> impl Strategy<Value = Event> {
    let options = |(input, output, class, wait, max_queue): (u64, u64, u8, Option<u64>, Option<u32>)| Request {
        cost: if input == 0 { TokenEstimate::UNKNOWN } else { (input, output).into() },
        priority: [Priority::High, Priority::Normal, Priority::Low][usize::from(class)],
        max_wait: wait.map(millis),
        deadline: None,
        max_queue,
        can_fail: input % 2 == 1,
    };
    prop_oneof![
        6 => request_options().prop_map(move |request| Event::Enqueue(options(request))),
        1 => request_options().prop_map(move |request| Event::Try(options(request))),
        3 => (any::<usize>(), 0_u64..9000).prop_map(|(index, used)| Event::Finish(index, used)),
        1 => any::<usize>().prop_map(Event::Abandon),
        1 => any::<usize>().prop_map(Event::Cancel),
        1 => (any::<usize>(), 0_u64..5000).prop_map(|(index, hint)| Event::Refuse(index, hint)),
        1 => any::<usize>().prop_map(Event::Leave),
        5 => (0_u64..20_000).prop_map(Event::Sleep),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// After any sequence of requests, no budget exceeds its limit, no call is queued beyond its expiry, every call ends, and no
    /// state is left.
    #[test]
    fn no_request_breaks_a_guarantee(events in prop::collection::vec(event(), 1..200)) {
        let mut scheduler = scheduler(tokens(20_000).requests_per_day(2000));
        let mut now = Duration::ZERO;
        let (mut in_flight, mut queue): (Vec<Grant>, Vec<(QueuePosition, Option<Expiry>)>) = Default::default();
        let settle = |scheduler: &mut Scheduler<()>, now: Duration, in_flight: &mut Vec<Grant>, queue: &mut Vec<(QueuePosition, Option<Expiry>)>| {
            loop {
                let before = scheduler.budgets.status(now);
                let issued = advance(scheduler, now);
                for (before, after) in before.iter().flatten().zip(scheduler.budgets.status(now).iter().flatten()) {
                    let alone = before.taken == 0 && issued.len() == 1;
                    assert!(issued.is_empty() || after.taken <= after.limit || alone, "{after:?}");
                }
                queue.retain(|(position, _)| issued.iter().all(|grant| grant.id != position.id));
                in_flight.extend(&issued);
                let over = expired(scheduler, now);
                queue.retain(|(position, _)| over.iter().all(|(id, _)| *id != position.id));
                if issued.is_empty() && over.is_empty() {
                    break;
                }
            }
        };
        for event in events {
            let pick = |index: usize, of: usize| (of > 0).then(|| index % of);
            match event {
                Event::Enqueue(request) => {
                    if let Ok(position) = scheduler.enqueue(now, &request, NO_PAYLOAD) {
                        queue.push((position, scheduler.calls.get(position.id).expiry));
                    }
                }
                Event::Try(request) => in_flight.extend(scheduler.try_request(now, &request)),
                Event::Finish(index, used) => if let Some(index) = pick(index, in_flight.len()) {
                    scheduler.finish(now, in_flight.swap_remove(index), CallEnd::Succeeded, (used > 0).then(|| Usage::new(used / 2, used / 2)));
                },
                Event::Abandon(index) => if let Some(index) = pick(index, in_flight.len()) {
                    scheduler.abandon(now, in_flight.swap_remove(index));
                },
                Event::Cancel(index) => if let Some(index) = pick(index, in_flight.len()) {
                    scheduler.cancel(now, in_flight.swap_remove(index));
                },
                Event::Refuse(index, hint) => if let Some(index) = pick(index, in_flight.len()) {
                    let grant = in_flight.swap_remove(index);
                    let position = scheduler.requeue(now, grant, &refused(Some(millis(hint))), NO_PAYLOAD);
                    let expiry = scheduler.calls.get(position.id).expiry;
                    queue.push((position, expiry));
                },
                Event::Leave(index) => if let Some(index) = pick(index, queue.len()) {
                    prop_assert!(scheduler.leave(now, queue.swap_remove(index).0));
                },
                Event::Sleep(time) => {
                    let end = now + millis(time);
                    while let Some(deadline) = scheduler.deadline().filter(|deadline| *deadline <= end) {
                        now = now.max(deadline);
                        settle(&mut scheduler, now, &mut in_flight, &mut queue);
                    }
                    now = end;
                }
            }
            settle(&mut scheduler, now, &mut in_flight, &mut queue);
            prop_assert_eq!(scheduler.queue_length(), queue.len());
            prop_assert_eq!(scheduler.in_flight, in_flight.len() as u64);
            prop_assert!(queue.iter().all(|(_, expiry)| expiry.is_none_or(|expiry| expiry.at > now)));
            prop_assert_eq!(scheduler.queue.expiries(), queue.iter().filter(|(_, expiry)| expiry.is_some()).count());
        }
        let mut rounds = 0;
        while scheduler.queue_length() > 0 {
            rounds += 1;
            prop_assert!(rounds < 5000, "a queued call is never sent: {:?}", scheduler);
            in_flight.drain(..).for_each(|grant| { scheduler.finish(now, grant, CallEnd::Succeeded, None); });
            settle(&mut scheduler, now, &mut in_flight, &mut queue);
            now = scheduler.deadline().unwrap_or(now).max(now);
        }
        in_flight.drain(..).for_each(|grant| scheduler.abandon(now, grant));
        prop_assert!(scheduler.calls.is_empty() && scheduler.queue.expiries() == 0);
    }
}
