//! What one refusal does: the pause, the canary, who goes first.

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
    match scheduler.congestion.phase() {
        Phase::Paused { until } => until,
        phase => panic!("not paused: {phase:?}"),
    }
}

#[test]
fn one_refusal_pauses_all_then_one_canary_then_the_refused_in_order_then_the_rest() {
    let (mut scheduler, out, now) = busy(per_minute(300).no_ramp(), 4);
    // Refused in another order than they first asked in.
    for index in [2, 0, 1] {
        scheduler.requeue(now, out[index], &refused(Some(seconds(5))), NOBODY);
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
    scheduler.requeue(now, out[0], &refused(None), NOBODY);
    let first = until(&scheduler);
    scheduler.requeue(now + millis(100), out[1], &refused(None), NOBODY);
    assert_eq!(until(&scheduler), first, "no hint, nothing new");
    scheduler.requeue(now + millis(200), out[2], &refused(Some(seconds(30))), NOBODY);
    assert_eq!(until(&scheduler), now + millis(200) + seconds(30), "a hint may show that it lasts longer");
    let canary = advance(&mut scheduler, now + millis(30_200));
    scheduler.ends(now + millis(30_300), canary[0], false);
    // The fourth was sent before the pause and comes back after it.
    scheduler.requeue(now + millis(30_400), out[3], &refused(Some(seconds(9))), NOBODY);
    assert_eq!(scheduler.congestion.phase(), Phase::Flowing);
    assert_eq!(scheduler.congestion.unpaced_passage().episode, 1);
}

#[test]
fn a_refused_canary_makes_the_pause_longer_and_an_accepted_one_makes_the_next_short() {
    let (mut scheduler, out, now) = busy(per_minute(300).no_ramp(), 1);
    let mut sent = out[0];
    let mut at = now;
    let mut pauses = Vec::new();
    for _ in 0..5 {
        scheduler.requeue(at, sent, &refused(None), NOBODY);
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
    scheduler.requeue(at + seconds(2), next, &refused(None), NOBODY);
    let pause = until(&scheduler) - at - seconds(2);
    assert!(pause <= millis(2200), "{pause:?}");
}

#[test]
fn a_canary_that_takes_long_holds_nobody_up() {
    let (mut scheduler, out, now) = busy(per_minute(300).no_ramp(), 1);
    // This refusal took 600 ms to come.
    scheduler.requeue(now + millis(600), out[0], &refused(Some(seconds(1))), NOBODY);
    let sent = until(&scheduler);
    let canary = advance(&mut scheduler, sent)[0];
    assert_eq!(scheduler.deadline(), Some(sent + millis(1800)), "three times the slowest refusal");
    assert_eq!(advance(&mut scheduler, sent + millis(1800)).len(), 1, "accepted, though it is still out");
    // If it is refused after all, that is a new episode.
    scheduler.requeue(sent + seconds(3), canary, &refused(None), NOBODY);
    assert_eq!(scheduler.congestion.unpaced_passage().episode, 2);
}

#[test]
fn the_ramp_starts_anew_after_a_pause_and_is_steeper() {
    let (mut scheduler, out, now) = busy(per_minute(6000).adaptive(false), 400);
    (0..400).for_each(|_| _ = scheduler.joins(now));
    assert!((scheduler.rate() - 75.0).abs() > 1e-9, "past the start of the ramp");
    scheduler.requeue(now, out[0], &refused(Some(seconds(1))), NOBODY);
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
    scheduler.requeue(now, out[0], &refused(Some(seconds(1))), NOBODY);
    scheduler.requeue(now, out[1], &refused(Some(seconds(1))), NOBODY);
    let sent = until(&scheduler);
    let canary = advance(&mut scheduler, sent)[0];
    scheduler.abandon(sent + millis(20), canary);
    let second = advance(&mut scheduler, sent + millis(20));
    assert_eq!(second.iter().map(|grant| grant.id).collect::<Vec<_>>(), [out[1].id]);
    scheduler.cancel(sent + millis(30), second[0]);
    assert_eq!(advance(&mut scheduler, sent + millis(30)).len(), 1, "one that was never refused, if need be");
    assert!(matches!(scheduler.congestion.phase(), Phase::Canary { .. }));
}

#[test]
fn if_all_that_were_refused_left_the_next_that_asks_is_the_canary() {
    let mut scheduler = scheduler(per_minute(300));
    let grant = scheduler.tries(Duration::ZERO).unwrap();
    let place = scheduler.requeue(millis(100), grant, &refused(Some(seconds(1))), NOBODY);
    assert!(scheduler.leave(millis(200), place));
    assert!(scheduler.tries(millis(500)).is_none(), "paused");
    assert!(scheduler.tries(seconds(9)).is_some());
    assert!(matches!(scheduler.congestion.phase(), Phase::Canary { .. }));
    assert!(scheduler.tries(seconds(9) + millis(250)).is_none(), "alone, for three times what a refusal took");
}

#[test]
fn a_probe_is_asked_in_place_of_a_canary() {
    let (mut scheduler, out, now) = busy(per_minute(300).no_ramp(), 1);
    scheduler.set_probe(true);
    scheduler.requeue(now, out[0], &refused(Some(seconds(1))), NOBODY);
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
    assert_eq!(scheduler.congestion.phase(), Phase::Flowing);
}

#[test]
fn a_refusal_that_belongs_to_no_ticket_pauses_all_the_same_and_once() {
    let (mut scheduler, out, now) = busy(per_minute(300).no_ramp(), 2);
    scheduler.on_unattributed_refusal(now, &refused(Some(seconds(4))));
    let end = until(&scheduler);
    assert!(end > now + seconds(4));
    scheduler.on_unattributed_refusal(now, &refused(None));
    scheduler.requeue(now, out[0], &refused(None), NOBODY);
    assert_eq!(until(&scheduler), end, "the same episode");
}

#[test]
fn a_hint_of_more_than_ten_minutes_pauses_nobody_that_long() {
    let (mut scheduler, out, now) = busy(per_minute(300).no_ramp(), 1);
    scheduler.requeue(now, out[0], &refused(Some(seconds(601))), NOBODY);
    assert!(until(&scheduler) <= now + millis(2200));
}
