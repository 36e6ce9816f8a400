//! Statistics by second.

use super::*;

#[test]
fn seconds_contain_counts_and_latencies() {
    let mut scheduler = scheduler(per_minute(60).no_ramp());
    scheduler.record(Duration::ZERO, true);
    let first = scheduler.try_plain(Duration::ZERO).unwrap();
    scheduler.enqueue_plain(millis(100));
    scheduler.enqueue_plain(millis(200));
    scheduler.finish_plain(millis(700), first, false);
    let second = advance(&mut scheduler, seconds(1))[0];
    scheduler.requeue(millis(1300), second, &refused(Some(seconds(1))), NO_PAYLOAD);
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
                row.gauges.overflow,
            )
        })
        .collect();
    assert_eq!(counts, [(0, 3, 1, 0, 1, 2), (1, 0, 1, 1, 0, 2), (2, 0, 0, 0, 0, 2)]);
    assert_eq!((rows[0].calls.quantiles.max, rows[1].waits.quantiles.max), (700, 900));
    assert!(rows[0].gauges.rate > 0.9 && rows[1].gauges.rate.abs() < 1e-9, "paused");
}

/// Returns the rows of 100 calls that are sent in a burst to a server that accepts 30 calls a minute. They are written ten
/// milliseconds after each second, as by a monitor. Each call takes 300 milliseconds.
fn rows_of_refused_burst(limits: Limits) -> Vec<crate::log::row::Row<'static>> {
    let mut scheduler = scheduler(limits);
    scheduler.record(Duration::ZERO, true);
    (0..100).for_each(|_| _ = scheduler.enqueue_plain(Duration::ZERO));
    let (mut rows, mut accepted, mut in_flight) = (Vec::new(), Vec::new(), BTreeMap::new());
    let (mut now, mut tick) = (Duration::ZERO, millis(1010));
    while now < seconds(150) {
        for grant in advance(&mut scheduler, now) {
            in_flight.insert((now + millis(300), grant.id), grant);
        }
        let end = in_flight.first_key_value().map(|((at, _), _)| *at);
        now = now.max(scheduler.deadline().into_iter().chain(end).chain([tick]).min().unwrap());
        while let Some(entry) = in_flight.first_entry().filter(|entry| entry.key().0 <= now) {
            let grant = entry.remove();
            accepted.retain(|at| *at + seconds(60) > now);
            if accepted.len() < 30 {
                accepted.push(now);
                scheduler.finish_plain(now, grant, false);
            } else {
                scheduler.requeue(now, grant, &refused(None), NO_PAYLOAD);
            }
        }
        if now >= tick {
            rows.extend(scheduler.seconds(now, false).iter().map(|second| second.row("m")));
            tick += seconds(1);
        }
    }
    rows
}

#[test]
fn canary_that_waits_for_the_rate_is_no_endless_pause() {
    let rows = rows_of_refused_burst(per_minute(60).burst_window(seconds(60)));
    // After the pause, the adapted rate of six a minute delays the canary by nine seconds.
    let waiting: Vec<_> = rows.iter().filter(|row| row.rate == 0.0 && row.held == Some(Bottleneck::Learned)).collect();
    assert!(waiting.len() >= 9, "{}", waiting.len());
    assert!(waiting.iter().all(|row| row.in_flight == 0 && row.paused_for.unwrap() > 0.1), "{waiting:?}");
    for pair in rows.windows(2).filter(|pair| pair.iter().all(|row| row.in_flight == 0 && row.issued == 0)) {
        let [before, row] = [&pair[0], &pair[1]].map(|row| row.paused_for.unwrap());
        assert!((before - row - 1.0).abs() < 0.002, "{pair:?}");
    }
    let paused = rows.iter().filter(|row| row.held == Some(Bottleneck::Pause));
    assert!(paused.clone().count() > 5 && paused.clone().all(|row| row.paused_for.unwrap() > 0.0 && row.paused_ms > 0));
    assert!(waiting.iter().skip(1).all(|row| row.paused_ms == 0), "the pause itself is over");
}

#[test]
fn pause_that_is_over_has_no_time_left_without_calls() {
    let mut scheduler = scheduler(per_minute(60).burst_window(seconds(60)).max_in_flight(2).adaptive(false));
    let sent = [0, 1].map(|_| scheduler.try_plain(Duration::ZERO).unwrap());
    scheduler.requeue(millis(100), sent[0], &refused(Some(seconds(1))), NO_PAYLOAD);
    let canary = advance(&mut scheduler, seconds(3))[0];
    scheduler.finish_plain(seconds(3), canary, false);
    let third = scheduler.try_plain(seconds(10)).unwrap();
    scheduler.requeue(seconds(11), third, &refused(Some(seconds(1))), NO_PAYLOAD);
    let queued = scheduler.gauges(seconds(11));
    assert!(queued.paused_for.unwrap() >= seconds(1) && queued.held == Some(Bottleneck::Pause), "{queued:?}");
    let position = scheduler.next().unwrap().0;
    scheduler.leave(seconds(11), position);
    let idle = scheduler.gauges(seconds(20));
    assert_eq!((idle.paused_for, idle.held), (None, None));
}

#[test]
fn pauses_within_a_second_are_counted() {
    let mut scheduler = scheduler(per_minute(6000).no_ramp().adaptive(false));
    scheduler.record(Duration::ZERO, true);
    let mut now = Duration::ZERO;
    for _ in 0..12 {
        let grant = scheduler.try_plain(now).unwrap();
        scheduler.requeue(now, grant, &refused(Some(millis(100))), NO_PAYLOAD);
        let at = scheduler.deadline().unwrap();
        let canary = advance(&mut scheduler, at)[0];
        scheduler.finish_plain(at + millis(10), canary, false);
        now = at + millis(20);
    }
    let rows = scheduler.seconds(now, true);
    let paused: Duration = rows.iter().map(|row| row.paused).sum();
    assert_eq!(rows.iter().map(|row| row.counts.pauses).sum::<u64>(), 12);
    assert_eq!(paused, now - millis(10) * 12, "all but ten milliseconds of each round");
    assert!(rows.iter().all(|row| row.gauges.rate > 0.0 || row.paused > Duration::ZERO));
}

#[test]
fn calls_sent_at_once_have_waited_zero() {
    let mut scheduler = scheduler(per_minute(60).no_ramp());
    scheduler.record(Duration::ZERO, true);
    scheduler.try_plain(Duration::ZERO).unwrap();
    scheduler.enqueue_plain(millis(200));
    advance(&mut scheduler, seconds(1));
    let rows = scheduler.seconds(millis(1100), true);
    let waits: Vec<_> = rows.iter().map(|row| (row.waits.total, row.waits.sketch.count())).collect();
    assert_eq!(waits, [(0, 1), (800, 1)]);
}
