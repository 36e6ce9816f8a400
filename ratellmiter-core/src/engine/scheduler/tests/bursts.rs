//! Bursts.

use super::*;

#[test]
fn unused_budget_is_sent_at_once_then_evenly() {
    let times = times(per_minute(300).burst_window(seconds(60)), 500, || Duration::ZERO);
    assert_eq!(times.iter().filter(|time| time.is_zero()).count(), 300);
    assert_eq!(times[300], millis(200));
    assert_eq!(times[499], seconds(40));
    let times = super::times(per_minute(300).burst_window(seconds(2)), 20, || Duration::ZERO);
    assert_eq!((times[9], times[10]), (Duration::ZERO, millis(200)), "two seconds are ten calls");
    let short = super::times(per_minute(60).burst_window(millis(500)), 3, || Duration::ZERO);
    assert_eq!(short, [seconds(0), seconds(1), seconds(2)], "a burst of less than one call is none");
}

#[test]
fn refusal_discards_unused_budget() {
    let mut scheduler = scheduler(per_minute(300).burst_window(seconds(60)).adaptive(false));
    (0..400).for_each(|_| _ = scheduler.enqueue_plain(Duration::ZERO));
    scheduler.set_limits(Duration::ZERO, per_minute(300).burst_window(seconds(20)).adaptive(false));
    let in_flight = advance(&mut scheduler, Duration::ZERO);
    assert_eq!(in_flight.len(), 100);
    scheduler.requeue(millis(100), in_flight[0], &refused(Some(seconds(1))), NO_PAYLOAD);
    let resumed = scheduler.deadline().unwrap();
    let canary = advance(&mut scheduler, resumed);
    assert_eq!(canary.len(), 1);
    scheduler.finish_plain(resumed + millis(200), canary[0], false);
    let mut first_second = 0;
    let mut at = resumed;
    while at < resumed + seconds(1) {
        first_second += advance(&mut scheduler, at).len();
        at = scheduler.deadline().unwrap();
    }
    assert!(first_second <= 6, "{first_second}: only budget that accrued in the pause");
}

#[test]
fn burst_window_is_clamped_to_a_minute() {
    let limits = per_minute(300).burst_window(seconds(3600));
    assert_eq!(
        times(limits, 500, || Duration::ZERO),
        times(per_minute(300).burst_window(seconds(60)), 500, || Duration::ZERO)
    );
}
