//! A shared limiter without a server: its lease, and the time after the lease is lost.

use super::*;
use crate::log::row::BudgetKind;
use std::collections::BTreeMap;

use crate::{
    engine::lease::{ByLimit, exchange::LeaseGrant},
    limits::on_disconnect::OnDisconnect,
};

/// Returns a grant to one of four processes, which has a quarter of the demand.
fn grant() -> LeaseGrant {
    let in_flight = ("in_flight".to_owned(), 8.0);
    LeaseGrant {
        epoch: "1".into(),
        processes: 4.0,
        share: 0.25,
        capacity: ByLimit::from([in_flight]),
        ..LeaseGrant::default()
    }
}

fn shared(limits: Limits, grant: &LeaseGrant) -> Scheduler<()> {
    let mut scheduler = scheduler(limits);
    scheduler.join_fleet(Duration::ZERO);
    scheduler.report(Duration::ZERO);
    scheduler.renew(Duration::ZERO, grant);
    scheduler
}

fn lose(scheduler: &mut Scheduler<()>, now: Duration) {
    scheduler.lose_fleet(now, OnDisconnect::Degrade);
}

/// Returns the number of calls of a long queue that are sent in a second from `now` on.
fn sent_in_a_second(scheduler: &mut Scheduler<()>, now: Duration) -> usize {
    (0..1000).for_each(|_| _ = scheduler.enqueue_plain(now));
    let mut count = 0;
    run(scheduler, now + millis(999), || Duration::ZERO, |_, _, _| count += 1);
    count
}

#[test]
fn lost_lease_is_replaced_by_its_share() {
    let at = seconds(60);
    let mut scheduler = shared(per_minute(6000), &LeaseGrant { rate: 6000.0, pace: 6000.0, ..grant() });
    lose(&mut scheduler, at);
    assert_eq!(sent_in_a_second(&mut scheduler, at), 25, "a quarter of 100, and no ramp");
    let mut scheduler = shared(per_minute(6000), &LeaseGrant { is_ramping: true, ..grant() });
    lose(&mut scheduler, at);
    assert_eq!(sent_in_a_second(&mut scheduler, at), 6, "the ramp continues");
}

#[test]
fn process_without_a_grant_starts_as_from_idle() {
    let mut scheduler = scheduler(per_minute(6000));
    scheduler.join_fleet(Duration::ZERO);
    scheduler.report(Duration::ZERO);
    lose(&mut scheduler, seconds(1));
    assert_eq!(sent_in_a_second(&mut scheduler, seconds(1)), 25, "a quarter of 100: the ramp");
}

#[test]
fn adapted_limits_are_scaled_to_the_share_and_back() {
    let ceilings = [("requests", 4000.0), ("in_flight", 8.0), ("tokens_per_minute", 40_000.0)];
    let ceilings: ByLimit = ceilings.map(|(key, ceiling)| (key.to_owned(), ceiling)).into();
    let limits = with_tokens().max_in_flight(40);
    let grant = LeaseGrant { rate: 3400.0, pace: 3400.0, ceilings: ceilings.clone(), ..grant() };
    let mut scheduler = shared(limits, &grant);
    let at = seconds(60);
    lose(&mut scheduler, at);
    let gauges = scheduler.gauges(at);
    // 85 % of a quarter of each.
    assert!((gauges.rate - 850.0 / 60.0).abs() < 1e-6, "{}", gauges.rate);
    // The gauges show the limits of all processes.
    assert!((gauges.limit - 100.0).abs() < 1e-6, "{}", gauges.limit);
    assert_eq!(gauges.learned_in_flight, Some(7.0));
    let tokens = gauges.budgets[0].unwrap();
    assert_eq!((tokens.limit, tokens.learned), (60_000, Some(34_000.0)));
    scheduler.join_fleet(seconds(70));
    assert_eq!(scheduler.report(seconds(70)).unwrap().ceilings, ceilings, "scaled up");
    assert_eq!(scheduler.limits().requests_per_minute, limits.requests_per_minute);
    let learned = ByLimit::from([("tokens_per_minute".to_owned(), 34_000.0)]);
    scheduler.renew(seconds(70), &LeaseGrant { adapted: learned, ..grant });
    assert_eq!(scheduler.gauges(seconds(70)).budgets[0].unwrap().learned, Some(34_000.0));
}

#[test]
fn pause_continues_after_the_lease_is_lost() {
    let mut scheduler = shared(per_minute(6000), &LeaseGrant { paused: Some(5e6), episode: 3, ..grant() });
    lose(&mut scheduler, seconds(1));
    assert_eq!(scheduler.paused_for(seconds(1)), Some(seconds(4)));
    scheduler.enqueue_plain(seconds(1));
    assert_eq!(scheduler.deadline(), Some(seconds(5)));
    let canary = advance(&mut scheduler, seconds(5))[0];
    scheduler.finish_plain(seconds(6), canary, false);
    assert_eq!(scheduler.congestion.phase(), Phase::Flowing);
}

fn with_tokens() -> Limits {
    per_minute(6000).tokens_per_minute(60_000)
}

