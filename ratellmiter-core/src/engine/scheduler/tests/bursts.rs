//! What is saved up.

use super::*;

#[test]
fn what_was_saved_up_goes_at_once_and_the_rest_evenly() {
    let times = times(per_minute(300).burst_window(seconds(60)), 500, || Duration::ZERO);
    assert_eq!(times.iter().filter(|time| time.is_zero()).count(), 300);
    assert_eq!(times[300], millis(200));
    assert_eq!(times[499], seconds(40));
    let times = super::times(per_minute(300).burst_window(seconds(2)), 20, || Duration::ZERO);
    assert_eq!((times[9], times[10]), (Duration::ZERO, millis(200)), "two seconds hold ten");
    let short = super::times(per_minute(60).burst_window(millis(500)), 3, || Duration::ZERO);
    assert_eq!(short, [seconds(0), seconds(1), seconds(2)], "less than one call is none");
}

#[test]
fn a_refusal_shows_that_nothing_is_saved_up() {
    let mut scheduler = scheduler(per_minute(300).burst_window(seconds(60)).adaptive(false));
    (0..400).for_each(|_| _ = scheduler.joins(Duration::ZERO));
    scheduler.set_limits(Duration::ZERO, per_minute(300).burst_window(seconds(20)).adaptive(false));
    let out = advance(&mut scheduler, Duration::ZERO);
    assert_eq!(out.len(), 100);
    scheduler.requeue(millis(100), out[0], &refused(Some(seconds(1))), NOBODY);
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
    assert_eq!(
        times(per_minute(300).burst_window(seconds(3600)), 500, || Duration::ZERO),
        times(per_minute(300).burst_window(seconds(60)), 500, || Duration::ZERO)
    );
}