/// Returns a grant of `count` slots that are due now, and of all tokens.
fn granted_slots(count: u32) -> LeaseGrant {
    let mut grant = LeaseGrant { slot_runs: vec![[0.0, 0.0, f64::from(count)]], rate: 6000.0, pace: 6000.0, ..grant() };
    grant.capacity.insert("tokens_per_minute".to_owned(), 60_000.0);
    grant.rates.insert("tokens_per_minute".to_owned(), 60_000.0);
    grant
}

/// Returns the reported mean cost of the next calls, and the sum of all costs with those of calls that have slots.
fn reported_cost(scheduler: &mut Scheduler<()>, now: Duration) -> (u64, i64) {
    let pace = scheduler.report(now).unwrap().rates["tokens_per_minute"];
    (pace.mean_cost, pace.reserved)
}

#[test]
fn reported_cost_includes_calls_with_slots() {
    let mut scheduler = shared(with_tokens(), &grant());
    let request = Request { cost: TokenEstimate::new(30, 10), ..Request::PLAIN };
    (0..5).for_each(|_| _ = scheduler.enqueue(Duration::ZERO, &request, NO_PAYLOAD).unwrap());
    assert_eq!(reported_cost(&mut scheduler, Duration::ZERO), (40, 0));
    scheduler.renew(Duration::ZERO, &granted_slots(3));
    let now = seconds(1);
    let in_flight = advance(&mut scheduler, Duration::ZERO);
    assert_eq!(in_flight.len(), 1, "the meter still spaces the calls");
    assert_eq!(reported_cost(&mut scheduler, millis(1)), (40, 3 * 40), "one call sent, and two slots");
    scheduler.renew(millis(1), &granted_slots(0));
    assert!(scheduler.finish(now, in_flight[0], CallEnd::Succeeded, Some(Usage::new(20, 5))));
    assert_eq!(
        reported_cost(&mut scheduler, now),
        (25, 25 + 2 * 25),
        "its usage, which is expected of the next calls too"
    );
    scheduler.renew(now, &granted_slots(0));
    let next = advance(&mut scheduler, now)[0];
    scheduler.cancel(now, next);
    assert_eq!(reported_cost(&mut scheduler, now), (25, 25 + 2 * 25), "a cancelled call");
}

#[test]
fn queue_without_slots_reports_the_missing_tokens() {
    let mut scheduler = shared(with_tokens(), &grant());
    scheduler.enqueue_plain(Duration::ZERO);
    scheduler
        .renew(Duration::ZERO, &LeaseGrant { bottleneck: Some("tokens_per_minute".to_owned()), ..granted_slots(0) });
    assert_eq!(scheduler.gauges(Duration::ZERO).held, Some(Bottleneck::Budget(BudgetKind::TokensPerMinute)));
    scheduler.report(Duration::ZERO);
    let backlogged = |micros| BTreeMap::from([("tokens_per_minute", micros)]);
    assert_eq!(scheduler.report(millis(40)).unwrap().backlogged, backlogged(40_000));
    scheduler.renew(millis(40), &granted_slots(0));
    assert_eq!(scheduler.gauges(millis(40)).held, Some(Bottleneck::Rate));
    assert_eq!(scheduler.report(millis(60)).unwrap().backlogged, BTreeMap::from([("requests", 20_000)]));
}

/// Returns a grant after other processes have used up a daily budget for the next two hours.
fn exhausted_day() -> LeaseGrant {
    let mut grant = LeaseGrant { rate: 6000.0, pace: 6000.0, ..grant() };
    grant.used_by_others.insert("requests_per_day".to_owned(), 5.0);
    grant.free_in.insert("requests_per_day".to_owned(), 7200e6);
    grant
}

#[test]
fn exhausted_day_rejects_new_and_queued_calls() {
    let limits = per_minute(6000).requests_per_day(5);
    let request = Request { max_wait: Some(seconds(3)), ..Request::PLAIN };
    let mut scheduler = shared(limits, &exhausted_day());
    let rejected = scheduler.enqueue(seconds(1), &request, NO_PAYLOAD).unwrap_err();
    assert_eq!((rejected.reason, rejected.estimated_wait), (RejectReason::MaxWait, seconds(7199)));
    assert_eq!(scheduler.gauges(seconds(1)).budgets[0].unwrap().others, 5);

    // The usage became known while the call was queued.
    let mut scheduler = self::scheduler(limits);
    scheduler.join_fleet(Duration::ZERO);
    let hasty = scheduler.enqueue(Duration::ZERO, &request, NO_PAYLOAD).unwrap();
    let patient = scheduler.enqueue_plain(Duration::ZERO);
    scheduler.report(Duration::ZERO);
    scheduler.renew(millis(1), &exhausted_day());
    let mut expired = Vec::new();
    scheduler.expire(millis(1), |id, rejected, ()| expired.push((id, rejected.estimated_wait)));
    assert_eq!(expired, [(hasty.id, seconds(7200))]);
    assert!(scheduler.leave(millis(1), patient));
}

#[test]
fn pause_of_the_fleet_rejects_calls_that_expire_before_its_end() {
    let request = Request { max_wait: Some(seconds(5)), ..Request::PLAIN };
    let paused = LeaseGrant { paused: Some(60e6), rate: 0.0, ..granted_slots(0) };
    let rejected_by = |grant: &LeaseGrant| {
        let mut scheduler = shared(per_minute(6000), &granted_slots(0));
        scheduler.enqueue(Duration::ZERO, &request, NO_PAYLOAD).unwrap();
        scheduler.report(Duration::ZERO);
        scheduler.renew(seconds(1), grant);
        let mut expired = Vec::new();
        scheduler.expire(seconds(1), |_, rejected, ()| expired.push((rejected.waited, rejected.allowed_wait)));
        expired
    };
    assert_eq!(rejected_by(&paused), [(seconds(1), Some(seconds(5)))]);
    assert_eq!(rejected_by(&LeaseGrant { paused: Some(3e6), ..paused.clone() }), []);
    assert_eq!(rejected_by(&LeaseGrant { is_canary: true, ..paused }), [], "this process ends the pause");
}

#[test]
fn fleet_estimate_is_used_until_own_usage_is_known() {
    let mut scheduler = shared(with_tokens(), &grant());
    assert_eq!(reported_cost(&mut scheduler, Duration::ZERO).0, 6000, "a tenth of a minute without usage data");
    assert_eq!(scheduler.report(Duration::ZERO).unwrap().typical_cost, None);
    scheduler.renew(Duration::ZERO, &LeaseGrant { typical_cost: Some([100.0, 20.0]), ..granted_slots(1) });
    assert_eq!(reported_cost(&mut scheduler, Duration::ZERO).0, 120);
    scheduler.renew(Duration::ZERO, &LeaseGrant { typical_cost: Some([100.0, 20.0]), ..granted_slots(1) });
    scheduler.enqueue_plain(Duration::ZERO);
    let grant = advance(&mut scheduler, Duration::ZERO)[0];
    assert!(scheduler.finish(Duration::ZERO, grant, CallEnd::Succeeded, Some(Usage::new(30, 5))));
    assert_eq!(scheduler.report(Duration::ZERO).unwrap().typical_cost, Some([30, 5]), "the usage is reported");
    assert_eq!(reported_cost(&mut scheduler, Duration::ZERO).0, 35);
}

#[test]
fn shared_rate_is_zero_only_during_a_pause() {
    let mut scheduler = scheduler(per_minute(6000).no_ramp());
    scheduler.join_fleet(Duration::ZERO);
    let rate = |scheduler: &Scheduler<()>| scheduler.rate().round();
    assert!(rate(&scheduler) > 0.0, "before the first grant");
    scheduler.enqueue_plain(Duration::ZERO);
    assert_eq!(scheduler.gauges(Duration::ZERO).held, Some(Bottleneck::Fleet));
    scheduler.report(Duration::ZERO);
    scheduler.renew(Duration::ZERO, &granted_slots(1));
    let grant = advance(&mut scheduler, Duration::ZERO)[0];
    scheduler.finish_plain(Duration::ZERO, grant, false);
    assert!(scheduler.release_lease(Duration::ZERO).is_some());
    assert!((rate(&scheduler) - 25.0).abs() < 1e-9, "a quarter, even after the lease was released");
    scheduler.renew(Duration::ZERO, &LeaseGrant { paused: Some(1e6), rate: 0.0, ..granted_slots(0) });
    assert!(rate(&scheduler).abs() < 1e-9);
}

#[test]
fn late_process_makes_up_for_fifty_milliseconds() {
    let slots = LeaseGrant { slot_runs: vec![[0.0, 10e3, 20.0]], rate: 6000.0, pace: 6000.0, ..grant() };
    let stopped_for = |late: u64| {
        let mut scheduler = shared(
            per_minute(6000).no_ramp().max_in_flight(50),
            &LeaseGrant { capacity: ByLimit::from([("in_flight".to_owned(), 50.0)]), ..slots.clone() },
        );
        (0..20).for_each(|_| _ = scheduler.enqueue_plain(Duration::ZERO));
        (advance(&mut scheduler, millis(late)).len(), sent_in_a_second(&mut scheduler, millis(late)))
    };
    assert_eq!(stopped_for(45), (5, 15), "all that were due, and the rest on schedule");
    assert_eq!(stopped_for(155), (1, 4), "one, and the slots from 160 to 190 ms");
}

#[test]
fn changed_limit_returns_the_slots() {
    let mut scheduler = shared(per_minute(60), &LeaseGrant { slot_runs: vec![[0.0, 1e6, 2.0]], ..granted_slots(0) });
    (0..9).for_each(|_| _ = scheduler.enqueue_plain(Duration::ZERO));
    assert_eq!(advance(&mut scheduler, Duration::ZERO).len(), 1);
    scheduler.set_limits(millis(300), per_minute(1200));
    assert_eq!(scheduler.asks_at().map(|at| at <= millis(300)), Some(true), "at once");
    let report = scheduler.report(millis(300)).unwrap();
    assert_eq!((report.unused, report.rate, report.wanted >= 8), (1, 1200, true));
}
